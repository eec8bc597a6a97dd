"""Properties: fields of a record that its parent defines.

A row keeps a value for each property; the parent's row keeps what they are. Source:
``odoo/fields.py``, 3500-4240.
"""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeGuard, cast

from odooport_adapters.memory import faults
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.registry import Field, Model
from odooport_adapters.memory.store import Row

type Definition = dict[str, Any]
type Values = dict[str, Any]

_TYPES = frozenset(
    {
        "boolean",
        "integer",
        "float",
        "char",
        "date",
        "datetime",
        "many2one",
        "many2many",
        "selection",
        "tags",
        "separator",
    }
)
_KEYS = frozenset(
    {
        "name",
        "string",
        "type",
        "comodel",
        "default",
        "selection",
        "tags",
        "domain",
        "view_in_cards",
    }
)
_ONLY_FOR = {
    "comodel": ("many2one", "many2many"),
    "domain": ("many2one", "many2many"),
    "selection": ("selection",),
    "tags": ("tags",),
}
_NAME = re.compile(r"[a-z0-9_]+")
_CHANGED, _DELETED = "definition_changed", "definition_deleted"


def checked_definitions(env: Environment, raw: Any) -> list[Definition] | None:
    """Answer the definitions that a parent shall keep.

    Raises:
        OdooFailed: They have another form; Odoo crashes with the same exceptions.
    """
    if not raw:
        return None
    if isinstance(raw, str):
        kind = "json.decoder.JSONDecodeError"
        raise faults.crash(kind, "Expecting value: line 1 column 1 (char 0)")
    seen = set[str]()
    kept: list[Definition] = []
    for one in cast("Sequence[Mapping[str, Any]]", raw):
        if foreign := sorted(set(one) - _KEYS):
            raise _wrong(
                "Some key are not allowed for a properties definition "
                f"[{', '.join(foreign)}]."
            )
        if "name" not in one:
            raise faults.crash("KeyError", "'name'")
        name = str(one["name"])
        if not _NAME.fullmatch(name):
            raise _wrong(f"Wrong property field value name {name!r}.")
        if "type" not in one:
            raise _wrong("Some key are missing for a properties definition [type].")
        if name in seen:
            raise _wrong(f"The property name {name!r} is not set or duplicated.")
        seen.add(name)
        kind = one["type"]
        if kind not in _TYPES:
            raise _wrong(f"Wrong property type {kind!r}.")
        comodel = one.get("comodel")
        if comodel and comodel not in env.registry.models:
            raise _wrong(f"Invalid model name {comodel!r}")
        definition = {
            key: value
            for key, value in one.items()
            if kind in _ONLY_FOR.get(key, (kind,))
        }
        if kind in ("selection", "tags"):
            definition.setdefault(kind, [])
        kept.append(definition)
    return kept


def definitions_of(
    env: Environment, model: Model, field: Field, row: Row
) -> list[Definition]:
    """Answer what the properties of a record are; none without a parent."""
    link, source = _place(field)
    parent = row.get(link)
    if not parent:
        return []
    return env.get(model.fields[link].relation or "", parent, source) or []


def parent_of(model: Model, field: Field, row: Row) -> tuple[str, int, str] | None:
    """Answer the record that defines the properties, and its field, if there is one."""
    link, source = _place(field)
    parent = row.get(link)
    return (model.fields[link].relation or "", parent, source) if parent else None


def _place(field: Field) -> tuple[str, str]:
    attributes = field.attributes
    return attributes["definition_record"], attributes["definition_record_field"]


def read(env: Environment, model: Model, field: Field, row: Row) -> list[Definition]:
    """Answer the definitions with the record's values."""
    values: Values = row.get(field.name) or {}
    return [
        {
            **deepcopy(definition),
            "value": _shown(env, definition, values.get(definition["name"])),
        }
        for definition in definitions_of(env, model, field, row)
    ]


def _shown(env: Environment, definition: Definition, value: Any) -> Any:
    kind = definition["type"]
    if kind == "boolean":
        return bool(value)
    if kind not in ("many2one", "many2many") or not value:
        return value
    comodel = definition.get("comodel") or ""
    if comodel not in env.registry.models:
        return False
    rows = env.table(comodel).rows
    ids = [value] if kind == "many2one" else value
    pairs = [[one, env.display_name(comodel, one)] for one in ids if one in rows]
    if kind == "many2one":
        return pairs[0] if pairs else False
    return pairs or False


def changed_definitions(raw: Any) -> list[Definition] | None:
    """Answer the definitions that a written list sets on the parent, if it does."""
    if not isinstance(raw, list):
        return None
    given = cast("list[Definition]", raw)
    if not any(one.get(_CHANGED) or one.get(_DELETED) for one in given):
        return None
    return [
        {key: value for key, value in one.items() if key not in (_CHANGED, "value")}
        for one in given
        if not one.get(_DELETED)
    ]


def parse(env: Environment, definitions: Sequence[Definition], raw: Any) -> Values:
    """Answer the values that a row keeps: those not given are taken away.

    Raises:
        OdooFailed: A value of a relation is no id; Odoo crashes the same way.
    """
    given = _by_name(raw)
    return {
        definition["name"]: _parsed(env, definition, given.get(definition["name"]))
        for definition in definitions
        if definition["type"] != "separator"
    }


def with_defaults(
    env: Environment, definitions: Sequence[Definition], raw: Any
) -> Values:
    """Answer the values of a new record, or of one under a new parent."""
    given = _by_name(raw)
    missing = {
        definition["name"]: definition.get("default") or False
        for definition in definitions
        if given.get(definition["name"]) is None
        and (not isinstance(raw, list) or definition["name"] in given)
    }
    return parse(env, definitions, {**given, **missing})


def _by_name(raw: Any) -> Values:
    """Answer values by name, out of either form in which they are written."""
    if not isinstance(raw, list):
        return dict(cast("Mapping[str, Any]", raw or {}))
    values: Values = {}
    for one in cast("list[Definition]", raw):
        values[one["name"]] = _bare(one.get("type"), one.get("value"))
    return values


def _bare(kind: str | None, value: Any) -> Any:
    """Answer a relation's ids out of the pairs that are read."""
    if not _is_list(value):
        return value
    if kind == "many2one":
        return value[0] if value else False
    return [_bare("many2one", one) for one in value] if kind == "many2many" else value


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _parsed(env: Environment, definition: Definition, value: Any) -> Any:
    kind = definition["type"]
    if kind == "boolean":
        return bool(value)
    if kind == "char" and not isinstance(value, str):
        return False
    if not value:
        return value if kind in ("integer", "float") and value == 0 else False
    if kind == "selection":
        keys = [option[0] for option in definition.get("selection") or ()]
        return value if value in keys else False
    if kind == "tags":
        known = {tag[0] for tag in definition.get("tags") or ()}
        return [tag for tag in value if tag in known] or False
    if kind in ("many2one", "many2many"):
        return _ids(env, definition, value) or False
    return value


def _ids(env: Environment, definition: Definition, value: Any) -> Any:
    rows = env.store.tables.get(definition.get("comodel") or "")
    kind = definition["type"]
    if kind == "many2many" and not isinstance(value, list):
        text = f"{type(value).__name__!r} object is not iterable"
        raise faults.crash("TypeError", text)
    many: Sequence[Any] = (
        cast("Sequence[Any]", value) if kind == "many2many" else [value]
    )
    if any(isinstance(one, list) for one in many):
        raise faults.crash("TypeError", "unhashable type: 'list'")
    if any(type(one) is not int for one in many):
        raise _wrong(f"Wrong {kind} value: {value!r}.")
    ids = cast("Sequence[int]", many)
    found = [one for one in dict.fromkeys(ids) if rows and one in rows.rows]
    if kind == "many2one":
        return found[0] if found else False
    return found


def _wrong(text: str) -> Exception:
    return faults.crash("ValueError", text)
