"""What changed between two looks at an Odoo, and whom that hurts.

A ``Snapshot`` keeps what models looked like to one user at one moment; its text is made
to lie in version control. ``compare`` answers the changes between two of them, each
classed for programs that read and for programs that write.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import MISSING, dataclass, replace
from dataclasses import fields as dataclass_fields
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Self, cast

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
)

from odooport.errors import InvalidRequest, Problem
from odooport.scalars import below, is_mapping, is_sequence, show
from odooport.schema import RELATIONAL, TEXTUAL, Field, ModelSchema

FORMAT = 1
"""The version of the snapshots' format that this code writes and reads."""

SOURCE_LANGUAGE = "en_US"
"""The language of labels that are asked for without one (``odoo/api.py``)."""

_SHOWN_PROBLEMS = 3

_MODEL_NAME = re.compile(r"[a-z0-9_.]+", re.ASCII)
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*", re.ASCII)
"""What Odoo takes for names, capitals included (``regex_object_name`` and
``regex_pg_name`` in ``odoo/models.py``). A field of a module may also have any other
name that an attribute in Python can have."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"


def visible(text: str) -> str:
    """Answer a text with what nobody sees in it escaped, as JSON does that.

    Such a character could command a terminal, turn the direction of a line, or be half
    of a pair that cannot be encoded. Ends of lines stay, and so do the joiners that
    some scripts are written with. In a text that is JSON the escapes mean the same.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        (
            json.dumps(character)[1:-1]
            if unicodedata.category(character) in _UNSEEN
            and character not in _JOINERS
            and character != "\n"
            else character
        )
        for character in text
    )


class Impact(StrEnum):
    """What a change does to programs that were written before it."""

    SAFE = "safe"
    RISKY = "risky"
    BREAKING = "breaking"

    @property
    def rank(self) -> int:
        """The higher, the worse."""
        return tuple(Impact).index(self)


class ChangeKind(StrEnum):
    """What can change. ``compare`` reports no other kinds."""

    MODEL_ADDED = "model_added"
    MODEL_REMOVED = "model_removed"
    FIELD_ADDED = "field_added"
    REQUIRED_FIELD_ADDED = "required_field_added"
    FIELD_REMOVED = "field_removed"
    TYPE = "type"
    REQUIRED = "required"
    OPTIONAL = "optional"
    READONLY = "readonly"
    EDITABLE = "editable"
    STORED = "stored"
    NOT_STORED = "not_stored"
    SEARCHABLE = "searchable"
    NOT_SEARCHABLE = "not_searchable"
    SORTABLE = "sortable"
    NOT_SORTABLE = "not_sortable"
    GROUPABLE = "groupable"
    NOT_GROUPABLE = "not_groupable"
    TRANSLATED = "translated"
    NOT_TRANSLATED = "not_translated"
    COMPANY_DEPENDENT = "company_dependent"
    NOT_COMPANY_DEPENDENT = "not_company_dependent"
    RELATION = "relation"
    INVERSE = "inverse"
    CHOICE_ADDED = "choice_added"
    CHOICE_REMOVED = "choice_removed"
    CHOICE_ORDER = "choice_order"
    CHOICE_LABEL = "choice_label"
    SIZE_SMALLER = "size_smaller"
    SIZE_LARGER = "size_larger"
    DIGITS_FEWER = "digits_fewer"
    DIGITS_MORE = "digits_more"
    CURRENCY_FIELD = "currency_field"
    AGGREGATOR = "aggregator"
    RELATED = "related"
    DEFINITION = "definition"
    GROUPS = "groups"
    NO_GROUPS = "no_groups"
    LABEL = "label"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two snapshots.

    Attributes:
        model: The model's technical name.
        field: The field's name; None if it is about the model as a whole.
        what: What kind of change it is.
        old: What it was, as JSON; None if there was nothing.
        new: What it is now, as JSON; None if there is nothing.
        readers: What it does to programs that read, search and group.
        writers: What it does to programs that create and write.
        reason: Why, in a sentence.
        hint: What is behind it, as far as that is known: a new name for the same field,
            or what Odoo said of a model that it does not describe any more.
    """

    model: str
    field: str | None
    what: ChangeKind
    old: Any
    new: Any
    readers: Impact
    writers: Impact
    reason: str
    hint: str | None = None

    @property
    def worst(self) -> Impact:
        """The worse one of both impacts."""
        return max(self.readers, self.writers, key=lambda impact: impact.rank)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What models looked like to one user at one moment.

    Attributes:
        taken: The moment, with its time zone.
        instance: What the Odoo database is called here.
        server: The server's version.
        lang: The language of the labels.
        models: The schema of each model.
        refused: For each model that could not be described, what Odoo said.
        complete: Whether it holds every model that the user could read, and not only
            those that were named.
    """

    taken: datetime
    instance: str
    server: str
    lang: str
    models: Mapping[str, ModelSchema]
    refused: Mapping[str, str] = MappingProxyType({})
    complete: bool = False

    def to_json(self) -> str:
        """Answer the snapshot as text: sorted, with one line for each field."""
        head = {
            "complete": self.complete,
            "format": FORMAT,
            "instance": self.instance,
            "lang": self.lang,
            "refused": dict(self.refused),
            "server": self.server,
            "taken": self.taken.isoformat().replace("+00:00", "Z"),
        }
        entries = {name: _compact(value) for name, value in head.items()}
        entries["models"] = _block(
            {name: _model_text(schema) for name, schema in self.models.items()}, 2
        )
        return _block(entries, 1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a snapshot.

        Args:
            text: What ``to_json`` answered.

        Raises:
            InvalidRequest: It is no snapshot, one of another format, or one that is
                not as it was written; with a problem for everything that is wrong.
        """
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError):
            raise InvalidRequest(
                "This is no schema snapshot: it is not JSON."
            ) from None
        number = cast("Any", raw).get("format") if isinstance(raw, dict) else None
        if type(number) is not int:
            raise InvalidRequest("This is no schema snapshot: it names no format.")
        if number != FORMAT:
            raise InvalidRequest(
                f"This schema snapshot has format {number}, and this Odooport reads "
                f"format {FORMAT}. Take it anew, or use the Odooport that took it."
            )
        try:
            found = _File.model_validate(raw)
        except ValidationError as error:
            raise _unreadable(_problems(error)) from None
        if problems := [*_bad_names(found), *_half_characters(raw)]:
            raise _unreadable(problems)
        models = _models(found.models)
        if problems := list(_edited(found.models, models)):
            raise _unreadable(problems)
        return cls(
            taken=found.taken,
            instance=found.instance,
            server=found.server,
            lang=found.lang,
            models=models,
            refused=found.refused,
            complete=found.complete,
        )


class _Model(BaseModel):
    """A model as a file has it, with the fingerprint of the fields as they were."""

    model_config = ConfigDict(extra="forbid")

    fields: dict[str, dict[str, Any]]
    fingerprint: str


class _File(BaseModel):
    """A snapshot as a file has it."""

    model_config = ConfigDict(extra="forbid")

    complete: bool
    format: int
    instance: str
    lang: str
    models: dict[str, _Model]
    refused: dict[str, str]
    server: str
    taken: AwareDatetime


def _scalar(key: Any) -> Any:
    if not isinstance(key, str | int):
        raise ValueError("the value of a choice is a text, a number or a boolean")
    return key


_FIELD = TypeAdapter(Field)
_CHOICES = TypeAdapter(
    # Not only texts: the choices of res.users' fields for groups are ids and False.
    tuple[tuple[Annotated[Any, AfterValidator(_scalar)], str], ...]
)
_DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        entry.name: None if entry.default is MISSING else entry.default
        for entry in dataclass_fields(Field)
        if entry.name != "name"
    }
)


def _bad_names(found: _File) -> Iterator[Problem]:
    for name in (*found.models, *found.refused):
        if not _MODEL_NAME.fullmatch(name):
            yield Problem("/models", f"{show(name)} is no name of a model.")
    for model, entry in found.models.items():
        for name in entry.fields:
            if not (_FIELD_NAME.fullmatch(name) or name.isidentifier()):
                text = f"{show(name)} is no name of a field of {show(model)}."
                yield Problem("/models", text)


def _half_characters(raw: Any) -> Iterator[Problem]:
    """Find texts that no file in UTF-8 can hold; an escape in JSON can make them."""
    waiting = [("", raw)]  # and no recursion: a file may be as deep as it likes
    while waiting:
        pointer, value = waiting.pop()
        if is_mapping(value):
            waiting += [(pointer, key) for key in value]
            waiting += [(below(pointer, key), item) for key, item in value.items()]
        elif is_sequence(value):
            waiting += [(f"{pointer}/{i}", item) for i, item in enumerate(value)]
        elif isinstance(value, str) and _is_cut(value):
            yield Problem(_place(pointer), "It has half of a character in it.")


def _is_cut(text: str) -> bool:
    return any(0xD800 <= ord(character) < 0xE000 for character in text)


def _edited(
    found: Mapping[str, _Model], models: Mapping[str, ModelSchema]
) -> Iterator[Problem]:
    for model, schema in models.items():
        if found[model].fingerprint != schema.fingerprint:
            yield Problem(
                f"/models/{model}",
                "Its fields do not have the fingerprint that stands there: somebody "
                "edited the file, or two of them were merged.",
            )


def _models(found: Mapping[str, _Model]) -> dict[str, ModelSchema]:
    problems: list[Problem] = []
    models = {
        model: ModelSchema(
            model,
            {
                name: _field(name, raw, f"/models/{model}/fields/{name}", problems)
                for name, raw in entry.fields.items()
            },
        )
        for model, entry in found.items()
    }
    if problems:
        raise _unreadable(problems)
    return models


def _field(
    name: str, raw: Mapping[str, Any], pointer: str, problems: list[Problem]
) -> Field:
    """Answer a field; what is wrong with it is added to the problems."""
    problems += [
        Problem(_place(f"{pointer}/{key}"), "A field has no such attribute.")
        for key in sorted(raw.keys() - _DEFAULTS.keys())
    ]
    field = Field(name, "")
    try:
        plain = {key: value for key, value in raw.items() if key != "selection"}
        field = _FIELD.validate_python({**plain, "name": name})
    except ValidationError as error:
        problems += _problems(error, pointer)
    try:
        selection = _CHOICES.validate_python(raw.get("selection", ()))
    except ValidationError as error:
        problems += _problems(error, f"{pointer}/selection")
        return field
    return replace(field, selection=selection) if selection else field


def _problems(error: ValidationError, pointer: str = "") -> list[Problem]:
    return [
        Problem(_place("/".join([pointer, *map(str, item["loc"])])), f"{item['msg']}.")
        for item in error.errors(include_url=False, include_input=False)
    ]


def _place(pointer: str) -> str:
    """Answer a pointer that can be shown in a line, whatever names are in it."""
    return visible(pointer).replace("\n", "\\n")


def _unreadable(problems: Sequence[Problem]) -> InvalidRequest:
    shown = [f"{item.pointer}: {item.message}" for item in problems[:_SHOWN_PROBLEMS]]
    if len(problems) > _SHOWN_PROBLEMS:
        shown.append(f"There are {len(problems) - _SHOWN_PROBLEMS} more such places.")
    text = " ".join(["This schema snapshot is damaged.", *shown])
    return InvalidRequest(f"{text} Take it anew.", problems)


def _compact(value: Any) -> str:
    return visible(json.dumps(value, ensure_ascii=False, sort_keys=True))


def _block(entries: Mapping[str, str], depth: int) -> str:
    """Answer an object with one line for each entry, sorted."""
    if not entries:
        return "{}"
    indent = "  " * depth
    lines = [f"{indent}{_compact(name)}: {entries[name]}" for name in sorted(entries)]
    return "{\n" + ",\n".join(lines) + "\n" + indent[2:] + "}"


def _model_text(schema: ModelSchema) -> str:
    fields = {
        name: _compact(
            {
                attribute: value
                for attribute, usual in _DEFAULTS.items()
                if (value := getattr(field, attribute)) != usual
            }
        )
        for name, field in schema.fields.items()
    }
    return _block(
        {"fields": _block(fields, 4), "fingerprint": _compact(schema.fingerprint)}, 3
    )


@dataclass(frozen=True, slots=True)
class _Rule:
    readers: Impact
    writers: Impact
    reason: str


_SAFE, _RISKY, _BREAKING = Impact.SAFE, Impact.RISKY, Impact.BREAKING
_NO_HARM = "Whatever worked still works."
_ONLY_SHOWN = "Only what people see is different."
_LINES_ARE_LISTS = "It is a list of ids as before, but the records belong elsewhere."

_RULES: Mapping[ChangeKind, _Rule] = MappingProxyType(
    {
        ChangeKind.MODEL_ADDED: _Rule(_SAFE, _SAFE, _NO_HARM),
        ChangeKind.MODEL_REMOVED: _Rule(
            _BREAKING, _BREAKING, "Every call to it fails, at least for this user."
        ),
        ChangeKind.FIELD_ADDED: _Rule(_SAFE, _SAFE, _NO_HARM),
        ChangeKind.REQUIRED_FIELD_ADDED: _Rule(
            _SAFE, _RISKY, "Creating without it fails unless Odoo fills it."
        ),
        ChangeKind.FIELD_REMOVED: _Rule(
            _BREAKING,
            _BREAKING,
            "Every call that names it fails, at least for this user.",
        ),
        ChangeKind.TYPE: _Rule(_BREAKING, _BREAKING, "Its values have another form."),
        ChangeKind.REQUIRED: _Rule(
            _SAFE, _RISKY, "Creating without it fails unless Odoo fills it."
        ),
        ChangeKind.OPTIONAL: _Rule(_RISKY, _SAFE, "It can be empty."),
        ChangeKind.READONLY: _Rule(
            _SAFE, _RISKY, "Odoo may overwrite what is written, or keep nothing of it."
        ),
        ChangeKind.EDITABLE: _Rule(_SAFE, _SAFE, _NO_HARM),
        ChangeKind.STORED: _Rule(_SAFE, _SAFE, _NO_HARM),
        ChangeKind.NOT_STORED: _Rule(
            _RISKY,
            _RISKY,
            "It is computed when it is read: it is left out of whole records, and what "
            "is written may be lost.",
        ),
        ChangeKind.SEARCHABLE: _Rule(_SAFE, _SAFE, _NO_HARM),
        ChangeKind.NOT_SEARCHABLE: _Rule(
            _BREAKING, _SAFE, "A domain that names it is refused."
        ),
        ChangeKind.SORTABLE: _Rule(_SAFE, _SAFE, _NO_HARM),
        ChangeKind.NOT_SORTABLE: _Rule(
            _BREAKING, _SAFE, "An order that names it is refused."
        ),
        ChangeKind.GROUPABLE: _Rule(_SAFE, _SAFE, _NO_HARM),
        ChangeKind.NOT_GROUPABLE: _Rule(
            _BREAKING, _SAFE, "Records cannot be grouped by it."
        ),
        ChangeKind.TRANSLATED: _Rule(
            _RISKY, _RISKY, "Each language has a text of its own."
        ),
        ChangeKind.NOT_TRANSLATED: _Rule(
            _RISKY, _RISKY, "All languages share one text."
        ),
        ChangeKind.COMPANY_DEPENDENT: _Rule(
            _RISKY, _RISKY, "Each company has a value of its own."
        ),
        ChangeKind.NOT_COMPANY_DEPENDENT: _Rule(
            _RISKY, _RISKY, "All companies share one value."
        ),
        ChangeKind.RELATION: _Rule(
            _BREAKING, _BREAKING, "Its ids are those of another model."
        ),
        ChangeKind.INVERSE: _Rule(
            _RISKY, _RISKY, "Another field of those records says whose they are."
        ),
        ChangeKind.CHOICE_ADDED: _Rule(_RISKY, _SAFE, "A program may not know it."),
        ChangeKind.CHOICE_REMOVED: _Rule(
            _RISKY, _BREAKING, "Writing it is refused, and so is a search for it."
        ),
        ChangeKind.CHOICE_ORDER: _Rule(_SAFE, _SAFE, _ONLY_SHOWN),
        ChangeKind.CHOICE_LABEL: _Rule(_SAFE, _SAFE, _ONLY_SHOWN),
        ChangeKind.SIZE_SMALLER: _Rule(
            _SAFE,
            _BREAKING,
            "Longer text is refused; Odoo itself would cut it off.",  # fields.py, Char
        ),
        ChangeKind.SIZE_LARGER: _Rule(_RISKY, _SAFE, "Longer text can come."),
        ChangeKind.DIGITS_FEWER: _Rule(
            _SAFE, _RISKY, "What is written is rounded, or has too many digits."
        ),
        ChangeKind.DIGITS_MORE: _Rule(
            _RISKY, _SAFE, "Numbers with more digits can come."
        ),
        ChangeKind.CURRENCY_FIELD: _Rule(
            _BREAKING, _BREAKING, "The same amount is in another currency."
        ),
        ChangeKind.AGGREGATOR: _Rule(
            _RISKY, _SAFE, "Groups that leave it to Odoo sum it up in another way."
        ),
        ChangeKind.RELATED: _Rule(
            _RISKY, _RISKY, "The value comes from elsewhere, and is written elsewhere."
        ),
        ChangeKind.DEFINITION: _Rule(
            _RISKY, _RISKY, "Another record says which properties there are."
        ),
        ChangeKind.GROUPS: _Rule(
            _RISKY, _RISKY, "Users who are in none of these groups do not see it."
        ),
        ChangeKind.NO_GROUPS: _Rule(_SAFE, _SAFE, _NO_HARM),
        ChangeKind.LABEL: _Rule(_SAFE, _SAFE, _ONLY_SHOWN),
        ChangeKind.HELP: _Rule(_SAFE, _SAFE, _ONLY_SHOWN),
    }
)

_MARKUP = _Rule(_RISKY, _RISKY, "It is markup, and Odoo cleans what is written.")
_NO_MARKUP = _Rule(_RISKY, _RISKY, "It is plain text; markup in it means nothing.")
_LISTED = _Rule(_SAFE, _BREAKING, "Only the listed values can be written.")
_UNLISTED = _Rule(_RISKY, _SAFE, "Any text can come.")
_DECIMALS = _Rule(_RISKY, _SAFE, "Numbers with decimals can come.")
_NO_DECIMALS = _Rule(_SAFE, _BREAKING, "Numbers with decimals are refused.")
_OTHER_LINES = _Rule(_RISKY, _RISKY, _LINES_ARE_LISTS)
_OTHER_NUMBER = _Rule(_RISKY, _RISKY, "It is a number as before, with another meaning.")

_TYPES: Mapping[tuple[str, str], _Rule] = MappingProxyType(
    {
        ("char", "text"): _Rule(_SAFE, _SAFE, _NO_HARM),
        ("text", "char"): _Rule(_SAFE, _RISKY, "It is meant for a single line."),
        ("char", "html"): _MARKUP,
        ("text", "html"): _MARKUP,
        ("html", "char"): _NO_MARKUP,
        ("html", "text"): _NO_MARKUP,
        ("char", "selection"): _LISTED,
        ("text", "selection"): _LISTED,
        ("selection", "char"): _UNLISTED,
        ("selection", "text"): _UNLISTED,
        ("integer", "float"): _DECIMALS,
        ("integer", "monetary"): _DECIMALS,
        ("float", "integer"): _NO_DECIMALS,
        ("monetary", "integer"): _NO_DECIMALS,
        ("float", "monetary"): _Rule(
            _RISKY, _RISKY, "It is rounded as its currency wants."
        ),
        ("monetary", "float"): _Rule(_RISKY, _RISKY, "It belongs to no currency."),
        ("one2many", "many2many"): _OTHER_LINES,
        ("many2many", "one2many"): _OTHER_LINES,
        ("integer", "many2one_reference"): _OTHER_NUMBER,
        ("many2one_reference", "integer"): _OTHER_NUMBER,
    }
)
"""What is less than breaking for somebody when a field changes from type to type."""

_FLAGS = (
    ("required", ChangeKind.REQUIRED, ChangeKind.OPTIONAL),
    ("readonly", ChangeKind.READONLY, ChangeKind.EDITABLE),
    ("stored", ChangeKind.STORED, ChangeKind.NOT_STORED),
    ("searchable", ChangeKind.SEARCHABLE, ChangeKind.NOT_SEARCHABLE),
    ("sortable", ChangeKind.SORTABLE, ChangeKind.NOT_SORTABLE),
    ("groupable", ChangeKind.GROUPABLE, ChangeKind.NOT_GROUPABLE),
    ("translated", ChangeKind.TRANSLATED, ChangeKind.NOT_TRANSLATED),
    (
        "company_dependent",
        ChangeKind.COMPANY_DEPENDENT,
        ChangeKind.NOT_COMPANY_DEPENDENT,
    ),
)
"""An attribute that is true or false, and what it is called when it becomes so."""

_VALUES = (
    ("relation", ChangeKind.RELATION, RELATIONAL),
    ("inverse", ChangeKind.INVERSE, frozenset({"one2many"})),
    ("currency_field", ChangeKind.CURRENCY_FIELD, frozenset({"monetary"})),
    ("aggregator", ChangeKind.AGGREGATOR, None),
    ("related", ChangeKind.RELATED, None),  # whatever the type
    ("definition_record", ChangeKind.DEFINITION, frozenset({"properties"})),
    ("definition_record_field", ChangeKind.DEFINITION, frozenset({"properties"})),
)
"""An attribute with a value, and the types that have it. A change to a type without it
is a change of its own, which says it all."""

_LIMITED = TEXTUAL
_NUMERIC = frozenset({"float", "monetary"})


def compare(old: Snapshot, new: Snapshot) -> list[Change]:
    """Answer what changed, by model; within a model the worst comes first.

    A model that one side was not asked for is no change. Labels are compared only if
    both sides have them in the same language.

    Args:
        old: What programs were written for.
        new: What they meet now.
    """
    labels = old.lang == new.lang
    changes: list[Change] = []
    for model in sorted(old.models.keys() | new.models.keys()):
        before, after = old.models.get(model), new.models.get(model)
        if before is not None and after is not None:
            found = list(_compared(before, after, labels=labels))
            changes += sorted(found, key=_order)
        elif after is not None:
            if old.complete or model in old.refused:
                changes.append(_change(model, None, ChangeKind.MODEL_ADDED))
        elif new.complete or model in new.refused:
            change = _change(model, None, ChangeKind.MODEL_REMOVED)
            changes.append(replace(change, hint=new.refused.get(model)))
    return changes


def _order(change: Change) -> tuple[int, str, int]:
    kinds = tuple(ChangeKind)
    return -change.worst.rank, change.field or "", kinds.index(change.what)


def _change(
    model: str, field: str | None, what: ChangeKind, old: Any = None, new: Any = None
) -> Change:
    rule = _RULES[what]
    if what is ChangeKind.TYPE:
        rule = _TYPES.get((old, new), rule)
    return Change(model, field, what, old, new, rule.readers, rule.writers, rule.reason)


def _compared(
    before: ModelSchema, after: ModelSchema, *, labels: bool
) -> Iterator[Change]:
    gone = [field for name, field in before.fields.items() if name not in after.fields]
    come = [field for name, field in after.fields.items() if name not in before.fields]
    renamed = _renamed(gone, come) if labels else {}
    for field in gone:
        change = _change(before.model, field.name, ChangeKind.FIELD_REMOVED, field.type)
        hint = f"It may be called {renamed.get(field.name)!r} now."
        yield replace(change, hint=hint if field.name in renamed else None)
    origins = {name: origin for origin, name in renamed.items()}
    for field in come:
        what = ChangeKind.FIELD_ADDED
        if field.required:
            what = ChangeKind.REQUIRED_FIELD_ADDED
        change = _change(after.model, field.name, what, None, field.type)
        hint = f"It may be what {origins.get(field.name)!r} was."
        yield replace(change, hint=hint if field.name in origins else None)
    for name, field in after.fields.items():
        was = before.fields.get(name, field)
        if was != field:
            for what, old, new in _differences(was, field, labels=labels):
                yield _change(after.model, name, what, old, new)


def _renamed(gone: Sequence[Field], come: Sequence[Field]) -> dict[str, str]:
    """Guess new names: the same label and type, and no other field has both."""
    names: dict[str, str] = {}
    for field in gone:
        left = [item for item in gone if _looks(item) == _looks(field)]
        right = [item for item in come if _looks(item) == _looks(field)]
        if len(left) == len(right) == 1 and field.label:
            names[field.name] = right[0].name
    return names


def _looks(field: Field) -> tuple[str, str, str | None]:
    return field.label, field.type, field.relation


type _Difference = tuple[ChangeKind, Any, Any]


def _differences(was: Field, now: Field, *, labels: bool) -> Iterator[_Difference]:
    if was.type != now.type:
        yield ChangeKind.TYPE, was.type, now.type
    for attribute, gained, lost in _FLAGS:
        old, new = getattr(was, attribute), getattr(now, attribute)
        if old != new:
            yield gained if new else lost, old, new
    for attribute, what, types in _VALUES:
        old, new = getattr(was, attribute), getattr(now, attribute)
        if old != new and _both(was, now, types):
            yield what, old, new
    yield from _choices(was, now, labels=labels)
    yield from _limits(was, now)
    if was.groups != now.groups:
        what = ChangeKind.GROUPS if now.groups else ChangeKind.NO_GROUPS
        yield what, list(was.groups), list(now.groups)
    if labels and was.label != now.label:
        yield ChangeKind.LABEL, was.label, now.label
    if labels and was.help != now.help:
        yield ChangeKind.HELP, was.help, now.help


def _both(was: Field, now: Field, types: AbstractSet[str] | None) -> bool:
    """Whether an attribute can be compared that only these types have."""
    return was.type == now.type or types is None or {was.type, now.type} <= types


def _choices(was: Field, now: Field, *, labels: bool) -> Iterator[_Difference]:
    if was.type != now.type or was.selection == now.selection:
        return
    before, after = dict(was.selection), dict(now.selection)
    for key in before:
        if key not in after:
            yield ChangeKind.CHOICE_REMOVED, key, None
    for key in after:
        if key not in before:
            yield ChangeKind.CHOICE_ADDED, None, key
    shared = [key for key in before if key in after]
    if shared != [key for key in after if key in before]:
        yield ChangeKind.CHOICE_ORDER, list(before), list(after)
    for key in shared if labels else ():
        if before[key] != after[key]:
            yield ChangeKind.CHOICE_LABEL, [key, before[key]], [key, after[key]]


def _limits(was: Field, now: Field) -> Iterator[_Difference]:
    if was.size != now.size and _both(was, now, _LIMITED):
        smaller = now.size is not None and (was.size is None or now.size < was.size)
        what = ChangeKind.SIZE_SMALLER if smaller else ChangeKind.SIZE_LARGER
        yield what, was.size, now.size
    if was.digits != now.digits and _both(was, now, _NUMERIC):
        old, new = _digits(was), _digits(now)
        if _fewer(new, old):
            yield ChangeKind.DIGITS_FEWER, old, new
        if _fewer(old, new):
            yield ChangeKind.DIGITS_MORE, old, new


def _digits(field: Field) -> list[int] | None:
    return None if field.digits is None else list(field.digits)


def _fewer(one: list[int] | None, other: list[int] | None) -> bool:
    """Whether the one has less room before or after the point; None has the most."""
    if one is None or other is None:
        return one is not None
    return one[1] < other[1] or one[0] - one[1] < other[0] - other[1]
