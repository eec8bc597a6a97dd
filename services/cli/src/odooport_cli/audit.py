"""The commands ``odooport audit``: verify what was kept, look at it, search in it.

Each answers the exit status. What the lines say came from callers, so everything that a
terminal could take for a command is escaped.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Annotated, Any

import typer

from odooport.changes import visible
from odooport.errors import InvalidRequest, OdooportError
from odooport.scalars import is_sequence

INTACT, TAMPERED, UNKNOWN = 0, 1, 2
"""The exit statuses: all is well, somebody changed it, it could not be found out."""

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_AGO = re.compile(r"([1-9]\d{0,4})([mhdw])", re.ASCII)
_MINUTES = {"m": 1, "h": 60, "d": 60 * 24, "w": 60 * 24 * 7}
_SHOWN_IDS = 5
_NOTHING = "-"

JsonOption = Annotated[
    bool, typer.Option("--json", help="Show the lines as they were written.")
]


def _told[**P](command: Callable[P, int]) -> Callable[P, int]:
    """Answer the command as one that says what goes wrong; that is no tampering."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return command(*args, **kwargs)
        except OdooportError as error:
            _say(f"odooport: {_line(error.message)}")
            return UNKNOWN

    return run


@_told
def verify(
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HASH",
            help="A head that was noted earlier and must be there; may be repeated.",
        ),
    ] = None,
) -> int:
    """Find lines of the audit that were changed, removed, inserted or moved.

    Lines that were cut off at the end show only with --head. The exit status is 0 if
    all is well, 1 if somebody tampered with it, and 2 if that could not be found out.
    """
    heads = [item.strip().lower() for item in head or ()]
    for item in heads:
        if _HASH.fullmatch(item) is None:
            raise InvalidRequest(
                f"{item!r} is no head: give the 64 digits that 'odooport audit heads' "
                "shows."
            )
    from odooport_runtime.container import Container

    found = Container().audit_reader().verify(*heads)
    for finding in found.findings:
        _tell(f"{finding.file} line {finding.line}: {finding.kind}: {finding.text}")
    for known in found.heads:
        if known.file is None:
            _tell(f"head {known.head}: not there: it and what followed it was removed")
        elif known.line:
            after = _number(known.after, "line")
            _tell(f"head {known.head}: {known.file} line {known.line}, {after} later")
        else:
            after = _number(known.after, "line")
            _tell(f"head {known.head}: just before {known.file}, {after} later")
    if not (found.files or heads):
        raise InvalidRequest(
            "There is no audit yet, or ODOOPORT_STATE names another directory than the "
            "services use."
        )
    size = (
        f"{_number(found.lines, 'line')} in {_number(found.files, 'file')}, "
        f"{_number(found.chains, 'chain')}"
    )
    if not found.is_intact:
        _tell(f"Tampered with: {size}.")
        return TAMPERED
    _tell(f"As it was written: {size}.")
    return INTACT


@_told
def heads() -> int:
    """Show the head of each chain, to note it where nobody here can change it."""
    from odooport_runtime.container import Container

    for head in Container().audit_reader().heads():
        _tell(f"{head.hash}  {head.file}  line {head.n} of its chain  {head.time}")
    return INTACT


@_told
def tail(
    count: Annotated[int, typer.Option("-n", help="How many lines.", min=1)] = 20,
    as_json: JsonOption = False,
) -> int:
    """Show the newest lines of the audit."""
    from odooport_runtime.container import Container

    for facts in Container().audit_reader().tail(count):
        _show(facts, as_json=as_json)
    return INTACT


@_told
def search(
    key: Annotated[
        str | None, typer.Option(help="Calls with this key: its id or its name.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Calls of a model, or of several: 'sale.*'.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(help="How they ended, such as permission_denied.")
    ] = None,
    door: Annotated[
        str | None, typer.Option(help="Where they came in: rest, mcp-http, mcp-stdio.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="From then on: 30m, 12h, 7d, 2w, or a time (UTC)."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Before then; written like --since.")
    ] = None,
    request_id: Annotated[
        str | None, typer.Option(help="One request, by its X-Request-Id.")
    ] = None,
    record_id: Annotated[
        int | None,
        typer.Option("--id", help="Calls that named this record; use it with --model."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Show the lines of the audit that fit, in the order of time."""
    now = datetime.now(UTC)
    from odooport_runtime.container import Container

    for facts in (
        Container()
        .audit_reader()
        .search(
            key=key,
            model=model,
            outcome=outcome,
            door=door,
            since=None if since is None else _moment(since, now),
            until=None if until is None else _moment(until, now),
            request_id=request_id,
            record_id=record_id,
        )
    ):
        _show(facts, as_json=as_json)
    return INTACT


def _moment(text: str, now: datetime) -> datetime:
    """Answer the moment that a text means; a time without a zone is in UTC."""
    try:
        if match := _AGO.fullmatch(text):
            count, unit = match.groups()
            return now - timedelta(minutes=int(count) * _MINUTES[unit])
        moment = datetime.fromisoformat(text)
        return (
            moment.replace(tzinfo=UTC)
            if moment.tzinfo is None
            else moment.astimezone(UTC)
        )
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"{text!r} is no time: write 30m, 12h, 7d or 2w for so long ago, or a time "
            "such as 2026-03-18 or 2026-03-18T12:30:00Z."
        ) from error


def _show(facts: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(facts, separators=(",", ":")))
        return
    _tell("  ".join(_cells(facts)))


def _cells(facts: Mapping[str, Any]) -> Sequence[str]:
    """Answer what people want to see of a line."""
    time = _text(facts, "time")
    match facts.get("kind"):
        case "call" | "request":
            who = f"{_text(facts, 'subject')} ({_text(facts, 'key')})"
            what = f"{_text(facts, 'model')}.{_text(facts, 'method')}"
            cells = [
                time,
                _text(facts, "outcome"),
                who,
                f"{_text(facts, 'door')} {_text(facts, 'address')}",
                "no call" if facts.get("kind") == "request" else what + _ids(facts),
            ]
            if facts.get("milliseconds") is not None:
                cells.append(f"{_text(facts, 'milliseconds')} ms")
            cells.append(f"request {_text(facts, 'request_id')}")
            if facts.get("reason"):
                cells.append(_text(facts, "reason"))
            return cells
        case "failed-logins" | "failed-logins-of-others":
            where = facts.get("address") or "other addresses"
            return (
                time,
                f"{_text(facts, 'count')} more failed logins from {where}",
                f"{_text(facts, 'since')} to {_text(facts, 'until')}",
            )
        case kind:
            return time, f"({kind})", f"line {_text(facts, 'n')} of its chain"


def _ids(facts: Mapping[str, Any]) -> str:
    ids, count = facts.get("ids"), facts.get("id_count")
    if not is_sequence(ids) or not ids:
        return ""
    shown = ", ".join(map(str, ids[:_SHOWN_IDS]))
    more = f", … {count} in all" if count != len(ids[:_SHOWN_IDS]) else ""
    return f" [{shown}{more}]"


def _text(facts: Mapping[str, Any], name: str) -> str:
    value = facts.get(name)
    return _NOTHING if value is None else str(value)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _line(text: str) -> str:
    """Answer a text as one line that commands no terminal."""
    return visible(text).replace("\n", "\\n")


def _tell(text: str) -> None:
    typer.echo(_line(text))


def _say(text: str) -> None:
    typer.echo(_line(text), err=True)
