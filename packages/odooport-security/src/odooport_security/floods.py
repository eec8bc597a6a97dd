"""Floods of failed logins: the first of each are told one by one, the rest counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from odooport_security.chain import to_text

SPAN = timedelta(minutes=1)
"""How long a flood is counted before it is told."""

_TOLD = 5
"""How many of one address are told one by one, in that time."""

_MOST_ADDRESSES = 500
"""How many addresses are told apart, in that time."""


@dataclass(slots=True)
class _Count:
    """What came from one address, and was not told one by one."""

    told: int = 0
    since: datetime | None = None
    until: datetime | None = None
    outcomes: Counter[str] = field(default_factory=Counter[str])

    def add(self, outcome: str, now: datetime) -> None:
        self.since = self.since or now
        self.until = now
        self.outcomes[outcome] += 1


class Floods:
    """Counts the refusals of callers whom nobody knows, a minute at a time.

    What it keeps is bounded, however many addresses knock: those beyond the most that
    it tells apart are counted together.
    """

    def __init__(self) -> None:
        self._began: datetime | None = None
        self._counts: dict[str | None, _Count] = {}
        self._others = _Count()

    def tell(self, address: str | None, outcome: str, now: datetime) -> bool:
        """Whether a refusal shall be told by itself; it is counted if not."""
        self._began = self._began or now
        count = self._counts.get(address)
        if count is None:
            if len(self._counts) >= _MOST_ADDRESSES:
                self._others.add(outcome, now)
                return False
            count = self._counts[address] = _Count()
        if count.told < _TOLD:
            count.told += 1
            return True
        count.add(outcome, now)
        return False

    def ends(self) -> datetime | None:
        """Answer when what is counted now is due to be told; None if nothing is."""
        return None if self._began is None else self._began + SPAN

    def drain(self) -> list[Mapping[str, Any]]:
        """Answer what was counted, as lines of the audit say it, and begin anew."""
        lines = [
            _facts("failed-logins", address, count)
            for address, count in self._counts.items()
            if count.outcomes
        ]
        if self._others.outcomes:
            lines.append(_facts("failed-logins-of-others", None, self._others))
        self._began, self._counts, self._others = None, {}, _Count()
        return lines


def _facts(kind: str, address: str | None, count: _Count) -> Mapping[str, Any]:
    return {
        "kind": kind,
        "address": address,
        "count": count.outcomes.total(),
        "since": None if count.since is None else to_text(count.since),
        "until": None if count.until is None else to_text(count.until),
        "outcomes": dict(count.outcomes),
    }
