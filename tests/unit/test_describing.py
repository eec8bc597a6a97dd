"""What a description tells of fields and new records, one thing at a time."""

from collections.abc import Mapping
from typing import Any

import pytest

from odooport import (
    Field,
    Level,
    ModelSchema,
    OdooAccessError,
    OdooFailed,
    OdooRefused,
    PermissionDenied,
)
from odooport.discovery import (
    MAX_MODELS,
    brief_entry,
    computed_to_create,
    described,
    field_facts,
    full_entry,
    named_alike,
    parents_of,
    read_entry,
    relations,
    required_to_create,
    write_entry,
)


def schema_of(*fields: Field, model: str = "x.thing") -> ModelSchema:
    return ModelSchema(model, {field.name: field for field in fields})


def choices(number: int) -> tuple[tuple[str, str], ...]:
    return tuple((f"c{index}", f"Choice {index}") for index in range(number))


async def nothing(model: str, method: str, *args: Any, **kwargs: Any) -> Any:
    return []


async def no_schemas(model: str) -> ModelSchema:
    raise PermissionDenied("No.")


# Entries


def test_a_short_entry_shows_some_choices_and_counts_the_rest():
    few = brief_entry(Field("state", "selection", selection=choices(3)))
    many = brief_entry(Field("state", "selection", selection=choices(100)))
    assert "selection_more" not in few
    assert len(many["selection"]) + many["selection_more"] == 100
    assert many["selection_more"] > 0


def test_an_entry_to_read_says_only_what_is_not_possible():
    entry = read_entry(Field("x", "char", sortable=False, groupable=False))
    assert (entry["sortable"], entry["groupable"]) == (False, False)
    assert "searchable" not in entry


def test_an_entry_to_write_has_help_size_and_an_example():
    entry = write_entry(Field("code", "char", help="Short.", size=5))
    assert (entry["help"], entry["size"], entry["example"]) == ("Short.", 5, "Text")


def test_a_full_entry_tells_everything():
    entry = full_entry(
        Field(
            "x",
            "properties",
            digits=(16, 2),
            groups=("base.group_user",),
            related="a.b",
            depends=("a", "a", "b"),
            definition_record="kind_id",
            definition_record_field="definition",
        )
    )
    assert entry["digits"] == [16, 2]
    assert entry["groups"] == ["base.group_user"]
    assert entry["related"] == "a.b"
    assert entry["computed_from"] == ["a", "b"]
    assert entry["definitions"] == "kind_id.definition"


# What a new record needs


REQUIRED = Field("name", "char", required=True)
COMPUTED = Field("total", "char", required=True, depends=("lines",))
COMPUTED_ONLY = Field("sum", "char", required=True, depends=("x",), readonly=True)
FROM_PARENT = Field(
    "label",
    "char",
    required=True,
    stored=False,
    related="parent_id.label",
    depends=("parent_id.label",),
)
SHOWN = Field("city", "char", required=True, stored=False, related="other_id.city")
NUMBER = Field("count", "integer", required=True)


def test_what_must_be_given_is_neither_computed_nor_filled_in_nor_a_number():
    schema = schema_of(REQUIRED, COMPUTED, FROM_PARENT, SHOWN, NUMBER)
    assert required_to_create(schema, {}, {"parent_id"}) == ["name", "label"]
    assert required_to_create(schema, {"name": "x"}, {"parent_id"}) == ["label"]
    assert required_to_create(schema, {}) == ["name"]


def test_a_record_that_odoo_creates_along_needs_not_be_given():
    parent = Field("parent_id", "many2one", required=True, relation="x.parent")
    assert required_to_create(schema_of(parent), {}, {"parent_id"}) == []


def test_what_odoo_computes_if_it_can_is_told_apart():
    schema = schema_of(REQUIRED, COMPUTED, COMPUTED_ONLY, FROM_PARENT)
    assert computed_to_create(schema, {}, {"parent_id"}) == {"total": ["lines"]}


PARENT = schema_of(
    *(Field(f"f{index}", "char") for index in range(10)), model="x.parent"
)
LINK = Field("parent_id", "many2one", required=True, relation="x.parent")


def inheriting(link: Field, *, missing: int = 0, renamed: bool = False) -> ModelSchema:
    other = "_x" if renamed else ""
    return schema_of(
        link,
        *(
            Field(f"f{index}", "char", related=f"parent_id.f{index}{other}")
            for index in range(missing, 10)
        ),
    )


@pytest.mark.parametrize(
    ("schema", "parents"),
    [
        (inheriting(LINK), {"parent_id"}),
        (inheriting(LINK, missing=1), {"parent_id"}),
        (inheriting(LINK, missing=2), set()),
        (inheriting(LINK, renamed=True), set()),
        (
            inheriting(Field("parent_id", "many2one", relation="x.parent")),
            set[str](),
        ),
    ],
)
async def test_a_parent_is_a_required_link_to_a_model_whose_fields_are_all_here(
    schema: ModelSchema, parents: set[str]
):
    async def schemas(model: str) -> ModelSchema:
        assert model == "x.parent"
        return PARENT

    assert await parents_of(schema, schemas) == parents


# Whole descriptions


async def describing(
    schema: ModelSchema,
    level: Level,
    *,
    names: list[str] | None = None,
    defaults: Any = None,
) -> Any:
    async def filled() -> Mapping[str, Any]:
        if isinstance(defaults, Exception):
            raise defaults
        return defaults or {}

    return await described(
        schema,
        no_schemas,
        nothing,
        level=level,
        names=names,
        label=None,
        defaults=filled,
    )


async def test_empty_defaults_are_no_defaults():
    told = await describing(
        schema_of(REQUIRED),
        Level.CREATE,
        defaults={"name": None, "tags": [], "n": 0, "active": False},
    )
    assert told.defaults == {"n": 0, "active": False}


@pytest.mark.parametrize(
    "error", [OdooFailed("x", ""), OdooRefused("No."), OdooAccessError("No.")]
)
async def test_defaults_that_odoo_does_not_tell_are_noted(error: Exception):
    told = await describing(schema_of(REQUIRED), Level.CREATE, defaults=error)
    assert told.required == ["name"]
    assert "does not tell the defaults" in told.notes[0]


async def test_who_names_fields_is_not_told_of_the_others():
    schema = schema_of(REQUIRED, Field("zip", "char"))
    assert (await describing(schema, Level.BRIEF, names=["name"])).others == []
    assert (await describing(schema, Level.BRIEF)).others == ["zip"]


async def test_a_short_description_shows_what_must_be_given_and_one_list_of_lines():
    lines = [
        Field(name, "one2many", relation="x.thing.line")
        for name in ("l1_ids", "l2_ids")
    ]
    told = await describing(schema_of(COMPUTED_ONLY, *lines), Level.BRIEF)
    names = [entry["name"] for entry in told.fields]
    assert [name for name in names if name.startswith("l")] == ["l1_ids"]


async def test_definitions_of_properties_are_not_offered_to_a_new_record():
    definition = Field("definition", "properties_definition")
    told = await describing(schema_of(REQUIRED, definition), Level.CREATE)
    assert [entry["name"] for entry in told.fields] == ["name"]


@pytest.mark.parametrize("error", [OdooAccessError("No."), PermissionDenied("No.")])
async def test_what_only_administrators_see_is_unknown_to_others(error: Exception):
    async def refuses(model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        raise error

    assert await field_facts("x.thing", ["name"], refuses) == {}


async def test_facts_of_fields_are_clean():
    async def rows(model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        return [
            {
                "name": "name",
                "modules": "base, sale",
                "index": "",
                "copied": 1,
                "on_delete": False,
            }
        ]

    assert await field_facts("x.thing", ["name"], rows) == {
        "name": {
            "modules": ["base", "sale"],
            "index": False,
            "copied": True,
            "on_delete": None,
        }
    }


# Names


def test_what_people_call_a_model_comes_before_its_own_words_and_parts_of_words():
    models = {
        "account.move": "Journal Entry",
        "a.invoice": "Invoice",
        "x.invoicing": "Invoicing",
        "y.bus": "Bus",
    }
    assert named_alike("invoices", models) == ["account.move", "a.invoice"]
    assert "x.invoicing" in named_alike("invoic", models)
    assert named_alike("invoice", {**models, "a.invoicely": "Invoicely"}) == [
        "account.move",
        "a.invoice",
        "a.invoicely",
    ]
    assert named_alike("bus", models) == ["y.bus"]
    assert named_alike("gas", {"x.ga": "Ga"}) == []


# Relations


def linked(model: str, *others: str) -> ModelSchema:
    return schema_of(
        *(
            Field(other.replace(".", "_"), "many2one", relation=other)
            for other in others
        ),
        model=model,
    )


WEB = {
    schema.model: schema
    for schema in (
        linked("a", "b", "c", "gone"),
        linked("b", "d"),
        linked("c", "a"),
        linked("d", "e"),
    )
}


async def web(model: str) -> ModelSchema:
    if model not in WEB:
        raise PermissionDenied("No.")
    return WEB[model]


async def incoming(model: str, method: str, *args: Any, **kwargs: Any) -> Any:
    row = {"ttype": "many2one", "relation_field": False, "required": False}
    return [
        {**row, "model": "b", "name": "x_id", "field_description": "X"},
        {**row, "model": "z", "name": "create_uid", "field_description": "Creator"},
        {**row, "model": "z", "name": "y_id", "field_description": False},
    ]


async def test_relations_are_followed_and_what_cannot_be_known_is_named():
    graph = await relations(WEB["a"], web, nothing, depth=2, to=None)
    steps = [(step.model, step.to) for step in graph.relations]
    assert steps == [("a", "b"), ("a", "c"), ("a", "gone"), ("b", "d"), ("c", "a")]
    assert graph.unknown == ["gone"]


async def test_no_model_is_followed_twice():
    graph = await relations(WEB["a"], web, nothing, depth=3, to=None)
    steps = [(step.model, step.to) for step in graph.relations]
    assert len(steps) == len(set(steps))
    assert ("d", "e") in steps
    assert graph.complete


async def test_too_many_models_are_not_all_followed_and_that_is_told():
    many = [f"m.{index}" for index in range(MAX_MODELS + 5)]
    asked: list[str] = []

    async def wide(model: str) -> ModelSchema:
        asked.append(model)
        return linked(model)

    graph = await relations(linked("hub", *many), wide, nothing, depth=2, to=None)
    assert not graph.complete
    assert len(asked) == MAX_MODELS - 1


async def test_only_the_ways_that_end_at_a_model_are_told():
    graph = await relations(WEB["a"], web, incoming, depth=3, to="d")
    steps = [(step.model, step.to) for step in graph.relations]
    assert ("a", "b") in steps
    assert ("b", "d") in steps
    assert ("a", "gone") not in steps
    assert graph.incoming == []
    back = await relations(WEB["a"], web, incoming, depth=1, to="b")
    assert [step.model for step in back.incoming or ()] == ["b"]


async def test_incoming_relations_leave_out_the_plumbing():
    graph = await relations(WEB["a"], web, incoming, depth=1, to=None)
    told = [(step.model, step.label) for step in graph.incoming or ()]
    assert told == [("b", "X"), ("z", "y_id")]
