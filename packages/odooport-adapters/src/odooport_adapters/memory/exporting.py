"""``export_data``: records as rows of plain values (``odoo/models.py``, 1040-1280)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from odooport_adapters.memory import faults
from odooport_adapters.memory.environment import Environment, shown_moment
from odooport_adapters.memory.externals import exported
from odooport_adapters.memory.loading import zone_of
from odooport_adapters.memory.registry import Field, Model
from odooport_adapters.memory.writing import check_records

_ALLOWED = "base.group_allow_export"
_SHOWN = "%Y-%m-%d %H:%M:%S"


def export_data(
    env: Environment, model: Model, ids: Sequence[int], columns: Sequence[str]
) -> dict[str, list[list[Any]]]:
    """Answer the rows of the records; one with lines takes several.

    Whoever asks for ``id`` makes external ids for the records that have none.

    Raises:
        OdooRefused: The user may not export.
        OdooAccessError: The user may not read the records or a field.
    """
    if _ALLOWED not in env.groups:
        raise faults.refused(
            "You don't have the rights to export data. "
            "Please contact an Administrator."
        )
    paths = [tuple(column.replace(".id", "/.id").split("/")) for column in columns]
    paths = [tuple(part for part in path if part) for path in paths]
    return {"datas": _rows(env, model, ids, paths)}


def _rows(
    env: Environment,
    model: Model,
    ids: Sequence[int],
    paths: Sequence[tuple[str, ...]],
) -> list[list[Any]]:
    check_records(env, model, ids, "read")
    names = [path[0] for path in paths if path and path[0] not in ("id", ".id")]
    for name in names:
        if name not in model.fields:
            text = f"Invalid field {name!r} on model {model.name!r}"
            raise faults.crash("ValueError", text)
    env.check_fields(model, names, "read")
    env.existing(model.name, ids)
    rows: list[list[Any]] = []
    for record_id in ids:
        rows += _lines(env, model, record_id, paths)
    return rows


def _lines(
    env: Environment, model: Model, record_id: int, paths: Sequence[tuple[str, ...]]
) -> list[list[Any]]:
    first: list[Any] = [""] * len(paths)
    below: list[list[Any]] = []
    done = set[str]()
    row = env.row(model.name, record_id)
    for place, path in enumerate(paths):
        if not path or path[0] in done:
            continue
        name = path[0]
        if name == ".id":
            first[place] = str(record_id)
        elif name == "id":
            first[place] = exported(env, model.name, record_id)
        elif (field := model.fields[name]).relation is None:
            value = env.getter(model.name, name)(record_id, row)
            first[place] = _shown(env, field, value)
        else:
            done.add(name)
            value = env.getter(model.name, name)(record_id, row)
            others = [value] if type(value) is int else list(value or ())
            target = env.model(field.relation or "")
            if field.type == "many2many":
                tell = exported if path[1:] == ("id",) else _name
                first[place] = ",".join(tell(env, target.name, one) for one in others)
                continue
            inner = [
                other[1:] or ("display_name",) if other[:1] == (name,) else ()
                for other in paths
            ]
            lines = _rows(env, target, others, inner)
            for at, cell in enumerate(lines[0] if lines else ()):
                if cell != "":
                    first[at] = cell
            below += lines[1:]
    return [first, *below]


def _name(env: Environment, model: str, record_id: int) -> str:
    return env.display_name(model, record_id)


def _shown(env: Environment, field: Field, value: Any) -> Any:
    if value is None:
        return _EMPTY.get(field.type, "")
    show = _SHOW.get(field.type)
    return value if show is None else show(env, field, value)


def _moment(env: Environment, _field: Field, value: str) -> str:
    moment = datetime.fromisoformat(shown_moment(value)).replace(tzinfo=UTC)
    return moment.astimezone(zone_of(env)).strftime(_SHOWN)


def _label(_env: Environment, field: Field, value: str) -> str:
    choices: Sequence[Sequence[str]] = field.attributes.get("selection") or ()
    return next((label for key, label in choices if key == value), value)


_EMPTY: Mapping[str, Any] = MappingProxyType(
    {"boolean": False, "integer": 0, "float": 0.0, "monetary": 0.0}
)
_SHOW: Mapping[str, Callable[[Environment, Field, Any], Any]] = MappingProxyType(
    {"datetime": _moment, "selection": _label}
)
