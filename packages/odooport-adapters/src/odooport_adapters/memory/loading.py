"""``load``: rows of text into records, all of them or none.

Sources: ``odoo/models.py`` (1274-1570) and ``addons/base/models/ir_fields.py`` of
Odoo 18. Of the context nothing but language, time zone, companies and ``active_test``
is known here: there is no ``_import_limit`` and none of the options of the importer in
the web client.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from odooport.errors import OdooFailed, OdooportError
from odooport.model import Command
from odooport_adapters.memory import externals, faults
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.reading import name_search
from odooport_adapters.memory.registry import Field, Model
from odooport_adapters.memory.search import search
from odooport_adapters.memory.writing import create, write

type Path = tuple[str | None, ...]
"""A column's name, cut at ``/``; None stands for the name of the record itself."""

type Raw = dict[str | None, Any]
"""A record as it was read: text, and a list of records for a relational field."""

type Message = dict[str, Any]

_MODULE = "__import__"
_REFERENCES = frozenset({None, "id", ".id"})
_RELATIONAL = frozenset({"many2one", "one2many", "many2many"})
_TRUE, _FALSE = frozenset({"1", "true", "yes"}), frozenset({"", "0", "false", "no"})
_ENOUGH = 10
_ENOUGH_TEXT = (
    "Found more than 10 errors and more than one error per 10 records, interrupted to "
    "avoid showing too many errors."
)
_CONSTRAINT = "The operation cannot be completed: "
_MANDATORY = re.compile(r"mandatory field is not set.*Field: (.*) \((\w+)\)", re.S)
_DAY, _MOMENT = "%Y-%m-%d", "%Y-%m-%d %H:%M:%S"


class _Trouble(Exception):
    """A cell has no value that fits; ``{field}`` stands for the field's label."""

    def __init__(self, text: str, **info: Any) -> None:
        super().__init__(text)
        self.text = text
        self.info = info

    def within(self, label: str) -> "_Trouble":
        """Answer the same about a field of a line."""
        return _Trouble(self.text.replace("{field}", "{field}/" + label), **self.info)


@dataclass(slots=True)
class _Load:
    """One running ``load``."""

    env: Environment
    model: Model
    creatable: frozenset[str]
    messages: list[Message] = field(default_factory=list[Message])
    ids: list[int] = field(default_factory=list[int])
    keys: set[str] = field(default_factory=set[str])
    waiting: list[tuple[str | None, dict[str, Any], Message]] = field(
        default_factory=list[tuple[str | None, dict[str, Any], Message]]
    )


def load(
    env: Environment,
    model: Model,
    columns: Sequence[str],
    data: Sequence[Sequence[Any]],
) -> dict[str, Any]:
    """Create or update a record for each row, or for several with lines.

    Answers:
        ``ids`` (False if anything is wrong; then nothing is kept), ``messages`` with
        row, field, type and text, and ``nextrow``.

    Raises:
        OdooFailed: There is no such field, or a row is too short.
    """
    paths = [_path(column) for column in columns]
    work = _Load(env, model, frozenset(_creatable(env, model, paths)))
    with env.store.savepoint() as savepoint:
        try:
            for number, (raw, rows) in enumerate(_extract(env, model, paths, data)):
                _take(work, raw, {"rows": rows, "record": number})
        except (IndexError, AttributeError, TypeError) as error:
            raise faults.crash_of(error) from error
        _flush(work)
        failed = any(message["type"] == "error" for message in work.messages)
        if failed:
            savepoint.undo()
    return {
        "ids": False if failed else work.ids,
        "messages": work.messages,
        "nextrow": 0,
    }


def _path(column: str) -> Path:
    spaced = re.sub(r"([^/])\.id", r"\1/.id", column)
    return tuple(re.sub(r"([^/]):id", r"\1/id", spaced).split("/"))


def _creatable(env: Environment, model: Model, paths: Sequence[Path]) -> Iterator[str]:
    yield model.name
    for path in paths:
        here = model
        for name in path:
            entry = here.fields.get(name or "")
            if name in _REFERENCES or entry is None:
                break
            if entry.type == "one2many":
                here = env.model(entry.relation or "")
                yield here.name


# Rows into records of text


def _extract(
    env: Environment,
    model: Model,
    paths: Sequence[Path],
    data: Sequence[Sequence[Any]],
) -> Iterator[tuple[Raw, dict[str, int]]]:
    for name, *_ in paths:
        if name is not None and "." not in name and name not in model.fields:
            raise faults.crash("ValueError", f"Invalid field name {name!r}")

    def kind(name: str | None) -> str:
        entry = model.fields.get(name or "")
        return entry.type if entry else ""

    lines = [at for at, path in enumerate(paths) if kind(path[0]) == "one2many"]
    others = [at for at in range(len(paths)) if at not in lines]

    def continues(row: Sequence[Any]) -> bool:
        return any(row[at] for at in lines) and not any(row[at] for at in others)

    index = 0
    while index < len(data):
        span = [data[index], *takewhile(continues, data[index + 1 :])]
        raw: Raw = {
            path[0]: cell
            for path, cell in zip(paths, data[index], strict=False)
            if kind(path[0]) not in _RELATIONAL
        }
        for name in dict.fromkeys(path[0] for path in paths):
            if name is None or kind(name) not in _RELATIONAL:
                continue
            places = [at for at, path in enumerate(paths) if path[0] == name]
            below: list[Path] = [paths[at][1:] or (None,) for at in places]
            cells = [[row[at] for at in places] for row in span]
            filled = [row for row in cells if any(row)]
            target = env.model(model.fields[name].relation or "")
            raw[name] = [sub for sub, _ in _extract(env, target, below, filled)]
        yield raw, {"from": index, "to": index + len(span) - 1}
        index += len(span)


# Text into values


def _take(work: _Load, raw: Raw, info: Message) -> None:
    """Convert one record and put it into the queue."""
    key: str | None = raw.get("id") or None
    number = _known_number(work, raw, info)

    def complain(entry: Field, trouble: _Trouble) -> None:
        label = str(entry.attributes["string"])
        message = {**info, "type": "error", "field": entry.name}
        message["message"] = trouble.text.replace("{field}", label)
        named = {"field_name": label} if "{field}" in trouble.text else {}
        work.messages.append({**message, **trouble.info, **named})

    def warn(entry: Field, text: str) -> None:
        label = str(entry.attributes["string"])
        shown = text.replace("{field}", label)
        message = {"type": "warning", "field": entry.name, "message": shown}
        work.messages.append({**info, **message})

    values = _converted(work, work.model, raw, complain, warn)
    if key is not None:
        key = key if "." in key else f"{_MODULE}.{key}"
        work.keys.add(key)
    elif number:
        values["id"] = number
    work.waiting.append((key, values, info))


def _known_number(work: _Load, raw: Raw, info: Message) -> int | None:
    given = raw.get(".id")
    if not given:
        return None
    try:
        number = int(given)
    except ValueError as error:
        kind = "psycopg2.errors.InvalidTextRepresentation"
        text = f'invalid input syntax for type integer: "{given}"'
        raise faults.crash(kind, text) from error
    if search(work.env, work.model, [["id", "=", number]]):
        return number
    text = f"Unknown database identifier '{number}'"
    message = {**info, "type": "error", "field": ".id", "message": text}
    work.messages.append(message)
    return None


def _converted(
    work: _Load,
    model: Model,
    raw: Raw,
    complain: Callable[[Field, _Trouble], None],
    warn: Callable[[Field, str], None],
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, cell in raw.items():
        if name is None or name in _REFERENCES:
            continue
        entry = model.fields[name]
        if not cell:
            values[name] = False
            continue
        try:
            values[name] = _value(work, entry, cell, partial(warn, entry))
        except _Trouble as trouble:
            complain(entry, trouble)
    return values


def _value(work: _Load, entry: Field, cell: Any, warn: Callable[[str], None]) -> Any:
    match entry.type:
        case "many2one":
            key = _reference_of(entry, cell[0])
            return _target(work, entry, key, cell[0][key], warn)
        case "many2many":
            key = _reference_of(entry, cell[0])
            names = str(cell[0][key]).split(",")
            ids = [_target(work, entry, key, name, warn) for name in names]
            return [Command.set([found for found in ids if found])]
        case "one2many":
            return _lines(work, entry, cell, warn)
        case "datetime":
            return _datetime(work.env, cell)
        case _:
            return _SCALARS.get(entry.type, _same)(entry, cell)


def _reference_of(entry: Field, raw: Raw) -> str | None:
    if set(raw) - _REFERENCES:
        raise _Trouble(
            "Can not create Many-To-One records indirectly, import the field separately"
        )
    if len(raw) > 1:
        raise _Trouble(
            f"Ambiguous specification for field '{entry.attributes['string']}', only "
            "provide one of name, external id or database id"
        )
    (key,) = raw
    return key


def _lines(
    work: _Load, entry: Field, cells: Sequence[Raw], warn: Callable[[str], None]
) -> list[list[Any]]:
    target = work.env.model(entry.relation or "")
    if len(cells) == 1 and set(cells[0]) <= _REFERENCES:
        key = _reference_of(entry, cells[0])
        cells = [{key: name} for name in str(cells[0][key]).split(",")]

    def complain(inner: Field, trouble: _Trouble) -> None:
        raise trouble.within(str(inner.attributes["string"]))

    commands: list[list[Any]] = []
    for raw in cells:
        references = {key: raw[key] for key in raw if key in _REFERENCES}
        values = _converted(
            work, target, raw, complain, lambda _entry, text: warn(text)
        )
        found = None
        if references:
            key = _reference_of(entry, references)
            try:
                found = _target(work, entry, key, raw[key], warn)
            except _Trouble:
                if key != "id":
                    raise
        if found:
            commands += [Command.link(found), Command.update(found, values)]
        else:
            commands.append(Command.create(values))
    return commands


def _target(
    work: _Load,
    entry: Field,
    key: str | None,
    given: Any,
    warn: Callable[[str], None],
) -> int | None:
    """Answer the record that a cell names: by name, external id or database id."""
    env, relation = work.env, entry.relation or ""
    found: int | None = None
    if key is not None and str(given).lower() in _FALSE:
        return None
    if key == ".id":
        kind = "database id"
        try:
            number = int(given)
        except ValueError as error:
            text = f"Invalid database id '{given}' for the field '{{field}}'"
            raise _Trouble(text, moreinfo=_choice(relation, key)) from error
        found = number if number in env.table(relation).rows else None
    elif key == "id":
        kind = "external id"
        name = str(given) if "." in str(given) else f"{_MODULE}.{given}"
        if name in work.keys:
            _flush(work)
        known = externals.find(env, name)
        if known and known[2] in env.table(known[1]).rows:
            if known[1] != relation:
                raise _Trouble(
                    f"Invalid external ID {name}: expected model {relation!r}, found "
                    f"{known[1]!r}"
                )
            found = known[2]
    else:
        kind = "name"
        if given == "":
            return None
        if relation in work.creatable:
            _flush(work)
        matches = name_search(env, env.model(relation), str(given), None, "=", 100)
        if len(matches) > 1:
            warn(
                f'Found multiple matches for value "{given}" in field "{{field}}" '
                f"({len(matches)} matches)"
            )
        found = matches[0][0] if matches else None
    if found is None:
        text = f"No matching record found for {kind} '{given}' in field '{{field}}'"
        raise _Trouble(text, moreinfo=_choice(relation, key))
    return found


def _choice(relation: str, key: str | None) -> Message:
    """Answer the action with which the web client shows what could be chosen."""
    action: Message = {
        "name": "Possible Values",
        "type": "ir.actions.act_window",
        "target": "new",
        "view_mode": "list,form",
        "views": [[False, "list"], [False, "form"]],
        "context": {"create": False},
        "help": "See all possible values",
    }
    if key is None:
        return {**action, "res_model": relation}
    domain = [["model", "=", relation]]
    return {**action, "res_model": externals.DATA, "domain": domain}


def _same(_entry: Field, cell: Any) -> Any:
    return cell


def _boolean(_entry: Field, cell: Any) -> bool:
    if cell.lower() in _TRUE | _FALSE:
        return cell.lower() in _TRUE
    raise _Trouble(
        f"Unknown value '{cell}' for boolean field '{{field}}'",
        moreinfo="Use '1' for yes and '0' for no",
    )


def _integer(_entry: Field, cell: Any) -> int:
    try:
        return int(cell)
    except ValueError as error:
        text = f"'{cell}' does not seem to be an integer for field '{{field}}'"
        raise _Trouble(text) from error


def _float(_entry: Field, cell: Any) -> float:
    try:
        return float(cell)
    except ValueError as error:
        text = f"'{cell}' does not seem to be a number for field '{{field}}'"
        raise _Trouble(text) from error


def _date(_entry: Field, cell: Any) -> str:
    try:
        return datetime.strptime(cell[:10], _DAY).strftime(_DAY)
    except ValueError as error:
        text = f"'{cell}' does not seem to be a valid date for field '{{field}}'"
        raise _Trouble(text, moreinfo="Use the format '2012-12-31'") from error


def _datetime(env: Environment, cell: Any) -> str:
    """Read a moment in the context's time zone or else the user's, never in UTC."""
    text = f"{cell} 00:00:00" if len(cell) == len("2012-12-31") else cell[:19]
    try:
        moment = datetime.strptime(text, _MOMENT)
    except ValueError as error:
        said = f"'{cell}' does not seem to be a valid datetime for field '{{field}}'"
        moreinfo = "Use the format '2012-12-31 23:59:59'"
        raise _Trouble(said, moreinfo=moreinfo) from error
    # in the hour that comes twice, Odoo takes the second one
    local = moment.replace(tzinfo=zone_of(env), fold=1)
    return local.astimezone(UTC).strftime(_MOMENT)


def zone_of(env: Environment) -> ZoneInfo:
    """Answer the zone that ``load`` and ``export_data`` speak."""
    for name in (env.context.tz, env.get("res.users", env.uid, "tz")):
        try:
            if name:
                return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            continue  # Odoo ignores a time zone that it does not know
    return ZoneInfo("UTC")


def _selection(entry: Field, cell: Any) -> str:
    choices: Sequence[Sequence[str]] = entry.attributes.get("selection") or ()
    for key, label in choices:
        if cell.lower() in (str(key).lower(), label.lower()):
            return key
    raise _Trouble(
        f"Value '{cell}' not found in selection field '{{field}}'",
        moreinfo=[label or key for key, label in choices],
    )


_SCALARS: Mapping[str, Callable[[Field, Any], Any]] = MappingProxyType(
    {
        "boolean": _boolean,
        "integer": _integer,
        "many2one_reference": _integer,
        "float": _float,
        "monetary": _float,
        "date": _date,
        "selection": _selection,
    }
)


# Values into records


def _flush(work: _Load) -> None:
    """Write what waits: at once, or else one by one to find out what is wrong."""
    waiting = [*work.waiting]
    work.waiting.clear()
    work.keys.clear()
    whole: Message | None = None
    try:
        with work.env.store.savepoint():
            ids = [_save(work, key, values) for key, values, _ in waiting]
    except OdooportError as error:
        said = _said(error)
        if said.keys() == {"message"} and not _is_constraint(error):
            whole = {**waiting[0][2], "type": "error", **said}
    else:
        work.ids += ids
        return
    errors = 0
    for number, (key, values, info) in enumerate(waiting, 1):
        try:
            with work.env.store.savepoint():
                work.ids.append(_save(work, key, values))
        except OdooportError as error:
            work.messages.append({**info, "type": "error", **_said(error)})
            errors += 1
        if errors >= _ENOUGH and errors >= number / _ENOUGH:
            work.messages.append({"type": "warning", "message": _ENOUGH_TEXT})
            break
    if errors and whole is not None and whole not in work.messages:
        work.messages.insert(0, whole)


def _save(work: _Load, key: str | None, values: dict[str, Any]) -> int:
    env, model = work.env, work.model
    given = {name: value for name, value in values.items() if name != "id"}
    number: int | None = values.get("id")
    known = externals.find(env, key) if key else None
    if known is not None and known[1] != model.name:
        raise faults.refused(
            f"For external id {key} when trying to create/update a record of model "
            f"{model.name} found record of different model {known[1]} ({known[0]})",
            "ValidationError",
        )
    if known is not None and known[2] in env.table(model.name).rows:
        number = known[2]
    if number is not None:
        write(env, model, [number], given)
        return number
    (number,) = create(env, model, [given])
    if key:
        externals.give(env, key, model.name, number, noupdate=False)
    return number


def _is_constraint(error: OdooportError) -> bool:
    """Whether PostgreSQL says it in a real one, and not one of Odoo's own rules."""
    return error.message.startswith((_CONSTRAINT, _CONSTRAINT.strip() + "\n"))


def _said(error: OdooportError) -> Message:
    """Answer what ``messages`` say about an error."""
    if isinstance(error, OdooFailed):
        name, _, text = error.debug.splitlines()[-1].partition(": ")
        if name.startswith("psycopg2."):
            return {"message": f"{text}\n"}
        kind = f"<class '{name}'>"
        said = f"Unknown error during import: {kind}: {text}"
        return {"message": said, "moreinfo": "Resolve other errors first"}
    mandatory = _MANDATORY.search(error.message)
    if mandatory is not None:
        label, name = mandatory.groups()
        text = f"Missing required value for the field '{label}' ({name})"
        return {"message": text, "field": name}
    if error.message.startswith(_CONSTRAINT):
        return {"message": f"'{error.message.removeprefix(_CONSTRAINT)}'"}
    return {"message": error.message}
