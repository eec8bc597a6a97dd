"""What the README and ``examples/`` show is run as it stands there."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from odooport_adapters import MemoryGateway, wire_app
from odooport_runtime.serving import listen

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> str:
    """Run Python on the arguments, and answer what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def odoo_address(demo_gateway: MemoryGateway) -> Iterator[str]:
    """The address of something that speaks Odoo's wire."""
    with listen("127.0.0.1", 0) as listener:
        config = uvicorn.Config(
            wire_app(demo_gateway), log_config=None, timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield "http://{}:{}".format(*listener.getsockname())
        server.should_exit = True
        thread.join()


def test_the_library_does_what_the_readme_shows() -> None:
    (block,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    assert "MemoryGateway.demo()" in block
    assert len(run("-c", block).splitlines()) == 3


def test_the_library_example_works_on_a_server(odoo_address: str) -> None:
    script = ROOT / "examples" / "library.py"
    said = run(str(script), odoo_address, "demo", "demo", "demo")
    assert "found 1, in Belgium" in said
    assert "invalid_request: " in said
    assert "The closest are 'Belgium'" in said
    assert said.endswith("archived, then deleted\n")


def test_the_typed_example_works_with_the_classes_it_asks_for(
    odoo_address: str, tmp_path: Path
) -> None:
    """As a user does it: the classes beside the program, from the Odoo it talks to."""
    models = tmp_path / "models.py"
    generate = ["schema", "generate", "res.partner", "--demo", "--out", str(models)]
    run("-m", "odooport_cli.main", *generate)
    script = tmp_path / "typed.py"
    script.write_text((ROOT / "examples" / "typed.py").read_text("utf-8"), "utf-8")
    said = run(str(script), odoo_address, "demo", "admin", "admin")
    assert said == "Ada Lovelace in Belgium\narchived, then deleted\n"
