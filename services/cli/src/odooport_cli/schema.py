"""The commands ``odooport schema``: keep and compare what models look like, make code.

Each is a coroutine that answers the exit status; ``main`` runs it. Odoo's own rights
decide what is seen, for the user that the settings name.
"""

import asyncio
import json
import secrets
import shutil
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from odooport.changes import (
    SOURCE_LANGUAGE,
    Change,
    ChangeKind,
    Impact,
    Snapshot,
    compare,
    visible,
)
from odooport.errors import (
    AnswerLost,
    GatewayProtocolError,
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    OdooRefused,
)
from odooport.model import DEFAULT_INSTANCE
from odooport.schema import ModelSchema
from odooport.usecases import Odoo

FITS, DIFFERS, UNKNOWN = 0, 1, 2
"""The exit statuses: all is well, something does not fit, it could not be found out."""

_AT_ONCE = 8
"""How many models Odoo is asked to describe at the same time."""

_LIVE = "live"
_STDOUT = "-"
_SHOWN_MODELS = 5
_SHOWN = 60
"""How many characters of an old or new value a table shows."""


class Layout(StrEnum):
    """How ``diff`` shows the changes."""

    TEXT = "text"
    JSON = "json"


class Language(StrEnum):
    """What ``generate`` writes."""

    PYTHON = "python"
    JSON_SCHEMA = "json-schema"
    TYPESCRIPT = "typescript"


class Threshold(StrEnum):
    """From which impact on ``check`` fails."""

    BREAKING = "breaking"
    RISKY = "risky"
    ANY = "any"


class Audience(StrEnum):
    """Whose programs ``check`` looks after."""

    READERS = "readers"
    WRITERS = "writers"
    BOTH = "both"


ModelsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL]...", help="Which models. [default: all that the user can read]"
    ),
]
InstanceOption = Annotated[str, typer.Option(help="Which Odoo database.")]
DemoOption = Annotated[
    bool, typer.Option("--demo", help="Take the demo company in memory, not your Odoo.")
]


async def snapshot(
    out: Annotated[str, typer.Option(help="The file to write; - is stdout.")],
    models: ModelsArgument = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    lang: Annotated[
        str | None,
        typer.Option(
            help="The language of the labels, such as fr_FR. [default: en_US]"
        ),
    ] = None,
    demo: DemoOption = False,
) -> int:
    """Keep in a file what models look like now.

    A file that would have nothing new but the moment is left as it is.
    """
    async with _connected(demo=demo) as odoo:
        look = await _look(odoo, instance, models or None, lang)
    unknown = [
        error.message
        for error in look.errors.values()
        if models and isinstance(error, InvalidRequest)
    ]
    if unknown:
        raise InvalidRequest(" ".join(unknown))
    since = _same(out, look.snapshot)
    if since is None:
        _write(out, look.snapshot.to_json())
    for model, error in sorted(look.errors.items()):
        _say(f"Left out {model!r}: {_line(error.message)}")
    fields = sum(len(schema.fields) for schema in look.snapshot.models.values())
    size = f"{_number(len(look.snapshot.models), 'model')} with "
    size += _number(fields, "field")
    _say(f"Kept {size}." if since is None else f"Unchanged since {since}: {size}.")
    return FITS


async def diff(
    old: Annotated[
        str,
        typer.Argument(help="A snapshot, or 'live' or 'live:INSTANCE' for an Odoo."),
    ],
    new: Annotated[str, typer.Argument(help="Likewise, to compare it with.")],
    layout: Annotated[
        Layout, typer.Option("--format", help="For people, or for programs.")
    ] = Layout.TEXT,
    demo: DemoOption = False,
) -> int:
    """Say what changed between two snapshots, or databases."""
    before, after = await _both(_side(old), _side(new), demo=demo)
    changes = compare(before, after)
    if layout is Layout.JSON:
        document = {
            "old": _head(before),
            "new": _head(after),
            "changes": [asdict(change) for change in changes],
        }
        _tell(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        _show(changes)
        _tell(f"{_number(len(changes), 'change')}: {_counted(changes)}.")
    if skipped := sorted(_uncompared(before, after) | _uncompared(after, before)):
        shown = ", ".join(skipped[:_SHOWN_MODELS])
        more = len(skipped) - _SHOWN_MODELS
        shown += f" and {more} more" if more > 0 else ""
        _say(f"Not compared, since one side was not asked for them: {shown}.")
    if before.lang != after.lang:
        _say(f"Labels are not compared: {before.lang} there, {after.lang} here.")
    return FITS


async def check(
    file: Annotated[str, typer.Argument(help="The snapshot to hold it against.")],
    instance: InstanceOption = DEFAULT_INSTANCE,
    fail_on: Annotated[
        Threshold, typer.Option(help="From which kind of change on it does not fit.")
    ] = Threshold.BREAKING,
    audience: Annotated[
        Audience, typer.Option("--for", help="Whose programs shall still work.")
    ] = Audience.BOTH,
    demo: DemoOption = False,
) -> int:
    """Say whether your Odoo still fits a snapshot.

    Only the models in the snapshot count. The exit status is 0 if it fits, 1 if not,
    and 2 if that could not be found out.
    """
    kept = _read(file)
    if not kept.models:
        raise InvalidRequest(
            f"{file!r} holds no models, so there is nothing to check: take a snapshot "
            "with the models that your programs use."
        )
    lang = None if kept.lang == SOURCE_LANGUAGE else kept.lang
    async with _connected(demo=demo) as odoo:
        look = await _look(odoo, instance, list(kept.models), lang)
    for model, error in look.errors.items():
        if not isinstance(error, InvalidRequest | OdooAccessError):
            raise InvalidRequest(
                f"Odoo could not describe {model!r}: {_line(error.message)}"
            )
    changes = compare(kept, look.snapshot)
    bad: list[Change] = []
    rest: list[Change] = []
    for change in changes:
        (bad if _fails(change, fail_on, audience) else rest).append(change)
    _show(bad)
    verdict = f"Does not fit: {_counted(bad)}." if bad else "Fits."
    others = f" Changes that do not count here: {_counted(rest)}." if rest else ""
    _tell(verdict + others)
    return DIFFERS if bad else FITS


async def generate(
    models: Annotated[
        list[str], typer.Argument(metavar="MODEL...", help="Which models.")
    ],
    out: Annotated[str, typer.Option(help="The file to write; - is stdout.")],
    language: Annotated[
        Language, typer.Option("--format", help="What to write.")
    ] = Language.PYTHON,
    instance: Annotated[
        str | None, typer.Option(help="Which Odoo database. [default: default]")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="SNAPSHOT", help="Take a snapshot, and no Odoo at all."
        ),
    ] = None,
    demo: DemoOption = False,
    check_only: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; exit status 1 if the file would change."
        ),
    ] = False,
) -> int:
    """Write typed code for models.

    That is a Python module, a JSON Schema or TypeScript types.
    """
    if source is not None and (demo or instance is not None):
        raise InvalidRequest(
            "--from takes a snapshot and no Odoo: leave --instance and --demo out."
        )
    if check_only and out == _STDOUT:
        raise InvalidRequest("--check compares with a file: name it with --out.")
    if source is None:
        schemas = await _asked(instance or DEFAULT_INSTANCE, models, demo=demo)
    else:
        schemas = _kept(source, models)
    text = _generated(language, schemas)
    if not check_only:
        _write(out, text)
        return FITS
    there = _content(out)
    if there == text.encode():
        return FITS
    state = "does not exist yet" if there is None else "is out of date"
    _say(f"{out!r} {state}: run the same command without --check.")
    return DIFFERS


async def _asked(
    instance: str, models: Sequence[str], *, demo: bool
) -> list[ModelSchema]:
    async with _connected(demo=demo) as odoo:
        look = await _look(odoo, instance, models, None)
    if look.errors:
        raise InvalidRequest(
            " ".join(_line(error.message) for error in look.errors.values())
        )
    return list(look.snapshot.models.values())


def _kept(source: str, models: Sequence[str]) -> list[ModelSchema]:
    kept = _read(source)
    if missing := [model for model in models if model not in kept.models]:
        raise InvalidRequest(
            f"{source!r} does not hold {', '.join(map(repr, missing))}: take a "
            "snapshot with them."
        )
    return [kept.models[model] for model in dict.fromkeys(models)]


def _generated(language: Language, schemas: Sequence[ModelSchema]) -> str:
    from odooport.generate import json_schema, python_source, typescript_source

    match language:
        case Language.PYTHON:
            return python_source(schemas)
        case Language.JSON_SCHEMA:
            document = json_schema(schemas)
            return visible(json.dumps(document, ensure_ascii=False, indent=2)) + "\n"
        case Language.TYPESCRIPT:
            return typescript_source(schemas)


@asynccontextmanager
async def _connected(*, demo: bool) -> AsyncGenerator[Odoo]:
    """Answer Odoo for the user that the settings name."""
    from odooport_runtime.container import Container, shutdown
    from odooport_runtime.settings import demo_settings

    container = Container(settings=demo_settings()) if demo else Container()
    try:
        first, *more = container.credentials().values()
        yield Odoo.connect(container.gateway(), first, *more)
    finally:
        await shutdown(container)


@dataclass(frozen=True, slots=True)
class _Look:
    """A snapshot, and why each model that it lacks was refused."""

    snapshot: Snapshot
    errors: Mapping[str, OdooportError]


async def _look(
    odoo: Odoo, instance: str, models: Sequence[str] | None, lang: str | None
) -> _Look:
    odoo = odoo.acting_as(instance=instance, lang=lang)
    version = await odoo.version()
    names = models
    if names is None:
        names = [info.model for info in await odoo.models()]
    found: dict[str, ModelSchema] = {}
    errors: dict[str, OdooportError] = {}
    waiting = iter(dict.fromkeys(names))

    async def describe() -> None:
        for model in waiting:
            try:
                found[model] = await odoo.fields(model)
            except (
                InvalidRequest,
                OdooAccessError,
                OdooRefused,
                OdooFailed,
                AnswerLost,
                GatewayProtocolError,
            ) as error:
                errors[model] = error

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(describe())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    taken = Snapshot(
        taken=datetime.now(UTC).replace(microsecond=0),
        instance=instance,
        server=version.text,
        lang=lang or SOURCE_LANGUAGE,
        models=found,
        refused={model: _line(error.message) for model, error in errors.items()},
        complete=models is None,
    )
    return _Look(taken, errors)


@dataclass(frozen=True, slots=True)
class _Live:
    """A side of a comparison that is to be looked at now."""

    instance: str


def _side(text: str) -> Snapshot | _Live:
    kind, _, instance = text.partition(":")
    if kind == _LIVE:
        return _Live(instance or DEFAULT_INSTANCE)
    return _read(text)


async def _both(
    old: Snapshot | _Live, new: Snapshot | _Live, *, demo: bool
) -> tuple[Snapshot, Snapshot]:
    if isinstance(old, Snapshot) and isinstance(new, Snapshot):
        return old, new
    async with _connected(demo=demo) as odoo:
        return await _seen(odoo, old, new), await _seen(odoo, new, old)


async def _seen(
    odoo: Odoo, side: Snapshot | _Live, other: Snapshot | _Live
) -> Snapshot:
    """Answer a side; a live one is asked for what the other one has."""
    if isinstance(side, Snapshot):
        return side
    models, lang = None, None
    if isinstance(other, Snapshot):
        models = None if other.complete else list(other.models)
        lang = None if other.lang == SOURCE_LANGUAGE else other.lang
    look = await _look(odoo, side.instance, models, lang)
    return look.snapshot


def _uncompared(one: Snapshot, other: Snapshot) -> set[str]:
    """Answer what the one side has and the other was not asked for."""
    if other.complete:
        return set()
    return set(one.models.keys() - other.models.keys() - other.refused.keys())


def _fails(change: Change, threshold: Threshold, audience: Audience) -> bool:
    if threshold is Threshold.ANY:
        return True
    impact = {
        Audience.READERS: change.readers,
        Audience.WRITERS: change.writers,
        Audience.BOTH: change.worst,
    }[audience]
    return impact.rank >= Impact(threshold.value).rank


# Showing


def _tell(text: str) -> None:
    """Print to stdout what may have texts of a file or of Odoo in it."""
    typer.echo(visible(text))


def _say(text: str) -> None:
    """Print to stderr what may have texts of a file or of Odoo in it."""
    typer.echo(visible(text), err=True)


def _line(text: str) -> str:
    return " ".join(text.split())


def _head(taken: Snapshot) -> dict[str, Any]:
    return {
        "taken": taken.taken.isoformat().replace("+00:00", "Z"),
        "instance": taken.instance,
        "server": taken.server,
        "lang": taken.lang,
    }


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _counted(changes: Sequence[Change]) -> str:
    counts = [
        f"{number} {impact.value}"
        for impact in reversed(Impact)
        if (number := sum(change.worst is impact for change in changes))
    ]
    return ", ".join(counts) or "no change"


def _show(changes: Sequence[Change]) -> None:
    """Print a table of the models that came or went, and one for each other model.

    The worst models come first.
    """
    whole = [change for change in changes if change.field is None]
    within = [change for change in changes if change.field is not None]
    if whole:
        _tell("Models")
        _table("MODEL", [(change.model, change) for change in whole])
    models = [list(some) for _, some in groupby(within, lambda change: change.model)]
    for some in sorted(models, key=lambda some: -some[0].worst.rank):
        _tell(some[0].model)
        _table("FIELD", [(change.field or "", change) for change in some])


def _table(heading: str, named: Sequence[tuple[str, Change]]) -> None:
    rows = [("READERS", "WRITERS", heading, "CHANGE")]
    rows += [
        (change.readers.value, change.writers.value, name, _told(change))
        for name, change in named
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for *cells, last in rows:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        _tell("  ".join(["", *padded, last]))
    _tell("")


_ONE_VALUE = frozenset(
    {
        ChangeKind.FIELD_ADDED,
        ChangeKind.REQUIRED_FIELD_ADDED,
        ChangeKind.FIELD_REMOVED,
        ChangeKind.CHOICE_ADDED,
        ChangeKind.CHOICE_REMOVED,
    }
)
"""What has no value before, or none after."""


def _told(change: Change) -> str:
    text = change.what.value.replace("_", " ")
    old, new = change.old, change.new
    if change.what in _ONE_VALUE:
        text += f" {_shown(old if new is None else new)}"
    elif old is not new and not isinstance(new, bool):
        text += f" {_shown(old)} -> {_shown(new)}"
    return " ".join(filter(None, [f"{text}:", change.reason, change.hint]))


def _shown(value: Any) -> str:
    text = "none" if value is None else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


# Files


def _read(name: str) -> Snapshot:
    try:
        text = Path(name).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidRequest(f"Cannot read {name!r}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{name!r} is no schema snapshot: no UTF-8.") from error
    try:
        return Snapshot.from_json(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"{name!r}: {error.message}", error.problems) from error


def _same(name: str, taken: Snapshot) -> str | None:
    """Answer since when a file holds what was taken, or None if it does not."""
    if name == _STDOUT or not Path(name).is_file():
        return None
    try:
        kept = _read(name)
    except InvalidRequest:
        return None  # the new snapshot takes its place, or cannot and says so
    if _content(name) != replace(taken, taken=kept.taken).to_json().encode():
        return None
    return str(_head(kept)["taken"])


def _content(name: str) -> bytes | None:
    """Answer what a file holds; None if it is missing."""
    try:
        return Path(name).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidRequest(f"Cannot read {name!r}: {error.strerror}.") from error


def _write(name: str, text: str) -> None:
    """Write a file whole or not at all; whoever reads it meanwhile sees the old one."""
    if name == _STDOUT:
        typer.echo(text, nl=False)
        return
    path = Path(name).resolve()
    try:
        if path.exists() and not path.is_file():  # such as /dev/null, or a directory
            path.write_text(text, encoding="utf-8")
            return
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            with beside.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
            if path.exists():
                shutil.copymode(path, beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidRequest(f"Cannot write {name!r}: {error.strerror}.") from error
