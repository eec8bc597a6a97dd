"""The composition root of the REST service."""

import ipaddress
from collections.abc import Awaitable, Callable

from dependency_injector import providers

from odooport import DEFAULT_INSTANCE, OdooGateway
from odooport_rest.app import build_app
from odooport_rest.envelope import LOOPBACK_NAMES
from odooport_runtime.container import Container as RuntimeContainer


def _hosts(host: str) -> frozenset[str] | None:
    """Answer the names to serve: listening on the loopback, those of this machine.

    Elsewhere any name is served, since nobody knows them all. The API key guards.
    """
    if host in LOOPBACK_NAMES:
        return LOOPBACK_NAMES
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        return None
    return LOOPBACK_NAMES | {host} if loopback else None


def _ready(gateway: OdooGateway) -> Callable[[], Awaitable[object]]:
    async def ready() -> object:
        return await gateway.version(DEFAULT_INSTANCE)

    return ready


class Container(RuntimeContainer):
    """The runtime's container, with the REST API on top. One for each process."""

    app = providers.Singleton(
        build_app,
        RuntimeContainer.gate,
        ready=providers.Singleton(_ready, RuntimeContainer.gateway),
        hosts=providers.Callable(_hosts, RuntimeContainer.settings.provided.host),
        clock=RuntimeContainer.clock,
    )
