"""The door over HTTP, in this process, for clients that nobody here wrote."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from odooport_mcp_http.app import PATH, McpDoor
from odooport_mcp_http.container import Container
from odooport_runtime.container import shutdown
from odooport_runtime.settings import Settings
from odooport_security import SqliteKeyStore

from .fixture_server import fixture_door
from .node_tools import NodeTool, Unavailable, installed

CONFORMANCE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"

SUMMARY = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the list of what the summary tells."""
    config.stash[SUMMARY] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what the suite found, or why it did not run; ``-q`` hides neither."""
    if config.stash[SUMMARY]:
        terminalreporter.write_sep("=", "MCP clients")
        for line in config.stash[SUMMARY]:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def summary(request: pytest.FixtureRequest) -> list[str]:
    """Answer the lines that the terminal shows when all tests have run."""
    return request.config.stash[SUMMARY]


def _tool(summary: list[str], package: str, program: str) -> NodeTool:
    try:
        return installed(package, program)
    except Unavailable as error:
        summary.append(f"SKIPPED: {error}")
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def conformance(summary: list[str]) -> NodeTool:
    """The protocol's own conformance suite."""
    return _tool(summary, CONFORMANCE, "conformance")


@pytest.fixture(scope="session")
def inspector(summary: list[str]) -> NodeTool:
    """The protocol's own client for people, as a command."""
    return _tool(summary, INSPECTOR, "mcp-inspector")


@dataclass(frozen=True)
class Target:
    """A door that needs no key: it is put on every request before the real app."""

    name: str
    url: str


class _WithKey:
    """An ASGI app that puts a key on every request; the suite cannot send one."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._header = (b"authorization", f"Bearer {key}".encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "headers": [*scope["headers"], self._header]}
        await self._app(scope, receive, send)


def _app_of(door: McpDoor) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        async with door.lifespan():
            yield

    return Starlette(routes=[Route(PATH, endpoint=door.endpoint)], lifespan=lifespan)


@contextmanager
def _serving(app: ASGIApp) -> Generator[str]:
    """Serve an app in a thread, on a port of its own."""
    server = uvicorn.Server(
        uvicorn.Config(app, http="h11", log_config=None, access_log=False)
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        server.should_exit = True
        thread.join()


@contextmanager
def _container(state: Path) -> Generator[tuple[Container, str]]:
    """Answer the service's own container over the Odoo in memory, and a key."""
    store = SqliteKeyStore(state / "keys.db")
    _, key = store.create("conformance", "full")
    store.close()
    container = Container(settings=Settings(transport="memory", state=state))
    yield container, key
    asyncio.run(shutdown(container))


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[Target]:
    """The product as it is."""
    with (
        _container(tmp_path_factory.mktemp("product")) as (container, key),
        _serving(_WithKey(container.app(), key)) as url,
    ):
        yield Target("product", url)


@pytest.fixture(scope="session")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Generator[Target]:
    """The product's parts with the suite's fixtures."""
    with _container(tmp_path_factory.mktemp("fixtures")) as (container, key):
        door = fixture_door(container.gate(), container.powers())
        with _serving(_WithKey(_app_of(door), key)) as url:
            yield Target("fixtures", url)
