"""The command ``odooport``: try it, serve with it, see what is wrong, keep keys."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from odooport.changes import visible
from odooport.errors import InvalidRequest, OdooportError
from odooport_cli import audit, identities, keys, policy, schema

if TYPE_CHECKING:
    import socket

    from odooport_cli.container import Container, FakeOdooContainer
    from odooport_runtime.serving import TlsFiles
    from odooport_runtime.settings import Settings

_FAKE_ODOO_HOST, _FAKE_ODOO_PORT = "127.0.0.1", 8769

app = typer.Typer(
    name="odooport",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
_keys = typer.Typer(rich_markup_mode=None)
_identities = typer.Typer(rich_markup_mode=None)
_policy = typer.Typer(rich_markup_mode=None)
_audit = typer.Typer(rich_markup_mode=None)
_schemas = typer.Typer(rich_markup_mode=None)
app.add_typer(_keys, name="keys")
app.add_typer(_identities, name="identities")
app.add_typer(_policy, name="policy")
app.add_typer(_audit, name="audit")
app.add_typer(_schemas, name="schema")


HostOption = Annotated[
    str | None,
    typer.Option(help="Listen on this address. [default: 127.0.0.1]"),
]
PortOption = Annotated[
    int | None,
    typer.Option(help="Listen on this port. [default: 8770]", min=0, max=65535),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(help="Serve with so many processes. [default: 1]", min=1, max=256),
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


@_keys.callback(invoke_without_command=True)
def _keys_options(context: typer.Context) -> None:
    """Make, list, show, rotate and revoke the API keys of the HTTP services."""
    _help_without_command(context)


@_identities.callback(invoke_without_command=True)
def _identities_options(context: typer.Context) -> None:
    """Keep the Odoo logins that keys act as, their secrets encrypted."""
    _help_without_command(context)


@_policy.callback(invoke_without_command=True)
def _policy_options(context: typer.Context) -> None:
    """Check the roles, and explain which rule decides about a call."""
    _help_without_command(context)


@_audit.callback(invoke_without_command=True)
def _audit_options(context: typer.Context) -> None:
    """Verify, show and search what was done, and what was refused."""
    _help_without_command(context)


@_schemas.callback(invoke_without_command=True)
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


keys.register(_keys)
identities.register(_identities)
_policy.command()(_running(policy.check))
_policy.command()(_running(policy.explain))
_audit.command()(audit.verify)
_audit.command()(audit.heads)
_audit.command()(audit.tail)
_audit.command()(audit.search)
_schemas.command()(_running(schema.snapshot))
_schemas.command()(_running(schema.diff))
_schemas.command()(_running(schema.check))
_schemas.command()(_running(schema.generate))


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
        _, token = container.key_store().create("demo", "full")
        typer.echo(demo_card(base_address(*listener.getsockname()[:2]), token))
        asyncio.run(_serve(container, listener))


@app.command()
def serve(
    host: HostOption = None, port: PortOption = None, workers: WorkersOption = None
) -> None:
    """Serve your Odoo: REST and MCP on one port."""
    from odooport_cli.card import base_address, serve_card
    from odooport_cli.container import Container
    from odooport_runtime.serving import (
        check_workers,
        end_on_signals,
        listen,
        tls_files,
    )
    from odooport_runtime.settings import load_settings

    end_on_signals()
    settings = load_settings(host=host, port=port, workers=workers)
    check_workers(settings)
    tls = tls_files(settings)
    container = Container(settings=settings)
    container.gate()  # what the settings lack is said before anything is served
    has_keys = any(key.revoked_at is None for key in container.key_store().list())
    listener = listen(settings.host, settings.port)
    base = base_address(*listener.getsockname()[:2], tls=tls is not None)
    typer.echo(serve_card(base, has_keys=has_keys), err=True)
    if settings.workers == 1:
        asyncio.run(_serve(container, listener, tls))
    else:
        _supervise(container, listener)


def _supervise(container: "Container", listener: "socket.socket") -> None:
    from odooport_runtime.container import shutdown
    from odooport_runtime.logging import configure_logging
    from odooport_runtime.workers import supervise

    settings = container.settings()
    configure_logging(settings.log_level)
    container.both()
    asyncio.run(shutdown(container))  # each worker has a container of its own
    with listener:
        supervise(_work, settings, listener)


def _work(settings: "Settings", listener: "socket.socket", number: int) -> None:
    """Serve as one of several processes."""
    from odooport_cli.container import Container
    from odooport_runtime.serving import end_on_signals, tls_files

    end_on_signals()
    try:
        container = Container(settings=settings)
        tls = tls_files(settings)
        asyncio.run(_serve(container, listener, tls, worker=number))
    except OdooportError as error:
        _complain(error)
        sys.exit(2)


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


async def _serve(
    container: "Container",
    listener: "socket.socket",
    tls: "TlsFiles | None" = None,
    *,
    worker: int | None = None,
) -> None:
    from odooport_runtime.container import shutdown
    from odooport_runtime.logging import configure_logging
    from odooport_runtime.serving import serve as serve_app

    configure_logging(container.settings().log_level, worker=worker)
    try:
        settings = container.settings()
        await serve_app(
            container.both(),
            listener,
            tls=tls,
            files=settings.sources,
            drain=container.drain(),
            grace=settings.grace,
            event="listening" if worker is None else "serving",
        )
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
