"""What every gateway promises, held against each that reaches a real Odoo."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from odooport.model import Credentials, Session
from odooport.ports import OdooGateway
from odooport_adapters.http import OdooHttp
from tests.conftest import CONTRACT
from tests.contract.conftest import WIRES, Odoo, User, tidy
from tests.contract.editions import edition_of
from tests.contract.test_gateway_contract import *  # noqa: F403  the cases themselves
from tests.contract.test_knowing_contract import *  # noqa: F403
from tests.contract.test_loading_contract import *  # noqa: F403

from .odoo_server import Account, OdooServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Connected:
    """A gateway to the real Odoo, with what has logged in through it."""

    wire: str
    gateway: OdooGateway
    sessions: dict[Credentials, Session] = field(default_factory=dict)

    async def user(self, database: str, account: Account) -> User:
        """Answer a user that is logged in; Odoo takes its time over each secret."""
        secret = account.password if self.wire == "web" else account.api_key
        credentials = Credentials(database, account.login, secret)
        if credentials not in self.sessions:
            self.sessions[credentials] = await self.gateway.authenticate(credentials)
        return User(self.gateway, credentials, self.sessions[credentials])


@pytest_asyncio.fixture(params=WIRES, scope="module", loop_scope="module")
async def connected(
    request: pytest.FixtureRequest, odoo_server: OdooServer
) -> AsyncIterator[Connected]:
    """One gateway for each wire."""
    wire: str = request.param
    async with OdooHttp(odoo_server.url) as http:
        yield Connected(wire, WIRES[wire](http))


@pytest_asyncio.fixture(loop_scope="module")
async def odoo(
    record_property: Callable[[str, object], None],
    odoo_server: OdooServer,
    connected: Connected,
) -> AsyncIterator[Odoo]:
    """The real Odoo, over each wire."""
    record_property(CONTRACT, (connected.wire, f"Odoo {odoo_server.version}"))
    if connected.wire == "json2" and not odoo_server.has_json2:
        pytest.skip(f"Odoo {odoo_server.version} has no JSON-2")
    opened = Odoo(
        connected.wire,
        connected.gateway,
        await connected.user(odoo_server.database, odoo_server.admin),
        await connected.user(odoo_server.database, odoo_server.seller),
        admin_uid=odoo_server.admin.uid,
        says=odoo_server.major,
        edition=edition_of(odoo_server.major),
    )
    yield opened
    await tidy(opened)
