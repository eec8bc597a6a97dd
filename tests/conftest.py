"""What several folders of tests share: an Odoo in memory, and the contract's grid."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from odooport_adapters.memory import MemoryGateway

pytest_plugins = ["odooport_adapters.testing"]

NOON = datetime(2026, 3, 18, 12, 0, 0, 250_000, tzinfo=UTC)
"""The moment of every call to the Odoo in memory, unless a test says otherwise."""

CONTRACT = "contract"
"""The property of a report that says what a case of the contract was held against."""


@pytest.fixture
def demo_gateway() -> MemoryGateway:
    """A fresh Odoo in memory with the demo company, where it is always noon."""
    return MemoryGateway.demo(clock=lambda: NOON)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the contract was held against, and how that went; even with ``-q``."""
    grid: dict[tuple[str, str], Counter[str]] = {}
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.getreports(outcome):
            # The report of a file that cannot be collected has no properties.
            properties = dict(getattr(report, "user_properties", ()))
            if CONTRACT in properties:
                row = grid.setdefault(properties[CONTRACT], Counter())
                row["failed" if outcome == "error" else outcome] += 1
    if not grid:
        return
    terminalreporter.write_sep("=", "the gateways' contract")
    width = max(len(server) for _, server in grid)
    line = f"{{:<10}}{{:<{width}}}{{:>8}}{{:>8}}{{:>9}}"
    heads = ("passed", "failed", "skipped")
    terminalreporter.write_line(line.format("transport", "server", *heads))
    for (transport, server), row in grid.items():
        counts = (row[head] for head in heads)
        terminalreporter.write_line(line.format(transport, server, *counts))
