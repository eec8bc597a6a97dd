"""The containers put together what they say."""

from pathlib import Path

import pytest

from odooport import Caller, Odoo, PermissionDenied
from odooport_runtime.container import LocalContainer, shutdown
from odooport_runtime.settings import demo_settings


async def test_a_door_without_keys_needs_no_key_store(tmp_path: Path) -> None:
    container = LocalContainer(settings=demo_settings({}, state=tmp_path))
    caller = Caller(container.principal(), door="mcp-stdio", request_id="r")
    odoo = Odoo(container.gate(), caller)
    assert await odoo.count("res.partner") > 0
    with pytest.raises(PermissionDenied, match="ODOOPORT_ROLE is 'full'"):
        await odoo.unlink("res.partner", [1])
    await shutdown(container)
    assert not (tmp_path / "keys.db").exists()
