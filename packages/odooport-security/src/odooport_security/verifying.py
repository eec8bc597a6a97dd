"""Finding what somebody did to a chain after it was written."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from odooport_security.chain import GENESIS, FileName, Link, read_line

_MOST_FINDINGS = 100
"""How many findings of one chain are told one by one."""


_MOST_BAD = 10_000
"""How many lines in a row that are not as they were written are looked at closely."""


class Kind(StrEnum):
    """What happened to a line."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    CUT_SHORT = "cut short at the end"
    """The process, or the machine, stopped while it wrote: this is no tampering."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written.

    Attributes:
        file: The file's name.
        line: The line in that file, from 1.
        kind: What happened.
        text: What is known of it.
    """

    file: str
    line: int
    kind: Kind
    text: str

    @property
    def is_tampering(self) -> bool:
        """Whether somebody must have done it."""
        return self.kind is not Kind.CUT_SHORT


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A head that was noted earlier, and where it is now.

    Attributes:
        head: The hash.
        file: The file that has it; None if no chain does.
        line: The line in that file; 0 for the one before the first that is left.
        after: How many lines of its chain came later.
    """

    head: str
    file: str | None = None
    line: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found in all chains of a directory.

    Attributes:
        chains: How many chains there are.
        files: How many files.
        lines: How many lines that are as they were written.
        findings: What is not.
        heads: The heads that were asked for, in the same order.
    """

    chains: int
    files: int
    lines: int
    findings: Sequence[Finding]
    heads: Sequence[KnownHead]

    @property
    def is_intact(self) -> bool:
        """Whether nobody tampered with it, as far as that can be known."""
        return all(head.file for head in self.heads) and not any(
            finding.is_tampering for finding in self.findings
        )


@dataclass(slots=True)
class _Gap:
    """Lines that should stand before a place and do not."""

    numbers: range
    file: str
    line: int


class ChainCheck:
    """Reads one chain from its beginning, and finds what is not as it was written.

    What it keeps of a chain that nobody touched does not grow with it.

    Args:
        heads: The heads to look out for.
    """

    def __init__(self, heads: Collection[str]) -> None:
        self._wanted = heads
        self._next = 1
        self._prev = GENESIS
        self._root: str | None = None
        self._place = ("", 0)
        self._bad: list[tuple[str, int]] = []
        self._gaps: list[_Gap] = []
        self._found: dict[str, tuple[str, int, int]] = {}
        self._findings: list[Finding] = []
        self._more = 0
        self.lines = 0

    def read(self, name: FileName, lines: Iterable[bytes]) -> None:
        """Read the next file of the chain.

        Args:
            name: What it is called.
            lines: Its lines with their ends; only the last may lack it.
        """
        file = str(name)
        for number, raw in enumerate(lines, 1):
            if not raw.endswith(b"\n"):
                text = "half a line; what wrote it was stopped"
                self._find((file, number), Kind.CUT_SHORT, text)
            elif (line := read_line(raw)) is not None:
                self._take((file, number), line)
                if number == 1:
                    self._check_header(name, line)
            elif len(self._bad) < _MOST_BAD:
                self._bad.append((file, number))
            else:
                self._more += 1

    def end(self) -> tuple[list[Finding], list[KnownHead]]:
        """Answer what was found, and which of the heads."""
        for place in self._bad:
            self._find(place, Kind.CHANGED, "changed, or added at the end")
        for gap in self._gaps:
            first, last = gap.numbers[0], gap.numbers[-1]
            if first == 1 and self._root in self._wanted:
                continue  # whoever names the head of what is gone knew it
            what = f"line {first}" if first == last else f"lines {first} to {last}"
            text = f"{what} of the chain, which stood before this one: not here"
            self._find((gap.file, gap.line), Kind.REMOVED, text)
        if self._more:
            self._findings.append(
                Finding(*self._place, Kind.CHANGED, f"and {self._more} findings more")
            )
        heads = [
            KnownHead(head, file, line, self._next - 1 - n)
            for head, (file, line, n) in self._found.items()
        ]
        return self._findings, heads

    def _take(self, place: tuple[str, int], line: Link) -> None:
        """Take a line whose hash is right: is this its place?"""
        self.lines += 1
        if self._root is None:
            self._root = line.prev
            if line.n > 1 and line.prev in self._wanted:
                self._found[line.prev] = (place[0], 0, line.n - 1)
        if line.hash in self._wanted:
            self._found[line.hash] = (*place, line.n)
        if line.n < self._next:
            self._take_late(place, line.n)
            return
        missing = line.n - self._next
        changed, added = self._bad[:missing], self._bad[missing:]
        for bad in changed:
            self._find(bad, Kind.CHANGED, "not what was written")
        for bad in added:
            self._find(bad, Kind.INSERTED, "not a line of the chain")
        if missing > len(changed):
            gone = range(self._next + len(changed), line.n)
            self._gaps.append(_Gap(gone, *place))
        elif not missing and line.prev != self._prev:
            where = self._place if self._place[1] else place
            text = "changed and given a new hash: the next line knows another one"
            self._find(where, Kind.CHANGED, text)
        self._bad = []
        self._next, self._prev, self._place = line.n + 1, line.hash, place

    def _take_late(self, place: tuple[str, int], n: int) -> None:
        """Take a line whose place was earlier."""
        for index, gap in enumerate(self._gaps):
            if n in gap.numbers:
                rest = (range(gap.numbers.start, n), range(n + 1, gap.numbers.stop))
                self._gaps[index : index + 1] = [
                    _Gap(numbers, gap.file, gap.line) for numbers in rest if numbers
                ]
                text = f"line {n} of the chain, which belongs further up"
                self._find(place, Kind.REORDERED, text)
                return
        text = f"a second line {n} of the chain: this one or the other was put in"
        self._find(place, Kind.INSERTED, text)

    def _check_header(self, name: FileName, line: Link) -> None:
        facts = line.facts
        said = facts.get("kind"), facts.get("chain"), facts.get("file")
        if said != ("begin", name.chain, name.number):
            text = "not the first line of this file: it was taken from another one"
            self._find((str(name), 1), Kind.REORDERED, text)

    def _find(self, place: tuple[str, int], kind: Kind, text: str) -> None:
        if len(self._findings) < _MOST_FINDINGS or kind is Kind.CUT_SHORT:
            self._findings.append(Finding(*place, kind, text))
        else:
            self._more += 1
