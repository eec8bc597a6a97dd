"""Gateways that send each call on to one of several others."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from odooport.cache import FlightCache
from odooport.errors import GatewayProtocolError
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway

_INSTANCES = 256


class AutoGateway:
    """Takes the first wire that the server offers, and stays with it.

    Each instance is asked for its version once, over one wire after the other. A
    server that cannot be reached decides nothing: the next call asks again.

    Args:
        candidates: The gateways to choose from, the preferred one first.
        clock: Answers the time in seconds; must never go back.
    """

    def __init__(
        self,
        candidates: Sequence[OdooGateway],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._candidates = tuple(candidates)
        self._chosen: FlightCache[str, OdooGateway] = FlightCache(
            size=_INSTANCES, seconds=None, clock=clock
        )

    async def choose(self, instance: str) -> OdooGateway:
        """Answer the gateway that an instance is reached by.

        Raises:
            GatewayProtocolError: The server speaks on none of them.
            GatewayError: The server cannot be reached.
        """
        return await self._chosen.get(instance, lambda: self._first(instance))

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself; see ``OdooGateway``."""
        return await (await self.choose(instance)).version(instance)

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in; see ``OdooGateway``."""
        return await (await self.choose(credentials.instance)).authenticate(credentials)

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method; see ``OdooGateway``."""
        return await (await self.choose(session.instance)).execute(session, call)

    async def _first(self, instance: str) -> OdooGateway:
        problem: GatewayProtocolError | None = None
        for candidate in self._candidates:
            try:
                await candidate.version(instance)
            except GatewayProtocolError as exc:
                problem = problem or exc
            else:
                return candidate
        raise GatewayProtocolError(
            "No Odoo answers at this address: check that it is the base address of an "
            "Odoo 18 server, without a path such as /web."
        ) from problem


if TYPE_CHECKING:
    _: type[OdooGateway] = AutoGateway
