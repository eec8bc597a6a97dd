"""What was done under which idempotency key, in a SQLite file."""

import asyncio
import hashlib
import logging
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection
from typing import TYPE_CHECKING, Literal, NamedTuple

from odooport.errors import OdooportError
from odooport.ports import Attempt, AttemptState, IdempotencyStore
from odooport_security.owners import Owners
from odooport_security.state import Database

_logger = logging.getLogger(__name__)

LIFE = 86_400.0
"""For how many seconds a key stands for its request."""

MOST_ANSWER = 1024 * 1024
"""The longest answer that is kept, in bytes; of a longer one, that there was one."""

ASK_AGAIN = 1.0
"""After how many seconds it makes sense to ask what became of a request that runs."""

_SMALL = 1024
_PLAIN = b"\x00"
_DEFLATED = b"\x01"
_PORTION = 100
_CLEARED_EVERY = 60.0
_OWED_EVERY = 1.0
_ATTEMPTS = 5
_PAUSE = 0.05

_VERSIONS = (
    (
        """
        CREATE TABLE IF NOT EXISTS entries (
            id BLOB PRIMARY KEY,
            fingerprint BLOB NOT NULL,
            state TEXT NOT NULL,
            owner TEXT NOT NULL,
            begun_at REAL NOT NULL,
            answer BLOB
        )
        """,
        """
        CREATE INDEX IF NOT EXISTS entries_that_end ON entries (begun_at)
        WHERE state != 'running'
        """,
        """
        CREATE INDEX IF NOT EXISTS entries_that_run ON entries (owner)
        WHERE state = 'running'
        """,
    ),
)
_FIND = "SELECT fingerprint, state, owner, begun_at, answer FROM entries WHERE id = ?"
_INSERT = (
    "INSERT OR REPLACE INTO entries (id, fingerprint, state, owner, begun_at) "
    "VALUES (?, ?, 'running', ?, ?)"
)
# There may be no entry, if somebody deleted the file; and then one of somebody else.
_SETTLE = (
    "INSERT INTO entries (id, fingerprint, state, owner, begun_at, answer) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE "
    "SET state = excluded.state, answer = excluded.answer "
    "WHERE owner = excluded.owner"
)
_RELEASE = "DELETE FROM entries WHERE id = ? AND owner = ?"
_GONE = "UPDATE entries SET state = 'unknown' WHERE owner = ? AND state = 'running'"
_OWNERS = "SELECT DISTINCT owner FROM entries WHERE state = 'running'"
_END = (
    "DELETE FROM entries WHERE id IN (SELECT id FROM entries "
    "WHERE state != 'running' AND begun_at <= ? LIMIT ?)"
)

type _Verb = Literal["begin", "finish", "release", "abandon"]


class IdempotencyStoreError(OdooportError):
    """The store of the idempotency keys cannot be read or written."""


def entry_id(subject: str, key: str) -> bytes:
    """Answer what an entry is found by; neither the subject nor the key is kept."""
    return digest(f"{len(subject)}:{subject}{key}")


def digest(text: str) -> bytes:
    """Answer a hash of a text, of whatever length it is."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def pack(answer: str) -> bytes | None:
    """Answer the form that an answer is kept in; None if it is too large for that."""
    if len(answer) > MOST_ANSWER:
        return None
    raw = answer.encode("utf-8", "surrogatepass")
    if len(raw) > MOST_ANSWER:
        return None
    return _PLAIN + raw if len(raw) <= _SMALL else _DEFLATED + zlib.compress(raw)


def unpack(packed: bytes) -> str:
    """Answer the answer that was packed.

    Raises:
        IdempotencyStoreError: Somebody changed it.
    """
    try:
        raw = packed[1:] if packed[:1] == _PLAIN else zlib.decompress(packed[1:])
        return raw.decode("utf-8", "surrogatepass")
    except (zlib.error, UnicodeDecodeError) as error:
        raise IdempotencyStoreError(
            "An answer in the idempotency store cannot be read."
        ) from error


class _Claim(NamedTuple):
    """A request that this process runs."""

    fingerprint: bytes
    owner: str
    begun_at: float


@dataclass(frozen=True, slots=True)
class _Waiter:
    """Who wants to know what became of a step."""

    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Attempt]


@dataclass(frozen=True, slots=True)
class _Step:
    """Something that the thread shall do to an entry."""

    verb: _Verb
    id: bytes
    text: str = ""
    waiter: _Waiter | None = None


class SqliteIdempotency:
    """An ``IdempotencyStore`` in one SQLite file that several processes may share.

    A thread does all reading and writing, so nobody who waits for the disk stops the
    others; what comes at the same time is brought to disk together. An entry that runs
    names its process, which holds a lock on a file beside the store: when the process
    ends, however that comes about, what it had begun is ``UNKNOWN`` at once. Who
    deletes the store's file forgets what was done.

    Entries live for 24 hours by the wall clock. When that jumps back, nothing is lost:
    entries live longer. When it jumps forward, entries of requests that have ended are
    forgotten early at worst; one that runs never is.

    It works on Linux and macOS; on Windows it is unavailable.

    Args:
        path: The SQLite file; the locks are files beside it.
        clock: Answers the time in seconds, the same in all processes.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        # Only the thread touches these.
        self._database = Database(
            path, _VERSIONS, name="idempotency store", error=IdempotencyStoreError
        )
        self._owners = Owners(path.parent, path.stem)
        self._clock = clock
        self._claims: dict[bytes, _Claim] = {}
        self._owed: dict[bytes, tuple[_Claim, _Verb]] = {}
        self._cleared_at: float | None = None
        self._failing = False
        # The lock guards these.
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pending: list[_Step] = []
        self._closing = False

    async def begin(self, subject: str, key: str, fingerprint: str) -> Attempt:
        """Claim a key for a request; the claim is on disk when this returns.

        Args:
            subject: Whose key it is.
            key: The key, as the caller chose it.
            fingerprint: What tells this request from another.
        """
        step = self._submit("begin", entry_id(subject, key), fingerprint)
        try:
            return await step
        except asyncio.CancelledError:
            if step.done() and not step.cancelled():
                self._undo(entry_id(subject, key), step.result())
            raise

    async def finish(self, subject: str, key: str, answer: str) -> bool:
        """Keep the answer of a request that was begun here; False if that cannot be.

        If it cannot, the key is ``UNKNOWN`` from then on.
        """
        step = self._submit("finish", entry_id(subject, key), answer)
        return (await step).state is AttemptState.FINISHED

    async def release(self, subject: str, key: str) -> None:
        """Make a key free again: what was begun under it has done nothing."""
        await self._submit("release", entry_id(subject, key))

    async def abandon(self, subject: str, key: str) -> None:
        """Keep that nobody will know what became of a request that was begun."""
        await self._submit("abandon", entry_id(subject, key))

    async def aclose(self) -> None:
        """Bring everything to disk and let go of the files.

        The next question opens them again. What is still begun is ``UNKNOWN`` to other
        processes, until it is finished.
        """
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._wake:
            thread = self._thread
            self._closing = thread is not None
            self._wake.notify_all()
        if thread is not None:
            thread.join()

    def _submit(
        self, verb: _Verb, id_: bytes, text: str = ""
    ) -> asyncio.Future[Attempt]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Attempt] = loop.create_future()
        self._add(_Step(verb, id_, text, _Waiter(loop, answer)))
        return answer

    def _add(self, step: _Step) -> None:
        with self._wake:
            self._pending.append(step)
            self._wake.notify_all()
            if self._thread is None:
                # It never keeps the process from ending.
                self._thread = threading.Thread(
                    target=self._work, name="odooport-idempotency", daemon=True
                )
                self._thread.start()

    def _undo(self, id_: bytes, attempt: Attempt) -> None:
        """Free a key that was claimed for somebody who does not wait any more."""
        if attempt.state is AttemptState.BEGUN:
            self._add(_Step("release", id_))

    def _work(self) -> None:
        """Do what is asked for, until the store is closed. Runs in the thread."""
        while True:
            with self._wake:
                self._wake.wait_for(
                    lambda: self._pending or self._closing,
                    timeout=_OWED_EVERY if self._owed else None,
                )
                closing = self._closing
                batch, self._pending = self._pending, []
            answers = self._run(batch)
            for step, attempt in zip(batch, answers, strict=True):
                self._tell(step, attempt)
            with self._wake:
                if closing and not self._pending:
                    self._owners.let_go()
                    self._database.close()
                    self._closing, self._thread = False, None
                    return

    def _run(self, batch: list[_Step], attempts: int = _ATTEMPTS) -> list[Attempt]:
        """Take steps together or not at all, and what is owed from before."""
        if not batch and not self._owed:
            return []
        claims = dict(self._claims)
        try:
            with self._database.transaction() as connection:
                now = self._clock()
                steps = _Steps(connection, self._owners, claims, now)
                for id_, (claim, verb) in self._owed.items():
                    claims[id_] = claim
                    steps.take(_Step(verb, id_))
                clears = self._cleared_at is None or (
                    abs(now - self._cleared_at) >= _CLEARED_EVERY
                )
                if any(step.verb == "begin" for step in batch):
                    steps.forget(len(batch) + _PORTION, and_owners=clears)
                answers = [steps.take(step) for step in batch]
        except IdempotencyStoreError as error:
            if attempts > 1 and self._cleared_at is None and not self._failing:
                # Of several who make the file at once, SQLite lets none wait.
                time.sleep(_PAUSE)
                return self._run(batch, attempts - 1)
            return self._fail(batch, error.message)
        except Exception as error:  # whoever waits must hear of it, whatever it was
            _logger.exception("the idempotency store failed")
            return self._fail(batch, type(error).__name__)
        self._claims = claims
        self._owed.clear()
        if self._failing:
            _logger.warning("idempotency keys can be kept again")
        self._failing = False
        if clears:
            self._cleared_at = now
            self._owners.clear()
        return answers

    def _fail(self, batch: list[_Step], why: str) -> list[Attempt]:
        """Answer for steps that could not be taken."""
        self._database.close()
        finishes = sum(step.verb == "finish" for step in batch)
        if finishes or not self._failing:
            _logger.error(
                "idempotency keys cannot be kept",
                extra={"why": why, "answers_lost": finishes},
            )
        self._failing = True
        for step in batch:
            claim = self._claims.pop(step.id, None) if step.verb != "begin" else None
            if claim is not None:
                verb: _Verb = "release" if step.verb == "release" else "abandon"
                self._owed[step.id] = claim, verb
        return [Attempt(AttemptState.UNAVAILABLE, retry_after=ASK_AGAIN) for _ in batch]

    def _tell(self, step: _Step, attempt: Attempt) -> None:
        """Tell who waits, in the loop where that is."""
        if step.waiter is None:
            return
        try:
            step.waiter.loop.call_soon_threadsafe(self._settle, step, attempt)
        except RuntimeError:  # the loop is closed, so nobody waits any more
            self._undo(step.id, attempt)

    def _settle(self, step: _Step, attempt: Attempt) -> None:
        if step.waiter is not None:
            if step.waiter.answer.done():  # whoever waited was cancelled
                self._undo(step.id, attempt)
            else:
                step.waiter.answer.set_result(attempt)


class _Steps:
    """Steps inside one transaction.

    Args:
        connection: The transaction.
        owners: Who is alive.
        claims: What this process runs; changed as the steps are taken.
        now: The time.
    """

    def __init__(
        self,
        connection: Connection,
        owners: Owners,
        claims: dict[bytes, _Claim],
        now: float,
    ) -> None:
        self._connection = connection
        self._owners = owners
        self._claims = claims
        self._now = now

    def take(self, step: _Step) -> Attempt:
        """Take one step."""
        match step.verb:
            case "begin":
                return self._begin(step.id, digest(step.text))
            case "finish":
                return self._end(step.id, AttemptState.FINISHED, pack(step.text))
            case "abandon":
                return self._end(step.id, AttemptState.UNKNOWN)
            case "release":
                claim = self._claims.pop(step.id, None)
                if claim is not None:
                    self._connection.execute(_RELEASE, (step.id, claim.owner))
                return Attempt(AttemptState.UNKNOWN)

    def forget(self, most: int, *, and_owners: bool) -> None:
        """Forget entries whose time is over, and see what was left by those who died.

        Args:
            most: How many entries.
            and_owners: Whether to look at all who run something, too.
        """
        if and_owners:
            for (owner,) in self._connection.execute(_OWNERS).fetchall():
                if not self._owners.lives(owner):
                    self._connection.execute(_GONE, (owner,))
        self._connection.execute(_END, (self._now - LIFE, most))

    def _begin(self, id_: bytes, fingerprint: bytes) -> Attempt:
        claim = self._claims.get(id_)
        if claim is not None:
            return compare(claim.fingerprint, fingerprint, AttemptState.RUNNING)
        row = self._connection.execute(_FIND, (id_,)).fetchone()
        me = self._owners.own_name()
        if row is not None:
            kept, state, owner, begun_at, answer = row
            # What is ours and not claimed could not be finished.
            if state == AttemptState.RUNNING and (
                owner == me or not self._owners.lives(owner)
            ):
                state = AttemptState.UNKNOWN
            is_over = begun_at <= self._now - LIFE and state != AttemptState.RUNNING
            if not is_over:
                return compare(kept, fingerprint, AttemptState(state), answer)
        self._claims[id_] = _Claim(fingerprint, me, self._now)
        self._connection.execute(_INSERT, (id_, fingerprint, me, self._now))
        return Attempt(AttemptState.BEGUN)

    def _end(
        self, id_: bytes, state: AttemptState, answer: bytes | None = None
    ) -> Attempt:
        claim = self._claims.pop(id_, None)
        if claim is None:
            return Attempt(AttemptState.UNKNOWN)
        changed = self._connection.execute(
            _SETTLE,
            (id_, claim.fingerprint, state, claim.owner, claim.begun_at, answer),
        ).rowcount
        return Attempt(state if changed else AttemptState.UNKNOWN)


def compare(
    kept: bytes, fingerprint: bytes, state: AttemptState, answer: bytes | None = None
) -> Attempt:
    """Answer for an entry that there is.

    Args:
        kept: The fingerprint that it was begun with.
        fingerprint: The one that it is asked for with.
        state: What is known of it.
        answer: Its packed answer, if that was kept.
    """
    if kept != fingerprint:
        return Attempt(AttemptState.MISMATCH)
    if state is AttemptState.RUNNING:
        return Attempt(state, retry_after=ASK_AGAIN)
    try:
        return Attempt(state, None if answer is None else unpack(answer))
    except IdempotencyStoreError as error:
        _logger.error("an answer that was kept is lost", extra={"why": error.message})
        return Attempt(AttemptState.UNAVAILABLE, retry_after=ASK_AGAIN)


if TYPE_CHECKING:
    _: type[IdempotencyStore] = SqliteIdempotency
