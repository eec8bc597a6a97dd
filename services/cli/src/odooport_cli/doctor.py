"""What is wrong between here and Odoo, step by step, and what to do about it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from odooport.errors import (
    AuthenticationFailed,
    GatewayProtocolError,
    OdooportError,
)
from odooport.model import DEFAULT_INSTANCE, Credentials, ServerVersion
from odooport.ports import OdooGateway
from odooport.usecases import Odoo
from odooport_runtime.container import Container, transport_of
from odooport_runtime.settings import Connection, Settings
from odooport_runtime.transport import is_loopback, plain_host

_SERIES = ((18, 0), (19, 0))
_OPERATIONS = ("read", "create", "write", "unlink")


class Mark(Enum):
    """How one step went."""

    GOOD = "✓"
    DOUBTFUL = "!"
    BAD = "✗"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one step found.

    Attributes:
        mark: How it went.
        text: What was found, and what to do about it.
    """

    mark: Mark
    text: str


async def examine(container: Container, now: datetime) -> AsyncIterator[Finding]:
    """Answer the findings as they come; the first bad one of an instance is its last.

    It logs in once to each: after five refused logins Odoo shuts out the whole address
    for a minute (``res_users.py``, login cooldown).

    Args:
        container: What a service would be made of.
        now: The time, in UTC.
    """
    try:
        settings = container.settings()
        connections = settings.connections()
        gateway = container.gateway()
    except OdooportError as error:
        yield Finding(Mark.BAD, f"Settings: {error.message}")
        return
    yield Finding(Mark.GOOD, f"Settings: complete, {_origin(settings)}")
    several = len(connections) > 1
    if several or DEFAULT_INSTANCE not in connections:
        yield _instances(connections)
    good = True
    for name, connection in connections.items():
        async for finding in _examine(gateway, connection):
            good = good and finding.mark is not Mark.BAD
            text = f"{name}: {finding.text}" if several else finding.text
            yield replace(finding, text=text)
    if good:
        yield _keys(container, now)


def _instances(connections: Mapping[str, Connection]) -> Finding:
    names = ", ".join(map(repr, connections))
    if DEFAULT_INSTANCE in connections:
        return Finding(Mark.GOOD, f"Instances: {names}")
    return Finding(
        Mark.DOUBTFUL,
        f"Instances: {names}. None is called {DEFAULT_INSTANCE!r}, so every call has "
        "to name one.",
    )


async def _examine(
    gateway: OdooGateway, connection: Connection
) -> AsyncIterator[Finding]:
    """Answer the findings on one instance; the first bad one is the last."""
    instance = connection.credentials.instance
    if connection.transport == "memory":
        yield Finding(Mark.DOUBTFUL, "Odoo: the demo company in memory, not a real one")
    else:
        yield _address(connection)
    try:
        version = await gateway.version(instance)
    except GatewayProtocolError as error:
        yield Finding(
            Mark.BAD, f"Odoo: something answers, but no Odoo. {error.message}"
        )
        return
    except OdooportError as error:
        yield Finding(Mark.BAD, f"Connection: {error.message}")
        return
    encrypted = connection.url.startswith("https:")
    trusted = ", and its certificate is trusted" if encrypted else ""
    yield Finding(Mark.GOOD, f"Connection: Odoo answers{trusted}")
    yield _version(version)
    async for finding in _login(gateway, connection.credentials):
        yield finding
        if finding.mark is Mark.BAD:
            return
    if connection.transport == "auto":
        yield await _transport(gateway, connection.credentials)


def _origin(settings: Settings) -> str:
    if not settings.sources:
        return "from variables"
    return f"from {' and '.join(settings.sources)}, and variables"


def _address(connection: Connection) -> Finding:
    host = plain_host(connection)
    if host is None or is_loopback(host):
        return Finding(Mark.GOOD, f"Address: {connection.url}")
    return Finding(
        Mark.DOUBTFUL,
        f"Address: {connection.url} is not encrypted, so anybody on the way can read "
        "the password and all data. ODOOPORT_ALLOW_HTTP lets it pass. Use https.",
    )


def _version(version: ServerVersion) -> Finding:
    if version.series in _SERIES:
        return Finding(Mark.GOOD, f"Version: Odoo {version.text}")
    return Finding(
        Mark.DOUBTFUL,
        f"Version: this is Odoo {version.text}. Odooport is made for Odoo 18.0 and "
        "19.0; with another one, try what you need on a copy first.",
    )


async def _transport(gateway: OdooGateway, credentials: Credentials) -> Finding:
    """Say which way of speaking was found."""
    try:
        found = await transport_of(gateway, credentials)
    except OdooportError as error:
        return Finding(Mark.BAD, f"Transport: {error.message}")
    if found == "XML-RPC":
        return Finding(
            Mark.DOUBTFUL,
            "Transport: only XML-RPC works, which is slower on large answers. Let "
            "/jsonrpc through in what stands in front of Odoo.",
        )
    return Finding(Mark.GOOD, f"Transport: {found}")


async def _login(
    gateway: OdooGateway, credentials: Credentials
) -> AsyncIterator[Finding]:
    odoo = Odoo.connect(gateway, credentials)
    try:
        me = await odoo.whoami()
    except AuthenticationFailed as error:
        yield Finding(
            Mark.BAD,
            f"Login: {error.message} Correct it before you try again: after five "
            "refusals Odoo shuts out this machine for a minute.",
        )
        return
    except OdooportError as error:
        yield Finding(Mark.BAD, f"Login to {credentials.database!r}: {error.message}")
        return
    company = "" if me.company is None else f", company {me.company.name!r}"
    yield Finding(
        Mark.GOOD,
        f"Login: {me.login!r} in database {credentials.database!r} is {me.user!r} "
        f"(user {me.uid}{company})",
    )
    try:
        may = [operation for operation in _OPERATIONS if await _may(odoo, operation)]
    except OdooportError as error:
        yield Finding(Mark.BAD, f"Rights: {error.message}")
        return
    if "read" not in may:
        yield Finding(
            Mark.BAD,
            "Rights: this user may not even read contacts. Make it an internal user "
            "or give it the groups that it needs, in Odoo under Settings, Users.",
        )
    elif len(may) == 1:
        yield Finding(
            Mark.DOUBTFUL,
            "Rights: this user may read contacts but not change them. That is fine "
            "unless something is to be written.",
        )
    else:
        yield Finding(Mark.GOOD, f"Rights: may {', '.join(may)} contacts")


async def _may(odoo: Odoo, operation: str) -> bool:
    # No ids: this asks for the right to the model as such.
    answer = await odoo.call("res.partner", "has_access", args=([], operation))
    return answer is True


def _keys(container: Container, now: datetime) -> Finding:
    try:
        keys = container.key_store().list()
    except OdooportError as error:
        return Finding(Mark.BAD, f"API keys: {error.message}")
    valid = [key for key in keys if key.revoked_at is None and not key.is_expired(now)]
    if valid:
        return Finding(Mark.GOOD, f"API keys: {len(valid)} valid")
    return Finding(
        Mark.DOUBTFUL,
        "API keys: none is valid. The HTTP services need one: "
        "'odooport keys create NAME --role reader'.",
    )
