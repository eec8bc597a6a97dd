"""Creating, changing, deleting and copying records."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from odooport.errors import OdooRefused
from odooport.model import Command
from odooport_adapters.memory import faults, properties
from odooport_adapters.memory.convert import convert
from odooport_adapters.memory.environment import (
    SOURCE_LANGUAGE,
    Environment,
    text_column,
)
from odooport_adapters.memory.externals import forget
from odooport_adapters.memory.registry import PLUMBING, Field, Model
from odooport_adapters.memory.search import compile_domain
from odooport_adapters.memory.store import Row

type Values = dict[str, Any]

_IGNORED = frozenset({"id", *PLUMBING})
_TO_MANY = frozenset({"one2many", "many2many"})
_PROPERTIES = "properties"
_LATER = _TO_MANY | {_PROPERTIES}
"""What is written when the row is there."""


def check_records(
    env: Environment, model: Model, ids: Sequence[int], operation: str
) -> None:
    """Refuse an operation on records that rights or record rules do not allow.

    Raises:
        OdooAccessError: They do not.
    """
    env.check_model(model, operation)
    rule = env.rule_domain(model)
    if rule is None:
        return
    test = compile_domain(env.sudo(), model, rule)
    rows = env.table(model.name).rows
    for record_id in ids:
        if record_id in rows and not test(record_id, rows[record_id]):
            raise faults.record_denied(
                operation, model.label, model.name, env.user_name(), env.uid
            )


def create(env: Environment, model: Model, many: Iterable[Any]) -> list[int]:
    """Create records and answer their ids.

    Raises:
        OdooAccessError: The user may not.
        OdooRefused: A required field is empty, or a rule of the model says no.
        OdooFailed: The values do not fit the fields.
    """
    env.check_model(model, "create")
    ids: list[int] = []
    for values in many:
        if not isinstance(values, Mapping):
            text = f"{type(values).__name__!r} object has no attribute 'get'"
            raise faults.crash("AttributeError", text)
        ids.append(_create_one(env, model, dict(cast("Mapping[str, Any]", values))))
    if ids:
        model.behaviour.saved(env.sudo(), ids)
        _check_required(env, model, ids)
        check_records(env, model, ids, "create")
    return ids


def _create_one(env: Environment, model: Model, given: Values) -> int:
    # Odoo 18 checks the fields' groups when it writes, and not when it creates.
    _check_names(env.sudo(), model, given)
    values = {**defaults_of(env, model, set(model.fields) - set(given)), **given}
    if model.behaviour.completed is not None:
        model.behaviour.completed(env, values)
    record_id = env.store.take_id(model.name)
    row: Values = dict.fromkeys(("create_uid", "write_uid"), env.uid)
    row["create_date"] = row["write_date"] = env.moment
    later: list[tuple[Field, Any]] = []
    for name, value in values.items():
        field = model.fields.get(name)
        if field is None:
            row[name] = value  # a column of ours that no caller can name
        elif name in _IGNORED:
            continue
        elif not field.column or field.type in _LATER:
            later.append((field, value))
        else:
            stored = _stored(env, model, field, value, creating=True)
            _check_target(env, model, field, stored, creating=True)
            row |= in_columns(env, row, field, stored)
    env.store.put(model.name, record_id, row)
    for field, value in later:
        _write_elsewhere(env, model, record_id, field, value)
    given_properties = {field.name for field, _ in later if field.type == _PROPERTIES}
    for field in _properties_of(model):
        if field.name not in given_properties:
            _default_properties(env, model, record_id, field, None)
    return record_id


def defaults_of(env: Environment, model: Model, names: Iterable[str]) -> Values:
    """Answer the defaults of some fields, of those that have one."""
    defaults = model.behaviour.defaults
    found: Values = {}
    for name in names:
        if name in defaults:
            default = defaults[name]
            found[name] = default(env) if callable(default) else default
        elif name == "active" and model.fields[name].column:
            found[name] = True
    return found


def write(env: Environment, model: Model, ids: Sequence[int], given: Any) -> None:
    """Write the same values on records.

    Raises:
        OdooAccessError: The user may not.
        OdooRefused: A rule of the model says no.
        RecordMissing: One of the records is not there.
        OdooFailed: The values do not fit the fields.
    """
    if not isinstance(given, Mapping):
        text = f"{type(given).__name__!r} object is not iterable"
        raise faults.crash("TypeError", text)
    values = dict(cast("Mapping[str, Any]", given))
    env.check_model(model, "write")
    _check_names(env, model, values)
    env.existing(model.name, ids)
    check_records(env, model, ids, "write")
    values = model.behaviour.before_write(env, list(ids), values)
    for record_id in dict.fromkeys(ids):
        _write_one(env, model, record_id, values)
    if ids:
        model.behaviour.saved(env.sudo(), list(dict.fromkeys(ids)))
        _check_required(env, model, ids)


def _write_one(env: Environment, model: Model, record_id: int, values: Values) -> None:
    changes: Values = {"write_uid": env.uid, "write_date": env.moment}
    later: list[tuple[Field, Any]] = []
    row = env.row(model.name, record_id)
    for name, value in values.items():
        field = model.fields.get(name)
        if field is None:
            changes[name] = value  # a column of ours that no caller can name
        elif name in _IGNORED:
            continue
        elif not field.column or field.type in _LATER:
            later.append((field, value))
        else:
            stored = _stored(env, model, field, value, creating=False)
            _check_target(env, model, field, stored, creating=False)
            changes |= in_columns(env, row, field, stored)
    env.store.put(model.name, record_id, {**row, **changes})
    for field, value in later:
        _write_elsewhere(env, model, record_id, field, value)
    for field in _properties_of(model):
        link = field.attributes["definition_record"]
        if field.name not in values and row.get(link) != changes.get(
            link, row.get(link)
        ):
            # under a new parent, other properties
            _default_properties(env, model, record_id, field, row.get(field.name))


def _stored(
    env: Environment, model: Model, field: Field, value: Any, *, creating: bool
) -> Any:
    if field.type == "properties_definition":
        return properties.checked_definitions(env, value)
    return convert(model, field, value, creating=creating)


def _properties_of(model: Model) -> list[Field]:
    return [field for field in model.fields.values() if field.type == _PROPERTIES]


def _default_properties(
    env: Environment, model: Model, record_id: int, field: Field, value: Any
) -> None:
    row = env.row(model.name, record_id)
    known = properties.definitions_of(env, model, field, row)
    put(
        env,
        model,
        record_id,
        {field.name: properties.with_defaults(env, known, value) or None},
    )


def _write_properties(
    env: Environment, model: Model, record_id: int, field: Field, value: Any
) -> None:
    row = env.row(model.name, record_id)
    changed = properties.changed_definitions(value)
    parent = properties.parent_of(model, field, row)
    if changed is not None and parent is not None:
        relation, number, name = parent
        write(env, env.model(relation), [number], {name: changed})
    if field.name not in row:  # a new record: what is not given has its default
        _default_properties(env, model, record_id, field, value)
        return
    known = properties.definitions_of(env, model, field, row)
    kept = properties.parse(env, known, value) or None
    put(env, model, record_id, {field.name: kept})


def in_columns(env: Environment, row: Row, field: Field, stored: Any) -> Values:
    """Answer what a value changes in its row: per company or language, or at all."""
    name = field.name
    if field.per_company:
        others: Mapping[int, Any] = row.get(name) or {}
        return {name: {**others, env.company: stored}}
    if not field.translated:
        return {name: stored}
    if stored is None:  # a text taken away is gone in all languages
        return {name: None} | dict.fromkeys(_translations(row, name))
    if env.lang == SOURCE_LANGUAGE:
        return {name: stored}
    own = {text_column(name, env.lang): stored}
    return own if row.get(name) is not None else {name: stored, **own}


def _translations(row: Row, name: str) -> list[str]:
    prefix = text_column(name, "")
    return [column for column in row if column.startswith(prefix)]


def put(env: Environment, model: Model, record_id: int, changes: Values) -> None:
    """Set stored values as they are, for computed columns; checks nothing."""
    row = env.row(model.name, record_id)
    if any(row.get(name) != value for name, value in changes.items()):
        env.store.put(model.name, record_id, {**row, **changes})


def _check_names(env: Environment, model: Model, values: Values) -> None:
    for name in values:
        if name not in model.fields:
            text = f"Invalid field {name!r} on model {model.name!r}"
            raise faults.crash("ValueError", text)
    env.check_fields(model, values, "write")


def _check_target(
    env: Environment, model: Model, field: Field, value: Any, *, creating: bool
) -> None:
    if field.type != "many2one" or not value:
        return
    relation = field.relation or ""
    if relation in env.store.tables and value not in env.table(relation).rows:
        if creating:
            raise _broken_key(model, field)
        raise faults.missing(relation, value, env.uid)


def _broken_key(model: Model, field: Field) -> OdooRefused:
    table = model.name.replace(".", "_")
    if field.type == "many2many":
        other = (field.relation or "").replace(".", "_")
        constraint = f"{table}_{other}_rel_{field.name}_fkey"
        return faults.still_referenced("Unknown", "unknown", constraint)
    return faults.still_referenced(
        model.label, model.name, f"{table}_{field.name}_fkey"
    )


def _check_required(env: Environment, model: Model, ids: Sequence[int]) -> None:
    required = [
        field
        for field in model.fields.values()
        if field.required and field.column and field.type not in ("boolean", *_TO_MANY)
    ]
    for record_id in ids:
        row = env.row(model.name, record_id)
        for field in required:
            if row.get(field.name) is None:
                raise faults.not_null(
                    model.label,
                    model.name,
                    str(field.attributes["string"]),
                    field.name,
                )


def _write_elsewhere(
    env: Environment, model: Model, record_id: int, field: Field, value: Any
) -> None:
    """Write a field whose value is not in the record's own row."""
    if field.type in _TO_MANY:
        apply_commands(env, model, record_id, field, value)
        return
    if field.type == _PROPERTIES:
        _write_properties(env, model, record_id, field, value)
        return
    inverse = model.behaviour.inverses.get(field.name)
    if inverse is not None:
        inverse(env, record_id, value)
    elif field.path and not field.attributes["readonly"]:
        target = env.get(model.name, record_id, field.path[0])
        relation = model.fields[field.path[0]].relation or ""
        if target:
            write(env.sudo(), env.model(relation), [target], {field.path[1]: value})


# Commands


def apply_commands(
    env: Environment, model: Model, record_id: int, field: Field, raw: Any
) -> None:
    """Change the records of a one2many or many2many, as ``write`` does.

    Raises:
        OdooFailed: The commands have no form that Odoo reads.
    """
    if raw is False or raw is None:
        raw = [Command.clear()]
    if not isinstance(raw, list | tuple):
        text = f"Wrong value for {model.name}.{field.name}: {raw}"
        raise faults.crash("ValueError", text)
    commands = cast("Sequence[Any]", raw)
    if all(type(item) is int for item in commands) and commands:
        commands = [Command.set(list(commands))]
    change = _ManyToMany if field.type == "many2many" else _OneToMany
    lines = change(env, model, record_id, field)
    try:
        for command in commands:
            match command[0]:
                case Command.CREATE:
                    lines.create(command[2])
                case Command.UPDATE:
                    write(env, lines.target, [command[1]], command[2])
                case Command.DELETE:
                    lines.delete(command[1])
                case Command.UNLINK:
                    lines.remove([command[1]])
                case Command.LINK:
                    lines.add([command[1]])
                case Command.CLEAR:
                    lines.replace([])
                case Command.SET:
                    lines.replace(list(command[2]))
                case _:
                    pass  # Odoo ignores a command that it does not know
    except (IndexError, TypeError) as error:
        raise faults.crash_of(error) from error


class _Lines:
    """The records of one to-many field of one record."""

    def __init__(
        self, env: Environment, model: Model, record_id: int, field: Field
    ) -> None:
        self.env = env
        self.model = model
        self.record_id = record_id
        self.field = field
        self.target = env.model(field.relation or "")

    def delete(self, line: int) -> None:
        unlink(self.env, self.target, [line])


class _OneToMany(_Lines):
    @property
    def inverse(self) -> str:
        return self.field.inverse or ""

    def create(self, values: Mapping[str, Any]) -> None:
        create(self.env, self.target, [{**values, self.inverse: self.record_id}])

    def add(self, ids: Sequence[int]) -> None:
        write(self.env, self.target, ids, {self.inverse: self.record_id})

    def remove(self, ids: Sequence[int]) -> None:
        if self.inverse in self.target.behaviour.deleted_with:
            unlink(self.env, self.target, ids)
        else:
            write(self.env, self.target, ids, {self.inverse: False})

    def replace(self, ids: Sequence[int]) -> None:
        table = self.env.table(self.target.name)
        before = table.pointing_at(self.inverse, self.record_id)
        self.remove([line for line in before if line not in ids])
        self.add([line for line in ids if line not in before])


class _ManyToMany(_Lines):
    @property
    def ids(self) -> tuple[int, ...]:
        row = self.env.row(self.model.name, self.record_id)
        get = self.env.getter(self.model.name, self.field.name)
        return get(self.record_id, row) or ()

    def create(self, values: Mapping[str, Any]) -> None:
        self.add(create(self.env, self.target, [values]))

    def add(self, ids: Sequence[int]) -> None:
        self._set(dict.fromkeys((*self.ids, *ids)))

    def remove(self, ids: Sequence[int]) -> None:
        self._set(other for other in self.ids if other not in ids)

    def replace(self, ids: Sequence[int]) -> None:
        self._set(dict.fromkeys(ids))

    def _set(self, ids: Iterable[int]) -> None:
        if not self.field.column:
            self._set_on_the_other_side(set(ids))
            return
        kept = tuple(ids)
        rows = self.env.table(self.target.name).rows
        if any(other not in rows for other in kept):
            raise _broken_key(self.model, self.field)
        put(self.env, self.model, self.record_id, {self.field.name: kept})

    def _set_on_the_other_side(self, ids: set[int]) -> None:
        """Write a many2many whose column is on the other model."""
        inverse = self.model.behaviour.inverses.get(self.field.name)
        if inverse is not None:
            inverse(self.env, self.record_id, ids)


# Deleting and copying


def unlink(env: Environment, model: Model, ids: Sequence[int]) -> None:
    """Delete records.

    Raises:
        OdooAccessError: The user may not.
        OdooRefused: Other records need them, or a rule of the model says no.
        RecordMissing: One of them is not there.
    """
    env.check_model(model, "unlink")
    env.existing(model.name, ids)
    check_records(env, model, ids, "unlink")
    unique = list(dict.fromkeys(ids))
    model.behaviour.before_unlink(env, unique)
    for record_id in unique:
        if record_id in env.table(model.name).rows:
            _release(env, model, record_id)
            forget(env, model.name, record_id)
            env.store.put(model.name, record_id, None)


def _release(env: Environment, model: Model, record_id: int) -> None:
    """Do what the database does with the rows that point at a deleted one."""
    sudo = env.sudo()
    for source, field in env.registry.pointers.get(model.name, ()):
        pointing = env.table(source.name).pointing_at(field.name, record_id)
        if not pointing or (source.name == model.name and pointing == [record_id]):
            continue
        if field.type == "many2many":
            for other in pointing:
                row: Row = env.row(source.name, other)
                left = tuple(item for item in row[field.name] if item != record_id)
                put(env, source, other, {field.name: left})
        elif field.name in source.behaviour.deleted_with:
            for other in pointing:
                _release(env, source, other)
                forget(env, source.name, other)
                env.store.put(source.name, other, None)
        elif field.required or field.name in source.behaviour.holding:
            raise _broken_key(source, field)
        else:
            for other in pointing:
                put(env, source, other, {field.name: None})
            source.behaviour.saved(sudo, pointing)


def copy(
    env: Environment, model: Model, record_id: int, default: Mapping[str, Any]
) -> int:
    """Copy a record and answer the copy's id.

    Raises:
        RecordMissing: The record is not there.
    """
    row = env.row(model.name, record_id)
    check_records(env, model, [record_id], "read")
    env = env.in_language(SOURCE_LANGUAGE)
    behaviour = model.behaviour
    values: Values = {}
    for name, field in model.fields.items():
        if name in _IGNORED or name in behaviour.not_copied or name in default:
            continue
        if name in behaviour.copied_lines:
            lines = env.getter(model.name, name)(record_id, row)
            target = env.model(field.relation or "")
            values[name] = [
                Command.create(_copied(env, target, line, skip=field.inverse))
                for line in lines
            ]
        elif field.column:
            value = env.getter(model.name, name)(record_id, row)
            values[name] = _as_given(field, value)
    if isinstance(values.get("name"), str):
        values["name"] = f"{values['name']} (copy)"
    copied = create(env, model, [{**values, **default}])[0]
    own = [own for name in values for own in _translations(row, name)]
    put(env, model, copied, {column: row[column] for column in own})
    return copied


def _copied(
    env: Environment, model: Model, record_id: int, *, skip: str | None
) -> Values:
    row = env.row(model.name, record_id)
    return {
        name: _as_given(field, env.getter(model.name, name)(record_id, row))
        for name, field in model.fields.items()
        if field.column
        and name not in _IGNORED
        and name != skip
        and name not in model.behaviour.not_copied
    }


def _as_given(field: Field, value: Any) -> Any:
    """Answer a raw value as ``create`` takes it."""
    if field.type == "many2many":
        return [Command.set(list(value or ()))]
    if field.type == "datetime" and value:
        return value[:19]
    return False if value is None else value
