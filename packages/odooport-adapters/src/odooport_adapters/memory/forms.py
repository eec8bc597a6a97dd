"""``onchange``: what a form fills in (``addons/web/models/models.py``).

The record of the form is put into the store for the time of the call, with an id below
zero if it is new, so that everything that is computed can be read from it as usual.
Nothing of it stays.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from odooport.model import Command
from odooport_adapters.memory import faults, properties
from odooport_adapters.memory.convert import convert
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.reading import show
from odooport_adapters.memory.registry import PLUMBING, Field, Model
from odooport_adapters.memory.writing import (
    check_records,
    defaults_of,
    in_columns,
    put,
)

type Values = dict[str, Any]
type Spec = Mapping[str, Any]
"""The fields that the form shows; a relational one has those of its records."""

_TO_MANY = frozenset({"one2many", "many2many"})


def onchange(
    env: Environment,
    model: Model,
    ids: list[int],
    values: Mapping[str, Any],
    field_names: Sequence[str],
    fields_spec: Spec,
) -> dict[str, Any]:
    """Answer what a form fills in after fields were changed, and a warning if any.

    Without changed fields the form is opened: it is filled with defaults, even if it is
    called on a record.

    Raises:
        OdooFailed: A field is unknown; Odoo crashes with the same exceptions.
        OdooAccessError: The user may not read the record or a field.
        RecordMissing: The record, or one that it points to, is not there.
    """
    if any(name not in model.fields for name in field_names):
        return {}
    for name in values:
        if name not in model.fields:
            text = f"Invalid field {name!r} on model {model.name!r}"
            raise faults.crash("ValueError", text)
    for name in fields_spec:
        if name not in model.fields:
            raise faults.crash("KeyError", repr(name))
    env.check_fields(model, fields_spec, "read")
    given = {name: value for name, value in values.items() if name != "id"}
    first = not field_names
    record_id = None if first or not ids else ids[0]
    if record_id is not None:
        env.existing(model.name, ids)
        check_records(env, model, ids, "read")
    touched = set(given) if first else set(field_names)
    answer: dict[str, Any] = {}
    before: Values = {}
    if not first:
        rest = {name: given[name] for name in given if name not in touched}
        with env.store.savepoint() as savepoint:
            form = _Form(env, model, record_id, rest)
            form.fill(set())
            before = form.shown(fields_spec)
            savepoint.undo()
    with env.store.savepoint() as savepoint:
        form = _Form(env, model, record_id, given)
        before |= form.as_given(fields_spec, touched)
        form.fill(touched)
        after = form.shown(fields_spec)
        if first:
            answer["value"] = {
                name: value
                for name, value in after.items()
                if value or model.fields[name].type not in _TO_MANY
            }
        else:
            answer["value"] = {
                name: value
                for name, value in after.items()
                if value != before[name] and model.fields[name].type not in _TO_MANY
            }
        warning = model.behaviour.warning(env, form.origin, form.row)
        savepoint.undo()
    if warning and not first:
        answer["warning"] = {"title": "Warning", "message": warning, "type": "dialog"}
    return answer


class _Form:
    """A record as a form holds it.

    Args:
        env: Who looks at it.
        model: Its model.
        record_id: The record, or None for a new one.
        given: The values that the form holds.
    """

    def __init__(
        self,
        env: Environment,
        model: Model,
        record_id: int | None,
        given: Mapping[str, Any],
    ) -> None:
        self.env = env
        self.model = model
        rows = env.table(model.name).rows
        self.origin: Mapping[str, Any] = {}
        if record_id is None:
            record_id = min(0, *rows, 0) - 1
            asked = set(model.fields) - set(given)
            values = {**defaults_of(env, model, asked), **given}
            self.known = set(values)
        else:
            self.origin = rows[record_id]
            values = dict(given)
            self.known = set(model.fields)
        self.record_id = record_id
        self.given = given
        row: Values = dict(self.origin)
        lines: list[tuple[Field, Any]] = []
        for name, value in values.items():
            field = model.fields[name]
            if name in PLUMBING:
                continue
            if field.type == "one2many":
                lines.append((field, value))
            elif field.type == "properties":
                continue
            elif not field.column:
                row[name] = value  # what is computed from it may look at it
            else:
                row |= in_columns(env, row, field, self._raw(row, field, value))
        env.store.put(model.name, record_id, row)
        for field, value in lines:
            self._take_lines(field, value)
        for name, value in values.items():
            field = model.fields[name]
            if field.type == "properties":
                known = properties.definitions_of(env, model, field, self.row)
                put(env, model, record_id, {name: properties.parse(env, known, value)})

    def _raw(self, row: Mapping[str, Any], field: Field, value: Any) -> Any:
        """Answer a value as a row keeps it."""
        if field.type == "many2many":
            return _ids_after(row.get(field.name) or (), value)
        relation = field.relation or ""
        if field.type != "many2one":
            return convert(self.model, field, value, creating=False)
        if isinstance(value, Mapping):
            # the form that this one stands in: a line's order
            parent = cast("Mapping[str, Any]", value)
            inner = _Form(self.env, self.env.model(relation), None, parent)
            inner.fill(set())
            return inner.record_id
        target = convert(self.model, field, value, creating=False)
        if target and relation in self.env.registry.models:
            self.env.existing(relation, [target])
        return target

    def _take_lines(self, field: Field, commands: Any) -> None:
        env, inverse = self.env, field.inverse or ""
        target = env.model(field.relation or "")
        if inverse not in target.fields or not target.fields[inverse].column:
            return
        table = env.table(target.name)
        for command in cast("Sequence[Sequence[Any]]", commands or ()):
            match command[0]:
                case Command.CREATE:
                    values = {**command[2], inverse: self.record_id}
                    _Form(env, target, None, values).fill(set(command[2]))
                case Command.UPDATE:
                    _Form(env, target, command[1], command[2]).fill(set(command[2]))
                case Command.DELETE | Command.UNLINK:
                    env.store.put(target.name, command[1], None)
                case Command.LINK:
                    put(env, target, command[1], {inverse: self.record_id})
                case Command.CLEAR | Command.SET:
                    kept = command[2] if command[0] == Command.SET else ()
                    for line in table.pointing_at(inverse, self.record_id):
                        if line not in kept:
                            env.store.put(target.name, line, None)
                case _:
                    pass

    @property
    def row(self) -> Mapping[str, Any]:
        """The record as it stands."""
        return self.env.row(self.model.name, self.record_id)

    def fill(self, touched: set[str]) -> None:
        """Fill in what follows from the fields that were touched, and what is empty."""
        touched = set(touched)
        for fill in self.model.behaviour.fills:
            hit = not touched.isdisjoint(fill.watches)
            row = self.env.row(self.model.name, self.record_id)
            found = {
                name: value
                for name, value in fill.run(self.env, self.record_id).items()
                if (hit or name not in self.known) and row.get(name) != value
            }
            put(self.env, self.model, self.record_id, found)
            if hit:
                touched |= set(found)

    def as_given(self, spec: Spec, touched: Iterable[str]) -> Values:
        """Answer the touched fields of the form as the caller gave them."""
        names = [name for name in spec if name in touched]
        stored = self.shown({name: spec[name] for name in names})
        for name in names:
            if not self.model.fields[name].column and name in self.given:
                stored[name] = self.given[name]
        return stored

    def shown(self, spec: Spec) -> Values:
        """Answer the record's fields as a form shows them."""
        return _shown(self.env, self.model, self.record_id, spec)


def _shown(env: Environment, model: Model, record_id: int, spec: Spec) -> Values:
    row = env.row(model.name, record_id)
    answer: Values = {}
    for name, inner in spec.items():
        field = model.fields[name]
        value = env.getter(model.name, name)(record_id, row)
        if name == "id":
            if record_id > 0:
                answer[name] = record_id
        elif name == "display_name" and record_id < 0:
            answer[name] = _name_of_new(env, model, record_id)
        elif field.type == "many2one":
            answer[name] = _linked(env, field, value, inner)
        elif field.type in _TO_MANY:
            below = _within(inner) or {}
            target = env.model(field.relation or "")
            answer[name] = [
                [
                    int(Command.LINK),
                    other,
                    {"id": other, **_shown(env, target, other, below)},
                ]
                for other in value or ()
                if other > 0
            ]
        else:
            answer[name] = show(env, model, field, None)(record_id, row)
    return answer


def _within(inner: Any) -> Spec | None:
    """Answer the fields that a form shows of the records that a field points to."""
    told = cast("Mapping[str, Any]", inner or {})
    return told.get("fields")


def _linked(env: Environment, field: Field, value: Any, inner: Any) -> Any:
    if not value or value < 0:
        return False
    below = _within(inner)
    if below is None:
        return value
    target = env.model(field.relation or "")
    return {"id": value, **_shown(env, target, value, below)}


def _name_of_new(env: Environment, model: Model, record_id: int) -> str | bool:
    name = "name" in model.fields and env.get(model.name, record_id, "name")
    if name:
        return env.display_name(model.name, record_id)
    shown = model.behaviour.display_name
    row = env.row(model.name, record_id)
    return "" if shown is not None and shown(env, record_id, row) == "" else False


def _ids_after(before: Sequence[int], commands: Any) -> tuple[int, ...]:
    """Answer the ids of a many2many after commands that make no records."""
    ids = dict.fromkeys(before)
    for command in cast("Sequence[Any]", commands or ()):
        if type(command) is int:
            ids[command] = None
            continue
        match command[0]:
            case Command.LINK:
                ids[command[1]] = None
            case Command.UNLINK | Command.DELETE:
                ids.pop(command[1], None)
            case Command.CLEAR:
                ids = {}
            case Command.SET:
                ids = dict.fromkeys(command[2])
            case _:
                pass
    return tuple(ids)
