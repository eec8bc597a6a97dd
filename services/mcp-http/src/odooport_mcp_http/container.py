"""The composition root of the MCP service over HTTP."""

import socket

from dependency_injector import providers

from odooport_mcp_http.app import build_app
from odooport_mcp_http.guard import LOOPBACK_NAMES
from odooport_runtime.container import Container as RuntimeContainer


def _hosts(host: str) -> frozenset[str]:
    """Answer the names that this service goes by."""
    if host in LOOPBACK_NAMES:
        return frozenset()
    return frozenset({host, socket.gethostname()})


class Container(RuntimeContainer):
    """The runtime's container, with the MCP endpoint on top. One for each process."""

    hosts = providers.Callable(_hosts, RuntimeContainer.settings.provided.host)
    app = providers.Singleton(
        build_app, RuntimeContainer.gate, hosts=hosts, powers=RuntimeContainer.powers
    )
