"""What every gateway promises, held against each of them.

The cases use records that they create themselves, so that they also run against a real
Odoo with other data, which they do in ``tests/integration``. Where an Odoo 19 answers
otherwise is told in ``editions``.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from odooport.errors import (
    AuthenticationFailed,
    GatewayError,
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooRefused,
    RecordMissing,
)
from odooport.model import Call, Command, Context, Credentials, Session

from .conftest import Odoo

PARTNER = "res.partner"
NOWHERE = 99_999_999
EVERYTHING = Context(active_test=False)
MISSING = (RecordMissing, OdooRefused)
"""XML-RPC's faults do not tell a missing record from any other refusal."""
REFUSED_OR_CRASHED = (InvalidRequest, OdooFailed)
"""What a wire refuses, before sending or before a method runs, others let crash."""


async def names(odoo: Odoo, domain: list[Any], **options: Any) -> list[str]:
    """Answer the names of this test's partners that a domain finds, in name order."""
    own = [["name", "=like", f"{odoo.mark}%"], *domain]
    options = {"order": "name", **options}
    found = await odoo.admin.call(PARTNER, "search_read", own, ["name"], **options)
    return [record["name"].removeprefix(f"{odoo.mark} ") for record in found]


async def partner(odoo: Odoo, name: str = "Ann", **values: Any) -> int:
    """Create a partner of this test's own."""
    return await odoo.admin.make(PARTNER, name=f"{odoo.mark} {name}", **values)


async def country(odoo: Odoo, code: str) -> int:
    """Answer a country's id."""
    ids: list[int] = await odoo.admin.call(
        "res.country", "search", [["code", "=", code]]
    )
    return ids[0]


async def order(odoo: Odoo, **values: Any) -> int:
    """Create a sales order with one line of 3 x 20."""
    product = await odoo.admin.make("product.product", name=odoo.mark, list_price=20)
    line = {"product_id": product, "product_uom_qty": 3, "price_unit": 20}
    return await odoo.admin.make(
        "sale.order",
        partner_id=await partner(odoo),
        order_line=[Command.create(line)],
        **values,
    )


# Logging in


async def test_the_version_is_that_of_the_odoo_that_was_asked(odoo: Odoo):
    version = await odoo.gateway.version("default")
    assert version.series == (odoo.says, 0)
    assert version.text.startswith(f"{odoo.says}.0")


async def test_a_login_answers_a_session_with_the_users_id(odoo: Odoo):
    session = await odoo.gateway.authenticate(odoo.admin.credentials)
    secret = odoo.admin.credentials.secret
    assert session == Session(odoo.database, odoo.admin_uid, secret)


async def test_a_wrong_secret_does_not_log_in(odoo: Odoo):
    wrong = replace(odoo.admin.credentials, secret="not the password")
    with pytest.raises(AuthenticationFailed):
        await odoo.gateway.authenticate(wrong)


async def test_an_unknown_login_does_not_log_in(odoo: Odoo):
    with pytest.raises(AuthenticationFailed):
        await odoo.gateway.authenticate(Credentials(odoo.database, odoo.mark, "x"))


async def test_an_unknown_database_does_not_log_in(odoo: Odoo):
    elsewhere = replace(odoo.admin.credentials, database=odoo.mark)
    with pytest.raises(AuthenticationFailed):
        await odoo.gateway.authenticate(elsewhere)


async def test_a_session_with_a_wrong_secret_runs_nothing(odoo: Odoo):
    stale = replace(odoo.admin.session, secret="changed meanwhile")
    with pytest.raises(AuthenticationFailed):
        await odoo.gateway.execute(stale, Call(PARTNER, "create", ({"name": "x"},)))


async def test_a_session_of_a_user_who_is_gone_is_no_login(odoo: Odoo):
    if odoo.wire == "json2":
        pytest.skip("an API key names its user by itself, and is gone with him")
    gone = replace(odoo.admin.session, uid=NOWHERE)
    with pytest.raises(AuthenticationFailed):
        await odoo.gateway.execute(gone, Call(PARTNER, "search", ([],)))


async def test_a_changed_password_ends_the_old_session(odoo: Odoo):
    if odoo.wire == "json2":
        pytest.skip("JSON-2 takes API keys and no passwords")
    user = await odoo.admin.make("res.users", name=odoo.mark, login=odoo.mark)
    await odoo.admin.call("res.users", "write", [user], {"password": "first secret"})
    session = await odoo.gateway.authenticate(
        Credentials(odoo.database, odoo.mark, "first secret")
    )
    await odoo.admin.call("res.users", "write", [user], {"password": "next secret"})
    with pytest.raises(AuthenticationFailed):
        await odoo.gateway.execute(session, Call(PARTNER, "search", ([],)))


async def test_an_archived_user_does_not_log_in(odoo: Odoo):
    user = await odoo.admin.make("res.users", name=odoo.mark, login=odoo.mark)
    await odoo.admin.call("res.users", "write", [user], {"password": "some secret"})
    await odoo.admin.call("res.users", "write", [user], {"active": False})
    with pytest.raises(AuthenticationFailed):
        await odoo.gateway.authenticate(
            Credentials(odoo.database, odoo.mark, "some secret")
        )


async def test_two_sessions_at_once_do_not_mix(odoo: Odoo):
    answers = await asyncio.gather(
        *(
            user.call("res.users", "context_get")
            for user in [odoo.admin, odoo.demo] * 10
        )
    )
    uids = [odoo.admin.session.uid, odoo.demo.session.uid]
    assert [answer["uid"] for answer in answers] == uids * 10


async def test_many_calls_at_once_all_get_their_own_answer(odoo: Odoo):
    ids = await odoo.admin.call(
        PARTNER, "create", [{"name": f"{odoo.mark} {n:02}"} for n in range(30)]
    )
    odoo.admin.made += [(PARTNER, record_id) for record_id in ids]
    answers = await asyncio.gather(
        *(odoo.admin.call(PARTNER, "read", [one], ["name"]) for one in ids)
    )
    assert [answer[0]["name"] for answer in answers] == [
        f"{odoo.mark} {n:02}" for n in range(30)
    ]


# What is not there


async def test_an_unknown_model_is_refused(odoo: Odoo):
    with pytest.raises(OdooRefused, match=r"no\.such\.model"):
        await odoo.admin.call("no.such.model", "search", [])


async def test_an_unknown_method_is_named(odoo: Odoo):
    with pytest.raises(InvalidRequest, match="no_such_method") as caught:
        await odoo.admin.call(PARTNER, "no_such_method", [1])
    assert "Traceback" not in caught.value.message


@pytest.mark.parametrize(
    "method", ["_compute_display_name", "invalidate_recordset", "sudo", "with_context"]
)
async def test_a_private_method_is_refused(odoo: Odoo, method: str):
    with pytest.raises(OdooAccessError, match=method):
        await odoo.admin.call(PARTNER, method, [1])


async def test_an_unknown_field_crashes_a_read(odoo: Odoo):
    with pytest.raises(OdooFailed):
        await odoo.admin.call(PARTNER, "search_read", [], ["no_such_field"])


async def test_an_unknown_field_crashes_a_search(odoo: Odoo):
    with pytest.raises(OdooFailed):
        await odoo.admin.call(PARTNER, "search", [["no_such_field", "=", 1]])


async def test_an_unknown_field_crashes_a_write_and_nothing_is_written(odoo: Odoo):
    one = await partner(odoo, city="Gent")
    values = {"city": "Luik", "no_such_field": 1}
    with pytest.raises(OdooFailed):
        await odoo.admin.call(PARTNER, "write", [one], values)
    assert await odoo.admin.value(PARTNER, one, "city") == "Gent"


async def test_a_missing_argument_crashes_or_is_refused(odoo: Odoo):
    with pytest.raises(REFUSED_OR_CRASHED):
        await odoo.admin.call(PARTNER, "write", [1])


async def test_read_leaves_out_what_is_missing(odoo: Odoo):
    one = await partner(odoo)
    found = await odoo.admin.call(PARTNER, "read", [NOWHERE, one], ["name"])
    assert found == [{"id": one, "name": f"{odoo.mark} Ann"}]


async def test_read_keeps_the_order_that_was_asked_for(odoo: Odoo):
    first, second = await partner(odoo, "Zoe"), await partner(odoo, "Bob")
    found = await odoo.admin.call(PARTNER, "read", [second, first], ["name"])
    assert [record["id"] for record in found] == [second, first]


async def test_a_write_with_one_missing_record_writes_nothing(odoo: Odoo):
    one = await partner(odoo, city="Gent")
    with pytest.raises(MISSING):
        await odoo.admin.call(PARTNER, "write", [one, NOWHERE], {"city": "Luik"})
    assert await odoo.admin.value(PARTNER, one, "city") == "Gent"


async def test_a_record_cannot_be_deleted_twice(odoo: Odoo):
    one = await partner(odoo)
    assert await odoo.admin.call(PARTNER, "unlink", [one]) is True
    with pytest.raises(MISSING):
        await odoo.admin.call(PARTNER, "unlink", [one])


async def test_a_method_on_a_missing_record_is_refused(odoo: Odoo):
    with pytest.raises(MISSING):
        await odoo.admin.call("sale.order", "action_confirm", [NOWHERE])


# Values


async def test_a_method_that_returns_nothing_answers_none(odoo: Odoo):
    lead = await odoo.admin.make("crm.lead", name=odoo.mark)
    assert await odoo.admin.call("crm.lead", "action_archive", [lead]) is None
    assert await odoo.admin.value("crm.lead", lead, "active") is False


async def test_empty_values_are_false(odoo: Odoo):
    one = await partner(odoo)
    fields = ["email", "country_id", "category_id", "comment"]
    (record,) = await odoo.admin.call(PARTNER, "read", [one], fields)
    assert record == {
        "id": one,
        "email": False,
        "country_id": False,
        "category_id": [],
        "comment": False,
    }


@pytest.mark.parametrize(
    "text", ["", "Ünïcode 🚀 <&> \"q\" ]]> 'q'", "日本語", "a\tb\nc", " spaces "]
)
async def test_text_comes_back_as_it_was_sent(odoo: Odoo, text: str):
    one = await partner(odoo, ref=text)
    assert await odoo.admin.value(PARTNER, one, "ref") == text


async def test_control_characters_are_carried_or_refused(odoo: Odoo):
    if odoo.wire == "xmlrpc":
        # XML has no way to write them
        with pytest.raises(InvalidRequest):
            await partner(odoo, ref="a\x0bb")
    else:
        one = await partner(odoo, ref="a\x0bb")
        assert await odoo.admin.value(PARTNER, one, "ref") == "a\x0bb"


async def test_a_nul_is_never_stored(odoo: Odoo):
    with pytest.raises(REFUSED_OR_CRASHED):
        await partner(odoo, ref="a\x00b")


async def test_an_integer_beyond_32_bits_is_refused(odoo: Odoo):
    with pytest.raises(REFUSED_OR_CRASHED):
        await partner(odoo, color=2**31)
    with pytest.raises(REFUSED_OR_CRASHED):
        await odoo.admin.call(PARTNER, "search", [["id", "=", 2**40]])


async def test_numbers_keep_their_type_and_digits(odoo: Odoo):
    one = await partner(odoo, partner_latitude=50.8503, color=7)
    fields = ["partner_latitude", "color"]
    (record,) = await odoo.admin.call(PARTNER, "read", [one], fields)
    assert record["partner_latitude"] == pytest.approx(50.8503)
    assert record["color"] == 7
    assert type(record["color"]) is int


async def test_dates_are_text_and_moments_have_no_fractions(odoo: Odoo):
    lead = await odoo.admin.make("crm.lead", name=odoo.mark, date_deadline="2026-07-01")
    fields = ["date_deadline", "write_date"]
    (record,) = await odoo.admin.call("crm.lead", "read", [lead], fields)
    assert record["date_deadline"] == "2026-07-01"
    assert len(record["write_date"]) == len("2026-07-01 10:00:00")


async def test_binaries_are_base64(odoo: Odoo):
    one = await odoo.admin.make("ir.attachment", name="a.txt", datas="aGVsbG8=")
    fields = ["datas", "file_size", "mimetype"]
    (record,) = await odoo.admin.call("ir.attachment", "read", [one], fields)
    assert record == {
        "id": one,
        "datas": "aGVsbG8=",
        "file_size": 5,
        "mimetype": "text/plain",
    }


async def test_html_is_sanitised(odoo: Odoo):
    one = await partner(odoo, comment="<p>Hi <b>you</b></p><script>alert(1)</script>")
    assert await odoo.admin.value(PARTNER, one, "comment") == "<p>Hi <b>you</b></p>"


async def test_load_chooses_between_pairs_and_ids(odoo: Odoo):
    belgium = await country(odoo, "BE")
    one = await partner(odoo, country_id=belgium)
    pairs = await odoo.admin.call(PARTNER, "read", [one], ["country_id"])
    ids = await odoo.admin.call(PARTNER, "read", [one], ["country_id"], load="")
    assert pairs[0]["country_id"] == [belgium, "Belgium"]
    assert ids[0]["country_id"] == belgium


async def test_a_company_dependent_value_is_kept(odoo: Odoo):
    product = await odoo.admin.make(
        "product.product", name=odoo.mark, standard_price=8.5
    )
    value = await odoo.admin.value("product.product", product, "standard_price")
    assert value == 8.5


# Domains


async def three(odoo: Odoo) -> tuple[int, int, int]:
    """Create Ann, Bob (with an address) and Cleo, who is Bob's contact."""
    belgium, france = await country(odoo, "BE"), await country(odoo, "FR")
    ann = await partner(odoo, "Ann", country_id=belgium, color=1, ref="a_1")
    bob = await partner(
        odoo, "Bob", country_id=france, color=5, ref="b%2", is_company=True
    )
    cleo = await partner(odoo, "Cleo", parent_id=bob, color=9)
    return ann, bob, cleo


DOMAINS: list[tuple[list[Any], list[str]]] = [
    ([], ["Ann", "Bob", "Cleo"]),
    ([["color", "=", 1]], ["Ann"]),
    ([["color", "!=", 1]], ["Bob", "Cleo"]),
    ([["color", "<>", 1]], ["Bob", "Cleo"]),
    ([["color", "<", 5]], ["Ann"]),
    ([["color", "<=", 5]], ["Ann", "Bob"]),
    ([["color", ">", 5]], ["Cleo"]),
    ([["color", ">=", 5]], ["Bob", "Cleo"]),
    ([["color", "in", [1, 9]]], ["Ann", "Cleo"]),
    ([["color", "not in", [1, 9]]], ["Bob"]),
    ([["color", "in", []]], []),
    ([["color", "not in", []]], ["Ann", "Bob", "Cleo"]),
    ([["ref", "=", False]], ["Cleo"]),
    ([["ref", "!=", False]], ["Ann", "Bob"]),
    ([["ref", "!=", "a_1"]], ["Bob", "Cleo"]),
    ([["ref", "not in", ["a_1"]]], ["Bob", "Cleo"]),
    ([["ref", "in", [False, "a_1"]]], ["Ann", "Cleo"]),
    ([["ref", "=?", False]], ["Ann", "Bob", "Cleo"]),
    ([["ref", "=?", "a_1"]], ["Ann"]),
    ([["ref", "like", "A"]], []),
    ([["ref", "like", "a"]], ["Ann"]),
    ([["ref", "ilike", "A"]], ["Ann"]),
    ([["ref", "not like", "a"]], ["Bob", "Cleo"]),
    ([["ref", "not ilike", "A"]], ["Bob", "Cleo"]),
    ([["ref", "=like", "a_1"]], ["Ann"]),
    ([["ref", "=like", "_%2"]], ["Bob"]),
    ([["ref", "=like", "A_1"]], []),
    ([["ref", "=ilike", "A_1"]], ["Ann"]),
    ([["ref", "like", "b\\%"]], ["Bob"]),
    ([["is_company", "=", True]], ["Bob"]),
    ([["is_company", "=", False]], ["Ann", "Cleo"]),
    ([["is_company", "!=", True]], ["Ann", "Cleo"]),
    ([["country_id", "=", "Belgium"]], ["Ann"]),
    ([["country_id", "ilike", "fran"]], ["Bob", "Cleo"]),
    ([["country_id", "in", ["Belgium", "France"]]], ["Ann", "Bob", "Cleo"]),
    ([["country_id", "!=", "Belgium"]], ["Bob", "Cleo"]),
    ([["country_id.code", "=", "BE"]], ["Ann"]),
    ([["country_id.code", "!=", "BE"]], ["Bob", "Cleo"]),
    ([["parent_id.country_id.code", "=", "FR"]], ["Cleo"]),
    ([["country_id", "any", [["code", "=", "BE"]]]], ["Ann"]),
    ([["country_id", "not any", [["code", "=", "BE"]]]], ["Bob", "Cleo"]),
    ([["child_ids", "any", [["color", "=", 9]]]], ["Bob"]),
    ([["child_ids", "not any", [["color", "=", 9]]]], ["Ann", "Cleo"]),
    ([["child_ids.color", "=", 9]], ["Bob"]),
    ([["child_ids", "any", []]], ["Bob"]),
    ([["child_ids", "=", False]], ["Ann", "Cleo"]),
    ([["child_ids", "!=", False]], ["Bob"]),
    (["|", ["color", "=", 1], ["color", "=", 9]], ["Ann", "Cleo"]),
    (["&", ["color", ">", 1], ["color", "<", 9]], ["Bob"]),
    (["!", ["color", "=", 1]], ["Bob", "Cleo"]),
    (["!", "|", ["color", "=", 1], ["color", "=", 9]], ["Bob"]),
    (
        [["color", ">", 1], "|", ["ref", "=", False], ["color", "=", 5]],
        ["Bob", "Cleo"],
    ),
    ([[1, "=", 1]], ["Ann", "Bob", "Cleo"]),
    ([[0, "=", 1]], []),
    (["!", [1, "=", 1]], []),
    ([["same_vat_partner_id", "=", 1]], ["Ann", "Bob", "Cleo"]),
    (["!", ["same_vat_partner_id", "=", 1]], ["Ann", "Bob", "Cleo"]),
    ([["display_name", "ilike", "cleo"]], ["Cleo"]),
    ([["write_date", ">", "2020-01-01"]], ["Ann", "Bob", "Cleo"]),
    ([["write_date", "<", "2020-01-01T00:00:00Z"]], []),
]
"""Domains with the names out of Ann, Bob and Cleo that they find."""


async def test_every_operator_finds_what_odoo_finds(odoo: Odoo):
    await three(odoo)
    taken = [item for item in DOMAINS if item[0] not in odoo.edition.crashes_over]
    found = await asyncio.gather(*(names(odoo, domain) for domain, _ in taken))
    assert {
        str(domain): list_ for (domain, _), list_ in zip(taken, found, strict=True)
    } == {str(domain): expected for domain, expected in taken}


async def test_families_are_found_up_and_down(odoo: Odoo):
    ann, bob, cleo = await three(odoo)
    below = [["id", "child_of", [bob]]]
    above = [["id", "parent_of", [cleo]]]
    through = [["parent_id", "child_of", bob]]
    assert await names(odoo, below) == ["Bob", "Cleo"]
    assert await names(odoo, above) == ["Bob", "Cleo"]
    assert await names(odoo, through) == ["Bob", "Cleo"]
    assert await names(odoo, [["id", "child_of", [ann]]]) == ["Ann"]


async def test_to_many_fields_are_searched_by_id_and_name(odoo: Odoo):
    _, bob, cleo = await three(odoo)
    tag = await odoo.admin.make("res.partner.category", name=odoo.mark)
    write = {"category_id": [Command.link(tag)]}
    await odoo.admin.call(PARTNER, "write", [bob], write)
    assert await names(odoo, [["category_id", "=", tag]]) == ["Bob"]
    assert await names(odoo, [["category_id", "in", [tag]]]) == ["Bob"]
    assert await names(odoo, [["category_id", "!=", tag]]) == ["Ann", "Cleo"]
    assert await names(odoo, [["category_id", "ilike", odoo.mark]]) == ["Bob"]
    assert await names(odoo, [["child_ids", "in", [cleo]]]) == ["Bob"]


async def test_archived_records_are_hidden_unless_asked_for(odoo: Odoo):
    ann, *_ = await three(odoo)
    await odoo.admin.call(PARTNER, "action_archive", [ann])
    assert await names(odoo, []) == ["Bob", "Cleo"]
    assert await names(odoo, [["active", "=", False]]) == ["Ann"]
    assert await names(odoo, [["active", "in", [True, False]]]) == [
        "Ann",
        "Bob",
        "Cleo",
    ]
    assert await names(odoo, [], context=EVERYTHING) == ["Ann", "Bob", "Cleo"]
    assert await odoo.admin.value(PARTNER, ann, "active") is False


NO_DOMAINS: list[Any] = [
    ["oops"],
    ["name", "=", "x"],
    [["name", "="]],
    [["name", "~~", "x"]],
    [["name", "ILIKE", "x"]],
    ["&", ["name", "=", "x"]],
    [["name", "in", "x"]],
    [["name.x", "=", 1]],
    [["parent_id", "any", "x"]],
    [["write_date", "<", "zork"]],
    "[('name', '=', 'x')]",
    [5],
]


async def test_what_is_no_domain_crashes(odoo: Odoo):
    edition = odoo.edition
    none = [domain for domain in NO_DOMAINS if domain not in edition.takes]
    none += edition.crashes_over
    answers = await asyncio.gather(
        *(odoo.admin.call(PARTNER, "search", domain) for domain in none),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [OdooFailed] * len(none)
    for domain in edition.takes:
        assert await names(odoo, domain) == []


# Order and pages


async def test_an_order_goes_both_ways_with_the_empty_last_or_first(odoo: Odoo):
    await three(odoo)
    assert await names(odoo, [], order="ref") == ["Ann", "Bob", "Cleo"]
    assert await names(odoo, [], order="ref desc") == ["Cleo", "Bob", "Ann"]
    last = await names(odoo, [], order="ref desc nulls last")
    assert last == ["Bob", "Ann", "Cleo"]
    several = await names(odoo, [], order="is_company desc, color desc")
    assert several == ["Bob", "Cleo", "Ann"]


async def test_a_many2one_is_sorted_by_its_own_order(odoo: Odoo):
    await three(odoo)
    by_country = "country_id desc, name desc"
    assert await names(odoo, [], order=by_country) == ["Cleo", "Bob", "Ann"]


@pytest.mark.parametrize(
    "order_by", ["display_name", "category_id", "no_such_field", "country_id.name"]
)
async def test_what_is_not_stored_cannot_be_sorted_by(odoo: Odoo, order_by: str):
    with pytest.raises(OdooFailed):
        await odoo.admin.call(PARTNER, "search", [], order=order_by)


async def test_what_is_no_order_is_refused(odoo: Odoo):
    with pytest.raises(OdooRefused):
        await odoo.admin.call(PARTNER, "search", [], order="name; drop")


async def test_limit_and_offset_cut_a_page(odoo: Odoo):
    await three(odoo)
    assert await names(odoo, [], limit=2) == ["Ann", "Bob"]
    assert await names(odoo, [], limit=2, offset=1) == ["Bob", "Cleo"]
    assert await names(odoo, [], limit=2, offset=9) == []
    assert await names(odoo, [], limit=0) == ["Ann", "Bob", "Cleo"]
    with pytest.raises(OdooFailed):
        await names(odoo, [], limit=-1)


async def test_counting_counts_to_the_limit(odoo: Odoo):
    await three(odoo)
    own = [["name", "=like", f"{odoo.mark}%"]]
    assert await odoo.admin.call(PARTNER, "search_count", own) == 3
    assert await odoo.admin.call(PARTNER, "search_count", own, 2) == 2


# Writing


async def test_create_answers_an_id_or_ids(odoo: Odoo):
    one = await odoo.admin.call(PARTNER, "create", {"name": odoo.mark})
    many = await odoo.admin.call(PARTNER, "create", [{"name": odoo.mark}] * 2)
    odoo.admin.made += [(PARTNER, record_id) for record_id in [one, *many]]
    assert type(one) is int
    assert [type(record_id) for record_id in many] == [int, int]
    assert len({one, *many}) == 3


async def test_one_bad_record_of_many_creates_none(odoo: Odoo):
    good, bad = {"name": f"{odoo.mark} Ann"}, {"name": "x", "type": "no-such-type"}
    with pytest.raises(OdooFailed):
        await odoo.admin.call(PARTNER, "create", [good, bad])
    assert await names(odoo, []) == []


async def test_a_required_field_cannot_be_left_out(odoo: Odoo):
    with pytest.raises(OdooRefused, match="mandatory field"):
        await odoo.admin.call("crm.lead", "create", {"description": "no name"})


async def test_a_required_field_cannot_be_emptied(odoo: Odoo):
    lead = await odoo.admin.make("crm.lead", name=odoo.mark)
    with pytest.raises(OdooRefused, match="mandatory field"):
        await odoo.admin.call("crm.lead", "write", [lead], {"name": False})
    assert await odoo.admin.value("crm.lead", lead, "name") == odoo.mark


@pytest.mark.parametrize(
    "values",
    [
        {"type": "no-such-type"},
        {"color": "many"},
        {"partner_latitude": "north"},
        {"category_id": "tags"},
    ],
    ids=str,
)
async def test_a_value_of_the_wrong_kind_crashes(odoo: Odoo, values: dict[str, Any]):
    one = await partner(odoo)
    with pytest.raises(OdooFailed):
        await odoo.admin.call(PARTNER, "write", [one], values)


@pytest.mark.parametrize("value", ["31/12/2026", "2026-13-01", "tomorrow"])
async def test_what_is_no_date_crashes(odoo: Odoo, value: str):
    with pytest.raises(OdooFailed):
        await odoo.admin.make("crm.lead", name=odoo.mark, date_deadline=value)


async def test_a_moment_in_iso_form_crashes(odoo: Odoo):
    with pytest.raises(OdooFailed):
        await order(odoo, date_order="2026-01-01T10:00:00Z")


@pytest.mark.parametrize("value", ["Belgium", "20", [20, "Belgium"], {"id": 20}, 20.0])
async def test_write_silently_empties_a_many2one_that_is_no_id(odoo: Odoo, value: Any):
    one = await partner(odoo, country_id=await country(odoo, "BE"))
    await odoo.admin.call(PARTNER, "write", [one], {"country_id": value})
    assert await odoo.admin.value(PARTNER, one, "country_id") is False


@pytest.mark.parametrize("value", ["Oak", 1.5, {"id": 1}, [1, "Oak"], [0, 0, {}]])
async def test_a_contact_crashes_over_a_company_that_is_no_id(odoo: Odoo, value: Any):
    one = await partner(odoo)
    with pytest.raises(OdooFailed):
        await odoo.admin.call(PARTNER, "write", [one], {"parent_id": value})


async def test_a_contact_loses_its_company_over_a_list_of_one(odoo: Odoo):
    company = await partner(odoo)
    one = await partner(odoo, parent_id=company)
    await odoo.admin.call(PARTNER, "write", [one], {"parent_id": [company]})
    assert await odoo.admin.value(PARTNER, one, "parent_id") is False


async def test_create_crashes_over_a_many2one_that_is_a_pair(odoo: Odoo):
    with pytest.raises(OdooFailed):
        await partner(odoo, country_id=[await country(odoo, "BE"), "Belgium"])


async def test_write_takes_the_text_false_for_true_and_numbers_as_text(odoo: Odoo):
    one = await partner(odoo, is_company=False, color="7", ref=123)
    await odoo.admin.call(PARTNER, "write", [one], {"is_company": "false"})
    fields = ["is_company", "color", "ref"]
    (record,) = await odoo.admin.call(PARTNER, "read", [one], fields)
    assert record == {"id": one, "is_company": True, "color": 7, "ref": "123"}


async def test_what_odoo_writes_itself_cannot_be_written(odoo: Odoo):
    one = await partner(odoo)
    before = await odoo.admin.call(PARTNER, "get_metadata", [one])
    values = {"create_date": "2020-01-01 00:00:00", "create_uid": 1, "id": 5}
    await odoo.admin.call(PARTNER, "write", [one], values)
    after = await odoo.admin.call(PARTNER, "get_metadata", [one])
    assert after[0]["create_date"] == before[0]["create_date"]
    assert after[0]["create_uid"] == before[0]["create_uid"]
    assert after[0]["create_uid"][0] == odoo.admin.session.uid


async def test_a_record_cannot_point_at_one_that_is_missing(odoo: Odoo):
    one = await partner(odoo)
    with pytest.raises(MISSING):
        await odoo.admin.call(PARTNER, "write", [one], {"country_id": NOWHERE})
    with pytest.raises(OdooRefused):
        await partner(odoo, "Bob", country_id=NOWHERE)


async def test_a_record_that_others_need_cannot_be_deleted(odoo: Odoo):
    one = await order(odoo)
    await odoo.admin.call("sale.order", "action_confirm", [one])
    (ann,) = await odoo.admin.call(
        PARTNER, "search", [["name", "=", f"{odoo.mark} Ann"]]
    )
    with pytest.raises(OdooRefused):
        await odoo.admin.call(PARTNER, "unlink", [ann])
    assert await names(odoo, []) == ["Ann"]


async def test_a_hierarchy_has_no_circles(odoo: Odoo):
    _, bob, cleo = await three(odoo)
    with pytest.raises(OdooRefused, match="recursive"):
        await odoo.admin.call(PARTNER, "write", [bob], {"parent_id": cleo})
    assert await odoo.admin.value(PARTNER, bob, "parent_id") is False


async def test_names_of_contacts_follow_their_company(odoo: Odoo):
    _, bob, cleo = await three(odoo)
    await odoo.admin.call(PARTNER, "write", [bob], {"name": f"{odoo.mark} Bert"})
    name = await odoo.admin.value(PARTNER, cleo, "display_name")
    assert name == f"{odoo.mark} Bert, {odoo.mark} Cleo"


# Commands


async def lines(odoo: Odoo, one: int) -> dict[str, int]:
    """Answer the contacts of a partner: name to id."""
    ids = await odoo.admin.value(PARTNER, one, "child_ids")
    records = await odoo.admin.call(PARTNER, "read", ids, ["name"])
    return {record["name"]: record["id"] for record in records}


async def test_commands_change_a_one2many(odoo: Odoo):
    children = [Command.create({"name": "Kim"}), Command.create({"name": "Lee"})]
    one = await partner(odoo, child_ids=children)
    made = await lines(odoo, one)
    odoo.admin.made += [(PARTNER, child) for child in made.values()]
    assert sorted(made) == ["Kim", "Lee"]

    async def write(*commands: list[Any]) -> dict[str, int]:
        values = {"child_ids": list(commands)}
        await odoo.admin.call(PARTNER, "write", [one], values)
        return await lines(odoo, one)

    assert sorted(await write(Command.update(made["Kim"], {"name": "Kai"}))) == [
        "Kai",
        "Lee",
    ]
    assert sorted(await write(Command.unlink(made["Kim"]))) == ["Lee"]
    assert await odoo.admin.value(PARTNER, made["Kim"], "parent_id") is False
    assert sorted(await write(Command.link(made["Kim"]))) == ["Kai", "Lee"]
    assert sorted(await write(Command.delete(made["Lee"]))) == ["Kai"]
    assert await odoo.admin.call(PARTNER, "read", [made["Lee"]], ["name"]) == []
    assert await write(Command.clear()) == {}
    assert sorted(await write(Command.set([made["Kim"]]))) == ["Kai"]


async def test_commands_change_a_many2many(odoo: Odoo):
    model = "res.partner.category"
    red, blue = [
        await odoo.admin.make(model, name=f"{odoo.mark} {color}")
        for color in ("red", "blue")
    ]
    one = await partner(odoo, category_id=[Command.set([red])])

    async def write(value: Any) -> set[int]:
        await odoo.admin.call(PARTNER, "write", [one], {"category_id": value})
        return set(await odoo.admin.value(PARTNER, one, "category_id"))

    assert await write([Command.link(blue)]) == {red, blue}
    assert await write([Command.unlink(red)]) == {blue}
    assert await write([red, blue]) == {red, blue}
    assert await write([Command.clear()]) == set()
    (green,) = await write([Command.create({"name": f"{odoo.mark} green"})])
    odoo.admin.made.append((model, green))
    assert await write([Command.set([red])]) == {red}
    assert await write(False) == set()
    with pytest.raises(OdooRefused):
        await write([Command.link(NOWHERE)])


async def test_a_command_for_a_missing_record_changes_nothing(odoo: Odoo):
    one = await partner(odoo)
    commands = [
        Command.create({"name": "Kim"}),
        Command.update(NOWHERE, {"name": "nobody"}),
    ]
    with pytest.raises(MISSING):
        await odoo.admin.call(PARTNER, "write", [one], {"child_ids": commands})
    assert await lines(odoo, one) == {}


# Rights


async def test_a_model_can_be_closed_to_a_user(odoo: Odoo):
    with pytest.raises(OdooAccessError, match=odoo.edition.administrators):
        await odoo.demo.call("ir.config_parameter", "search_read", [])
    assert isinstance(
        await odoo.admin.call("ir.config_parameter", "search_count", []), int
    )


async def test_a_model_can_be_open_for_reading_only(odoo: Odoo):
    (company,) = await odoo.demo.call(
        "res.company", "search_read", [], ["name"], limit=1
    )
    with pytest.raises(OdooAccessError, match="not allowed to modify"):
        await odoo.demo.call("res.company", "write", [company["id"]], {"name": "x"})
    name = await odoo.admin.value("res.company", company["id"], "name")
    assert name == company["name"]


async def test_a_record_rule_hides_records(odoo: Odoo):
    mine = await odoo.admin.make("crm.lead", name=odoo.mark, user_id=odoo.admin_uid)
    nobodys = await odoo.admin.make("crm.lead", name=odoo.mark, user_id=False)
    found = await odoo.demo.call("crm.lead", "search", [["name", "=", odoo.mark]])
    assert found == [nobodys]
    with pytest.raises(OdooAccessError):
        await odoo.demo.call("crm.lead", "read", [mine], ["name"])
    with pytest.raises(OdooAccessError):
        await odoo.demo.call("crm.lead", "write", [mine], {"name": "x"})
    assert await odoo.admin.value("crm.lead", mine, "name") == odoo.mark


async def test_a_field_of_another_group_is_hidden_and_refused(odoo: Odoo):
    one = await partner(odoo)
    assert await odoo.demo.call(PARTNER, "fields_get", ["signup_type"]) == {}
    assert "signup_type" in await odoo.admin.call(
        PARTNER, "fields_get", ["signup_type"]
    )
    with pytest.raises(OdooAccessError, match="signup_type"):
        await odoo.demo.call(PARTNER, "read", [one], ["signup_type"])
    with pytest.raises(OdooAccessError, match="signup_type"):
        await odoo.demo.call(PARTNER, "search", [["signup_type", "=", "x"]])


async def test_rights_can_be_asked_for(odoo: Odoo):
    ask = ("ir.config_parameter", "has_access", [], "read")
    assert await odoo.admin.call(*ask) is True
    assert await odoo.demo.call(*ask) is False
    model, method = PARTNER, "check_access_rights"
    assert await odoo.admin.call(model, method, "write", raise_exception=False) is True
    with pytest.raises(OdooAccessError):
        await odoo.demo.call("ir.model", method, "read")


async def test_a_user_finds_the_models_that_he_may_read(odoo: Odoo):
    found = await odoo.demo.call("ir.model", "get_available_models")
    models = {item["model"]: item["display_name"] for item in found}
    assert models[PARTNER] == "Contact"
    assert "ir.config_parameter" not in models


# Asking about a model


async def test_fields_get_answers_the_attributes_that_were_asked_for(odoo: Odoo):
    found = await odoo.admin.call(
        PARTNER, "fields_get", ["name", "country_id"], ["type", "relation"]
    )
    assert found == {
        "name": {"type": "char"},
        "country_id": {"type": "many2one", "relation": "res.country"},
    }


async def test_default_get_answers_only_what_has_a_default(odoo: Odoo):
    asked = ["lang", "active", "type", "company_id", "name"]
    found = await odoo.admin.call(PARTNER, "default_get", asked)
    assert found == {"lang": "en_US", "active": True, "type": "contact"}


async def test_name_search_finds_by_name_and_domain(odoo: Odoo):
    ann, bob, cleo = await three(odoo)
    shown = [bob, f"{odoo.mark} Bob"], [cleo, f"{odoo.mark} Bob, {odoo.mark} Cleo"]
    found = await odoo.admin.call(PARTNER, "name_search", f"{odoo.mark} Bob")
    assert found == list(shown)
    exact = await odoo.admin.call(
        PARTNER, "name_search", f"{odoo.mark} Bob", operator="="
    )
    assert exact == [shown[0]]
    narrowed = await odoo.admin.call(
        PARTNER, "name_search", odoo.mark, [["color", "=", 1]], limit=1
    )
    assert narrowed == [[ann, f"{odoo.mark} Ann"]]


async def test_name_create_answers_id_and_name(odoo: Odoo):
    model = "res.partner.category"
    tag, name = await odoo.admin.call(model, "name_create", odoo.mark)
    odoo.admin.made.append((model, tag))
    assert name == odoo.mark
    assert await odoo.admin.value(model, tag, "name") == odoo.mark


async def test_copy_answers_ids_and_names_the_copy(odoo: Odoo):
    one = await partner(odoo, city="Gent")
    (copy,) = await odoo.admin.call(PARTNER, "copy", [one])
    (named,) = await odoo.admin.call(PARTNER, "copy", [one], {"name": odoo.mark})
    odoo.admin.made += [(PARTNER, copy), (PARTNER, named)]
    records = await odoo.admin.call(PARTNER, "read", [copy, named], ["name", "city"])
    assert [(record["name"], record["city"]) for record in records] == [
        (f"{odoo.mark} Ann (copy)", "Gent"),
        (odoo.mark, "Gent"),
    ]


async def test_copy_of_a_missing_record_is_refused(odoo: Odoo):
    with pytest.raises(MISSING):
        await odoo.admin.call(PARTNER, "copy", [NOWHERE])


async def test_an_inactive_language_is_refused(odoo: Odoo):
    with pytest.raises(OdooRefused, match="zz_ZZ"):
        await odoo.admin.call(PARTNER, "search", [], context=Context(lang="zz_ZZ"))


async def test_an_unknown_time_zone_is_ignored(odoo: Odoo):
    context = Context(tz="Mars/Olympus")
    assert await odoo.admin.call(PARTNER, "search", [], limit=1, context=context)


async def test_a_company_that_is_not_the_users_is_refused(odoo: Odoo):
    context = Context(companies=(NOWHERE,))
    with pytest.raises(OdooAccessError):
        await odoo.admin.call(PARTNER, "search", [], context=context)


# Groups


async def test_groups_are_counted_and_summed(odoo: Odoo):
    await three(odoo)
    own = [["name", "=like", f"{odoo.mark}%"]]
    found = await odoo.admin.call(
        PARTNER, "read_group", own, ["color:sum"], ["is_company"], lazy=False
    )
    assert found == [
        {
            "is_company": False,
            "__count": 2,
            "color": 10,
            "__domain": ["&", *own, ["is_company", "=", False]],
        },
        {
            "is_company": True,
            "__count": 1,
            "color": 5,
            "__domain": ["&", *own, ["is_company", "=", True]],
        },
    ]


async def test_a_groups_domain_finds_its_records(odoo: Odoo):
    await three(odoo)
    await partner(odoo, "Dan")
    own = [["name", "=like", f"{odoo.mark}%"]]
    found = await odoo.admin.call(
        PARTNER, "read_group", own, [], ["country_id"], lazy=False
    )
    shown = [group["country_id"] and group["country_id"][1] for group in found]
    assert shown == ["Belgium", "France", False]
    for group in found:
        counted = await odoo.admin.call(PARTNER, "search_count", group["__domain"])
        assert counted == group["__count"]


async def test_groups_by_month_have_a_range(odoo: Odoo):
    for day in ("2026-01-31", "2026-02-01", "2026-02-28"):
        await odoo.admin.make("crm.lead", name=odoo.mark, date_deadline=day)
    found = await odoo.admin.call(
        "crm.lead",
        "read_group",
        [["name", "=", odoo.mark]],
        ["__count"],
        ["date_deadline:month"],
        lazy=False,
    )
    assert [(group["date_deadline:month"], group["__count"]) for group in found] == [
        ("January 2026", 1),
        ("February 2026", 2),
    ]
    assert found[1]["__range"] == {
        "date_deadline:month": {"from": "2026-02-01", "to": "2026-03-01"}
    }


async def test_a_lazy_group_names_its_count_after_the_field(odoo: Odoo):
    await three(odoo)
    own = [["name", "=like", f"{odoo.mark}%"]]
    by = ["is_company", "country_id"]
    found = await odoo.admin.call(PARTNER, "read_group", own, [], by, limit=1)
    assert found[0]["is_company_count"] == 2
    assert found[0]["__context"] == {"group_by": ["country_id"]}


async def test_aggregates_have_names_and_functions(odoo: Odoo):
    await three(odoo)
    own = [["name", "=like", f"{odoo.mark}%"]]
    wanted = ["low:min(color)", "high:max(color)", "mean:avg(color)"]
    wanted += ["places:count_distinct(country_id)", "ref:count"]
    (all_of_them,) = await odoo.admin.call(
        PARTNER, "read_group", own, wanted, [], lazy=False
    )
    assert {name: all_of_them[name] for name in ("low", "high", "places", "ref")} == {
        "low": 1,
        "high": 9,
        "places": 2,
        "ref": 2,
    }
    assert all_of_them["mean"] == pytest.approx(5)


@pytest.mark.parametrize(
    ("fields", "orderby"),
    [
        (["color:sum"], "color desc"),
        (["color:sum"], "color:sum desc"),
        (["color:sum"], "color:max desc"),
        (["total:sum(color)", "color:max"], "total desc"),
        (["color:sum"], "__count desc"),
        (["color:sum"], "country_id desc"),
    ],
    ids=str,
)
async def test_groups_can_be_ordered_by_what_is_summed(
    odoo: Odoo, fields: list[str], orderby: str
):
    await three(odoo)
    own = [["name", "=like", f"{odoo.mark}%"]]
    found = await odoo.admin.call(
        PARTNER,
        "read_group",
        own,
        fields,
        ["country_id"],
        lazy=False,
        orderby=orderby,
        limit=2,
    )
    assert [group["country_id"][1] for group in found] == ["France", "Belgium"]


@pytest.mark.parametrize(
    ("fields", "groupby"),
    [
        (["color:zork"], []),
        (["no_such_field:sum"], []),
        ([], ["no_such_field"]),
        ([], ["display_name"]),
        ([], ["country_id.code"]),
        ([], ["write_date:zork"]),
        (["name:sum"], []),
    ],
    ids=str,
)
async def test_what_cannot_be_grouped_crashes(
    odoo: Odoo, fields: list[str], groupby: list[str]
):
    with pytest.raises(OdooFailed):
        await odoo.admin.call(PARTNER, "read_group", [], fields, groupby, lazy=False)


# Business


async def test_an_order_adds_up_its_lines(odoo: Odoo):
    one = await order(odoo)
    assert await odoo.admin.value("sale.order", one, "amount_untaxed") == 60.0
    (line,) = await odoo.admin.value("sale.order", one, "order_line")
    values = {"product_uom_qty": 2, "discount": 10}
    await odoo.admin.call("sale.order.line", "write", [line], values)
    assert await odoo.admin.value("sale.order", one, "amount_untaxed") == 36.0


async def test_a_confirmed_order_cannot_be_confirmed_again_or_deleted(odoo: Odoo):
    one = await order(odoo)
    assert await odoo.admin.call("sale.order", "action_confirm", [one]) is True
    assert await odoo.admin.value("sale.order", one, "state") == "sale"
    with pytest.raises(OdooRefused, match="requiring confirmation"):
        await odoo.admin.call("sale.order", "action_confirm", [one])
    with pytest.raises(OdooRefused, match="must first cancel"):
        await odoo.admin.call("sale.order", "unlink", [one])
    assert await odoo.admin.value("sale.order", one, "state") == "sale"


async def test_a_draft_can_be_cancelled_and_drafted_again(odoo: Odoo):
    one = await order(odoo)
    assert await odoo.admin.call("sale.order", "action_cancel", [one]) is True
    assert await odoo.admin.value("sale.order", one, "state") == "cancel"
    assert await odoo.admin.call("sale.order", "action_draft", [one]) is True
    assert await odoo.admin.value("sale.order", one, "state") == "draft"


async def test_a_lead_can_be_won(odoo: Odoo):
    lead = await odoo.admin.make("crm.lead", name=odoo.mark)
    assert await odoo.admin.call("crm.lead", "action_set_won", [lead]) is True
    fields = ["probability", "date_closed"]
    (record,) = await odoo.admin.call("crm.lead", "read", [lead], fields)
    assert record["probability"] == 100.0
    assert record["date_closed"]


async def test_a_message_is_posted_with_its_text_escaped(odoo: Odoo):
    one = await partner(odoo)
    message = await odoo.admin.call(PARTNER, "message_post", [one], body="a < b")
    odoo.admin.made.append(("mail.message", message))
    (record,) = await odoo.admin.call(
        "mail.message", "read", [message], ["body", "model", "res_id"]
    )
    assert record["body"].replace("<p>", "").replace("</p>", "") == "a &lt; b"
    assert (record["model"], record["res_id"]) == (PARTNER, one)


async def test_an_error_is_one_of_ours(odoo: Odoo):
    with pytest.raises(GatewayError) as caught:
        await odoo.admin.call("crm.lead", "create", {})
    assert "Traceback" not in str(caught.value)
