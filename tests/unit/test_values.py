"""Clean values outside, Odoo's inside."""

import base64
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odooport.errors import InvalidRequest
from odooport.groups import group_out, groups_in
from odooport.schema import Field, ModelSchema
from odooport.values import many_in, record_out, values_in

MADE = ModelSchema(
    "made",
    {
        "id": Field("id", "integer"),
        "create_date": Field("create_date", "datetime"),
        "name": Field("name", "char", required=True),
        "code": Field("code", "char", size=3),
        "note": Field("note", "html"),
        "count": Field("count", "integer", required=True),
        "ratio": Field("ratio", "float"),
        "price": Field("price", "float", digits=(16, 2)),
        "total": Field("total", "monetary"),
        "done": Field("done", "boolean", required=True),
        "day": Field("day", "date"),
        "moment": Field("moment", "datetime"),
        "state": Field(
            "state",
            "selection",
            required=True,
            selection=(("draft", "Quotation"), ("sale", "Sales Order")),
        ),
        "tz": Field(
            "tz",
            "selection",
            selection=tuple((f"Z{n}", f"Zone {n}") for n in range(99)),
        ),
        "country_id": Field("country_id", "many2one", relation="res.country"),
        "company_id": Field(
            "company_id", "many2one", relation="res.company", required=True
        ),
        "line_ids": Field("line_ids", "one2many", relation="made"),
        "tag_ids": Field("tag_ids", "many2many", relation="tag"),
        "res_id": Field("res_id", "many2one_reference"),
        "document": Field(
            "document", "reference", selection=(("res.partner", "Contact"),)
        ),
        "image": Field("image", "binary"),
        "extra": Field("extra", "json"),
        "properties": Field("properties", "properties"),
    },
)


async def look_up(model):
    if model == "made":
        return MADE
    raise InvalidRequest(f"There is no model {model!r} here.")


async def written(values, *, creating=False, pointer=""):
    return await values_in(MADE, values, look_up, creating=creating, pointer=pointer)


# Out


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("name", False, None),
        ("name", "x", "x"),
        ("name", None, None),
        ("note", "<p>x</p>", "<p>x</p>"),
        ("done", False, False),
        ("done", True, True),
        ("done", None, False),
        ("count", 0, 0),
        ("count", False, None),
        ("ratio", 0.0, 0.0),
        ("ratio", 0.1 + 0.2, 0.1 + 0.2),
        ("price", 0.1 + 0.2, 0.3),
        ("price", 3, 3),
        ("total", 377.49999999999994, 377.5),
        ("total", -0.0, 0.0),
        ("day", "2026-11-22", "2026-11-22"),
        ("day", False, None),
        ("moment", "2026-11-22 16:29:54", "2026-11-22T16:29:54Z"),
        ("moment", False, None),
        ("state", False, None),
        ("country_id", [20, "Belgium"], {"id": 20, "name": "Belgium"}),
        ("country_id", (20, "Belgium"), {"id": 20, "name": "Belgium"}),
        ("country_id", [20, False], {"id": 20, "name": None}),
        ("country_id", 20, {"id": 20, "name": None}),
        ("country_id", False, None),
        ("tag_ids", [], []),
        ("tag_ids", [3, 4], [3, 4]),
        ("tag_ids", [[6, 0, [3, 4]]], [3, 4]),
        ("tag_ids", [(6, 0, []), (4, 2, 0), (4, 5)], [2, 5]),
        ("line_ids", [[0, 0, {"name": "x"}]], [[0, 0, {"name": "x"}]]),
        ("res_id", 0, None),
        ("res_id", 7, 7),
        ("document", "res.partner,3", {"model": "res.partner", "id": 3}),
        ("document", False, None),
        ("image", "aGk=", "aGk="),
        ("image", False, None),
        ("extra", {"a": False}, {"a": False}),
        (
            "properties",
            [{"name": "a", "value": False}],
            [{"name": "a", "value": False}],
        ),
        ("unknown", [1, "x"], [1, "x"]),
        ("unknown", False, False),
    ],
)
def test_a_value_of_odoo_becomes_a_clean_one(name, inside, outside):
    clean = record_out(MADE, {name: inside})[name]
    assert clean == outside
    assert type(clean) is type(outside)
    assert str(clean) == str(outside)


def test_recorded_records_become_clean(partner, schema_of, answer_of):
    first = record_out(partner, answer_of("search-read")[0])
    assert first["country_id"] == {"id": 233, "name": "United States"}
    assert first["write_date"] == "2026-11-22T16:29:54Z"
    assert first["category_id"] == []
    assert first["active"] is True
    assert record_out(partner, answer_of("read")[0])["tz"] is None
    lead = record_out(schema_of("crm.lead"), answer_of("read-html-and-date")[0])
    assert lead["description"] is None
    assert lead["date_deadline"] is None
    assert lead["lead_properties"] == []
    assert lead["probability"] == 33.14


async def test_what_was_read_can_be_written_back(partner, schemas, answer_of):
    read = answer_of("read-all-fields")[0]
    kept = {
        name
        for name, field in partner.fields.items()
        if name not in {"id", "create_uid", "create_date", "write_uid", "write_date"}
        and field.type != "binary"  # the recording holds their sizes in their place
    }
    for record in (read, record_out(partner, read)):
        values = {name: record[name] for name in record.keys() & kept}
        sent = await values_in(partner, values, schemas, creating=False)
        assert len(sent) > 150
        assert sent["country_id"] == 233
        assert sent["parent_id"] is False
        assert sent["child_ids"] == [[6, 0, read["child_ids"]]]


# In


@pytest.mark.parametrize(
    ("name", "outside", "inside"),
    [
        ("name", "x", "x"),
        ("code", "abc", "abc"),
        ("code", None, False),
        ("code", False, False),
        ("code", "", ""),
        ("note", "<p>ü 🚀</p>", "<p>ü 🚀</p>"),
        ("count", 3, 3),
        ("count", None, False),
        ("ratio", 0.5, 0.5),
        ("ratio", 3, 3),
        ("total", "12.50", 12.5),
        ("total", "-3", -3.0),
        ("total", 12, 12),
        ("total", None, False),
        ("done", True, True),
        ("done", False, False),
        ("done", None, False),
        ("day", "2026-11-22", "2026-11-22"),
        ("day", date(2026, 11, 22), "2026-11-22"),
        ("day", None, False),
        ("moment", "2026-11-22T16:29:54Z", "2026-11-22 16:29:54"),
        ("moment", "2026-11-22 16:29:54", "2026-11-22 16:29:54"),
        ("moment", "2026-11-22T16:29", "2026-11-22 16:29:00"),
        ("moment", "2026-11-22T16:29:54.999Z", "2026-11-22 16:29:54"),
        ("moment", "2026-11-22T23:00:00-05:00", "2026-11-23 04:00:00"),
        (
            "moment",
            datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=1))),
            "2026-11-22 00:00:00",
        ),
        ("moment", datetime(2026, 11, 22, 1), "2026-11-22 01:00:00"),
        ("moment", datetime(987, 1, 2, tzinfo=UTC), "0987-01-02 00:00:00"),
        ("state", "sale", "sale"),
        ("country_id", 20, 20),
        ("country_id", {"id": 20, "name": "Belgium"}, 20),
        ("country_id", [20, "Belgium"], 20),
        ("country_id", (20, "Belgium"), 20),
        ("country_id", None, False),
        ("country_id", False, False),
        ("tag_ids", [3, 4], [[6, 0, [3, 4]]]),
        ("tag_ids", [{"id": 3, "name": "vip"}, 4], [[6, 0, [3, 4]]]),
        ("tag_ids", [], [[6, 0, []]]),
        ("tag_ids", [[4, 3]], [[4, 3, 0]]),
        ("tag_ids", [(4, 3, 0), [3, 5, None]], [[4, 3, 0], [3, 5, 0]]),
        ("tag_ids", [[5], [6, 0, [{"id": 1}, 2]]], [[5, 0, 0], [6, 0, [1, 2]]]),
        (
            "line_ids",
            [[0, "virtual_1", {"name": "a", "total": "1.5"}], [2, 8, False]],
            [[0, 0, {"name": "a", "total": 1.5}], [2, 8, 0]],
        ),
        (
            "line_ids",
            [[1, 7, {"line_ids": [[0, 0, {"country_id": [20, "Belgium"]}]]}]],
            [[1, 7, {"line_ids": [[0, 0, {"country_id": 20}]]}]],
        ),
        ("res_id", 5, 5),
        ("res_id", None, False),
        ("document", "res.partner,3", "res.partner,3"),
        ("document", {"model": "res.partner", "id": 3}, "res.partner,3"),
        ("document", None, False),
        ("image", "aGk=", "aGk="),
        ("image", "aG\nk=", "aGk="),
        ("image", b"hi", "aGk="),
        ("image", None, False),
        ("extra", {"a": [1, None]}, {"a": [1, None]}),
        ("properties", [], []),
    ],
)
async def test_a_clean_value_becomes_odoos(name, outside, inside):
    sent = (await written({name: outside}))[name]
    assert sent == inside
    assert type(sent) is type(inside)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("nmae", "x", "has no field 'nmae'.*Did you mean 'name'"),
        ("id", 5, "'id' is set by Odoo"),
        ("create_date", "2026-11-22T16:29:54Z", "'create_date' is set by Odoo"),
        ("write_uid", 1, "'write_uid' is set by Odoo"),
        ("name", None, "'name' is required"),
        ("name", "", "'name' is required"),
        ("name", 5, "'name' is a char field: send text, not 5"),
        ("name", True, "'name' is a char field"),
        ("name", ["x"], "'name' is a char field"),
        ("name", "a\x00", "NUL"),
        ("name", "a\ud83d", "surrogate"),
        ("code", "abcd", "holds 3 characters; this text has 4"),
        ("count", "7", "'count' is an integer: send a whole number, not '7'"),
        ("count", 7.0, "'count' is an integer"),
        ("count", True, "'count' is an integer"),
        ("count", False, "send a number, not false"),
        ("count", 2**31, "beyond"),
        ("count", -(10**400), "a very large integer"),
        ("ratio", "0.5", "'ratio' is a float field"),
        ("ratio", True, "'ratio' is a float field"),
        ("ratio", float("inf"), "finite"),
        ("ratio", 10**400, "finite"),
        ("total", "12,50", "decimal as text such as '12.50'"),
        ("total", "1e5", "decimal as text"),
        ("total", "", "decimal as text"),
        ("total", float("nan"), "finite"),
        ("done", "false", "'done' is a boolean: send true or false, not 'false'"),
        ("done", 1, "'done' is a boolean"),
        ("day", "2026-11-22T00:00:00", "without a time"),
        ("day", "2026-02-30", "not a day of the calendar"),
        ("day", "20261122", "YYYY-MM-DD"),
        ("day", "", "YYYY-MM-DD"),
        ("moment", "2026-11-22", "ISO 8601"),
        ("moment", "2026-11-22T25:00:00", "not a moment"),
        ("moment", "now", "ISO 8601"),
        ("moment", "", "ISO 8601"),
        ("moment", "9999-12-31T23:00:00-05:00", "outside of the calendar"),
        ("state", "Sales Order", "did you mean 'sale'.*'draft', 'sale'"),
        ("state", "slae", "did you mean 'sale'"),
        ("state", 1, "1 is not a value of 'state'"),
        ("state", None, "'state' is required"),
        ("tz", "Z1000", "'Z19' and 79 more"),
        ("country_id", "Belgium", "search res.country for its id and send that"),
        ("country_id", "20", "search res.country for its id"),
        ("country_id", "", "search res.country for its id"),
        ("country_id", {"name": "Belgium"}, "search res.country for its id"),
        ("country_id", ["20", "Belgium"], "search res.country for its id"),
        ("country_id", [20], "search res.country for its id"),
        ("country_id", True, "search res.country for its id"),
        ("country_id", 20.0, "search res.country for its id"),
        ("country_id", 0, "ids go from 1"),
        ("country_id", -1, "ids go from 1"),
        ("country_id", 2**31, "ids go from 1"),
        ("company_id", None, "'company_id' is required"),
        ("tag_ids", None, "an empty list removes all"),
        ("tag_ids", 3, "takes a list of ids"),
        ("tag_ids", "3", "takes a list of ids"),
        ("tag_ids", ["vip"], "takes ids of 'tag' records, not 'vip'"),
        ("tag_ids", [{"name": "vip"}], r"send the command \[0, 0,"),
        ("tag_ids", [True], "takes ids of 'tag'"),
        ("document", "res.partner", "is a reference"),
        ("document", "sale.order,3", "not a value of 'document'"),
        ("document", {"model": "res.partner"}, "is a reference"),
        ("image", "not base64!", "is not base64"),
        ("image", "data:image/png;base64,aGk=", "without a 'data:' prefix"),
        ("image", 5, "base64 text, not 5"),
        ("extra", {1, 2}, "is not JSON"),
        ("extra", float("nan"), "is not JSON"),
    ],
)
async def test_a_wrong_value_is_refused_and_says_what_is_right(name, value, told):
    with pytest.raises(InvalidRequest, match=told) as caught:
        await written({name: value})
    assert [problem.pointer for problem in caught.value.problems] == [f"/{name}"]
    assert f"'made' is wrong at /{name}: " in caught.value.message


@pytest.mark.parametrize(
    ("commands", "pointer", "told"),
    [
        ([[4, 3], 4], "/line_ids/1", "not both"),
        ([[7, 3, 0]], "/line_ids/0", "is no command"),
        ([[-1, 3, 0]], "/line_ids/0", "is no command"),
        ([[True, 3, 0]], "/line_ids/0", "is no command"),
        ([["create", 0, {}]], "/line_ids/0", "is no command"),
        ([[]], "/line_ids/0", "is no command"),
        ([[0, 0, {}, 1]], "/line_ids/0", "is no command"),
        ([[4, "Belgium"]], "/line_ids/0", "is no command"),
        ([[4, True, 0]], "/line_ids/0", "takes ids of 'made'"),
        ([[4]], "/line_ids/0", "takes ids of 'made'"),
        ([[6, 0, 3]], "/line_ids/0", "takes a list of ids"),
        ([[6, 0, ["x"]]], "/line_ids/0", "is no command|takes ids"),
        ([[0, 0, [1]]], "/line_ids/0/2", "fields with values"),
        ([[0, 0]], "/line_ids/0/2", "fields with values"),
        ([[1, 0, {}]], "/line_ids/0", "ids go from 1"),
        ([[4, 1], [0, 0, {"name": ""}]], "/line_ids/1/2/name", "is required"),
        ([[1, 4, {"done": "no"}]], "/line_ids/0/2/done", "is a boolean"),
    ],
)
async def test_a_wrong_command_is_refused_at_its_place(commands, pointer, told):
    with pytest.raises(InvalidRequest, match=told) as caught:
        await written({"line_ids": commands})
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


@pytest.mark.parametrize("code", [1, 2, 3])
async def test_a_new_record_has_no_lines_to_change(code):
    with pytest.raises(InvalidRequest, match="A new record has no 'line_ids' yet"):
        await written({"line_ids": [[code, 5, {}]]}, creating=True)


async def test_commands_nest_only_so_deep():
    values = {"name": "x"}
    for _ in range(30):
        values = {"line_ids": [[0, 0, values]]}
    with pytest.raises(InvalidRequest, match="nest deeper than 16"):
        await written(values)


async def test_a_command_into_a_model_that_nobody_knows_is_refused():
    with pytest.raises(InvalidRequest, match="no model 'tag'"):
        await written({"tag_ids": [[0, 0, {"name": "x"}]]})


async def test_all_problems_of_a_record_are_told_at_once():
    with pytest.raises(InvalidRequest) as caught:
        await written(
            {
                "name": "",
                "done": "false",
                "ratio": 1,
                "line_ids": [[0, 0, {"day": "x", "coutry_id": 1}], [9]],
            },
            pointer="/values",
        )
    assert [problem.pointer for problem in caught.value.problems] == [
        "/values/name",
        "/values/done",
        "/values/line_ids/0/2/day",
        "/values/line_ids/0/2/coutry_id",
        "/values/line_ids/1",
    ]
    assert "has 5 problems" in caught.value.message


async def test_problems_in_a_list_of_records_name_the_record():
    rows = [{"name": "a"}, {"name": None}, ["x"], {"a/b": 1}]
    with pytest.raises(InvalidRequest) as caught:
        await many_in(MADE, rows, look_up, creating=True)
    assert [problem.pointer for problem in caught.value.problems] == [
        "/1/name",
        "/2",
        "/3/a~1b",
    ]


async def test_many_records_are_converted_in_order():
    rows = [{"name": "a", "country_id": {"id": 2}}, {"name": "b"}]
    assert await many_in(MADE, rows, look_up, creating=True) == [
        {"name": "a", "country_id": 2},
        {"name": "b"},
    ]


async def test_the_values_given_stay_as_they_were():
    given_values = {"country_id": [20, "Belgium"], "line_ids": [[0, 0, {"name": "x"}]]}
    await written(given_values)
    assert given_values == {
        "country_id": [20, "Belgium"],
        "line_ids": [[0, 0, {"name": "x"}]],
    }


async def test_writing_a_country_by_name_is_refused_on_the_real_schema(
    partner, schemas
):
    with pytest.raises(InvalidRequest, match="'country_id' takes the id of a"):
        await values_in(partner, {"country_id": "Belgium"}, schemas, creating=False)


@given(st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC)))
async def test_a_moment_survives_the_way_in_and_out(moment):
    sent = await written({"moment": moment.isoformat()})
    clean = record_out(MADE, sent)["moment"]
    assert datetime.fromisoformat(clean) == moment.replace(microsecond=0)


@given(st.binary(max_size=50))
async def test_bytes_survive_the_way_in(content):
    sent = await written({"image": content})
    assert base64.b64decode(sent["image"]) == content
    assert await written({"image": sent["image"]}) == sent


# Groups


def test_groups_are_asked_for_in_odoos_words(order):
    grouping = groups_in(
        order,
        ["date_order:month", "state"],
        [
            "__count",
            "amount_total:sum",
            "amount_total:avg",
            "partner_id:count_distinct",
        ],
        "amount_total:sum DESC, state asc nulls last, __count",
    )
    assert grouping.groupby == ("date_order:month", "state")
    assert grouping.fields == (
        "__sum__amount_total:sum(amount_total)",
        "__avg__amount_total:avg(amount_total)",
        "__count_distinct__partner_id:count_distinct(partner_id)",
    )
    assert grouping.order == "amount_total:sum DESC, state asc nulls last, __count"


@pytest.mark.parametrize(
    ("groupby", "aggregates", "order_text", "pointer", "told"),
    [
        (["stat"], [], None, "/groupby/0", "Did you mean 'state'"),
        (["state", "partner_id.name"], [], None, "/groupby/1", "is a path"),
        (["order_line"], [], None, "/groupby/0", "cannot be grouped by 'order_line'"),
        (["tax_totals"], [], None, "/groupby/0", "cannot be grouped by"),
        (["date_order"], [], None, "/groupby/0", "grouped by one of hour, day, week"),
        (["date_order:months"], [], None, "/groupby/0", "such as 'date_order:month'"),
        (["validity_date:hour"], [], None, "/groupby/0", "grouped by one of day"),
        (["state:month"], [], None, "/groupby/0", "only dates have a granularity"),
        ([3], [], None, "/groupby/0", "named by text"),
        ([], ["amount_totl:sum"], None, "/aggregates/0", "Did you mean 'amount_total'"),
        (
            [],
            ["amount_total"],
            None,
            "/aggregates/0",
            "amount_total:sum, amount_total:",
        ),
        ([], ["amount_total:median"], None, "/aggregates/0", "say what to make of"),
        ([], ["state:sum"], None, "/aggregates/0", "state:min, state:max, state:count"),
        ([], ["partner_id:max"], None, "/aggregates/0", "partner_id:count, "),
        ([], ["order_line:count"], None, "/aggregates/0", "cannot be aggregated"),
        ([], ["tax_totals:count"], None, "/aggregates/0", "cannot be aggregated"),
        ([], ["partner_id.id:count"], None, "/aggregates/0", "is a path"),
        (["state"], [], "partner_id", "/order", "use some of state, __count"),
        (["state"], [], "state down", "/order", "cannot be ordered by 'state down'"),
        (["state"], [], "", "/order", "cannot be ordered by ''"),
        (["date_order:day"], [], "date_order", "/order", "use some of date_order:day"),
    ],
)
def test_a_wrong_grouping_is_refused_and_says_what_is_right(
    order, groupby, aggregates, order_text, pointer, told
):
    with pytest.raises(InvalidRequest, match=told) as caught:
        groups_in(order, groupby, aggregates, order_text)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_asking_twice_for_one_thing_answers_it_once(order):
    grouping = groups_in(order, ["state", "state"], ["__count", "amount_total:sum"] * 2)
    assert (len(grouping.groups), len(grouping.aggregates)) == (1, 1)


def test_a_recorded_group_of_a_relation_becomes_clean(partner, answer_of):
    grouping = groups_in(partner, ["country_id"], ["__count"])
    assert group_out(grouping, answer_of("read-group")[0]) == {
        "country_id": {"id": 20, "name": "Belgium"},
        "__count": 2003,
    }


def test_a_recorded_group_of_a_month_becomes_clean(order, answer_of):
    grouping = groups_in(order, ["date_order:month", "state"], ["amount_total:sum"])
    row = answer_of("read-group-month")[0]
    row = {**row, "__sum__amount_total": row["amount_total"]}
    assert group_out(grouping, row) == {
        "date_order:month": {
            "from": "2026-10-01T00:00:00Z",
            "to": "2026-11-01T00:00:00Z",
            "label": "October 2026",
        },
        "state": "draft",
        "__count": 2,
        "amount_total:sum": 4687.5,
    }


def test_groups_of_nothing_are_null_and_numbers_stay_numbers():
    grouping = groups_in(
        MADE,
        ["day:month", "moment:hour_number", "country_id", "done", "state", "id"],
        ["count:sum", "ratio:avg", "name:count", "done:bool_or", "moment:max"],
    )
    row = {
        "day:month": False,
        "moment:hour_number": 0,
        "country_id": False,
        "done": False,
        "state": False,
        "id": [5, "five"],
        "__count": 3,
        "__sum__count": False,
        "__avg__ratio": 0.125,
        "__count__name": 0,
        "__bool_or__done": False,
        "__max__moment": "2026-11-22 16:29:54",
        "__range": {"day:month": False},
        "__domain": [],
    }
    assert group_out(grouping, row) == {
        "day:month": None,
        "moment:hour_number": 0,
        "country_id": None,
        "done": False,
        "state": None,
        "id": {"id": 5, "name": "five"},
        "__count": 3,
        "count:sum": None,
        "ratio:avg": 0.125,
        "name:count": 0,
        "done:bool_or": False,
        "moment:max": "2026-11-22T16:29:54Z",
    }
