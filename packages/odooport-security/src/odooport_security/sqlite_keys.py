"""API keys in a file of the state directory."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from odooport_security.keys import KeyStore, KeyStoreError, utc_now
from odooport_security.state import Database, Row

_VERSIONS = (
    (
        """
        CREATE TABLE IF NOT EXISTS keys (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            role TEXT NOT NULL,
            digest BLOB NOT NULL,
            created_at TEXT NOT NULL,
            expires_at TEXT,
            revoked_at TEXT
        ) WITHOUT ROWID
        """,
    ),
    (
        "ALTER TABLE keys ADD COLUMN last_used_at TEXT",
        "ALTER TABLE keys ADD COLUMN previous BLOB",
        "ALTER TABLE keys ADD COLUMN previous_until TEXT",
        "ALTER TABLE keys ADD COLUMN networks TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE keys ADD COLUMN rate_limit TEXT",
        "ALTER TABLE keys ADD COLUMN concurrency INTEGER",
        "ALTER TABLE keys ADD COLUMN identities TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE keys ADD COLUMN instances TEXT NOT NULL DEFAULT '[]'",
    ),
)
_INSERT = (
    "INSERT INTO keys (id, name, role, created_at, expires_at, revoked_at, "
    "last_used_at, previous_until, networks, rate_limit, concurrency, identities, "
    "instances, digest, previous) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
)
_ROTATE = (
    "UPDATE keys SET previous = digest, previous_until = ?, digest = ? "
    "WHERE id = ? AND revoked_at IS NULL"
)
_REVOKE = "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
_USED = (
    "UPDATE keys SET last_used_at = ? "
    "WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)"
)
_SELECT = (
    "SELECT id, name, role, created_at, expires_at, revoked_at, last_used_at, "
    "previous_until, networks, rate_limit, concurrency, identities, instances, "
    "digest, previous FROM keys "
)
_ONE = _SELECT + "WHERE id = ?"
_ALL = _SELECT + "ORDER BY created_at, id"


class SqliteKeyStore(KeyStore):
    """The API keys, in one SQLite file that the processes of a machine may share.

    The file is made with the first key; before that there is none.

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
        super().__init__(clock=clock, token_bytes=token_bytes)
        self._database = Database(
            path, _VERSIONS, name="key store", error=KeyStoreError
        )

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        super().close()
        self._database.close()

    def _insert(self, row: Row) -> bool:
        with self._database.transaction() as connection:
            return connection.execute(_INSERT, row).rowcount > 0

    def _row(self, key_id: str) -> Row | None:
        rows = self._database.read(_ONE, key_id)
        return rows[0] if rows else None

    async def _ask(self, key_id: str) -> Row | None:
        return self._row(key_id)

    def _rows(self) -> Sequence[Row]:
        return self._database.read(_ALL)

    def _set_secret(self, key_id: str, digest: bytes, until: str) -> bool:
        return self._database.change(_ROTATE, until, digest, key_id) > 0

    def _set_revoked(self, key_id: str, now: str) -> None:
        self._database.change(_REVOKE, now, key_id)

    def _set_used(self, key_id: str, now: str, before: str) -> None:
        self._database.change_aside(_USED, now, key_id, before)
