"""The budget: what each figure may be, why, and what a run makes of it.

``perf/budget.toml`` holds one entry for each figure that a run is judged by.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from figures import Figure


class Verdict(StrEnum):
    """What is made of a figure."""

    OK = "ok"
    AIM_MISSED = "within its budget, misses its aim"
    OVER = "over its budget"
    UNDER = "under its budget"
    MISSING = "missing"
    NOT_JUDGED = "not judged"


RED = frozenset({Verdict.OVER, Verdict.UNDER, Verdict.MISSING})
"""What fails a run."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What one figure may be. One of ``most`` and ``least`` is given.

    Attributes:
        name: The figure's name.
        why: The reason for the number, and for each later change of it.
        most: The figure may be this at the most.
        least: The figure may be this at the least.
        aim: What we want it to be, on the same side. Missing it is shown; it is no
            failure.
        short: Whether the short form, in memory, is judged by it too.
        odoo: Whether it says something on a real Odoo only.
    """

    name: str
    why: str
    most: float | None = None
    least: float | None = None
    aim: float | None = None
    short: bool = False
    odoo: bool = False

    def __post_init__(self) -> None:
        if not self.why.strip():
            raise ValueError(f"{self.name}: say why, in 'why'.")
        if (self.most is None) == (self.least is None):
            raise ValueError(f"{self.name}: give one of 'most' and 'least'.")
        if self.short and self.odoo:
            raise ValueError(f"{self.name}: the short form has no real Odoo.")

    def verdict(self, value: float) -> Verdict:
        """Judge a value. One that is not a number is within no budget."""
        if self.most is not None and not value <= self.most:
            return Verdict.OVER
        if self.least is not None and not value >= self.least:
            return Verdict.UNDER
        if self.aim is None:
            return Verdict.OK
        reached = value <= self.aim if self.most is not None else value >= self.aim
        return Verdict.OK if reached else Verdict.AIM_MISSED

    def bound(self, number: float | None) -> str:
        """Write a number of this entry with the side that is allowed."""
        if number is None:
            return ""
        return f"{'≤' if self.most is not None else '≥'} {number:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report: a figure, and what was made of it.

    Attributes:
        name: The figure's name.
        verdict: What was made of it.
        figure: What was measured; None if nothing was.
        entry: What it may be; None if the budget does not name it.
    """

    name: str
    verdict: Verdict
    figure: Figure | None
    entry: Entry | None


def read_budget(path: Path) -> list[Entry]:
    """Read the budget.

    Raises:
        ValueError: An entry is not whole, or there are two for one figure.
    """
    known = {field.name for field in fields(Entry)}
    entries: dict[str, Entry] = {}
    tables: list[dict[str, Any]] = tomllib.loads(path.read_text())["figure"]
    for table in tables:
        name = table.get("name", "an entry without a name")
        if unknown := sorted(table.keys() - known):
            raise ValueError(f"{name}: unknown: {', '.join(unknown)}.")
        if lacking := sorted({"name", "why"} - table.keys()):
            raise ValueError(f"{name}: lacks {', '.join(lacking)}.")
        if name in entries:
            raise ValueError(f"{name}: there are two entries.")
        entries[name] = Entry(**table)
    return list(entries.values())


def judge(
    figures: Iterable[Figure], entries: Sequence[Entry], *, short: bool, odoo: bool
) -> list[Row]:
    """Hold what was measured against the budget.

    Args:
        figures: What was measured.
        entries: The budget.
        short: Whether this was the short form: only its entries count.
        odoo: Whether there was a real Odoo: without, entries that need it do not count.

    Returns:
        A row for each entry and each figure; what the budget names comes first.
    """
    measured: defaultdict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        measured[figure.name].append(figure)
    rows: list[Row] = []
    for entry in entries:
        counts = (entry.short or not short) and (odoo or not entry.odoo)
        found = measured.pop(entry.name, [])
        if not found:
            verdict = Verdict.MISSING if counts else Verdict.NOT_JUDGED
            rows.append(Row(entry.name, verdict, None, entry))
        for figure in found:
            verdict = entry.verdict(figure.value) if counts else Verdict.NOT_JUDGED
            rows.append(Row(entry.name, verdict, figure, entry))
    rows += [
        Row(figure.name, Verdict.NOT_JUDGED, figure, None)
        for found in measured.values()
        for figure in found
    ]
    return rows
