"""The composition root of the REST service."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable

from dependency_injector import providers

from odooport import GatewayUnavailable, OdooGateway, OdooportError
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


def _ready(
    gateway: OdooGateway, instances: Iterable[str]
) -> Callable[[], Awaitable[object]]:
    """Answer what asks for a sign of life: one Odoo that answers is enough.

    If one of several is away, the others are still to be reached through here.
    """
    names = tuple(instances)

    async def ready() -> object:
        asked = [asyncio.ensure_future(gateway.version(name)) for name in names]
        problem: OdooportError | None = None
        try:
            for sign in asyncio.as_completed(asked):
                try:
                    return await sign
                except OdooportError as error:
                    problem = error
        finally:
            for sign in asked:
                sign.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise problem or GatewayUnavailable("There is no Odoo to ask.")

    return ready


class Container(RuntimeContainer):
    """The runtime's container, with the REST API on top. One for each process."""

    app = providers.Singleton(
        build_app,
        RuntimeContainer.gate,
        ready=providers.Singleton(
            _ready, RuntimeContainer.gateway, RuntimeContainer.credentials
        ),
        hosts=providers.Callable(_hosts, RuntimeContainer.settings.provided.host),
        clock=RuntimeContainer.clock,
    )
