"""What was done, by whom: one line of JSON for each event."""

import asyncio
import json
import logging
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from odooport.errors import AuthenticationFailed, PermissionDenied, RateLimited
from odooport.ports import AuditEvent, AuditLog
from odooport_security.keys import utc_now
from odooport_security.state import identity, open_private

_logger = logging.getLogger(__name__)

_MOST_NAMES = 100
"""How many ids, and how many fields, one line names; it counts them all."""

_MOST_TEXT = 500
_OURS = frozenset(
    kind.code for kind in (AuthenticationFailed, PermissionDenied, RateLimited)
)
"""Outcomes whose reason is told in our words alone. Others, above all Odoo's, may quote
the values of a record, which do not belong in an audit."""

_FLAGS = os.O_RDWR | os.O_APPEND


class JsonLinesAudit:
    """An ``AuditLog`` in one file, a JSON object on each line.

    Several processes may write to the same file: each line is one write to its end.
    A file that was moved away, as log rotation does, is made anew. Values that were
    written to records and secrets are not kept.

    Args:
        path: The file.
        clock: Answers the time, in UTC.
    """

    def __init__(self, path: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._path = path
        self._clock = clock
        self._descriptor: int | None = None
        self._torn = False

    async def record(self, event: AuditEvent) -> bool:
        """Keep one event; one that begins is on disk when this returns.

        The others go to the operating system, which writes them soon: they are lost
        only when the whole machine stops. Answers False when the disk refuses.
        """
        line = _line(event, self._clock())
        try:
            descriptor = self._open()
            self._write(descriptor, line)
            if event.outcome == "begun":
                # Its own descriptor: log rotation may close the other meanwhile.
                await asyncio.to_thread(_sync, os.dup(descriptor))
        except OSError as error:
            _logger.error("the audit cannot be written", extra={"why": error.strerror})
            return False
        return True

    def close(self) -> None:
        """Let go of the file; the next event opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is not None:
            try:
                if identity(self._path.stat()) == identity(os.fstat(self._descriptor)):
                    return self._descriptor
            except FileNotFoundError:
                pass  # moved away
            self.close()
        descriptor = open_private(self._path, _FLAGS)
        size = os.fstat(descriptor).st_size
        self._torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        self._descriptor = descriptor
        return descriptor

    def _write(self, descriptor: int, line: bytes) -> None:
        """Write the line to the end; after half a line, begin a new one."""
        rest = b"\n" + line if self._torn else line
        self._torn = True
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        self._torn = False


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _line(event: AuditEvent, now: datetime) -> bytes:
    caller, call = event.caller, event.call
    facts: dict[str, Any] = {
        "time": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "door": caller.door,
        "subject": caller.principal.subject,
        "key": caller.principal.name,
        "role": caller.principal.role,
        "address": caller.address,
        "request_id": _cut(caller.request_id),
        "instance": _cut(call.instance),
        "model": _cut(call.model),
        "method": _cut(call.method),
        "operation": event.operation.value,
        "ids": list(event.ids[:_MOST_NAMES]),
        "id_count": len(event.ids),
        "fields": [_cut(name) for name in event.fields[:_MOST_NAMES]],
        "field_count": len(event.fields),
        "outcome": event.outcome,
        "reason": _cut(event.reason or "") if event.outcome in _OURS else None,
        "milliseconds": (
            None if event.milliseconds is None else round(event.milliseconds, 3)
        ),
    }
    return json.dumps(facts, separators=(",", ":")).encode() + b"\n"


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"


if TYPE_CHECKING:
    _: type[AuditLog] = JsonLinesAudit
