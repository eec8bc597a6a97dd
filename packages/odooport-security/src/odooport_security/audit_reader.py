"""Reading the audit: verify it, see its end, search in it."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from heapq import heappop, heappush
from itertools import chain as joined
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from odooport.errors import OdooportError
from odooport_security.chain import FileName, facts_of, read_line, to_text
from odooport_security.verifying import (
    ChainCheck,
    Finding,
    KnownHead,
    Verification,
)

_LONGEST = 1_048_576
"""No line of the audit is longer."""

_BLOCK = 65_536

type Facts = Mapping[str, Any]
"""What one line says."""


class AuditError(OdooportError):
    """The audit cannot be read."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a chain; who notes its hash elsewhere can prove a cut later.

    Attributes:
        chain: The chain.
        file: The file that has the line.
        n: The number of the line in the chain.
        hash: Its hash.
        time: When it was written.
    """

    chain: str
    file: str
    n: int
    hash: str
    time: str


@dataclass(frozen=True, slots=True)
class _Search:
    """Which lines to find; what is None may be anything."""

    key: str | None
    model: str | None
    outcome: str | None
    door: str | None
    request_id: str | None
    record_id: int | None
    since: str
    until: str | None

    def fits(self, facts: Facts) -> bool:
        time = _time(facts)
        return (
            self.since <= time
            and (self.until is None or time < self.until)
            and self.key in (None, facts.get("subject"), facts.get("key"))
            and self.outcome in (None, facts.get("outcome"))
            and self.door in (None, facts.get("door"))
            and self.request_id in (None, facts.get("request_id"))
            and (self.record_id is None or _names(facts, self.record_id))
            and (
                self.model is None
                or fnmatchcase(str(facts.get("model") or ""), self.model)
            )
        )


class AuditReader:
    """Reads the audit that one or several processes write, also while they do.

    Args:
        directory: Where its files are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def verify(self, *heads: str) -> Verification:
        """Find what was changed, removed, inserted or moved after it was written.

        That lines are missing at the end of a chain shows only if one of the heads is
        among them or comes after them. Where the first lines of a chain are missing,
        that is no finding if the head of what is gone is among the heads.

        Args:
            heads: Hashes of lines, noted earlier, that must be in the chains.

        Raises:
            AuditError: The files cannot be read.
        """
        wanted = frozenset(heads)
        findings: list[Finding] = []
        known: dict[str, KnownHead] = {}
        chains = files = lines = 0
        for names in self._chains():
            check = ChainCheck(wanted)
            for name in names:
                check.read(name, self._lines(name))
            found, with_heads = check.end()
            findings += found
            known |= {head.head: head for head in with_heads}
            chains, files, lines = chains + 1, files + len(names), lines + check.lines
        return Verification(
            chains,
            files,
            lines,
            findings,
            [known.get(head, KnownHead(head)) for head in heads],
        )

    def heads(self) -> list[Head]:
        """Answer the last line of every chain, the oldest chain first.

        Raises:
            AuditError: The files cannot be read.
        """
        heads: list[Head] = []
        for names in self._chains():
            for name in reversed(names):
                line = next(filter(None, map(read_line, self._backwards(name))), None)
                if line is not None:
                    time = _time(line.facts)
                    heads.append(Head(name.chain, str(name), line.n, line.hash, time))
                    break
        return heads

    def tail(self, count: int) -> list[Facts]:
        """Answer the newest lines of all chains, the oldest of them first.

        Raises:
            AuditError: The files cannot be read.
        """
        newest: list[Facts] = []
        for names in self._chains():
            lines = joined.from_iterable(map(self._backwards, reversed(names)))
            facts: Iterator[Facts] = filter(None, map(facts_of, lines))
            last = list(islice(facts, count))
            newest = sorted([*newest, *reversed(last)], key=_time)
            newest = newest[max(len(newest) - count, 0) :]
        return newest

    def search(
        self,
        *,
        key: str | None = None,
        model: str | None = None,
        outcome: str | None = None,
        door: str | None = None,
        request_id: str | None = None,
        record_id: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Facts]:
        """Answer the lines that fit, in the order of time across all chains.

        Args:
            key: The id or the name of an API key.
            model: A model, or a pattern such as ``sale.*``.
            outcome: ``begun``, ``ok`` or an error's code.
            door: The entrypoint.
            request_id: The request.
            record_id: A record that was named; of each call the first 100 are kept.
            since: From this moment on, in UTC.
            until: Before this moment.

        Raises:
            AuditError: The files cannot be read.
        """
        search = _Search(
            key,
            model,
            outcome,
            door,
            request_id,
            record_id,
            "" if since is None else to_text(since),
            None if until is None else to_text(until),
        )
        return filter(search.fits, self._in_time())

    def _in_time(self) -> Iterator[Facts]:
        """Answer all lines; of chains that follow each other one file is open."""
        waiting = deque(self._chains())
        active: list[tuple[str, int, Facts, Iterator[Facts]]] = []
        number = 0
        while waiting or active:
            if waiting and (not active or _begin(waiting[0][0].chain) <= active[0][0]):
                facts = self._facts(waiting.popleft())
            else:
                *_, line, facts = heappop(active)
                yield line
            for line in islice(facts, 1):
                # the number decides between equal times, so lines are never compared
                number += 1
                heappush(active, (_time(line), number, line, facts))

    def _facts(self, names: list[FileName]) -> Iterator[Facts]:
        for name in names:
            yield from filter(None, map(facts_of, self._lines(name)))

    def _chains(self) -> list[list[FileName]]:
        """Answer the files of each chain in order, the oldest chain first."""
        try:
            there = [path.name for path in self._directory.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unreadable(error) from error
        names = sorted(name for name in map(FileName.parse, there) if name is not None)
        return [list(group) for _, group in groupby(names, lambda name: name.chain)]

    def _lines(self, name: FileName) -> Iterator[bytes]:
        """Answer the lines of a file; of one that is too long the beginning."""
        try:
            with (self._directory / str(name)).open("rb") as file:
                while line := file.readline(_LONGEST):
                    rest = line
                    while len(rest) == _LONGEST and not rest.endswith(b"\n"):
                        rest = file.readline(_LONGEST)
                    yield line if rest is line else line[:_BLOCK] + b"\n"
        except OSError as error:
            raise _unreadable(error) from error

    def _backwards(self, name: FileName) -> Iterator[bytes]:
        """Answer the whole lines of a file, the last first."""
        try:
            with (self._directory / str(name)).open("rb") as file:
                position = file.seek(0, os.SEEK_END)
                rest = b""
                is_last = True
                while position:
                    size = min(_BLOCK, position)
                    position = file.seek(position - size)
                    first, *lines = (file.read(size) + rest).split(b"\n")
                    for line in reversed(lines):
                        if not is_last:  # after the last end there is no whole line
                            yield line + b"\n"
                        is_last = False
                    rest = first if len(first) <= _LONGEST else b""
                if rest and not is_last:
                    yield rest + b"\n"
        except OSError as error:
            raise _unreadable(error) from error


def _begin(chain: str) -> str:
    """Answer when a chain began, from its name, in the form of the lines' times."""
    day, time = chain[:8], chain[9:15]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}"


def _time(facts: Facts) -> str:
    time = facts.get("time")
    return time if isinstance(time, str) else ""


def _names(facts: Facts, record_id: int) -> bool:
    ids = facts.get("ids")
    return isinstance(ids, list) and record_id in ids


def _unreadable(error: OSError) -> AuditError:
    return AuditError(
        f"The audit in the state directory cannot be read ({error.strerror}). Run this "
        "as the user who runs Odooport."
    )
