"""The commands ``odooport identities``: the Odoo logins that API keys act as.

A secret is never an argument, where everybody on the machine could read it: it is asked
for without an echo, or read from stdin.
"""

import sys
from base64 import urlsafe_b64encode
from contextlib import closing
from getpass import getpass
from secrets import token_bytes
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from odooport.changes import visible
from odooport.model import DEFAULT_INSTANCE
from odooport_cli.keys import columns

if TYPE_CHECKING:
    from odooport_runtime.container import Container

_KEY_BYTES = 32

NameArgument = Annotated[
    str,
    typer.Argument(help="What the identity is called, as 'identities list' has it."),
]


def register(app: typer.Typer) -> None:
    """Give the commands to an app.

    Args:
        app: What stands behind ``odooport identities``.
    """
    app.command("add")(add_identity)
    app.command("list")(list_identities)
    app.command("remove")(remove_identity)
    app.command("reencrypt")(reencrypt)
    app.command("new-key")(new_key)


def add_identity(
    name: Annotated[str, typer.Argument(help="What the identity shall be called.")],
    login: Annotated[str, typer.Option(help="The login of the Odoo user.")],
    instance: Annotated[
        str, typer.Option(help="Which Odoo database.")
    ] = DEFAULT_INSTANCE,
    secret_env: Annotated[
        str | None,
        typer.Option(
            metavar="VARIABLE",
            help="The variable that holds the user's password or API key, such as "
            "ODOO_ANA_API_KEY. [default: it is asked for, or read from stdin, and kept "
            "encrypted]",
        ),
    ] = None,
) -> None:
    """Keep an Odoo login for keys to act as; again, to give it a new secret."""
    secret = None if secret_env is not None else _secret()
    with closing(_container().identities()) as store:
        made = store.add(name, login, instance, secret=secret, variable=secret_env)
    _say(
        f"Identity {made.name!r} is {made.login!r} at the instance {made.instance!r}. "
        "A key that acts as it is made with: odooport keys create NAME --role ROLE "
        f"--as {quote(made.name)}"
    )


def list_identities() -> None:
    """List the identities, without their secrets."""
    rows = [("NAME", "INSTANCE", "LOGIN", "DATABASE", "ADDRESS", "SECRET")]
    with closing(_container().identities()) as store:
        rows += [
            (
                each.name,
                each.instance,
                each.login,
                each.place.database,
                each.place.url or "in memory",
                each.variable or f"encrypted with {each.key_id}",
            )
            for each in store.list()
        ]
    if len(rows) == 1:
        typer.echo("No identity yet: 'odooport identities add NAME --login LOGIN'.")
        return
    for line in columns(rows):
        typer.echo(line)


def remove_identity(name: NameArgument) -> None:
    """Forget an identity and its secret, on running services too."""
    container = _container()
    with closing(container.identities()) as store:
        removed = store.remove(name)
    typer.echo(f"Identity {removed.name!r} is removed.")
    with closing(container.key_store()) as keys:
        users = [
            repr(key.id)
            for key in keys.list()
            if name in key.identities.values() and key.revoked_at is None
        ]
    if users:
        _say(
            f"These keys act as it and let nobody in now: {', '.join(users)}. Revoke "
            "them, or add the identity again."
        )


def reencrypt() -> None:
    """Encrypt every secret anew with the first key in ODOOPORT_SECRET_KEY."""
    with closing(_container().identities()) as store:
        count = store.reencrypt()
    _say(
        f"Encrypted anew: {count}. The keys after the first in ODOOPORT_SECRET_KEY are "
        "not needed any more."
    )


def new_key() -> None:
    """Make a key for ODOOPORT_SECRET_KEY and show it."""
    typer.echo(urlsafe_b64encode(token_bytes(_KEY_BYTES)).decode())


def _secret() -> str:
    if sys.stdin.isatty():
        return getpass("Password or API key: ")
    return sys.stdin.read().strip()


def _container() -> "Container":
    from odooport_runtime.container import Container

    return Container()


def _say(text: str) -> None:
    typer.echo(visible(text), err=True)
