"""What was done, by whom: lines of JSON, as one chain of hashes for each process."""

import asyncio
import errno
import logging
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odooport.errors import (
    AuthenticationFailed,
    InvalidRequest,
    PermissionDenied,
    RateLimited,
)
from odooport.model import ANONYMOUS, Operation
from odooport.ports import AuditEvent, AuditLog
from odooport_security.audit_lines import line_of
from odooport_security.chain import ChainWriter, Written, encode, open_new, to_text
from odooport_security.floods import SPAN, Floods

_logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024 * 1024
FLUSH_SECONDS = 0.5
"""How long a line that nobody waits for may stay in memory; with what it takes to write
it, that is less than a second."""

_MOST_PENDING = 16_000_000
"""How many bytes of lines may wait for the disk; beyond that they are counted only."""

_MANY_PENDING = 1_000_000
"""From how many bytes on they are written without waiting any longer."""

_TOKEN_BYTES = 4
_SOONEST = 0.05

_NOTHING_SENT = frozenset(
    kind.code
    for kind in (AuthenticationFailed, InvalidRequest, PermissionDenied, RateLimited)
)
"""Outcomes of a write that leave Odoo as it was. If each were brought to disk at once,
somebody without rights could keep the disk busy."""


@dataclass(frozen=True, slots=True)
class _Waiter:
    """Who wants to know whether a line is on disk."""

    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[bool]


@dataclass(frozen=True, slots=True)
class _Pending:
    moment: datetime
    body: bytes
    waiter: _Waiter | None = None


class ChainedAudit:
    """An ``AuditLog`` in files that show when somebody changes them.

    Each process writes a chain of its own, so several may share the directory. A thread
    does all writing: whoever waits for the disk does not stop the others, and lines
    that come at the same time are brought to disk together. Lines of reads wait for at
    most a second, also when no event loop runs any more.

    Secrets are not kept. Values of records are kept only where the event brings them.

    Args:
        directory: Where the files are; it is made with the first event.
        max_bytes: From which size on a file is followed by a new one.
        clock: Answers the time, in UTC.
        opener: Makes a new file, for its owner alone, and answers its descriptor.
        flush_seconds: How long the line of a read may wait.
        token_bytes: Answers so many random bytes.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        opener: Callable[[Path], int] = open_new,
        flush_seconds: float = FLUSH_SECONDS,
        token_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._clock = clock
        self._flush_seconds = flush_seconds
        # Only the thread touches the writer; the lock guards everything else.
        self._chain = ChainWriter(
            directory,
            max_bytes=max_bytes,
            opener=opener,
            token=token_bytes(_TOKEN_BYTES).hex(),
        )
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._pending: list[_Pending] = []
        self._pending_bytes = 0  # with what the thread has in hand
        self._urgent = False
        self._closing = False
        self._lost = 0
        self._failing = False
        self._floods = Floods()

    async def record(self, event: AuditEvent) -> bool:
        """Keep one event; that of a write is on disk when this returns.

        What only reads, or was refused before anything was sent, is on disk within a
        second. Refusals of callers whom nobody knows are counted from the sixth of an
        address and a minute on. Answers False when the event cannot be kept; never
        raises.
        """
        now = self._clock()
        try:
            body = line_of(event, now)
        except (TypeError, ValueError, RecursionError) as error:
            _logger.error(
                "an event cannot be written as a line of the audit",
                extra={"why": type(error).__name__},
            )
            return False
        waiter = None
        if _is_write(event):
            loop = asyncio.get_running_loop()
            waiter = _Waiter(loop, loop.create_future())
        with self._wake:
            self._tell_floods(now)
            if _is_of_nobody(event) and not self._floods.tell(
                event.caller.address, event.outcome, now
            ):
                self._stand_by()
                return True
            if not self._add(_Pending(now, body, waiter)):
                return False
        return True if waiter is None else await waiter.answer

    def close(self) -> None:
        """Bring everything to disk and end the chain; the next event goes on with it.

        It waits for the disk.
        """
        with self._wake:
            thread = self._thread
            self._closing = thread is not None
            self._wake.notify_all()
        if thread is not None:
            thread.join()

    def _tell_floods(self, now: datetime, *, all_of_them: bool = False) -> None:
        """Add what was counted of floods, if its time is over."""
        ends = self._floods.ends()
        if ends is not None and (all_of_them or now >= ends):
            for facts in self._floods.drain():
                self._add(_pending(facts, now))

    def _add(self, pending: _Pending) -> bool:
        """Put a line where the thread finds it, if there is room."""
        if self._pending_bytes + len(pending.body) > _MOST_PENDING:
            self._lost += 1
            return False
        self._pending.append(pending)
        self._pending_bytes += len(pending.body)
        many = self._pending_bytes > _MANY_PENDING and not self._failing
        if pending.waiter is not None or many:
            self._urgent = True
            self._wake.notify_all()
        elif len(self._pending) == 1:
            self._wake.notify_all()
        self._stand_by()
        return True

    def _stand_by(self) -> None:
        """See that there is a thread; it never keeps the process from ending."""
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name="odooport-audit", daemon=True
            )
            self._thread.start()

    def _work(self) -> None:
        """Write what comes, until the audit is closed. Runs in the thread."""
        ended = False
        while not ended:
            with self._wake:
                self._wait()
                closing = self._closing
                self._tell_floods(self._clock(), all_of_them=closing)
                self._tell_losses(all_of_them=closing)
                batch, self._pending = self._pending, []
                self._urgent = False
            left = self._write(batch)
            with self._wake:
                # What came meanwhile is still to be written, also at the end.
                ended = closing and not self._pending
                # Those that nobody waits for are tried again, before all later ones.
                self._pending[:0] = left
                self._pending_bytes += _size(left) - _size(batch)
                if ended:
                    self._end()

    def _tell_losses(self, *, all_of_them: bool) -> None:
        """Add how many lines there was no room for, once the disk takes lines."""
        if self._lost and (all_of_them or not self._failing):
            now = self._clock()
            line = _pending({"kind": "lost", "count": self._lost}, now)
            self._pending.append(line)
            self._pending_bytes += len(line.body)
            self._lost = 0

    def _wait(self) -> None:
        """Wait until there is something to write."""
        ends = self._floods.ends()
        if ends is not None:
            rest = (ends - self._clock()).total_seconds()
            seconds = min(max(rest, _SOONEST), SPAN.total_seconds())
        else:
            seconds = None
        self._wake.wait_for(lambda: self._pending or self._closing, timeout=seconds)
        if self._pending:
            self._wake.wait_for(
                lambda: self._urgent or self._closing, timeout=self._flush_seconds
            )

    def _write(self, batch: list[_Pending]) -> list[_Pending]:
        """Write lines, tell who waits, and answer those that shall be tried again."""
        if not batch:
            return []
        waiting = any(item.waiter for item in batch)
        entries = [(item.moment, item.body) for item in batch]
        try:
            written = self._chain.write(entries, sync=waiting)
        except Exception as error:  # whoever waits must hear of it, whatever it was
            _logger.exception("the audit failed")
            written = Written(len(batch), OSError(errno.EIO, type(error).__name__))
        if written.error is None:
            if self._failing:
                _logger.warning("the audit can be written again")
        elif not self._failing:
            _logger.error(
                "the audit cannot be written", extra={"why": written.error.strerror}
            )
        self._failing = written.error is not None
        _answer([item.waiter for item in batch], kept=not self._failing)
        return [item for item in batch[written.count :] if item.waiter is None]

    def _end(self) -> None:
        """Let go of the file, and of the thread. Runs in it, with the lock."""
        if self._pending:
            _logger.error(
                "lines of the audit are lost", extra={"count": len(self._pending)}
            )
            self._pending, self._pending_bytes = [], 0
        try:
            self._chain.close(self._clock())
        except OSError as error:
            _logger.error("the audit cannot be ended", extra={"why": error.strerror})
        self._closing, self._thread = False, None


def _is_write(event: AuditEvent) -> bool:
    """Whether an event is of a write that may have reached Odoo, or is about to."""
    if event.outcome == "begun":
        return True
    writes = event.operation not in (None, Operation.READ)
    return writes and event.outcome not in _NOTHING_SENT


def _is_of_nobody(event: AuditEvent) -> bool:
    """Whether it was not proven who asked; such events may come in floods."""
    principal = event.caller.principal
    return principal.role == ANONYMOUS.role and not principal.credentials


def _pending(facts: Mapping[str, Any], now: datetime) -> _Pending:
    return _Pending(now, encode({"time": to_text(now), **facts}))


def _size(lines: Iterable[_Pending]) -> int:
    return sum(len(line.body) for line in lines)


def _answer(waiters: Iterable[_Waiter | None], *, kept: bool) -> None:
    """Tell each who waits, in the loop where it waits."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
    for waiter in waiters:
        if waiter is not None:
            by_loop.setdefault(waiter.loop, []).append(waiter.answer)
    for loop, answers in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, answers, kept)
        except RuntimeError:  # the loop is closed, so nobody waits any more
            continue


def _settle(answers: Iterable[asyncio.Future[bool]], kept: bool) -> None:
    for answer in answers:
        if not answer.done():  # whoever waited may have been cancelled
            answer.set_result(kept)


if TYPE_CHECKING:
    _: type[AuditLog] = ChainedAudit
