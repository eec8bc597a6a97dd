"""Answering records and fields the way Odoo 18 shows them."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from odooport_adapters.memory import faults, properties
from odooport_adapters.memory.environment import Environment, shown_moment
from odooport_adapters.memory.externals import KEY, of_record
from odooport_adapters.memory.registry import Field, Model
from odooport_adapters.memory.search import search
from odooport_adapters.memory.store import Row
from odooport_adapters.memory.writing import check_records, defaults_of

CLASSIC = "_classic_read"
"""The ``load`` of ``read`` that gives many2one values their names."""

_TO_MANY = frozenset({"one2many", "many2many"})
_ZERO: Mapping[str, Any] = {
    "boolean": False,
    "integer": 0,
    "float": 0.0,
    "monetary": 0.0,
    "many2one_reference": 0,
}


def read(
    env: Environment,
    model: Model,
    ids: Sequence[int],
    fields: Sequence[str] | None,
    load: str | None = CLASSIC,
) -> list[dict[str, Any]]:
    """Answer records in the order asked for; those that are not there are left out.

    Raises:
        OdooAccessError: The user may not see the records or the fields.
        OdooFailed: There is no such field.
    """
    names = _names(env, model, fields)
    check_records(env, model, ids, "read")
    rows = env.table(model.name).rows
    shows = [
        (name, show(env, model, model.fields[name], load))
        for name in names
        if name != "id"
    ]
    answer: list[dict[str, Any]] = []
    for record_id in ids:
        row = rows.get(record_id)
        if row is not None:
            record: dict[str, Any] = {"id": record_id}
            for name, get in shows:
                record[name] = get(record_id, row)
            answer.append(record)
    return answer


def _names(env: Environment, model: Model, fields: Sequence[str] | None) -> list[str]:
    if not fields:
        return [name for name, field in model.fields.items() if env.sees(field)]
    for name in fields:
        if name not in model.fields:
            text = f"Invalid field {name!r} on model {model.name!r}"
            raise faults.crash("ValueError", text)
    env.check_fields(model, fields, "read")
    return list(dict.fromkeys(fields))


def show(
    env: Environment, model: Model, field: Field, load: str | None
) -> Callable[[int, Row], Any]:
    """Answer what shows one field's value as ``read`` does."""
    get = env.getter(model.name, field.name)
    if field.type in _TO_MANY:
        return lambda record_id, row: list(get(record_id, row) or ())
    if field.type == "many2one":
        if load != CLASSIC:
            return lambda record_id, row: get(record_id, row) or False
        relation = field.relation or ""
        names: dict[int, list[Any]] = {}

        def pair(record_id: int, row: Row) -> Any:
            target = get(record_id, row)
            if not target:
                return False
            if target not in names:
                names[target] = [target, env.display_name(relation, target)]
            return list(names[target])

        return pair
    if field.type == "properties":
        return lambda _id, row: properties.read(env, model, field, row)
    if field.type == "properties_definition":
        return lambda record_id, row: deepcopy(get(record_id, row) or [])
    if field.type == "datetime":
        return lambda record_id, row: (
            shown_moment(value) if (value := get(record_id, row)) else False
        )
    empty = _ZERO.get(field.type, False)
    return lambda record_id, row: (
        empty if (value := get(record_id, row)) is None else value
    )


def fields_get(
    env: Environment,
    model: Model,
    allfields: Sequence[str] | None,
    attributes: Sequence[str] | None,
) -> dict[str, dict[str, Any]]:
    """Answer what the fields are like, without those that are for other groups."""
    return {
        name: {
            key: value
            for key, value in field.attributes.items()
            if not attributes or key in attributes
        }
        for name, field in model.fields.items()
        if (not allfields or name in allfields) and env.sees(field)
    }


def name_search(
    env: Environment,
    model: Model,
    name: str,
    args: Sequence[Any] | None,
    operator: str,
    limit: int | None,
) -> list[list[Any]]:
    """Answer ids and names of the records whose name matches."""
    env.check_model(model, "read")
    domain: list[Any] = list(args or ())
    if name or operator not in ("ilike", "like"):
        domain = [["display_name", operator, name], *domain]
    ids = search(env, model, domain, limit=limit)
    return [[record_id, env.display_name(model.name, record_id)] for record_id in ids]


def default_get(env: Environment, model: Model, names: Sequence[str]) -> dict[str, Any]:
    """Answer the defaults of the fields that have one."""
    known = [name for name in names if name in model.fields]
    return defaults_of(env, model, known)


def metadata(
    env: Environment, model: Model, ids: Sequence[int]
) -> list[dict[str, Any]]:
    """Answer who created and changed records, when, and their external ids."""
    stamps = ["create_uid", "create_date", "write_uid", "write_date"]
    answer: list[dict[str, Any]] = []
    for record in read(env, model, ids, stamps):
        rows = of_record(env, model.name, record["id"])
        named = [{"xmlid": row[KEY], "noupdate": row["noupdate"]} for row in rows]
        last = named[-1] if named else {"xmlid": False, "noupdate": False}
        answer.append({**record, **last, "xmlids": named})
    return answer
