"""Which way to an Odoo is safe enough for a password."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from odooport_runtime.settings import Connection, SettingsError


def check_transport(connection: Connection, allow_http: Collection[str]) -> None:
    """Refuse plain http to an Odoo on another machine, unless its host is allowed.

    Args:
        connection: The way to one Odoo.
        allow_http: The host names that may be spoken to over plain http.

    Raises:
        SettingsError: Everybody on the way could read the password.
    """
    host = plain_host(connection)
    allowed = {name.strip("[]").lower() for name in allow_http}
    if host is None or is_loopback(host) or host in allowed:
        return
    raise SettingsError(
        f"The address of the instance {connection.credentials.instance!r} begins with "
        "http://, so everybody on the way could read the password. Use https://, or "
        f"set ODOOPORT_ALLOW_HTTP to {host!r} if nobody else is on that way."
    )


def plain_host(connection: Connection) -> str | None:
    """Answer the host that is spoken to unencrypted, or None if none is."""
    parts = urlsplit(connection.url)
    return (parts.hostname or "") if parts.scheme == "http" else None


def is_loopback(host: str) -> bool:
    """Answer whether a host name or address always means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
