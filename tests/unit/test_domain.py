"""Odoo's search filter: read, checked, combined."""

import json
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odooport.domain import MAX_DEPTH, MAX_ITEMS, MAX_STEPS, OPERATORS, Domain
from odooport.errors import InvalidRequest
from odooport.schema import Field, ModelSchema

NAME = ["name", "=", "x"]
CITY = ["city", "ilike", "y"]
ACTIVE = ["active", "=", True]


def problems_of(raw):
    with pytest.raises(InvalidRequest) as caught:
        Domain.parse(raw)
    return {problem.pointer: problem.message for problem in caught.value.problems}


def nested(depth):
    raw = [NAME]
    for _ in range(depth):
        raw = [["child_ids", "any", raw]]
    return raw


# Reading


@pytest.mark.parametrize(
    ("raw", "wire"),
    [
        (None, []),
        ([], []),
        ((), []),
        ([NAME], [NAME]),
        ([tuple(NAME)], [NAME]),
        ([NAME, CITY], ["&", NAME, CITY]),
        ([NAME, CITY, ACTIVE], ["&", "&", NAME, CITY, ACTIVE]),
        (["|", NAME, CITY, ACTIVE], ["&", "|", NAME, CITY, ACTIVE]),
        ([ACTIVE, "!", "|", NAME, CITY], ["&", ACTIVE, "!", "|", NAME, CITY]),
        ([[1, "=", 1]], []),
        ([[0, "=", 1]], [[0, "=", 1]]),
        (["|", NAME, (0, "=", 1)], ["|", NAME, [0, "=", 1]]),
        ([["id", "in", (1, 2)]], [["id", "in", [1, 2]]]),
        ([["child_ids", "any", []]], [["child_ids", "any", []]]),
        (
            [["child_ids", "not any", [NAME, CITY]]],
            [["child_ids", "not any", ["&", NAME, CITY]]],
        ),
        ([["child_ids", "any", Domain.parse([NAME])]], [["child_ids", "any", [NAME]]]),
        (
            [["country_id", "=", {"id": 20, "name": "Belgium"}]],
            [["country_id", "=", 20]],
        ),
        (
            [["country_id", "in", [[20, "Belgium"], 21]]],
            [["country_id", "in", [20, 21]]],
        ),
        ([["date", "=", date(2026, 11, 22)]], [["date", "=", "2026-11-22"]]),
        (
            [
                [
                    "x",
                    "=",
                    datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=2))),
                ]
            ],
            [["x", "=", "2026-11-21 23:00:00"]],
        ),
    ],
)
def test_a_list_is_read_and_put_in_prefix_form(raw, wire):
    assert Domain.parse(raw).to_wire() == wire


@pytest.mark.parametrize(
    "text",
    [
        '["|", ["active", "=", true], ["parent_id", "=", null]]',
        "['|', ('active', '=', True), ('parent_id', '=', None)]",
        " [ '|',['active','=',True], ['parent_id','=',None]]\n",
        "('|', ('active', '=', True), ('parent_id', '=', None))",
    ],
)
def test_json_and_python_text_are_read_alike(text):
    assert Domain.parse(text).to_wire() == [
        "|",
        ["active", "=", True],
        ["parent_id", "=", None],
    ]


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_of_odoo_18_is_known(operator):
    value = [NAME] if operator.endswith("any") else "x"
    assert Domain.of("name", operator, value).to_wire() == [["name", operator, value]]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("", "empty text"),
        ("   ", "empty text"),
        ("{}", "must hold a list"),
        ("null", "must hold a list"),
        ("None", "must hold a list"),
        ("0", "must hold a list"),
        ("'x'", "must hold a list"),
        ("[('user_id', '=', uid)]", "neither JSON nor a Python literal"),
        ("[('a', '=', 1)", "neither JSON nor a Python literal"),
        ("__import__('os').system('true')", "neither JSON nor a Python literal"),
        ("[" * 100_000, "nested too deeply"),
        ("-" * 100_000 + "1", "nested too deeply"),
        ("x" * 300_000, "may have 200000 characters"),
        (" " * 3_000_000, "2000000 is the most"),
        ({}, "a list of terms"),
        ({"name": "x"}, "a list of terms"),
        (False, "a list of terms"),
        (0, "a list of terms"),
        (b"[]", "a list of terms"),
    ],
)
def test_what_is_no_list_is_refused_and_never_matches_everything(raw, told):
    with pytest.raises(InvalidRequest, match=told):
        Domain.parse(raw)


@pytest.mark.parametrize(
    ("raw", "pointer", "told"),
    [
        (["name", "=", "x"], "", r"send \[\['name', '=', 'x'\]\]"),
        ("['name', '=', 'x']", "", "This is one term"),
        (["name", "ILIKE", "x"], "", "This is one term"),
        (["id", "in", [1, 2]], "", "This is one term"),
        ([1, "=", 1], "", "This is one term"),
        ([["a", "any", ["b", "=", "c"]]], "/0/2", "This is one term"),
        (["|", NAME], "/0", "1 more is missing"),
        ([NAME, "&"], "/1", "2 more are missing"),
        (["&", "|", NAME], "/1", "2 more are missing"),
        (["!"], "/0", "before its one term"),
        ([NAME, "AND", CITY], "/1", "did you mean '&'"),
        ([NAME, "or", CITY], "/1", r"did you mean '\|'"),
        ([NAME, "not", CITY], "/1", "did you mean '!'"),
        ([NAME, "name"], "/1", "A term is a list of three"),
        ([NAME, 7], "/1", "7 is neither a term"),
        ([NAME, None], "/1", "None is neither a term"),
        ([NAME, {"name": "x"}], "/1", "is neither a term"),
        ([[]], "/0", "An empty list is no term"),
        ([["name", "="]], "/0", "has 2"),
        ([["name", "=", "x", "y"]], "/0", "has 4"),
        ([[NAME, CITY, ACTIVE]], "/0", "A list of terms cannot stand here"),
        ([[5, "=", 1]], "/0/0", "named by text, not 5"),
        ([[None, "=", 1]], "/0/0", "named by text"),
        ([["", "=", 1]], "/0/0", "'' is no field"),
        ([["na me", "=", 1]], "/0/0", "is no field"),
        ([["name.", "=", 1]], "/0/0", "is no field"),
        ([[".name", "=", 1]], "/0/0", "is no field"),
        ([["1name", "=", 1]], "/0/0", "is no field"),
        ([["näme", "=", 1]], "/0/0", "is no field"),
        ([[".".join(["a"] * (MAX_STEPS + 1)), "=", 1]], "/0/0", "more than 16 steps"),
        ([NAME, CITY, ["name", "similar", "x"]], "/2/1", "did you mean"),
        ([["name", "ILIKE", "x"]], "/0/1", "did you mean 'ilike'"),
        ([["name", "IN", ["x"]]], "/0/1", "did you mean 'in'"),
        ([["name", "Not  In", ["x"]]], "/0/1", "did you mean 'not in'"),
        ([["name", "not_in", ["x"]]], "/0/1", "did you mean 'not in'"),
        ([["name", "child of", ["x"]]], "/0/1", "did you mean 'child_of'"),
        ([["name", "<>", "x"]], "/0/1", "did you mean '!='"),
        ([["name", "==", "x"]], "/0/1", "did you mean '='"),
        ([["name", "contains", "x"]], "/0/1", "did you mean 'ilike'"),
        ([["name", "=likee", "x"]], "/0/1", "did you mean '=like'"),
        ([["name", "", "x"]], "/0/1", "did you mean"),
        ([["name", None, "x"]], "/0/1", "An operator is text"),
        ([["name", ["="], "x"]], "/0/1", "An operator is text"),
        ([["a", "any", "x"]], "/0/2", "'any' takes a domain"),
        ([["a", "not any", None]], "/0/2", "'not any' takes a domain"),
        ([["a", "any", [["b", "any", [["c", "~~", 1]]]]]], "/0/2/0/2/0/1", "mean"),
        ([["a", "=", {"name": "x"}]], "/0/2", "cannot be compared with"),
        ([["a", "=", {1, 2}]], "/0/2", "cannot be compared with"),
        ([["a", "=", b"x"]], "/0/2", "cannot be compared with"),
        ([["a", "=", float("nan")]], "/0/2", "cannot be compared with"),
        ("[['a', '=', 1e999]]", "/0/2", "cannot be compared with"),
        ([["a", "in", [1, [2, 3]]]], "/0/2/1", "cannot be compared with"),
    ],
)
def test_a_wrong_domain_names_the_place_and_what_would_be_right(raw, pointer, told):
    with pytest.raises(InvalidRequest, match=told) as caught:
        Domain.parse(raw)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert f"at {pointer}:" in caught.value.message or not pointer


def test_an_unknown_operator_is_answered_with_all_that_there_are():
    with pytest.raises(InvalidRequest) as caught:
        Domain.parse([["name", "similar", "x"]])
    assert all(operator in caught.value.message for operator in OPERATORS)


def test_all_problems_are_told_at_once():
    found = problems_of([["a", "~~", 1], NAME, ["b"], 3, ["c", "any", [["d", "=="]]]])
    assert list(found) == ["/0/1", "/2", "/3", "/4/2/0"]


def test_the_message_of_many_problems_stays_short():
    with pytest.raises(InvalidRequest) as caught:
        Domain.parse([["a"]] * 500)
    assert len(caught.value.problems) == 500
    assert len(caught.value.message) < 2000
    assert "And 490 more." in caught.value.message


def test_a_huge_value_is_not_repeated_in_the_message():
    with pytest.raises(InvalidRequest) as caught:
        Domain.parse([["name", "similar", "x" * 1_000_000]])
    assert len(caught.value.message) < 1000


def test_depth_and_size_are_bounded():
    assert Domain.parse(nested(MAX_DEPTH))
    with pytest.raises(InvalidRequest, match="deeper than"):
        Domain.parse(nested(MAX_DEPTH + 1))
    with pytest.raises(InvalidRequest, match="deeper than"):
        Domain.of("child_ids", "any", Domain.parse(nested(MAX_DEPTH)))
    with pytest.raises(InvalidRequest, match="more than"):
        Domain.parse([NAME] * (MAX_ITEMS + 1))
    with pytest.raises(InvalidRequest, match="values in its lists"):
        Domain.parse([["id", "in", list(range(100_001))]])


def test_a_long_list_of_ids_is_no_problem():
    ids = list(range(1, 50_001))
    assert Domain.parse([["id", "in", ids]]).to_wire() == [["id", "in", ids]]


# Combining


def test_domains_combine_into_one_expression():
    a, b = Domain.parse([NAME, CITY]), Domain.parse(["|", NAME, ACTIVE])
    assert (a & b).to_wire() == ["&", "&", NAME, CITY, "|", NAME, ACTIVE]
    assert (a | b).to_wire() == ["|", "&", NAME, CITY, "|", NAME, ACTIVE]
    assert (~a).to_wire() == ["!", "&", NAME, CITY]
    assert ~~a == a


def test_everything_is_neutral_for_and_and_swallows_or():
    everything, a = Domain(), Domain.parse([NAME])
    assert everything.is_everything
    assert not a.is_everything
    assert a & everything == everything & a == a
    assert (a | everything) == (everything | a) == everything
    assert (~everything).to_wire() == [[0, "=", 1]]
    assert ~~everything == everything


def test_a_domain_has_a_plain_repr_and_can_be_compared_and_hashed():
    domain = Domain.parse([NAME, ["id", "in", [1, 2]]])
    assert repr(domain) == "Domain(['&', ['name', '=', 'x'], ['id', 'in', [1, 2]]])"
    assert {domain: 1}[Domain.parse(["&", NAME, ["id", "in", (1, 2)]])] == 1
    assert Domain.parse(domain) is domain


def test_the_paths_of_one_level_are_told():
    domain = Domain.parse([NAME, ["country_id.code", "=", "BE"], NAME, *nested(1)])
    assert domain.paths() == ("name", "country_id.code", "child_ids")


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
PLAIN = [operator for operator in OPERATORS if not operator.endswith("any")]
TERMS = st.recursive(
    st.tuples(
        st.from_regex(r"[a-z_][a-z0-9_]{0,5}(\.[a-z]{1,3}){0,2}", fullmatch=True),
        st.sampled_from(PLAIN),
        SCALARS | st.lists(st.integers(1, 99) | st.text(max_size=3), max_size=3),
    ).map(lambda term: Domain.of(*term)),
    lambda inner: st.one_of(
        inner.map(lambda a: ~a),
        st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
        inner.map(lambda a: Domain.of("child_ids", "any", a)),
    ),
    max_leaves=8,
)
JSON = st.recursive(
    SCALARS | st.sampled_from(["&", "|", "!", *OPERATORS]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["id", "model", "x"]), inner, max_size=2),
    max_leaves=20,
)


@given(TERMS)
def test_what_is_sent_reads_back_the_same(domain):
    wire = domain.to_wire()
    assert Domain.parse(wire) == domain
    assert Domain.parse(json.dumps(wire)) == domain
    assert Domain.parse(repr(wire)) == domain


@given(JSON)
def test_any_json_is_read_or_refused(raw):
    for form in (raw, json.dumps(raw), repr(raw)):
        with suppress(InvalidRequest):
            domain = Domain.parse(form)
            assert Domain.parse(domain.to_wire()) == domain


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    with suppress(InvalidRequest):
        assert not Domain.parse(text).is_everything or text.strip()


# Checking


MADE = ModelSchema(
    "made",
    {
        "id": Field("id", "integer"),
        "count": Field("count", "integer"),
        "ratio": Field("ratio", "float"),
        "total": Field("total", "monetary"),
        "done": Field("done", "boolean"),
        "name": Field("name", "char"),
        "note": Field("note", "html"),
        "day": Field("day", "date"),
        "moment": Field("moment", "datetime"),
        "state": Field(
            "state", "selection", selection=(("draft", "Draft"), ("sale", "Sold"))
        ),
        "free": Field("free", "selection"),
        "country_id": Field("country_id", "many2one", relation="res.country"),
        "partner_id": Field("partner_id", "many2one", relation="res.partner"),
        "made_ids": Field("made_ids", "one2many", relation="made"),
        "tag_ids": Field("tag_ids", "many2many", relation="tag"),
        "res_id": Field("res_id", "many2one_reference"),
        "document": Field(
            "document", "reference", selection=(("res.partner", "Contact"),)
        ),
        "other_id": Field("other_id", "many2one", relation="made"),
        "image": Field("image", "binary"),
        "extra": Field("extra", "json"),
        "properties": Field("properties", "properties"),
    },
)


@pytest.mark.parametrize(
    ("term", "sent"),
    [
        (["done", "=", True], True),
        (["done", "!=", None], False),
        (["done", "in", [True, None]], [True, False]),
        (["count", ">", 3], 3),
        (["count", "=", None], False),
        (["count", "=?", None], False),
        (["ratio", "<=", 3], 3),
        (["total", ">=", 12.5], 12.5),
        (["name", "=", None], False),
        (["name", "in", ["a", None]], ["a", False]),
        (["name", "ilike", ""], ""),
        (["note", "=like", "%x"], "%x"),
        (["state", "=", "sale"], "sale"),
        (["state", "like", "sal"], "sal"),
        (["free", "=", "anything"], "anything"),
        (["day", ">", "2026-02-28"], "2026-02-28"),
        (["day", "in", [date(2026, 2, 28)]], ["2026-02-28"]),
        (["day.month_number", "=", 2], 2),
        (["moment.day_of_week", ">", 2], 2),
        (["moment", ">=", "2026-11-22T10:00:00Z"], "2026-11-22 10:00:00"),
        (["moment", ">=", "2026-11-22 10:00"], "2026-11-22 10:00:00"),
        (["moment", ">=", "2026-11-22T10:00:00-05:00"], "2026-11-22 15:00:00"),
        (["moment", ">=", "2026-11-22T10:00:00+0530"], "2026-11-22 04:30:00"),
        (["moment", ">=", "2026-01-01T00:30:00+01:00"], "2025-12-31 23:30:00"),
        (["moment", "=", "2026-11-22T10:00:00.250Z"], "2026-11-22 10:00:00.250000"),
        (["moment", "<=", "2026-11-22"], "2026-11-22"),
        (["moment", "<=", date(2026, 11, 22)], "2026-11-22"),
        (["moment", "<=", datetime(2026, 11, 22, tzinfo=UTC)], "2026-11-22 00:00:00"),
        (["country_id", "=", 20], 20),
        (["country_id", "=", None], False),
        (["country_id", "=", [20, "Belgium"]], 20),
        (["country_id", "=", {"id": 20, "name": "Belgium"}], 20),
        (["country_id", "=", "Belgium"], "Belgium"),
        (["country_id", "ilike", "bel"], "bel"),
        (["country_id", "in", [20, None]], [20, False]),
        (["country_id", "in", ["Belgium", "France"]], ["Belgium", "France"]),
        (["partner_id", "child_of", [20, "Belgium"]], 20),
        (["partner_id", "child_of", [20, 21]], [20, 21]),
        (["partner_id", "parent_of", "Belgium"], "Belgium"),
        (["partner_id", "child_of", ["Belgium", "France"]], ["Belgium", "France"]),
        (["other_id", "child_of", 3], 3),
        (["partner_id.id", "child_of", 3], 3),
        (["country_id.code", "=", "BE"], "BE"),
        (["country_id", "any", [["code", "=", None]]], [["code", "=", False]]),
        (["made_ids.made_ids.moment", "=", "2026-11-22T10:00Z"], "2026-11-22 10:00:00"),
        (["made_ids", "=", None], False),
        (["tag_ids", "in", [1, 2]], [1, 2]),
        (["tag_ids", "=", 4], 4),
        (["tag_ids", "ilike", "vip"], "vip"),
        (["tag_ids", "not in", []], []),
        (["made_ids", "any", []], []),
        (["id", "in", [4, 5]], [4, 5]),
        (["id", ">", 4], 4),
        (["res_id", "=", 4], 4),
        (["document", "=", "res.partner,3"], "res.partner,3"),
        (["document", "=", {"model": "res.partner", "id": 3}], "res.partner,3"),
        (["image", "!=", None], False),
        (["extra", "=", "5"], "5"),
        (["extra", "in", ["5"]], ["5"]),
        (["properties.color", "=", "red"], "red"),
        (["properties.color", "in", ["red", 4]], ["red", 4]),
        (["properties.color", "!=", None], None),
    ],
)
async def test_values_are_put_in_odoos_form(schemas, term, sent):
    async def look_up(model):
        return MADE if model == "made" else await schemas(model)

    checked = await Domain.parse([term]).checked(MADE, look_up)
    assert checked.to_wire() == [[*term[:2], sent]]


@pytest.mark.parametrize(
    ("term", "told"),
    [
        (["nmae", "=", "x"], "has no field 'nmae'.*Did you mean 'name'"),
        (["country_id.cod", "=", "x"], "'res.country' has no field 'cod'"),
        (["country_id.vat_label", "=", "x"], "match every record"),
        (["name.x", "=", "x"], "'name', which is a char field"),
        (["day.month", "=", 2], "take day_of_month"),
        (["day.month_number", "=", "2"], "'day.month_number' is an integer"),
        (["day.month_number", "in", [2]], "'in' does not work"),
        (["done", "=", "true"], "'done' is a boolean"),
        (["done", "=", 1], "'done' is a boolean"),
        (["done", "<", True], "'<' does not work on 'done'"),
        (["count", "=", "3"], "'count' is an integer"),
        (["count", "=", True], "'count' is an integer"),
        (["count", "=", 3.5], "'count' is an integer"),
        (["count", "=", 2**31], "beyond"),
        (["count", "ilike", "3"], "'ilike' does not work on 'count'"),
        (["count", ">", None], "give '>' on 'count' a value"),
        (["count", "=", [3]], "use 'in' for a list"),
        (["count", "!=", [3]], "use 'not in' for a list"),
        (["count", "in", 3], "'in' on 'count' takes a list"),
        (["count", "in", ["3"]], "'count' is an integer"),
        (["ratio", "=", "0.5"], "'ratio' is a float field"),
        (["ratio", "=", True], "'ratio' is a float field"),
        (["total", "=", "0.5"], "'total' is a monetary field"),
        (["total", "=", 10**400], "finite"),
        (["name", "=", 5], "'name' is a char field"),
        (["name", "=", True], "'name' is a char field"),
        (["name", "ilike", None], "'ilike' on 'name' takes text"),
        (["name", "ilike", ["a"]], "takes text to look for"),
        (["name", "=", "a\x00b"], "NUL"),
        (["name", "=", "\ud800"], "surrogate"),
        (["name", "any", []], "'any' does not work on 'name'"),
        (["name", "child_of", 3], "'child_of' does not work on 'name'"),
        (["state", "=", "sold"], "did you mean 'sale'.*'draft', 'sale'"),
        (["state", "in", ["sale", "dratf"]], "did you mean 'draft'"),
        (["day", "=", "2026-02-30"], "not a day of the calendar"),
        (["day", "=", "22/11/2026"], "YYYY-MM-DD"),
        (["day", "=", "2026-11-22 00:00:00"], "without a time"),
        (["day", "=", datetime(2026, 11, 22)], "without a time"),
        (["day", "ilike", "2026"], "'ilike' does not work on 'day'"),
        (["moment", "=", "yesterday"], "ISO 8601"),
        (["moment", "=", "2026-13-22T10:00:00"], "not a moment"),
        (["moment", "=", "2026-02-30"], "not a day"),
        (["moment", "=", "0001-01-01T00:00:00+05:00"], "outside of the calendar"),
        (["moment", "=", 1764000000], "ISO 8601"),
        (["country_id", "=", 2**31], "ids go from 1"),
        (["country_id", "=", 0], "ids go from 1"),
        (["country_id", "=", True], "takes ids"),
        (["country_id", "=", 1.0], "takes ids"),
        (["country_id", "=", [1, 2]], "use 'in' for a list"),
        (["country_id", "<", 3], "'<' does not work on 'country_id'"),
        (["country_id", "in", 20], "takes a list"),
        (["country_id", "in", [20, "Belgium"]], "takes a list of ids"),
        (["country_id", "in", [20, 21, "Belgium"]], "takes a list of ids"),
        (["partner_id", "child_of", None], "takes ids"),
        (["country_id", "child_of", 3], "'res.country' records have no parents"),
        (["country_id.id", "child_of", 3], "'res.country' records have no parents"),
        (["id", "child_of", 3], "'made' records have no parents"),
        (["tag_ids", "in", ["vip"]], "takes a list of ids"),
        (["tag_ids", "in", [None]], "null cannot be in the list"),
        (["tag_ids", "any", [["name", "=", "x"]]], "no model 'tag'"),
        (["id", "=", "4"], "'id' is an integer"),
        (["id", "in", [2**40]], "beyond"),
        (["id", "any", []], "'any' does not work on 'id'"),
        (["res_id", "=", "4"], "'res_id' is an integer"),
        (["document", "=", "res.partner"], "is a reference"),
        (["document", "=", "sale.order,3"], "not a value of 'document'"),
        (["image", "=", "aGVsbG8="], "match every record"),
        (["image", "ilike", "x"], "'ilike' does not work on 'image'"),
        (["extra", "any", []], "'any' does not work"),
        (["properties", "=", "red"], "name one"),
        (["properties.a.b", "=", "red"], "'a.b' is no technical name of a property"),
        (["properties.Colour", "=", "red"], "and not the label"),
        (["properties.color", "=ilike", "red"], "'=ilike' does not work"),
        (["properties.color", "=", ["red"]], "use 'in'"),
    ],
)
async def test_what_odoo_would_crash_on_or_ignore_is_refused(schemas, term, told):
    async def look_up(model):
        return MADE if model == "made" else await schemas(model)

    domain = Domain.parse([["name", "=", "x"], term])
    with pytest.raises(InvalidRequest, match=told) as caught:
        await domain.checked(MADE, look_up)
    assert [problem.pointer for problem in caught.value.problems] == ["/1"]


async def test_a_field_that_cannot_be_searched_is_refused_and_says_why(
    partner, schemas
):
    domain = Domain.parse([["same_vat_partner_id", "=", 1]])
    with pytest.raises(InvalidRequest, match="Odoo would drop the condition"):
        await domain.checked(partner, schemas)


async def test_a_path_through_a_field_that_cannot_be_searched_is_refused(
    partner, schemas
):
    domain = Domain.parse([["same_vat_partner_id.name", "=", "x"]])
    with pytest.raises(InvalidRequest, match="match every record"):
        await domain.checked(partner, schemas)


async def test_a_real_domain_with_paths_and_sub_domains_passes(order, schemas):
    raw = [
        "|",
        ["partner_id.country_id.code", "in", ["BE", "FR"]],
        ["order_line", "any", [["product_id.name", "ilike", "desk"]]],
        ["date_order", ">=", "2026-11-01T00:00:00+01:00"],
        ["state", "not in", ["cancel"]],
    ]
    checked = await Domain.parse(raw).checked(order, schemas)
    assert ["date_order", ">=", "2026-10-31 23:00:00"] in checked.to_wire()


async def test_problems_of_every_level_are_told_at_their_places(order, schemas):
    raw = [
        ["stat", "=", "sale"],
        "|",
        ["state", "=", "nope"],
        ["order_line", "any", [["name", "ilike", "x"], ["product_id.nam", "=", "x"]]],
    ]
    with pytest.raises(InvalidRequest) as caught:
        await Domain.parse(raw).checked(order, schemas)
    assert [problem.pointer for problem in caught.value.problems] == [
        "/0",
        "/2",
        "/3/2/1",
    ]


async def test_checking_twice_changes_nothing_more(order, schemas):
    raw = [["date_order", ">", "2026-11-01T00:00:00Z"], ["partner_id", "=", [3, "x"]]]
    once = await Domain.parse(raw).checked(order, schemas)
    assert await once.checked(order, schemas) == once
