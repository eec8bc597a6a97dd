"""The way to a Redis: scripts that answer soon, or not at all."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from redis.asyncio import BlockingConnectionPool, Connection, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from odooport.errors import InvalidRequest

type Gone = Literal["refuse", "allow"]
"""What happens while Redis cannot be reached."""

PAUSE = 1.0
"""For how many seconds nobody tries a Redis that did not answer."""

SOCKET_SECONDS = 0.5
"""How long a connection and an answer of Redis may take."""

_logger = logging.getLogger(__name__)

_ANSWER_SECONDS = 1.0
_CONNECTIONS = 64
_TOLD_EVERY = 60.0

NOW = """
local now = tonumber(ARGV[1])
if not now then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
"""
"""How each script learns the time in milliseconds: the clock of Redis counts for all
processes, unless the first argument says otherwise."""


class RedisLink:
    """Runs scripts in a Redis, and knows when it is gone.

    After a failure nobody tries for a second; then one caller tries, for the others.
    So nobody waits long, and Redis is not stormed when it comes back. Neither its
    address nor a password is ever in a log or an error.

    Args:
        url: Where it is, such as ``redis://localhost:6379/0``.
        gone: What its absence means, for the log.
        clock: Answers the time in seconds, here and in the scripts; without one it is
            this process's and Redis's own.

    Attributes:
        unanswered: How many questions were not answered since the process began.

    Raises:
        InvalidRequest: The address cannot be read.
    """

    def __init__(
        self, url: str, *, gone: Gone, clock: Callable[[], float] | None = None
    ) -> None:
        self._pool = _pool(url)
        self._redis = Redis(connection_pool=self._pool)
        self._scripts: dict[str, Callable[..., Awaitable[Any]]] = {}
        self._gone = gone
        self._clock = clock
        self._pause = clock or time.monotonic
        self._rests_until: float | None = None
        self._told_at: float | None = None
        self._untold = 0
        self.unanswered = 0

    @property
    def answers(self) -> bool:
        """Whether Redis answered when it was asked last."""
        return self._rests_until is None

    async def ask(
        self, script: str, keys: Sequence[str], *arguments: int | str | bytes
    ) -> Any | None:
        """Run a script, and answer what it does; None if Redis is gone.

        Args:
            script: A Lua script that begins with ``NOW`` and never answers nil.
            keys: Its keys.
            arguments: Its arguments, after the time.
        """
        now = self._pause()
        if self._rests_until is not None:
            if now < self._rests_until:
                self._silence(None)
                return None
            self._rests_until = now + PAUSE  # this call tries, the others do not yet
        time_given = "" if self._clock is None else int(self._clock() * 1000)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await self._script(script)(
                    keys=keys, args=[time_given, *arguments]
                )
        except (RedisError, OSError, TimeoutError) as error:
            self._rests_until = self._pause() + PAUSE
            self._silence(error)
            return None
        if self._rests_until is not None:
            self._rests_until = None
            _logger.warning(
                "redis answers again", extra={"unanswered": self._drain_untold()}
            )
        return answer

    async def aclose(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
        await self._pool.disconnect()

    def _script(self, text: str) -> Callable[..., Awaitable[Any]]:
        known = self._scripts.get(text)
        if known is None:
            known = self._scripts[text] = self._redis.register_script(text)
        return known

    def _silence(self, error: Exception | None) -> None:
        """Count a question that was not answered, and say so once a minute."""
        self.unanswered += 1
        self._untold += 1
        now = self._pause()
        if self._told_at is not None and now - self._told_at < _TOLD_EVERY:
            return
        self._told_at = now
        # The text of the error may hold the address; its kind does not.
        _logger.error(
            "redis cannot be reached",
            extra={
                "unanswered": self._drain_untold(),
                "calls": "refused" if self._gone == "refuse" else "let through",
                "kind": None if error is None else type(error).__name__,
            },
        )

    def _drain_untold(self) -> int:
        untold, self._untold = self._untold, 0
        return untold


def _pool(url: str) -> BlockingConnectionPool:
    try:
        options: dict[str, Any] = {"connection_class": Connection, **parse_url(url)}
        options |= {
            "socket_timeout": SOCKET_SECONDS,
            "socket_connect_timeout": SOCKET_SECONDS,
            # a connection that died while it lay idle is made anew, once
            "retry": Retry(NoBackoff(), 1),
        }
        # Made, not opened: this finds an option that there is not.
        make = options.pop("connection_class")
        make(**options)
    except (ValueError, TypeError):
        raise InvalidRequest(
            "ODOOPORT_REDIS_URL is no address of a Redis; write one such as "
            "'redis://localhost:6379/0'."
        ) from None
    return BlockingConnectionPool(
        _CONNECTIONS, SOCKET_SECONDS, connection_class=make, **options
    )
