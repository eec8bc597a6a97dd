"""The REST service as a process of its own, driven over the network."""

import asyncio
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import httpx2
import pytest
import uvicorn

from odooport_adapters import MemoryGateway, wire_app
from odooport_runtime.serving import listen
from odooport_security import SqliteKeyStore

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds after which something hangs."""


@dataclass
class Service:
    """A running service."""

    process: asyncio.subprocess.Process
    state: Path
    lines: list[str] = field(default_factory=list)
    address: str = ""

    def key(self, name: str, role: str) -> str:
        keys = SqliteKeyStore(self.state / "keys.db")
        _, token = keys.create(name, role)
        keys.close()
        return token

    def client(self, key: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=PATIENCE,
            limits=httpx2.Limits(max_connections=200),
        )

    async def told(self, event: str) -> dict[str, Any]:
        """Wait until the service says something, and answer the line."""
        async with asyncio.timeout(PATIENCE):
            assert self.process.stderr is not None
            while line := await self.process.stderr.readline():
                self.lines.append(line.decode())
                if (told := json.loads(line))["event"] == event:
                    return told
        raise AssertionError(f"It never said {event!r} but {self.lines}")

    async def stop(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        async with asyncio.timeout(PATIENCE):
            assert self.process.stderr is not None
            while line := await self.process.stderr.readline():
                self.lines.append(line.decode())
            return await self.process.wait()


async def start(state: Path, *command: str, **variables: str) -> Service:
    """Start a service with no settings but these."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ODOO_", "ODOOPORT_"))
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(command or ("-m", "odooport_rest.main")),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        cwd=state,
        env={**mine, "ODOOPORT_STATE": str(state), "ODOOPORT_PORT": "0", **variables},
    )
    return Service(process, state)


@asynccontextmanager
async def serving(state: Path, **variables: str) -> AsyncIterator[Service]:
    """Start a service, wait until it listens, and see that it ends."""
    service = await start(state, **variables)
    try:
        listening = await service.told("listening")
        service.address = f"http://127.0.0.1:{listening['port']}"
        yield service
    finally:
        if service.process.returncode is None:
            service.process.kill()
            await service.ended()


@pytest.fixture
async def service(tmp_path):
    async with serving(tmp_path, ODOOPORT_TRANSPORT="memory") as service:
        yield service


async def test_a_contact_lives_and_dies_over_the_network(service):
    async with service.client(service.key("shop", "full")) as http:
        me = (await http.get("/v1/me")).json()
        assert (me["principal"], me["role"]) == ("shop", "full")
        created = await http.post(
            "/v1/models/res.partner/records?fields=name,country_id",
            json={"name": "Zoë", "country_id": "Belgium"},
        )
        assert created.status_code == 201
        place = created.headers["Location"]
        assert created.json()["name"] == "Zoë"
        assert created.json()["country_id"]["name"] == "Belgium"
        changed = await http.patch(f"{place}?fields=city", json={"city": "Gent"})
        assert changed.json()["city"] == "Gent"
        refused = await http.patch(place, json={"country_id": "Belgum"})
        assert refused.status_code == 422
        assert refused.json()["code"] == "invalid_request"
        assert "The closest are 'Belgium'" in refused.json()["detail"]
        assert (await http.delete(place)).status_code == 204
        assert (await http.get(place)).status_code == 404
        assert (await http.get("/ready")).json() == {"status": "ready"}
    assert await service.stop(signal.SIGTERM) == 0
    events = [json.loads(line) for line in service.lines]
    assert {event["outcome"] for event in events if event["event"] == "call"} >= {"ok"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_without_a_word_too_many(service, number):
    async with service.client(service.key("shop", "reader")) as http:
        assert (await http.get("/v1/me")).status_code == 200
        assert await service.stop(number) == 0
    assert not [line for line in service.lines if "Traceback" in line]
    assert {json.loads(line)["level"] for line in service.lines} <= {"info", "debug"}


async def test_keys_used_at_once_are_never_mixed_up(service):
    keys = {name: service.key(name, role) for name, role in ROLES.items()}

    async def ask(name: str) -> tuple[str, str, int]:
        async with service.client(keys[name]) as http:
            me = (await http.get("/v1/me")).json()
            created = await http.post("/v1/models/res.partner/records", json={
                "name": name,
            })  # fmt: skip
            return me["principal"], me["role"], created.status_code

    answers = await asyncio.gather(*(ask(name) for name in [*ROLES] * 15))
    expected = {"reads": ("reads", "reader", 403), "edits": ("edits", "editor", 201)}
    assert answers == [expected[name] for name in [*ROLES] * 15]


ROLES = {"reads": "reader", "edits": "editor"}


@dataclass
class SlowOdoo:
    """An Odoo whose confirmations take until they are told to end."""

    gateway: MemoryGateway = field(default_factory=MemoryGateway.demo)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.gateway.on("sale.order", "action_confirm", self.confirm)

    async def confirm(self, *args: Any) -> bool:
        self.began.set()
        await self.may_end.wait()
        return True


@pytest.fixture
async def slow():
    """A slow Odoo, and the service in front of it, over Odoo's own wire."""
    return SlowOdoo()


@pytest.fixture
async def in_front(slow, tmp_path):
    with listen("127.0.0.1", 0) as listener:
        config = uvicorn.Config(wire_app(slow.gateway), log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        port = listener.getsockname()[1]
        async with serving(
            tmp_path,
            ODOO_URL=f"http://127.0.0.1:{port}",
            ODOO_DB="demo",
            ODOO_USER="admin",
            ODOO_PASSWORD="admin",
        ) as service:
            yield service
        slow.may_end.set()
        server.should_exit = True
        await running


async def test_fifty_reads_behind_a_slow_call_are_not_delayed(in_front, slow):
    async with in_front.client(in_front.key("shop", "full")) as http:
        confirming = asyncio.create_task(
            http.post("/v1/models/sale.order/methods/action_confirm", json={"ids": [1]})
        )
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
            reads = await asyncio.gather(
                *(http.get("/v1/models/res.partner/records?limit=1") for _ in range(50))
            )
            assert not confirming.done()
            slow.may_end.set()
            answer = await confirming
    assert {read.status_code for read in reads} == {200}
    assert answer.json() == {"result": True}


async def test_a_signal_lets_a_running_call_end(in_front, slow):
    async with in_front.client(in_front.key("shop", "full")) as http:
        confirming = asyncio.create_task(
            http.post("/v1/models/sale.order/methods/action_confirm", json={"ids": [1]})
        )
        async with asyncio.timeout(PATIENCE):
            await slow.began.wait()
            in_front.process.send_signal(signal.SIGTERM)
            await in_front.told("stopping")
            slow.may_end.set()
            answer = await confirming
            assert await in_front.ended() == 0
    assert answer.json() == {"result": True}


async def test_an_odoo_that_is_not_there_is_said(tmp_path):
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    async with serving(
        tmp_path,
        ODOO_URL=f"http://127.0.0.1:{port}",
        ODOO_DB="demo",
        ODOO_USER="admin",
        ODOO_PASSWORD="admin",
    ) as service:
        async with service.client(service.key("shop", "full")) as http:
            for answer in [await http.get("/ready"), await http.get("/v1/me")]:
                assert answer.status_code == 503
                assert answer.json()["code"] == "gateway_unavailable"
                assert str(port) not in answer.text
            assert (await http.get("/health")).status_code == 200
        assert await service.stop(signal.SIGTERM) == 0


# What stops it before it begins


async def test_missing_settings_are_one_line(tmp_path):
    service = await start(tmp_path)
    assert await service.ended() == 2
    (line,) = service.lines
    assert line.startswith("odooport-rest: ")
    assert "ODOO_URL" in line


async def test_a_wrong_setting_is_one_line(tmp_path):
    service = await start(tmp_path, ODOOPORT_PORT="http")
    assert await service.ended() == 2
    (line,) = service.lines
    assert "ODOOPORT_PORT" in line


async def test_a_port_in_use_is_one_line(tmp_path):
    with listen("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        service = await start(tmp_path, ODOOPORT_TRANSPORT="memory", ODOOPORT_PORT=port)
        assert await service.ended() == 2
    (line,) = service.lines
    assert port in line
    assert "ODOOPORT_PORT" in line


async def test_an_address_of_another_machine_is_one_line(tmp_path):
    service = await start(
        tmp_path, ODOOPORT_TRANSPORT="memory", ODOOPORT_HOST="192.0.2.1"
    )
    assert await service.ended() == 2
    (line,) = service.lines
    assert "ODOOPORT_HOST" in line


# What the docs promise


@pytest.mark.parametrize(("role", "end"), [("full", "deleted"), ("editor", "archived")])
async def test_the_example_runs(service, role, end):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples" / "rest_client.py"),
        service.address,
        service.key("example", role),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0
    lines = output.decode().splitlines()
    assert lines[0].startswith(f"example ({role}) acts as ")
    assert "created Ada Lovelace of Belgium at /v1/models/" in output.decode()
    assert lines[-2].startswith("422 invalid_request: ")
    assert "The closest are 'Belgium'" in lines[-2]
    assert lines[-1] == end


def curl_lines() -> list[str]:
    pages = [ROOT / "docs" / name for name in ("api.md", "bad-days.md")]
    text = "".join(page.read_text("utf-8") for page in pages)
    return re.findall(r"^curl .+$", text, re.MULTILINE)


def parse_curl(line: str) -> tuple[str, str, dict[str, str], str | None]:
    """Answer method, address, headers and body of a curl line, as curl reads it."""
    _, *words = shlex.split(line)
    method, address, headers, body = "GET", "", dict[str, str](), None
    while words:
        match words.pop(0):
            case "-i":
                pass
            case "-X":
                method = words.pop(0)
            case "-H":
                name, _, value = words.pop(0).partition(": ")
                headers[name] = value
            case "--json":
                body = words.pop(0)
                headers["Content-Type"] = "application/json"
                method = "POST" if method == "GET" else method
            case word:
                address = word
    return method, address, headers, body


REFUSED = {"Belgum": 422, "Schema-Fingerprint: 0": 412, "If-None-Match": 304}
"""The lines of the docs that show no success, by a part of them, with the status."""


async def test_every_curl_line_of_the_docs_works(service):
    known = {"KEY": service.key("docs", "full")}
    lines = curl_lines()
    assert len(lines) > 10
    async with httpx2.AsyncClient(timeout=PATIENCE) as http:
        for line in lines:
            method, address, headers, body = parse_curl(line)
            answer = await http.request(
                method,
                address.replace("http://127.0.0.1:8770", service.address),
                headers={
                    name: Template(value).substitute(known)
                    for name, value in headers.items()
                },
                content=body,
            )
            known["TAG"] = answer.headers.get("ETag", "")
            marked = [status for part, status in REFUSED.items() if part in line]
            expected = marked or [200, 201]
            assert answer.status_code in expected, (line, answer.text)
