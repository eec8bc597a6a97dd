"""API keys: how they look, and the store that knows them.

A key is ``odp_<id>_<secret>``. The id is public: it stands in logs and in the audit.
The secret has 256 random bits; of it the store keeps only the SHA-256, which is enough
for a secret that nobody can guess.
"""

import hashlib
import hmac
import os
import re
import secrets
import sqlite3
from base64 import b32encode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from odooport.errors import InvalidRequest, OdooportError
from odooport_security.roles import ROLES
from odooport_security.state import identity, open_private

_SECRET_BYTES = 32
_ID_BYTES = 5
_TOKEN = re.compile(r"odp_([a-z0-9]{1,32})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[^\W_][\w .@+-]{0,63}")
_NO_DIGEST = bytes(hashlib.sha256().digest_size)
_BUSY_SECONDS = 5.0

_VERSION = 1
_TABLE = """
    CREATE TABLE IF NOT EXISTS keys (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        role TEXT NOT NULL,
        digest BLOB NOT NULL,
        created_at TEXT NOT NULL,
        expires_at TEXT,
        revoked_at TEXT
    ) WITHOUT ROWID
"""
_INSERT = "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)"
_REVOKE = "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
_ONE = (
    "SELECT id, name, role, created_at, expires_at, revoked_at, digest "
    "FROM keys WHERE id = ?"
)
_ALL = (
    "SELECT id, name, role, created_at, expires_at, revoked_at "
    "FROM keys ORDER BY created_at, id"
)


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
    """

    id: str
    name: str
    role: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Whether the key's time is over."""
        return self.expires_at is not None and self.expires_at <= now


def utc_now() -> datetime:
    """Answer the time, in UTC."""
    return datetime.now(UTC)


class KeyStore:
    """The API keys, in one SQLite file that several processes may share.

    Every question reads the file, so a key that another process revokes is refused at
    once. The file is made with the first key; before that there is none.

    It is synchronous on purpose: a read by primary key takes some 20 µs, less than
    handing it to a thread does, and in WAL mode readers do not wait for a writer.

    Args:
        path: The SQLite file.
        clock: Answers the time, in UTC.
        token_bytes: Answers so many random bytes.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], datetime] = utc_now,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._path = path
        self._clock = clock
        self._token_bytes = token_bytes
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def create(
        self, name: str, role: str, expires_at: datetime | None = None
    ) -> tuple[KeyRecord, str]:
        """Make a key, and answer it with its token, which nobody can see again.

        Args:
            name: What people shall call it.
            role: The name of its role.
            expires_at: When it shall stop, with a time zone; None for never.

        Raises:
            InvalidRequest: The name, the role or the time is not acceptable.
            KeyStoreError: The store cannot be written.
        """
        if _NAME.fullmatch(name) is None:
            raise InvalidRequest(
                f"{name!r} cannot be the name of a key: use 1 to 64 letters, digits, "
                "spaces and . @ + - _, and begin with a letter or a digit."
            )
        if role not in ROLES:
            raise InvalidRequest(
                f"There is no role {role!r}; use one of {', '.join(ROLES)}."
            )
        now = self._clock().astimezone(UTC).replace(microsecond=0)
        if expires_at is not None:
            expires_at = expires_at.astimezone(UTC).replace(microsecond=0)
            if expires_at <= now:
                raise InvalidRequest("A key cannot expire in the past.")
        key_id = b32encode(self._token_bytes(_ID_BYTES)).decode().lower()
        secret = urlsafe_b64encode(self._token_bytes(_SECRET_BYTES)).decode()
        secret = secret.rstrip("=")
        record = KeyRecord(key_id, name, role, now, expires_at)
        try:
            self._open().execute(
                _INSERT,
                (
                    record.id,
                    record.name,
                    record.role,
                    _digest(secret),
                    _to_text(now),
                    _to_text(expires_at),
                    None,
                ),
            )
        except (sqlite3.Error, OSError) as error:
            raise _failed("written", error) from error
        return record, f"odp_{key_id}_{secret}"

    def list(self) -> list[KeyRecord]:
        """Answer every key that was ever made, the oldest first.

        Raises:
            KeyStoreError: The store cannot be read.
        """
        try:
            connection = self._current()
            rows = [] if connection is None else connection.execute(_ALL).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise _failed("read", error) from error
        return [_record(row) for row in rows]

    def find(self, key_id: str) -> KeyRecord | None:
        """Answer the key with this id, or None.

        Raises:
            KeyStoreError: The store cannot be read.
        """
        row = self._row(key_id)
        return None if row is None else _record(row)

    def verify(self, token: str) -> KeyRecord | None:
        """Answer the key that the token proves, be it expired or revoked, or None.

        Raises:
            KeyStoreError: The store cannot be read.
        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        key_id, secret = match.groups()
        row = self._row(key_id)
        kept = _NO_DIGEST if row is None else row[6]
        matches = hmac.compare_digest(_digest(secret), kept)
        return _record(row) if row is not None and matches else None

    def revoke(self, key_id: str) -> KeyRecord:
        """Stop a key for good, and answer it; a revoked one stays as it was.

        Raises:
            InvalidRequest: There is no such key.
            KeyStoreError: The store cannot be written.
        """
        now = self._clock().astimezone(UTC)
        try:
            if (connection := self._current()) is not None:
                connection.execute(_REVOKE, (_to_text(now), key_id))
        except (sqlite3.Error, OSError) as error:
            raise _failed("written", error) from error
        record = self.find(key_id)
        if record is None:
            raise InvalidRequest(
                f"There is no key {key_id!r}; 'odooport keys list' shows them all."
            )
        return record

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = None

    def _row(self, key_id: str) -> tuple[Any, ...] | None:
        try:
            connection = self._current()
            if connection is None:
                return None
            row: tuple[Any, ...] | None = connection.execute(_ONE, (key_id,)).fetchone()
        except (sqlite3.Error, OSError) as error:
            raise _failed("read", error) from error
        return row

    def _current(self) -> sqlite3.Connection | None:
        """Answer a connection to the file that has the name now; None without one.

        Who deletes the file wants its keys gone, so an old open one does not count.
        """
        try:
            file = identity(self._path.stat())
        except FileNotFoundError:
            self.close()
            return None
        if self._connection is None or file != self._file:
            self.close()
            return self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        descriptor = open_private(self._path, os.O_RDWR)
        try:
            file = identity(os.fstat(descriptor))
        finally:
            os.close(descriptor)
        if self._connection is not None and file == self._file:
            return self._connection
        self.close()
        # No thread check: a server may be built in one thread and serve in another.
        # SQLite itself serialises the calls.
        connection = sqlite3.connect(
            self._path,
            timeout=_BUSY_SECONDS,
            autocommit=True,
            check_same_thread=False,
        )
        try:
            _prepare(connection)
        except BaseException:  # whatever it was, the file must not stay open
            connection.close()
            raise
        self._connection, self._file = connection, file
        return connection


def _prepare(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        raise KeyStoreError(
            "The key store was written by a newer Odooport; install that version."
        )
    if version < _VERSION:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_TABLE)
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute("COMMIT")


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()


def _record(row: tuple[Any, ...]) -> KeyRecord:
    key_id, name, role, created_at, expires_at, revoked_at, *_ = row
    return KeyRecord(
        key_id,
        name,
        role,
        datetime.fromisoformat(created_at),
        None if expires_at is None else datetime.fromisoformat(expires_at),
        None if revoked_at is None else datetime.fromisoformat(revoked_at),
    )


def _to_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _failed(what: str, error: sqlite3.Error | OSError) -> KeyStoreError:
    # An OSError's text names the path; SQLite's own texts do not.
    why = error.strerror if isinstance(error, OSError) else str(error)
    return KeyStoreError(
        f"The key store in the state directory cannot be {what} ({why}). See that the "
        "directory belongs to the user who runs Odooport and that the disk is not full."
    )
