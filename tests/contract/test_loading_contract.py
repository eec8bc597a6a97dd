"""What every gateway promises about importing, exporting, dates, messages and groups.

As in ``test_gateway_contract``, the cases use records of their own and also run against
a real Odoo, in ``tests/integration``.
"""

from typing import Any

import pytest

from odooport.errors import OdooAccessError, OdooFailed
from odooport.model import Command, Context

from .conftest import Odoo

PARTNER = "res.partner"
UTC = Context(tz="UTC")


async def load(
    odoo: Odoo, fields: list[str], *rows: list[Any], model: str = PARTNER, **named: Any
) -> dict[str, Any]:
    """Load rows; what comes of them goes away with the test."""
    answer = await odoo.admin.call(
        model, "load", fields=fields, data=list(rows), **named
    )
    if answer["ids"]:
        odoo.admin.made += [(model, record_id) for record_id in answer["ids"]]
    return answer


async def found(odoo: Odoo, *domain: Any) -> list[dict[str, Any]]:
    """Answer the partners of this test."""
    own = [["name", "=like", f"{odoo.mark}%"], *domain]
    fields = ["name", "country_id", "email", "parent_id"]
    return await odoo.admin.call(PARTNER, "search_read", own, fields, order="id")


# Loading


async def test_rows_become_records(odoo: Odoo):
    one, two = f"{odoo.mark} one", f"{odoo.mark} two"
    answer = await load(
        odoo,
        ["id", "name", "email", "country_id", "parent_id/id"],
        [f"{odoo.mark}.p1", one, "one@example.com", "Belgium", ""],
        [f"{odoo.mark}.p2", two, "", "France", f"{odoo.mark}.p1"],
    )
    assert (answer["messages"], answer["nextrow"]) == ([], 0)
    first, second = await found(odoo)
    assert answer["ids"] == [first["id"], second["id"]]
    assert (first["email"], first["country_id"][1]) == ("one@example.com", "Belgium")
    assert second["parent_id"][0] == first["id"]


async def test_a_known_external_id_is_updated(odoo: Odoo):
    name = f"{odoo.mark} one"
    first = await load(
        odoo, ["id", "name", "email"], [f"{odoo.mark}.p1", name, "a@example.com"]
    )
    again = await load(odoo, ["id", "name"], [f"{odoo.mark}.p1", f"{name} renamed"])
    assert again == first
    (record,) = await found(odoo)
    assert (record["name"], record["email"]) == (f"{name} renamed", "a@example.com")
    metadata = await odoo.admin.call(PARTNER, "get_metadata", first["ids"])
    assert metadata[0]["xmlid"] == f"{odoo.mark}.p1"


async def test_an_external_id_goes_with_its_record(odoo: Odoo):
    row = ["id", "name"], [f"{odoo.mark}.p1", f"{odoo.mark} one"]
    first = await load(odoo, *row)
    await odoo.admin.call(PARTNER, "unlink", first["ids"])
    again = await load(odoo, *row)
    assert again["ids"] != first["ids"]


async def test_a_record_is_updated_by_its_database_id(odoo: Odoo):
    one = await odoo.admin.make(PARTNER, name=f"{odoo.mark} one")
    answer = await load(odoo, [".id", "name"], [str(one), f"{odoo.mark} two"])
    assert answer["ids"] == [one]
    assert [record["name"] for record in await found(odoo)] == [f"{odoo.mark} two"]


async def test_one_wrong_row_loads_nothing_and_each_is_told(odoo: Odoo):
    answer = await load(
        odoo,
        ["name", "country_id"],
        [f"{odoo.mark} fine", "Belgium"],
        [f"{odoo.mark} nowhere", "Nowhereland"],
        ["", "Belgium"],
    )
    assert answer["ids"] is False
    assert await found(odoo) == []
    unknown, nameless = answer["messages"]
    assert (unknown["type"], unknown["record"], unknown["field"]) == (
        "error",
        1,
        "country_id",
    )
    assert unknown["rows"] == {"from": 1, "to": 1}
    assert unknown["field_name"] == "Country"
    assert unknown["message"] == (
        "No matching record found for name 'Nowhereland' in field 'Country'"
    )
    assert unknown["moreinfo"]["res_model"] == "res.country"
    assert (nameless["type"], nameless["record"]) == ("error", 2)
    assert "Contacts require a name" in nameless["message"]


@pytest.mark.parametrize(
    ("field", "cell", "told"),
    [
        ("color", "x", "'x' does not seem to be an integer for field"),
        ("partner_latitude", "1,5", "'1,5' does not seem to be a number for field"),
        ("is_company", "maybe", "Unknown value 'maybe' for boolean field"),
        ("type", "nope", "Value 'nope' not found in selection field"),
        ("create_date", "x", "'x' does not seem to be a valid datetime for field"),
        ("country_id/id", "base.nope", "No matching record found for external id"),
        ("country_id/.id", "99999999", "No matching record found for database id"),
        (".id", "99999999", "Unknown database identifier '99999999'"),
        ("id", "base.be", "For external id base.be when trying to create/update"),
    ],
)
async def test_a_cell_that_does_not_fit_is_told(
    odoo: Odoo, field: str, cell: str, told: str
):
    answer = await load(odoo, ["name", field], [odoo.mark, cell])
    (message,) = answer["messages"]
    assert (answer["ids"], message["type"], message["record"]) == (False, "error", 0)
    assert message["message"].startswith(told)
    assert await found(odoo) == []


async def test_an_ambiguous_name_is_a_warning_and_takes_the_first(odoo: Odoo):
    tags = [
        await odoo.admin.make("res.partner.category", name=odoo.mark) for _ in range(2)
    ]
    answer = await load(odoo, ["name", "category_id"], [odoo.mark, odoo.mark])
    (message,) = answer["messages"]
    assert message["type"] == "warning"
    assert "Found multiple matches" in message["message"]
    taken = await odoo.admin.value(PARTNER, answer["ids"][0], "category_id")
    assert len(taken) == 1
    assert taken[0] in tags


async def test_blank_cells_below_are_lines_of_the_same_record(odoo: Odoo):
    answer = await load(
        odoo,
        ["name", "child_ids/name"],
        [f"{odoo.mark} one", f"{odoo.mark} kid 1"],
        ["", f"{odoo.mark} kid 2"],
        [f"{odoo.mark} two", f"{odoo.mark} kid 3"],
    )
    one, two = answer["ids"]
    children = await found(odoo, ["parent_id", "!=", False])
    odoo.admin.made += [(PARTNER, child["id"]) for child in children]
    assert [child["parent_id"][0] for child in children] == [one, one, two]


async def test_a_row_may_name_one_above_it(odoo: Odoo):
    one, two = f"{odoo.mark} one", f"{odoo.mark} two"
    answer = await load(odoo, ["name", "parent_id"], [one, ""], [two, one])
    first, second = await found(odoo)
    assert answer["ids"] == [first["id"], second["id"]]
    assert second["parent_id"][0] == first["id"]


async def test_an_unknown_column_crashes(odoo: Odoo):
    with pytest.raises(OdooFailed):
        await load(odoo, ["name", "no_such_field"], [odoo.mark, "x"])


async def test_loading_needs_the_right_to_create(odoo: Odoo):
    answer = await odoo.demo.call(
        "res.country", "load", fields=["name", "code"], data=[[odoo.mark, "zz"]]
    )
    assert answer["ids"] is False
    assert "not allowed to create" in answer["messages"][0]["message"]


# Exporting


async def test_records_are_exported_as_rows(odoo: Odoo):
    row = [f"{odoo.mark}.p1", odoo.mark, "Belgium"]
    (one,) = (await load(odoo, ["id", "name", "country_id"], row))["ids"]
    kids = [Command.create({"name": f"{odoo.mark} {n}"}) for n in (1, 2)]
    await odoo.admin.call(PARTNER, "write", [one], {"child_ids": kids})
    children = await odoo.admin.value(PARTNER, one, "child_ids")
    odoo.admin.made += [(PARTNER, child) for child in children]
    columns = ["id", ".id", "name", "country_id", "country_id/id", "is_company"]
    answer = await odoo.admin.call(
        PARTNER,
        "export_data",
        [one],
        fields_to_export=[*columns, "child_ids/name", "email"],
    )
    first, second = answer["datas"]
    belgium, names = "Belgium", [f"{odoo.mark} 1", f"{odoo.mark} 2"]
    known = [f"{odoo.mark}.p1", str(one), odoo.mark, belgium]
    assert first[:4] == known
    assert [first[6], second[6]] == names
    assert (first[7], second[:4]) == ("", [""] * 4)


async def test_asking_for_external_ids_makes_them(odoo: Odoo):
    one = await odoo.admin.make(PARTNER, name=odoo.mark)
    ask = (PARTNER, "export_data", [one])
    (row,) = (await odoo.admin.call(*ask, fields_to_export=["id"]))["datas"]
    assert row[0].startswith(f"__export__.res_partner_{one}_")
    (again,) = (await odoo.admin.call(*ask, fields_to_export=["id"]))["datas"]
    assert again == row


# Dates


@pytest.mark.parametrize(
    ("granularity", "ranges"),
    [
        ("day", [("2026-01-03", "2026-01-04"), ("2026-01-04", "2026-01-05")]),
        ("week", [("2025-12-28", "2026-01-04"), ("2026-01-04", "2026-01-11")]),
        ("month", [("2026-01-01", "2026-02-01")]),
        ("quarter", [("2026-01-01", "2026-04-01")]),
        ("year", [("2026-01-01", "2027-01-01")]),
    ],
)
async def test_days_are_grouped(
    odoo: Odoo, granularity: str, ranges: list[tuple[str, str]]
):
    for day in ("2026-01-03", "2026-01-04"):  # a Saturday and a Sunday
        await odoo.admin.make("crm.lead", name=odoo.mark, date_deadline=day)
    by = f"date_deadline:{granularity}"
    groups = await odoo.admin.call(
        "crm.lead",
        "read_group",
        [["name", "=", odoo.mark]],
        ["__count"],
        [by],
        lazy=False,
        context=Context(lang="en_US"),
    )
    shown = [
        (group["__range"][by]["from"], group["__range"][by]["to"]) for group in groups
    ]
    assert shown == ranges
    assert sum(group["__count"] for group in groups) == 2


@pytest.mark.parametrize(
    ("days", "label"),
    [
        (("2020-12-31", "2021-01-02"), "W1 2021"),
        (("2026-01-04", "2026-01-10"), "W2 2026"),
        (("2026-12-27", "2027-01-02"), "W1 2027"),
    ],
    ids=str,
)
async def test_the_first_week_is_that_of_the_first_of_january(
    odoo: Odoo, days: tuple[str, ...], label: str
):
    for day in days:
        await odoo.admin.make("crm.lead", name=odoo.mark, date_deadline=day)
    by = ["date_deadline:week"]
    (group,) = await odoo.admin.call(
        "crm.lead",
        "read_group",
        [["name", "=", odoo.mark]],
        ["__count"],
        by,
        lazy=False,
        context=Context(lang="en_US"),
    )
    assert group["date_deadline:week"] == label


async def test_hours_are_cut_in_the_time_zone_of_the_context(odoo: Odoo):
    one = await odoo.admin.make(PARTNER, name=odoo.mark)
    written: str = await odoo.admin.value(PARTNER, one, "create_date")
    by, domain = "create_date:hour", [["id", "=", one]]
    for zone, minute in ("UTC", "00"), ("Asia/Kolkata", "30"):
        (group,) = await odoo.admin.call(
            PARTNER,
            "read_group",
            domain,
            ["__count"],
            [by],
            lazy=False,
            context=Context(tz=zone),
        )
        begin, end = group["__range"][by]["from"], group["__range"][by]["to"]
        assert begin <= written < end
        assert begin[14:] == end[14:] == f"{minute}:00"


async def test_numbers_of_dates_are_grouped(odoo: Odoo):
    await odoo.admin.make("crm.lead", name=odoo.mark, date_deadline="2026-03-15")
    numbers = {
        "year_number": 2026,
        "quarter_number": 1,
        "month_number": 3,
        "iso_week_number": 11,
        "day_of_year": 74,
        "day_of_month": 15,
        "day_of_week": 0,
    }
    for granularity, number in numbers.items():
        by = f"date_deadline:{granularity}"
        (group,) = await odoo.admin.call(
            "crm.lead", "read_group", [["name", "=", odoo.mark]], [], [by], lazy=False
        )
        assert group[by] == number


async def test_a_day_has_no_hour(odoo: Odoo):
    await odoo.admin.make("crm.lead", name=odoo.mark, date_deadline="2026-03-15")
    own, by = [["name", "=", odoo.mark]], ["date_deadline:hour"]
    with pytest.raises(OdooFailed):
        await odoo.admin.call("crm.lead", "read_group", own, [], by, lazy=False)


# Messages


async def posted(odoo: Odoo, **named: Any) -> dict[str, Any]:
    """Post a message on a partner of this test, and read it."""
    one = await odoo.admin.make(PARTNER, name=odoo.mark)
    message = await odoo.admin.call(PARTNER, "message_post", [one], **named)
    odoo.admin.made.append(("mail.message", message))
    fields = ["body", "message_type", "subtype_id", "subject", "partner_ids"]
    (record,) = await odoo.admin.call("mail.message", "read", [message], fields)
    return record


async def test_a_message_is_a_note_unless_told_otherwise(odoo: Odoo):
    record = await posted(odoo, body="hello")
    assert record["subtype_id"][1] == "Note"
    assert record["message_type"] == "notification"
    record = await posted(
        odoo, body="hello", subtype_xmlid="mail.mt_comment", subject="Hi"
    )
    assert (record["subtype_id"][1], record["subject"]) == ("Discussions", "Hi")


async def test_a_message_may_be_html(odoo: Odoo):
    record = await posted(odoo, body="<p>a <b>b</b></p>", body_is_html=True)
    assert record["body"] == "<p>a <b>b</b></p>"


async def test_a_message_takes_no_unknown_argument(odoo: Odoo):
    with pytest.raises(OdooFailed):
        await posted(odoo, body="hello", no_such_argument=1)


# Archiving and copies


async def test_archived_records_are_set_aside_and_come_back(odoo: Odoo):
    one = await odoo.admin.make(PARTNER, name=odoo.mark)
    for method, there in ("action_archive", 0), ("action_unarchive", 1):
        assert not await odoo.admin.call(PARTNER, method, [one])
        own = [["name", "=", odoo.mark]]
        assert await odoo.admin.call(PARTNER, "search_count", own) == there


# Fields of other groups


async def test_a_hidden_field_is_left_out_unless_it_is_named(odoo: Odoo):
    one = await odoo.admin.make(PARTNER, name=odoo.mark)
    fields = await odoo.demo.call(PARTNER, "fields_get", [], ["type"])
    own = {"name", "signup_type"}
    assert own & set(fields) == {"name"}
    ways: list[tuple[str, list[Any], dict[str, Any]]] = [
        ("read", [[one], ["signup_type"]], {}),
        ("write", [[one], {"signup_type": "x"}], {}),
        ("search", [[]], {"order": "signup_type"}),
        ("search", [[["signup_type", "=", "x"]]], {}),
        ("read_group", [[], [], ["signup_type"]], {"lazy": False}),
        ("export_data", [[one]], {"fields_to_export": ["signup_type"]}),
    ]
    for method, args, named in ways:
        with pytest.raises(OdooAccessError, match="signup_type"):
            await odoo.demo.call(PARTNER, method, *args, **named)
