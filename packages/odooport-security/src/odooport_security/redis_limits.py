"""Budgets and places that several processes share, in a Redis."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from odooport.model import Caller, Quota
from odooport.ports import RateLimiter
from odooport_security.limits import Budget, RateLimits, place, quota_of, tightest
from odooport_security.redis_link import NOW, PAUSE, Gone, RedisLink

LEASE = 60.0
"""After how many seconds the places of a process that died are free again."""

_RENEWED_EVERY = 20.0
_PREFIX = "odooport"

# Every budget is looked at before the first is taken, and Redis runs one script at a
# time: a refused call takes nothing, and calls at the same time never get more than a
# budget holds. A budget is a hash of the number of its window and of two counts.
_TAKE = f"""{NOW}
local cost = tonumber(ARGV[2])
local fits, found = true, {{}}
for i, key in ipairs(KEYS) do
    local limit, window = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
    local number = math.floor(now / window)
    local kept = redis.call('HMGET', key, 'number', 'before', 'now')
    local old = tonumber(kept[1])
    local before, count = tonumber(kept[2]) or 0, tonumber(kept[3]) or 0
    if old ~= number then
        before = (old == number - 1) and count or 0
        count = 0
    end
    local turns_in = window - now % window
    local amount = math.min(cost, limit)
    if math.floor(before * turns_in / window + count) + amount > limit then
        fits = false
    end
    found[i] = {{number, before, count, turns_in, amount, window}}
end
local answer = {{fits and 1 or 0}}
for i, key in ipairs(KEYS) do
    local number, before, count, turns_in, amount, window = unpack(found[i])
    if fits and amount > 0 then
        count = count + amount
        redis.call('HSET', key, 'number', number, 'before', before, 'now', count)
        redis.call('PEXPIRE', key, 2 * window)
    end
    answer[#answer + 1] = before
    answer[#answer + 1] = count
    answer[#answer + 1] = turns_in
end
return answer
"""

# The calls under way of one key: a sorted set of leases, by when each runs out.
_HOLD = f"""{NOW}
local most, lease = tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local held = redis.call('ZCARD', KEYS[1])
if held >= most then
    return {{0, held}}
end
redis.call('ZADD', KEYS[1], now + lease, ARGV[4])
redis.call('PEXPIRE', KEYS[1], lease)
return {{1, held + 1}}
"""
_RENEW = f"""{NOW}
local lease = tonumber(ARGV[2])
for i, key in ipairs(KEYS) do
    redis.call('ZADD', key, 'XX', now + lease, ARGV[i + 2])
    redis.call('PEXPIRE', key, lease)
end
return #KEYS
"""
_RELEASE = "return redis.call('ZREM', KEYS[1], ARGV[2])"


class RedisRateLimiter:
    """A ``RateLimiter`` whose counts are in a Redis, so that processes share budgets.

    It counts as ``LimitsRateLimiter`` does; all budgets of a call are taken in one
    script, by the clock of Redis. A place is a lease of a minute that is renewed while
    the call runs, so a process that dies gives its places back.

    Args:
        limits: How much everybody may do.
        url: Where Redis is, such as ``redis://localhost:6379/0``.
        gone: While it cannot be reached, ``refuse`` every call, or ``allow`` it
            uncounted.
        clock: Answers the time in seconds, the same in all processes; the clock of
            Redis unless given.
        sleep: Waits for so many seconds, between two renewals of the leases.

    Raises:
        InvalidRequest: The address cannot be read.
    """

    def __init__(
        self,
        limits: RateLimits,
        url: str,
        *,
        gone: Gone = "refuse",
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limits = limits
        self._gone = gone
        self._sleep = sleep
        self._link = RedisLink(url, gone=gone, clock=clock)
        self._leases: dict[str, str] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._releasing: set[asyncio.Task[Any]] = set()

    @property
    def unanswered(self) -> int:
        """How many questions Redis did not answer since the process began."""
        return self._link.unanswered

    async def take(self, caller: Caller, cost: int = 1) -> Quota:
        """Take ``cost`` from every budget that the caller draws on; 0 only asks.

        Raises:
            InvalidRequest: The key's own budget cannot be read, so nothing is let
                through.
        """
        cost = max(0, cost)
        budgets = self._limits.budgets(caller)
        sizes: list[int] = []
        for budget in budgets:
            sizes += budget.item.amount, budget.item.get_expiry() * 1000
        answer = await self._link.ask(_TAKE, [*map(_key, budgets)], cost, *sizes)
        if answer is None:
            return self._uncounted(budgets[0])
        fits, *counts = answer
        quotas = [
            quota_of(
                budget,
                0 if fits else cost,
                before=counts[3 * index],
                now=counts[3 * index + 1],
                turns_in=counts[3 * index + 2] / 1000,
            )
            for index, budget in enumerate(budgets)
        ]
        return tightest(quotas)

    @asynccontextmanager
    async def slot(self, caller: Caller) -> AsyncGenerator[Quota]:
        """Hold one of the places of the caller's key, if there is one."""
        most = self._limits.places(caller)
        key = f"{_PREFIX}:slots:{caller.principal.subject}"
        lease = uuid4().hex
        held = False
        try:
            try:
                answer = await self._link.ask(_HOLD, [key], most, _LEASE_MS, lease)
                held = answer is not None and bool(answer[0])
            except asyncio.CancelledError:
                held = True  # for all that is known
                raise
            if answer is None:
                allowed = self._gone == "allow"
                yield place(allowed=allowed, most=most, held=0 if allowed else most)
            else:
                if held:
                    self._leases[lease] = key
                    self._keep_renewing()
                yield place(allowed=held, most=most, held=answer[1])
        finally:
            self._leases.pop(lease, None)
            if held:
                await self._release(key, lease)

    async def aclose(self) -> None:
        """Close every connection. What is still held runs out by itself."""
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
        if self._releasing:
            await asyncio.wait(self._releasing)
        await self._link.aclose()

    def _uncounted(self, budget: Budget) -> Quota:
        """Answer for a budget that nobody can count.

        With ``allow`` this fails open: the link counts it, and says so in the log.
        """
        allowed = self._gone == "allow"
        limit = budget.item.amount
        return Quota(
            allowed=allowed,
            limit=limit,
            remaining=limit if allowed else 0,
            reset_after=0.0 if allowed else PAUSE,
            retry_after=0.0 if allowed else PAUSE,
            bucket="unknown",
            window=float(budget.item.get_expiry()),
        )

    async def _release(self, key: str, lease: str) -> None:
        """Give a place back, even if whoever waits for it is stopped meanwhile."""
        task = asyncio.ensure_future(self._link.ask(_RELEASE, [key], lease))
        self._releasing.add(task)
        task.add_done_callback(self._releasing.discard)
        await asyncio.shield(task)

    def _keep_renewing(self) -> None:
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.ensure_future(self._renew_while_held())

    async def _renew_while_held(self) -> None:
        while self._leases:
            await self._sleep(_RENEWED_EVERY)
            if self._leases:
                members, keys = zip(*self._leases.items(), strict=True)
                await self._link.ask(_RENEW, keys, _LEASE_MS, *members)


_LEASE_MS = int(LEASE * 1000)


def _key(budget: Budget) -> str:
    item = budget.item
    size = f"{item.amount}/{item.get_expiry()}"
    return f"{_PREFIX}:limits:{budget.bucket}:{budget.name}:{size}"


if TYPE_CHECKING:
    _: type[RateLimiter] = RedisRateLimiter
