"""What the README and ``examples/`` show is run as it stands there."""

import asyncio
import re
import shlex
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from odooport import Credentials, Odoo, OdooRefused
from odooport_adapters import MemoryGateway, wire_app
from odooport_runtime.serving import listen

ROOT = Path(__file__).parents[2]
DEMO = ("demo", "admin", "admin")


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


def generate(command: str, folder: Path) -> None:
    """Run ``schema generate …``; what it writes lands in the folder."""
    words = shlex.split(command)
    place = words.index("--out") + 1
    words[place] = str(folder / words[place])
    run("-m", "odooport_cli.main", *words)


def typed_program(folder: Path) -> str:
    """Put the typed example where the classes that it asks for are."""
    generate("schema generate res.partner --demo --out models.py", folder)
    script = folder / "typed.py"
    script.write_text((ROOT / "examples" / "typed.py").read_text("utf-8"), "utf-8")
    return str(script)


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
    said = run(typed_program(tmp_path), odoo_address, *DEMO)
    assert said == "Ada Lovelace in Belgium\narchived\ndeleted\n"


def test_the_typed_example_leaves_nothing_behind_when_it_fails(
    demo_gateway: MemoryGateway, odoo_address: str, tmp_path: Path
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OdooRefused("Not today.")

    demo_gateway.on("res.partner", "write", refuse)
    done = subprocess.run(
        [sys.executable, typed_program(tmp_path), odoo_address, *DEMO],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Not today." in done.stderr
    assert done.stdout == "Ada Lovelace in Belgium\ndeleted\n"
    odoo = Odoo.connect(demo_gateway, Credentials(*DEMO))
    left = odoo.count("res.partner", [["name", "=", "Ada Lovelace"]])
    assert asyncio.run(left) == 0


def test_the_page_about_python_is_a_program_that_runs(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "python.md").read_text("utf-8")
    (command,) = re.findall(r"```sh\nodooport (schema generate .*)\n```", text)
    generate(command, tmp_path)
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))
    program = tmp_path / "program.py"
    body = textwrap.indent(blocks, "    ")
    program.write_text(
        f"import asyncio\n\nasync def main():\n{body}\nasyncio.run(main())\n", "utf-8"
    )
    said = run("-W", "error", str(program))
    assert "Plane & Oak Furniture Belgium" in said
    assert "/country_id No 'res.country' record" in said


def test_nothing_is_logged_to_stderr_without_being_asked_for() -> None:
    program = "import logging, odooport; logging.getLogger('odooport.gate').error('!')"
    assert run("-c", program) == ""
