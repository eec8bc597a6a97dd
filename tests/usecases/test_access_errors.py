"""An access error says which right is missing, and keeps Odoo's own words."""

from typing import Any

import pytest

from odooport import (
    Call,
    GatewayUnavailable,
    InvalidRequest,
    Odoo,
    OdooAccessError,
    Session,
)
from odooport_adapters import MemoryGateway

from .conftest import ADMIN, DEMO, CountingGateway

HAS_ACCESS = "has_access"


@pytest.fixture
def odoo(memory: MemoryGateway) -> Odoo:
    """Odoo for its administrator, whose calls are not counted."""
    return Odoo.connect(memory, ADMIN)


async def test_a_right_that_is_missing_is_named_with_its_groups(demo: Odoo):
    with pytest.raises(OdooAccessError) as refusal:
        await demo.write("res.company", [1], {"name": "Mine"})
    text = refusal.value.message
    assert text.startswith(
        "Your Odoo user does not have the right 'write' on 'res.company' at all. "
        "Odoo says: You are not allowed to modify"
    )
    assert "Administration/Access Rights" in text
    assert text.count("res.company") == 2


@pytest.mark.parametrize(
    ("use", "right"),
    [
        (lambda odoo: odoo.search_read("ir.config_parameter"), "'read'"),
        (lambda odoo: odoo.create("res.company", {"name": "Mine"}), "'create'"),
        (lambda odoo: odoo.unlink("res.company", [1]), "'unlink'"),
        (lambda odoo: odoo.call("res.users", "action_archive", [2]), "'write'"),
    ],
    ids=["read", "create", "unlink", "by-method"],
)
async def test_each_operation_is_called_by_its_name(demo: Odoo, use: Any, right: str):
    with pytest.raises(OdooAccessError, match=f"the right {right} on .* at all"):
        await use(demo)


async def test_a_rule_that_keeps_single_records_is_told_apart(demo: Odoo, odoo: Odoo):
    (lead,) = await odoo.create("crm.lead", {"name": "Hers", "user_id": 2})
    with pytest.raises(OdooAccessError) as refusal:
        await demo.read("crm.lead", [lead])
    assert "has the right 'read' on 'crm.lead', but not here" in refusal.value.message
    assert "top-secret" in refusal.value.message


async def test_a_write_is_never_sent_again(demo: Odoo, gateway: CountingGateway):
    with pytest.raises(OdooAccessError):
        await demo.write("res.company", [1], {"name": "Mine"})
    assert gateway.called == ["write", HAS_ACCESS]


async def test_a_method_that_is_not_known_is_only_named(
    demo: Odoo, gateway: CountingGateway
):
    with pytest.raises(OdooAccessError) as refusal:
        await demo.call("res.partner", "sudo", [1])
    assert refusal.value.message.startswith(
        "Odoo keeps your user from 'sudo' on 'res.partner'. Odoo says: Private"
    )
    assert gateway.called == ["sudo"]


class Silent(CountingGateway):
    """Does not answer questions for rights."""

    async def execute(self, session: Session, call: Call) -> Any:
        if call.method == HAS_ACCESS:
            raise GatewayUnavailable("Nobody is there.")
        return await super().execute(session, call)


async def test_an_unanswered_question_leaves_odoos_own_error(memory: MemoryGateway):
    demo = Odoo.connect(Silent(memory), DEMO)
    with pytest.raises(OdooAccessError, match=r"\AYou are not allowed to modify"):
        await demo.write("res.company", [1], {"name": "Mine"})


async def test_a_field_that_others_see_is_one_that_the_user_cannot_see(
    demo: Odoo, odoo: Odoo
):
    field = (await odoo.fields("res.partner")).field("signup_type")
    assert field.groups == ("base.group_erp_manager",)
    with pytest.raises(
        InvalidRequest, match=r"no field 'signup_type' that you can see"
    ):
        await demo.read("res.partner", [1], fields=["signup_type"])
