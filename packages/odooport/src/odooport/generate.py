"""Text made from schemas: a typed Python module, a JSON Schema, TypeScript types.

Pure functions: schemas in, text out. The order of the schemas, of their fields and of
the values of a selection makes no difference, so that the same models always give the
same bytes; labels are in the language that the schemas were asked in.

Whatever comes from Odoo is data. A name becomes an identifier by the rules of
``record_classes``, and one that still is none is refused; a label becomes a string or a
comment, and what could end it or cannot be printed is escaped.
"""

import copy
import json
import keyword
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from odooport.errors import InvalidRequest
from odooport.record_classes import (
    PythonField,
    PythonType,
    always_set,
    attribute_name,
    class_names,
    enum_members,
    enum_name,
    python_fields,
    value_fields,
    values_name,
)
from odooport.schema import RAW_BYTES, TEXTUAL, TO_MANY, Field, ModelSchema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""The dialect that ``json_schema`` writes."""

_COMMAND = "odooport schema generate"
_WIDTH = 88
_SHOWN_MODELS = 40
"""Up to how many models the command at the head of a file names each."""

_IMPORTS = {
    "dt": "import datetime as dt",
    "Decimal": "decimal",
    "StrEnum": "enum",
    "Annotated": "typing",
    "Any": "typing",
    "ClassVar": "typing",
    "NOT_SET": "odooport.records",
    "AnyRef": "odooport.records",
    "Binary": "odooport.records",
    "OdooRecord": "odooport.records",
    "OdooValues": "odooport.records",
    "Ref": "odooport.records",
    "Relation": "odooport.records",
    "Target": "odooport.records",
    "Targets": "odooport.records",
    "UtcDatetime": "odooport.records",
    "Field": "pydantic",
}
"""What a Python module may need, and where it is."""

_WORD = re.compile(r'"[^"]*"|[A-Za-z_]\w*', re.ASCII)


def python_source(
    schemas: Sequence[ModelSchema], *, labels: Mapping[str, str] | None = None
) -> str:
    """Answer a Python module with the classes of some models.

    For each model it has a class for reading, one for writing and the enums of its
    selections: the same that ``record_model`` and ``values_model`` build. A relation
    names the class of the other model where that is in the module too.

    Pyright finds a module too complex from some 20,000 fields and choices on, which is
    400 models of a standard Odoo; mypy knows no such limit.

    Args:
        schemas: The models.
        labels: What people call the models, by technical name.

    Raises:
        InvalidRequest: A name from Odoo cannot be a name in Python, or a model is
            given twice with different fields.
    """
    models = _models(schemas, labels or {})
    records = {model.schema.model: model.record for model in models}
    used: set[str] = set()
    classes = [
        text for model in models for text in _python_classes(model, records, used)
    ]
    head = ['"""Typed records of Odoo models, to use with Odooport.', ""]
    head += [
        _docstring_text(line)
        for line in _origin(models, "Change the command, not this file.")
    ]
    head += ['"""']
    parts = ["\n".join(head)]
    if classes:
        parts.append("\n" + _import_block(used))
    return "\n".join(parts) + "".join(f"\n\n\n{text}" for text in classes) + "\n"


def json_schema(
    schemas: Sequence[ModelSchema], *, labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Answer a JSON Schema (2020-12) of records and values as the doors spell them.

    Each model has two entries under ``$defs``, called as its Python classes are. A
    record may lack any field but its id, for a caller chooses which to read. Values may
    lack any field, for only Odoo knows the defaults; one that Odoo requires takes no
    null.

    Args:
        schemas: The models.
        labels: What people call the models, by technical name.

    Raises:
        InvalidRequest: A name from Odoo cannot be a name in programs, or a model is
            given twice with different fields.
    """
    models = _models(schemas, labels or {})
    written = {model.schema.model: model.values for model in models}
    definitions = copy.deepcopy(_SHARED_DEFINITIONS)
    for model in models:
        definitions[model.record] = _json_record(model)
        definitions[model.values] = _json_values(model, written)
    return {
        "$schema": DIALECT,
        "$comment": " ".join(filter(None, _origin(models))),
        "$defs": definitions,
    }


def typescript_source(
    schemas: Sequence[ModelSchema], *, labels: Mapping[str, str] | None = None
) -> str:
    """Answer TypeScript types of records and values as the doors spell them.

    Args:
        schemas: The models.
        labels: What people call the models, by technical name.

    Raises:
        InvalidRequest: A name from Odoo cannot be a name in programs, or a model is
            given twice with different fields.
    """
    models = _models(schemas, labels or {})
    written = {model.schema.model: model.values for model in models}
    origin = _origin(models, "Change the command, not this file.")
    head = "\n".join(f"// {_comment(line)}".rstrip() for line in origin)
    texts = [head, _TYPESCRIPT]
    for model in models:
        texts += _typescript_types(model, written)
    return "\n\n".join(texts) + "\n"


# Names


@dataclass(frozen=True, slots=True)
class _Model:
    """A model, its fields and choices in one order, and what its types are called.

    Attributes:
        schema: The model.
        fingerprint: The fingerprint of the schema as it was given.
        label: What people call it; empty if that is unknown.
        record: The name of the type for reading.
        values: The name of the type for writing.
        enums: The names of its enums, by field.
    """

    schema: ModelSchema
    fingerprint: str
    label: str
    record: str
    values: str
    enums: Mapping[str, str]

    def doc(self, text: str) -> str:
        """Answer a sentence about it that begins with its label if it has one."""
        label = _line(self.label)
        return f"{label}: {text}" if label else text[:1].upper() + text[1:]


def _models(schemas: Iterable[ModelSchema], labels: Mapping[str, str]) -> list[_Model]:
    given: dict[str, ModelSchema] = {}
    for schema in schemas:
        if given.setdefault(schema.model, schema) != schema:
            raise InvalidRequest(
                f"{schema.model!r} is given twice, with different fields. Give each "
                "model once."
            )
    ordered = {model: _ordered(given[model]) for model in sorted(given)}
    taken = set(_IMPORTS)
    records = {
        model: _free(name, taken, model)
        for model, name in sorted(class_names(ordered).items())
    }
    values = {
        model: _free(values_name(name), taken, model) for model, name in records.items()
    }
    enums = {
        model: {
            name: _free(enum_name(records[model], name), taken, model)
            for name, field in schema.fields.items()
            if field.type == "selection"
        }
        for model, schema in ordered.items()
    }
    for model, schema in ordered.items():
        for name in schema.fields:
            if _identifier(attribute_name(name), model) in taken:
                raise InvalidRequest(
                    f"The field {name!r} of {model!r} is called like a class of the "
                    "generated module. Leave the model out."
                )
    return [
        _Model(
            schema,
            given[model].fingerprint,
            labels.get(model, ""),
            records[model],
            values[model],
            enums[model],
        )
        for model, schema in ordered.items()
    ]


def _ordered(schema: ModelSchema) -> ModelSchema:
    """Answer the schema in an order that neither server nor language change.

    Odoo sorts the choices of some selections by their labels.
    """
    return ModelSchema(
        schema.model,
        {
            name: replace(
                field, selection=tuple(sorted(field.selection, key=_choice_order))
            )
            for name, field in sorted(schema.fields.items())
        },
    )


def _choice_order(choice: tuple[Any, str]) -> tuple[bool, Any]:
    """Put numbers before texts: some of Odoo's choices are numbers, or False."""
    return isinstance(choice[0], str), choice[0]


def _free(name: str, taken: set[str], model: str) -> str:
    """Answer the name, with a number behind it if it is taken; take it."""
    free, number = _identifier(name, model), 2
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free)
    return free


def _identifier(name: str, model: str) -> str:
    """Answer the name if it can stand in code as it is.

    Python reads identifiers in their normal form (NFKC), so two that differ here may be
    one there.
    """
    if (
        not name.isidentifier()
        or keyword.iskeyword(name)
        or unicodedata.normalize("NFKC", name) != name
    ):
        raise InvalidRequest(
            f"A name in {model!r} would be {name!r} in code, which is no identifier. "
            "Leave the model out."
        )
    return name


def _origin(models: Sequence[_Model], *more: str) -> Iterator[str]:
    """Say how the text came to be, in lines that fit behind ``//``."""
    yield f"Generated by '{_COMMAND}', which overwrites this file."
    yield from more
    if 0 < len(models) <= _SHOWN_MODELS:
        yield ""
        names = " ".join(_line(model.schema.model) for model in models)
        yield from _wrapped(f"{_COMMAND} {names}", _WIDTH - 8, indent="    ")


# Python


def _python_classes(
    model: _Model, records: Mapping[str, str], used: set[str]
) -> Iterator[str]:
    """Answer the classes of a model; put the words of their types into ``used``."""
    enums: dict[str, Field] = {}

    def enum(field: Field) -> PythonType:
        enums[field.name] = field
        return PythonType(model.enums[field.name], str)

    def record(name: str) -> PythonType:
        return PythonType(f'"{records[name]}"' if name in records else "Any", Any)

    read, written = (
        python_fields(model.schema, writing=writing, enum=enum, record=record)
        for writing in (False, True)
    )
    for name, field in sorted(enums.items()):
        used.add("StrEnum")
        yield _python_enum(model, name, field)
    used |= {"ClassVar", "OdooRecord", "OdooValues"}
    yield "\n".join(
        [
            *_class_line(model.record, "OdooRecord"),
            *_docstring(model.doc(f"a record of ``{model.schema.model}``.")),
            "",
            *_python_body(model, read, used),
        ]
    )
    yield "\n".join(
        [
            *_class_line(model.values, "OdooValues"),
            *_docstring(
                model.doc(f"what to write to a record of ``{model.schema.model}``.")
            ),
            "",
            *_python_body(model, written, used),
        ]
    )


def _python_enum(model: _Model, name: str, field: Field) -> str:
    label = _line(field.label)
    about = f"the values of ``{name}`` of ``{model.schema.model}``."
    text = f"{label}: {about}" if label else f"{about[:1].upper()}{about[1:]}"
    lines = [*_class_line(model.enums[name], "StrEnum"), *_docstring(text), ""]
    labels = dict(field.selection)
    for member, key in enum_members(field).items():
        lines += _assignment(_identifier(member, model.schema.model), key)
        if (shown := _line(labels[key])) and shown != key:
            lines.append(f'    """{_docstring_text(shown)}"""')
    return "\n".join(lines)


def _python_body(
    model: _Model, fields: Iterable[PythonField], used: set[str]
) -> Iterator[str]:
    yield from _assignment("odoo_model: ClassVar[str]", model.schema.model)
    yield from _assignment("odoo_fingerprint: ClassVar[str]", model.fingerprint)
    for item in fields:
        yield ""
        yield from _python_field(item, used)
        if label := _line(item.field.label):
            yield f'    """{_docstring_text(label)}"""'


def _python_field(item: PythonField, used: set[str]) -> Iterator[str]:
    """Answer the lines of one field, as black would break them."""
    kind, marks = item.type.source, list[str]()
    relation = item.field.relation
    if relation is not None:
        kind = kind.removeprefix("Annotated[").removesuffix(
            f", Relation({relation!r})]"
        )
        marks.append(f"Relation({_literal(relation)})")
    options = [f"{name}={_option(value)}" for name, value in item.options.items()]
    if options:
        marks.append(f"Field({', '.join(options)})")
    end = "" if item.default is None else f" = {item.default}"
    used |= _words(kind) | _words(item.default or "")
    if not marks:
        yield f"    {item.attribute}: {kind}{end}"
        return
    used |= {"Annotated"} | {mark.partition("(")[0] for mark in marks}
    whole = f"    {item.attribute}: Annotated[{', '.join([kind, *marks])}]{end}"
    if _fits(whole):
        yield whole
        return
    yield f"    {item.attribute}: Annotated["
    yield from _type_lines(kind)
    for mark in marks:
        if _fits(f"        {mark},"):
            yield f"        {mark},"
        elif mark.startswith("Field("):
            yield "        Field("
            for name, value in item.options.items():
                yield from _option_lines(name, value)
            yield "        ),"
        else:
            yield from ("        Relation(", f"            {mark[9:-1]}", "        ),")
    yield f"    ]{end}"


def _type_lines(kind: str) -> Iterator[str]:
    if _fits(f"        {kind},"):
        yield f"        {kind},"
        return
    first, *others = kind.split(" | ")
    lines = [f"        {first}", *(f"        | {other}" for other in others)]
    yield from lines[:-1]
    yield f"{lines[-1]},"


def _option_lines(name: str, value: Any) -> Iterator[str]:
    line = f"            {name}={_option(value)},"
    pieces = list(_pieces(value)) if isinstance(value, str) else []
    if _fits(line) or len(pieces) < 2:
        yield line
        return
    yield f"            {name}=("
    for piece in pieces:
        yield f"                {_literal(piece)}"
    yield "            ),"


def _option(value: Any) -> str:
    return _literal(value) if isinstance(value, str) else repr(value)


def _pieces(text: str) -> Iterator[str]:
    """Answer the text in pieces that fit a line each where there are spaces."""
    piece = ""
    for word in re.findall(r"\S*\s|\S+", text):
        if piece and not _fits(f"                {_literal(piece + word)}"):
            yield piece
            piece = ""
        piece += word
        if word.endswith("\n"):
            yield piece
            piece = ""
    if piece:
        yield piece


def _assignment(head: str, text: str) -> Iterator[str]:
    line = f"    {head} = {_literal(text)}"
    if _fits(line):
        yield line
    else:
        yield from (f"    {head} = (", f"        {_literal(text)}", "    )")


def _class_line(name: str, parent: str) -> Iterator[str]:
    line = f"class {name}({parent}):"
    if _fits(line):
        yield line
    else:
        yield from (f"class {name}(", f"    {parent}", "):")


def _docstring(text: str) -> Iterator[str]:
    """Answer the docstring of a class; its first line breaks where it must."""
    lines = list(_wrapped(_docstring_text(text), _WIDTH - 10, indent=""))
    if len(lines) == 1:
        yield f'    """{lines[0]}"""'
        return
    yield f'    """{lines[0]}'
    for line in lines[1:]:
        yield f"    {line}"
    yield '    """'


def _import_block(used: set[str]) -> str:
    """Answer the imports, in the order that tools put them."""
    wanted: dict[str, list[str]] = {}
    for name, module in _IMPORTS.items():
        if name in used:
            wanted.setdefault(module, []).append(name)
    standard: list[str] = []
    others: list[str] = []
    for module, names in wanted.items():
        group = others if module in ("pydantic", "odooport.records") else standard
        if module.startswith("import "):
            group.append(module)
            continue
        line = f"from {module} import {', '.join(names)}"
        if not _fits(line):
            inner = "".join(f"    {name},\n" for name in names)
            line = f"from {module} import (\n{inner})"
        group.append(line)
    return "\n\n".join("\n".join(group) for group in (standard, others) if group)


def _words(source: str) -> set[str]:
    """Answer the names in a type; those in quotes are classes of the module."""
    return set(_WORD.findall(source)) & _IMPORTS.keys()


# Text


def _fits(line: str) -> bool:
    """Whether black leaves the line whole; it counts wide characters twice."""
    if line.isascii():
        return len(line) <= _WIDTH
    return (
        sum(
            (
                0
                if unicodedata.combining(character)
                else 2 if unicodedata.east_asian_width(character) in "WF" else 1
            )
            for character in line
        )
        <= _WIDTH
    )


def _line(text: str) -> str:
    """Answer the text in one line."""
    return " ".join(text.split())


def _wrapped(text: str, width: int, *, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _visible(text: str) -> str:
    """Escape what cannot be printed: it could end a line, or change how code looks."""
    return "".join(
        character if character.isprintable() else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _literal(text: str) -> str:
    """Answer the text as a Python string in the quotes that black leaves alone."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    body = _visible(text.replace("\\", "\\\\").replace(quote, f"\\{quote}"))
    return f"{quote}{body}{quote}"


def _docstring_text(text: str) -> str:
    """Answer the text as it stands between three quotes.

    Half of a surrogate pair cannot be in a docstring, not even escaped.
    """
    text = text.encode(errors="replace").decode()
    return _visible(text.replace("\\", "\\\\").replace('"', '\\"'))


def _comment(text: str) -> str:
    """Answer the text as it stands in a TypeScript comment of one line.

    A comment that begins with ``@`` can tell the compiler to look away.
    """
    spoken = _visible(text).replace("*/", "*\\/")
    return f"\\{spoken}" if spoken.lstrip().startswith("@") else spoken


# JSON

_RECORD_ID = {"type": "integer", "minimum": 1}
_SHARED_DEFINITIONS: dict[str, Any] = {
    "Ref": {
        "description": "A record that another one points to.",
        "type": "object",
        "properties": {"id": _RECORD_ID, "name": {"type": ["string", "null"]}},
        "required": ["id", "name"],
        "additionalProperties": False,
    },
    "AnyRef": {
        "description": "A record of any model.",
        "type": "object",
        "properties": {"model": {"type": "string"}, "id": _RECORD_ID},
        "required": ["model", "id"],
        "additionalProperties": False,
    },
    "Target": {
        "description": "A record to point to: by its id, its exact name or its "
        "external id.",
        "anyOf": [
            _RECORD_ID,
            {"type": "string"},
            {
                "type": "object",
                "properties": {
                    "id": _RECORD_ID,
                    "name": {"type": ["string", "null"]},
                    "external_id": {"type": "string"},
                },
                "minProperties": 1,
                "additionalProperties": False,
            },
        ],
    },
}


def _json_targets(values: Mapping[str, Any]) -> list[Any]:
    """Answer the forms of a one2many or many2many; ``values`` is a related record's."""
    records = {"type": "array", "items": {"$ref": "#/$defs/Target"}}
    words = {
        **dict.fromkeys(("add", "remove", "set", "delete"), records),
        "create": {"type": "array", "items": values},
        "update": {"type": "array", "items": {"type": "object", "required": ["id"]}},
    }
    return [
        records,
        {
            "type": "object",
            "properties": words,
            "minProperties": 1,
            "additionalProperties": False,
        },
    ]


def _json_record(model: _Model) -> dict[str, Any]:
    properties = {
        name: _json_annotations(field)
        | _json_read(field, full=_always_full(model.schema, field))
        for name, field in model.schema.fields.items()
        if name in _read_names(model)
    }
    return {
        "title": _line(model.label) or model.schema.model,
        "description": f"A record of {model.schema.model}.",
        "type": "object",
        "properties": properties,
        "required": ["id"],
        "additionalProperties": False,
    }


def _json_values(model: _Model, written: Mapping[str, str]) -> dict[str, Any]:
    names = value_fields(model.schema)
    return {
        "title": _line(model.label) or model.schema.model,
        "description": f"What to write to a record of {model.schema.model}.",
        "type": "object",
        "properties": {
            name: _json_annotations(model.schema.fields[name])
            | _json_written(model.schema.fields[name], written)
            for name in names
        },
        "additionalProperties": False,
    }


def _read_names(model: _Model) -> list[str]:
    """Answer the fields of a record: all that Odoo can send."""
    raw = {"raw"} if model.schema.model in RAW_BYTES else set[str]()
    return [name for name in model.schema.fields if name not in raw]


def _always_full(schema: ModelSchema, field: Field) -> bool:
    return field.type in _NEVER_NULL or always_set(schema, field)


_NEVER_NULL = frozenset({"boolean", "integer", "float", "monetary"}) | TO_MANY
"""The types that are never null when they are read, and take no null."""

_JSON: dict[str, dict[str, Any]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer"},
    "many2one_reference": {"type": "integer"},
    "float": {"type": "number"},
    "monetary": {"type": "number"},
    **{kind: {"type": "string"} for kind in TEXTUAL},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "selection": {"type": "string"},
    "many2one": {"$ref": "#/$defs/Ref"},
    "reference": {"$ref": "#/$defs/AnyRef"},
    **{kind: {"type": "array", "items": {"type": "integer"}} for kind in TO_MANY},
    "properties": {"type": "object"},
    "properties_definition": {"type": "array", "items": {"type": "object"}},
}
"""What a value looks like that is not null; a type that is not here is any JSON."""

_DECIMAL_TEXT = {"type": "string", "pattern": r"^[+-]?\d{1,15}(\.\d{1,15})?$"}


def _json_annotations(field: Field) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if field.label:
        said["title"] = field.label
    if field.help:
        said["description"] = field.help
    if field.readonly:
        said["readOnly"] = True
    return said


def _json_read(field: Field, *, full: bool) -> dict[str, Any]:
    return _or_null(_json_value(field), full=full)


def _json_written(field: Field, written: Mapping[str, str]) -> dict[str, Any]:
    shape = _json_value(field)
    if field.type in TO_MANY:
        name = written.get(field.relation or "")
        related = {"$ref": f"#/$defs/{name}"} if name else {"type": "object"}
        shape = {"anyOf": _json_targets(related)}
    elif field.type == "many2one":
        shape = {"$ref": "#/$defs/Target"}
    elif field.type == "monetary":
        shape = {"anyOf": [shape, _DECIMAL_TEXT]}
    elif field.translated and field.type in TEXTUAL:
        texts = {"type": "object", "additionalProperties": shape, "minProperties": 1}
        shape = {"anyOf": [shape, texts]}
    return _or_null(shape, full=field.type in _NEVER_NULL or field.required)


def _json_value(field: Field) -> dict[str, Any]:
    if field.type == "selection" and field.selection:
        return {"enum": [key for key, _ in field.selection if not _is_false(key)]}
    shape = _JSON.get(field.type, {})
    return shape if field.size is None else {**shape, "maxLength": field.size}


def _is_false(key: Any) -> bool:
    """Whether it is Odoo's choice of nothing, which is null outside."""
    return key is False


def _or_null(shape: dict[str, Any], *, full: bool) -> dict[str, Any]:
    if full or not shape:
        return shape
    if "enum" in shape:
        return {"enum": [*shape["enum"], None]}
    if "type" in shape:
        return {**shape, "type": [shape["type"], "null"]}
    return {"anyOf": [*shape.get("anyOf", [shape]), {"type": "null"}]}


# TypeScript

_TYPESCRIPT = """\
/** A record that another one points to. */
export interface Ref {
  id: number;
  name: string | null;
}

/** A record of any model. */
export interface AnyRef {
  model: string;
  id: number;
}

/** A record to point to: by its id, its exact name or its external id. */
export type Target =
  | number
  | string
  | { id: number; name?: string | null }
  | { name: string }
  | { external_id: string };

/** The records of a one2many or many2many, or what to change in it. */
export type Targets<Values> =
  | Target[]
  | {
      add?: Target[];
      remove?: Target[];
      set?: Target[];
      create?: Values[];
      update?: (Values & { id: number })[];
      delete?: Target[];
    };"""

_TS = {
    "boolean": "boolean",
    **dict.fromkeys(("integer", "many2one_reference", "float", "monetary"), "number"),
    **dict.fromkeys(TEXTUAL | {"date", "datetime", "binary", "selection"}, "string"),
    "many2one": "Ref",
    "reference": "AnyRef",
    **dict.fromkeys(TO_MANY, "number[]"),
    "properties": "{ [label: string]: unknown }",
    "properties_definition": "{ [key: string]: unknown }[]",
}
_ANY_VALUES = "{ [field: string]: unknown }"
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def _typescript_types(model: _Model, written: Mapping[str, str]) -> Iterator[str]:
    schema = model.schema
    for name, title in model.enums.items():
        if keys := schema.fields[name].selection:
            label = _line(schema.fields[name].label) or name
            about = f"{label}: what {name!r} of {schema.model} may be."
            lines = [f"/** {_comment(about)} */", f"export type {title} ="]
            lines += _ts_choices(
                [choice for choice in keys if not _is_false(choice[0])]
            )
            yield "\n".join(lines)
    read = {name: schema.fields[name] for name in _read_names(model)}
    yield _ts_interface(
        model.doc(f"a record of {schema.model}."),
        model.record,
        (
            (
                field,
                "",
                _ts_type(model, field, None, full=_always_full(schema, field)),
            )
            for field in read.values()
        ),
    )
    writable = [schema.fields[name] for name in value_fields(schema)]
    yield _ts_interface(
        model.doc(f"what to write to a record of {schema.model}."),
        model.values,
        (
            (
                field,
                "?",
                _ts_type(
                    model,
                    field,
                    written,
                    full=field.type in _NEVER_NULL or field.required,
                ),
            )
            for field in writable
        ),
    )


def _ts_choices(choices: Sequence[tuple[Any, str]]) -> Iterator[str]:
    for number, (key, label) in enumerate(choices, 1):
        said = _line(label)
        end = ";" if number == len(choices) else ""
        comment = f" // {_comment(said)}" if said and said != key else ""
        yield f"  | {json.dumps(key)}{end}{comment}"


def _ts_interface(
    about: str, name: str, fields: Iterable[tuple[Field, str, str]]
) -> str:
    lines = [f"/** {_comment(about)} */", f"export interface {name} {{"]
    for field, mark, kind in fields:
        label = _line(field.label)
        if field.relation:
            label = f"{label} ({field.relation})" if label else field.relation
        if label:
            lines.append(f"  /** {_comment(label)} */")
        plain = _PLAIN_NAME.fullmatch(field.name)
        key = field.name if plain else json.dumps(field.name)
        lines.append(f"  {key}{mark}: {kind};")
    return "\n".join([*lines, "}"])


def _ts_type(
    model: _Model, field: Field, written: Mapping[str, str] | None, *, full: bool
) -> str:
    """Answer the type of a field; ``written`` names the types for writing."""
    kind = _TS.get(field.type, "unknown")
    if field.type == "selection" and field.selection:
        kind = model.enums[field.name]
    elif written is None:
        pass
    elif field.type == "many2one":
        kind = "Target"
    elif field.type in TO_MANY:
        kind = f"Targets<{written.get(field.relation or '', _ANY_VALUES)}>"
    elif field.type == "monetary":
        kind = "number | string"
    elif field.translated and field.type in TEXTUAL:
        kind = "string | { [language: string]: string }"
    return kind if full or kind == "unknown" else f"{kind} | null"
