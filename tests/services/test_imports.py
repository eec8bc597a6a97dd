"""What a service loads at its start; what only others need would make it wait."""

import subprocess
import sys

import pytest

LISTED = "import sys, {}; print('\\n'.join(sys.modules))"

ELSEWHERE = {
    "redis": "counting for several processes",
    "lxml": "XML-RPC",
    "typer": "the command line",
    "odooport_adapters.memory": "an Odoo in memory",
    "odooport_runtime.workers": "several workers",
    "odooport_rest": "the REST API",
}


@pytest.fixture(scope="module")
def loaded():
    listed = LISTED.format("odooport_mcp_stdio.service")
    done = subprocess.run(
        [sys.executable, "-c", listed], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ELSEWHERE)
def test_the_stdio_service_does_not_load_what_others_need(loaded, module):
    assert module not in loaded, f"it is for {ELSEWHERE[module]}"


def test_the_command_itself_loads_nothing_before_it_runs():
    listed = LISTED.format("odooport_mcp_stdio.main")
    done = subprocess.run(
        [sys.executable, "-c", listed], capture_output=True, text=True, check=True
    )
    assert "odooport_mcp_stdio.main" in done.stdout.split()
    assert "odooport" not in done.stdout.split()
