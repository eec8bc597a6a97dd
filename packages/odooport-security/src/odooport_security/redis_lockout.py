"""Failed logins that several processes count together, in a Redis."""

import time
from collections.abc import Callable

from odooport_security.lockout import (
    FREE_FAILURES,
    LONGEST_DELAY,
    MOST_ADDRESSES,
    QUIET,
    Lockout,
)
from odooport_security.redis_link import NOW, PAUSE, Gone, RedisLink

_PREFIX = "odooport:lockout"

_WAITING = f"""{NOW}
local until_ = tonumber(redis.call('HGET', KEYS[1], 'until'))
if not until_ then
    return -1
end
return math.max(0, until_ - now)
"""
_FAILED = f"""{NOW}
local free, longest, quiet = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local last = tonumber(redis.call('HGET', KEYS[1], 'last'))
if last and now - last >= quiet then
    redis.call('DEL', KEYS[1])
end
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local wait = 0
if failures >= free then
    wait = math.min(1000 * 2 ^ math.min(failures - free, 10), longest)
end
redis.call('HSET', KEYS[1], 'until', now + wait, 'last', now)
redis.call('PEXPIRE', KEYS[1], quiet)
return wait
"""
_FORGET = "return redis.call('DEL', KEYS[1])"


class RedisLockout(Lockout):
    """A ``Lockout`` whose counts are in a Redis, so that processes share them.

    Which keys were right from which address each process remembers for itself.

    Args:
        url: Where Redis is, such as ``redis://localhost:6379/0``.
        gone: While it cannot be reached, ``refuse`` every attempt, or ``allow`` them
            and count in this process meanwhile.
        clock: Answers the time in seconds, the same in all processes; the clock of
            Redis unless given.
        most: How many addresses and keys this process remembers.
        free: How many failures in a row make an address wait for the first time.

    Raises:
        InvalidRequest: The address cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        gone: Gone = "refuse",
        clock: Callable[[], float] | None = None,
        most: int = MOST_ADDRESSES,
        free: int = FREE_FAILURES,
    ) -> None:
        super().__init__(clock=clock or time.monotonic, most=most, free=free)
        self._link = RedisLink(url, gone=gone, clock=clock)
        self._gone = gone
        self._failing: set[str] = set()

    @property
    def counts(self) -> bool:
        """Whether failures can be counted; if not, nobody may try."""
        return self._link.answers or self._gone == "allow"

    async def waiting(self, address: str | None, *, key: str | None = None) -> float:
        """Answer for how many seconds an address may not try; 0 if it may now."""
        name = self._name(address, key)
        milliseconds = await self._link.ask(_WAITING, [name])
        if milliseconds is None:
            if self._gone == "refuse":
                return PAUSE
            return await super().waiting(address, key=key)
        if milliseconds < 0:
            self._failing.discard(name)
            return 0.0
        self._remember(name)
        return float(milliseconds) / 1000

    async def failed(self, address: str | None, *, key: str | None = None) -> float:
        """Count a failure, and answer how many seconds the address has to wait now."""
        name = self._name(address, key)
        free, longest, quiet = self._free, LONGEST_DELAY * 1000, QUIET * 1000
        milliseconds = await self._link.ask(
            _FAILED, [name], free, int(longest), int(quiet)
        )
        if milliseconds is None:
            # Counted here, which is what ``allow`` goes by until Redis is back.
            wait = await super().failed(address, key=key)
            return wait if self._gone == "allow" else max(wait, PAUSE)
        self._remember(name)
        return float(milliseconds) / 1000

    async def succeeded(self, address: str | None, *, key: str | None = None) -> None:
        """Forget the failures in a row; asks Redis only if there may be some."""
        await super().succeeded(address, key=key)
        name = self._name(address, key)
        if name in self._failing:
            self._failing.discard(name)
            await self._link.ask(_FORGET, [name])

    async def aclose(self) -> None:
        """Close every connection."""
        await self._link.aclose()

    def _name(self, address: str | None, key: str | None) -> str:
        network, proven = self._place(address, key)
        return f"{_PREFIX}:{network}" + (f":key:{proven}" if proven else "")

    def _remember(self, name: str) -> None:
        if len(self._failing) >= self._most:
            # What is forgotten here stays in Redis until it was quiet for long enough.
            self._failing.clear()
        self._failing.add(name)
