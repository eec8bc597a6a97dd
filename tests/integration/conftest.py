"""One real Odoo for the whole session."""

import os
from collections import Counter
from collections.abc import Generator
from typing import NoReturn

import pytest

from .odoo_containers import Unavailable, odoo_in_containers
from .odoo_server import OdooServer, prepare

SERVER = pytest.StashKey[str]()
WALKS = pytest.StashKey[list[str]]()
"""What the walks through every model found."""


@pytest.fixture(scope="session")
def odoo_server(request: pytest.FixtureRequest) -> Generator[OdooServer]:
    """A real Odoo: the running one that is named, or else one in containers.

    ``ODOOPORT_TEST_ODOO_URL`` names a server, with ``_DB``, ``_USER`` and ``_PASSWORD``
    of an administrator; the tests write to that database. ``ODOOPORT_TEST_ODOO_IMAGE``
    names an image. What is named and fails is an error; what nobody named and cannot
    be had skips the tests.
    """
    url = os.environ.get("ODOOPORT_TEST_ODOO_URL")
    if url:
        server = prepare(
            url.rstrip("/"),
            os.environ.get("ODOOPORT_TEST_ODOO_DB", "odoo"),
            os.environ.get("ODOOPORT_TEST_ODOO_USER", "admin"),
            os.environ.get("ODOOPORT_TEST_ODOO_PASSWORD", "admin"),
            origin="ODOOPORT_TEST_ODOO_URL",
        )
        request.config.stash[SERVER] = str(server)
        yield server
        return
    image = os.environ.get("ODOOPORT_TEST_ODOO_IMAGE")
    try:
        with odoo_in_containers(image) as server:
            request.config.stash[SERVER] = str(server)
            yield server
    except Unavailable as error:
        if image:
            raise
        _skip(request, str(error))


def _skip(request: pytest.FixtureRequest, reason: str) -> NoReturn:
    request.config.stash[SERVER] = f"SKIPPED: {reason}"
    pytest.skip(reason)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say which server the tests ran on, and what was skipped; ``-q`` hides neither."""
    if SERVER not in config.stash:
        return
    terminalreporter.write_sep("=", "real Odoo")
    for line in (config.stash[SERVER], *config.stash.get(WALKS, [])):
        terminalreporter.write_line(line)
    reasons: Counter[str] = Counter()
    for report in terminalreporter.getreports("skipped"):
        if report.nodeid.startswith("tests/integration/"):
            _, _, reason = report.longrepr
            reasons[reason.removeprefix("Skipped: ")] += 1
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} skipped: {reason}")
