"""Tells at the end what checked the generated code, and what could not."""

import pytest

SUMMARY = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the list of what the summary tells."""
    config.stash[SUMMARY] = []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was checked, or why it was not; ``-q`` hides neither."""
    if config.stash[SUMMARY]:
        terminalreporter.write_sep("=", "generated code")
        for line in config.stash[SUMMARY]:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def summary(request: pytest.FixtureRequest) -> list[str]:
    """Answer the lines that the terminal shows when all tests have run."""
    return request.config.stash[SUMMARY]
