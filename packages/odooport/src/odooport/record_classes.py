"""Which Python class a model has: its name, its fields, their names and their types.

======================  ============================  ===============================
type                    read as                       written as
======================  ============================  ===============================
``boolean``             ``bool``                      the same
``integer``             ``int``                       the same
``float``               ``float``                     the same
``monetary``            ``Decimal``                   the same
``char text html``      ``str``                       ``str``; a translated one also
                                                      ``{"fr_FR": "Bureau"}``
``date``                ``date``                      the same
``datetime``            ``datetime`` in UTC           the same; without a zone it is UTC
``binary``              ``bytes``                     the same
``selection``           its enum, or ``str``          its enum
``many2one``            ``Ref``                       ``Target``
``one2many many2many``  ``list[int]``                 ``Targets``
``reference``           ``AnyRef``                    the same
``many2one_reference``  ``int``                       the same
``properties``          ``dict[str, Any]``            the same
``json`` and others     ``Any``                       the same
======================  ============================  ===============================

``record_model`` and ``values_model`` build classes from a schema while a program runs;
``generate`` writes the same classes as source text. Both take names and types from
here, so that they cannot differ.
"""

import datetime as dt
import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

import pydantic
from pydantic import create_model

from odooport.errors import InvalidRequest
from odooport.records import (
    AnyRef,
    Binary,
    OdooRecord,
    OdooValues,
    Ref,
    Relation,
    Target,
    Targets,
    UtcDatetime,
)
from odooport.schema import RAW_BYTES, TEXTUAL, TO_MANY, Field, ModelSchema

# Names


def class_name(model: str) -> str:
    """Answer what the class of a model's records is called.

    Its segments in capitals, without a leading ``res``: ``res.partner`` is ``Partner``
    and ``sale.order.line`` is ``SaleOrderLine``. A name that generated modules need
    for something else gets ``Record`` behind it.
    """
    head, _, tail = model.partition(".")
    name = _camel(tail if head == "res" and tail else model)
    if not name.isidentifier():
        name = f"Model{name}"
    return f"{name}Record" if name in _TAKEN or keyword.iskeyword(name) else name


def class_names(models: Iterable[str]) -> dict[str, str]:
    """Answer the class names of several models, no two alike.

    Where two would be, each is called by its full name: ``ResPartner``, ``Partner``.
    """
    known = sorted(set(models))
    short = {model: class_name(model) for model in known}
    taken: set[str] = set()
    names: dict[str, str] = {}
    for model in known:
        name = short[model]
        if list(short.values()).count(name) > 1:
            name = _camel(model)
        names[model] = _free(name, taken)
    return names


def values_name(name: str) -> str:
    """Answer what the class for writing is called, from that for reading."""
    return f"{name}Values"


def enum_name(name: str, field_name: str) -> str:
    """Answer what the enum of a selection is called.

    Args:
        name: The name of the model's class.
        field_name: The name of the field.
    """
    return f"{name}{_camel(field_name)}"


def attribute_name(field_name: str) -> str:
    """Answer the attribute that holds a field.

    It is the field's name. One that Python or pydantic keeps for itself, such as
    ``global``, ``copy`` and ``model_id``, gets an underscore behind it, and one that
    begins with an underscore has it moved there.
    """
    name = re.sub(r"\W", "_", field_name).lstrip("_")
    if not name.isidentifier():
        name = f"x_{name}"
    if (
        name != field_name
        or keyword.iskeyword(name)
        or name.startswith("model_")
        or hasattr(OdooRecord, name)
        or hasattr(OdooValues, name)
        or name in _TAKEN
    ) and field_name != "id":
        return f"{name}_"
    return name


def enum_member_name(key: str) -> str:
    """Answer the name of a selection's value in its enum.

    ``to approve`` is ``TO_APPROVE``. A name that would begin with a digit has an ``N``
    before it: ``01_done`` is ``N01_DONE``. Labels are translated, so they are not used.
    """
    text = re.sub(r"^-(?=\d)", "minus_", key).replace("+", "_plus_")
    # Python reads names in source text in this form, and so they must be in it already.
    text = unicodedata.normalize("NFKC", text.upper())
    name = re.sub(r"[\W_]+", "_", text).strip("_")
    if not key.strip():
        return "EMPTY"
    if name.isidentifier():
        return name
    if name and f"N{name}".isidentifier():
        return f"N{name}"
    return "".join(f"U{ord(character):X}" for character in key)


def enum_members(choices: Field) -> dict[str, str]:
    """Answer the members of a selection's enum: names, no two alike, with values."""
    taken: set[str] = set()
    return {_free(enum_member_name(key), taken): key for key, _ in choices.selection}


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[\W_]+", name))


def _free(name: str, taken: set[str]) -> str:
    """Answer the name, with a number behind it if it is taken; take it."""
    free, number = name, 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free)
    return free


_TAKEN = frozenset(
    {
        "Annotated",
        "Any",
        "AnyRef",
        "Binary",
        "ClassVar",
        "Decimal",
        "ExternalId",
        "Field",
        "Many",
        "Mapping",
        "NOT_SET",
        "OdooRecord",
        "OdooValues",
        "Ref",
        "Relation",
        "Sequence",
        "StrEnum",
        "Target",
        "Targets",
        "UtcDatetime",
        "bool",
        "bytes",
        "dict",
        "dt",
        "float",
        "int",
        "list",
        "odoo_model",
        "str",
    }
)
"""What generated modules call by name."""


# Types


@dataclass(frozen=True, slots=True)
class PythonType:
    """A type, as source text and as what that text means.

    Attributes:
        source: What stands in a module that has ``import datetime as dt`` and the
            names that ``class_name`` keeps free.
        annotation: The type itself.
    """

    source: str
    annotation: Any

    def or_none(self) -> Self:
        """Answer the type that also takes None."""
        return type(self)(f"{self.source} | None", self.annotation | None)

    def beside(self, source: str, mark: Any) -> Self:
        """Answer the type with something said about it."""
        return type(self)(
            f"Annotated[{self.source}, {source}]", Annotated[self.annotation, mark]
        )


@dataclass(frozen=True, slots=True)
class PythonField:
    """A field as a class has it.

    Attributes:
        field: The field of Odoo.
        attribute: The name of the attribute.
        type: The attribute's type.
        default: The source of its default, or None if it has none.
        options: What else pydantic's ``Field`` is told; each value has a ``repr`` that
            can stand in source text.
    """

    field: Field
    attribute: str
    type: PythonType
    default: str | None
    options: Mapping[str, Any]


ANYTHING = PythonType("Any", Any)

_TEXT = PythonType("str", str)
_INTEGER = PythonType("int", int)
_PROPERTIES = PythonType("dict[str, Any]", dict[str, Any])
_TYPES = {
    "boolean": PythonType("bool", bool),
    "integer": _INTEGER,
    "many2one_reference": _INTEGER,
    "float": PythonType("float", float),
    "monetary": PythonType("Decimal", Decimal),
    **dict.fromkeys(TEXTUAL, _TEXT),
    "date": PythonType("dt.date", dt.date),
    "datetime": PythonType("UtcDatetime", UtcDatetime),
    "binary": PythonType("Binary", Binary),
    "reference": PythonType("AnyRef", AnyRef),
    "properties": _PROPERTIES,
    **dict.fromkeys(TO_MANY, PythonType("list[int]", list[int])),
}

_NEVER_EMPTY = frozenset({"boolean", "integer", "float", "monetary"}) | TO_MANY
"""The types that Odoo reads as False, 0 or an empty list where the column is empty."""

_STAMPS = frozenset({"create_uid", "create_date", "write_uid", "write_date"})
_GROUPS = ("in_group_", "sel_groups_")
"""How the fields of ``res.users`` begin that stand for a user's groups; no search
answers them. Source: ``is_reified_group`` in ``res_users.py`` of Odoo's base."""

_ALWAYS = TEXTUAL | {"selection", "many2one", "date", "datetime", "binary"}


def record_fields(schema: ModelSchema) -> list[str]:
    """Answer the fields that a record class has unless it is told which.

    The display name, all that are stored and all that show another record's stored
    value, as a user shows the name of its partner; but no binary ones. What is
    computed at each reading is left out, for it can be slow.
    """
    return [
        name
        for name, entry in schema.fields.items()
        if name in ("id", "display_name")
        or (
            (entry.stored or (entry.related is not None and entry.searchable))
            and entry.type != "binary"
            and not name.startswith(_GROUPS)
        )
    ]


def value_fields(schema: ModelSchema) -> list[str]:
    """Answer the fields that a class for writing has unless it is told which.

    All but those that only Odoo sets: stamps, and what it computes or shows from
    elsewhere.
    """
    raw = {"raw"} if schema.model in RAW_BYTES else set[str]()
    return [
        name
        for name, entry in schema.fields.items()
        if name not in _STAMPS | {"id", "display_name"} | raw
        and (entry.stored or not entry.readonly)
        and not entry.derived
        and not name.startswith(_GROUPS)
    ]


def python_fields(
    schema: ModelSchema,
    names: Iterable[str] | None = None,
    *,
    writing: bool,
    enum: Callable[[Field], PythonType],
    record: Callable[[str], PythonType] = lambda _model: ANYTHING,
) -> list[PythonField]:
    """Answer the fields of a class, in the schema's order; ``id`` is in its base.

    Args:
        schema: The model.
        names: Which fields; ``record_fields`` or ``value_fields`` unless given.
        writing: Whether the class is for writing.
        enum: Answers the enum of a selection.
        record: Answers the class of a model's records, for ``Ref``.

    Raises:
        InvalidRequest: A field is unknown, or Odoo cannot send it.
    """
    if names is None:
        names = value_fields(schema) if writing else record_fields(schema)
    wanted = set(names)
    schema.check(sorted(wanted))
    if "raw" in wanted and schema.model in RAW_BYTES:
        raise InvalidRequest(
            "Odoo cannot send 'raw': take 'datas', which has the same content."
        )
    taken: set[str] = set()
    return [
        _python_field(schema, entry, taken, writing=writing, enum=enum, record=record)
        for name, entry in schema.fields.items()
        if name in wanted and name != "id"
    ]


def _python_field(
    schema: ModelSchema,
    entry: Field,
    taken: set[str],
    *,
    writing: bool,
    enum: Callable[[Field], PythonType],
    record: Callable[[str], PythonType],
) -> PythonField:
    full = entry.type in _NEVER_EMPTY
    kind = python_type(entry, writing=writing, enum=enum, record=record)
    if kind is not ANYTHING and not full:
        if not (entry.required if writing else always_set(schema, entry)):
            kind = kind.or_none()
            full = False
        else:
            full = True
    if entry.relation is not None:
        kind = kind.beside(f"Relation({entry.relation!r})", Relation(entry.relation))
    options: dict[str, Any] = {}
    attribute = _free(attribute_name(entry.name), taken)
    if attribute != entry.name:
        options["validation_alias"] = options["serialization_alias"] = entry.name
    if entry.label:
        options["title"] = entry.label
    if entry.help:
        options["description"] = entry.help
    if _has_enum(entry) and not writing:
        options["union_mode"] = "left_to_right"
    if writing and (entry.type == "monetary" or _has_enum(entry)):
        options["strict"] = False
    default = None
    if writing:
        default = "NOT_SET" if full else "None"
    return PythonField(entry, attribute, kind, default, options)


def python_type(
    entry: Field,
    *,
    writing: bool,
    enum: Callable[[Field], PythonType],
    record: Callable[[str], PythonType] = lambda _model: ANYTHING,
) -> PythonType:
    """Answer the Python type of a field's values, without None.

    Args:
        entry: The field.
        writing: Whether it is for what is written.
        enum: Answers the enum of a selection.
        record: Answers the class of a model's records.
    """
    if entry.type == "selection":
        if not _of_texts(entry):
            return ANYTHING
        if not entry.selection:
            return _TEXT
        known = enum(entry)
        if writing:
            return known
        return PythonType(f"{known.source} | str", known.annotation | str)
    if entry.type == "many2one" or (writing and entry.type in TO_MANY):
        other = record(entry.relation or "")
        if not writing:
            return PythonType(f"Ref[{other.source}]", _of(Ref, other.annotation))
        if entry.type == "many2one":
            return PythonType(f"Target[{other.source}]", _of(Target, other.annotation))
        return PythonType(f"Targets[{other.source}]", _of(Targets, other.annotation))
    kind = _TYPES.get(entry.type, ANYTHING)
    if writing and entry.size is not None and entry.type == "char":
        limit = pydantic.Field(max_length=entry.size)
        kind = kind.beside(f"Field(max_length={entry.size})", limit)
    if writing and entry.translated and entry.type in TEXTUAL:
        texts = PythonType("dict[str, str]", dict[str, str])
        kind = PythonType(
            f"{kind.source} | {texts.source}", kind.annotation | texts.annotation
        )
    return kind


def _of(generic: Any, argument: Any) -> Any:
    """Answer a generic type for an argument that is only known now."""
    return generic[argument]


def _has_enum(entry: Field) -> bool:
    """Whether it is a selection whose values are known and are texts."""
    return entry.type == "selection" and bool(entry.selection) and _of_texts(entry)


def _of_texts(entry: Field) -> bool:
    """Whether a selection has no values but texts.

    The groups of a user are selections of ids, with False for none (``res.users``,
    fields ``sel_groups_…``).
    """
    return all(_is_text(key) for key, _ in entry.selection)


def _is_text(key: object) -> bool:
    return isinstance(key, str)


def always_set(schema: ModelSchema, entry: Field) -> bool:
    """Whether a field that was read surely has a value.

    "Required" alone does not say so: views of the database and computed and related
    fields have empty values all the same, and so have tables with rows from before the
    field was required.
    """
    return (
        entry.type in _ALWAYS
        and entry.required
        and entry.stored
        and _of_texts(entry)
        and not entry.depends
        and entry.related is None
        and not entry.company_dependent
        and "write_date" in schema.fields
    )


# Classes


def record_model(
    schema: ModelSchema, fields: Iterable[str] | None = None
) -> type[OdooRecord]:
    """Build the class of a model's records from its schema.

    Args:
        schema: The model.
        fields: Which fields it reads; see ``record_fields`` for those that it reads
            unless told. Binary fields make searches slow.

    Raises:
        InvalidRequest: A field is unknown, or Odoo cannot send it.
    """
    name = class_name(schema.model)
    made = create_model(
        name,
        __base__=OdooRecord,
        __doc__=f"A record of ``{schema.model}``.",
        __module__=__name__,
        **_definitions(schema, fields, name, writing=False),
    )
    made.odoo_model, made.odoo_fingerprint = schema.model, schema.fingerprint
    return made


def values_model(
    schema: ModelSchema, fields: Iterable[str] | None = None
) -> type[OdooValues]:
    """Build the class of what is written to a model from its schema.

    Args:
        schema: The model.
        fields: Which fields it can write; see ``value_fields`` for those that it can
            unless told.

    Raises:
        InvalidRequest: A field is unknown.
    """
    name = class_name(schema.model)
    made = create_model(
        values_name(name),
        __base__=OdooValues,
        __doc__=f"What to write to a record of ``{schema.model}``.",
        __module__=__name__,
        **_definitions(schema, fields, name, writing=True),
    )
    made.odoo_model, made.odoo_fingerprint = schema.model, schema.fingerprint
    return made


def _definitions(
    schema: ModelSchema, names: Iterable[str] | None, owner: str, *, writing: bool
) -> dict[str, Any]:
    """Answer what ``create_model`` takes for each field."""

    def enum(entry: Field) -> PythonType:
        title = enum_name(owner, entry.name)
        return PythonType(title, StrEnum(title, enum_members(entry), module=__name__))

    return {
        item.attribute: (
            item.type.annotation,
            (
                pydantic.Field(**item.options)
                if item.default is None
                else pydantic.Field(default=None, **item.options)
            ),
        )
        for item in python_fields(schema, names, writing=writing, enum=enum)
    }
