"""The order of records, as Odoo 18 understands it (``odoo/models.py``)."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from odooport_adapters.memory import faults
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.registry import Field, Model

_TERM = r"\s*\"?[a-z0-9:_.]+\"?(\s+(desc|asc))?(\s+nulls\s+(first|last))?\s*"
_ORDER = re.compile(rf"{_TERM}(,{_TERM})*", re.IGNORECASE)


def ordered(
    env: Environment, model: Model, order: str, only: Sequence[int] | None = None
) -> list[int]:
    """Answer all ids of a model, or only some, in an order.

    Raises:
        OdooRefused: It is no order.
        OdooFailed: It names a field that Odoo cannot sort by.
    """
    terms = parse_order(env, model, order)
    rows = env.table(model.name).rows
    if only is not None:
        return _sort(env, model, terms, {item for item in only if item in rows})
    key = (model.name, order, env.company, env.lang)
    kept = env.store.orders.get(key)
    if kept is not None and kept[0] == env.store.stamp:
        return kept[1]
    ids = _sort(env, model, terms, rows)
    env.store.orders[key] = (env.store.stamp, ids)
    return ids


def _sort(
    env: Environment,
    model: Model,
    terms: Sequence[tuple[str, bool, bool]],
    some: Iterable[int],
) -> list[int]:
    ids = sorted(some)
    for name, descending, nulls_first in reversed(terms):
        if name == "id":
            ids.sort(reverse=descending)
            continue
        key = _sort_key(env, model, model.fields[name])
        keyed = [(key(record_id), record_id) for record_id in ids]
        filled = [item for item in keyed if item[0] is not None]
        empty = [record_id for value, record_id in keyed if value is None]
        filled.sort(key=lambda item: item[0], reverse=descending)
        sorted_ids = [record_id for _, record_id in filled]
        ids = empty + sorted_ids if nulls_first else sorted_ids + empty
    return ids


def parse_order(
    env: Environment, model: Model, order: str
) -> list[tuple[str, bool, bool]]:
    """Answer an order's fields, each with: descending? empty ones first?"""
    if not _ORDER.fullmatch(order):
        raise faults.refused(
            f'Invalid "order" specified ({order}). A valid "order" specification is a '
            "comma-separated list of valid field names (optionally followed by "
            "asc/desc for the direction)"
        )
    terms: list[tuple[str, bool, bool]] = []
    for part in order.split(","):
        words = part.lower().split()
        name = part.split()[0].strip('"')
        descending = "desc" in words[1:2]
        nulls_first = words[-1] == "first" if "nulls" in words else descending
        if name not in model.fields:
            text = f"Invalid field {name!r} on model {model.name!r}"
            raise faults.crash("ValueError", text)
        if not model.fields[name].sortable:
            text = f"Cannot convert {model.name}.{name} to SQL because it is not stored"
            raise faults.crash("ValueError", text)
        env.check_fields(model, [name], "read")
        terms.append((name, descending, nulls_first))
    return terms


def _sort_key(env: Environment, model: Model, field: Field) -> Callable[[int], Any]:
    """Answer what gives a record's place; None for a record without value."""
    get = env.getter(model.name, field.name)
    rows = env.table(model.name).rows
    if field.type == "many2one":
        target = env.model(field.relation or "")
        ranks = {
            record_id: rank
            for rank, record_id in enumerate(ordered(env, target, target.order))
        }
        return lambda record_id: ranks.get(get(record_id, rows[record_id]) or 0)
    if field.type in ("char", "text", "html"):

        def text_key(record_id: int) -> Any:
            value = get(record_id, rows[record_id])
            return None if value is None else (value.casefold(), value)

        return text_key
    if field.type == "boolean":
        return lambda record_id: bool(get(record_id, rows[record_id]))
    return lambda record_id: get(record_id, rows[record_id])
