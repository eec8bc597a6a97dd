"""One app out of two: the REST API and the MCP endpoint."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from odooport_mcp_http.app import PATH, McpDoor


def join(rest: ASGIApp, door: McpDoor) -> Starlette:
    """Answer an app that serves MCP at its own path and REST everywhere else.

    Args:
        rest: The REST API; it needs no lifespan.
        door: The MCP endpoint; its lifespan becomes that of the app.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        del app
        async with door.lifespan():
            yield

    return Starlette(
        routes=[Route(PATH, endpoint=door.endpoint), Mount("/", app=rest)],
        lifespan=lifespan,
    )
