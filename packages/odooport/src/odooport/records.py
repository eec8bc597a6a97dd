"""Typed records: pydantic models of what is read from a model and written to it.

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

import base64
import binascii
import datetime as dt
import keyword
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, EnumType, StrEnum
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Self,
    TypeAliasType,
    Union,
    get_args,
    get_origin,
)

import pydantic
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    create_model,
)
from pydantic.fields import FieldInfo

from odooport.errors import InvalidRequest, SchemaChanged
from odooport.model import Record
from odooport.scalars import is_mapping, is_sequence, show
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


# Values


@dataclass(frozen=True)  # with slots, Python 3.12 cannot call Ref[Country](20)
class Ref[R]:
    """The record that a many2one points to.

    ``R`` is the class of that record, for type checkers alone: ``Ref["Country"]``, or
    ``Ref[Any]`` where there is none.

    Attributes:
        id: The record's id.
        name: Its display name; None if the user may not see it, or in a new ``Ref``.
    """

    id: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class AnyRef:
    """The record of any model that a reference points to.

    Attributes:
        model: The model's technical name.
        id: The record's id.
    """

    model: str
    id: int


@dataclass(frozen=True, slots=True)
class ExternalId:
    """A record, by the name that a module or an import gave it.

    Attributes:
        name: Module and name, such as ``base.be``.
    """

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """What to change in a one2many or many2many; the rest of it stays as it is.

    Attributes:
        add: Records to add.
        remove: Records to take out; they are not deleted.
        set: The records that shall be in it, and no others; empty takes all out. None
            leaves it.
        create: The values of new records to add.
        update: New values of records that are in it, by their id.
        delete: Records to delete.
    """

    add: Sequence["Target[Any]"] = ()
    remove: Sequence["Target[Any]"] = ()
    set: Sequence["Target[Any]"] | None = None
    create: Sequence["OdooValues | Mapping[str, Any]"] = ()
    update: Mapping[int, "OdooValues | Mapping[str, Any]"] = field(
        default_factory=dict[int, "OdooValues | Mapping[str, Any]"]
    )
    delete: Sequence["Target[Any]"] = ()

    def to_values(self) -> dict[str, Any]:
        """Answer it in the words that ``values`` takes; what is empty is left out."""
        words: dict[str, Any] = {
            "add": _clean(self.add),
            "remove": _clean(self.remove),
            "create": _clean(self.create),
            "update": [
                {"id": number, **_clean(values)}
                for number, values in self.update.items()
            ],
            "delete": _clean(self.delete),
        }
        said = {word: value for word, value in words.items() if value}
        return said if self.set is None else {"set": _clean(self.set), **said}


@dataclass(frozen=True, slots=True)
class Relation:
    """Beside a field's type: which model it points to.

    ``Annotated[list[int], Relation("sale.order.line")]`` is noticed when the field
    points elsewhere one day.

    Attributes:
        model: The model's technical name.
    """

    model: str


NOT_SET: Any = None
"""The default of a written field that takes no null: it is not sent unless it is set.

It is None to a running program, and of any type to a type checker.
"""


def _is_target(value: Any) -> bool:
    return isinstance(value, Ref | str | ExternalId) or type(value) is int


def _target(value: Any) -> Any:
    if _is_target(value):
        return value
    raise ValueError(
        "a record is given as a Ref, by its id, by its exact name, as an ExternalId "
        f"or, for none, as None; not as {show(value)}"
    )


def _targets(value: Any) -> Any:
    if isinstance(value, Many):
        return value
    if is_sequence(value):
        return [_target(item) for item in value]
    raise ValueError(
        "records are given as a list of Refs, ids, exact names or ExternalIds, or as "
        f"Many(...); not as {show(value)}"
    )


def _in_utc(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=dt.UTC)
    try:
        return value.astimezone(dt.UTC)
    except OverflowError:
        raise ValueError("it is outside of the calendar in UTC") from None


def _content(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("text for bytes must be base64") from None


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


type Target[R] = Annotated[Ref[R] | int | str | ExternalId, PlainValidator(_target)]
"""How to name one record: a reference, its id, its exact name or its external id."""

type Targets[R] = Annotated[Sequence[Target[R]] | Many, PlainValidator(_targets)]
"""The records that shall be in a one2many or many2many, or what to change in it."""

UtcDatetime = Annotated[dt.datetime, AfterValidator(_in_utc)]
"""A moment with its zone, which is UTC. One without a zone is taken for UTC."""

Binary = Annotated[
    bytes,
    BeforeValidator(_content),
    PlainSerializer(_base64, return_type=str, when_used="json"),
]
"""Bytes; text for them is base64."""


class OdooRecord(BaseModel):
    """The base of what is read: one class for each model, one field for each of Odoo's.

    A field has no default, so that a value which was not read cannot look empty. The
    records do not change; write an ``OdooValues``.

    Attributes:
        odoo_model: The model's technical name.
        odoo_fingerprint: The fingerprint of the schema that the class was written from;
            where the model still has it, nothing is compared.
        id: The record's id.
    """

    model_config = ConfigDict(
        frozen=True, validate_by_name=True, validate_by_alias=True
    )

    odoo_model: ClassVar[str]
    odoo_fingerprint: ClassVar[str] = ""

    id: int

    @classmethod
    def odoo_fields(cls) -> list[str]:
        """Answer the fields that it reads, by their names in Odoo."""
        return [_odoo_name(name, info) for name, info in cls.model_fields.items()]


class OdooValues(BaseModel):
    """The base of what is written: every field may be left out, and is not sent then.

    What is given is checked at once, also in an assignment. A field that must have a
    value takes no None; whether it may be left out only Odoo knows, for it may have a
    default.

    Attributes:
        odoo_model: The model's technical name.
        odoo_fingerprint: The fingerprint of the schema that the class was written from.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        validate_assignment=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    odoo_model: ClassVar[str]
    odoo_fingerprint: ClassVar[str] = ""

    @classmethod
    def odoo_fields(cls) -> list[str]:
        """Answer the fields that it can write, by their names in Odoo."""
        return [_odoo_name(name, info) for name, info in cls.model_fields.items()]

    def to_values(self) -> dict[str, Any]:
        """Answer the fields that were set, in the clean form that writing takes."""
        return {
            _odoo_name(name, info): _clean(getattr(self, name))
            for name, info in type(self).model_fields.items()
            if name in self.model_fields_set
        }


def _odoo_name(attribute: str, info: FieldInfo) -> str:
    alias = info.validation_alias
    return alias if isinstance(alias, str) else attribute


def _clean(value: Any) -> Any:
    """Answer a Python value as the doors spell it."""
    match value:
        case OdooValues() | Many():
            return value.to_values()
        case Ref():
            return value.id
        case ExternalId():
            return {"external_id": value.name}
        case AnyRef():
            return {"model": value.model, "id": value.id}
        case Decimal():
            return float(value)
        case dt.datetime():
            return _in_utc(value).replace(tzinfo=None).isoformat() + "Z"
        case dt.date():
            return value.isoformat()
        case bytes():
            return _base64(value)
        case Enum():
            return value.value
        case _ if is_sequence(value):
            return [_clean(item) for item in value]
        case _ if is_mapping(value):
            return {key: _clean(item) for key, item in value.items()}
        case _:
            return value


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

    All but those that Odoo sets by itself, and those that are computed at each reading
    and cannot be written.
    """
    raw = {"raw"} if schema.model in RAW_BYTES else set[str]()
    return [
        name
        for name, entry in schema.fields.items()
        if name not in _STAMPS | {"id", "display_name"} | raw
        and (entry.stored or not entry.readonly)
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


# Fitting

_FITS: dict[Any, frozenset[str]] = {
    bool: frozenset({"boolean"}),
    int: frozenset({"integer", "many2one_reference"}),
    float: frozenset({"float", "monetary", "integer"}),
    Decimal: frozenset({"monetary", "float", "integer"}),
    str: TEXTUAL | {"selection"},
    dt.date: frozenset({"date"}),
    dt.datetime: frozenset({"datetime"}),
    bytes: frozenset({"binary"}),
    Ref: frozenset({"many2one"}),
    Target: frozenset({"many2one"}),
    Targets: TO_MANY,
    AnyRef: frozenset({"reference"}),
    Enum: frozenset({"selection"}),
    list: TO_MANY | {"json", "properties_definition"},
    dict: frozenset({"properties", "json"}),
}
"""Which types of Odoo a type of Python can take; a type that is not here takes all."""


def check_fits(
    cls: type[OdooRecord | OdooValues],
    schema: ModelSchema,
    names: Iterable[str] | None = None,
) -> None:
    """Check that a class still fits its model.

    A class with the schema's own fingerprint does.

    Args:
        cls: The class.
        schema: The model as it is now.
        names: Only these attributes; all unless given.

    Raises:
        SchemaChanged: A field is gone, or has another type or relation now; the
            message names all of them.
    """
    if cls.odoo_fingerprint == schema.fingerprint:
        return
    cls.model_rebuild()
    chosen = None if names is None else set(names)
    changes = [
        change
        for name, info in cls.model_fields.items()
        if (chosen is None or name in chosen)
        and (change := _change(schema, _odoo_name(name, info), info)) is not None
    ]
    if changes:
        raise SchemaChanged(
            f"{schema.model!r} is not what the class {cls.__name__!r} was written for. "
            f"{' '.join(changes)} Generate the classes again.",
            schema.model,
            schema.fingerprint,
        )


def _change(schema: ModelSchema, name: str, info: FieldInfo) -> str | None:
    """Say what is different about a field; None if nothing is."""
    if name not in schema.fields:
        return schema.unknown(name)
    entry = schema.fields[name]
    parts = list(_parts(info.annotation))
    known = [_FITS[part] for part in map(_bare, parts) if part in _FITS]
    marks = [mark for mark in info.metadata if isinstance(mark, Relation)]
    if known and len(known) == len(parts):
        fits = frozenset[str]().union(*known)
        if entry.type not in fits:
            return (
                f"{name!r} is of type {entry.type} now, and not "
                f"{' or '.join(sorted(fits))}."
            )
    pointed = [mark.model for mark in marks] or [
        model
        for part in parts
        for other in get_args(part)
        if isinstance(model := getattr(other, "odoo_model", None), str)
    ]
    if entry.relation is not None and pointed and entry.relation not in pointed:
        return f"{name!r} points to {entry.relation!r} now, and not to {pointed[0]!r}."
    return None


def _parts(annotation: Any) -> Iterator[Any]:
    """Answer the types that an annotation is made of, without None."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        for part in get_args(annotation):
            yield from _parts(part)
    elif origin is Annotated:
        yield from _parts(get_args(annotation)[0])
    elif isinstance(annotation, TypeAliasType):
        yield from _parts(annotation.__value__)
    elif annotation is not NoneType:
        yield annotation


def _bare(part: Any) -> Any:
    """Answer a type without its arguments; every enum is one."""
    origin: Any = get_origin(part) or part
    return Enum if isinstance(origin, EnumType) else origin


def records_of[R: OdooRecord](
    cls: type[R], schema: ModelSchema, rows: Iterable[Record]
) -> list[R]:
    """Build records from clean values.

    Args:
        cls: The class of each.
        schema: The model that they were read from.
        rows: The values of each, as ``values.record_out`` answers them.

    Raises:
        SchemaChanged: A value does not fit its field's type.
    """
    made: list[R] = []
    for row in rows:
        try:
            made.append(cls.model_validate(row))
        except ValidationError as wrong:
            what = "; ".join(
                f"{'.'.join(map(str, error['loc'][:1]))}: {error['msg']}"
                for error in wrong.errors(include_input=False, include_url=False)
            )
            raise SchemaChanged(
                f"Record {show(row.get('id'))} of {schema.model!r} does not fit the "
                f"class {cls.__name__!r}: {what}. Generate the classes again, or let "
                "the field take what Odoo has there.",
                schema.model,
                schema.fingerprint,
            ) from None
    return made


def model_of(model: str | type[OdooRecord]) -> str:
    """Answer a model's technical name, from itself or from the class of its records.

    Raises:
        InvalidRequest: The class does not say.
    """
    if isinstance(model, str):
        return model
    name = getattr(model, "odoo_model", None)
    if not isinstance(name, str):
        raise InvalidRequest(
            f"The class {model.__name__!r} does not say which model it is for: give it "
            "an odoo_model such as 'res.partner'."
        )
    return name


def plain(schema: ModelSchema, values: Any) -> Any:
    """Answer what is to be written without classes: mappings stay as they are.

    Args:
        schema: The model that it is written to.
        values: ``OdooValues``, a mapping, or a list of them.

    Raises:
        InvalidRequest: It is meant for another model.
        SchemaChanged: A class does not fit the model any more.
    """
    if isinstance(values, OdooValues):
        cls = type(values)
        own = getattr(cls, "odoo_model", schema.model)
        if own != schema.model:
            raise InvalidRequest(
                f"{cls.__name__!r} holds values of {own!r}, and this writes to "
                f"{schema.model!r}."
            )
        check_fits(cls, schema, values.model_fields_set)
        return values.to_values()
    if is_sequence(values):
        return [plain(schema, row) for row in values]
    return values
