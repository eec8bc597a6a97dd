"""A REST service with an Odoo in memory, in a process of its own, and Node.js."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from odooport_security import SqliteKeyStore

SECONDS_TO_START = 60
SUMMARY = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the list of what the summary tells."""
    config.stash[SUMMARY] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how much was tried, or why it was not; ``-q`` hides neither."""
    if config.stash[SUMMARY]:
        terminalreporter.write_sep("=", "REST clients")
        for line in config.stash[SUMMARY]:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def summary(request: pytest.FixtureRequest) -> list[str]:
    """Answer the lines that the terminal shows when all tests have run."""
    return request.config.stash[SUMMARY]


@dataclass
class Service:
    """A running service.

    Attributes:
        address: Where it listens.
        key: A key that may do everything.
        events: What it says on stderr, as far as it has been read.
    """

    address: str
    key: str
    events: list[str] = field(default_factory=list)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The command ``odooport-rest``, which no budget slows down."""
    state = tmp_path / "state"
    state.mkdir()
    keys = SqliteKeyStore(state / "keys.db")
    _, key = keys.create("clients", "full")
    keys.close()
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ODOO_", "ODOOPORT_"))
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "odooport_rest.main"],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=state,
        env={
            **mine,
            "ODOOPORT_STATE": str(state),
            "ODOOPORT_PORT": "0",
            "ODOOPORT_TRANSPORT": "memory",
            "ODOOPORT_RATE_LIMIT": "100000000/minute",
            "ODOOPORT_ADDRESS_RATE_LIMIT": "100000000/minute",
            "ODOOPORT_FAILED_LOGINS": "100000000",
        },
    )
    assert process.stderr is not None
    listens = threading.Event()
    lines: list[str] = []
    service = Service("", key)

    def listen(stderr: Iterator[str]) -> None:
        for line in stderr:
            lines.append(line)
            told = json.loads(line) if line.startswith("{") else {"event": line}
            service.events.append(told["event"])
            if told["event"] == "listening":
                service.address = f"http://127.0.0.1:{told['port']}"
                listens.set()

    listener = threading.Thread(target=listen, args=(process.stderr,))
    listener.start()
    try:
        assert listens.wait(SECONDS_TO_START), lines
        del lines[:]
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS_TO_START)
        listener.join(SECONDS_TO_START)
        process.stderr.close()
