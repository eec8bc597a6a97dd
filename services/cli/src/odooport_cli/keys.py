"""The commands ``odooport keys``: make, list, show, rotate, revoke, import API keys.

A new secret alone goes to stdout, so that a script can take it from there; everything
that people read beside it goes to stderr.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odooport.changes import visible
from odooport.errors import InvalidRequest

if TYPE_CHECKING:
    from odooport_runtime.container import Container

NEVER = "never"
DEFAULT_EXPIRY = "90d"
DEFAULT_GRACE = "24h"

_DURATION = re.compile(r"([1-9]\d{0,4})([hdwy])", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 24 * 7, "y": 24 * 365}
_AT_ONCE = "0"

KeyArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The key's id, as 'keys list' has it.")
]


def register(app: typer.Typer) -> None:
    """Give the commands to an app.

    Args:
        app: What stands behind ``odooport keys``.
    """
    app.command("create")(create_key)
    app.command("list")(list_keys)
    app.command("show")(show_key)
    app.command("rotate")(rotate_key)
    app.command("revoke")(revoke_key)
    app.command("import")(import_keys)


def create_key(
    name: Annotated[str, typer.Argument(help="What the key shall be called.")],
    role: Annotated[
        str,
        typer.Option(
            help="reader reads, editor also creates and writes, full also deletes and "
            "calls methods; or a role of your own."
        ),
    ],
    expires: Annotated[
        str,
        typer.Option(help="When it stops: a time such as 12h, 90d, 4w, 1y, or never."),
    ] = DEFAULT_EXPIRY,
    identity: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            metavar="IDENTITY",
            help="Which Odoo identity it acts as; one for each instance. [default: the "
            "users that the settings name]",
        ),
    ] = None,
    instance: Annotated[
        list[str] | None,
        typer.Option(
            help="Which Odoo database it may use; may be repeated. [default: all]"
        ),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CIDR",
            help="From where it may be used, such as 10.0.0.0/8; may be repeated. "
            "[default: everywhere]",
        ),
    ] = None,
    rate_limit: Annotated[
        str | None,
        typer.Option(metavar="BUDGET", help="A budget of its own, such as 60/minute."),
    ] = None,
    concurrency: Annotated[
        int | None,
        typer.Option(help="How many of its calls may be under way at once."),
    ] = None,
) -> None:
    """Make an API key and show it, this once."""
    until = _expiry(expires, datetime.now(UTC))
    container = _container()
    names = container.roles().names
    if role not in names:
        raise InvalidRequest(
            f"There is no role {role!r}; --role takes one of "
            f"{', '.join(map(repr, names))}."
        )
    instances = list(dict.fromkeys(instance or ()))
    if instances:
        _check_instances(instances, container.settings().connections())
    identities = _identities(container, identity or (), instances)
    with closing(container.key_store()) as store:
        key, token = store.create(
            name,
            role,
            until,
            networks=network or (),
            rate_limit=rate_limit,
            concurrency=concurrency,
            identities=identities,
            instances=instances,
        )
    typer.echo(token)
    when = "never expires" if until is None else f"expires {_shown(until)} (UTC)"
    _say(
        f"Key {key.id!r} for {key.name!r}, role {key.role!r}, {when}. Keep it safe: it "
        "cannot be shown again."
    )


def list_keys() -> None:
    """List every key that was ever made."""
    now = datetime.now(UTC)
    rows = [
        (
            "ID",
            "NAME",
            "ROLE",
            "CREATED (UTC)",
            "EXPIRES (UTC)",
            "LAST USED (UTC)",
            "STATE",
        )
    ]
    with closing(_container().key_store()) as store:
        rows += [
            (
                key.id,
                key.name,
                key.role,
                _shown(key.created_at),
                _shown(key.expires_at, NEVER),
                _shown(key.last_used_at, NEVER),
                _state(key, now),
            )
            for key in store.list()
        ]
    if len(rows) == 1:
        typer.echo("No key yet: 'odooport keys create NAME --role reader' makes one.")
        return
    for line in columns(rows):
        typer.echo(line)


def show_key(key_id: KeyArgument) -> None:
    """Show all that is kept of a key; its secret is not."""
    now = datetime.now(UTC)
    with closing(_container().key_store()) as store:
        key = store.find(key_id)
    if key is None:
        raise InvalidRequest(
            f"There is no key {key_id!r}; 'odooport keys list' shows them all."
        )
    grace = key.previous_until
    rows = [
        ("id:", key.id),
        ("name:", key.name),
        ("role:", key.role),
        ("state:", _state(key, now)),
        ("created:", f"{_shown(key.created_at)} (UTC)"),
        ("expires:", _shown(key.expires_at, NEVER)),
        ("last used:", _shown(key.last_used_at, NEVER)),
        (
            "older secret:",
            f"honoured until {_shown(grace)}" if grace and grace > now else "none",
        ),
        ("networks:", _joined(key.networks) or "everywhere"),
        ("rate limit:", key.rate_limit or "as all keys"),
        ("concurrency:", str(key.concurrency or "as its role")),
        ("instances:", _joined(key.instances) or "all"),
        ("acts as:", _joined(_pairs(key.identities)) or "the users of the settings"),
    ]
    for line in columns(rows):
        typer.echo(line)


def rotate_key(
    key_id: KeyArgument,
    grace: Annotated[
        str,
        typer.Option(
            help="How long the present secret works beside the new one, such as 1h or "
            "7d; 0 stops it at once."
        ),
    ] = DEFAULT_GRACE,
) -> None:
    """Give a key a new secret and show it, this once."""
    span = timedelta() if grace == _AT_ONCE else _duration(grace, "--grace", _AT_ONCE)
    with closing(_container().key_store()) as store:
        key, token = store.rotate(key_id, span)
    typer.echo(token)
    old = (
        f"works until {_shown(key.previous_until)} (UTC)" if span else "stopped working"
    )
    when = (
        "never expires"
        if key.expires_at is None
        else f"still expires {_shown(key.expires_at)} (UTC)"
    )
    _say(
        f"Key {key.id!r} ({key.name!r}) has a new secret; the one before {old}. The "
        f"key {when}. Keep it safe: it cannot be shown again."
    )


def revoke_key(key_id: KeyArgument) -> None:
    """Stop a key for good, on running services too."""
    with closing(_container().key_store()) as store:
        key = store.revoke(key_id)
    typer.echo(f"Key {key.id!r} ({key.name!r}) is revoked.")


def import_keys() -> None:
    """Take the keys of the state directory into Redis; their secrets go on working.

    It may be done again: a key that is there already stays as it is, but one that was
    revoked here is revoked there.
    """
    container = _container()
    if container.settings().key_store == "file":
        raise InvalidRequest(
            "The keys are kept in the state directory, so there is nothing to import. "
            "To keep them in Redis, set ODOOPORT_KEY_STORE to 'redis' and "
            "ODOOPORT_REDIS_URL, then import them."
        )
    with (
        closing(container.key_file()) as old,
        closing(container.key_store()) as store,
    ):
        taken, known = store.adopt(old)
    typer.echo(f"Keys taken over: {taken}; in Redis already: {known}.")


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Answer a table as lines, in which nothing can command a terminal.

    Args:
        rows: The cells, as many in each row.
    """
    shown = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in shown
    ]


def _identities(
    container: "Container", names: Iterable[str], instances: Sequence[str]
) -> dict[str, str]:
    """Answer the names of identities by their instances."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        with closing(container.identities()) as store:
            identity = store.find(name)
        if identity is None:
            raise InvalidRequest(
                f"There is no identity {name!r}; 'odooport identities list' shows them "
                "all."
            )
        if instances and identity.instance not in instances:
            raise InvalidRequest(
                f"The identity {name!r} is for the instance {identity.instance!r}, "
                "which is not among those of --instance."
            )
        if (other := found.get(identity.instance)) is not None:
            raise InvalidRequest(
                f"The identities {other!r} and {name!r} are both for the instance "
                f"{identity.instance!r}; a key acts as one user there."
            )
        found[identity.instance] = name
    if found and (left := [item for item in instances if item not in found]):
        raise InvalidRequest(
            "A key with identities reaches their instances alone: add one with --as "
            f"for {_joined(map(repr, left))} too, or leave that out."
        )
    return found


def _check_instances(names: Iterable[str], known: Mapping[str, Any]) -> None:
    for name in names:
        if name not in known:
            raise InvalidRequest(
                f"There is no instance {name!r} in the settings, only "
                f"{_joined(map(repr, known))}."
            )


def _container() -> "Container":
    from odooport_runtime.container import Container

    return Container()


def _expiry(text: str, now: datetime) -> datetime | None:
    if text == NEVER:
        return None
    try:
        return now + _duration(text, "--expires", NEVER)
    except OverflowError as error:
        raise InvalidRequest(f"{text!r} is too far away; use {NEVER!r}.") from error


def _duration(text: str, option: str, word: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise InvalidRequest(
            f"{text!r} is no time for {option}: write one such as 12h, 90d, 4w or 1y, "
            f"or {word!r}."
        )
    count, unit = match.groups()
    return timedelta(hours=int(count) * _HOURS[unit])


def _state(key: Any, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {_shown(key.revoked_at)}"
    return "expired" if key.is_expired(now) else "valid"


def _shown(moment: datetime | None, otherwise: str = "") -> str:
    return otherwise if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _pairs(identities: Mapping[str, str]) -> list[str]:
    return [f"{name} at {instance}" for instance, name in identities.items()]


def _joined(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))


def _say(text: str) -> None:
    typer.echo(visible(text), err=True)
