"""Typed records: what a program reads from a model and writes to it, as classes.

The bases of such classes, the values that have a class of their own, and whether a
class still fits its model. ``record_classes`` says which type each field has.
"""

import base64
import binascii
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, EnumType
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    TypeAliasType,
    Union,
    get_args,
    get_origin,
)

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    ValidationError,
)
from pydantic.fields import FieldInfo

from odooport.errors import InvalidRequest, SchemaChanged
from odooport.model import Record
from odooport.scalars import is_mapping, is_sequence, show
from odooport.schema import TEXTUAL, TO_MANY, ModelSchema

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
    match value:
        case {"external_id": str(name), **more} if not more:  # as JSON has it
            return ExternalId(name)
        case _:
            pass
    raise ValueError(
        "a record is given as a Ref, by its id, by its exact name, as an ExternalId "
        f"or, for none, as None; not as {show(value)}"
    )


def _targets(value: Any) -> Any:
    if isinstance(value, Many):
        return value
    if is_sequence(value):
        return [_target(item) for item in value]
    if is_mapping(value) and value.keys() <= _WORDS:  # as JSON has it
        return _many(value)
    raise ValueError(
        "records are given as a list of Refs, ids, exact names or ExternalIds, or as "
        f"Many(...); not as {show(value)}"
    )


_WORDS = frozenset({"add", "remove", "set", "create", "update", "delete"})


def _many(words: Mapping[str, Any]) -> Many:
    """Answer what ``Many.to_values`` put in words."""
    for word, value in words.items():
        if not is_sequence(value):
            raise ValueError(f"{word!r} takes a list, not {show(value)}")
    told: dict[str, Any] = {
        word: [_target(item) for item in words[word]]
        for word in ("add", "remove", "set", "delete")
        if word in words
    }
    for row in (*words.get("create", ()), *words.get("update", ())):
        if not is_mapping(row):
            raise ValueError(f"a record's values are a dictionary, not {show(row)}")
    update: dict[int, Any] = {}
    for row in words.get("update", ()):
        values = dict(row)
        number = values.pop("id", None)
        if type(number) is not int or number in update:
            raise ValueError("'update' takes values with the 'id' of each record once")
        update[number] = values
    return Many(create=list(words.get("create", ())), update=update, **told)


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


def _dumped(value: Any) -> Any:
    return _clean(value)


type Target[R] = Annotated[
    Ref[R] | int | str | ExternalId, PlainValidator(_target), PlainSerializer(_dumped)
]
"""How to name one record: a reference, its id, its exact name or its external id."""

type Targets[R] = Annotated[
    Sequence[Target[R]] | Many, PlainValidator(_targets), PlainSerializer(_dumped)
]
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
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        protected_namespaces=(),  # a field may begin with model_dump
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

    ``repr``, ``model_dump`` and ``model_dump_json`` have only what was set, by the
    names of Odoo. Records in relations are dumped as ``to_values`` spells them, and
    ``model_validate_json`` reads the JSON back to values that write the same.

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
        serialize_by_alias=True,
        protected_namespaces=(),  # a field may begin with model_dump
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

    # pydantic's own names and defaults, but for what was not set.

    def model_dump(
        self, *, exclude_unset: bool = True, **options: Any
    ) -> dict[str, Any]:
        """Answer what was set, as Python values; see pydantic for the options."""
        return super().model_dump(exclude_unset=exclude_unset, **options)

    def model_dump_json(self, *, exclude_unset: bool = True, **options: Any) -> str:
        """Answer what was set, as JSON; see pydantic for the options."""
        return super().model_dump_json(exclude_unset=exclude_unset, **options)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Answer what ``repr`` shows."""
        for name, value in super().__repr_args__():
            if name is None or name in self.model_fields_set:
                yield name, value


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
            f"{' '.join(changes)} Generate the classes again, as the Odoo user whose "
            "program this is.",
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


def model_of(model: Any) -> str:
    """Answer a model's technical name, from itself or from the class of its records.

    Raises:
        InvalidRequest: It is neither, or the class does not say.
    """
    if isinstance(model, str):
        return model
    if not isinstance(model, type) or not issubclass(model, OdooRecord):
        raise InvalidRequest(
            f"{_called(model)} is no model: give the technical name, such as "
            f"{_example(model)!r}, or the class of its records, an OdooRecord."
        )
    name = getattr(model, "odoo_model", None)
    if not isinstance(name, str):
        raise InvalidRequest(
            f"The class {model.__name__!r} does not say which model it is for: give it "
            "an odoo_model such as 'res.partner'."
        )
    return name


def only_named(model: Any) -> str:
    """Answer a model's technical name where classes have no meaning.

    Raises:
        InvalidRequest: It is no text.
    """
    if isinstance(model, str):
        return model
    raise InvalidRequest(
        f"{_called(model)} is no model's name: give the technical name here, such as "
        f"{_example(model)!r}. Classes of records are for search, read, count, create, "
        "write and unlink."
    )


def _example(model: Any) -> str:
    name = getattr(model, "odoo_model", None)
    return name if isinstance(name, str) else "res.partner"


def _called(value: Any) -> str:
    """Say what somebody gave, without what is in a record."""
    if isinstance(value, type):
        return f"The class {value.__name__!r}"
    if isinstance(value, BaseModel):
        return f"An object of the class {type(value).__name__!r}"
    return show(value)


def plain(schema: ModelSchema, values: Any) -> Any:
    """Answer what is to be written without classes: mappings stay as they are.

    Args:
        schema: The model that it is written to.
        values: ``OdooValues``, a mapping, or a list of them.

    Raises:
        InvalidRequest: It is meant for another model, or is none of these.
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
    if is_mapping(values):
        return values
    if is_sequence(values):
        # What else is in it is told by its place, with all that is wrong.
        return [
            plain(schema, row) if isinstance(row, OdooValues) else row for row in values
        ]
    raise InvalidRequest(
        f"{_called(values)} cannot be written: give a dictionary such as "
        "{'name': 'Ann'}, or an object of a class for writing, an OdooValues."
    )


def plain_row(schema: ModelSchema, values: Any) -> Mapping[str, Any]:
    """Answer the values of a single record without classes.

    Args:
        schema: The model that they are for.
        values: ``OdooValues`` or a mapping.

    Raises:
        InvalidRequest: It is meant for another model, or is neither of these.
        SchemaChanged: A class does not fit the model any more.
    """
    if is_sequence(values):
        raise InvalidRequest(
            "These are values of one record: give them without a list."
        )
    row: Mapping[str, Any] = plain(schema, values)
    return row
