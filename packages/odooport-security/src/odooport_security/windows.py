"""The counters of rate limits in this process: a bounded storage for ``limits``."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from limits.aio.storage import MemoryStorage

MOST_WINDOWS = 50_000
"""How many keys, or addresses, have a counter of their own; some 15 MB."""

_SHARED = 1024
_LOOKED_AT = 2


@dataclass(slots=True)
class _Window:
    """What was counted in a window of time, and in the one before it."""

    seconds: int
    number: int
    before: int = 0
    now: int = 0

    def turn(self, number: int) -> None:
        """Move on to the window that it is now."""
        if number != self.number:
            self.before = self.now if number == self.number + 1 else 0
            self.now = 0
            self.number = number

    def is_over(self, now: float) -> bool:
        """Whether nothing that was counted here still counts."""
        return now // self.seconds > self.number + 1


class BoundedStorage(MemoryStorage):
    """Counts sliding windows for the strategies of ``limits``, in bounded memory.

    The library's own storage has no bound, and looks at everything that it holds with
    each hit. Here a new counter takes the place of one that is over. Where there is no
    place left, newcomers share counters: they may have to wait for each other, and
    nobody gets more than a whole budget by coming from many places.

    No method of the sliding window waits for anything, so in one event loop whatever
    is done with them between two waits is one step.

    Args:
        most: How many keys may have a counter of their own.
        clock: Answers the time in seconds; must never go back.
    """

    def __init__(
        self,
        *,
        most: int = MOST_WINDOWS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._most = most
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._shared: dict[str, _Window] = {}

    @property
    def tracked(self) -> int:
        """How many counters there are."""
        return len(self._windows) + len(self._shared)

    async def acquire_sliding_window_entry(
        self, key: str, limit: int, expiry: int, amount: int = 1
    ) -> bool:
        """Count ``amount`` if it fits."""
        now = self._clock()
        window = self._find(key, expiry)
        before, fades_in, count, _ = self._state(window, expiry, now)
        if math.floor(before * fades_in / expiry) + count + amount > limit:
            return False
        if window is None:
            window = self._add(key, expiry, now)
        window.now += amount
        return True

    async def get_sliding_window(
        self, key: str, expiry: int
    ) -> tuple[int, float, int, float]:
        """Answer what counts.

        Returns:
            The count of the window before, the seconds until it counts no more, the
            count of this window, and the seconds until that counts no more.
        """
        return self._state(self._find(key, expiry), expiry, self._clock())

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was counted."""
        self._windows.pop(key, None)

    def _state(
        self, window: _Window | None, seconds: int, now: float
    ) -> tuple[int, float, int, float]:
        turns_in = seconds - now % seconds
        if window is None:
            return 0, turns_in, 0, turns_in + seconds
        window.turn(int(now // seconds))
        return window.before, turns_in, window.now, turns_in + seconds

    def _find(self, key: str, seconds: int) -> _Window | None:
        window = self._windows.get(key)
        if window is None and len(self._windows) >= self._most:
            return self._shared.get(_shared_key(key, seconds))
        return window

    def _add(self, key: str, seconds: int, now: float) -> _Window:
        """Make a counter, and forget those that are over: two are looked at."""
        window = _Window(seconds, int(now // seconds))
        for _ in range(min(_LOOKED_AT, len(self._windows))):
            oldest = next(iter(self._windows))
            kept = self._windows.pop(oldest)
            if not kept.is_over(now):
                self._windows[oldest] = kept  # it is looked at again after all others
        if len(self._windows) < self._most:
            self._windows[key] = window
        else:
            self._shared[_shared_key(key, seconds)] = window
        return window


def _shared_key(key: str, seconds: int) -> str:
    # Python's hash of a text differs in each process, so nobody can aim at a counter.
    return f"{hash(key) % _SHARED}/{seconds}"
