"""Random faults at every door: nothing is written twice, and nobody is told wrong."""

import sys
from pathlib import Path

import pytest

from odooport import Credentials

from .campaign import Behind, campaign, chosen, report
from .world import (
    DATABASE,
    PASSWORD,
    MovableClock,
    SwappableOdoo,
    odoo_in_memory,
)

SEED = 20_260_318

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="open files are counted in /proc"
)


@pytest.mark.parametrize(
    "count", [100, pytest.param(1000, marks=pytest.mark.long)], ids=str
)
async def test_no_fault_makes_a_write_happen_twice_or_an_answer_wrong(
    count: int, tmp_path: Path
) -> None:
    gateway = await odoo_in_memory(MovableClock())
    session = await gateway.authenticate(Credentials(DATABASE, "admin", PASSWORD))
    server = SwappableOdoo(gateway)
    async with server.serving():
        odoo = Behind(server.address, DATABASE, "admin", PASSWORD, gateway, session)
        failed = await campaign(odoo, chosen(SEED, count), tmp_path, prefix="Case-")
    assert not failed, f"\n{report(SEED, failed, 'faults')}"
