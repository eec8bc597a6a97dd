"""The command ``odooport``: try it, serve with it, see what is wrong, keep keys."""

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from odooport.changes import visible
from odooport.errors import InvalidRequest, OdooportError
from odooport_cli import schema

if TYPE_CHECKING:
    import socket

    from odooport_cli.container import Container, FakeOdooContainer
    from odooport_runtime.container import Container as RuntimeContainer

_FAKE_ODOO_HOST, _FAKE_ODOO_PORT = "127.0.0.1", 8769
_NEVER = "never"
_DEFAULT_EXPIRY = "90d"
_EXPIRES = re.compile(r"([1-9]\d{0,4})([hdwy])")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7, "y": 24 * 365}

app = typer.Typer(
    name="odooport",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(rich_markup_mode=None)
app.add_typer(keys, name="keys")
schemas = typer.Typer(rich_markup_mode=None)
app.add_typer(schemas, name="schema")


class RoleName(StrEnum):
    """The roles that a key can have."""

    READER = "reader"
    EDITOR = "editor"
    FULL = "full"


HostOption = Annotated[
    str | None,
    typer.Option(help="Listen on this address. [default: 127.0.0.1]"),
]
PortOption = Annotated[
    int | None,
    typer.Option(help="Listen on this port. [default: 8770]", min=0, max=65535),
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"odooport {version('odooport-cli')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and leave.",
            callback=_show_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Work with Odoo from programs, people and AI agents, safely."""
    _help_without_command(context)


@keys.callback(invoke_without_command=True)
def _keys_options(context: typer.Context) -> None:
    """Make, list and revoke the API keys of the HTTP services."""
    _help_without_command(context)


@schemas.callback(invoke_without_command=True)
def _schema_options(context: typer.Context) -> None:
    """Keep, compare and check what models look like, and generate code from it."""
    _help_without_command(context)


def _running[**P](command: Callable[P, Coroutine[Any, Any, int]]) -> Callable[P, int]:
    """Answer the command as one that runs; what goes wrong is not "does not fit"."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return asyncio.run(command(*args, **kwargs))
        except OdooportError as error:
            _complain(error)
            return schema.UNKNOWN

    return run


schemas.command()(_running(schema.snapshot))
schemas.command()(_running(schema.diff))
schemas.command()(_running(schema.check))
schemas.command()(_running(schema.generate))


def _help_without_command(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def demo(host: HostOption = None, port: PortOption = None) -> None:
    """Serve a demo company from memory: REST and MCP, no Odoo needed."""
    from odooport_cli.card import base_address, demo_card
    from odooport_cli.container import Container
    from odooport_runtime.serving import end_on_signals, listen
    from odooport_runtime.settings import demo_settings

    end_on_signals()
    with TemporaryDirectory(prefix="odooport-demo-") as state:
        settings = demo_settings(host=host, port=port, state=Path(state))
        container = Container(settings=settings)
        listener = listen(settings.host, settings.port)
        _, token = container.key_store().create("demo", RoleName.FULL)
        typer.echo(demo_card(base_address(*listener.getsockname()[:2]), token))
        asyncio.run(_serve(container, listener))


@app.command()
def serve(host: HostOption = None, port: PortOption = None) -> None:
    """Serve your Odoo: REST and MCP on one port."""
    from odooport_cli.card import base_address, serve_card
    from odooport_cli.container import Container
    from odooport_runtime.serving import end_on_signals, listen
    from odooport_runtime.settings import load_settings

    end_on_signals()
    settings = load_settings(host=host, port=port)
    container = Container(settings=settings)
    container.gate()  # what the settings lack is said before anything is served
    has_keys = any(key.revoked_at is None for key in container.key_store().list())
    listener = listen(settings.host, settings.port)
    base = base_address(*listener.getsockname()[:2])
    typer.echo(serve_card(base, has_keys=has_keys), err=True)
    asyncio.run(_serve(container, listener))


@app.command("fake-odoo")
def fake_odoo(
    host: Annotated[
        str, typer.Option(help="Listen on this address.")
    ] = _FAKE_ODOO_HOST,
    port: Annotated[
        int, typer.Option(help="Listen on this port.", min=0, max=65535)
    ] = _FAKE_ODOO_PORT,
) -> None:
    """Serve an Odoo from memory, over Odoo's own wire, to test programs with."""
    from odooport_cli.card import base_address, fake_odoo_card
    from odooport_runtime.serving import end_on_signals, listen
    from odooport_runtime.settings import SettingsError

    end_on_signals()
    try:
        listener = listen(host, port)
    except SettingsError as error:
        raise InvalidRequest(
            f"Cannot listen on {host!r}, port {port}: another program may use it. "
            "Choose another one with --host and --port."
        ) from error

    from odooport_cli.container import FakeOdooContainer  # takes its time to load

    container = FakeOdooContainer()
    base = base_address(*listener.getsockname()[:2])
    typer.echo(fake_odoo_card(base, container.database()))
    asyncio.run(_serve_fake_odoo(container, listener))


async def _serve_fake_odoo(
    container: "FakeOdooContainer", listener: "socket.socket"
) -> None:
    from odooport_runtime.serving import serve as serve_app

    await serve_app(container.odoo_wire(), listener)


async def _serve(container: "Container", listener: "socket.socket") -> None:
    from odooport_runtime.container import shutdown
    from odooport_runtime.logging import configure_logging
    from odooport_runtime.serving import serve as serve_app

    configure_logging(container.settings().log_level)
    try:
        await serve_app(container.both(), listener, files=container.settings().sources)
    finally:
        await shutdown(container)


@app.command()
def doctor() -> None:
    """Say step by step whether your Odoo can be reached, and what to do if not."""
    if not asyncio.run(_examine()):
        raise typer.Exit(1)


async def _examine() -> bool:
    from odooport_cli.doctor import Mark, examine
    from odooport_runtime.container import Container, shutdown

    container = Container()
    good = True
    try:
        async for finding in examine(container, datetime.now(UTC)):
            typer.echo(f"{finding.mark.value} {finding.text}")
            good = good and finding.mark is not Mark.BAD
    finally:
        await shutdown(container)
    return good


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="What the key shall be called.")],
    role: Annotated[
        RoleName,
        typer.Option(
            help="reader reads, editor also creates and writes, full also deletes and "
            "calls methods."
        ),
    ],
    expires: Annotated[
        str,
        typer.Option(help="When it stops: a time such as 12h, 90d, 4w, 1y, or never."),
    ] = _DEFAULT_EXPIRY,
) -> None:
    """Make an API key and show it, this once."""
    until = _expiry(expires, datetime.now(UTC))
    key, token = _container().key_store().create(name, role.value, until)
    typer.echo(token)
    when = "never expires" if until is None else f"expires {_shown(until)} (UTC)"
    typer.echo(
        f"Key {key.id!r} for {key.name!r}, role {key.role!r}, {when}. Keep it safe: it "
        "cannot be shown again.",
        err=True,
    )


@keys.command("list")
def list_keys() -> None:
    """List every key that was ever made."""
    now = datetime.now(UTC)
    rows = [("ID", "NAME", "ROLE", "CREATED (UTC)", "EXPIRES (UTC)", "STATE")]
    for key in _container().key_store().list():
        if key.revoked_at is not None:
            state = f"revoked {_shown(key.revoked_at)}"
        else:
            state = "expired" if key.is_expired(now) else "valid"
        expires = _NEVER if key.expires_at is None else _shown(key.expires_at)
        rows.append(
            (key.id, key.name, key.role, _shown(key.created_at), expires, state)
        )
    if len(rows) == 1:
        typer.echo("No key yet: 'odooport keys create NAME --role reader' makes one.")
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[
        str, typer.Argument(metavar="ID", help="The key's id, as 'keys list' has it.")
    ],
) -> None:
    """Stop a key for good, on running services too."""
    key = _container().key_store().revoke(key_id)
    typer.echo(f"Key {key.id!r} ({key.name!r}) is revoked.")


def _container() -> "RuntimeContainer":
    from odooport_runtime.container import Container

    return Container()


def _expiry(text: str, now: datetime) -> datetime | None:
    if text == _NEVER:
        return None
    match = _EXPIRES.fullmatch(text)
    if match is None:
        raise InvalidRequest(
            f"{text!r} is no time for --expires: write one such as 12h, 90d, 4w or 1y, "
            f"or {_NEVER!r}."
        )
    count, unit = match.groups()
    try:
        return now + timedelta(hours=int(count) * _HOURS[unit])
    except OverflowError as error:
        raise InvalidRequest(f"{text!r} is too far away; use {_NEVER!r}.") from error


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _complain(error: OdooportError) -> None:
    typer.echo(visible(f"odooport: {error.message}"), err=True)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit; whatever goes wrong is one line on stderr.

    Args:
        arguments: The command line; that of the process unless told.
    """
    try:
        status = app(arguments, prog_name="odooport", standalone_mode=False)
    except TyperException as error:
        message = " ".join(error.format_message().split())
        message = message.replace("Value error, ", "")
        typer.echo(f"odooport: {message}", err=True)
        sys.exit(error.exit_code)
    except OdooportError as error:
        _complain(error)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
