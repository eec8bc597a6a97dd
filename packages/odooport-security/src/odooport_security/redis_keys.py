"""API keys in a Redis, which services on several machines share."""

import secrets
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from odooport_security.keys import COLUMNS, KeyStore, KeyStoreError, utc_now
from odooport_security.redis_link import SOCKET_SECONDS, RedisLink
from odooport_security.state import Row

_ALL = "odooport:keys"
_PREFIX = "odooport:key:"
_BYTES = frozenset({"digest", "previous"})
_CREATED_AT = COLUMNS.index("created_at")

# Each key is a hash whose fields are the columns that are not null; a set has all ids.
_ASK = f"""
return redis.call('HMGET', KEYS[1], '{"', '".join(COLUMNS)}')
"""
_LIST = "return redis.call('SMEMBERS', KEYS[1])"
_INSERT = """
if redis.call('EXISTS', KEYS[1]) == 1 then
    return 0
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('SADD', KEYS[2], ARGV[1])
return 1
"""
_ROTATE = """
local kept = redis.call('HMGET', KEYS[1], 'digest', 'revoked_at')
if not kept[1] or kept[2] then
    return 0
end
redis.call('HSET', KEYS[1], 'previous', kept[1], 'previous_until', ARGV[1],
    'digest', ARGV[2])
return 1
"""
_REVOKE = """
if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('HSETNX', KEYS[1], 'revoked_at', ARGV[1])
end
return 1
"""
# Times are all of one form, so their order is that of their letters.
_USED = """
local kept = redis.call('HMGET', KEYS[1], 'id', 'last_used_at')
if kept[1] and (not kept[2] or kept[2] <= ARGV[2]) then
    redis.call('HSET', KEYS[1], 'last_used_at', ARGV[1])
end
return 1
"""


class RedisKeyStore(KeyStore):
    """The API keys, in a Redis.

    Without Redis no key can be checked, so nobody is let in; what a service asks for
    goes over a ``RedisLink``, and so nobody waits for it for long.

    Redis has to keep what it is given: it needs ``maxmemory-policy noeviction``, and
    ``appendonly yes`` with ``appendfsync always``. One that comes back without its last
    second would honour a key that was revoked in it.

    Args:
        url: Where Redis is, such as ``redis://localhost:6379/0``.
        clock: Answers the time, in UTC.
        token_bytes: Answers so many random bytes.

    Raises:
        InvalidRequest: The address cannot be read.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        super().__init__(clock=clock, token_bytes=token_bytes)
        self._link = RedisLink(url, gone="refuse")  # first: it checks the address
        self._redis = Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            socket_timeout=SOCKET_SECONDS,
            socket_connect_timeout=SOCKET_SECONDS,
            # a rotation that ran twice would end the grace of the secret before it
            retry=Retry(NoBackoff(), 0),
        )

    def close(self) -> None:
        """Close what the command line has opened."""
        super().close()
        self._redis.close()

    async def aclose(self) -> None:
        """Close every connection."""
        await super().aclose()
        await self._link.aclose()

    def _insert(self, row: Row) -> bool:
        fields = dict(zip(COLUMNS, row, strict=True))
        given = [item for item in fields.items() if item[1] is not None]
        arguments = [row[0], *(part for item in given for part in item)]
        return bool(self._run(_INSERT, [_PREFIX + row[0], _ALL], arguments, "written"))

    def _row(self, key_id: str) -> Row | None:
        return _row(self._run(_ASK, [_PREFIX + key_id], [], "read"))

    async def _ask(self, key_id: str) -> Row | None:
        answer = await self._link.ask(_ASK, [_PREFIX + key_id])
        if answer is None:
            raise _failed("read")
        return _row(answer)

    def _rows(self) -> Sequence[Row]:
        ids: list[bytes] = self._run(_LIST, [_ALL], [], "read")
        rows = [self._row(each.decode("utf-8", "replace")) for each in ids]
        found = [row for row in rows if row is not None]
        return sorted(found, key=lambda row: (row[_CREATED_AT] or "", row[0]))

    def _set_secret(self, key_id: str, digest: bytes, until: str) -> bool:
        keys, arguments = [_PREFIX + key_id], [until, digest]
        return bool(self._run(_ROTATE, keys, arguments, "written"))

    def _set_revoked(self, key_id: str, now: str) -> None:
        self._run(_REVOKE, [_PREFIX + key_id], [now], "written")

    def _set_used(self, key_id: str, now: str, before: str) -> None:
        self._run(_USED, [_PREFIX + key_id], [now, before], "written")

    def _run(
        self, script: str, keys: Sequence[str], arguments: Sequence[Any], what: str
    ) -> Any:
        """Run a script, and wait for its answer.

        Raises:
            KeyStoreError: Redis did not do it, or did not say so.
        """
        with _told(what):
            return self._redis.register_script(script)(keys=keys, args=arguments)


@contextmanager
def _told(what: str) -> Generator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise _failed(what) from error


def _failed(what: str) -> KeyStoreError:
    # The text of Redis's error may hold its address.
    doubt = "" if what == "read" else ", or did not say that it was: see 'keys list'"
    return KeyStoreError(
        f"The key store in Redis cannot be {what}{doubt}. See that the Redis of "
        "ODOOPORT_REDIS_URL runs, takes its password and has memory left."
    )


def _row(values: Sequence[bytes | None]) -> Row | None:
    """Read a row as Redis answers it: None if there is no such key."""
    if values[0] is None:
        return None
    return tuple(
        value if value is None or column in _BYTES else value.decode("utf-8", "replace")
        for column, value in zip(COLUMNS, values, strict=True)
    )
