"""The gateways that the contract is held against, and what speaks to them.

``memory`` is the Odoo in memory itself. ``xmlrpc``, ``jsonrpc`` and ``web`` reach one
like it over a real socket, and so does ``json2``, for which it plays an Odoo 19. The
same cases run against a real Odoo in ``tests/integration``.
"""

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import pytest
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from odooport.errors import GatewayError
from odooport.model import Call, Context, Credentials, Session
from odooport.ports import OdooGateway
from odooport_adapters.http import OdooHttp
from odooport_adapters.json2 import Json2Gateway
from odooport_adapters.jsonrpc import JsonRpcGateway
from odooport_adapters.memory import MemoryGateway
from odooport_adapters.web import WebGateway
from odooport_adapters.wire_server import wire_app
from odooport_adapters.xmlrpc import XmlRpcGateway
from odooport_runtime.serving import listen
from tests.conftest import CONTRACT

from .editions import EIGHTEEN, Edition

WIRES = {
    "xmlrpc": XmlRpcGateway,
    "jsonrpc": JsonRpcGateway,
    "web": WebGateway,
    "json2": Json2Gateway,
}
LOGINS = ("admin", "demo")


class Switchboard:
    """An application that hands every request to the one that is plugged in."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@dataclass(frozen=True)
class Server:
    """An HTTP server in a thread of its own."""

    address: str
    board: Switchboard


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests; each plugs in an application of its own."""
    board = Switchboard()
    # the socket listens before the thread runs, so nobody has to wait for it
    with listen("127.0.0.1", 0) as listening:
        config = uvicorn.Config(
            board, log_config=None, lifespan="off", timeout_graceful_shutdown=1
        )
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        host, port = listening.getsockname()
        yield Server(f"http://{host}:{port}", board)
        running.should_exit = True
        thread.join()


@dataclass
class User:
    """One user's login, with which to call."""

    gateway: OdooGateway
    credentials: Credentials
    session: Session
    made: list[tuple[str, int]] = field(default_factory=list)

    @classmethod
    async def log_in(cls, gateway: OdooGateway, credentials: Credentials) -> Self:
        """Log in."""
        return cls(gateway, credentials, await gateway.authenticate(credentials))

    async def call(
        self,
        model: str,
        method: str,
        *args: Any,
        context: Context = Context(),
        **kwargs: Any,
    ) -> Any:
        """Run a method."""
        call = Call(model, method, args, kwargs, context)
        return await self.gateway.execute(self.session, call)

    async def make(self, model: str, **values: Any) -> int:
        """Create a record that goes away with the test."""
        record_id = await self.call(model, "create", values)
        self.made.append((model, record_id))
        return record_id

    async def value(self, model: str, record_id: int, name: str) -> Any:
        """Answer one field of one record."""
        records = await self.call(model, "read", [record_id], [name])
        return records[0][name]


@dataclass(frozen=True)
class Odoo:
    """An Odoo to hold against the contract.

    Attributes:
        wire: ``memory``, ``xmlrpc``, ``jsonrpc``, ``web`` or ``json2``.
        gateway: The way to it.
        admin: Somebody who may do everything.
        demo: A salesman without Settings rights.
        admin_uid: The administrator's id.
        says: The version that it answers.
        edition: How it answers everything else. Over ``json2`` the Odoo in memory
            plays an Odoo 19, and behind the wire it is what it is.
        mark: Letters that no other record of it has.
    """

    wire: str
    gateway: OdooGateway
    admin: User
    demo: User
    admin_uid: int
    says: int
    edition: Edition
    mark: str = field(default_factory=lambda: f"zz{uuid4().hex[:10]}")

    @property
    def database(self) -> str:
        """The database's name."""
        return self.admin.credentials.database


@pytest.fixture(params=["memory", *WIRES])
async def odoo(
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
    demo_gateway: MemoryGateway,
    server: Server,
) -> AsyncIterator[Odoo]:
    """An Odoo in memory with demo data, over each gateway."""
    wire: str = request.param
    says = 19 if wire == "json2" else 18
    record_property(CONTRACT, (wire, f"in memory, as Odoo {says}.0"))
    async with OdooHttp(server.address) as http:
        gateway: OdooGateway = demo_gateway
        if wire != "memory":
            keys = {login: login for login in LOGINS} if wire == "json2" else None
            server.board.app = wire_app(demo_gateway, json2_keys=keys)
            gateway = WIRES[wire](http)
        admin, demo = [
            await User.log_in(gateway, Credentials("demo", login, login))
            for login in LOGINS
        ]
        yield Odoo(wire, gateway, admin, demo, 2, says, EIGHTEEN)


async def tidy(odoo: Odoo) -> None:
    """Delete what a case left on a real Odoo, the newest first."""
    for model, record_id in reversed(odoo.admin.made + odoo.demo.made):
        try:
            if model == "sale.order":
                await odoo.admin.call(model, "write", [record_id], {"state": "cancel"})
            contact = model == "res.users" and await odoo.admin.value(
                model, record_id, "partner_id"
            )
            await odoo.admin.call(model, "unlink", [record_id])
            if contact:
                await odoo.admin.call("res.partner", "unlink", contact[:1])
        except GatewayError:  # other records need it by now
            with suppress(GatewayError):
                await odoo.admin.call(model, "action_archive", [record_id])
