"""The Odoo in memory, where it is more than the contract of every gateway."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from odooport.errors import OdooFailed, OdooRefused
from odooport.model import Call, Command, Context, Credentials
from odooport.schema import ModelSchema
from odooport_adapters.memory import Behaviour, MemoryGateway, Method, Model

type Ask = Callable[..., Awaitable[Any]]

SHELF = Model.define(
    "x.shelf",
    {
        "name": {"type": "char", "required": True},
        "book_ids": {
            "type": "one2many",
            "relation": "x.book",
            "relation_field": "shelf_id",
        },
    },
)
BOOK = Model.define(
    "x.book",
    {
        "name": {"type": "char", "required": True},
        "pages": {"type": "integer"},
        "price": {"type": "float", "digits": [16, 2]},
        "shelf_id": {"type": "many2one", "relation": "x.shelf"},
        "kind": {"type": "selection", "selection": [["a", "A"], ["b", "B"]]},
    },
    label="Book",
    order="pages desc, id",
    access={"base.group_user": "r", "base.group_system": "rwcu"},
    behaviour=Behaviour(
        defaults={"kind": "a", "pages": lambda _env: 100},
        methods={"count_ids": Method(lambda _env, ids, more=0: len(ids) + more)},
    ),
)


async def asking(gateway: MemoryGateway, login: str = "admin") -> Ask:
    """Log in, and answer what calls methods."""
    session = await gateway.authenticate(Credentials("demo", login, login))

    async def ask(
        model: str, method: str, *args: Any, context: Context = Context(), **kwargs: Any
    ) -> Any:
        return await gateway.execute(
            session, Call(model, method, args, kwargs, context)
        )

    return ask


@pytest.fixture
async def ask(demo_gateway: MemoryGateway) -> Ask:
    return await asking(demo_gateway)


@pytest.fixture
async def library() -> Ask:
    return await asking(MemoryGateway(models=[SHELF, BOOK]))


# The company


async def test_the_demo_company_is_the_same_each_time(ask: Ask, demo_gateway):
    again = await asking(MemoryGateway.demo(clock=demo_gateway._clock))
    for model in ("res.partner", "sale.order", "crm.lead", "product.product"):
        fields = ["display_name", "create_date", "write_date"]
        first = await ask(model, "search_read", [], fields)
        assert first == await again(model, "search_read", [], fields)


async def test_the_demo_company_has_customers_leads_and_orders(ask: Ask):
    customers = [["is_company", "=", True], ["customer_rank", ">", 0]]
    assert await ask("res.partner", "search_count", customers) == 12
    assert await ask("res.partner", "search_count", [["parent_id", "in", True]]) > 24
    assert await ask("crm.lead", "search_count", []) == 15
    assert await ask("product.product", "search_count", []) == 10
    states = await ask("sale.order", "read_group", [], [], ["state"], lazy=False)
    assert {group["state"] for group in states} == {"draft", "sent", "sale", "cancel"}
    months = ["date_order:month"]
    by_month = await ask("sale.order", "read_group", [], [], months, lazy=False)
    assert len(by_month) > 2


async def test_every_record_of_every_model_can_be_read_whole(ask: Ask):
    models = await ask("ir.model", "search_read", [], ["model"])
    for model in (record["model"] for record in models):
        records = await ask(model, "search_read", [])
        fields = await ask(model, "fields_get")
        assert all(record.keys() == {"id", *fields} for record in records)


async def test_every_model_has_a_schema(ask: Ask):
    models = await ask("ir.model", "search_read", [], ["model"])
    for model in (record["model"] for record in models):
        fields = await ask(model, "fields_get")
        schema = ModelSchema.from_wire(model, fields)
        assert schema.field("id").type == "integer"


async def test_extra_partners_are_there_for_load_tests():
    ask = await asking(MemoryGateway.demo(extra_partners=300))
    extra = [["name", "=like", "Contact %"]]
    assert await ask("res.partner", "search_count", extra) == 300


async def test_a_bare_one_has_users_and_no_customers():
    ask = await asking(MemoryGateway())
    assert await ask("res.users", "search_count", []) == 2
    assert await ask("sale.order", "search_count", []) == 0


async def test_a_database_can_have_another_name():
    gateway = MemoryGateway(database="shop")
    session = await gateway.authenticate(Credentials("shop", "demo", "demo"))
    assert session.uid == 6


# Transactions and time


async def test_a_failed_call_leaves_nothing_behind(ask: Ask):
    before = await ask("res.partner", "search_read", [])
    lines = [Command.create({"name": "Kim"}), Command.delete(99_999_999)]
    with pytest.raises(Exception, match="does not exist"):
        await ask("res.partner", "write", [10], {"name": "x", "child_ids": lines})
    assert await ask("res.partner", "search_read", []) == before


async def test_an_id_that_was_rolled_back_is_not_given_again(ask: Ask):
    first = await ask("res.partner", "create", {"name": "Kim"})
    with pytest.raises(OdooFailed):
        await ask("res.partner", "create", [{"name": "Lee"}, {"type": "x"}])
    assert await ask("res.partner", "create", {"name": "Max"}) > first + 1


async def test_a_failed_delete_brings_back_whom_it_pointed_at(ask: Ask):
    company, shelved = 10, [["parent_id", "=", 10]]
    before = await ask("res.partner", "search", shelved)
    with pytest.raises(OdooRefused):  # it has orders
        await ask("res.partner", "unlink", [company])
    assert await ask("res.partner", "search", shelved) == before != []


async def test_moments_are_kept_finer_than_they_are_shown():
    ticks = iter(range(1000))
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    gateway = MemoryGateway(
        clock=lambda: start + timedelta(milliseconds=250 * next(ticks))
    )
    ask = await asking(gateway)
    one = await ask("res.partner", "create", {"name": "Kim"})
    (record,) = await ask("res.partner", "read", [one], ["write_date"])
    shown = record["write_date"]
    assert len(shown) == len("2026-01-01 12:00:00")
    same = [["id", "=", one], ["write_date", "=", shown]]
    later = [["id", "=", one], ["write_date", ">", shown]]
    assert await ask("res.partner", "search_count", same) == 0
    assert await ask("res.partner", "search_count", later) == 1


async def test_a_write_of_nothing_still_counts_as_a_write():
    moments = iter([datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in range(24)])
    ask = await asking(MemoryGateway(clock=lambda: next(moments)))
    one = await ask("res.partner", "create", {"name": "Kim"})
    (before,) = await ask("res.partner", "read", [one], ["write_date"])
    await ask("res.partner", "write", [one], {})
    (after,) = await ask("res.partner", "read", [one], ["write_date"])
    assert after["write_date"] > before["write_date"]


async def test_days_are_cut_in_the_time_zone_of_the_context(ask: Ask):
    late = {"partner_id": 10, "date_order": "2025-01-31 23:30:00"}
    order = await ask("sale.order", "create", late)
    found = await ask(
        "sale.order",
        "read_group",
        [["id", "=", order]],
        [],
        ["date_order:month"],
        lazy=False,
        context=Context(tz="Europe/Brussels"),
    )
    assert found[0]["date_order:month"] == "February 2025"
    assert found[0]["__range"]["date_order:month"] == {
        "from": "2025-01-31 23:00:00",
        "to": "2025-02-28 23:00:00",
    }


@pytest.mark.parametrize(
    ("granularity", "label", "begin", "end"),
    [
        ("hour", "11:00 31 Jan", "2025-01-31 23:00:00", "2025-02-01 00:00:00"),
        ("day", "31 Jan 2025", "2025-01-31 00:00:00", "2025-02-01 00:00:00"),
        ("week", "W5 2025", "2025-01-26 00:00:00", "2025-02-02 00:00:00"),
        ("month", "January 2025", "2025-01-01 00:00:00", "2025-02-01 00:00:00"),
        ("quarter", "Q1 2025", "2025-01-01 00:00:00", "2025-04-01 00:00:00"),
        ("year", "2025", "2025-01-01 00:00:00", "2026-01-01 00:00:00"),
    ],
)
async def test_a_granularity_has_its_label_and_range(
    ask: Ask, granularity: str, label: str, begin: str, end: str
):
    late = {"partner_id": 10, "date_order": "2025-01-31 23:30:00"}
    order = await ask("sale.order", "create", late)
    by = f"date_order:{granularity}"
    domain = [["id", "=", order]]
    (group,) = await ask("sale.order", "read_group", domain, [], [by], lazy=False)
    assert group[by] == label
    assert group["__range"] == {by: {"from": begin, "to": end}}


async def test_a_day_alone_in_a_domain_includes_the_whole_day(ask: Ask):
    late = {"partner_id": 10, "date_order": "2025-01-31 23:30:00"}
    await ask("sale.order", "create", late)

    async def count(*condition: Any) -> int:
        return await ask("sale.order", "search_count", [list(condition)])

    assert await count("date_order", "<=", "2025-01-31") == 1
    assert await count("date_order", "<", "2025-01-31") == 0
    assert await count("date_order", "<=", "2025-01-31T23:30:00-05:00") == 1


async def test_a_value_can_differ_by_company(ask: Ask, demo_gateway: MemoryGateway):
    (partner,) = demo_gateway.add("res.partner", {"name": "Second company"})
    (company,) = demo_gateway.add(
        "res.company", {"partner_id": partner, "currency_id": 1}
    )
    await ask("res.users", "write", [2], {"company_ids": [Command.link(company)]})
    there, here = Context(companies=(company,)), Context(companies=(1,))
    await ask("product.product", "write", [1], {"standard_price": 5}, context=there)
    for context, expected in (there, 5.0), (here, 410.0):
        fields = ["standard_price"]
        (found,) = await ask("product.product", "read", [1], fields, context=context)
        assert found["standard_price"] == expected


async def test_an_order_follows_what_was_written_since(ask: Ask):
    first, second = await ask("res.partner", "search", [], limit=2, order="name")
    assert await ask("res.partner", "write", [first], {"name": "ZZ last"})
    assert await ask("res.partner", "search", [], limit=1, order="name") == [second]


# Models and methods of one's own


async def test_a_model_of_ones_own_keeps_records(library: Ask):
    books = [
        Command.create({"name": "One", "pages": 20}),
        Command.create({"name": "B"}),
    ]
    shelf = await library("x.shelf", "create", {"name": "Top", "book_ids": books})
    found = await library("x.book", "search_read", [["shelf_id", "=", shelf]])
    assert [(book["name"], book["pages"], book["kind"]) for book in found] == [
        ("B", 100, "a"),
        ("One", 20, "a"),
    ]
    assert found[0]["shelf_id"] == [shelf, "Top"]
    assert found[0]["display_name"] == "B"


async def test_a_model_of_ones_own_has_methods_and_rights(library: Ask):
    assert await library("x.book", "count_ids", [1, 2], more=3) == 5
    demo = await asking(MemoryGateway(models=[SHELF, BOOK]), "demo")
    with pytest.raises(Exception, match="not allowed to create 'Book'"):
        await demo("x.book", "create", {"name": "x"})


async def test_deleting_a_target_empties_what_pointed_at_it(library: Ask):
    books = [Command.create({"name": "One"})]
    shelf = await library("x.shelf", "create", {"name": "Top", "book_ids": books})
    await library("x.shelf", "unlink", [shelf])
    (book,) = await library("x.book", "search_read", [], ["shelf_id"])
    assert book["shelf_id"] is False


async def test_floats_are_rounded_to_their_digits(library: Ask):
    book = await library("x.book", "create", {"name": "One", "price": 1.005001})
    (found,) = await library("x.book", "read", [book], ["price"])
    assert found["price"] == 1.01


async def test_a_handler_stands_in_for_a_method(ask: Ask, demo_gateway: MemoryGateway):
    demo_gateway.on("sale.order", "action_confirm", lambda ids, **_: {"ids": ids})
    assert await ask("sale.order", "action_confirm", [1, 2]) == {"ids": [1, 2]}


async def test_a_handler_may_raise(ask: Ask, demo_gateway: MemoryGateway):
    def refuse(*_: Any) -> None:
        raise OdooRefused("Not on a Sunday.")

    demo_gateway.on("sale.order", "action_confirm", refuse)
    with pytest.raises(OdooRefused, match="Sunday"):
        await ask("sale.order", "action_confirm", [1])


async def test_a_slow_handler_holds_up_nobody_else(
    ask: Ask, demo_gateway: MemoryGateway
):
    go_on = asyncio.Event()
    demo_gateway.on("res.partner", "wait", lambda: go_on.wait())
    slow = asyncio.create_task(ask("res.partner", "wait"))
    answers = [await ask("res.partner", "search", [], limit=1) for _ in range(50)]
    assert len(answers) == 50
    assert not slow.done()
    go_on.set()
    assert await slow is True


# Rules that real Odoos have


async def test_a_locked_order_keeps_its_lines(ask: Ask):
    (order,) = await ask("sale.order", "search", [["state", "=", "draft"]], limit=1)
    assert await ask("sale.order", "action_confirm", [order]) is True
    assert await ask("sale.order", "action_lock", [order]) is None
    (record,) = await ask("sale.order", "read", [order], ["order_line", "locked"])
    assert record["locked"] is True
    line = record["order_line"][:1]
    with pytest.raises(OdooRefused, match="locked order"):
        await ask("sale.order.line", "write", line, {"product_uom_qty": 1})
    with pytest.raises(OdooRefused, match="unlock"):
        await ask("sale.order", "action_cancel", [order])
    assert await ask("sale.order", "action_unlock", [order]) is None
    assert await ask("sale.order", "action_cancel", [order]) is True


async def test_a_line_of_a_confirmed_order_stays(ask: Ask):
    (order,) = await ask("sale.order", "search", [["state", "=", "sale"]], limit=1)
    (record,) = await ask("sale.order", "read", [order], ["order_line"])
    with pytest.raises(OdooRefused, match="can't remove"):
        await ask("sale.order.line", "unlink", record["order_line"])


async def test_copying_an_order_copies_its_lines(ask: Ask):
    (order,) = await ask("sale.order", "search", [["state", "=", "sale"]], limit=1)
    (copy,) = await ask("sale.order", "copy", [order])
    fields = ["state", "order_line", "amount_total", "name"]
    old, new = await ask("sale.order", "read", [order, copy], fields)
    assert new["state"] == "draft"
    assert new["name"] != old["name"]
    assert new["amount_total"] == old["amount_total"]
    assert len(new["order_line"]) == len(old["order_line"])
    assert not set(new["order_line"]) & set(old["order_line"])


async def test_contacts_have_the_address_of_their_company(ask: Ask):
    fields = ["city", "country_id"]
    contact = await ask("res.partner", "create", {"name": "Kim", "parent_id": 10})
    (record,) = await ask("res.partner", "read", [contact], fields)
    assert record["city"] == "Gent"
    await ask("res.partner", "write", [10], {"city": "Brugge"})
    (record,) = await ask("res.partner", "read", [contact], fields)
    assert record["city"] == "Brugge"
    await ask("res.partner", "write", [contact], {"city": "Luik"})
    (company,) = await ask("res.partner", "read", [10], fields)
    assert company["city"] == "Brugge"


async def test_quotations_go_with_their_customer(ask: Ask):
    partner = await ask("res.partner", "create", {"name": "Kim"})
    order = await ask("sale.order", "create", {"partner_id": partner})
    await ask("res.partner", "unlink", [partner])
    assert await ask("sale.order", "read", [order]) == []


async def test_the_contact_of_an_active_user_stays(ask: Ask):
    with pytest.raises(OdooRefused, match="linked to an active user"):
        await ask("res.partner", "unlink", [3])


async def test_a_login_is_unique(ask: Ask):
    with pytest.raises(OdooRefused, match="same login"):
        await ask("res.users", "create", {"name": "x", "login": "demo"})


async def test_users_may_change_their_own_settings_only(demo_gateway: MemoryGateway):
    ask = await asking(demo_gateway, "demo")
    assert await ask("res.users", "write", [6], {"tz": "Europe/Paris"}) is True
    assert (await ask("res.users", "context_get"))["tz"] == "Europe/Paris"
    for ids, values in ([2], {"tz": "Europe/Paris"}), ([6], {"groups_id": [[4, 2]]}):
        with pytest.raises(Exception, match="not allowed to modify"):
            await ask("res.users", "write", ids, values)


async def test_a_password_is_never_shown(ask: Ask):
    users = await ask("res.users", "search_read", [])
    assert {user["password"] for user in users} == {""}


async def test_tags_can_be_changed_from_the_other_side(ask: Ask):
    (tag,) = await ask("res.partner.category", "search", [], limit=1)
    await ask("res.partner.category", "write", [tag], {"partner_ids": [[6, 0, [1, 3]]]})
    tagged = await ask("res.partner", "search", [["category_id", "in", [tag]]])
    assert sorted(tagged) == [1, 3]


async def test_a_crash_names_its_exception_in_the_debug_text_only(ask: Ask):
    with pytest.raises(OdooFailed) as caught:
        await ask("res.partner", "search", [["name", "~~", "x"]])
    assert caught.value.debug.endswith("ValueError: Invalid leaf ('name', '~~', 'x')\n")
    assert "~~" not in caught.value.message


async def test_a_load_that_fails_leaves_no_external_id_behind(ask: Ask):
    before = await ask("ir.model.data", "search_count", [])
    rows = [["zz.one", "Kim", "Belgium"], ["zz.two", "Lee", "Nowhereland"]]
    answer = await ask("res.partner", "load", ["id", "name", "country_id"], rows)
    assert answer["ids"] is False
    assert await ask("ir.model.data", "search_count", []) == before


async def test_loading_stops_after_ten_errors(ask: Ask):
    answer = await ask("res.partner", "load", ["name"], [[""]] * 30)
    *errors, last = answer["messages"]
    assert len(errors) == 10
    assert last["type"] == "warning"
    assert "interrupted" in last["message"]


async def test_moments_are_loaded_and_exported_in_the_users_time_zone(ask: Ask):
    rows = [["Brasserie du Parc", "2026-07-02 10:00:00"]]
    loaded = await ask("sale.order", "load", ["partner_id", "date_order"], rows)
    (order,) = loaded["ids"]
    (record,) = await ask("sale.order", "read", [order], ["date_order"])
    assert record["date_order"] == "2026-07-02 08:00:00"
    for zone, shown in (None, "10"), ("UTC", "08"):
        answer = await ask(
            "sale.order",
            "export_data",
            [order],
            ["date_order"],
            context=Context(tz=zone),
        )
        assert answer["datas"] == [[f"2026-07-02 {shown}:00:00"]]


async def test_an_external_id_is_known_once(ask: Ask):
    taken = {"module": "base", "name": "be", "model": "res.partner", "res_id": 3}
    with pytest.raises(OdooRefused, match="same external ID"):
        await ask("ir.model.data", "create", taken)
    assert await ask("ir.model.data", "check_object_reference", "base", "be") == [
        "res.country",
        20,
    ]
    with pytest.raises(OdooFailed):
        await ask("ir.model.data", "check_object_reference", "base", "nope")


async def test_weeks_begin_on_the_day_of_the_language(ask: Ask):
    await ask("res.lang", "write", [2], {"active": True})
    lead = await ask("crm.lead", "create", {"name": "x", "date_deadline": "2026-01-04"})
    for lang, label in ("en_US", "W2 2026"), ("fr_FR", "W1 2026"):
        (group,) = await ask(
            "crm.lead",
            "read_group",
            [["id", "=", lead]],
            [],
            ["date_deadline:week"],
            lazy=False,
            context=Context(lang=lang),
        )
        assert group["date_deadline:week"] == label


# Fields and models of one's own


async def test_a_field_of_ones_own_is_manual_and_works_like_any_other():
    size = {"x_size": {"type": "char", "string": "Shoe size"}}
    ask = await asking(MemoryGateway(fields={"res.partner": size}))
    one = await ask("res.partner", "create", {"name": "Kim", "x_size": "42"})
    assert await ask("res.partner", "search", [["x_size", "=", "42"]]) == [one]
    told = await ask("res.partner", "fields_get", ["x_size", "ref"], ["manual"])
    assert told == {"x_size": {"manual": True}, "ref": {"manual": False}}
    domain = [["model", "=", "res.partner"], ["name", "=", "x_size"]]
    asked = ["state", "modules", "field_description"]
    (record,) = await ask("ir.model.fields", "search_read", domain, asked)
    assert (record["state"], record["modules"]) == ("manual", False)
    assert record["field_description"] == "Shoe size"


async def test_a_model_of_ones_own_tells_its_state():
    ask = await asking(MemoryGateway(models=[BOOK, Model.define("x_toy", {})]))
    domain = [["model", "in", ["x_toy", "x.book"]]]
    found = await ask("ir.model", "search_read", domain, ["model", "state"])
    assert {one["model"]: one["state"] for one in found} == {
        "x_toy": "manual",
        "x.book": "base",
    }


# Languages and forms


async def test_french_is_there_as_soon_as_it_is_active(ask: Ask):
    french = Context(lang="fr_FR")
    with pytest.raises(OdooRefused, match="fr_FR"):
        await ask("crm.stage", "search_read", [], ["name"], context=french)
    languages = await ask(
        "res.lang", "search", [["code", "=", "fr_FR"], ["active", "=", False]]
    )
    await ask("res.lang", "write", languages, {"active": True})
    found = await ask("crm.stage", "search_read", [], ["name"], context=french)
    names = [stage["name"] for stage in found]
    assert names == ["Nouveau", "Qualifié", "Proposition", "Gagné"]


async def test_a_form_has_only_the_buttons_and_rights_of_the_user(demo_gateway):
    for login, unlocks, deletes in ("admin", True, None), ("demo", False, "False"):
        ask = await asking(demo_gateway, login)
        told = await ask("sale.order", "get_views", [[False, "form"]])
        form = ET.fromstring(told["views"]["form"]["arch"])
        names = {button.get("name") for button in form.iter("button")}
        assert ("action_unlock" in names) is unlocks
        assert form.get("delete") == deletes


async def test_a_form_takes_no_numbers_away(ask: Ask):
    await ask("sale.order", "onchange", [], {}, [], {"name": {}})
    first = (await ask("res.partner", "search", [], limit=1))[0]
    one = await ask("sale.order", "create", {"partner_id": first})
    other = await ask("sale.order", "create", {"partner_id": first})
    assert other == one + 1


async def test_what_is_read_of_properties_can_be_changed_without_harm(ask: Ask):
    choice = {"name": "a", "type": "selection", "selection": [["x", "X"]]}
    team = await ask("crm.team", "create", {"name": "T"})
    field = "lead_properties_definition"
    await ask("crm.team", "write", [team], {field: [choice]})
    read = ("crm.team", "read", [team], [field])
    (await ask(*read))[0][field][0]["selection"].append(["y", "Y"])
    assert (await ask(*read))[0][field] == [choice]
