"""The command ``odooport``, as people use it."""

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from odooport.model import ServerVersion
from odooport.ports import OdooGateway
from odooport_adapters import MemoryGateway, wire_app
from odooport_cli.card import base_address
from odooport_cli.main import main
from odooport_runtime.serving import listen
from odooport_security import SqliteKeyStore

PATIENCE = 60.0
"""Seconds after which a process that hangs is a failure; none should take a tenth."""

ENDINGS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment without any Odoo, with a state directory of its own."""
    for name in list(os.environ):
        if name.startswith("ODOO"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ODOOPORT_STATE", str(tmp_path / "state"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return dict(os.environ)


@pytest.fixture
def odooport(
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Outcome]:
    """Runs a command in this process, which keeps its own ways with signals."""
    ways = {number: signal.getsignal(number) for number in ENDINGS}

    def run(line: str, **variables: str) -> Outcome:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as left:
            main(shlex.split(line))
        for number, way in ways.items():
            signal.signal(number, way)
        out, err = capsys.readouterr()
        code = left.value.code
        assert code is None or isinstance(code, int)
        return Outcome(code or 0, out, err)

    return run


# Keys


def test_a_new_key_is_the_only_thing_on_stdout_and_opens_the_store(
    odooport, tmp_path: Path
):
    made = odooport("keys create 'web shop' --role editor")

    assert made.status == 0
    store = SqliteKeyStore(tmp_path / "state" / "keys.db")
    key = asyncio.run(store.verify(made.out.strip()))
    store.close()
    assert key is not None
    assert (key.name, key.role) == ("web shop", "editor")
    assert key.expires_at is not None
    assert round((key.expires_at - key.created_at).total_seconds() / 86_400) == 90
    assert "cannot be shown again" in made.err


def test_the_list_shows_keys_without_their_secrets(odooport):
    token = odooport("keys create shop --role reader").out.strip()
    _, key_id, secret = token.split("_", 2)

    listed = odooport("keys list")

    heading, row = listed.out.splitlines()
    assert heading.split()[:3] == ["ID", "NAME", "ROLE"]
    assert row.split()[:3] == [key_id, "shop", "reader"]
    assert row.endswith("valid")
    assert secret not in listed.out


def test_a_revoked_key_is_listed_as_such(odooport):
    key_id = odooport("keys create shop --role reader").out.split("_")[1]

    assert key_id in odooport(f"keys revoke {key_id}").out
    assert "revoked" in odooport("keys list").out.splitlines()[1]


def test_without_keys_the_list_says_how_to_make_one(odooport):
    assert "keys create" in odooport("keys list").out


# What is wrong is one line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("keys creat", "'create'"),
        ("keys list --verbos", "--verbos"),
        ("--prot", "--prot"),
        ("keys create", "'name'"),
        ("keys create shop", "--role"),
        ("keys create shop --role boss", "'reader', 'editor', 'full'"),
        ("keys create shop --role reader --expires soon", "90d"),
        ("keys create shop --role reader --expires 0d", "90d"),
        ("keys create shop --role reader --expires 99999y", "never"),
        ("keys create $'a' --role reader", "name of a key"),
        ("keys create '' --role reader", "name of a key"),
        ("keys revoke nope", "'nope'"),
        ("demo --port 70000", "--port"),
        ("demo --port http", "--port"),
        ("serve", "ODOO_URL, ODOO_DB, ODOO_USER, ODOO_API_KEY"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(odooport, line: str, told: str):
    outcome = odooport(line)

    assert outcome.status in (1, 2)
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.startswith("odooport: ")
    assert told in outcome.err


def test_a_wrong_setting_is_told_in_one_line(odooport):
    outcome = odooport("serve", ODOOPORT_TRANSPORT="soap")

    assert (outcome.status, len(outcome.err.splitlines())) == (1, 1)
    assert "ODOOPORT_TRANSPORT" in outcome.err


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_in_use_is_told_in_one_line(odooport, command: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = odooport(f"{command} --port {port}", ODOOPORT_TRANSPORT="memory")

    assert (outcome.status, len(outcome.err.splitlines())) == (1, 1)
    assert str(port) in outcome.err


def test_a_port_in_use_is_told_by_the_fake_odoo(odooport):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = odooport(f"fake-odoo --port {port}")

    assert (outcome.status, len(outcome.err.splitlines())) == (1, 1)
    assert "--port" in outcome.err


def test_the_line_on_the_card_of_the_fake_odoo_works_when_pasted(environ):
    command = [sys.executable, "-m", "odooport_cli.main", "fake-odoo", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    ) as server:
        assert server.stdout is not None
        line = next(line for line in server.stdout if "python3 -c" in line)
        pasted = [sys.executable, *shlex.split(line)[1:]]
        done = subprocess.run(pasted, capture_output=True, text=True, timeout=PATIENCE)
        server.send_signal(signal.SIGINT)
        _, err = server.communicate(timeout=PATIENCE)
    assert int(done.stdout) > 30
    assert (server.returncode, err) == (0, "")


def test_without_a_command_the_commands_are_shown(odooport):
    outcome = odooport("")

    assert outcome.status == 0
    for command in ("demo", "serve", "doctor", "keys", "fake-odoo"):
        assert command in outcome.out


def test_the_version_is_shown(odooport):
    assert re.fullmatch(r"odooport \d+\.\d+\.\d+\n", odooport("--version").out)


def test_listing_keys_loads_no_server():
    code = (
        "import sys, odooport_cli.main; "
        "print([name for name in ('mcp', 'uvicorn', 'fastapi', 'httpx2')"
        " if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout.strip() == "[]"


# Doctor


MEMORY = {"ODOOPORT_TRANSPORT": "memory"}


def test_the_doctor_finds_nothing_wrong_with_a_working_odoo(odooport):
    odooport("keys create shop --role reader")
    outcome = odooport("doctor", **MEMORY)

    assert outcome.status == 0
    assert "✗" not in outcome.out
    for step in ("Settings", "Connection", "Version", "Login", "Rights", "API keys"):
        assert f"✓ {step}: " in outcome.out


def test_the_doctor_says_that_there_is_no_key_yet(odooport):
    outcome = odooport("doctor", **MEMORY)

    assert outcome.status == 0
    assert "! API keys: none is valid" in outcome.out


def test_the_doctor_names_what_is_not_set(odooport):
    outcome = odooport("doctor", ODOO_URL="https://odoo.example.com")

    assert outcome.status == 1
    assert outcome.out.startswith("✗ Settings: ")
    assert "ODOO_DB, ODOO_USER, ODOO_API_KEY" in outcome.out


def test_the_doctor_stops_at_a_refused_login(odooport):
    outcome = odooport("doctor", **MEMORY, ODOO_USER="admin", ODOO_PASSWORD="s3cr3t")

    assert outcome.status == 1
    *_, last = outcome.out.splitlines()
    assert last.startswith("✗ Login: ")
    assert "two-factor" in last or "API key" in last
    assert "s3cr3t" not in outcome.out + outcome.err


def odoo_at(url: str) -> dict[str, str]:
    return {
        "ODOO_URL": url,
        "ODOO_DB": "prod",
        "ODOO_USER": "ana",
        "ODOO_API_KEY": "s3cr3t",
    }


@pytest.mark.parametrize("transport", ["auto", "jsonrpc", "xmlrpc"])
def test_the_doctor_says_that_nobody_listens(odooport, transport: str):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    outcome = odooport(
        "doctor", **odoo_at(f"http://127.0.0.1:{port}"), ODOOPORT_TRANSPORT=transport
    )

    assert outcome.status == 1
    assert outcome.out.splitlines()[-1].startswith("✗ Connection: Nothing listens")


class Odoo17(MemoryGateway):
    """An Odoo that is not the one that Odooport is made for."""

    async def version(self, instance: str) -> ServerVersion:
        return ServerVersion("17.0", (17, 0))


@pytest.fixture
def wire() -> Iterator[Callable[[OdooGateway], str]]:
    """Puts a gateway behind Odoo's wire, and answers where that is."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(gateway: OdooGateway) -> str:
        listener = listen("127.0.0.1", 0)
        server = uvicorn.Server(
            uvicorn.Config(
                wire_app(gateway, database="demo"), log_config=None, lifespan="off"
            )
        )
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join()


def demo_at(url: str, **changes: str) -> dict[str, str]:
    login = {"ODOO_DB": "demo", "ODOO_USER": "admin", "ODOO_PASSWORD": "admin"}
    return {"ODOO_URL": url, **login, **changes}


@pytest.mark.parametrize("transport", ["auto", "jsonrpc", "xmlrpc"])
def test_the_doctor_speaks_with_an_odoo_over_the_wire(odooport, wire, transport: str):
    url = wire(MemoryGateway.demo())
    outcome = odooport("doctor", **demo_at(url), ODOOPORT_TRANSPORT=transport)

    assert outcome.status == 0
    assert f"✓ Address: {url}" in outcome.out
    assert "✓ Login: 'admin' in database 'demo'" in outcome.out
    told = "✓ Transport: sessions of the web client" in outcome.out
    assert told == (transport == "auto")


def test_the_doctor_says_that_there_is_no_such_database(odooport, wire):
    url = wire(MemoryGateway.demo())
    outcome = odooport("doctor", **demo_at(url, ODOO_DB="other"))

    assert outcome.status == 1
    assert "'other'" in outcome.out.splitlines()[-1]


def test_the_doctor_says_that_it_is_another_odoo(odooport, wire):
    outcome = odooport("doctor", **demo_at(wire(Odoo17.demo())))

    assert "! Version: this is Odoo 17.0" in outcome.out
    assert outcome.status == 0


class _Page(BaseHTTPRequestHandler):
    """Answers every question with a page, as a web server that is no Odoo does."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"<p/>")

    def log_message(self, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def web_page() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("transport", ["auto", "jsonrpc", "xmlrpc"])
def test_the_doctor_says_that_it_is_no_odoo(odooport, web_page: str, transport: str):
    outcome = odooport("doctor", **odoo_at(web_page), ODOOPORT_TRANSPORT=transport)

    assert outcome.status == 1
    assert outcome.out.splitlines()[-1].startswith("✗ Odoo: something answers")


def test_the_doctor_says_that_it_is_not_tls(odooport, web_page: str):
    secure = web_page.replace("http://", "https://")
    outcome = odooport("doctor", **odoo_at(secure))

    assert outcome.status == 1
    assert "TLS" in outcome.out.splitlines()[-1]


def test_the_doctor_warns_of_a_way_that_is_not_encrypted(odooport):
    allowed = {"ODOOPORT_ALLOW_HTTP": "odoo.invalid"}
    outcome = odooport("doctor", **odoo_at("http://odoo.invalid"), **allowed)

    assert "! Address: http://odoo.invalid is not encrypted" in outcome.out
    assert outcome.status == 1


def test_the_doctor_says_that_such_a_way_must_be_allowed(odooport):
    outcome = odooport("doctor", **odoo_at("http://odoo.invalid"))

    assert outcome.out.startswith("✗ Settings: ")
    assert "ODOOPORT_ALLOW_HTTP to 'odoo.invalid'" in outcome.out
    assert outcome.status == 1


def test_the_doctor_names_the_file_that_settings_came_from(odooport):
    Path(".env").write_text("ODOOPORT_TRANSPORT=memory\n")

    assert str(Path.cwd() / ".env") in odooport("doctor").out


# Demo and serve, as processes


@dataclass
class Served:
    """A service that runs, and what it said of itself."""

    process: subprocess.Popen[str]
    card: str

    @property
    def base(self) -> str:
        found = re.search(r"REST +(http\S+)/v1", self.card)
        assert found is not None
        return found[1]

    def end(self, number: signal.Signals) -> Outcome:
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        return Outcome(self.process.returncode, out, err)


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Served]]:
    running: list[subprocess.Popen[str]] = []
    (tmp_path / "tmp").mkdir()

    def started(*arguments: str, **variables: str) -> Served:
        log = tmp_path / "card"
        with log.open("w") as card:
            process = subprocess.Popen(
                [sys.executable, "-m", "odooport_cli.main", *arguments, "--port", "0"],
                stdout=subprocess.PIPE if arguments[0] == "demo" else card,
                stderr=card if arguments[0] == "demo" else subprocess.PIPE,
                text=True,
                env={**environ, "TMPDIR": str(tmp_path / "tmp"), **variables},
            )
        running.append(process)
        said = process.stdout if arguments[0] == "demo" else process.stderr
        assert said is not None
        lines: list[str] = []
        for line in said:
            lines.append(line)
            if line.startswith(("Ctrl-C", "  Key   none", "  Key   as")):
                break
        return Served(process, "".join(lines))

    yield started
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_the_demos_card_works_line_by_line_and_ctrl_c_ends_it(start, tmp_path: Path):
    demo = start("demo")
    docs = re.search(r"try it: (\S+)\)", demo.card)
    assert docs is not None
    assert httpx2.get(docs[1]).status_code == 200

    (line,) = (line for line in demo.card.splitlines() if line.startswith("  curl "))
    command = shlex.split(line)
    if shutil.which("curl"):
        done = subprocess.run([*command, "-s"], capture_output=True, text=True)
        answer = json.loads(done.stdout)
    else:
        name, _, value = command[2].partition(": ")
        answer = httpx2.get(command[3], headers={name: value}).json()
    assert [set(record) for record in answer["records"]] == [
        {"id", "name", "email"}
    ] * 3

    assert list((tmp_path / "tmp").iterdir()) != []
    ended = demo.end(signal.SIGINT)
    assert ended.status == 0
    assert "Traceback" not in (tmp_path / "card").read_text()
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_the_demos_mcp_configuration_connects_an_agent(start):
    demo = start("demo")
    block = demo.card[demo.card.index("{") : demo.card.rindex("}") + 1]
    server = json.loads(block)["mcpServers"]["odooport"]

    async with (
        httpx2.AsyncClient(headers=server["headers"]) as http,
        Client(streamable_http_client(server["url"], http_client=http)) as client,
    ):
        tools = await client.list_tools()
        answer = await client.call_tool("whoami")

    assert len(tools.tools) == 16
    assert answer.structured_content is not None
    assert answer.structured_content["role"] == "full"


def test_a_demo_that_is_told_to_end_tidies_up(start, tmp_path: Path):
    demo = start("demo")

    assert demo.end(signal.SIGTERM).status == 0
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_demo_leaves_the_state_directory_alone(start, tmp_path: Path):
    start("demo").end(signal.SIGINT)

    assert not (tmp_path / "state").exists()


def test_a_key_that_is_revoked_stops_at_the_running_service(start, odooport):
    token = odooport("keys create shop --role reader").out.strip()
    served = start("serve", **MEMORY)
    me, bearer = f"{served.base}/v1/me", {"Authorization": f"Bearer {token}"}

    assert httpx2.get(me, headers=bearer).json()["role"] == "reader"
    odooport(f"keys revoke {token.split('_')[1]}")
    assert httpx2.get(me, headers=bearer).status_code == 401
    assert httpx2.post(f"{served.base}/mcp", headers=bearer, json={}).status_code == 401

    ended = served.end(signal.SIGINT)
    assert ended.status == 0
    assert "Traceback" not in ended.err


def test_serving_without_a_key_says_how_to_make_one(start):
    served = start("serve", **MEMORY)

    assert "odooport keys create" in served.card
    assert httpx2.get(f"{served.base}/v1/me").status_code == 401


def test_what_was_called_is_in_the_log_and_in_the_audit(
    start, odooport, tmp_path: Path
):
    token = odooport("keys create shop --role reader").out.strip()
    served = start("serve", **MEMORY)
    httpx2.get(
        f"{served.base}/v1/models/res.partner/records",
        headers={"Authorization": f"Bearer {token}", "X-Request-Id": "mine-1"},
    )
    err = served.end(signal.SIGTERM).err

    calls = [json.loads(line) for line in err.splitlines() if '"call"' in line]
    assert [(call["request_id"], call["method"]) for call in calls] == [
        ("mine-1", "search_read")
    ]
    (kept,) = (tmp_path / "state" / "audit").iterdir()
    audit = kept.read_text().splitlines()
    told = [json.loads(line).get("request_id") for line in audit]
    assert [name for name in told if name] == ["mine-1"]
    assert token.split("_", 2)[2] not in err + "".join(audit)


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("127.0.0.1", "http://127.0.0.1:8770"),
        ("0.0.0.0", "http://127.0.0.1:8770"),
        ("::1", "http://[::1]:8770"),
        ("::", "http://127.0.0.1:8770"),
    ],
)
def test_the_card_names_an_address_that_can_be_reached(host: str, base: str):
    assert base_address(host, 8770) == base
