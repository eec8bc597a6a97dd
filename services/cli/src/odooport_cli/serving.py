"""One app out of two: the REST API and the MCP endpoint, behind one front."""

import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp

from odooport import Gate
from odooport_mcp_http.app import PATH, McpDoor
from odooport_mcp_http.guard import DOOR as MCP
from odooport_rest.problems import DOOR as REST
from odooport_runtime.front import Front, FrontRules


def join(
    rest: ASGIApp,
    door: McpDoor,
    gate: Gate,
    *,
    rules: FrontRules,
    clock: Callable[[], float],
) -> Starlette:
    """Answer an app that serves MCP at its own path and REST everywhere else.

    Args:
        rest: The REST API, without a front; it needs no lifespan.
        door: The MCP endpoint, without a front; its lifespan becomes that of the app.
        gate: Keeps in the audit what the front refuses.
        rules: Who may come at all, and how much he may send.
        clock: Answers the time in seconds; never goes back.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        del app
        async with door.lifespan():
            yield

    app = Starlette(
        routes=[Route(PATH, endpoint=door.endpoint)],
        middleware=[
            Middleware(
                Front,
                gate,
                rules=rules,
                door=REST,
                doors={PATH: MCP},
                new_id=lambda: secrets.token_hex(8),
                clock=clock,
            )
        ],
        lifespan=lifespan,
    )
    # No route: the pattern of a mount does not match a path with a line end in it.
    app.router.default = rest
    app.router.redirect_slashes = False
    return app
