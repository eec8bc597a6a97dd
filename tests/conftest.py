"""What several folders of tests share: an Odoo in memory, and a real one if asked."""

from datetime import UTC, datetime

import pytest

from odooport_adapters.memory import MemoryGateway

NOON = datetime(2026, 3, 18, 12, 0, 0, 250_000, tzinfo=UTC)
"""The moment of every call to the Odoo in memory, unless a test says otherwise."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the contract suite run against a real Odoo 18 with demo data as well."""
    group = parser.getgroup("odoo", "a real Odoo 18")
    group.addoption("--odoo-url", help="its address, such as http://127.0.0.1:8069")
    group.addoption("--odoo-database", default="odoo18", help="the database's name")


@pytest.fixture
def demo_gateway() -> MemoryGateway:
    """A fresh Odoo in memory with the demo company, where it is always noon."""
    return MemoryGateway.demo(clock=lambda: NOON)
