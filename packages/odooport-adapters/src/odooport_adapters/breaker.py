"""A gateway that keeps an Odoo that is away from taking everybody's time.

It stands before the gateway of one instance, and answers at once while that Odoo is
away.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from enum import Enum
from typing import TYPE_CHECKING, Any

from odooport.catalogue import MethodInfo
from odooport.deadlines import left
from odooport.errors import (
    GatewayError,
    GatewayUnavailable,
    InvalidRequest,
    OdooportError,
    OutcomeUnknown,
)
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway

_logger = logging.getLogger(__name__)

_FAILURES = 5
_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_PROBE_SECONDS = 2.0
_SOONEST = 0.1
"""The shortest time that anybody is told to wait, seconds."""


class _Sign(Enum):
    """What the end of a call says of the Odoo that it went to."""

    ALIVE = "alive"
    AWAY = "away"
    NONE = "none"


class BreakerGateway:
    """Answers at once, without asking, while an Odoo is away.

    It opens after so many failures in a row that say that Odoo is away, whatever was
    called. When its pause is over, the first who comes has Odoo asked for its version.
    An answer closes it, even one that is an error: whoever calls next had better see
    that error itself. Otherwise the next pause is twice as long. The pause becomes
    short again only when a call, rather than a probe, has had an answer.

    Calls that were under way when it opened count for nothing when they end: what they
    tell is of the time before. Nor does what was refused on this side of the
    wire, such as by a full queue, or a call whose caller had too little time.

    Args:
        gateway: The gateway of the instance.
        instance: Its name.
        failures: How many failures in a row open the breaker.
        pause: How long it is open at first, in seconds.
        longest: How long it is open at the most.
        probe_seconds: How long a probe may take.
        clock: Answers the time in seconds; never goes back.

    Attributes:
        gateway: The gateway of the instance.
        openings: How often it has opened.
    """

    def __init__(
        self,
        gateway: OdooGateway,
        instance: str,
        *,
        failures: int = _FAILURES,
        pause: float = _PAUSE,
        longest: float = _LONGEST_PAUSE,
        probe_seconds: float = _PROBE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.gateway = gateway
        self.openings = 0
        self._instance = instance
        self._most_failures = failures
        self._first_pause = pause
        self._longest_pause = longest
        self._probe_seconds = probe_seconds
        self._clock = clock
        self._failures = 0
        self._pause = pause
        self._open_until: float | None = None  # None while it is closed
        self._probe: asyncio.Task[None] | None = None

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself; see ``OdooGateway``.

        Raises:
            GatewayUnavailable: Also at once, with ``retry_after``, while Odoo is away;
                so do the other methods.
        """
        return await self._watched(lambda: self.gateway.version(instance))

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in; see ``OdooGateway``."""
        return await self._watched(lambda: self.gateway.authenticate(credentials))

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method; see ``OdooGateway``."""
        return await self._watched(lambda: self.gateway.execute(session, call))

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the server tells of its methods; see ``OdooGateway``."""
        return await self._watched(lambda: self.gateway.methods(session, model))

    async def _watched[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        if (until := self._open_until) is not None:
            await self._pass(until)
        openings = self.openings
        try:
            answer = await ask()
        except OdooportError as error:
            self._count(_sign(error), openings)
            raise
        self._count(_Sign.ALIVE, openings)
        return answer

    async def _pass(self, until: float) -> None:
        """Return once the open breaker has closed, or refuse."""
        probing = self._probe is not None and not self._probe.done()
        if not probing and self._clock() >= until:
            self._open_until = self._clock() + self._probe_seconds
            # Not in the caller's context: its deadline says nothing of Odoo. Nor does
            # the probe end with the caller.
            probe = asyncio.create_task(self._probed(), context=Context())
            self._probe = probe
            await asyncio.wait({probe}, timeout=_not_negative(left()))
            if probe.done() and not probe.cancelled():
                probe.result()  # raises what no gateway should
        if self._open_until is None:
            return
        seconds = max(_SOONEST, self._open_until - self._clock())
        raise GatewayUnavailable(
            f"Odoo does not answer, at the instance {self._instance!r}; nothing was "
            f"sent. Ask again in {seconds:.1f} seconds.",
            retry_after=seconds,
        )

    async def _probed(self) -> None:
        """Ask Odoo for its version, and close the breaker or let it be open longer."""
        answered = False
        try:
            async with asyncio.timeout(self._probe_seconds):
                await self.gateway.version(self._instance)
            answered = True
        except TimeoutError:
            pass
        except GatewayUnavailable as error:
            answered = not error.down and error.retry_after is None
        except OdooportError as error:
            answered = _sign(error) is not _Sign.AWAY
        finally:
            if answered:
                self._close()
            else:
                self._stay_open()

    def _count(self, sign: _Sign, openings: int) -> None:
        """Take note of how a call ended that began after so many openings."""
        if openings != self.openings or sign is _Sign.NONE:
            return
        if sign is _Sign.ALIVE:
            self._failures = 0
            self._pause = self._first_pause
            return
        self._failures += 1
        if self._failures >= self._most_failures:
            self._open()

    def _open(self) -> None:
        self.openings += 1
        self._open_until = self._clock() + self._pause
        _logger.warning(
            "Odoo does not answer: calls are refused until it does",
            extra={"instance": self._instance, "openings": self.openings},
        )

    def _stay_open(self) -> None:
        self._pause = min(self._longest_pause, self._pause * 2)
        self._open_until = self._clock() + self._pause

    def _close(self) -> None:
        self._failures = 0
        # Should it open before any call has had an answer, it stays open for longer.
        self._pause = min(self._longest_pause, self._pause * 2)
        self._open_until = None
        _logger.info(
            "Odoo answers again",
            extra={"instance": self._instance, "openings": self.openings},
        )


def _sign(error: OdooportError) -> _Sign:
    if isinstance(error, GatewayError) and error.down:
        return _Sign.AWAY
    # Odoo may never have been asked, or nobody waited for its answer.
    if isinstance(error, GatewayUnavailable | OutcomeUnknown | InvalidRequest):
        return _Sign.NONE
    return _Sign.ALIVE


def _not_negative(seconds: float | None) -> float | None:
    return None if seconds is None else max(0.0, seconds)


if TYPE_CHECKING:
    _: type[OdooGateway] = BreakerGateway
