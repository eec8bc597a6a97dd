"""The MCP door over HTTP: the protocol's endpoint behind the guard, as an ASGI app."""

import secrets
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from odooport import Gate
from odooport_mcp.server import Powers, build_server
from odooport_mcp_http.guard import Guard, caller_of

PATH = "/mcp"
"""Where the endpoint is served."""

MAX_BODY = 4 * 1024 * 1024
"""The most bytes that a request's body may have."""


def _new_id() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True)
class McpDoor:
    """The endpoint, to be served at ``PATH`` of any ASGI app.

    Attributes:
        endpoint: Serves the protocol. It has no other addresses.
        lifespan: Must be entered, once, around everything that is served.
    """

    endpoint: ASGIApp
    lifespan: Callable[[], AbstractAsyncContextManager[None]]

    @classmethod
    def of(
        cls,
        server: MCPServer[Any],
        gate: Gate,
        *,
        hosts: Collection[str] = (),
        new_id: Callable[[], str] = _new_id,
        max_body: int = MAX_BODY,
    ) -> Self:
        """Put the guard before a server, which must identify by ``caller_of``.

        It keeps no sessions: each request carries its key, and is answered for that key
        alone.

        Args:
            server: What ``build_server`` answers, maybe with more tools.
            gate: Knows the keys.
            hosts: The host names, besides those of the loopback, that may be asked for.
                A page that tricks a browser into taking our address for its own still
                sends its own name.
            new_id: Makes request ids.
            max_body: The most bytes that a body may have.
        """
        server.streamable_http_app(
            streamable_http_path=PATH,
            stateless_http=True,
            max_request_body_size=max_body,
            # The guard checks Host and Origin, and before anything else.
            transport_security=TransportSecuritySettings(
                enable_dns_rebinding_protection=False
            ),
        )
        sessions = server.session_manager
        guard = Guard(sessions.handle_request, gate, new_id=new_id, hosts=hosts)
        return cls(guard, sessions.run)


def build_door(
    gate: Gate,
    *,
    hosts: Collection[str] = (),
    powers: Powers | None = None,
    new_id: Callable[[], str] = _new_id,
    max_body: int = MAX_BODY,
) -> McpDoor:
    """Answer the MCP endpoint.

    Args:
        gate: The guarded path to Odoo.
        hosts: The host names, besides those of the loopback, that may be asked for.
        powers: Tells what a principal may do; it is shown no tool beyond that.
        new_id: Makes request ids.
        max_body: The most bytes that a body may have.
    """
    server = build_server(
        gate, caller_of, version=version("odooport-mcp-http"), powers=powers
    )
    return McpDoor.of(server, gate, hosts=hosts, new_id=new_id, max_body=max_body)


def build_app(
    gate: Gate,
    *,
    hosts: Collection[str] = (),
    powers: Powers | None = None,
    new_id: Callable[[], str] = _new_id,
    max_body: int = MAX_BODY,
) -> Starlette:
    """Answer an app of its own, with the endpoint and a sign of life.

    Whoever made the gateway closes it.

    Args:
        gate: The guarded path to Odoo.
        hosts: The host names, besides those of the loopback, that may be asked for.
        powers: Tells what a principal may do; it is shown no tool beyond that.
        new_id: Makes request ids.
        max_body: The most bytes that a body may have.
    """
    door = build_door(
        gate, hosts=hosts, powers=powers, new_id=new_id, max_body=max_body
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        del app
        async with door.lifespan():
            yield

    async def health(request: Request) -> Response:
        del request
        return JSONResponse({"status": "ok"})

    return Starlette(
        routes=[Route(PATH, endpoint=door.endpoint), Route("/health", health)],
        lifespan=lifespan,
    )
