"""What "knowing an Odoo" needs: fields, languages, forms, properties, and the registry.

The cases use records that they create themselves, so that they also run against a real
Odoo with other data, which they do in ``tests/integration``.
"""

from typing import Any
from xml.etree import ElementTree as ET

import pytest

from odooport.errors import OdooAccessError, OdooFailed, OdooRefused
from odooport.model import Command, Context

from .conftest import Odoo
from .test_gateway_contract import MISSING, NOWHERE, country, order, partner

PARTNER, LEAD, TEAM, TAG = "res.partner", "crm.lead", "crm.team", "res.partner.category"
ENGLISH, FRENCH = Context(lang="en_US"), Context(lang="fr_FR")
NAMED: dict[str, Any] = {"fields": {"display_name": {}}}
PROPERTIES: list[dict[str, Any]] = [
    {"name": "p_whole", "type": "integer", "string": "Seats", "default": 7},
    {"name": "p_float", "type": "float", "string": "Size"},
    {"name": "p_char", "type": "char", "string": "Note"},
    {"name": "p_bool", "type": "boolean", "string": "Urgent"},
    {"name": "p_date", "type": "date", "string": "Visit"},
    {"name": "p_moment", "type": "datetime", "string": "Call"},
    {"name": "p_one", "type": "many2one", "string": "Agent", "comodel": PARTNER},
    {"name": "p_many", "type": "many2many", "string": "Guests", "comodel": PARTNER},
    {
        "name": "p_pick",
        "type": "selection",
        "string": "Colour",
        "selection": [["r", "Red"], ["b", "Blue"]],
    },
    {
        "name": "p_tags",
        "type": "tags",
        "string": "Marks",
        "tags": [["new", "New", 1], ["old", "Old", 2]],
    },
]


async def speak_french(odoo: Odoo) -> None:
    """Make French an active language; on a real Odoo it is one already."""
    languages = [["code", "=", "fr_FR"], ["active", "=", False]]
    if inactive := await odoo.admin.call("res.lang", "search", languages):
        await odoo.admin.call("res.lang", "write", inactive, {"active": True})


async def tag(odoo: Odoo, name: str = "Desk", *, context: Context = Context()) -> int:
    """Create a tag of this test's own, in a language."""
    values = {"name": f"{odoo.mark} {name}"}
    one: int = await odoo.admin.call(TAG, "create", values, context=context)
    odoo.admin.made.append((TAG, one))
    return one


async def texts(
    odoo: Odoo, record_id: int, model: str = TAG, field: str = "name"
) -> dict[str, Any]:
    """Answer a field's text by language, without this test's mark."""
    told, _ = await odoo.admin.call(
        model, "get_field_translations", [record_id], field, ["en_US", "fr_FR"]
    )
    return {
        one["lang"]: one["value"] and one["value"].removeprefix(f"{odoo.mark} ")
        for one in told
    }


async def fields(odoo: Odoo, model: str) -> dict[str, Any]:
    """Answer what a model's fields are like."""
    found: dict[str, Any] = await odoo.admin.call(model, "fields_get")
    return found


async def changes(
    odoo: Odoo, model: str, values: dict[str, Any], *touched: str, **spec: Any
) -> Any:
    """Answer what a form of a new record fills in."""
    answer = await odoo.admin.call(model, "onchange", [], values, list(touched), spec)
    return answer["value"]


async def lead_with_properties(odoo: Odoo, **values: Any) -> int:
    """Create a lead of a team that defines properties."""
    team = await odoo.admin.make(
        TEAM, name=odoo.mark, lead_properties_definition=PROPERTIES
    )
    return await odoo.admin.make(LEAD, name=odoo.mark, team_id=team, **values)


async def properties(odoo: Odoo, lead: int) -> dict[str, Any]:
    """Answer those of a lead's properties that come with a value, by their names."""
    told = await odoo.admin.value(LEAD, lead, "lead_properties")
    return {one["name"]: one["value"] for one in told if "value" in one}


def with_unset(odoo: Odoo, **values: Any) -> dict[str, Any]:
    """Answer the values of ``PROPERTIES`` when only these are set."""
    if not odoo.edition.shows_unset_properties:
        return values
    return {**dict.fromkeys([one["name"] for one in PROPERTIES], False), **values}


# What fields are like


async def test_a_computed_field_names_what_it_is_computed_from(odoo: Odoo):
    told = await fields(odoo, PARTNER)
    assert "email" in told["email_formatted"]["depends"]
    assert told["ref"]["depends"] == []


async def test_a_related_field_names_the_path_to_its_value(odoo: Odoo):
    told = await fields(odoo, PARTNER)
    assert told["parent_name"]["related"] == "parent_id.name"
    assert "related" not in told["name"]


async def test_a_field_of_a_group_names_the_group(odoo: Odoo):
    told = await fields(odoo, PARTNER)
    assert told["signup_type"]["groups"] == "base.group_erp_manager"
    assert "groups" not in told["name"]


async def test_properties_name_the_record_that_defines_them(odoo: Odoo):
    told = (await fields(odoo, LEAD))["lead_properties"]
    assert told["type"] == "properties"
    assert told["definition_record"] == "team_id"
    assert told["definition_record_field"] == "lead_properties_definition"
    assert told["depends"] == ["team_id"]


async def test_fields_of_modules_are_not_manual(odoo: Odoo):
    assert not any(field["manual"] for field in (await fields(odoo, TAG)).values())


# Languages


async def test_a_new_text_is_read_in_every_language(odoo: Odoo):
    await speak_french(odoo)
    one = await tag(odoo)
    assert await texts(odoo, one) == {"en_US": "Desk", "fr_FR": "Desk"}


async def test_a_text_written_in_a_language_leaves_the_others_alone(odoo: Odoo):
    await speak_french(odoo)
    one = await tag(odoo)
    french = f"{odoo.mark} Bureau"
    await odoo.admin.call(TAG, "write", [one], {"name": french}, context=FRENCH)
    assert await texts(odoo, one) == {"en_US": "Desk", "fr_FR": "Bureau"}
    for context, name in (Context(), "Desk"), (ENGLISH, "Desk"), (FRENCH, "Bureau"):
        asked = ["name", "display_name"]
        (record,) = await odoo.admin.call(TAG, "read", [one], asked, context=context)
        shown = f"{odoo.mark} {name}"
        assert record == {"id": one, "name": shown, "display_name": shown}


async def test_a_record_created_in_a_language_keeps_its_text_there(odoo: Odoo):
    await speak_french(odoo)
    one = await tag(odoo, "Lampe", context=FRENCH)
    assert await texts(odoo, one) == {"en_US": "Lampe", "fr_FR": "Lampe"}
    await odoo.admin.call(TAG, "write", [one], {"name": f"{odoo.mark} Lamp"})
    assert await texts(odoo, one) == {"en_US": "Lamp", "fr_FR": "Lampe"}


async def test_a_search_looks_at_the_text_of_the_language(odoo: Odoo):
    await speak_french(odoo)
    one = await tag(odoo)
    texts = {"fr_FR": f"{odoo.mark} Bureau"}
    await odoo.admin.call(TAG, "update_field_translations", [one], "name", texts)
    for context, word, other in (
        (ENGLISH, "Desk", "Bureau"),
        (FRENCH, "Bureau", "Desk"),
    ):
        for text, ids in (word, [one]), (other, []):
            domain = [["name", "=", f"{odoo.mark} {text}"]]
            found = await odoo.admin.call(TAG, "search", domain, context=context)
            assert found == ids
        names = await odoo.admin.call(TAG, "name_search", odoo.mark, context=context)
        assert names == [[one, f"{odoo.mark} {word}"]]


async def test_records_are_sorted_by_the_text_of_the_language(odoo: Odoo):
    await speak_french(odoo)
    first, second = await tag(odoo, "Ann"), await tag(odoo, "Bob")
    for one, name in (first, "Zoe"), (second, "Yann"):
        words = {"fr_FR": f"{odoo.mark} {name}"}
        await odoo.admin.call(TAG, "update_field_translations", [one], "name", words)
    domain = [["id", "in", [first, second]]]
    for context, ids in (ENGLISH, [first, second]), (FRENCH, [second, first]):
        found = await odoo.admin.call(
            TAG, "search", domain, order="name", context=context
        )
        assert found == ids


async def test_a_pair_is_named_in_the_language(odoo: Odoo):
    await speak_french(odoo)
    belgium = await country(odoo, "BE")
    one = await partner(odoo, country_id=belgium)
    for context, name in (ENGLISH, "Belgium"), (FRENCH, "Belgique"):
        found = await odoo.admin.call(
            PARTNER, "read", [one], ["country_id"], context=context
        )
        assert found[0]["country_id"] == [belgium, name]


async def test_translations_tell_their_source_and_their_kind(odoo: Odoo):
    await speak_french(odoo)
    one = await tag(odoo)
    words = {"fr_FR": f"{odoo.mark} Bureau"}
    ask = odoo.admin.call
    assert await ask(TAG, "update_field_translations", [one], "name", words) is True
    told = await ask(TAG, "get_field_translations", [one], "name", ["fr_FR"])
    source = f"{odoo.mark} Desk"
    assert told == [
        [{"lang": "fr_FR", "source": source, "value": words["fr_FR"]}],
        {"translation_type": "char", "translation_show_source": False},
    ]


async def test_false_takes_a_translation_away(odoo: Odoo):
    await speak_french(odoo)
    one = await tag(odoo)
    for word, shown in (f"{odoo.mark} Bureau", "Bureau"), (False, "Desk"), ("", ""):
        words = {"fr_FR": word}
        await odoo.admin.call(TAG, "update_field_translations", [one], "name", words)
        assert (await texts(odoo, one))["fr_FR"] == shown


async def test_a_text_taken_away_in_one_language_is_gone_in_all(odoo: Odoo):
    await speak_french(odoo)
    field = "description_sale"
    values = {"name": odoo.mark, field: "wood"}
    one = await odoo.admin.make("product.product", **values)
    write = ("product.product", "write", [one])
    await odoo.admin.call(*write, {field: "bois"}, context=FRENCH)
    told = await texts(odoo, one, "product.product", field)
    assert told == {"en_US": "wood", "fr_FR": "bois"}
    await odoo.admin.call(*write, {field: False}, context=FRENCH)
    told = await texts(odoo, one, "product.product", field)
    assert told == {"en_US": False, "fr_FR": False}
    await odoo.admin.call(*write, {field: "bois"}, context=FRENCH)
    told = await texts(odoo, one, "product.product", field)
    assert told == {"en_US": "bois", "fr_FR": "bois"}


async def test_html_is_translated_by_its_pieces(odoo: Odoo):
    await speak_french(odoo)
    text = "<p>Hello</p><p>World</p>"
    one = await odoo.admin.make("product.product", name=odoo.mark, description=text)
    ask, on = odoo.admin.call, ("product.product", "update_field_translations", [one])
    assert await ask(*on, "description", {"fr_FR": {"Hello": "Bonjour"}}) is True
    told, kind = await ask(
        "product.product", "get_field_translations", [one], "description", ["fr_FR"]
    )
    assert told == [
        {"lang": "fr_FR", "source": "Hello", "value": "Bonjour"},
        {"lang": "fr_FR", "source": "World", "value": ""},
    ]
    assert kind == {"translation_type": "text", "translation_show_source": True}
    found = await ask("product.product", "read", [one], ["description"], context=FRENCH)
    assert found[0]["description"] == "<p>Bonjour</p><p>World</p>"
    assert await odoo.admin.value("product.product", one, "description") == text


async def test_a_copy_keeps_the_translations(odoo: Odoo):
    await speak_french(odoo)
    values = {"name": odoo.mark, "description_sale": "wood"}
    one = await odoo.admin.make("product.product", **values)
    words, on = {"fr_FR": "bois"}, ("product.product", "update_field_translations")
    await odoo.admin.call(*on, [one], "description_sale", words)
    copied = await odoo.admin.call("product.product", "copy", [one])
    other: int = copied[0]
    odoo.admin.made.append(("product.product", other))
    told = await texts(odoo, other, "product.product", "description_sale")
    assert told == {"en_US": "wood", "fr_FR": "bois"}


@pytest.mark.parametrize("lang", ["nl_BE", "xx_XX"])
async def test_a_language_that_is_not_active_is_refused(odoo: Odoo, lang: str):
    one = await tag(odoo)
    ask = odoo.admin.call
    with pytest.raises(OdooRefused, match=f"not activated: {lang}"):
        await ask(TAG, "update_field_translations", [one], "name", {lang: "x"})
    with pytest.raises(OdooRefused, match=f"Invalid language code: {lang}"):
        await ask(TAG, "get_field_translations", [one], "name", [lang])


async def test_a_field_without_translations_has_none(odoo: Odoo):
    await speak_french(odoo)
    one = await tag(odoo)
    ask, words = odoo.admin.call, {"fr_FR": "1"}
    told, _ = await ask(TAG, "get_field_translations", [one], "color")
    assert told == []
    assert await ask(TAG, "update_field_translations", [one], "color", words) is False


async def test_translations_of_an_unknown_field_crash(odoo: Odoo):
    one = await tag(odoo)
    with pytest.raises(OdooFailed):
        await odoo.admin.call(TAG, "get_field_translations", [one], "no_such_field")


async def test_translations_of_a_missing_record_are_refused(odoo: Odoo):
    with pytest.raises(MISSING):
        await odoo.admin.call(TAG, "get_field_translations", [NOWHERE], "name")


async def test_who_may_not_write_may_not_translate(odoo: Odoo):
    belgium = await country(odoo, "BE")
    words = {"en_US": "Belgium"}
    with pytest.raises(OdooAccessError):
        await odoo.demo.call(
            "res.country", "update_field_translations", [belgium], "name", words
        )


async def test_an_export_and_an_import_speak_the_language(odoo: Odoo):
    await speak_french(odoo)
    one = await partner(odoo, country_id=await country(odoo, "DE"))
    exported = await odoo.admin.call(
        PARTNER, "export_data", [one], ["country_id/name"], context=FRENCH
    )
    assert exported == {"datas": [["Allemagne"]]}
    row = [[str(one), "Belgique"]]
    loaded = await odoo.admin.call(
        PARTNER, "load", [".id", "country_id"], row, context=FRENCH
    )
    assert loaded["ids"] == [one]
    found = await odoo.admin.value(PARTNER, one, "country_id")
    assert found == [await country(odoo, "BE"), "Belgium"]


# Views


async def form(odoo: Odoo, model: str) -> ET.Element:
    """Answer a model's form."""
    told = await odoo.admin.call(model, "get_views", [[False, "form"]], {})
    return ET.fromstring(told["views"]["form"]["arch"])


async def test_a_view_comes_with_the_fields_that_it_names(odoo: Odoo):
    views = [[False, "form"], [False, "list"], [False, "search"]]
    told = await odoo.admin.call("sale.order", "get_views", views)
    assert told.keys() == {"views", "models"}
    assert told["views"].keys() == {"form", "list", "search"}
    for kind, view in told["views"].items():
        assert view.keys() == {"arch", "id", "model"}
        assert view["model"] == "sale.order"
        assert ET.fromstring(view["arch"]).tag == kind
    assert {"sale.order", "sale.order.line"} <= told["models"].keys()
    field = told["models"]["sale.order"]["fields"]["partner_id"]
    assert field["type"] == "many2one"
    assert field["relation"] == PARTNER
    assert "depends" not in field


async def test_the_form_of_an_order_has_its_buttons(odoo: Odoo):
    buttons = list((await form(odoo, "sale.order")).iter("button"))
    shown = {(one.get("name"), one.get("invisible")) for one in buttons}
    assert {
        ("action_confirm", "state != 'draft'"),
        ("action_confirm", "state != 'sent'"),
        ("action_draft", "state != 'cancel'"),
    } <= shown
    kinds = {one.get("name"): one.get("type") for one in buttons}
    assert kinds["action_cancel"] == "object"
    invoice, *_ = [one for one in buttons if one.get("string") == "Create Invoice"]
    assert invoice.get("type") == "action"
    assert str(invoice.get("name")).isdecimal()


async def test_the_form_of_a_lead_has_its_buttons(odoo: Odoo):
    buttons = list((await form(odoo, LEAD)).iter("button"))
    won, *_ = [one for one in buttons if one.get("string") == "Won"]
    assert won.get("name") == "action_set_won_rainbowman"
    lost = [one for one in buttons if one.get("string") == "Lost"]
    assert {one.get("type") for one in lost} == {"action"}


async def test_a_view_is_asked_for_by_its_id(odoo: Odoo):
    told = await odoo.admin.call(PARTNER, "get_views", [[False, "form"]])
    number = told["views"]["form"]["id"]
    again = await odoo.admin.call(PARTNER, "get_views", [[number, "form"]])
    assert again["views"] == told["views"]
    with pytest.raises(MISSING):
        await odoo.admin.call(PARTNER, "get_views", [[NOWHERE, "form"]])


async def test_an_unknown_kind_of_view_is_refused(odoo: Odoo):
    with pytest.raises(OdooRefused, match="nonsense"):
        await odoo.admin.call(PARTNER, "get_views", [[False, "nonsense"]])


async def test_no_views_are_asked_for_and_none_come(odoo: Odoo):
    told = await odoo.admin.call(PARTNER, "get_views", [])
    assert told == {"views": {}, "models": {}}


async def test_views_of_a_closed_model_are_refused(odoo: Odoo):
    with pytest.raises(OdooAccessError):
        await odoo.demo.call("ir.config_parameter", "get_views", [[False, "form"]])


# Forms


async def test_an_empty_form_is_filled_with_defaults(odoo: Odoo):
    spec: dict[str, Any] = {
        "name": {},
        "type": {},
        "country_id": NAMED,
        "is_company": {},
    }
    shown: dict[str, Any] = {
        "company_type": {},
        "display_name": {},
        "child_ids": NAMED,
        "id": {},
    }
    assert await changes(odoo, PARTNER, {}, **spec, **shown) == {
        "name": False,
        "type": "contact",
        "country_id": False,
        "is_company": False,
        "company_type": "person",
        "display_name": "",
    }


async def test_an_empty_order_is_a_new_quotation(odoo: Odoo):
    spec: dict[str, Any] = {
        "name": {},
        "state": {},
        "partner_id": {},
        "amount_total": {},
    }
    assert await changes(odoo, "sale.order", {}, **spec, order_line={}) == {
        "name": "New",
        "state": "draft",
        "partner_id": False,
        "amount_total": 0.0,
    }


async def test_a_state_brings_its_country_as_the_form_asks_for_it(odoo: Odoo):
    usa = await country(odoo, "US")
    states = [["country_id", "=", usa], ["code", "=", "CA"]]
    (state,) = await odoo.admin.call("res.country.state", "search", states)
    values = {"name": "x", "state_id": state, "country_id": await country(odoo, "BE")}
    asked: list[tuple[dict[str, Any], Any]] = [
        ({}, usa),
        ({"fields": {}}, {"id": usa}),
        (NAMED, {"id": usa, "display_name": "United States"}),
        ({"fields": {"code": {}}}, {"id": usa, "code": "US"}),
    ]
    for inner, shown in asked:
        told = await changes(odoo, PARTNER, values, "state_id", country_id=inner)
        assert told == {"country_id": shown}


async def test_another_country_empties_the_state(odoo: Odoo):
    usa = await country(odoo, "US")
    states = [["country_id", "=", usa], ["code", "=", "CA"]]
    (state,) = await odoo.admin.call("res.country.state", "search", states)
    values = {"name": "x", "state_id": state, "country_id": await country(odoo, "BE")}
    spec: dict[str, Any] = {"state_id": {}, "country_id": {}}
    told = await changes(odoo, PARTNER, values, "country_id", **spec)
    assert told == {"state_id": False}


async def test_a_form_follows_what_is_computed(odoo: Odoo):
    spec: dict[str, Any] = {name: {} for name in ("is_company", "company_type", "name")}
    told = await changes(
        odoo, PARTNER, {"company_type": "company"}, "company_type", **spec
    )
    assert told == {"is_company": True}
    told = await changes(odoo, PARTNER, {"is_company": True}, "is_company", **spec)
    assert told == {"company_type": "company"}
    values = {"name": "Kim", "email": "A@B.example"}
    told = await changes(
        odoo, PARTNER, values, "email", email={}, city={}, email_normalized={}
    )
    assert told == {"email_normalized": "a@b.example"}


async def test_a_contact_takes_its_companys_address_and_another_is_warned_of(
    odoo: Odoo,
):
    gent = await partner(odoo, "Gent", is_company=True, city="Gent")
    luik = await partner(odoo, "Luik", is_company=True, city="Luik")
    values = {"name": "Kim", "parent_id": gent, "type": "contact"}
    told = await changes(odoo, PARTNER, values, "parent_id", city={}, parent_name={})
    assert told == {"city": "Gent", "parent_name": f"{odoo.mark} Gent"}
    kim = await partner(odoo, "Kim", parent_id=gent)
    answer = await odoo.admin.call(
        PARTNER, "onchange", [kim], {"parent_id": luik}, ["parent_id"], {"city": {}}
    )
    assert answer["value"] == {"city": "Luik"}
    if odoo.edition.warns_of_another_company:
        assert answer["warning"].keys() == {"title", "message", "type"}
    else:
        assert "warning" not in answer


async def test_an_order_takes_its_customers_addresses(odoo: Odoo):
    user = odoo.admin_uid
    values = {"is_company": True, "user_id": user}
    company = await partner(odoo, "Company", **values)
    bill = await partner(odoo, "Bill", parent_id=company, type="invoice")
    ship = await partner(odoo, "Ship", parent_id=company, type="delivery")
    kim = await partner(odoo, "Kim", parent_id=company)
    names = ("partner_invoice_id", "partner_shipping_id", "user_id", "state")
    spec: dict[str, Any] = {name: {} for name in names}
    for customer in company, kim:
        told = await changes(
            odoo, "sale.order", {"partner_id": customer}, "partner_id", **spec
        )
        assert told == {
            "partner_invoice_id": bill,
            "partner_shipping_id": ship,
            "user_id": user,
        }


async def test_a_line_takes_over_its_product(odoo: Odoo):
    values = {"name": odoo.mark, "list_price": 20, "default_code": "ZZ"}
    product = await odoo.admin.make("product.product", **values)
    unit = await odoo.admin.value("product.product", product, "uom_id")
    line = {"product_id": product, "product_uom_qty": 3}
    its_unit = odoo.edition.lines_unit
    spec: dict[str, Any] = {
        name: {} for name in ("name", "price_unit", its_unit, "price_subtotal")
    }
    above = {"order_id": {"partner_id": await partner(odoo)}}
    told = await changes(
        odoo, "sale.order.line", {**line, **above}, "product_id", **spec
    )
    assert told == {
        "name": f"[ZZ] {odoo.mark}",
        "price_unit": 20.0,
        its_unit: unit[0],
        "price_subtotal": 60.0,
    }
    with pytest.raises(OdooFailed):
        await changes(odoo, "sale.order.line", line, "product_id", **spec)


async def test_lines_in_a_form_add_up_and_nothing_is_kept(odoo: Odoo):
    one = await order(odoo)
    (line,) = await odoo.admin.value("sale.order", one, "order_line")
    change = {"order_line": [[int(Command.UPDATE), line, {"product_uom_qty": 5}]]}
    inner: dict[str, Any] = {"fields": {"product_uom_qty": {}}}
    spec: dict[str, Any] = {"amount_untaxed": {}, "state": {}, "order_line": inner}
    answer = await odoo.admin.call(
        "sale.order", "onchange", [one], change, ["order_line"], spec
    )
    assert answer == {"value": {"amount_untaxed": 100.0}}
    assert await odoo.admin.value("sale.order", one, "amount_untaxed") == 60.0
    quantity = await odoo.admin.value("sale.order.line", line, "product_uom_qty")
    assert quantity == 3.0


async def test_a_lead_takes_over_its_customer(odoo: Odoo):
    belgium = await country(odoo, "BE")
    where = {"street": "S 1", "city": "Gent", "country_id": belgium}
    company = await partner(odoo, "Company", is_company=True, **where)
    own = {"function": "Boss", "email": f"{odoo.mark}@odoo.example"}
    kim = await partner(odoo, "Kim", parent_id=company, **own)
    values = {"partner_id": kim, "name": False, "type": "opportunity", "city": "Luik"}
    names = ("name", "city", "partner_name", "contact_name", "function", "phone")
    spec: dict[str, Any] = {name: {} for name in names}
    told = await changes(
        odoo, LEAD, values, "partner_id", **spec, email_from={}, country_id={}
    )
    assert told == {
        "name": f"{odoo.mark} Kim's opportunity",
        "city": "Gent",
        "partner_name": f"{odoo.mark} Company",
        "contact_name": f"{odoo.mark} Kim",
        "function": "Boss",
        "email_from": f"{odoo.mark}@odoo.example",
        "country_id": belgium,
    }


async def test_a_lead_created_for_a_customer_has_the_same_values(odoo: Odoo):
    kim = await partner(odoo, "Kim", function="Boss", city="Gent")
    one = await odoo.admin.make(LEAD, name=odoo.mark, partner_id=kim)
    asked = ["function", "city", "contact_name"]
    (record,) = await odoo.admin.call(LEAD, "read", [one], asked)
    name = f"{odoo.mark} Kim"
    assert record == {
        "id": one,
        "function": "Boss",
        "city": "Gent",
        "contact_name": name,
    }


async def test_a_revenue_is_prorated_in_the_form(odoo: Odoo):
    values = {"expected_revenue": 100, "probability": 50, "name": "n"}
    spec: dict[str, Any] = {"prorated_revenue": {}, "probability": {}}
    told = await changes(odoo, LEAD, values, "expected_revenue", **spec)
    assert told == {"prorated_revenue": 50.0}


async def test_an_unknown_field_in_a_form_crashes_or_says_nothing(odoo: Odoo):
    with pytest.raises(OdooFailed):
        await changes(odoo, PARTNER, {}, no_such_field={})
    with pytest.raises(OdooFailed):
        await changes(odoo, PARTNER, {"no_such_field": 1}, name={})
    spec: dict[str, Any] = {"name": {}}
    touched = ["no_such_field"]
    assert (
        await odoo.admin.call(PARTNER, "onchange", [], {"name": "x"}, touched, spec)
        == {}
    )


async def test_a_form_of_a_missing_record_is_refused(odoo: Odoo):
    for ids, values in ([NOWHERE], {"note": "x"}), ([], {"partner_id": NOWHERE}):
        with pytest.raises(MISSING):
            await odoo.admin.call(
                "sale.order",
                "onchange",
                ids,
                values,
                list(values),
                {"partner_invoice_id": {}},
            )


async def test_a_form_does_not_show_fields_of_other_groups(odoo: Odoo):
    with pytest.raises(OdooAccessError):
        await odoo.demo.call(PARTNER, "onchange", [], {}, [], {"signup_type": {}})


# Properties


async def test_properties_are_read_with_their_definitions(odoo: Odoo):
    lead = await lead_with_properties(odoo)
    told = await odoo.admin.value(LEAD, lead, "lead_properties")
    values = with_unset(odoo, p_whole=7)
    assert told == [
        {**one, "value": values[one["name"]]} if one["name"] in values else one
        for one in PROPERTIES
    ]


async def test_properties_are_written_by_name_and_read_back(odoo: Odoo):
    lead = await lead_with_properties(odoo)
    ann, bob = await partner(odoo, "Ann"), await partner(odoo, "Bob")
    given: dict[str, Any] = {
        "p_whole": 5,
        "p_float": 1.5,
        "p_char": "é",
        "p_bool": True,
        "p_date": "2026-01-02",
        "p_moment": "2026-01-02 10:00:00",
        "p_one": ann,
        "p_many": [ann, bob],
        "p_pick": "b",
        "p_tags": ["old"],
    }
    await odoo.admin.call(LEAD, "write", [lead], {"lead_properties": given})
    assert await properties(odoo, lead) == {
        **given,
        "p_one": [ann, f"{odoo.mark} Ann"],
        "p_many": [[ann, f"{odoo.mark} Ann"], [bob, f"{odoo.mark} Bob"]],
    }


async def test_properties_are_written_back_as_they_were_read(odoo: Odoo):
    lead = await lead_with_properties(odoo)
    ann = await partner(odoo, "Ann")
    given = {"p_one": ann, "p_many": [ann], "p_char": "x"}
    await odoo.admin.call(LEAD, "write", [lead], {"lead_properties": given})
    told = await odoo.admin.value(LEAD, lead, "lead_properties")
    await odoo.admin.call(LEAD, "write", [lead], {"lead_properties": told})
    assert await odoo.admin.value(LEAD, lead, "lead_properties") == told


async def test_written_properties_replace_all_of_them(odoo: Odoo):
    lead = await lead_with_properties(odoo)
    for given in {"p_whole": 3, "p_char": "x"}, {"p_char": "y"}, {}, False:
        values = {"lead_properties": given}
        await odoo.admin.call(LEAD, "write", [lead], values)
        assert await properties(odoo, lead) == with_unset(odoo, **(given or {}))


async def test_unknown_properties_are_ignored(odoo: Odoo):
    lead = await lead_with_properties(odoo)
    values = {"lead_properties": {"p_char": "x", "no_such_property": 1}}
    await odoo.admin.call(LEAD, "write", [lead], values)
    told = await odoo.admin.value(LEAD, lead, "lead_properties")
    assert "no_such_property" not in [one["name"] for one in told]
    assert await properties(odoo, lead) == with_unset(odoo, p_char="x")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"p_char": 5}, False),
        ({"p_bool": "yes"}, True),
        ({"p_pick": "no such choice"}, False),
        ({"p_tags": ["no such tag"]}, []),
        ({"p_one": NOWHERE}, False),
        ({"p_many": [NOWHERE]}, []),
        ({"p_whole": "x"}, "x"),
        ({"p_date": "x"}, "x"),
    ],
)
async def test_what_does_not_fit_a_property_is_dropped_or_kept(
    odoo: Odoo, given: dict[str, Any], kept: Any
):
    lead = await lead_with_properties(odoo)
    await odoo.admin.call(LEAD, "write", [lead], {"lead_properties": given})
    (name,) = given
    if kept == [] and not odoo.edition.keeps_empty_lists:
        kept = False
    assert await properties(odoo, lead) == with_unset(odoo, **{name: kept})


@pytest.mark.parametrize("given", [{"p_one": "15"}, {"p_one": [15, "x"]}])
async def test_a_property_that_is_no_id_crashes_or_is_dropped(
    odoo: Odoo, given: dict[str, Any]
):
    lead = await lead_with_properties(odoo)
    values = {"lead_properties": given}
    if odoo.edition.checks_property_ids:
        with pytest.raises(OdooFailed):
            await odoo.admin.call(LEAD, "write", [lead], values)
    else:
        await odoo.admin.call(LEAD, "write", [lead], values)
        assert await properties(odoo, lead) == {"p_one": False}


async def test_a_new_record_has_the_defaults_that_it_is_not_given(odoo: Odoo):
    lead = await lead_with_properties(odoo, lead_properties={"p_char": "x"})
    told = await properties(odoo, lead)
    assert told == with_unset(odoo, p_char="x", p_whole=7)


async def test_definitions_are_changed_through_a_record(odoo: Odoo):
    lead = await lead_with_properties(odoo)
    char = {"name": "p_char", "type": "char", "string": "Remark", "value": "x"}
    new = {"name": "p_new", "type": "integer", "string": "New", "value": 4}
    written = [{**char, "definition_changed": True}, new]
    await odoo.admin.call(LEAD, "write", [lead], {"lead_properties": written})
    assert await properties(odoo, lead) == {"p_char": "x", "p_new": 4}
    team = await odoo.admin.value(LEAD, lead, "team_id")
    told = await odoo.admin.value(TEAM, team[0], "lead_properties_definition")
    assert told == [
        {"name": "p_char", "type": "char", "string": "Remark"},
        {"name": "p_new", "type": "integer", "string": "New"},
    ]


async def test_another_team_means_other_properties(odoo: Odoo):
    lead = await lead_with_properties(odoo, lead_properties={"p_char": "x"})
    team = await odoo.admin.value(LEAD, lead, "team_id")
    other = await odoo.admin.make(TEAM, name=f"{odoo.mark} other")
    await odoo.admin.call(LEAD, "write", [lead], {"team_id": other})
    assert await properties(odoo, lead) == {}
    await odoo.admin.call(LEAD, "write", [lead], {"team_id": team[0]})
    assert await properties(odoo, lead) == with_unset(odoo, p_whole=7)


async def test_a_lead_without_a_team_has_no_properties(odoo: Odoo):
    lead = await odoo.admin.make(LEAD, name=odoo.mark, team_id=False)
    values = {"lead_properties": {"p_char": "x"}}
    await odoo.admin.call(LEAD, "write", [lead], values)
    assert await odoo.admin.value(LEAD, lead, "lead_properties") == []


async def test_records_are_found_by_a_property(odoo: Odoo):
    given = {"p_char": odoo.mark, "p_whole": 12}
    lead = await lead_with_properties(odoo, lead_properties=given)
    own = ["name", "=", odoo.mark]
    for leaf, found in (
        (["lead_properties.p_char", "=", odoo.mark], [lead]),
        (["lead_properties.p_char", "ilike", odoo.mark[:-2].upper()], [lead]),
        (["lead_properties.p_char", "=", "other"], []),
        (["lead_properties.p_char", "!=", "other"], [lead]),
        (["lead_properties.p_whole", "=", 12], [lead]),
        (["lead_properties.p_whole", ">", 11], [lead]),
        (["lead_properties.p_whole", ">", 12], []),
        (["lead_properties.p_bool", "=", False], [lead]),
        (["lead_properties.p_bool", "=", True], []),
    ):
        assert await odoo.admin.call(LEAD, "search", [own, leaf]) == found


@pytest.mark.parametrize(
    "definition",
    [
        {"name": "x"},
        {"type": "char", "string": "X"},
        {"name": "x", "type": "nonsense"},
        {"name": "X Y", "type": "char"},
        {"name": "x", "type": "many2one", "comodel": "no.such.model"},
        {"name": "x", "type": "char", "nonsense": 1},
    ],
)
async def test_a_wrong_definition_crashes(odoo: Odoo, definition: dict[str, Any]):
    team = await odoo.admin.make(TEAM, name=odoo.mark)
    values = {"lead_properties_definition": [definition]}
    with pytest.raises(OdooFailed):
        await odoo.admin.call(TEAM, "write", [team], values)


async def test_a_form_shows_the_properties_of_the_team(odoo: Odoo):
    team = await odoo.admin.make(
        TEAM, name=odoo.mark, lead_properties_definition=PROPERTIES[:1]
    )
    spec: dict[str, Any] = {"lead_properties": {}}
    values = {"team_id": team, "name": "x"}
    told = await changes(odoo, LEAD, values, "team_id", **spec)
    assert told == {"lead_properties": [{**PROPERTIES[0], "value": 7}]}


# The registry


async def test_models_tell_their_label_and_modules(odoo: Odoo):
    asked = ["model", "name", "transient", "state", "modules"]
    (record,) = await odoo.admin.call(
        "ir.model", "search_read", [["model", "=", LEAD]], asked
    )
    assert record["name"] == odoo.edition.lead
    assert (record["transient"], record["state"]) == (False, "base")
    assert "crm" in record["modules"].split(", ")


async def test_fields_tell_what_fields_get_does_not(odoo: Odoo):
    asked = [
        "name",
        "ttype",
        "relation",
        "index",
        "store",
        "copied",
        "translate",
        "modules",
        "on_delete",
        "field_description",
    ]
    names = ["partner_id", "stage_id", "company_currency", "order_ids"]
    domain = [["model", "=", LEAD], ["name", "in", names]]
    found = await odoo.admin.call("ir.model.fields", "search_read", domain, asked)
    told = {one.pop("name"): one for one in found}
    assert told["partner_id"] == {
        "id": told["partner_id"]["id"],
        "ttype": "many2one",
        "relation": PARTNER,
        "index": True,
        "store": True,
        "copied": True,
        "translate": False,
        "modules": "crm",
        "on_delete": "set null",
        "field_description": odoo.edition.leads_partner,
    }
    assert told["stage_id"]["on_delete"] == "restrict"
    assert told["company_currency"]["store"] is False
    assert told["order_ids"]["modules"] == "sale_crm"


async def test_a_related_and_a_translated_field_say_so(odoo: Odoo):
    for model, name, field, value in (
        ("sale.order.line", "state", "related", "order_id.state"),
        ("res.country", "name", "translate", odoo.edition.translated),
        (PARTNER, "name", "related", False),
    ):
        domain = [["model", "=", model], ["name", "=", name]]
        (record,) = await odoo.admin.call(
            "ir.model.fields", "search_read", domain, [field, "display_name"]
        )
        assert record[field] == value


async def test_a_field_is_named_with_its_model(odoo: Odoo):
    domain = [["model", "=", PARTNER], ["name", "=", "name"]]
    (record,) = await odoo.admin.call(
        "ir.model.fields", "search_read", domain, ["display_name"]
    )
    assert record["display_name"] == "Name (Contact)"


@pytest.mark.parametrize("model", ["ir.model", "ir.model.fields"])
async def test_the_registry_is_closed_to_ordinary_users(odoo: Odoo, model: str):
    for method, *args in ("search", []), ("search_read", []), ("read", [1]):
        with pytest.raises(OdooAccessError):
            await odoo.demo.call(model, method, *args)


async def test_everybody_may_ask_for_the_labels_of_fields(odoo: Odoo):
    told = await odoo.demo.call("ir.model.fields", "get_field_string", model_name=TAG)
    assert told["parent_id"] == (await fields(odoo, TAG))["parent_id"]["string"]
