"""Failed logins: whoever fails again and again has to wait, each time longer."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from odooport_security.addresses import network_of

FREE_FAILURES = 5
"""How many failures in a row cost no time: the fifth is the first that does."""

LONGEST_DELAY = 900.0
"""The longest that anybody has to wait, in seconds."""

QUIET = 1800.0
"""After how many seconds without a failure all is forgotten."""

MOST_ADDRESSES = 50_000
"""How many addresses are told apart; some 15 MB."""

_PROVEN_SECONDS = 86_400.0
_SHARED = 1024
_LOOKED_AT = 2

type Place = tuple[str, str | None]
"""A network, and a key that was proven there; None for whoever else is there."""


@dataclass(slots=True)
class _Row:
    """Failures in a row from one place."""

    failures: int
    last: float
    until: float


class Lockout:
    """Makes guessing slow: a growing delay for each address, in this process.

    After five failures in a row the address waits 1 s before it may try again, then
    2 s, 4 s and so on, 15 min at the most. Half an hour without a failure forgets all.
    IPv6 addresses count by their /64. Attempts that were under way together all count.

    Several people may share an address. A key that was right from an address within a
    day is therefore counted apart there: the failures of others do not hold it up, and
    its successes do not help others to guess. For that, whoever asks tells which key is
    claimed; all that is claimed without ever having been right counts together.

    Memory is bounded. Addresses beyond the most that are told apart share counters.

    Args:
        clock: Answers the time in seconds; must never go back.
        most: How many addresses are told apart, and how many keys are remembered.
        free: How many failures in a row make an address wait for the first time.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST_ADDRESSES,
        free: int = FREE_FAILURES,
    ) -> None:
        self._free = free
        self._clock = clock
        self._most = most
        self._rows: dict[Place, _Row] = {}
        self._shared: dict[int, _Row] = {}
        self._proven: dict[Place, float] = {}

    @property
    def tracked(self) -> int:
        """How many counters there are."""
        return len(self._rows) + len(self._shared) + len(self._proven)

    @property
    def counts(self) -> bool:
        """Whether failures can be counted; if not, nobody may try."""
        return True

    async def waiting(self, address: str | None, *, key: str | None = None) -> float:
        """Answer for how many seconds an address may not try; 0 if it may now.

        Until then nothing that comes from there is to be looked at, right or wrong.

        Args:
            address: Where the attempt comes from; all that have none count together.
            key: The id of the key that is claimed, if any.
        """
        row = self._find(self._place(address, key))
        return 0.0 if row is None else max(0.0, row.until - self._clock())

    async def failed(self, address: str | None, *, key: str | None = None) -> float:
        """Count a failure, and answer how many seconds the address has to wait now.

        Args:
            address: Where the attempt came from.
            key: The id of the key that was claimed, if any.
        """
        now = self._clock()
        place = self._place(address, key)
        row = self._find(place)
        if row is None:
            row = self._add(place, now)
        row.failures += 1
        row.last = now
        wait = delay(row.failures, free=self._free)
        row.until = now + wait
        return wait

    async def succeeded(self, address: str | None, *, key: str | None = None) -> None:
        """Forget the failures in a row.

        Args:
            address: Where the attempt came from.
            key: The id of the key that was right. With one, only its own failures are
                forgotten, not those of others at the address.
        """
        if key is not None:
            self._prove((network_of(address), key))
        self._rows.pop(self._place(address, key), None)

    async def aclose(self) -> None:
        """There is nothing to close."""

    def _place(self, address: str | None, key: str | None) -> Place:
        network = network_of(address)
        proven = self._proven.get((network, key))
        if proven is None or self._clock() - proven >= _PROVEN_SECONDS:
            return network, None
        return network, key

    def _prove(self, place: Place) -> None:
        """Remember the key; the one that was right longest ago is forgotten first."""
        self._proven.pop(place, None)
        if len(self._proven) >= self._most:
            del self._proven[next(iter(self._proven))]
        self._proven[place] = self._clock()

    def _find(self, place: Place) -> _Row | None:
        row = self._rows.get(place)
        if row is None and len(self._rows) >= self._most:
            row = self._shared.get(_shared_key(place))
        if row is not None and self._is_over(row):
            row.failures = 0
        return row

    def _add(self, place: Place, now: float) -> _Row:
        """Make a counter, and forget those that are over: two are looked at."""
        row = _Row(0, now, now)
        for _ in range(min(_LOOKED_AT, len(self._rows))):
            oldest = next(iter(self._rows))
            kept = self._rows.pop(oldest)
            if not self._is_over(kept):
                self._rows[oldest] = kept  # it is looked at again after all others
        if len(self._rows) < self._most:
            self._rows[place] = row
        else:
            self._shared[_shared_key(place)] = row
        return row

    def _is_over(self, row: _Row) -> bool:
        return self._clock() - row.last >= QUIET


def delay(failures: int, *, free: int = FREE_FAILURES) -> float:
    """Answer how many seconds so many failures in a row cost.

    Args:
        failures: How many there were.
        free: How many make somebody wait for the first time.
    """
    if failures < free:
        return 0.0
    doublings = min(failures - free, 10)
    return min(2.0**doublings, LONGEST_DELAY)


def _shared_key(place: Place) -> int:
    # Python's hash of a text differs in each process, so nobody can aim at a counter.
    return hash(place) % _SHARED
