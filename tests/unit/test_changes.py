"""Snapshots of schemas, and what changed between two of them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odooport.changes import (
    _TYPES,
    Change,
    ChangeKind,
    Impact,
    Snapshot,
    compare,
    visible,
)
from odooport.errors import InvalidRequest
from odooport.schema import Field, ModelSchema

NOON = datetime(2026, 3, 18, 12, tzinfo=UTC)
DOCS = Path(__file__).parents[2] / "docs" / "schema.md"


def model(*fields: Field, name: str = "x.thing") -> ModelSchema:
    return ModelSchema(name, {field.name: field for field in fields})


def snapshot(*models: ModelSchema, **more: Any) -> Snapshot:
    given = {"taken": NOON, "instance": "default", "server": "18.0", "lang": "en_US"}
    return Snapshot(models={item.model: item for item in models}, **{**given, **more})


def changes(old: Field | None, new: Field | None) -> list[Change]:
    """Answer what changes when a field does; None where there is no such field."""
    before, after = ([] if field is None else [field] for field in (old, new))
    return compare(snapshot(model(*before)), snapshot(model(*after)))


# The table in the documentation

TEXT = Field("f", "char", label="Note")
CHOICE = replace(TEXT, type="selection", selection=(("a", "A"), ("b", "B")))
MONEY = replace(TEXT, type="monetary", currency_field="currency_id")
NUMBER = replace(TEXT, type="float", digits=(16, 2))
LINES = replace(TEXT, type="one2many", relation="x.line", inverse="thing_id")
PROPERTIES = replace(TEXT, type="properties", definition_record="parent_id")

FLAGS = ("required", "readonly", "translated", "company_dependent")
COLUMNS = ("stored", "searchable", "sortable", "groupable")
TYPES = ("char", "text", "html", "selection", "float", "monetary", "one2many")
NAMES = ("relation", "inverse", "currency_field", "aggregator", "related")

EXAMPLES: dict[str, tuple[Field | None, Field | None]] = {
    "field_added": (None, TEXT),
    "required_field_added": (None, replace(TEXT, required=True)),
    "field_removed": (TEXT, None),
    "type": (TEXT, replace(TEXT, type="many2one", relation="x.line")),
    "optional": (replace(TEXT, required=True), TEXT),
    "editable": (replace(TEXT, readonly=True), TEXT),
    "relation": (LINES, replace(LINES, relation="x.other")),
    "inverse": (LINES, replace(LINES, inverse="owner_id")),
    "choice_added": (CHOICE, replace(CHOICE, selection=(*CHOICE.selection, ("c", "")))),
    "choice_removed": (CHOICE, replace(CHOICE, selection=CHOICE.selection[:1])),
    "choice_order": (CHOICE, replace(CHOICE, selection=CHOICE.selection[::-1])),
    "choice_label": (CHOICE, replace(CHOICE, selection=(("a", "Z"), ("b", "B")))),
    "size_smaller": (TEXT, replace(TEXT, size=64)),
    "size_larger": (replace(TEXT, size=32), replace(TEXT, size=64)),
    "digits_fewer": (NUMBER, replace(NUMBER, digits=(15, 1))),
    "digits_more": (NUMBER, replace(NUMBER, digits=None)),
    "currency_field": (MONEY, replace(MONEY, currency_field="company_currency_id")),
    "aggregator": (NUMBER, replace(NUMBER, aggregator="sum")),
    "related": (TEXT, replace(TEXT, related="parent_id.note")),
    "definition": (PROPERTIES, replace(PROPERTIES, definition_record="team_id")),
    "groups": (TEXT, replace(TEXT, groups=("base.group_system",))),
    "no_groups": (replace(TEXT, groups=("base.group_system",)), TEXT),
    "label": (TEXT, replace(TEXT, label="Remark")),
    "help": (TEXT, replace(TEXT, help="For you alone.")),
}
for flag in FLAGS:
    off, on = replace(TEXT, **{flag: False}), replace(TEXT, **{flag: True})
    EXAMPLES.setdefault(flag, (off, on))
    EXAMPLES.setdefault(f"not_{flag}", (on, off))
for flag in COLUMNS:
    off, on = replace(TEXT, **{flag: False}), replace(TEXT, **{flag: True})
    EXAMPLES.update({flag: (off, on), f"not_{flag}": (on, off)})


def table() -> dict[str, tuple[str, str, str]]:
    """Answer readers, writers and reason of each row in the documentation."""
    rows: dict[str, tuple[str, str, str]] = {}
    for line in DOCS.read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            what, _, readers, writers, why = line.strip("|").split("|")
            key = what.replace("`", "").strip()
            rows[key] = (readers.strip(), writers.strip(), why.strip())
    return rows


def told(change: Change) -> tuple[str, str, str]:
    return change.readers.value, change.writers.value, change.reason


@pytest.mark.parametrize("row", [row for row in table() if row in EXAMPLES])
def test_a_change_of_a_field_is_classed_as_the_table_says(row: str):
    (change,) = changes(*EXAMPLES[row])

    assert change.what == row
    assert told(change) == table()[row]


@pytest.mark.parametrize("row", [row for row in table() if " to " in row])
def test_a_change_of_type_is_classed_as_the_table_says(row: str):
    old, new = row.removeprefix("type: ").split(" to ")
    (change,) = changes(replace(TEXT, type=old), replace(TEXT, type=new))

    assert (change.what, change.old, change.new) == (ChangeKind.TYPE, old, new)
    assert told(change) == table()[row]


def test_a_new_model_is_classed_as_the_table_says():
    (change,) = compare(snapshot(complete=True), snapshot(model(TEXT)))

    assert (change.model, change.field) == ("x.thing", None)
    assert told(change) == table()[change.what]


def test_a_model_that_went_is_classed_as_the_table_says():
    (change,) = compare(snapshot(model(TEXT)), snapshot(complete=True))

    assert (change.model, change.field) == ("x.thing", None)
    assert told(change) == table()[change.what]


def test_the_table_has_every_kind_and_every_type_that_is_less_than_breaking():
    types = [f"type: {old} to {new}" for old, new in _TYPES]

    assert sorted(table()) == sorted([*ChangeKind, *types])
    assert set(EXAMPLES) >= set(ChangeKind) - {"model_added", "model_removed"}


# What compare looks at


def test_equal_snapshots_have_no_changes():
    assert changes(CHOICE, replace(CHOICE)) == []


def test_what_only_people_ask_for_is_no_change():
    assert changes(TEXT, replace(TEXT, manual=True, depends=("name",))) == []


def test_another_type_says_at_once_what_belongs_to_the_old_one():
    found = changes(LINES, replace(TEXT, type="integer"))

    assert [change.what for change in found] == [ChangeKind.TYPE]


def test_what_both_types_have_is_compared_across_them():
    wide = replace(LINES, type="many2many", inverse=None, relation="x.other")

    assert [change.what for change in changes(LINES, wide)] == ["relation", "type"]


def test_digits_can_be_fewer_and_more_at_once():
    found = changes(NUMBER, replace(NUMBER, digits=(12, 4)))

    assert [change.what for change in found] == ["digits_fewer", "digits_more"]
    assert (found[0].old, found[0].new) == ([16, 2], [12, 4])


def test_every_choice_that_came_or_went_is_a_change_of_its_own():
    new = replace(CHOICE, selection=(("b", "B"), ("c", "C"), ("d", "D")))

    assert [
        (change.what, change.old, change.new) for change in changes(CHOICE, new)
    ] == [
        ("choice_removed", "a", None),
        ("choice_added", None, "c"),
        ("choice_added", None, "d"),
    ]


def test_a_field_that_may_only_be_called_something_else_is_said_to():
    gone, come = changes(TEXT, replace(TEXT, name="g"))

    assert (gone.field, gone.hint) == ("f", "It may be called 'g' now.")
    assert (come.field, come.hint) == ("g", "It may be what 'f' was.")


@pytest.mark.parametrize(
    "come",
    [
        [replace(TEXT, name="g", label="Remark")],
        [replace(TEXT, name="g", type="html")],
        [replace(TEXT, name="g"), replace(TEXT, name="h")],
    ],
)
def test_a_new_name_is_not_guessed_where_there_is_doubt(come: list[Field]):
    found = compare(snapshot(model(TEXT)), snapshot(model(*come)))

    assert {change.hint for change in found} == {None}


def test_labels_in_different_languages_are_not_compared():
    old = snapshot(model(CHOICE))
    new = replace(CHOICE, label="Choix", selection=(("a", "Un"), ("b", "Deux")))

    assert compare(old, snapshot(model(new), lang="fr_FR")) == []
    assert len(compare(old, snapshot(model(new)))) == 3


def test_a_model_that_one_side_was_not_asked_for_is_no_change():
    other = model(TEXT, name="x.other")
    one = snapshot(model(TEXT))

    assert compare(one, snapshot(other)) == []


def test_a_model_that_odoo_refuses_now_is_gone_and_odoo_says_why():
    refused = {"x.thing": "No!"}
    (change,) = compare(snapshot(model(TEXT)), snapshot(refused=refused))

    assert (change.what, change.hint) == (ChangeKind.MODEL_REMOVED, "No!")


def test_a_model_that_odoo_refused_before_has_come():
    (change,) = compare(snapshot(refused={"x.thing": "No!"}), snapshot(model(TEXT)))

    assert change.what is ChangeKind.MODEL_ADDED


def test_the_worst_changes_of_a_model_come_first():
    old = [TEXT, replace(TEXT, name="a"), replace(TEXT, name="b", required=True)]
    new = [replace(TEXT, label="Remark"), replace(TEXT, name="b")]
    found = compare(snapshot(model(*old)), snapshot(model(*new)))

    assert [(change.field, change.worst) for change in found] == [
        ("a", Impact.BREAKING),
        ("b", Impact.RISKY),
        ("f", Impact.SAFE),
    ]


# Every change that a program can notice is noticed

KEYS = st.text(max_size=3) | st.just(False) | st.integers(2, 99)
FIELDS = st.builds(
    Field,
    name=st.just("f"),
    type=st.sampled_from(TYPES),
    label=st.text(max_size=3),
    help=st.none() | st.text(max_size=3),
    selection=st.lists(
        st.tuples(KEYS, st.text(max_size=3)), max_size=3, unique_by=lambda item: item[0]
    ).map(tuple),
    digits=st.none() | st.tuples(st.integers(0, 20), st.integers(0, 9)),
    size=st.none() | st.integers(1, 3),
    groups=st.sampled_from([(), ("base.group_user",)]),
    **dict.fromkeys(FLAGS + COLUMNS, st.booleans()),
    **dict.fromkeys(NAMES, st.sampled_from([None, "a", "b"])),
)
UNSEEN = {"label", "help", "choice_label", "groups", "no_groups", "related"}


@given(FIELDS, FIELDS)
def test_another_fingerprint_is_another_schema(old: Field, new: Field):
    kinds = {change.what.value for change in changes(old, new)} - UNSEEN

    same = model(old).fingerprint == model(new).fingerprint
    assert (kinds == set()) == same


# Files


@given(st.lists(FIELDS, max_size=3), st.booleans())
def test_a_snapshot_is_read_as_it_was_written(fields: list[Field], complete: bool):
    named = [replace(field, name=f"f{n}") for n, field in enumerate(fields)]
    kept = snapshot(model(*named), complete=complete, refused={"x.y": "é\n"})

    assert Snapshot.from_json(kept.to_json()) == kept


def test_a_file_is_sorted_and_has_one_line_for_each_field():
    schema = model(replace(TEXT, name="b", required=True), replace(CHOICE, name="a"))
    text = snapshot(schema, refused={"x.y": "No!"}).to_json()

    choice = '"label": "Note", "selection": [["a", "A"], ["b", "B"]], '
    assert text.splitlines() == [
        "{",
        '  "complete": false,',
        '  "format": 1,',
        '  "instance": "default",',
        '  "lang": "en_US",',
        '  "models": {',
        '    "x.thing": {',
        '      "fields": {',
        f'        "a": {{{choice}"type": "selection"}},',
        '        "b": {"label": "Note", "required": true, "type": "char"}',
        "      },",
        f'      "fingerprint": "{schema.fingerprint}"',
        "    }",
        "  },",
        '  "refused": {"x.y": "No!"},',
        '  "server": "18.0",',
        '  "taken": "2026-03-18T12:00:00Z"',
        "}",
    ]


def test_the_order_that_odoo_answers_in_does_not_show():
    other = replace(TEXT, name="a")

    assert snapshot(model(TEXT, other)).to_json() == (
        snapshot(model(other, TEXT)).to_json()
    )


@pytest.mark.parametrize("text", ["", "nonsense", "[" * 100_000, "[]", "{}", '"x"'])
def test_what_is_no_snapshot_is_said_not_to_be_one(text: str):
    with pytest.raises(InvalidRequest, match="This is no schema snapshot"):
        Snapshot.from_json(text)


def test_a_snapshot_of_another_format_is_not_guessed_at():
    with pytest.raises(InvalidRequest, match="has format 2, and this Odooport reads"):
        Snapshot.from_json('{"format": 2}')


@pytest.mark.parametrize(
    ("path", "value", "pointer"),
    [
        ("taken", "noon", "/taken"),
        ("taken", "2026-03-18T12:00:00", "/taken"),
        ("extra", 1, "/extra"),
        ("models", [], "/models"),
        ("models/x.thing/fields/f", "char", "/models/x.thing/fields/f"),
        ("models/x.thing/fields/f/type", 7, "/models/x.thing/fields/f/type"),
        ("models/x.thing/fields/f/digits", [1], "/models/x.thing/fields/f/digits/1"),
        ("models/x.thing/fields/f/typo", True, "/models/x.thing/fields/f/typo"),
        (
            "models/x.thing/fields/f/selection",
            [[None, "A"]],
            "/models/x.thing/fields/f/selection/0/0",
        ),
    ],
)
def test_a_damaged_snapshot_is_told_by_place(path: str, value: Any, pointer: str):
    raw = json.loads(snapshot(model(TEXT)).to_json())
    *way, last = path.split("/")
    inner = raw
    for step in way:
        inner = inner[step]
    inner[last] = value

    with pytest.raises(InvalidRequest, match="damaged") as caught:
        Snapshot.from_json(json.dumps(raw))
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"x.thing"', '"X.thing"', "'X.thing' is no name of a model"),
        ('"x.thing"', '"x\\u001bthing"', r"'x\x1bthing' is no name of a model"),
        ('"f":', '"\\ud800":', r"'\ud800' is no name of a field of 'x.thing'"),
        ('"f":', '"f-g":', "'f-g' is no name of a field of 'x.thing'"),
        ('"Note"', '"\\udfff"', "/models/x.thing/fields/f/label: It has half of a"),
        ('"default"', '"\\udfff"', "/instance: It has half of a"),
        ('"char"', '"text"', "/models/x.thing: Its fields do not have the finger"),
    ],
)
def test_a_file_that_is_not_as_it_was_written_is_told_by_place(old, new, told: str):
    text = snapshot(model(TEXT)).to_json()
    assert old in text

    with pytest.raises(InvalidRequest) as caught:
        Snapshot.from_json(text.replace(old, new))
    assert told in caught.value.message


@pytest.mark.parametrize("name", ["_seq", "x_colLivMod", "x_$", "n\xe9", "1"])
def test_a_field_may_have_any_name_that_odoo_takes(name: str):
    text = snapshot(model(replace(TEXT, name=name))).to_json()
    if name == "1":
        with pytest.raises(InvalidRequest, match="'1' is no name of a field"):
            Snapshot.from_json(text)
    else:
        assert name in Snapshot.from_json(text).models["x.thing"].fields


def test_a_file_has_no_character_that_nobody_sees():
    label = "a\x1b[2J\x9b\u2028\u202e\U000e0001\x7f z \u0646\u200c\u0645"
    text = snapshot(model(replace(TEXT, label=label))).to_json()

    kept = Snapshot.from_json(text)
    assert kept.models["x.thing"].fields["f"].label == label
    assert text.replace("\n", "").replace("\u200c", "").isprintable()


def test_what_nobody_sees_is_shown_and_the_rest_stays():
    assert (
        visible("\xe9t\xe9\xa0: \x1b[0m\n\u202e")
        == "\xe9t\xe9\xa0: \\u001b[0m\n\\u202e"
    )


def test_everything_that_is_damaged_is_told_at_once():
    raw = json.loads(snapshot(model(TEXT, replace(TEXT, name="g"))).to_json())
    fields = raw["models"]["x.thing"]["fields"]
    fields["f"]["typo"] = fields["g"]["typo"] = fields["g"]["size"] = "x"

    with pytest.raises(InvalidRequest) as caught:
        Snapshot.from_json(json.dumps(raw))
    assert len(caught.value.problems) == 3
