"""Stopping well: what runs may end, and nothing new begins."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from odooport import GatewayUnavailable

_RETRY_SECONDS = 5.0
"""When whoever is refused may ask again: another process may serve by then."""


class Drain:
    """Counts what is under way, and lets nothing new begin once told to stop.

    One for each process. It belongs to the event loop that it is used in.

    Args:
        retry_after: After how many seconds whoever is refused may ask again.
    """

    def __init__(self, *, retry_after: float = _RETRY_SECONDS) -> None:
        self._retry_after = retry_after
        self._stopping = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def stopping(self) -> bool:
        """Whether nothing new may begin."""
        return self._stopping

    @property
    def under_way(self) -> int:
        """How many requests run at this moment."""
        return self._under_way

    @contextmanager
    def admit(self) -> Generator[None]:
        """Count a request for as long as it runs.

        Raises:
            GatewayUnavailable: The service is stopping.
        """
        if self._stopping:
            raise GatewayUnavailable(
                "The service is stopping and takes nothing new, so nothing was done; "
                "ask again later.",
                retry_after=self._retry_after,
            )
        self._under_way += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    def stop(self) -> None:
        """Let nothing new begin, from now on."""
        self._stopping = True

    async def ended(self, seconds: float) -> bool:
        """Wait until nothing is under way; answer False if that takes too long.

        Args:
            seconds: How long to wait at most.
        """
        if not self._under_way:
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
