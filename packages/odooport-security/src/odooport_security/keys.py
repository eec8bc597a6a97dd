"""API keys: how they look, and what every store of them does.

A key is ``odp_<id>_<secret>``. The id is public: it stands in logs and in the audit.
The secret has 256 random bits; of it the store keeps only the SHA-256, which is enough
for a secret that nobody can guess.
"""

import hashlib
import hmac
import json
import logging
import re
import secrets
from abc import ABC, abstractmethod
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import MappingProxyType
from typing import Any

from odooport.errors import InvalidRequest, OdooportError
from odooport_security.state import Row

_logger = logging.getLogger(__name__)

_SECRET_BYTES = 32
_ID_BYTES = 5
_TOKEN = re.compile(r"odp_([a-z0-9]{1,32})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[^\W_][\w .@+-]{0,63}")
_ROLE = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_BUDGET = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)", re.ASCII)
_MOST_AT_ONCE = 10_000
_NO_DIGEST = bytes(hashlib.sha256().digest_size)
_MOST_GRACE = timedelta(days=366)
_MOST_READ = 1024
_USE_SPAN = timedelta(minutes=1)
"""How long after one use of a key the next need not be kept."""

COLUMNS = (
    "id",
    "name",
    "role",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
    "previous_until",
    "networks",
    "rate_limit",
    "concurrency",
    "identities",
    "instances",
    "digest",
    "previous",
)
"""What a store keeps of a key, and in which order its rows have that."""

type Network = IPv4Network | IPv6Network
"""A network of addresses; a single address is a network of its own."""


class KeyStoreError(OdooportError):
    """The store of the API keys cannot be read or written."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What the store tells of one key; its secret is not among it.

    Attributes:
        id: The public part of the key.
        name: What people call it.
        role: The name of its role.
        created_at: When it was made, in UTC.
        expires_at: When it stops; None if it never does.
        revoked_at: When it was revoked; None if it was not.
        last_used_at: When it was last used, to the minute; None if it never was.
        previous_until: Until when the secret before the last rotation is honoured; None
            if there was no rotation.
        networks: The only networks that it may be used from; empty for everywhere.
        rate_limit: A budget of its own, such as ``60/minute``.
        concurrency: How many of its calls may be under way at once.
        identities: The names of the Odoo identities that it acts as, by instance; empty
            if it acts as the users that the settings name.
        instances: The only Odoo databases that it may use; empty for every one.
        is_outdated: Whether it was proven with the secret before the last rotation.
    """

    id: str
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    previous_until: datetime | None = None
    networks: tuple[Network, ...] = ()
    rate_limit: str | None = None
    concurrency: int | None = None
    identities: Mapping[str, str] = field(default_factory=dict[str, str])
    instances: tuple[str, ...] = ()
    is_outdated: bool = field(default=False, compare=False)

    def is_expired(self, now: datetime) -> bool:
        """Whether the key's time is over."""
        return self.expires_at is not None and self.expires_at <= now

    def is_rotated_away(self, now: datetime) -> bool:
        """Whether it was proven with an older secret whose grace time is over."""
        return self.is_outdated and (
            self.previous_until is None or self.previous_until <= now
        )

    def is_for(self, address: str | None) -> bool:
        """Whether it may be used from an address; what is no address never is."""
        if not self.networks:
            return True
        try:
            found = ip_address(address or "")
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self.networks)


def utc_now() -> datetime:
    """Answer the time, in UTC."""
    return datetime.now(UTC)


class KeyStore(ABC):
    """The API keys, in a place that several processes may share.

    Every question asks that place, so a key that another process makes is known, and
    one that it revokes is refused, at once.

    Args:
        clock: Answers the time, in UTC.
        token_bytes: Answers so many random bytes.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = utc_now,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._clock = clock
        self._token_bytes = token_bytes
        self._uses: dict[str, datetime] = {}
        self._writer: ThreadPoolExecutor | None = None

    def create(
        self,
        name: str,
        role: str,
        expires_at: datetime | None = None,
        *,
        networks: Sequence[str] = (),
        rate_limit: str | None = None,
        concurrency: int | None = None,
        identities: Mapping[str, str] = MappingProxyType({}),
        instances: Sequence[str] = (),
    ) -> tuple[KeyRecord, str]:
        """Make a key, and answer it with its token, which nobody can see again.

        Args:
            name: What people shall call it.
            role: The name of its role.
            expires_at: When it shall stop, with a time zone; None for never.
            networks: The only networks that it may be used from.
            rate_limit: A budget of its own, such as ``60/minute``.
            concurrency: How many of its calls may be under way at once.
            identities: The names of the Odoo identities that it acts as, by instance.
            instances: The only Odoo databases that it may use.

        Raises:
            InvalidRequest: Something of that is not acceptable.
            KeyStoreError: The store cannot be written.
        """
        check_name(name, "a key")
        if _ROLE.fullmatch(role) is None:
            raise InvalidRequest(
                f"{role!r} cannot be the name of a role: 'odooport policy check' shows "
                "the roles that there are."
            )
        if rate_limit is not None and _BUDGET.fullmatch(rate_limit) is None:
            raise InvalidRequest(
                f"{rate_limit!r} is no budget: write a number and one of second, "
                "minute, hour and day, such as 60/minute."
            )
        if concurrency is not None and not 1 <= concurrency <= _MOST_AT_ONCE:
            raise InvalidRequest(
                f"A key can have from 1 to {_MOST_AT_ONCE} calls under way at once."
            )
        now = self._now()
        if expires_at is not None:
            expires_at = expires_at.astimezone(UTC).replace(microsecond=0)
            if expires_at <= now:
                raise InvalidRequest("A key cannot expire in the past.")
        key_id = b32encode(self._token_bytes(_ID_BYTES)).decode().lower()
        record = KeyRecord(
            key_id,
            name,
            role,
            now,
            expires_at,
            networks=tuple(parse_network(item) for item in networks),
            rate_limit=rate_limit,
            concurrency=concurrency,
            identities=dict(identities),
            instances=tuple(instances),
        )
        secret = self._secret()
        if not self._insert(_row(record, _digest(secret))):
            raise KeyStoreError("The new key's id is taken already. Try again.")
        return record, _token(key_id, secret)

    def list(self) -> list[KeyRecord]:
        """Answer every key that was ever made, the oldest first.

        Raises:
            KeyStoreError: The store cannot be read.
        """
        return [_record(row) for row in self._rows()]

    def find(self, key_id: str) -> KeyRecord | None:
        """Answer the key with this id, or None.

        Raises:
            KeyStoreError: The store cannot be read.
        """
        row = self._row(key_id)
        return None if row is None else _record(row)

    async def verify(self, token: str) -> KeyRecord | None:
        """Answer the key that the token proves, be it expired or revoked, or None.

        The secret before the last rotation proves it too: see ``is_outdated``. What is
        no token goes the same way as one that is wrong. Services ask this for every
        request, so it alone does not hold up others while it waits.

        Raises:
            KeyStoreError: The store cannot be read.
        """
        match = _TOKEN.fullmatch(token)
        key_id, secret = ("", "") if match is None else match.groups()
        row = await self._ask(key_id)
        kept, previous = (_NO_DIGEST, None) if row is None else row[-2:]
        digest = _digest(secret)
        is_kept = hmac.compare_digest(digest, kept or _NO_DIGEST)
        is_previous = hmac.compare_digest(digest, previous or _NO_DIGEST)
        if row is None or not (is_kept or is_previous):
            return None
        return _record(row, is_outdated=not is_kept)

    def rotate(self, key_id: str, grace: timedelta) -> tuple[KeyRecord, str]:
        """Give a key a new secret, and answer it with its token.

        A secret from before an earlier rotation is not honoured any more, whatever
        grace time it had.

        Args:
            key_id: The key.
            grace: How long the present secret shall be honoured beside the new one.

        Raises:
            InvalidRequest: There is no such key, or it is not valid any more.
            KeyStoreError: The store cannot be written.
        """
        now = self._now()
        if not timedelta() <= grace <= _MOST_GRACE:
            raise InvalidRequest(
                f"A grace time is from nothing to {_MOST_GRACE.days} days."
            )
        record = self._known(key_id)
        if record.revoked_at is not None or record.is_expired(now):
            raise _not_valid(record)
        secret = self._secret()
        if not self._set_secret(key_id, _digest(secret), _to_text(now + grace)):
            raise _not_valid(record)  # somebody has just revoked it
        return self._known(key_id), _token(key_id, secret)

    def revoke(self, key_id: str) -> KeyRecord:
        """Stop a key for good, and answer it; a revoked one stays as it was.

        Raises:
            InvalidRequest: There is no such key.
            KeyStoreError: The store cannot be written.
        """
        self._set_revoked(key_id, _to_text(self._now()))
        return self._known(key_id)

    def adopt(self, other: "KeyStore") -> tuple[int, int]:
        """Take the keys of another store over, secrets and fate as they are.

        A key that is here already stays as it is, unless it was revoked there: then it
        is revoked here too.

        Args:
            other: Where they come from; nothing changes in it.

        Returns:
            How many keys are new here, and how many were here already.

        Raises:
            KeyStoreError: One of the stores cannot be read or written. What was taken
                over until then stays; doing it again does the rest.
        """
        taken = known = 0
        for row in other._rows():  # noqa: SLF001 - an object of this very class
            revoked_at = _record(row).revoked_at  # what cannot be read is not taken
            if self._insert(row):
                taken += 1
                continue
            known += 1
            if revoked_at is not None:
                self._set_revoked(row[0], _to_text(revoked_at))
        return taken, known

    def used(self, key_id: str) -> None:
        """Keep that a key is used now; at most once a minute for each key.

        A thread writes it, so no call waits for the disk. What cannot be written is
        logged, and tried again with a later use.
        """
        now = self._now()
        last = self._uses.get(key_id)
        if last is not None and abs(now - last) < _USE_SPAN:
            return
        self._uses[key_id] = now
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="odooport-keys")
        self._writer.submit(self._keep_use, key_id, now)

    def close(self) -> None:
        """Let go of the place; the next question opens it again."""
        if self._writer is not None:
            self._writer.shutdown()
            self._writer = None

    async def aclose(self) -> None:
        """Let go of whatever a service has opened too."""
        self.close()

    @abstractmethod
    def _insert(self, row: Row) -> bool:
        """Keep a row; False if its id is there already."""

    @abstractmethod
    def _row(self, key_id: str) -> Row | None:
        """Answer one row."""

    @abstractmethod
    async def _ask(self, key_id: str) -> Row | None:
        """Answer one row to a service."""

    @abstractmethod
    def _rows(self) -> Sequence[Row]:
        """Answer every row, the oldest first."""

    @abstractmethod
    def _set_secret(self, key_id: str, digest: bytes, until: str) -> bool:
        """Give a key that is not revoked a new secret; False if there is none such."""

    @abstractmethod
    def _set_revoked(self, key_id: str, now: str) -> None:
        """Note when a key was revoked, unless it is already."""

    @abstractmethod
    def _set_used(self, key_id: str, now: str, before: str) -> None:
        """Note a use, from any thread, unless one after ``before`` is noted."""

    def _keep_use(self, key_id: str, now: datetime) -> None:
        try:
            self._set_used(key_id, _to_text(now), _to_text(now - _USE_SPAN))
        except KeyStoreError as error:
            _logger.warning(
                "the last use of a key cannot be kept",
                extra={"key": key_id, "why": error.message},
            )

    def _known(self, key_id: str) -> KeyRecord:
        record = self.find(key_id)
        if record is None:
            raise InvalidRequest(
                f"There is no key {key_id!r}; 'odooport keys list' shows them all."
            )
        return record

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC).replace(microsecond=0)

    def _secret(self) -> str:
        return urlsafe_b64encode(self._token_bytes(_SECRET_BYTES)).decode().rstrip("=")


def claimed_id(token: str) -> str | None:
    """Answer the id of the key that a token claims to be; None if it is no token."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else match[1]


def check_name(name: str, what: str) -> None:
    """See that a name spoils no log line.

    Args:
        name: The name.
        what: What it is the name of, such as ``a key``.

    Raises:
        InvalidRequest: It might.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidRequest(
            f"{name!r} cannot be the name of {what}: use 1 to 64 letters, digits, "
            "spaces and . @ + - _, and begin with a letter or a digit."
        )


def parse_network(text: str) -> Network:
    """Read a network or a single address.

    Raises:
        InvalidRequest: It is none.
    """
    try:
        network = ip_network(text)
    except ValueError as error:
        raise InvalidRequest(
            f"{text!r} is no network: write one such as 10.0.0.0/8, 2001:db8::/32 or a "
            "single address."
        ) from error
    if (
        isinstance(network, IPv6Network)
        and network.network_address.ipv4_mapped is not None
    ):
        # Callers' addresses of this form are read as IPv4, so it would never fit.
        raise InvalidRequest(f"{text!r} is an IPv4 network: write it as one.")
    return network


def _not_valid(record: KeyRecord) -> InvalidRequest:
    return InvalidRequest(
        f"The key {record.id!r} is not valid any more, so a new secret would be of no "
        "use: make a new key with 'odooport keys create'."
    )


def _token(key_id: str, secret: str) -> str:
    return f"odp_{key_id}_{secret}"


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()


def _row(record: KeyRecord, digest: bytes) -> Row:
    """Answer what is kept of a new key."""
    return (
        record.id,
        record.name,
        record.role,
        _to_text(record.created_at),
        None if record.expires_at is None else _to_text(record.expires_at),
        None,
        None,
        None,
        json.dumps([str(network) for network in record.networks]),
        record.rate_limit,
        record.concurrency,
        json.dumps(dict(record.identities)),
        json.dumps(record.instances),
        digest,
        None,
    )


@lru_cache(maxsize=_MOST_READ)
def _record(row: Row, *, is_outdated: bool = False) -> KeyRecord:
    """Read a row; the same row says the same, and every request reads one."""
    key_id, name, role, created_at, *times = row[:8]
    networks, rate_limit, concurrency, identities, instances = row[8:13]
    try:
        expires_at, revoked_at, last_used_at, previous_until = map(_moment, times)
        if not (isinstance(name, str) and isinstance(role, str)):
            raise TypeError("a key has a name and a role")
        return KeyRecord(
            key_id,
            name,
            role,
            datetime.fromisoformat(created_at),
            expires_at,
            revoked_at,
            last_used_at,
            previous_until,
            networks=tuple(ip_network(text) for text in json.loads(networks)),
            rate_limit=rate_limit,
            concurrency=None if concurrency is None else int(concurrency),
            identities=MappingProxyType(dict[str, str](json.loads(identities))),
            instances=tuple(json.loads(instances)),
            is_outdated=is_outdated,
        )
    except (ValueError, TypeError) as error:
        raise KeyStoreError(
            f"What the key store holds of the key {key_id!r} cannot be read. Revoke "
            "the key, and make a new one."
        ) from error


def _moment(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _to_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
