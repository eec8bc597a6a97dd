"""The composition root of the REST service."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from dependency_injector import providers

from odooport import GatewayUnavailable, OdooGateway, OdooportError
from odooport_rest.app import build_app
from odooport_runtime.container import Container as RuntimeContainer
from odooport_runtime.front import FrontRules


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

    rules = providers.Singleton(FrontRules.of, RuntimeContainer.settings)
    ready = providers.Singleton(
        _ready, RuntimeContainer.gateway, RuntimeContainer.credentials
    )
    app = providers.Singleton(
        build_app,
        RuntimeContainer.gate,
        ready=ready,
        rules=rules,
        clock=RuntimeContainer.clock,
    )
