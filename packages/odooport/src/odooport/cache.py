"""A small cache for answers that many callers want at the same time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextvars import Context

from odooport.deadlines import left
from odooport.errors import GatewayUnavailable


class FlightCache[K, V]:
    """Keeps the newest answers, and lets one flight serve all who ask meanwhile.

    A caller that is cancelled, or whose time is up, does not take the flight down for
    the others. An answer that failed is not kept. None is no answer.

    Args:
        size: The most that all kept answers may weigh; the least recently used goes
            first, and an answer that weighs more is not kept.
        seconds: How long an answer stays good; None for as long as there is room.
        idle: How long it stays good when nobody asks for it; None for as long as there
            is room.
        clock: Answers the time in seconds; must never go back.
        weigh: Answers what an answer weighs; each weighs 1 unless told.
    """

    def __init__(
        self,
        *,
        size: int,
        seconds: float | None,
        clock: Callable[[], float],
        idle: float | None = None,
        weigh: Callable[[V], int] = lambda answer: 1,
    ) -> None:
        self._size = size
        self._weigh = weigh
        self._weight = 0
        self._seconds = seconds
        self._idle = idle
        self._clock = clock
        self._kept: OrderedDict[K, tuple[float, int, V]] = OrderedDict()
        self._asked: dict[K, float] = {}
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, fetch: Callable[[], Awaitable[V]]) -> V:
        """Answer what is kept under the key, or fetch it.

        Raises:
            GatewayUnavailable: The caller's deadline came first.
            Exception: Whatever ``fetch`` raises, to everybody who waited for it.
        """
        if (value := self.peek(key)) is not None:
            return value
        flight = self._flights.get(key)
        if flight is None:
            # In a context of its own: the deadline of one caller is not that of all.
            flight = asyncio.create_task(self._fly(key, fetch), context=Context())
            self._flights[key] = flight
            flight.add_done_callback(_retrieve)
        try:
            async with asyncio.timeout(left()):
                return await asyncio.shield(flight)
        except TimeoutError as exc:
            if flight.done():
                raise
            raise GatewayUnavailable(
                "Odoo did not answer within the time that this request has. Nothing "
                "was done; give it more time, or try again."
            ) from exc

    def peek(self, key: K) -> V | None:
        """Answer what is kept under the key, or None."""
        if (kept := self._kept.get(key)) is None:
            return None
        born, _, value = kept
        now = self._clock()
        too_old = self._seconds is not None and now - born >= self._seconds
        if too_old or (self._idle is not None and now - self._asked[key] >= self._idle):
            self._forget(key)
            return None
        self._kept.move_to_end(key)
        if self._idle is not None:
            self._asked[key] = now
        return value

    def age(self, key: K) -> float | None:
        """Answer for how many seconds an answer has been kept, or None."""
        kept = self._kept.get(key)
        return None if kept is None else self._clock() - kept[0]

    def values(self) -> list[V]:
        """Answer all that is kept, the least recently used first."""
        return [value for _, _, value in self._kept.values()]

    def put(self, key: K, value: V) -> None:
        """Keep an answer."""
        self._forget(key)
        weight = self._weigh(value)
        now = self._clock()
        self._kept[key] = (now, weight, value)
        if self._idle is not None:
            self._asked[key] = now
        self._weight += weight
        while self._weight > self._size:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: K) -> None:
        if (kept := self._kept.pop(key, None)) is not None:
            self._weight -= kept[1]
            self._asked.pop(key, None)

    async def _fly(self, key: K, fetch: Callable[[], Awaitable[V]]) -> V:
        mine = asyncio.current_task()
        try:
            value = await fetch()
            if self._flights.get(key) is mine:
                self.put(key, value)
            return value
        finally:
            if self._flights.get(key) is mine:
                del self._flights[key]

    def drop(self, key: K, value: V | None = None) -> None:
        """Forget what is kept under the key, and what is just being fetched for it.

        Args:
            key: What to forget.
            value: Forget only if exactly this is kept: somebody else may have put a
                newer answer there meanwhile.
        """
        if value is None:
            self._forget(key)
            self._flights.pop(key, None)
        elif (kept := self._kept.get(key)) is not None and kept[2] is value:
            self._forget(key)


def _retrieve(flight: "asyncio.Task[object]") -> None:
    """Mark a flight's error as seen when every caller has gone away."""
    if not flight.cancelled():
        flight.exception()
