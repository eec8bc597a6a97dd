"""Which methods a model has: what the server tells, or what the catalogue knows."""

import re
from collections.abc import Sequence

import pytest

from odooport import (
    Call,
    GatewayUnavailable,
    InvalidRequest,
    Odoo,
    OdooFailed,
    OdooKnowledge,
    PermissionDenied,
    Session,
)
from odooport.catalogue import OWN_OPERATIONS, MethodInfo, matching
from odooport.gate import Gate, OdooDecides, Unaudited, Unlimited
from odooport.model import Caller, Decision, Principal
from odooport.ports import AuditEvent
from odooport_adapters import MemoryGateway

from .conftest import ADMIN, CountingGateway


class TellingGateway(CountingGateway):
    """Tells what it was given of every model, or raises it."""

    told: Sequence[MethodInfo] | Exception | None = None

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        if isinstance(self.told, Exception):
            raise self.told
        return self.told


@pytest.fixture
def gateway(memory: MemoryGateway) -> TellingGateway:
    return TellingGateway(memory)


def named(methods: Sequence[MethodInfo]) -> list[str]:
    return [method.name for method in methods]


async def test_an_odoo_that_tells_nothing_is_known_from_the_catalogue(odoo: Odoo):
    methods = await odoo.methods("sale.order")
    assert {"action_confirm", "message_post", "has_access"} <= set(named(methods))
    assert {method.source for method in methods} == {"catalogue"}


async def test_methods_come_sorted_by_name(odoo: Odoo):
    found = named(await odoo.methods("res.partner"))
    assert found == sorted(found)
    assert found == named(await odoo.methods("res.partner"))


async def test_a_query_finds_by_name_and_by_summary(odoo: Odoo):
    assert "action_confirm" in named(await odoo.methods("sale.order", query="CONFIRM"))
    by_summary = await odoo.methods("sale.order", query="pricelist")
    assert named(by_summary) == ["action_update_prices"]
    assert await odoo.methods("sale.order", query="no such thing") == []


async def test_a_model_without_an_active_field_cannot_be_archived(odoo: Odoo):
    assert "action_archive" not in named(await odoo.methods("sale.order.line"))
    assert "action_archive" in named(await odoo.methods("res.partner"))


async def test_what_the_server_tells_is_the_answer(odoo: Odoo, gateway: TellingGateway):
    gateway.told = [MethodInfo("res.partner", "x_own", source="server")]
    assert await odoo.methods("res.partner") == gateway.told


async def test_methods_with_an_operation_of_their_own_are_left_out(
    odoo: Odoo, gateway: TellingGateway
):
    assert not OWN_OPERATIONS.keys() & set(named(await odoo.methods("res.partner")))
    gateway.told = [
        MethodInfo("res.partner", name, source="server") for name in ("copy", "x_own")
    ]
    assert named(await odoo.methods("res.partner")) == ["x_own"]


@pytest.mark.parametrize("method", OWN_OPERATIONS)
async def test_a_method_with_an_operation_of_its_own_names_it_at_every_door(
    odoo: Odoo, gateway: TellingGateway, method: str
):
    with pytest.raises(InvalidRequest) as refused:
        await odoo.call("res.partner", method, [1])
    text = refused.value.message
    assert text.startswith(f"{method!r} has its own operation: ")
    *_, use_case = re.findall(r"Odoo\.(\w+) in Python", text)
    assert callable(getattr(Odoo, use_case))
    assert " over MCP, " in text
    assert " at REST, " in text
    assert gateway.called == []


async def test_a_method_of_records_without_any_is_not_sent(
    odoo: Odoo, gateway: TellingGateway
):
    for args in ([], ["x"], [{"a": 1}]):
        with pytest.raises(InvalidRequest, match=r"records: give their ids, such as"):
            await odoo.call("sale.order", "action_confirm", args=args)
    assert gateway.called == []


async def test_the_arguments_may_name_the_records_themselves(odoo: Odoo):
    assert await odoo.call("res.partner", "has_access", args=[[], "read"]) is True
    assert await odoo.call("res.partner", "exists", args=[1]) == [1]


async def test_a_method_that_does_not_exist_names_the_closest(
    odoo: Odoo, gateway: TellingGateway
):
    with pytest.raises(InvalidRequest, match=r"Did you mean 'action_confirm'"):
        await odoo.call("sale.order", "action_confrim", [1])
    gateway.told = [MethodInfo("sale.order", "x_approve", source="server")]
    with pytest.raises(InvalidRequest, match=r"Did you mean 'x_approve'\?"):
        await odoo.call("sale.order", "x_aprove", [1])


async def test_a_method_like_no_other_gets_no_suggestion(
    odoo: Odoo, gateway: TellingGateway
):
    gateway.told = GatewayUnavailable("Nothing listens.")
    with pytest.raises(InvalidRequest, match="does not exist") as refused:
        await odoo.call("sale.order", "qwrtzp", [1])
    assert "Did you mean" not in refused.value.message


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("confirm order", ["action_confirm"]),
        ("invoice shipment", ["action_post"]),
        ("to post the invoices", ["action_post"]),
        ("validate", ["action_confirm", "action_post"]),
        ("confirm nothing", []),
        ("", ["action_confirm", "action_post"]),
        ("!?", ["action_confirm", "action_post"]),
    ],
)
def test_a_query_is_matched_word_by_word(query: str, found: list[str]):
    methods = [
        MethodInfo("x", "action_confirm", summary="Confirm orders."),
        MethodInfo("x", "action_post", summary="Post entries."),
    ]
    assert named(matching(methods, query, "x.shipment")) == found


async def test_a_documentation_that_crashes_leaves_the_catalogue(
    odoo: Odoo, gateway: TellingGateway
):
    gateway.told = OdooFailed("Odoo failed on this call.", "docutils")
    assert "address_get" in named(await odoo.methods("res.partner"))


async def test_a_server_that_is_away_is_an_error(odoo: Odoo, gateway: TellingGateway):
    gateway.told = GatewayUnavailable("Nothing listens.")
    with pytest.raises(GatewayUnavailable):
        await odoo.methods("res.partner")


async def test_an_unknown_model_names_the_closest(odoo: Odoo):
    with pytest.raises(InvalidRequest, match=r"Did you mean 'res\.partner'"):
        await odoo.methods("res.partners")


async def test_the_odoo_in_memory_tells_what_it_can_do():
    methods = await Odoo.connect(MemoryGateway.demo(), ADMIN).methods("sale.order")
    found = {method.name: method for method in methods}
    assert found["action_confirm"].source == "server"
    assert found["action_confirm"].outside == ("mail",)
    assert found["message_post"].signature.startswith("message_post(")
    rights = found["check_access_rights"]
    assert [one.name for one in rights.parameters] == ["operation", "raise_exception"]
    assert not rights.on_records
    assert found["action_confirm"].module == "sale"
    assert "action_update_taxes" not in found


async def test_the_odoo_in_memory_has_every_method_that_it_tells(odoo: Odoo):
    memory = MemoryGateway.demo()
    session = await memory.authenticate(ADMIN)
    told = await memory.methods(session, "res.partner")
    assert told
    for method in told:
        # thirty arguments are too many for any of them, and it says so before it runs
        call = Call("res.partner", method.name, ([], *range(30)))
        with pytest.raises(OdooFailed) as failure:
            await memory.execute(session, call)
        assert "TypeError" in failure.value.debug
    assert await memory.methods(session, "no.model") is None


class Recording(Unaudited):
    """Remembers what was kept."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def record(self, event: AuditEvent) -> bool:
        self.events.append(event)
        return True


class NoPartners(OdooDecides):
    """Keeps partners from everybody."""

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        return Decision(call.model != "res.partner", "No partners.", "none", call)


async def test_the_policy_judges_it_like_a_question_for_the_fields(
    gateway: TellingGateway,
):
    audit = Recording()
    gate = Gate(gateway, NoPartners(), Unlimited(), audit)
    principal = Principal("p", "p", "reader", {"default": ADMIN})
    caller = Caller(principal, door="python", request_id="-")

    with pytest.raises(PermissionDenied, match="No partners"):
        await gate.methods(caller, "res.partner", instance="default")
    assert await gate.methods(caller, "res.country", instance="default") is None

    assert [(one.call.model, one.call.method, one.outcome) for one in audit.events] == [
        ("res.partner", "fields_get", "permission_denied"),
        ("res.country", "fields_get", "ok"),
    ]
