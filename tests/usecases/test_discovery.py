"""What can be known of a model, and how rarely Odoo has to be asked for it."""

from typing import Any

import pytest

from odooport import (
    Call,
    Caller,
    Decision,
    Field,
    Gate,
    InvalidRequest,
    ModelSchema,
    Odoo,
    OdooDecides,
    OdooFailed,
    OdooKnowledge,
    Operation,
    Principal,
    SchemaChanged,
    Session,
    Unaudited,
    Unlimited,
)
from odooport.discovery import (
    Level,
    computed_to_create,
    named_alike,
    parents_of,
    required_to_create,
)
from odooport.signatures import operation_of
from odooport_adapters import MemoryGateway
from tests.usecases.conftest import ADMIN, CountingGateway


class Hand:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Customised(CountingGateway):
    """An Odoo to which somebody adds fields while we look."""

    def __init__(self, inner: MemoryGateway) -> None:
        super().__init__(inner)
        self.added: dict[str, dict[str, Any]] = {}

    async def execute(self, session: Session, call: Call) -> Any:
        answer = await super().execute(session, call)
        if call.method == "fields_get" and call.model == "res.partner":
            return answer | self.added
        return answer

    @property
    def asked(self) -> list[str]:
        """The methods that reached Odoo since the last look."""
        methods = [call.method for call in self.calls]
        self.calls.clear()
        return methods


COLOUR = {"type": "selection", "string": "Colour", "selection": [["red", "Red"]]}


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def customised(memory: MemoryGateway) -> Customised:
    return Customised(memory)


@pytest.fixture
def watched(customised: Customised, clock: Hand) -> Odoo:
    """Odoo over a gateway that can change, with a clock that can be moved."""
    gate = Gate(customised, OdooDecides(), Unlimited(), Unaudited(), clock=clock)
    principal = Principal("k1", "k1", "full", {"default": ADMIN})
    return Odoo(gate, Caller(principal, door="rest", request_id="r1"))


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["name"] for entry in entries]


async def test_a_brief_description_names_what_it_leaves_out(odoo: Odoo) -> None:
    told = await odoo.describe("res.partner")
    assert told.label == "Contact"
    assert "name" in names(told.fields)
    assert len(told.fields) + len(told.others) == told.total
    assert not set(names(told.fields)) & set(told.others)


async def test_a_description_to_read_says_what_a_search_cannot_do(odoo: Odoo) -> None:
    told = await odoo.describe("res.partner", level=Level.READ)
    fields = {entry["name"]: entry for entry in told.fields}
    assert fields.keys() == (await odoo.fields("res.partner")).fields.keys()
    assert "sortable" not in fields["name"]
    assert fields["category_id"]["sortable"] is False


async def test_a_description_to_create_begins_with_what_must_be_given(
    odoo: Odoo,
) -> None:
    told = await odoo.describe("sale.order", level=Level.CREATE)
    assert told.required is not None
    assert "partner_id" in told.required
    assert names(told.fields)[: len(told.required)] == told.required
    assert told.defaults is not None
    assert told.defaults["name"] == "New"
    assert "name" not in told.required


async def test_every_field_that_can_be_written_comes_with_an_example(
    odoo: Odoo,
) -> None:
    told = await odoo.describe("sale.order", level=Level.CREATE)
    assert all("example" in entry for entry in told.fields)
    assert "amount_total" in told.others


async def test_the_examples_are_values_that_a_create_takes(odoo: Odoo) -> None:
    told = await odoo.describe("res.partner", level=Level.CREATE)
    skipped = ("many2one", "one2many", "many2many", "reference")
    values = {
        entry["name"]: entry["example"]
        for entry in told.fields
        if entry["type"] not in skipped and entry["example"] is not None
    }
    (made,) = await odoo.create("res.partner", values | {"parent_id": None})
    (record,) = await odoo.read("res.partner", [made], fields=["name"])
    assert record["name"] == "Text"


async def test_one_field_comes_with_everything_that_is_known(odoo: Odoo) -> None:
    told = await odoo.describe("sale.order", fields=["state"])
    (state,) = told.fields
    assert (told.level, state["readonly"], state["stored"]) == (Level.FULL, True, True)
    assert state["selection"]["sale"] == "Sales Order"
    assert {"modules", "index", "copied", "on_delete"} <= state.keys()


async def test_what_only_administrators_see_is_null_for_others(demo: Odoo) -> None:
    told = await demo.describe("res.partner", fields=["name"])
    assert (told.modules, told.transient) == (None, None)
    assert told.fields[0]["modules"] is None
    assert (await demo.relations("res.partner")).incoming is None


async def test_an_unknown_field_to_describe_names_the_closest(odoo: Odoo) -> None:
    with pytest.raises(InvalidRequest, match="Did you mean 'country_id'"):
        await odoo.describe("res.partner", fields=["contry_id"])


async def test_defaults_that_odoo_cannot_tell_are_a_note(
    memory: MemoryGateway, odoo: Odoo
) -> None:
    def crash(*args: Any) -> None:
        raise OdooFailed("It crashed.")

    memory.on("crm.lead", "default_get", crash)
    told = await odoo.describe("crm.lead", level=Level.CREATE)
    assert told.defaults is None
    assert "the defaults of 'crm.lead'" in told.notes[0]


def required(name: str, **more: Any) -> Field:
    return Field(name, more.pop("type", "char"), required=True, **more)


PRODUCT = ModelSchema(
    "x.product",
    {
        field.name: field
        for field in [
            required("code"),
            required("total", depends=("code", "given")),
            required("email", related="partner_id.email"),
            required("sequence", type="integer"),
            required("line_ids", type="one2many", relation="x.line"),
            required("given"),
            required("template_id", type="many2one", relation="x.template"),
            required("name", related="template_id.name"),
            required("order_id", type="many2one", relation="x.order"),
            Field("state", "char", related="order_id.state"),
        ]
    },
)
TEMPLATE = ModelSchema("x.template", {"name": Field("name", "char")})
ORDER = ModelSchema(
    "x.order",
    {name: Field(name, "char") for name in ("state", "name", "code", "paid")},
)


async def related_schema(model: str) -> ModelSchema:
    return {"x.template": TEMPLATE, "x.order": ORDER}[model]


async def test_a_record_that_odoo_creates_along_need_not_be_given() -> None:
    assert await parents_of(PRODUCT, related_schema) == {"template_id"}


async def test_what_is_computed_or_defaulted_need_not_be_given() -> None:
    parents = await parents_of(PRODUCT, related_schema)
    defaults = {"given": "x"}
    needed = required_to_create(PRODUCT, defaults, parents)
    assert needed == ["code", "name", "order_id"]
    computed = computed_to_create(PRODUCT, defaults, parents)
    assert computed == {"total": ["code", "given"]}


async def test_the_description_to_create_tells_computed_fields_apart(
    odoo: Odoo,
) -> None:
    told = await odoo.describe("crm.lead", level=Level.CREATE)
    assert told.computed is not None
    assert "partner_id" in told.computed["name"]
    assert "name" not in (told.required or [])


async def test_defaults_are_asked_for_on_no_records_where_a_model_wants_that(
    memory: MemoryGateway, odoo: Odoo
) -> None:
    def on_records(*args: Any) -> dict[str, Any]:
        if len(args) < 2:
            raise OdooFailed("missing 1 required positional argument")
        return {"name": "Lead"}

    memory.on("crm.lead", "default_get", on_records)
    told = await odoo.describe("crm.lead", level=Level.CREATE)
    assert told.defaults == {"name": "Lead"}
    assert told.notes == []
    assert await odoo.default_get("crm.lead", ["name"]) == {"name": "Lead"}


@pytest.mark.parametrize(
    ("words", "likeliest"),
    [
        ("invoice", "account.move"),
        ("customers", "res.partner"),
        ("sale order", "sale.order"),
        ("Quotation", "sale.order"),
        ("res.partner", "res.partner"),
        ("contact", "res.partner"),
    ],
)
def test_models_are_found_by_what_people_call_them(words: str, likeliest: str) -> None:
    models = {
        "account.invoice.report": "Invoices Statistics",
        "account.move": "Journal Entry",
        "quotation.document": "Quotation's Headers",
        "res.partner": "Contact",
        "res.partner.bank": "Bank Accounts",
        "sale.order": "Sales Order",
        "sale.order.line": "Sales Order Line",
    }
    assert named_alike(words, models)[0] == likeliest
    assert named_alike("submarine", models) == []


async def test_a_warm_description_asks_nobody(
    watched: Odoo, customised: Customised
) -> None:
    for level in Level:
        await watched.describe("res.partner", level=level)
    await watched.describe("res.partner", fields=["name"])
    assert customised.asked != []
    for level in Level:
        await watched.describe("res.partner", level=level)
    await watched.describe("res.partner", fields=["name"])
    assert customised.asked == []


async def test_a_description_can_be_asked_for_anew(
    watched: Odoo, customised: Customised, clock: Hand
) -> None:
    await watched.describe("res.partner")
    customised.added["x_colour"] = COLOUR
    clock.now = 1.0
    assert "x_colour" not in (await watched.describe("res.partner")).others
    told = await watched.describe("res.partner", refresh=True)
    assert "x_colour" in told.others


async def test_an_unknown_field_is_looked_up_once_more(
    watched: Odoo, customised: Customised, clock: Hand
) -> None:
    await watched.fields("res.partner")
    customised.added["x_colour"] = COLOUR
    clock.now = 6.0
    with pytest.raises(InvalidRequest, match="'blue' is not a value"):
        await watched.write("res.partner", [1], {"x_colour": "blue"})


async def test_a_field_behind_a_path_is_looked_up_once_more_too(
    watched: Odoo, customised: Customised, clock: Hand
) -> None:
    domain = [["partner_id.x_colour", "=", "red"]]
    with pytest.raises(InvalidRequest, match="has no field 'x_colour'"):
        await watched.search("sale.order", domain)
    customised.added["x_colour"] = COLOUR
    clock.now = 6.0
    with pytest.raises(OdooFailed):  # the memory below does not have the field
        await watched.search("sale.order", domain)


async def test_wrong_requests_in_a_row_do_not_ask_for_the_fields_each_time(
    watched: Odoo, customised: Customised
) -> None:
    for _ in range(3):
        with pytest.raises(InvalidRequest):
            await watched.read("res.partner", [1], fields=["nope"])
    assert customised.asked == ["fields_get"]


async def test_relations_can_be_asked_for_on_the_way_to_a_model(odoo: Odoo) -> None:
    graph = await odoo.relations("sale.order", depth=2, to="res.country")
    ways = {(it.model, it.field) for it in graph.relations}
    assert {("sale.order", "partner_id"), ("res.partner", "country_id")} <= ways
    assert ("sale.order", "order_line") not in ways
    with pytest.raises(InvalidRequest, match=r"no model 'res\.contry'"):
        await odoo.relations("sale.order", to="res.contry")


async def test_a_method_that_the_role_may_not_call_is_not_callable(
    memory: MemoryGateway,
) -> None:
    class Reads(OdooDecides):
        async def authorize(
            self, principal: Principal, call: Call, odoo: OdooKnowledge
        ) -> Decision:
            reads = operation_of(call) is Operation.READ
            return Decision(reads, "You may read only.", "reads", call)

    gate = Gate(memory, Reads(), Unlimited(), Unaudited())
    principal = Principal("k1", "k1", "reader", {"default": ADMIN})
    odoo = Odoo(gate, Caller(principal, door="rest", request_id="r1"))
    (order,) = await odoo.search("sale.order", limit=1)
    actions = {it.name: it for it in await odoo.actions("sale.order", order)}
    assert actions["action_cancel"].callable is False
    assert actions["action_cancel"].reason == "You may read only."


async def test_a_read_is_done_again_if_odoo_failed_on_a_field_that_is_gone(
    watched: Odoo, customised: Customised, memory: MemoryGateway, clock: Hand
) -> None:
    customised.added["x_colour"] = {"type": "char", "store": True}
    await watched.fields("res.partner")
    customised.added.clear()
    (found,) = await watched.read("res.partner", [1])
    assert found["id"] == 1


async def test_relations_lead_out_of_a_model_and_on(odoo: Odoo) -> None:
    near = await odoo.relations("sale.order")
    far = await odoo.relations("sale.order", depth=2)
    ways = {(it.model, it.field): it for it in far.relations}
    assert ways["sale.order", "order_line"].inverse == "order_id"
    assert ways["sale.order.line", "product_id"].to == "product.product"
    assert {it.model for it in near.relations} == {"sale.order"}
    assert far.complete


@pytest.mark.parametrize("depth", [0, 4, True, "2"])
async def test_relations_are_followed_one_to_three_steps(
    odoo: Odoo, depth: Any
) -> None:
    with pytest.raises(InvalidRequest, match="from 1 to 3, such as 2"):
        await odoo.relations("sale.order", depth=depth)


async def test_a_pinned_schema_that_still_fits_is_answered(odoo: Odoo) -> None:
    known = await odoo.fields("res.partner")
    assert await odoo.expect("res.partner", known.fingerprint) is known


async def test_a_pinned_schema_that_does_not_fit_is_an_error_with_the_new_one(
    watched: Odoo, customised: Customised, clock: Hand
) -> None:
    old = await watched.fields("res.partner")
    customised.added["x_colour"] = COLOUR
    clock.now = 301.0
    new = await watched.fields("res.partner")
    with pytest.raises(SchemaChanged, match="Describe the model again") as caught:
        await watched.expect("res.partner", old.fingerprint)
    assert caught.value.fingerprint == new.fingerprint


async def test_a_client_that_knows_more_than_the_cache_is_right(
    watched: Odoo, customised: Customised, clock: Hand
) -> None:
    await watched.fields("res.partner")
    customised.added["x_colour"] = COLOUR
    clock.now = 301.0
    new = (await watched.fields("res.partner")).fingerprint
    customised.added.clear()
    clock.now = 602.0
    await watched.fields("res.partner")
    customised.added["x_colour"] = COLOUR
    clock.now = 608.0
    assert (await watched.expect("res.partner", new)).fingerprint == new


async def test_a_fingerprint_does_not_depend_on_labels_or_order() -> None:
    ours = (("a", "Apple"), ("b", "Pear"))
    theirs = (("b", "Poire"), ("a", "Pomme"))
    one = Field("name", "char", label="Name", selection=ours)
    two = Field("name", "char", label="Nom", help="…", selection=theirs)
    other = Field("age", "integer")
    first = ModelSchema("m", {"name": one, "age": other})
    second = ModelSchema("m", {"age": other, "name": two})
    assert first.fingerprint == second.fingerprint
    assert first.digest != second.digest


@pytest.mark.parametrize(
    "changed",
    [
        Field("name", "text"),
        Field("name", "char", required=True),
        Field("name", "char", size=10),
        Field("name", "char", selection=(("a", "A"),)),
        Field("name", "char", relation="res.partner"),
        Field("name", "char", stored=False),
    ],
)
async def test_a_fingerprint_tells_what_programs_depend_on(changed: Field) -> None:
    plain = ModelSchema("m", {"name": Field("name", "char")})
    assert ModelSchema("m", {"name": changed}).fingerprint != plain.fingerprint
