"""pytest fixtures for programs that talk to Odoo: an Odoo in memory behind its wire.

Install the extra ``odooport-adapters[pytest]`` and name this module in a
``conftest.py``; nothing loads it by itself::

    pytest_plugins = ["odooport_adapters.testing"]

A test then asks for ``fake_odoo``. One server runs for the whole session, on an address
of this machine; each test has records of its own.
"""

import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from odooport_adapters.memory import DATABASE, MemoryGateway
from odooport_adapters.wire_server import wire_app

_HOST = "127.0.0.1"
_GRACE_SECONDS = 1
_USERS: Mapping[str, str] = MappingProxyType({"admin": "admin", "demo": "demo"})


@dataclass(frozen=True, slots=True)
class FakeOdoo:
    """An Odoo in memory that a test can reach over HTTP.

    Attributes:
        address: Its URL, without a slash at the end.
        database: The database's name.
        users: Each user's login with the password. ``admin`` may do everything,
            ``demo`` is a salesman.
        gateway: The Odoo itself: ``gateway.add`` creates records beside all rights,
            ``gateway.on`` lets a function stand in for a method.
    """

    address: str
    database: str
    users: Mapping[str, str]
    gateway: MemoryGateway

    @property
    def host(self) -> str:
        """The address without its port."""
        return _HOST

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self.address.rpartition(":")[2])


class FakeOdooServer:
    """The HTTP server behind ``fake_odoo``; it serves whichever app is plugged in.

    Args:
        address: The URL that it is reached at.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        if self.app is None:
            raise RuntimeError("No test is running that asked for fake_odoo.")
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def fake_odoo_server() -> Iterator[FakeOdooServer]:
    """The server of all tests of the session, in a thread of its own."""
    # TCP is named so that asyncio turns Nagle's algorithm off
    kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with socket.socket(*kind) as listener:
        listener.bind((_HOST, 0))
        listener.listen()  # before the thread runs, so nobody has to wait for it
        server = FakeOdooServer(f"http://{_HOST}:{listener.getsockname()[1]}")
        config = uvicorn.Config(
            server,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([listener],), daemon=True)
        thread.start()
        yield server
        running.should_exit = True
        thread.join()


@pytest.fixture
def fake_odoo_gateway() -> MemoryGateway:
    """The Odoo that ``fake_odoo`` serves: a fresh one with the demo company.

    Define a fixture of the same name to serve another, with models of your own or with
    a clock that stands still.
    """
    return MemoryGateway.demo(database=DATABASE)


@pytest.fixture
def fake_odoo(
    fake_odoo_server: FakeOdooServer, fake_odoo_gateway: MemoryGateway
) -> Iterator[FakeOdoo]:
    """An Odoo 18 in memory, over XML-RPC, JSON-RPC and the web client's routes."""
    fake_odoo_server.app = wire_app(fake_odoo_gateway, database=DATABASE)
    yield FakeOdoo(fake_odoo_server.address, DATABASE, _USERS, fake_odoo_gateway)
    fake_odoo_server.app = None
