"""The MCP door over HTTP: the protocol's endpoint behind the guard, as an ASGI app."""

import secrets
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Self

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from odooport import Gate
from odooport_mcp.server import Powers, build_server
from odooport_mcp_http.guard import DOOR, Guard, caller_of
from odooport_runtime.front import ON_LOOPBACK, Front, FrontRules

PATH = "/mcp"
"""Where the endpoint is served."""


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
        rules: FrontRules | None = ON_LOOPBACK,
        new_id: Callable[[], str] = _new_id,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Put the guard before a server, which must identify by ``caller_of``.

        It keeps no sessions: each request carries its key, and is answered for that key
        alone.

        Args:
            server: What ``build_server`` answers, maybe with more tools.
            gate: Knows the keys.
            rules: Who may come at all, and how much he may send; None if a ``Front``
                stands before the door already.
            new_id: Makes request ids.
            clock: Answers the time in seconds; never goes back.
        """
        server.streamable_http_app(
            streamable_http_path=PATH,
            stateless_http=True,
            max_request_body_size=sys.maxsize,  # the front has a limit of its own
            # The front checks Host and Origin, and before anything else.
            transport_security=TransportSecuritySettings(
                enable_dns_rebinding_protection=False
            ),
        )
        sessions = server.session_manager
        guard = Guard(sessions.handle_request, gate)
        if rules is None:
            return cls(guard, sessions.run)
        front = Front(guard, gate, rules=rules, door=DOOR, new_id=new_id, clock=clock)
        return cls(front, sessions.run)


def build_door(
    gate: Gate,
    *,
    rules: FrontRules | None = ON_LOOPBACK,
    powers: Powers | None = None,
    new_id: Callable[[], str] = _new_id,
    clock: Callable[[], float] = time.monotonic,
) -> McpDoor:
    """Answer the MCP endpoint.

    Args:
        gate: The guarded path to Odoo.
        rules: Who may come at all, and how much he may send; None if a ``Front`` stands
            before the door already.
        powers: Tells what a principal may do; it is shown no tool beyond that.
        new_id: Makes request ids.
        clock: Answers the time in seconds; never goes back.
    """
    server = build_server(
        gate, caller_of, version=version("odooport-mcp-http"), powers=powers
    )
    return McpDoor.of(server, gate, rules=rules, new_id=new_id, clock=clock)


def build_app(
    gate: Gate,
    *,
    rules: FrontRules = ON_LOOPBACK,
    powers: Powers | None = None,
    new_id: Callable[[], str] = _new_id,
    clock: Callable[[], float] = time.monotonic,
) -> Starlette:
    """Answer an app of its own, with the endpoint and a sign of life.

    Whoever made the gateway closes it.

    Args:
        gate: The guarded path to Odoo.
        rules: Who may come at all, and how much he may send.
        powers: Tells what a principal may do; it is shown no tool beyond that.
        new_id: Makes request ids.
        clock: Answers the time in seconds; never goes back.
    """
    door = build_door(gate, rules=None, powers=powers)

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
        middleware=[
            Middleware(Front, gate, rules=rules, door=DOOR, new_id=new_id, clock=clock)
        ],
        lifespan=lifespan,
    )
