"""What was done under which idempotency key, in a Redis that processes share."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from odooport.ports import Attempt, AttemptState, IdempotencyStore
from odooport_security.idempotency import (
    ASK_AGAIN,
    LIFE,
    compare,
    digest,
    entry_id,
    pack,
)
from odooport_security.redis_link import NOW, RedisLink

_logger = logging.getLogger(__name__)

LEASE = 15.0
"""After how many seconds what a process that died had begun is unknown."""

_RENEWED_EVERY = 5.0
_LARGE = 64 * 1024
_MOST_OWED = 1000
_PREFIX = "odooport:idempotency"
_LIFE_MS = int(LIFE * 1000)
_LEASE_MS = int(LEASE * 1000)

# An entry is a hash. While it runs it has a lease, which its process renews. A script
# may come twice, if the connection broke after the first time; so each claim has a
# token, and Redis forgets an entry later than it ends.
_BEGIN = f"""{NOW}
local life, lease = tonumber(ARGV[2]), tonumber(ARGV[3])
local token, fingerprint = ARGV[4], ARGV[5]
local kept = redis.call(
    'HMGET', KEYS[1], 'fingerprint', 'state', 'token', 'ends', 'begun', 'answer')
local state = kept[2]
if state == 'running' and kept[3] == token then
    return {{'begun', fingerprint}}
end
if state == 'running' and tonumber(kept[4]) <= now then
    state = 'unknown'
end
if state and (state == 'running' or now - tonumber(kept[5]) < life) then
    return {{state, kept[1], kept[6]}}
end
if state then
    redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'fingerprint', fingerprint, 'state', 'running',
    'token', token, 'ends', now + lease, 'begun', now)
redis.call('PEXPIRE', KEYS[1], 2 * life)
return {{'begun', fingerprint}}
"""
# Redis may have lost the entry meanwhile: what became of the request is kept anew.
_END = f"""{NOW}
local life, token, fingerprint = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local state, answer = ARGV[5], ARGV[6]
local kept = redis.call('HMGET', KEYS[1], 'token', 'state', 'begun')
if kept[1] and kept[1] ~= token then
    return 0
end
if kept[2] and kept[2] ~= 'running' then
    return kept[2] == state and 1 or 0
end
redis.call('HSET', KEYS[1], 'fingerprint', fingerprint, 'state', state,
    'token', token, 'begun', kept[3] or now)
if answer then
    redis.call('HSET', KEYS[1], 'answer', answer)
end
redis.call('PEXPIRE', KEYS[1], life)
return 1
"""
_RELEASE = """
for i, key in ipairs(KEYS) do
    local kept = redis.call('HMGET', key, 'token', 'state')
    if kept[1] == ARGV[i + 1] and kept[2] == 'running' then
        redis.call('DEL', key)
    end
end
return 1
"""
# A full Redis refuses a script whose first change takes memory; this one's does not.
_RENEW = f"""{NOW}
local life, lease = tonumber(ARGV[2]), tonumber(ARGV[3])
for i, key in ipairs(KEYS) do
    local kept = redis.call('HMGET', key, 'token', 'state')
    if kept[1] == ARGV[i + 3] and kept[2] == 'running' then
        redis.call('PEXPIRE', key, 2 * life)
        redis.call('HSET', key, 'ends', now + lease)
    end
end
return 1
"""


class _Claim(NamedTuple):
    """A request that this process runs."""

    token: str
    fingerprint: bytes


class RedisIdempotency:
    """An ``IdempotencyStore`` in a Redis, which processes on several machines share.

    Without Redis nothing may be begun. Each entry that runs has a lease of 15 seconds,
    which its process renews: when the process is gone, or Redis did not hear how a
    request ended, the entry is ``UNKNOWN`` after that.

    Entries live for 24 hours by the clock of Redis. When that jumps back, nothing is
    lost: entries live longer. When it jumps forward, entries of requests that have
    ended are forgotten early at worst; one that runs may be ``UNKNOWN`` for some
    seconds, until its lease is renewed, and forgotten if the jump is a day or more.

    Redis has to keep what it is given: it needs ``maxmemory-policy noeviction``, and
    ``appendonly yes`` with ``appendfsync always`` if entries shall survive its own end.

    Args:
        url: Where Redis is, such as ``redis://localhost:6379/0``.
        clock: Answers the time in seconds, the same in all processes; the clock of
            Redis unless given.
        sleep: Waits for so many seconds, between two renewals of the leases.

    Raises:
        InvalidRequest: The address cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._link = RedisLink(url, gone="refuse", clock=clock)
        self._sleep = sleep
        self._claims: dict[str, _Claim] = {}
        self._owed: dict[str, str] = {}  # keys to set free, by token
        self._renewing: asyncio.Task[None] | None = None
        self._doing: set[asyncio.Task[Any]] = set()

    @property
    def unanswered(self) -> int:
        """How many questions Redis did not answer since the process began."""
        return self._link.unanswered

    async def begin(self, subject: str, key: str, fingerprint: str) -> Attempt:
        """Claim a key for a request; ``UNAVAILABLE`` without Redis.

        Args:
            subject: Whose key it is.
            key: The key, as the caller chose it.
            fingerprint: What tells this request from another.
        """
        name = _name(subject, key)
        task = self._do(self._begin(name, digest(fingerprint)))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # Nobody runs what was claimed for somebody who does not wait any more.
            self._do(self._undo(name, task))
            raise

    async def finish(self, subject: str, key: str, answer: str) -> bool:
        """Keep the answer of a request that was begun here; False if that cannot be.

        If it cannot, the key is ``UNKNOWN`` when the lease has run out.
        """
        return await asyncio.shield(self._do(self._finish(_name(subject, key), answer)))

    async def release(self, subject: str, key: str) -> None:
        """Make a key free again: what was begun under it has done nothing."""
        await asyncio.shield(self._do(self._release(_name(subject, key))))

    async def abandon(self, subject: str, key: str) -> None:
        """Keep that nobody will know what became of a request that was begun."""
        name = _name(subject, key)
        await asyncio.shield(self._do(self._end(name, AttemptState.UNKNOWN)))

    async def aclose(self) -> None:
        """Close every connection. What is still begun is ``UNKNOWN`` soon."""
        while self._doing:
            await asyncio.wait(self._doing)
        if self._renewing is not None:
            self._renewing.cancel()
            with suppress(asyncio.CancelledError):
                await self._renewing
            self._renewing = None
        await self._pay()
        await self._link.aclose()

    def _do[T](self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Do something to its end, even if whoever waits for it is stopped."""
        task = asyncio.ensure_future(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)
        return task

    async def _begin(self, name: str, fingerprint: bytes) -> Attempt:
        ours = self._claims.get(name)
        if ours is not None:
            return compare(ours.fingerprint, fingerprint, AttemptState.RUNNING)
        await self._pay()
        claim = _Claim(uuid4().hex, fingerprint)
        answer = await self._link.ask(_BEGIN, [name], _LIFE_MS, _LEASE_MS, *claim)
        if answer is None:
            self._owe(name, claim)  # it may be claimed all the same
            return Attempt(AttemptState.UNAVAILABLE, retry_after=ASK_AGAIN)
        state, kept, *packed = answer
        if state.decode() == AttemptState.BEGUN:
            self._claims[name] = claim
            self._keep_renewing()
            return Attempt(AttemptState.BEGUN)
        found = AttemptState(state.decode())
        return compare(kept, fingerprint, found, packed[0] if packed else None)

    async def _undo(self, name: str, begun: asyncio.Task[Attempt]) -> None:
        if (await begun).state is AttemptState.BEGUN:
            await self._release(name)

    async def _finish(self, name: str, answer: str) -> bool:
        large = len(answer) > _LARGE
        packed = await asyncio.to_thread(pack, answer) if large else pack(answer)
        if await self._end(name, AttemptState.FINISHED, packed):
            return True
        _logger.error("the answer to a request with an idempotency key is not kept")
        return False

    async def _end(
        self, name: str, state: AttemptState, packed: bytes | None = None
    ) -> bool:
        claim = self._claims.pop(name, None)
        if claim is None:
            return False
        answer = () if packed is None else (packed,)
        return bool(
            await self._link.ask(_END, [name], _LIFE_MS, *claim, state, *answer)
        )

    async def _release(self, name: str) -> None:
        claim = self._claims.pop(name, None)
        if claim is not None:
            self._owe(name, claim)
            await self._pay()

    def _owe(self, name: str, claim: _Claim) -> None:
        """Remember a key that is to be free, until Redis has heard of it.

        One that is forgotten is unknown after its lease, which is safe.
        """
        if len(self._owed) >= _MOST_OWED:
            del self._owed[next(iter(self._owed))]
        self._owed[claim.token] = name
        self._keep_renewing()

    async def _pay(self) -> None:
        """Set free what is owed, if Redis hears it."""
        if self._owed:
            tokens, names = zip(*self._owed.items(), strict=True)
            if await self._link.ask(_RELEASE, names, *tokens) is not None:
                for token in tokens:
                    self._owed.pop(token, None)

    def _keep_renewing(self) -> None:
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.ensure_future(self._renew_while_running())

    async def _renew_while_running(self) -> None:
        while self._claims or self._owed:
            await self._sleep(_RENEWED_EVERY)
            await self._pay()
            if self._claims:
                names, claims = zip(*self._claims.items(), strict=True)
                tokens = (claim.token for claim in claims)
                await self._link.ask(_RENEW, names, _LIFE_MS, _LEASE_MS, *tokens)


def _name(subject: str, key: str) -> str:
    return f"{_PREFIX}:{entry_id(subject, key).hex()}"


if TYPE_CHECKING:
    _: type[IdempotencyStore] = RedisIdempotency
