"""External ids: the names of records in ``ir.model.data``.

Odoo calls them XML ids. They are what ``load`` and ``export_data`` know records by.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from odooport_adapters.memory import faults
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.registry import Behaviour, Method
from odooport_adapters.memory.store import Row

DATA = "ir.model.data"
KEY = "key"
"""The column that holds a whole external id; no caller can name it."""

INDEXED = ("res_id", KEY)
"""The columns to keep an index of, beside the relational ones."""


def find(env: Environment, external_id: str) -> tuple[int, str, int] | None:
    """Answer an external id's own row, its model and its record, or None."""
    table = env.table(DATA)
    for found in table.pointing_at(KEY, external_id):
        row = table.rows[found]
        return found, row["model"], row["res_id"]
    return None


def give(
    env: Environment, external_id: str, model: str, record_id: int, *, noupdate: bool
) -> None:
    """Give a record an external id, in place of another record if it was taken."""
    module, _, name = external_id.partition(".")
    known = find(env, external_id)
    number = known[0] if known else env.store.take_id(DATA)
    row: Row = {
        "create_uid": env.uid,
        "create_date": env.moment,
        "write_uid": env.uid,
        "write_date": env.moment,
        "module": module,
        "name": name,
        "model": model,
        "res_id": record_id,
        "noupdate": noupdate,
        KEY: external_id,
    }
    env.store.put(DATA, number, row)


def of_record(env: Environment, model: str, record_id: int) -> list[Row]:
    """Answer the rows of a record's external ids, the newest first."""
    table = env.table(DATA)
    rows = (table.rows[found] for found in table.pointing_at("res_id", record_id))
    return [row for row in rows if row["model"] == model][::-1]


def forget(env: Environment, model: str, record_id: int) -> None:
    """Take away the external ids of a record that was deleted."""
    table = env.table(DATA)
    for found in table.pointing_at("res_id", record_id):
        if table.rows[found]["model"] == model:
            env.store.put(DATA, found, None)


def exported(env: Environment, model: str, record_id: int) -> str:
    """Answer a record's external id, and give it one if it has none.

    Like Odoo's ``export_data``, this writes (``odoo/models.py``, 977). A real one ends
    the name with random letters.
    """
    rows = of_record(env, model, record_id)
    if rows:
        return str(rows[0][KEY])
    table = model.replace(".", "_")
    name = f"__export__.{table}_{record_id}_{record_id * 2654435761 % 2**32:08x}"
    give(env, name, model, record_id, noupdate=False)
    return name


def get_external_id(env: Environment, model: str, ids: Iterable[int]) -> dict[int, str]:
    """Answer an external id for each record, or no text."""
    found: dict[int, str] = {}
    for record_id in ids:
        rows = of_record(env, model, record_id)
        found[record_id] = str(rows[0][KEY]) if rows else ""
    return found


# The model itself


def _saved(env: Environment, ids: list[int]) -> None:
    table = env.table(DATA)
    for number in ids:
        row = table.rows[number]
        key = f"{row.get('module') or ''}.{row.get('name') or ''}"
        if " " in key:
            raise faults.refused(
                "The operation cannot be completed: External IDs cannot contain spaces",
                "ValidationError",
            )
        if any(other != number for other in table.pointing_at(KEY, key)):
            raise faults.refused(
                "The operation cannot be completed: You cannot have multiple records "
                "with the same external ID in the same module!",
                "ValidationError",
            )
        if row.get(KEY) != key:
            env.store.put(DATA, number, {**row, KEY: key})


def _complete_name(_env: Environment, _id: int, row: Row) -> str:
    return str(row.get(KEY) or "")


def _reference(_env: Environment, _id: int, row: Row) -> str:
    return f"{row.get('model')},{row.get('res_id')}"


def _display_name(env: Environment, _id: int, row: Row) -> str:
    model, record_id = row.get("model"), row.get("res_id")
    if model in env.store.tables and record_id in env.table(model).rows:
        return env.display_name(model, record_id)
    return str(row.get(KEY) or "")


def _check_object_reference(
    env: Environment, module: str, xml_id: str, raise_on_access_error: bool = False
) -> Sequence[str | int | bool]:
    found = find(env, f"{module}.{xml_id}")
    if found is None:
        text = f"External ID not found in the system: {module}.{xml_id}"
        raise faults.crash("ValueError", text)
    _, model, record_id = found
    if env.may(env.model(model), "read"):
        return [model, record_id]
    if raise_on_access_error:
        raise faults.denied(f"Not enough access rights on the external ID {xml_id!r}")
    return [model, False]


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        DATA: Behaviour(
            defaults={"module": "", "noupdate": False},
            computed={"complete_name": _complete_name, "reference": _reference},
            display_name=_display_name,
            saved=_saved,
            methods={
                "check_object_reference": Method(
                    _check_object_reference, on_records=False
                )
            },
        ),
    }
)
"""What the model of external ids does beyond keeping values."""
