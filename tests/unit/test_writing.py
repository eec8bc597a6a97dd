"""Records to write, with all that people know of other records."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pytest

from odooport.errors import InvalidRequest, RecordMissing
from odooport.model import Record, Reference
from odooport.schema import Field, ModelSchema
from odooport.values import record_out
from odooport.writing import Lookup, many_in, values_in

MADE = ModelSchema(
    "made",
    {
        "id": Field("id", "integer"),
        "create_date": Field("create_date", "datetime"),
        "name": Field("name", "char", required=True),
        "ratio": Field("ratio", "float"),
        "total": Field("total", "monetary"),
        "done": Field("done", "boolean", required=True),
        "day": Field("day", "date"),
        "country_id": Field("country_id", "many2one", relation="res.country"),
        "company_id": Field(
            "company_id", "many2one", relation="res.company", required=True
        ),
        "line_ids": Field("line_ids", "one2many", relation="made"),
        "tag_ids": Field("tag_ids", "many2many", relation="tag"),
        "city": Field("city", "char"),
        "title": Field("title", "char", translated=True, size=10),
        "team_id": Field("team_id", "many2one", relation="team"),
        "properties": Field(
            "properties",
            "properties",
            definition_record="team_id",
            definition_record_field="definitions",
        ),
        "sum": Field(
            "sum",
            "monetary",
            readonly=True,
            depends=("line_ids.total", "ratio", "line_ids.total"),
        ),
        "rest": Field(
            "rest", "float", readonly=True, stored=False, depends=tuple("abcdef")
        ),
        "email": Field(
            "email",
            "char",
            readonly=True,
            depends=("team_id.email",),
            related="team_id.email",
        ),
        "guess": Field("guess", "char", depends=("city",)),
        "sealed": Field("sealed", "char", readonly=True),
    },
)

DEFINITIONS = [
    {"name": "aa", "string": "Colour", "type": "char", "default": "blue"},
    {"name": "bb", "string": "Size", "type": "integer"},
    {"name": "cc", "string": "When", "type": "datetime"},
    {"name": "dd", "string": "Day", "type": "date"},
    {"name": "ee", "string": "Country", "type": "many2one", "comodel": "res.country"},
    {"name": "ff", "string": "Tags", "type": "many2many", "comodel": "tag"},
    {
        "name": "gg",
        "string": "Kind",
        "type": "selection",
        "selection": [["a", "Alpha"], ["b", "Beta"]],
    },
    {
        "name": "hh",
        "string": "Marks",
        "type": "tags",
        "tags": [["x", "Ex", 1], ["y", "Why", 2]],
    },
    {"name": "ii", "string": "A heading", "type": "separator"},
    {"name": "jj", "string": "Done", "type": "boolean"},
    {"name": "kk", "string": "Ratio", "type": "float"},
    {"name": "ll", "string": "Twice", "type": "char"},
    {"name": "mm", "string": "Twice", "type": "char"},
    {"name": "nn", "string": "aa", "type": "char"},
    {"name": "oo", "type": "char"},
    {"name": "pp", "string": "Open", "type": "selection", "selection": []},
]
"""As Odoo 18 defines properties, one of each type and all that is odd."""

FILLED = {
    "aa": "red",
    "bb": 3,
    "cc": "2026-11-22 10:00:00",
    "dd": "2026-11-22",
    "ee": [20, "Belgium"],
    "ff": [[3, "VIP"], [4, None]],
    "gg": "a",
    "hh": ["x"],
    "ii": None,
    "jj": False,
    "kk": 0.5,
    "ll": "one",
    "mm": "two",
    "nn": False,
    "oo": False,
    "pp": False,
}
"""Their values as Odoo 18 reads them."""


def filled(**values: Any) -> list[dict[str, Any]]:
    """Answer a properties field as Odoo reads it."""
    found = FILLED | values
    return [{**item, "value": found[item["name"]]} for item in DEFINITIONS]


class Known:
    """A ``Lookup`` of a few records; ``asked`` remembers the names it was asked for."""

    def __init__(self, schemas: Callable[[str], Awaitable[ModelSchema]]) -> None:
        self.schema = schemas
        self.names = {
            "res.country": [Reference(20, "Belgium"), Reference(75, "France")],
            "tag": [Reference(3, "VIP"), Reference(4, "New"), Reference(5, "New")],
            "team": [Reference(1, "Europe"), Reference(2, "Bare")],
        }
        self.externals = {"base.be": ("res.country", 20), "base.x": ("tag", 3)}
        self.records: dict[tuple[str, int], Record] = {
            ("team", 1): {"id": 1, "definitions": DEFINITIONS},
            ("team", 2): {"id": 2, "definitions": False},
            ("made", 7): {"id": 7, "properties": filled()},
            ("made", 8): {"id": 8, "properties": filled()},
            ("made", 9): {"id": 9, "properties": filled(aa="green")},
            ("made", 10): {"id": 10, "properties": []},
        }
        self.held_by: dict[tuple[str, int, str], list[int]] = {
            ("made", 7, "line_ids"): [5, 8, 7, 3],
            ("made", 8, "line_ids"): [*range(30, 50)],
            ("made", 5, "line_ids"): [6],
        }
        self.team: Any = False

    async def named(self, model: str, name: str) -> Sequence[Reference]:
        if model not in self.names:
            raise InvalidRequest(f"{model!r} records cannot be found by name.")
        return [each for each in self.names[model] if each.name == name]

    async def similar(self, model: str, name: str) -> Sequence[Reference]:
        return [each for each in self.names[model] if each.name[:3] == name[:3]]

    async def external(self, external_id: str) -> tuple[str, int] | None:
        return self.externals.get(external_id)

    async def default(self, model: str, field: str) -> Any:
        assert (model, field) == ("made", "team_id")
        return self.team

    async def stored(
        self, model: str, ids: Sequence[int], fields: Sequence[str]
    ) -> Sequence[Mapping[str, Any]]:
        if model in ("res.country", "tag") and 404 not in ids:
            return [{"id": each} for each in ids]
        try:
            return [self.records[model, each] for each in ids]
        except KeyError:
            raise RecordMissing("gone", ids) from None

    async def held(self, model: str, ids: Sequence[int], field: str) -> Sequence[int]:
        return [
            number
            for each in ids
            for number in self.held_by.get((model, each, field), [])
        ]


async def look_up(model):
    if model == "made":
        return MADE
    raise InvalidRequest(f"There is no model {model!r} here.")


async def written(values, *, creating=False, ids=(), pointer="", lookup=None):
    lookup = lookup or Known(look_up)
    return await values_in(
        MADE, values, lookup, creating=creating, ids=ids, pointer=pointer
    )


# Values


async def test_what_was_read_can_be_written_back(partner, schemas, answer_of):
    read = answer_of("read-all-fields")[0]
    kept = {
        name
        for name, field in partner.fields.items()
        if name not in {"id", "create_uid", "create_date", "write_uid", "write_date"}
        and field.type != "binary"  # the recording holds their sizes in their place
        and not (field.readonly and field.depends)  # Odoo computes them
    }
    for record in (read, record_out(partner, read)):
        values = {name: record[name] for name in record.keys() & kept}
        sent = await values_in(partner, values, Known(schemas), creating=False)
        assert len(sent) > 150
        assert sent["country_id"] == 233
        assert sent["parent_id"] is False
        assert sent["child_ids"] == [[6, 0, read["child_ids"]]]


@pytest.mark.parametrize(
    ("name", "outside", "inside"),
    [
        ("country_id", 20, 20),
        ("country_id", {"id": 20, "name": "Belgium"}, 20),
        ("country_id", [20, "Belgium"], 20),
        ("country_id", (20, "Belgium"), 20),
        ("country_id", None, False),
        ("country_id", False, False),
        ("country_id", "Belgium", 20),
        ("country_id", {"name": "France"}, 75),
        ("country_id", {"external_id": "base.be"}, 20),
        ("country_id", "base.be", 20),
        ("tag_ids", [3, 4], [[6, 0, [3, 4]]]),
        ("tag_ids", [{"id": 3, "name": "vip"}, 4], [[6, 0, [3, 4]]]),
        ("tag_ids", [3, "VIP", {"external_id": "base.x"}], [[6, 0, [3, 3, 3]]]),
        ("tag_ids", [{"name": "VIP"}], [[6, 0, [3]]]),
        ("tag_ids", [], [[6, 0, []]]),
        ("tag_ids", [[4, 3]], [[4, 3, 0]]),
        ("tag_ids", [(4, 3, 0), [3, 5, None]], [[4, 3, 0], [3, 5, 0]]),
        ("tag_ids", [[5], [6, 0, [{"id": 1}, 2]]], [[5, 0, 0], [6, 0, [1, 2]]]),
        ("tag_ids", [[4, "VIP", 0], [3, {"name": "VIP"}, 0]], [[4, 3, 0], [3, 3, 0]]),
        ("tag_ids", [[6, 0, ["VIP", 4]]], [[6, 0, [3, 4]]]),
        ("tag_ids", {"add": [5, "VIP", [6, "x"]]}, [[4, 5, 0], [4, 3, 0], [4, 6, 0]]),
        ("tag_ids", {"remove": ["base.x"]}, [[3, 3, 0]]),
        ("tag_ids", {"set": []}, [[6, 0, []]]),
        (
            "line_ids",
            {
                "create": [{"name": "a", "country_id": "Belgium"}, {"name": "b"}],
                "update": [{"id": 5, "name": "c"}],
                "add": [6],
                "remove": [7],
                "delete": [8],
            },
            [
                [2, 8, 0],
                [3, 7, 0],
                [4, 6, 0],
                [1, 5, {"name": "c"}],
                [0, 0, {"name": "a", "country_id": 20}],
                [0, 0, {"name": "b"}],
            ],
        ),
        (
            "line_ids",
            {"create": [{"name": "a"}], "update": [{"id": 5}], "set": [5, 6]},
            [[6, 0, [5, 6]], [1, 5, {}], [0, 0, {"name": "a"}]],
        ),
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
        ("properties", None, False),
    ],
)
async def test_a_clean_value_becomes_odoos(name, outside, inside):
    sent = (await written({name: outside}, ids=[7]))[name]
    assert sent == inside
    assert type(sent) is type(inside)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("nmae", "x", "has no field 'nmae'.*Did you mean 'name'"),
        ("id", 5, "'id' is set by Odoo"),
        ("create_date", "2026-11-22T16:29:54Z", "'create_date' is set by Odoo"),
        ("write_uid", 1, "'write_uid' is set by Odoo"),
        ("country_id", "Belgiun", r"called exactly 'Belgiun'. The closest.*\(20\)"),
        ("country_id", "Zz", "Search res.country for its id and send that"),
        ("country_id", "20", "If 20 is its id, send it as a number"),
        ("country_id", " ", "'country_id' names 'res.country' records"),
        ("country_id", "", "an exact name as text, or {'external_id'"),
        ("country_id", "a\x00", "NUL"),
        ("country_id", {"name": "Belgiun"}, "The closest are 'Belgium'"),
        ("country_id", {"name": "base.be"}, "called exactly 'base.be'"),
        ("country_id", {"name": 5}, "send an id such as 7"),
        ("country_id", {"name": "Belgium", "code": "BE"}, "send an id such as 7"),
        ("country_id", {"id": "20"}, "takes ids of 'res.country' records"),
        ("country_id", {}, "send an id such as 7"),
        ("country_id", "base.x", "'base.x' is a 'tag' record"),
        ("country_id", "base.nope", "called exactly 'base.nope'"),
        ("country_id", {"external_id": "base.x"}, "'base.x' is a 'tag' record"),
        ("country_id", {"external_id": "base.nope"}, "no external id 'base.nope'"),
        ("country_id", {"external_id": "be"}, "such as 'base.be', not 'be'"),
        ("country_id", {"external_id": 5}, "such as 'base.be', not 5"),
        ("country_id", ["20", "Belgium"], "send an id such as 7"),
        ("country_id", [20], "send an id such as 7"),
        ("country_id", True, "send an id such as 7"),
        ("country_id", 20.0, "send an id such as 7"),
        ("country_id", 0, "ids go from 1"),
        ("country_id", -1, "ids go from 1"),
        ("country_id", 2**31, "ids go from 1"),
        ("company_id", None, "'company_id' is required"),
        ("tag_ids", None, "an empty list removes all"),
        ("tag_ids", 3, r"takes a list of 'tag' records such as \[3, 'VIP'\]"),
        ("tag_ids", "3", "takes a list of 'tag' records"),
        ("tag_ids", {}, "add, remove, set, create, update, delete; none is given"),
        ("tag_ids", {"id": 3}, "'id' is none of them"),
        ("tag_ids", {"set": [1], "add": [2]}, "'add' cannot stand beside it"),
        ("tag_ids", {"set": [1], "delete": []}, "'delete' cannot stand beside it"),
        ("tag_ids", {"add": [1], "remove": [1]}, "1 stands under both 'remove' and"),
        ("city", {"en_US": "x"}, "not translated: it has one text for all languages"),
        ("sum", 5, "computed by Odoo from line_ids.total, ratio; write those instead"),
        ("rest", 5, r"computed by Odoo from a, b, c, d, e, …; write"),
        ("email", "a@b.c", "'email' shows 'team_id.email' of this record; write it"),
        ("title", {"en_US": "x"}, "cannot be given in several languages while"),
        ("properties", "x", "send those to change by their label, such as"),
        ("properties", [3], "send those to change by their label"),
        (
            "properties",
            [{"name": "a", "type": "char", "definition_changed": True}],
            "write 'definitions' on the record that 'team_id' names",
        ),
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
        ([[4, True, 0]], "/line_ids/0", "names 'made' records"),
        ([[4]], "/line_ids/0", "names 'made' records"),
        ([[6, 0, 3]], "/line_ids/0", "takes a list of ids"),
        ([[6, 0, [3, True]]], "/line_ids/0/2/1", "names 'made' records"),
        ([3, True], "/line_ids/1", "names 'made' records"),
        ([{"title": "x"}], "/line_ids/0", r"send {'create': \[{…}\]}"),
        ({"add": 3}, "/line_ids/add", r"takes a list such as \[3, 'VIP'\], not 3"),
        ({"add": [3, 0]}, "/line_ids/add/1", "ids go from 1"),
        ({"update": [{"name": "x"}]}, "/line_ids/update/0", "takes the id of a record"),
        ({"update": [{"id": "x"}]}, "/line_ids/update/0", "takes ids of 'made'"),
        ({"create": ["x"]}, "/line_ids/create/0", "fields with values such as"),
        (
            {"create": [{"name": "a"}, {"total": "x"}]},
            "/line_ids/create/1/total",
            "is an amount",
        ),
        (
            {"update": [{"id": 3, "country_id": "Nope"}]},
            "/line_ids/update/0/country_id",
            "called exactly 'Nope'",
        ),
        ([[0, 0, [1]]], "/line_ids/0/2", "fields with values"),
        ([[0, 0]], "/line_ids/0/2", "fields with values"),
        ([[1, 0, {}]], "/line_ids/0", "ids go from 1"),
        ([[4, 1], [0, 0, {"name": ""}]], "/line_ids/1/2/name", "is required"),
        ([[1, 5, {"done": "no"}]], "/line_ids/0/2/done", "is a boolean"),
    ],
)
async def test_a_wrong_command_is_refused_at_its_place(commands, pointer, told):
    with pytest.raises(InvalidRequest, match=told) as caught:
        await written({"line_ids": commands}, ids=[7])
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


@pytest.mark.parametrize(
    "lines",
    [
        [[1, 5, {}]],
        [[2, 5, 0]],
        [[3, 5, 0]],
        {"update": [{"id": 5}]},
        {"delete": [5]},
        {"remove": [5]},
    ],
)
async def test_a_new_record_has_no_lines_to_change(lines):
    with pytest.raises(InvalidRequest, match="A new record has no 'line_ids' yet"):
        await written({"line_ids": lines}, creating=True)


async def test_a_name_that_several_have_lists_them():
    with pytest.raises(InvalidRequest) as caught:
        await written({"tag_ids": ["New"]})
    (problem,) = caught.value.problems
    assert problem.pointer == "/tag_ids/0"
    assert problem.message == (
        "2 'tag' records are called 'New': 'New' (4), 'New' (5). Give the id of the "
        "one that you mean for 'tag_ids'."
    )


async def test_very_many_records_of_one_name_are_not_all_listed():
    lookup = Known(look_up)
    lookup.names["tag"] = [Reference(number, "New") for number in range(1, 30)]
    with pytest.raises(InvalidRequest, match=r"29 'tag' .*'New' \(10\), …\. Give"):
        await written({"tag_ids": {"add": ["New"]}}, lookup=lookup)


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
        await many_in(MADE, rows, Known(look_up), creating=True)
    assert [problem.pointer for problem in caught.value.problems] == [
        "/1/name",
        "/2",
        "/3/a~1b",
    ]


async def test_many_records_are_converted_in_order():
    rows = [{"name": "a", "country_id": {"id": 2}}, {"name": "b"}]
    assert await many_in(MADE, rows, Known(look_up), creating=True) == [
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


async def test_writing_a_country_by_name_works_on_the_real_schema(partner, schemas):
    values = {"country_id": "Belgium"}
    sent = await values_in(partner, values, Known(schemas), creating=False)
    assert sent == {"country_id": 20}
    with pytest.raises(InvalidRequest, match="'country_id' is called exactly 'Bel'"):
        await values_in(partner, {"country_id": "Bel"}, Known(schemas), creating=False)


# Records of a list


@pytest.mark.parametrize(
    ("lines", "pointer", "number"),
    [
        ({"update": [{"id": 5}, {"id": 50, "name": "x"}]}, "/update/1", 50),
        ({"delete": [5, 50]}, "/delete/1", 50),
        ([[1, 50, {"name": "x"}]], "/0", 50),
        ([[4, 60], [2, 50, 0]], "/1", 50),
        ([[4, 50], [2, 50, 0]], "/1", 50),
        ([[1, 50, {}], [4, 50]], "/0", 50),
    ],
)
async def test_a_list_changes_and_deletes_only_what_it_holds(lines, pointer, number):
    with pytest.raises(InvalidRequest) as caught:
        await written({"line_ids": lines}, ids=[7])
    (problem,) = caught.value.problems
    assert problem.pointer == f"/line_ids{pointer}"
    assert problem.message == (
        "'line_ids' of these records does not hold 50; it holds 5, 8, 7, 3. To change "
        "or delete another 'made' record, do so on that record."
    )


@pytest.mark.parametrize(
    ("ids", "told"),
    [([8], r"holds 30, 31, .*, 39, …\. To"), ([9], "holds none"), ([], "holds none")],
)
async def test_what_a_list_holds_is_told_as_far_as_it_helps(ids, told):
    with pytest.raises(InvalidRequest, match=told):
        await written({"line_ids": {"delete": [50]}}, ids=ids)


async def test_of_several_records_one_must_hold_it():
    sent = await written({"line_ids": [[1, 40, {}], [2, 5]]}, ids=[7, 8])
    assert sent == {"line_ids": [[1, 40, {}], [2, 5, 0]]}


async def test_a_line_of_a_line_must_be_its_own():
    def nested(number):
        inner = {"update": [{"id": number, "name": "x"}]}
        return {"line_ids": {"update": [{"id": 5, "line_ids": inner}]}}

    assert await written(nested(6), ids=[7])
    with pytest.raises(InvalidRequest, match="does not hold 8; it holds 6") as caught:
        await written(nested(8), ids=[7])
    pointers = [problem.pointer for problem in caught.value.problems]
    assert pointers == ["/line_ids/update/0/line_ids/update/0"]


@pytest.mark.parametrize(
    "lines",
    [
        {"add": [50], "update": [{"id": 50, "name": "x"}]},
        {"set": [50], "update": [{"id": 50, "name": "x"}]},
        [[4, 50, 0], [1, 50, {"name": "x"}]],
        [[6, 0, [50]], [1, 50, {"name": "x"}]],
        {"remove": [50]},
        [[3, 50, 0]],
    ],
)
async def test_what_is_added_may_be_changed_and_what_is_not_there_removed(lines):
    assert await written({"line_ids": lines}, ids=[7])


# What Odoo computes


async def test_what_odoo_computes_is_refused_in_a_line_too():
    lines = {"create": [{"name": "x", "sum": 5}]}
    with pytest.raises(InvalidRequest) as caught:
        await written({"line_ids": lines}, creating=True)
    pointers = [problem.pointer for problem in caught.value.problems]
    assert pointers == ["/line_ids/create/0/sum"]


async def test_what_only_a_form_may_not_change_can_be_written():
    values = {"guess": "x", "sealed": "y"}
    assert await written(values) == values


async def test_a_form_holds_what_odoo_computes_and_lines_that_are_not_saved():
    values = {"sum": 5.0, "email": "a@b.c", "line_ids": [[1, 50, {"sum": 1.0}]]}
    assert await values_in(MADE, values, Known(look_up), creating=False, form=True) == (
        values
    )


# Properties

STORED = {
    "aa": "red",
    "bb": 3,
    "cc": "2026-11-22 10:00:00",
    "dd": "2026-11-22",
    "ee": 20,
    "ff": [3, 4],
    "gg": "a",
    "hh": ["x"],
    "jj": False,
    "kk": 0.5,
    "ll": "one",
    "mm": "two",
    "nn": False,
    "oo": False,
    "pp": False,
}
"""All of them as Odoo stores them."""


@pytest.mark.parametrize(
    ("given_properties", "changed"),
    [
        ({"Colour": "blue"}, {"aa": "blue"}),
        ({"aa": "blue"}, {"aa": "blue"}),
        ({"Colour": None}, {"aa": False}),
        ({"Size": 0, "Done": True}, {"bb": 0, "jj": True}),
        ({"When": "2026-11-23T01:00:00+02:00"}, {"cc": "2026-11-22 23:00:00"}),
        ({"Day": date(2026, 1, 2)}, {"dd": "2026-01-02"}),
        ({"Country": "France"}, {"ee": 75}),
        ({"Country": {"id": 75, "name": "France"}}, {"ee": 75}),
        ({"Country": None}, {"ee": False}),
        ({"Tags": [3, "VIP", {"id": 4, "name": "New"}]}, {"ff": [3, 3, 4]}),
        ({"Tags": None, "Marks": None}, {"ff": [], "hh": []}),
        ({"Kind": "b", "Marks": ["x", "y"]}, {"gg": "b", "hh": ["x", "y"]}),
        ({"mm": "second"}, {"mm": "second"}),
        ({"nn": "odd", "oo": "odd"}, {"nn": "odd", "oo": "odd"}),
        ([{"name": "bb", "type": "integer", "value": 4}], {"bb": 4}),
        (filled(kk=1.5), {"kk": 1.5}),
    ],
)
async def test_only_the_given_properties_change(given_properties, changed):
    sent = await written({"properties": given_properties}, ids=[7])
    assert sent == {"properties": STORED | changed}


@pytest.mark.parametrize(
    ("given_properties", "pointer", "told"),
    [
        ({"Color": "x"}, "/Color", "no property 'Color'. Did you mean 'Colour'"),
        ({"Twice": "x"}, "/Twice", "which is one of 'll', 'mm'"),
        ({"A heading": "x"}, "/A heading", "no property 'A heading'"),
        ({"Colour": "x", "aa": "y"}, "/aa", "is given twice"),
        ({"Colour": 5}, "/Colour", "send text such as"),
        ({"Size": "3"}, "/Size", "is an integer"),
        ({"When": "2026"}, "/When", "is a datetime"),
        ({"Day": "x"}, "/Day", "is a date"),
        ({"Country": "Nope"}, "/Country", "called exactly 'Nope'"),
        ({"Tags": "VIP"}, "/Tags", r"send a list such as \[3, 'VIP'\]"),
        ({"Tags": [3, "New"]}, "/Tags/1", "2 'tag' records are called"),
        ({"Kind": "Beta"}, "/Kind", "did you mean 'b'.*values are 'a', 'b'"),
        ({"Marks": "x"}, "/Marks", r"send a list such as \['new'\]"),
        ({"Marks": ["Why"]}, "/Marks", "did you mean 'y'"),
        ({"Open": "a"}, "/Open", "has no choices yet"),
        ({"Done": "yes"}, "/Done", "is a boolean"),
    ],
)
async def test_a_wrong_property_is_refused_at_its_place(
    given_properties, pointer, told
):
    with pytest.raises(InvalidRequest, match=told) as caught:
        await written({"properties": given_properties}, ids=[7])
    pointers = [problem.pointer for problem in caught.value.problems]
    assert pointers == [f"/properties{pointer}"]


async def test_nothing_given_changes_no_property():
    assert await written({"properties": {}}, ids=[7]) == {}
    assert await written({"properties": []}, ids=[7]) == {}


async def test_records_that_are_alike_take_one_set_of_properties():
    sent = await written({"properties": {"Size": 9}}, ids=[7, 8])
    assert sent["properties"]["bb"] == 9


async def test_records_that_differ_in_other_properties_are_refused():
    with pytest.raises(InvalidRequest, match="Write each of them on its own"):
        await written({"properties": {"Size": 9}}, ids=[7, 9])
    sent = await written({"properties": {"Size": 9, "Colour": "x"}}, ids=[7, 9])
    assert sent["properties"]["aa"] == "x"


async def test_a_record_without_properties_says_that_there_are_none():
    with pytest.raises(InvalidRequest, match=r"no property 'Size'\. There are none"):
        await written({"properties": {"Size": 9}}, ids=[10])


async def test_a_new_record_sends_what_is_given_and_odoo_adds_the_defaults():
    sent = await written(
        {"properties": {"Size": 9}, "team_id": "Europe"}, creating=True
    )
    assert sent == {"team_id": 1, "properties": {"bb": 9}}


@pytest.mark.parametrize("default", [1, [1, "Europe"]])
async def test_the_parent_of_a_new_record_may_be_its_default(default):
    lookup = Known(look_up)
    lookup.team = default
    values = {"properties": {"Size": 9}}
    sent = await written(values, creating=True, lookup=lookup)
    assert sent == {"properties": {"bb": 9}}


@pytest.mark.parametrize("more", [{}, {"team_id": None}])
async def test_properties_without_a_parent_are_refused(more):
    with pytest.raises(InvalidRequest, match="no properties without a 'team' record"):
        await written({"properties": {"Size": 9}, **more}, creating=True)


async def test_properties_of_a_parent_that_does_not_exist_are_refused():
    with pytest.raises(InvalidRequest, match="no 'team' record 99 for 'team_id'"):
        await written({"properties": {"Size": 9}, "team_id": 99}, ids=[7])


async def test_properties_that_the_parent_does_not_define_are_refused():
    with pytest.raises(InvalidRequest, match=r"'Size'\. There are none"):
        await written({"properties": {"Size": 9}, "team_id": "Bare"}, ids=[7])


async def test_a_wrong_parent_is_the_only_problem():
    with pytest.raises(InvalidRequest) as caught:
        await written({"properties": {"Size": 9}, "team_id": "Nope"}, ids=[7])
    assert [problem.pointer for problem in caught.value.problems] == ["/team_id"]


async def test_a_record_that_moves_keeps_what_both_parents_define():
    moved = await written({"properties": {"Size": 9}, "team_id": 1}, ids=[7])
    assert moved["properties"] == STORED | {"bb": 9}
    fresh = await written({"properties": {"Size": 9}, "team_id": 1}, ids=[10])
    empty = dict.fromkeys(STORED, False)
    assert fresh["properties"] == empty | {"aa": "blue", "bb": 9}


async def test_the_properties_of_a_line_are_checked_as_well():
    line = {"id": 7, "properties": {"Size": 9}}
    sent = await written({"line_ids": {"update": [line]}}, ids=[7])
    assert sent["line_ids"] == [[1, 7, {"properties": STORED | {"bb": 9}}]]
    line = {"team_id": 1, "properties": {"Size": "x"}}
    with pytest.raises(InvalidRequest) as caught:
        await written({"line_ids": {"create": [line]}})
    pointers = [problem.pointer for problem in caught.value.problems]
    assert pointers == ["/line_ids/create/0/properties/Size"]


async def test_the_record_around_a_new_line_defines_its_properties():
    lines = Field("lines", "one2many", relation="made", inverse="team_id")
    team = ModelSchema("team", {"lines": lines})
    values = {"lines": {"create": [{"properties": {"Size": 9}}]}}
    sent = await values_in(team, values, Known(look_up), creating=False, ids=[1])
    assert sent == {"lines": [[0, 0, {"properties": {"bb": 9}}]]}
    with pytest.raises(InvalidRequest, match="no properties without a 'team' record"):
        await values_in(team, values, Known(look_up), creating=True)


async def test_a_record_that_is_gone_is_told_apart_from_a_wrong_value():
    with pytest.raises(RecordMissing):
        await written({"properties": {"Size": 9}}, ids=[11])


def test_what_stands_in_for_the_lookup_is_one():
    lookup: Lookup = Known(look_up)
    assert lookup is not None


async def test_what_is_shown_by_exactly_this_name_is_taken():
    """Odoo does not find a tag below another by the name that it shows."""

    class Shows(Known):
        async def named(self, model: str, name: str) -> Sequence[Reference]:
            return []

        async def similar(self, model: str, name: str) -> Sequence[Reference]:
            return [Reference(8, "Trade / Retail"), Reference(9, "Trade")]

    lookup = Shows(look_up)
    sent = await written({"tag_ids": ["Trade / Retail"]}, lookup=lookup)
    assert sent == {"tag_ids": [[6, 0, [8]]]}
    with pytest.raises(InvalidRequest, match="called exactly 'Retail'"):
        await written({"tag_ids": ["Retail"]}, lookup=lookup)


@pytest.mark.parametrize(
    ("key", "value"), [("Country", 404), ("Tags", [3, 404])], ids=str
)
async def test_a_property_names_records_that_exist(key: str, value: Any):
    with pytest.raises(InvalidRequest, match="record with id") as caught:
        await written({"properties": {key: value}}, ids=(7,))
    assert caught.value.problems[0].pointer == f"/properties/{key}"
