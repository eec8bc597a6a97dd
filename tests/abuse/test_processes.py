"""The services as processes, in a folder where somebody has planted files."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from odooport import Call, Session
from odooport_adapters import MemoryGateway, wire_app
from odooport_runtime.container import Container, shutdown
from odooport_runtime.serving import listen
from odooport_runtime.settings import load_settings
from odooport_security.secrets import new_key
from tests.abuse.files import DOTENV, PLANTED
from tests.abuse.world import OFFICE, PASSWORD, STALE, audit_of, of_http, tool_call
from tests.usecases.conftest import CountingGateway

PATIENCE = 60
"""Seconds after which something hangs."""

ROLES = """
[roles.clerk]
[[roles.clerk.rules]]
models = ["res.partner"]
allow = ["read", "write"]
hide = ["email"]
"""
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/cmdline").exists(), reason="it reads the list of processes"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Answer a folder of somebody else, with files for us in it."""
    folder = tmp_path / "planted"
    folder.mkdir()
    (folder / ".env").write_text(DOTENV, encoding="utf-8")
    (folder / "odooport.toml").write_text(PLANTED, encoding="utf-8")
    return folder


@pytest.fixture
async def odoo() -> AsyncIterator[tuple[CountingGateway, str]]:
    """Answer an Odoo behind its own wire, and its address."""
    memory = MemoryGateway.demo()
    change = Call("res.users", "write", ([2], {"password": PASSWORD}))
    await memory.execute(Session("demo", 2, "admin"), change)
    counting = CountingGateway(memory)
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        wire_app(counting, database="demo"), log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield counting, f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


@pytest.fixture
def variables(tmp_path: Path, odoo: tuple[CountingGateway, str]) -> dict[str, str]:
    """Answer what an administrator has set."""
    (tmp_path / "right.toml").write_text(ROLES, encoding="utf-8")
    return {
        "PATH": os.environ["PATH"],
        "ODOO_URL": odoo[1],
        "ODOOPORT_TRANSPORT": "jsonrpc",
        "ODOOPORT_CONFIG": str(tmp_path / "right.toml"),
        "ODOOPORT_STATE": str(tmp_path / "state"),
        "ODOOPORT_SECRET_KEY": new_key(),
        "ODOOPORT_PORT": "0",
        "ODOOPORT_LOG_LEVEL": "debug",
        "ODOO_USER": "admin",
        "ODOO_PASSWORD": PASSWORD,
        "ODOO_DB": "demo",
    }


async def made_keys(variables: dict[str, str]) -> dict[str, str]:
    """Make keys, with an Odoo identity whose secret is kept encrypted."""
    settings = load_settings(variables, Path(variables["ODOOPORT_STATE"]).parent)
    container = Container(settings=settings)
    try:
        container.identities().add("stale", "demo", secret=STALE)
        store = container.key_store()
        record, token = store.create("rotated", "full")
        return {
            "clerk": store.create("clerk", "clerk")[1],
            "office": store.create("office", "full", networks=["192.0.2.0/24"])[1],
            "stale": store.create("s", "full", identities={"default": "stale"})[1],
            "rotated": token,
            "fresh": store.rotate(record.id, timedelta())[1],
        }
    finally:
        await shutdown(container)


async def start(
    folder: Path, variables: dict[str, str], *command: str
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *command,
        cwd=folder,
        env=variables,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def lines_until(process: asyncio.subprocess.Process, event: str) -> list[Any]:
    assert process.stderr is not None
    told: list[Any] = []
    while not told or told[-1]["event"] != event:
        line = await process.stderr.readline()
        assert line, f"it never said {event!r} but {told}"
        told += logged_in(line)
    return told


def logged_in(stderr: bytes) -> list[Any]:
    """Answer the lines of the log, without what is said to people."""
    return [json.loads(line) for line in stderr.splitlines() if line[:1] == b"{"]


def command_lines() -> Iterator[bytes]:
    """Answer what everybody on this machine sees of every process."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            yield path.read_bytes()


def secrets_in(variables: dict[str, str], keys: dict[str, str]) -> list[bytes]:
    shown = [PASSWORD, STALE, variables["ODOOPORT_SECRET_KEY"]]
    shown += [token.split("_", 2)[2] for token in keys.values()]
    return [secret.encode() for secret in shown]


def state_of(variables: dict[str, str]) -> bytes:
    files = Path(variables["ODOOPORT_STATE"]).rglob("*")
    return b"\n".join(path.read_bytes() for path in files if path.is_file())


async def test_a_server_believes_no_planted_file_and_shows_no_secret(
    folder: Path, variables: dict[str, str], odoo: tuple[CountingGateway, str]
) -> None:
    keys = await made_keys(variables)
    async with asyncio.timeout(PATIENCE):
        process = await start(folder, variables, "odooport_cli.main", "serve")
        told = await lines_until(process, "listening")
        address = f"http://127.0.0.1:{told[-1]['port']}"
        codes: list[str] = []
        shown: list[str] = []
        async with httpx2.AsyncClient(base_url=address, timeout=PATIENCE) as http:
            for key, headers in (
                ("office", {"X-Forwarded-For": OFFICE}),
                ("stale", {}),
                ("clerk", {}),
                ("no such key\N{SNOWMAN}", {}),
            ):
                bearer = f"Bearer {keys.get(key, key)}".encode()
                given = {"authorization": bearer, **headers}
                call = tool_call("delete_records", {"model": "res.partner", "ids": [1]})
                for answer in (
                    await http.delete(
                        "/v1/models/res.partner/records/1", headers=given
                    ),
                    await http.post(
                        "/mcp", json=call["json"], headers={**call["headers"], **given}
                    ),
                ):
                    codes.append(of_http(answer).code)
                    shown.append(of_http(answer).text)
            shown += [
                (await http.get(path)).text for path in ("/openapi.json", "/docs")
            ]
        listed = b"\n".join(command_lines())
        process.terminate()
        out, err = await process.communicate()
    assert told[-1]["files"] == [variables["ODOOPORT_CONFIG"]]
    assert codes == [
        *["authentication_failed"] * 4,
        *["permission_denied"] * 2,
        *["authentication_failed"] * 2,
    ]
    assert {line["level"] for line in logged_in(err)} <= {"debug", "info", "warning"}
    assert b"odooport_cli.main\0serve" in listed
    everything = [*map(str.encode, shown), listed, out, err, json.dumps(told).encode()]
    everything.append(state_of(variables))
    for secret in secrets_in(variables, keys):
        assert all(secret not in place for place in everything)
    assert odoo[0].called == []
    audit = audit_of(Path(variables["ODOOPORT_STATE"]))
    assert len(list(audit.search(outcome="permission_denied"))) == 2


async def test_an_agents_process_believes_no_planted_file_and_shows_no_secret(
    folder: Path, variables: dict[str, str], odoo: tuple[CountingGateway, str]
) -> None:
    messages = [
        {"id": 1, "method": "initialize", "params": INITIALIZE},
        {"method": "notifications/initialized"},
        {
            "id": 2,
            "method": "tools/call",
            "params": {
                "name": "delete_records",
                "arguments": {"model": "res.partner", "ids": [1]},
            },
        },
    ]
    async with asyncio.timeout(PATIENCE):
        process = await start(folder, variables, "odooport_mcp_stdio.main")
        assert process.stdin is not None
        assert process.stdout is not None
        for message in messages:
            line = json.dumps({"jsonrpc": "2.0", **message})
            process.stdin.write(line.encode() + b"\n")
        answers = [await process.stdout.readline() for _ in range(2)]
        listed = b"\n".join(command_lines())
        out, err = await process.communicate()
    refused = json.loads(answers[1])["result"]
    assert refused["_meta"]["odooport/error"]["code"] == "permission_denied"
    (serving,) = [line for line in logged_in(err) if "files" in line]
    assert serving["role"] == "reader"
    assert serving["files"] == [variables["ODOOPORT_CONFIG"]]
    assert b"odooport_mcp_stdio.main" in listed
    everything = [*answers, listed, out, err, state_of(variables)]
    for secret in secrets_in(variables, {}):
        assert all(secret not in place for place in everything)
    assert odoo[0].called == []
    audit = audit_of(Path(variables["ODOOPORT_STATE"]))
    assert [line["rule"] for line in audit.search(door="mcp-stdio")] == ["role-reader"]
