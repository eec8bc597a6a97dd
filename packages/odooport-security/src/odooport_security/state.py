"""Files in the state directory: only the user who runs Odooport may open them."""

import os
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from odooport.errors import OdooportError

_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
_BUSY_SECONDS = 5.0

type Row = tuple[Any, ...]
"""What SQLite answers for one row."""


def open_private(path: Path, flags: int) -> int:
    """Open a file as ``os.open`` does, and create it if it is missing.

    What is created belongs to its owner alone: the file gets the mode 0600, a missing
    directory 0700. A directory that is there already keeps its mode.

    Args:
        path: The file.
        flags: How to open it, as for ``os.open``.

    Raises:
        OSError: It cannot be opened or created.
    """
    if not path.parent.is_dir():
        path.parent.mkdir(_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    except FileExistsError:
        return os.open(path, flags)
    _sync_directory(path.parent)
    return descriptor


def identity(status: os.stat_result) -> tuple[int, int]:
    """Answer what tells one file from another that took its name."""
    return status.st_dev, status.st_ino


class Database:
    """One SQLite file that several processes may share.

    Every question reads the file, so what another process writes is seen at once. The
    file is made by the first write; before that there is none, and it holds nothing.

    It is synchronous on purpose: a read by primary key takes some 20 µs, less than
    handing it to a thread does, and in WAL mode readers do not wait for a writer.

    Args:
        path: The file.
        versions: For each version of its form the statements that lead there from the
            one before; a file of an older version is brought up to date.
        name: What it is called in errors, such as ``key store``.
        error: What is raised when it cannot be used; its message names no path.
    """

    def __init__(
        self,
        path: Path,
        versions: Sequence[Sequence[str]],
        *,
        name: str,
        error: type[OdooportError],
    ) -> None:
        self._path = path
        self._versions = versions
        self._name = name
        self._error = error
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None

    def read(self, sql: str, *values: object) -> list[Row]:
        """Answer the rows of a question; none without a file."""
        try:
            connection = self._current()
            if connection is None:
                return []
            return connection.execute(sql, values).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise self._failed("read", error) from error

    def change(self, sql: str, *values: object) -> int:
        """Run a statement, and answer how many rows it changed; none without a file."""
        try:
            connection = self._current()
            if connection is None:
                return 0
            return connection.execute(sql, values).rowcount
        except (sqlite3.Error, OSError) as error:
            raise self._failed("written", error) from error

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """Let several statements happen together or not at all; makes the file."""
        try:
            connection = self._open()
            with _transaction(connection):
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise self._failed("written", error) from error

    def change_aside(self, sql: str, *values: object) -> None:
        """Run a statement of little worth, from any thread.

        It has a connection of its own, and leaves it to the operating system when the
        change comes to the disk.
        """
        try:
            address = f"{self._path.absolute().as_uri()}?mode=rw"
            with closing(
                sqlite3.connect(
                    address, uri=True, timeout=_BUSY_SECONDS, autocommit=True
                )
            ) as connection:
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(sql, values)
        except (sqlite3.Error, OSError) as error:
            raise self._failed("written", error) from error

    def forget(self) -> None:
        """Take out of the write-ahead log what was changed or deleted.

        Whatever others still read stays in it, until the last of them closes the file.
        """
        self.read("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = None

    def _current(self) -> sqlite3.Connection | None:
        """Answer a connection to the file that has the name now; None without one.

        Who deletes the file wants its content gone, so an old open one does not count.
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
            self._prepare(connection)
        except BaseException:  # whatever it was, the file must not stay open
            connection.close()
            raise
        self._connection, self._file = connection, file
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        newest = len(self._versions)
        if _version(connection) < newest:
            connection.execute("PRAGMA journal_mode = WAL")
            with _transaction(connection):
                # Another process may have been faster.
                for statements in self._versions[_version(connection) :]:
                    for statement in statements:
                        connection.execute(statement)
                if _version(connection) < newest:
                    connection.execute(f"PRAGMA user_version = {newest}")
        if _version(connection) > newest:
            raise self._error(
                f"The {self._name} was written by a newer Odooport; install that "
                "version."
            )
        # Some builds of SQLite leave it to chance when a change comes to the disk.
        connection.execute("PRAGMA synchronous = FULL")
        # What is changed or deleted is overwritten in the file.
        connection.execute("PRAGMA secure_delete = ON")

    def _failed(self, what: str, error: sqlite3.Error | OSError) -> OdooportError:
        # An OSError's text names the path; SQLite's own texts do not.
        why = error.strerror if isinstance(error, OSError) else str(error)
        return self._error(
            f"The {self._name} in the state directory cannot be {what} ({why}). See "
            "that the directory belongs to the user who runs Odooport and that the "
            "disk is not full."
        )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:  # whatever it was, half of it must not stay
        if connection.in_transaction:  # SQLite ends it itself when a disk is full
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _sync_directory(path: Path) -> None:
    """Make a new file's name survive a power cut, as well as what is in it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
