"""The chain of hashes that the audit is written as: its form, and who writes it.

A chain is what one process wrote, in one file or several. A file is called
``<chain>-<number>.jsonl``. Each line is a JSON object in ASCII, of this form::

    {"n":7,"prev":"<hash of line 6>", … ,"hash":"<hash of this line>"}

``n`` counts the lines of the chain from 1, through all of its files. ``hash`` is the
SHA-256, as 64 small hexadecimal digits, of the line's bytes without its last member:
everything before ``,"hash":``, and the closing brace. The bytes count as they stand
there, so nobody has to know how they were written. ``prev`` of the first line is 64
zeros.
"""

import errno
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from os.path import samestat
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

_logger = logging.getLogger(__name__)

VERSION: Final = 1
"""The version of the form of the lines."""

GENESIS: Final = "0" * 64
"""What stands in place of a hash before the first line."""

_MARK = b',"hash":"'
_MOST_AT_ONCE = 1_000_000
_END = b'"}\n'
_DIGITS = 64
_TAIL = len(_MARK) + _DIGITS + len(_END)
_HASH = re.compile(r"[0-9a-f]{64}")
_FILE_NAME = re.compile(r"(\d{8}T\d{6}Z-\d{1,10}-[0-9a-f]{8})-(\d{4,9})\.jsonl", re.A)
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Link(NamedTuple):
    """One line of a chain whose hash is right.

    Attributes:
        n: Its number in the chain.
        prev: The hash of the line before it.
        hash: Its own hash.
        facts: Everything that it says.
    """

    n: int
    prev: str
    hash: str
    facts: Mapping[str, Any]


class FileName(NamedTuple):
    """What the name of a file says: whose chain it belongs to, and its number there."""

    chain: str
    number: int

    @classmethod
    def parse(cls, name: str) -> "FileName | None":
        """Answer what a name says; None if it is not that of a file of a chain."""
        match = _FILE_NAME.fullmatch(name)
        return None if match is None else cls(match[1], int(match[2]))

    def __str__(self) -> str:
        return f"{self.chain}-{self.number:04d}.jsonl"


def to_text(moment: datetime) -> str:
    """Answer a moment in UTC as all lines write it; as text they sort by time."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def encode(facts: Mapping[str, Any]) -> bytes:
    """Answer what a line says as bytes, before it has its place in a chain.

    Raises:
        ValueError: JSON has no way to say it.
        TypeError: Likewise.
    """
    return _encode(facts).encode("ascii")


def is_hash(text: str) -> bool:
    """Whether a text looks like the hash of a line."""
    return _HASH.fullmatch(text) is not None


def link(n: int, prev: str, body: bytes) -> tuple[bytes, str]:
    """Answer the line that takes the place ``n`` in a chain, and its hash.

    Args:
        n: Its number.
        prev: The hash of the line before.
        body: What it says, as ``encode`` answers it; not an empty object.
    """
    open_line = b'{"n":%d,"prev":"%s",%s' % (n, prev.encode(), body[1:-1])
    digest = hashlib.sha256(open_line + b"}").hexdigest()
    return b"".join((open_line, _MARK, digest.encode(), _END)), digest


def read_line(line: bytes) -> Link | None:
    """Answer what a line says, if its hash is right; None if it is not."""
    if line[-_TAIL : -_TAIL + len(_MARK)] != _MARK or not line.endswith(_END):
        return None
    written = line[-_DIGITS - len(_END) : -len(_END)]
    digest = hashlib.sha256(line[:-_TAIL] + b"}").hexdigest()
    if written != digest.encode():
        return None
    facts = facts_of(line)
    n, prev = facts.get("n"), facts.get("prev")
    if type(n) is not int or not isinstance(prev, str):
        return None
    return Link(n, prev, digest, facts)


def facts_of(line: bytes) -> Mapping[str, Any]:
    """Answer what a line says, be its hash right or not; nothing if it is not JSON."""
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return cast("Mapping[str, Any]", facts) if isinstance(facts, dict) else {}


def open_new(path: Path) -> int:
    """Make a file that only its owner may open, and answer its descriptor.

    Directories on the way that are missing are made, closed to others too.

    Raises:
        OSError: It cannot be made, or is there already.
    """
    if not path.parent.is_dir():
        for directory in (*reversed(path.parent.parents), path.parent):
            if not directory.is_dir():
                directory.mkdir(_PRIVATE_DIRECTORY, exist_ok=True)
    descriptor = os.open(path, _FLAGS, _PRIVATE_FILE)
    # The name of a new file has to survive a power cut, as well as what is in it.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return descriptor


@dataclass(frozen=True, slots=True)
class Written:
    """What became of lines that were to be written.

    Attributes:
        count: How many of them, from the first on, are in a file.
        error: Why the others are not, or why none is on disk for sure; None if all is
            well.
    """

    count: int
    error: OSError | None = None


class _Line(NamedTuple):
    data: bytes
    digest: str
    is_entry: bool


class ChainWriter:
    """Writes one chain, for one process; one thread at a time may use it.

    A line that the disk took only in part is cut off again, so that the next attempt
    goes on after the last whole one.

    Args:
        directory: Where the files are.
        max_bytes: From which size on a file is followed by a new one.
        opener: Makes a new file and answers its descriptor.
        token: Tells the chain from others of the same second: 8 hexadecimal digits.
    """

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int,
        opener: Callable[[Path], int],
        token: str,
    ) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._opener = opener
        self._token = token
        self._name: FileName | None = None
        self._started = ""
        self._descriptor: int | None = None
        self._opened: datetime | None = None
        self._size = 0
        self._n = 0
        self._head = GENESIS
        self._entries = 0

    def write(
        self, entries: Sequence[tuple[datetime, bytes]], *, sync: bool
    ) -> Written:
        """Write lines to the end of the chain, in new files where that is due.

        Args:
            entries: For each line its moment, in UTC, and what it says.
            sync: Whether they shall be on disk when this returns.
        """
        before = self._entries
        try:
            self._look_at_file()
            while (done := self._entries - before) < len(entries):
                self._write_into_one_file(entries[done:])
            if sync and self._descriptor is not None:
                # After a failure the same file is used on: who was told that it failed
                # does not count on it, and what comes later is brought to disk anew.
                os.fsync(self._descriptor)
        except OSError as error:
            return Written(self._entries - before, error)
        return Written(len(entries))

    def close(self, moment: datetime) -> None:
        """Write the last line of a process that ends in peace, and let go of the file.

        Who writes afterwards goes on with the chain, in a new file.

        Raises:
            OSError: It cannot be brought to disk; the file is let go all the same.
        """
        if self._descriptor is None:
            return
        try:
            if self._size:
                body = encode({"time": to_text(moment), "kind": "end"})
                self._append([self._line(self._n + 1, self._head, body)])
            self._finish()
        finally:
            self._let_go()

    def _write_into_one_file(self, entries: Sequence[tuple[datetime, bytes]]) -> None:
        """Write what fits into the file at once; if it is full, the next one is due."""
        if self._descriptor is None:
            self._open(entries[0][0])
        n, head, size = self._n, self._head, self._size
        lines: list[_Line] = []
        if not size:
            self._opened = entries[0][0]
            lines.append(self._line(n + 1, head, self._header(self._opened)))
            n, head, size = n + 1, lines[0].digest, len(lines[0].data)
        for moment, body in entries:
            line = self._line(n + 1, head, body, is_entry=True)
            is_first = n == self._n + 1 and not self._size
            full = size + len(line.data) > self._max_bytes and not is_first
            if full or (self._opened and moment.date() > self._opened.date()):
                self._append(lines)
                self._finish()
                self._let_go()
                return
            lines.append(line)
            n, head, size = n + 1, line.digest, size + len(line.data)
            if size - self._size > _MOST_AT_ONCE:
                break
        self._append(lines)

    def _line(self, n: int, prev: str, body: bytes, *, is_entry: bool = False) -> _Line:
        return _Line(*link(n, prev, body), is_entry)

    def _header(self, moment: datetime) -> bytes:
        name = self._name
        return encode(
            {
                "time": to_text(moment),
                "kind": "begin",
                "version": VERSION,
                "chain": name and name.chain,
                "file": name and name.number,
                "started": self._started,
            }
        )

    def _open(self, moment: datetime) -> None:
        if self._name is None:
            self._started = to_text(moment)
            stamp = f"{moment:%Y%m%dT%H%M%SZ}-{os.getpid()}-{self._token}"
            name = FileName(stamp, 1)
        else:
            name = FileName(self._name.chain, self._name.number + 1)
        self._descriptor = self._opener(self._directory / str(name))
        self._name, self._size = name, 0

    def _look_at_file(self) -> None:
        """Let go of a file that is not the one that was left."""
        if self._descriptor is None:
            return
        try:
            there = (self._directory / str(self._name)).stat()
            same = samestat(there, os.fstat(self._descriptor))
        except FileNotFoundError:
            same = False
        else:
            same = same and there.st_size == self._size
        if not same:
            _logger.error(
                "a file of the audit was moved, deleted or changed by somebody else",
                extra={"file": str(self._name), "n": self._n, "head": self._head},
            )
            self._let_go()

    def _append(self, lines: Sequence[_Line]) -> None:
        """Write lines to the end of the file, and count those that are whole."""
        descriptor = cast("int", self._descriptor)  # there is one while it is written
        rest = b"".join(line.data for line in lines)
        left = len(rest)
        try:
            while left:
                taken = os.write(descriptor, rest[-left:])
                if not taken:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                left -= taken
        finally:
            taken = len(rest) - left
            for line in lines:
                if (taken := taken - len(line.data)) < 0:
                    break
                self._n, self._head = self._n + 1, line.digest
                self._size += len(line.data)
                self._entries += line.is_entry
            if left:
                self._cut(descriptor)

    def _cut(self, descriptor: int) -> None:
        try:
            os.ftruncate(descriptor, self._size)
        except OSError:
            self._let_go()  # with half a line at its end, which readers expect there

    def _finish(self) -> None:
        """Bring the file to disk, and tell the log how it ends."""
        if self._descriptor is not None:
            os.fsync(self._descriptor)
        _logger.info(
            "a file of the audit ends",
            extra={"file": str(self._name), "n": self._n, "head": self._head},
        )

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None
