"""Single values: clean ones outside, Odoo's inside."""

import base64
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odooport.errors import InvalidRequest
from odooport.schema import Field, ModelSchema
from odooport.values import record_out, value_in

MADE = ModelSchema(
    "made",
    {
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
        "line_ids": Field("line_ids", "one2many", relation="made"),
        "tag_ids": Field("tag_ids", "many2many", relation="tag"),
        "res_id": Field("res_id", "many2one_reference"),
        "document": Field(
            "document", "reference", selection=(("res.partner", "Contact"),)
        ),
        "image": Field("image", "binary"),
        "extra": Field("extra", "json"),
        "properties": Field(
            "properties",
            "properties",
            definition_record="team_id",
            definition_record_field="definitions",
        ),
        "definitions": Field("definitions", "properties_definition"),
    },
)

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
        ("properties", [], {}),
        ("properties", False, None),
        ("properties", "odd", "odd"),
        (
            "properties",
            [
                {"name": "aa", "string": "Colour", "type": "char", "value": "red"},
                {"name": "bb", "string": "Size", "type": "integer", "value": 3},
                {
                    "name": "cc",
                    "string": "When",
                    "type": "datetime",
                    "value": "2026-11-22 10:00:00",
                },
                {"name": "dd", "string": "Day", "type": "date", "value": "2026-11-22"},
                {
                    "name": "ee",
                    "string": "Country",
                    "type": "many2one",
                    "value": [20, "Belgium"],
                },
                {
                    "name": "ff",
                    "string": "Tags",
                    "type": "many2many",
                    "value": [[3, "VIP"], [4, None]],
                },
                {"name": "gg", "string": "Kind", "type": "selection", "value": "a"},
                {"name": "hh", "string": "Marks", "type": "tags", "value": ["x"]},
                {"name": "ii", "string": "A heading", "type": "separator"},
                {"name": "jj", "string": "Done", "type": "boolean", "value": False},
                {"name": "kk", "string": "Ratio", "type": "float", "value": 0.5},
                {"name": "ll", "string": "Twice", "type": "char", "value": "one"},
                {"name": "mm", "string": "Twice", "type": "char", "value": "two"},
                {"name": "nn", "string": "aa", "type": "char", "value": False},
                {"name": "oo", "type": "char", "value": False},
                {"name": "pp", "string": "Open", "type": "selection", "value": False},
            ],
            {
                "Colour": "red",
                "Size": 3,
                "When": "2026-11-22T10:00:00Z",
                "Day": "2026-11-22",
                "Country": {"id": 20, "name": "Belgium"},
                "Tags": [{"id": 3, "name": "VIP"}, {"id": 4, "name": None}],
                "Kind": "a",
                "Marks": ["x"],
                "Done": False,
                "Ratio": 0.5,
                "ll": "one",
                "mm": "two",
                "nn": None,
                "oo": None,
                "Open": None,
            },
        ),
        (
            "properties",
            [
                {"name": "a", "string": "No", "type": "boolean", "value": None},
                {"name": "b", "string": "None", "type": "integer", "value": False},
                {"name": "c", "string": "Zero", "type": "integer", "value": 0},
                {"name": "d", "string": "Tags", "type": "tags", "value": False},
                {"name": "e", "string": "All", "type": "many2many", "value": None},
            ],
            {"No": False, "None": None, "Zero": 0, "Tags": [], "All": []},
        ),
        ("definitions", False, None),
        (
            "definitions",
            [
                {
                    "name": "ee",
                    "type": "many2one",
                    "string": "Country",
                    "comodel": "res.country",
                    "default": [20, "Belgium"],
                }
            ],
            [
                {
                    "name": "ee",
                    "label": "Country",
                    "type": "many2one",
                    "comodel": "res.country",
                    "default": {"id": 20, "name": "Belgium"},
                }
            ],
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
    assert lead["lead_properties"] == {}
    assert lead["probability"] == 33.14


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
        ("definitions", [], []),
        (
            "definitions",
            [{"name": "a", "label": "A", "type": "many2one", "default": {"id": 3}}],
            [{"name": "a", "type": "many2one", "string": "A", "default": 3}],
        ),
        (
            "definitions",
            [{"name": "a", "string": "A", "type": "char", "default": None}],
            [{"name": "a", "string": "A", "type": "char", "default": False}],
        ),
    ],
)
def test_a_clean_value_becomes_odoos(name, outside, inside):
    sent = value_in(MADE.field(name), outside)
    assert sent == inside
    assert type(sent) is type(inside)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("name", None, "'name' is required"),
        ("name", "", "'name' is required"),
        ("name", 5, "'name' is a char field: send text such as 'Some text', not 5"),
        ("name", True, "'name' is a char field"),
        ("name", ["x"], "'name' is a char field"),
        ("name", "a\x00", "NUL"),
        ("name", "a\ud83d", "surrogate"),
        ("code", "abcd", "holds 3 characters; this text has 4"),
        ("count", "7", "'count' is an integer: send a whole number such as 7, not '7'"),
        ("count", 7.0, "'count' is an integer"),
        ("count", True, "'count' is an integer"),
        ("count", False, "send a number such as 0, not false"),
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
        ("definitions", "x", "send a list such as"),
        ("definitions", [{"name": "a"}], "send a list such as"),
        ("document", "res.partner", "is a reference"),
        ("document", "sale.order,3", "not a value of 'document'"),
        ("document", {"model": "res.partner"}, "is a reference"),
        ("image", "not base64!", "is not base64"),
        ("image", "data:image/png;base64,aGk=", "without a 'data:' prefix"),
        ("image", 5, "base64 text such as 'aGVsbG8=', not 5"),
        ("extra", {1, 2}, "is not JSON"),
        ("extra", float("nan"), "is not JSON"),
        ("extra", {"a": ["b\x00"]}, "The text for 'extra' has a NUL character"),
        ("extra", {"a\x00": 1}, "NUL"),
        ("extra", ["a", ("b\ud83d",)], "is not valid Unicode at character 1"),
        ("extra", {"\udc00": 1}, "half of a surrogate pair"),
        (
            "definitions",
            [{"name": "a", "label": "A\x00", "type": "char"}],
            "The text for 'definitions' has a NUL character",
        ),
    ],
)
def test_a_wrong_value_is_refused_and_says_what_is_right(name, value, told):
    with pytest.raises(InvalidRequest, match=told):
        value_in(MADE.field(name), value)


def test_json_may_hold_any_other_text_and_nest_deeply():
    nested: list[object] = []
    for _ in range(500):
        nested = [nested]
    value = {"ü 🚀 \\u0000": nested}
    assert value_in(MADE.field("extra"), value) is value


@given(st.datetimes(min_value=datetime(1, 1, 2), timezones=st.just(UTC)))
def test_a_moment_survives_the_way_in_and_out(moment):
    sent = value_in(MADE.field("moment"), moment.isoformat())
    clean = record_out(MADE, {"moment": sent})["moment"]
    assert datetime.fromisoformat(clean) == moment.replace(microsecond=0)


@given(st.binary(max_size=50))
def test_bytes_survive_the_way_in(content):
    image = MADE.field("image")
    sent = value_in(image, content)
    assert base64.b64decode(sent) == content
    assert value_in(image, sent) == sent
