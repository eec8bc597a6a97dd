"""Random faults at every door in front of a real Odoo."""

import asyncio
import secrets
import sys
from pathlib import Path

import pytest

from odooport import Credentials
from odooport_adapters import JsonRpcGateway, OdooHttp
from tests.faults.campaign import Behind, campaign, chosen, report

from .odoo_server import OdooServer

SEED = 20_260_319
CALL_SECONDS = 4.0
"""Seconds for one call: less, and a busy Odoo does what its caller has given up."""

DEADLINE = 25.0

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="open files are counted in /proc"
)


@pytest.mark.parametrize(
    "count", [100, pytest.param(1000, marks=pytest.mark.long)], ids=str
)
async def test_no_fault_makes_a_write_happen_twice_or_an_answer_wrong(
    odoo_server: OdooServer, count: int, tmp_path: Path
) -> None:
    admin = odoo_server.admin
    prefix = f"Odooport-{secrets.token_hex(4)}-"
    async with OdooHttp(odoo_server.url) as http:
        gateway = JsonRpcGateway(http)
        session = await gateway.authenticate(
            Credentials(odoo_server.database, admin.login, admin.api_key)
        )
        odoo = Behind(
            odoo_server.url,
            odoo_server.database,
            admin.login,
            admin.api_key,
            gateway,
            session,
        )
        try:
            failed = await campaign(
                odoo,
                chosen(SEED, count),
                tmp_path,
                prefix=prefix,
                call_seconds=CALL_SECONDS,
                deadline=DEADLINE,
            )
        finally:
            async with asyncio.timeout(60):
                left = await odoo.run("search", [["name", "=like", f"{prefix}%"]])
                await odoo.run("unlink", left)
    assert not failed, f"\n{report(SEED, failed, 'integration')}"
