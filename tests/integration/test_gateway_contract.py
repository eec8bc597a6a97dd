"""What every gateway promises, held against each that reaches a real Odoo."""

from collections.abc import AsyncIterator, Callable

import pytest

from odooport.model import Credentials
from odooport_adapters.http import OdooHttp
from tests.conftest import CONTRACT
from tests.contract.conftest import WIRES, Odoo, User, tidy
from tests.contract.editions import edition_of
from tests.contract.test_gateway_contract import *  # noqa: F403  the cases themselves
from tests.contract.test_knowing_contract import *  # noqa: F403
from tests.contract.test_loading_contract import *  # noqa: F403

from .odoo_server import OdooServer


@pytest.fixture(params=WIRES)
async def odoo(
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
    odoo_server: OdooServer,
) -> AsyncIterator[Odoo]:
    """The real Odoo, over each wire."""
    wire: str = request.param
    record_property(CONTRACT, (wire, f"Odoo {odoo_server.version}"))
    if wire == "json2" and not odoo_server.has_json2:
        pytest.skip(f"Odoo {odoo_server.version} has no JSON-2")
    async with OdooHttp(odoo_server.url) as http:
        gateway = WIRES[wire](http)
        admin, seller = [
            await User.log_in(
                gateway,
                Credentials(
                    odoo_server.database,
                    account.login,
                    account.password if wire == "web" else account.api_key,
                ),
            )
            for account in (odoo_server.admin, odoo_server.seller)
        ]
        opened = Odoo(
            wire,
            gateway,
            admin,
            seller,
            admin_uid=odoo_server.admin.uid,
            says=odoo_server.major,
            edition=edition_of(odoo_server.major),
        )
        yield opened
        await tidy(opened)
