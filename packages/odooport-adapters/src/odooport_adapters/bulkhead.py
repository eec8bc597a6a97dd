"""A gateway that keeps one Odoo from taking everybody's time and places.

It stands before the gateway of one instance, and bounds how many calls to it are under
way, and how many wait.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from odooport.catalogue import MethodInfo
from odooport.deadlines import left
from odooport.errors import GatewayUnavailable
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway

_PLACES = 64
_WAITING = 256
_LONGEST_WAIT = 10.0
_BUSY_RETRY_AFTER = 1.0


class BulkheadGateway:
    """Lets so many calls to an Odoo be under way, so many wait, and refuses the rest.

    Whoever waits is let through in order, and given up after a while. A place is given
    back when its call ends, in whatever way.

    Args:
        gateway: The gateway of the instance.
        places: How many calls may be under way at once.
        waiting: How many more may wait.
        longest_wait: How long one waits at the most, in seconds; less if the request's
            deadline comes earlier.

    Attributes:
        gateway: The gateway of the instance.
    """

    def __init__(
        self,
        gateway: OdooGateway,
        *,
        places: int = _PLACES,
        waiting: int = _WAITING,
        longest_wait: float = _LONGEST_WAIT,
    ) -> None:
        self.gateway = gateway
        self._places = asyncio.Semaphore(places)
        self._most_waiting = waiting
        self._longest_wait = longest_wait
        self._waiting = 0

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself; see ``OdooGateway``.

        Raises:
            GatewayUnavailable: Also, with ``retry_after``, if there was no place; so do
                the other methods.
        """
        async with self._place():
            return await self.gateway.version(instance)

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in; see ``OdooGateway``."""
        async with self._place():
            return await self.gateway.authenticate(credentials)

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method; see ``OdooGateway``."""
        async with self._place():
            return await self.gateway.execute(session, call)

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the server tells of its methods; see ``OdooGateway``."""
        async with self._place():
            return await self.gateway.methods(session, model)

    @asynccontextmanager
    async def _place(self) -> AsyncGenerator[None]:
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()  # at once
        try:
            yield
        finally:
            self._places.release()

    async def _wait(self) -> None:
        rest = left()
        seconds = self._longest_wait if rest is None else min(self._longest_wait, rest)
        if self._waiting >= self._most_waiting:
            raise _busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            raise _busy() from None
        finally:
            self._waiting -= 1


def _busy() -> GatewayUnavailable:
    return GatewayUnavailable(
        "Too many calls to this Odoo are under way, so nothing was sent. Ask again in "
        f"{_BUSY_RETRY_AFTER:.0f} second.",
        retry_after=_BUSY_RETRY_AFTER,
    )


if TYPE_CHECKING:
    _: type[OdooGateway] = BulkheadGateway
