"""The buttons of a record, and what a form fills in."""

from typing import Any

import pytest

from odooport import (
    InvalidRequest,
    Odoo,
    OdooFailed,
    OdooRefused,
    RecordMissing,
)
from odooport.errors import GatewayProtocolError
from odooport.views import OnchangeWarning
from odooport_adapters import MemoryGateway
from tests.usecases.conftest import CountingGateway

type Names = dict[str, bool | None]


def form(inside: str) -> Any:
    return {"views": {"form": {"arch": f"<form>{inside}</form>"}}}


async def order(odoo: Odoo, state: str) -> int:
    (partner,) = await odoo.search("res.partner", limit=1)
    (made,) = await odoo.create("sale.order", {"partner_id": partner})
    await odoo.write("sale.order", [made], {"state": state})
    return made


async def availability(odoo: Odoo, model: str, record_id: int) -> Names:
    found = await odoo.actions(model, record_id)
    return {action.name: action.available for action in found}


# Actions


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("draft", {"action_confirm": True, "action_draft": False}),
        ("sale", {"action_confirm": False, "action_cancel": True}),
        ("cancel", {"action_cancel": False, "action_draft": True}),
    ],
)
async def test_the_actions_of_an_order_follow_its_state(
    odoo: Odoo, state: str, expected: Names
) -> None:
    found = await availability(odoo, "sale.order", await order(odoo, state))
    assert {name: found[name] for name in expected} == expected


async def test_only_the_fields_of_conditions_are_read(
    odoo: Odoo, memory: MemoryGateway, gateway: CountingGateway
) -> None:
    arch = form("""<field name="name"/><button name="x" type="object"
        invisible="country_id != 20 or user_id == uid or id == 0"/>""")
    memory.on("res.partner", "get_views", lambda *_: arch)
    (partner,) = await odoo.create("res.partner", {"name": "Z", "country_id": 20})
    assert await availability(odoo, "res.partner", partner) == {"x": True}
    read = next(call for call in gateway.calls if call.method == "read")
    assert read.kwargs["fields"] == ["country_id", "user_id", "display_name"]


async def test_a_condition_on_what_the_user_cannot_read_is_unknown(
    demo: Odoo, memory: MemoryGateway
) -> None:
    arch = form("""<button name="x" type="object" invisible="secret"/>
        <button name="y" type="object" invisible="secret or name"/>
        <button name="z" type="object" invisible="image_1920"/>""")
    memory.on("res.partner", "get_views", lambda *_: arch)
    (partner,) = await demo.search("res.partner", limit=1)
    found = await availability(demo, "res.partner", partner)
    assert found == {"x": None, "y": False, "z": None}


@pytest.mark.parametrize("inside", ["", '<button name="x" type="object"/>'])
async def test_the_actions_of_a_missing_record_are_an_error(
    odoo: Odoo, memory: MemoryGateway, inside: str
) -> None:
    memory.on("res.partner", "get_views", lambda *_: form(inside))
    with pytest.raises(RecordMissing) as caught:
        await odoo.actions("res.partner", 999_999)
    assert caught.value.ids == (999_999,)


async def test_a_form_that_cannot_be_had_is_an_error_and_not_an_empty_list(
    odoo: Odoo, memory: MemoryGateway
) -> None:
    (partner,) = await odoo.search("res.partner", limit=1)
    memory.on("res.partner", "get_views", lambda *_: {"views": {}})
    with pytest.raises(GatewayProtocolError):
        await odoo.actions("res.partner", partner)


async def test_the_form_is_asked_for_once(odoo: Odoo, gateway: CountingGateway) -> None:
    made = await order(odoo, "draft")
    gateway.calls.clear()
    await odoo.actions("sale.order", made)
    await odoo.actions("sale.order", made)
    assert gateway.called == ["get_views", "read", "read"]


# What a form fills in


async def test_a_chosen_customer_fills_in_the_order(odoo: Odoo) -> None:
    (partner,) = await odoo.search("res.partner", [["is_company", "=", True]], limit=1)
    filled = await odoo.onchange("sale.order", {"partner_id": partner})
    assert filled.values["partner_invoice_id"]["id"] == partner
    assert filled.warnings == ()


async def test_a_customer_may_be_given_by_name(odoo: Odoo) -> None:
    (partner,) = await odoo.create("res.partner", {"name": "Quite Unique Ltd"})
    filled = await odoo.onchange("sale.order", {"partner_id": "Quite Unique Ltd"})
    assert filled.values["partner_invoice_id"]["id"] == partner


async def test_an_empty_form_holds_clean_defaults(odoo: Odoo) -> None:
    filled = await odoo.onchange("sale.order", {})
    assert filled.values["state"] == "draft"
    assert filled.values["partner_id"] is None
    assert filled.values["company_id"].keys() == {"id", "name"}
    assert filled.values["date_order"].endswith("Z")


async def test_a_line_is_filled_in_with_its_order_inside(odoo: Odoo) -> None:
    (partner,) = await odoo.search("res.partner", limit=1)
    (product,) = await odoo.search("product.product", limit=1)
    filled = await odoo.onchange(
        "sale.order.line",
        {"product_id": product, "order_id": {"partner_id": partner}},
    )
    assert {"name", "price_unit", "product_uom"} <= filled.values.keys()


async def test_nothing_is_saved(odoo: Odoo) -> None:
    before = await odoo.count("sale.order")
    made = await order(odoo, "draft")
    await odoo.onchange("sale.order", {"client_order_ref": "X"}, record_id=made)
    (row,) = await odoo.read("sale.order", [made], fields=["client_order_ref"])
    assert row["client_order_ref"] is None
    assert await odoo.count("sale.order") == before + 1


class Recorder:
    """Answers ``onchange`` with what it is given, and keeps what was asked."""

    def __init__(self, memory: MemoryGateway, model: str, answer: Any) -> None:
        self.asked: tuple[Any, ...] = ()
        self.answer = answer
        memory.on(model, "onchange", self.take)

    def take(self, *asked: Any) -> Any:
        self.asked = asked
        return self.answer


FORM = """<field name="name"/><field name="partner_id"/><field name="state"/>
<field name="order_line"><list><field name="product_id"/><field name="price_unit"/>
<field name="nowhere"/></list></field><field name="nowhere"/>"""


@pytest.fixture
def recorder(memory: MemoryGateway) -> Recorder:
    memory.on("sale.order", "get_views", lambda *_: form(FORM))
    return Recorder(memory, "sale.order", {})


async def test_odoo_is_asked_for_the_fields_of_the_form(
    odoo: Odoo, recorder: Recorder
) -> None:
    await odoo.onchange("sale.order", {"client_order_ref": "A"})
    ids, values, changed, spec = recorder.asked
    assert (ids, values, changed) == (
        [],
        {"client_order_ref": "A"},
        ["client_order_ref"],
    )
    assert spec == {
        "name": {},
        "partner_id": {"fields": {"display_name": {}}},
        "state": {},
        "order_line": {
            "fields": {
                "product_id": {"fields": {"display_name": {}}},
                "price_unit": {},
            }
        },
        "client_order_ref": {},
    }


async def test_changes_to_lines_come_in_words(odoo: Odoo, recorder: Recorder) -> None:
    desk = {"id": 3, "display_name": "Desk"}
    recorder.answer = {
        "value": {
            "order_line": [
                [0, 0, {"product_id": desk, "price_unit": 10.000000001}],
                [1, 5, {"price_unit": 2.0}],
                [1, "virtual_1", {"product_id": False}],
                [2, "virtual_0", 0],
                [2, 6, 0],
                [3, 7, 0],
                [4, 8, {"id": 8, "price_unit": 1.0}],
            ],
        }
    }
    (product,) = await odoo.search("product.product", limit=1)
    lines = [[0, 0, {"product_id": product}], [4, 8, 0], [0, 0, {"name": "Note"}]]
    filled = await odoo.onchange("sale.order", {"order_line": lines})
    sent = recorder.asked[1]["order_line"]
    assert [command[1] for command in sent] == ["virtual_0", 8, "virtual_1"]
    assert filled.values["order_line"] == {
        "create": [
            {"name": "Note", "product_id": None},
            {"product_id": {"id": 3, "name": "Desk"}, "price_unit": 10.0},
        ],
        "update": [{"id": 5, "price_unit": 2.0}],
        "delete": [6],
        "remove": [7],
        "add": [8],
    }


async def test_what_a_form_fills_in_can_be_sent_to_a_create(odoo: Odoo) -> None:
    partner, *_ = await odoo.search("res.partner", limit=1)
    product, *_ = await odoo.search("product.product", limit=1)
    typed = {
        "partner_id": partner,
        "order_line": {"create": [{"product_id": product}, {"product_id": product}]},
    }
    filled = await odoo.onchange("sale.order", typed)
    assert filled.derived["amount_untaxed"] > 0
    assert "amount_untaxed" not in filled.values
    (made,) = await odoo.create("sale.order", typed | filled.values)
    names = ["order_line", "amount_untaxed"]
    (order,) = await odoo.read("sale.order", [made], fields=names)
    assert len(order["order_line"]) == 2
    assert order["amount_untaxed"] == filled.derived["amount_untaxed"]


async def test_lines_may_be_emptied_and_set(odoo: Odoo, recorder: Recorder) -> None:
    recorder.answer = {"value": {"order_line": [[5, 0, 0], [6, 0, [1, 2]]]}}
    filled = await odoo.onchange("sale.order", {})
    assert filled.values["order_line"] == {"set": [1, 2]}


async def test_warnings_come_along(odoo: Odoo, recorder: Recorder) -> None:
    warning = {"title": "Careful", "message": "No credit.", "type": "dialog"}
    recorder.answer = {"value": {}, "warning": warning}
    filled = await odoo.onchange("sale.order", {"client_order_ref": "A"})
    assert filled.values == {}
    assert filled.warnings == (OnchangeWarning("Careful", "No credit.", "dialog"),)


@pytest.mark.parametrize(
    "answer",
    [None, [], {"value": 3}, {"warning": "x"}, {"value": {"order_line": [[9, 9]]}}],
)
async def test_an_odd_answer_is_an_error(
    odoo: Odoo, recorder: Recorder, answer: Any
) -> None:
    recorder.answer = answer
    with pytest.raises(GatewayProtocolError):
        await odoo.onchange("sale.order", {})


async def test_a_form_may_leave_required_fields_empty(
    odoo: Odoo, recorder: Recorder
) -> None:
    values = {"partner_id": None, "name": "", "locked": None}
    await odoo.onchange("sale.order", values, changed=["partner_id"])
    sent = {"partner_id": False, "name": False, "locked": False}
    assert recorder.asked[1:3] == (sent, ["partner_id"])


async def test_the_order_of_a_line_is_no_change(
    odoo: Odoo, memory: MemoryGateway
) -> None:
    recorder = Recorder(memory, "sale.order.line", {})
    parent = {"id": 3, "partner_id": [15, "Azure"], "name": "S3"}
    await odoo.onchange("sale.order.line", {"order_id": parent, "name": "A"})
    _, values, changed, _ = recorder.asked
    assert values["order_id"] == {"id": 3, "partner_id": 15, "name": "S3"}
    assert changed == ["name"]


async def test_everything_wrong_is_said_at_once_and_nothing_is_sent(
    odoo: Odoo, recorder: Recorder
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await odoo.onchange(
            "sale.order",
            {
                "nothing": 1,
                "state": "lost",
                "partner_id": {"name": "X", "is_company": "yes"},
            },
            changed=["nowhere", "name"],
        )
    assert [problem.pointer for problem in caught.value.problems] == [
        "/values/nothing",
        "/values/state",
        "/values/partner_id/is_company",
        "/changed/0",
        "/changed/1",
    ]
    assert recorder.asked == ()


@pytest.mark.parametrize("changed", [None, []])
async def test_the_form_of_a_record_cannot_be_opened_empty(
    odoo: Odoo, changed: list[str] | None
) -> None:
    values = {} if changed is None else {"name": "A"}
    with pytest.raises(InvalidRequest, match="say which values change"):
        await odoo.onchange("res.partner", values, changed=changed, record_id=1)


@pytest.mark.parametrize("refused", [False, True])
async def test_the_form_of_a_missing_record_is_an_error(
    odoo: Odoo, memory: MemoryGateway, refused: bool
) -> None:
    def refuse(*_: Any) -> Any:
        raise OdooRefused("XML-RPC has one code for both.")

    if refused:
        memory.on("res.partner", "onchange", refuse)
    with pytest.raises(RecordMissing) as caught:
        await odoo.onchange("res.partner", {"name": "A"}, record_id=999_999)
    assert caught.value.ids == (999_999,)


async def test_heavy_fields_of_the_form_are_left_out(
    odoo: Odoo, memory: MemoryGateway
) -> None:
    shown = form('<field name="name"/><field name="image_1920"/>')
    memory.on("res.partner", "get_views", lambda *_: shown)
    recorder = Recorder(memory, "res.partner", {})
    await odoo.onchange("res.partner", {})
    assert recorder.asked[3] == {"name": {}}


async def test_what_odoo_says_of_a_failure_stays_a_failure(
    odoo: Odoo, memory: MemoryGateway
) -> None:
    def fail(*_: Any) -> Any:
        raise OdooFailed("It crashed.")

    memory.on("res.partner", "onchange", fail)
    with pytest.raises(OdooFailed):
        await odoo.onchange("res.partner", {})
