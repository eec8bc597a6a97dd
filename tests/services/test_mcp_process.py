"""The MCP services as processes, driven by the SDK's client over stdio and HTTP."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from odooport import AuthenticationFailed, GatewayUnavailable, PermissionDenied
from odooport_mcp.client import connect
from odooport_security import SqliteKeyStore

EXAMPLES = Path(__file__).parents[2] / "examples"
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the tests send POSIX signals"
)


def environment(state: Path, **more: str) -> dict[str, str]:
    """Answer the variables of a service over the Odoo in memory."""
    return {
        "PATH": os.environ["PATH"],
        "ODOOPORT_TRANSPORT": "memory",
        "ODOOPORT_STATE": str(state),
        "ODOOPORT_PORT": "0",
        **more,
    }


@dataclass(frozen=True)
class Service:
    """A running HTTP service, with a key of each role that the tests use."""

    process: subprocess.Popen[str]
    state: Path
    url: str
    reader: str
    full: str


@contextmanager
def serving(state: Path) -> Iterator[Service]:
    """Run the HTTP service with a state directory of its own."""
    store = SqliteKeyStore(state / "keys.db")
    _, reader = store.create("reading", "reader")
    _, full = store.create("doing", "full")
    store.close()
    with subprocess.Popen(
        [sys.executable, "-m", "odooport_mcp_http.main"],
        cwd=state,
        env=environment(state),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        told: dict[str, Any] = {}
        while told.get("event") != "listening":
            line = process.stderr.readline()
            assert line, "the service ended"
            told = json.loads(line)
        draining = threading.Thread(target=process.stderr.read)
        draining.start()
        yield Service(process, state, f"http://127.0.0.1:{told['port']}", reader, full)
        process.terminate()
        draining.join()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Answer one HTTP service for all tests that leave it as it is."""
    with serving(tmp_path_factory.mktemp("service")) as running:
        yield running


@asynccontextmanager
async def client_of(url: str, key: str, mode: str = "auto") -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as it,
    ):
        yield it


async def whoami(client: Client) -> dict[str, Any]:
    result = await client.call_tool("whoami")
    assert not result.is_error
    assert result.structured_content is not None
    return result.structured_content


# HTTP


@pytest.mark.parametrize(("mode", "era"), [("auto", "2026"), ("legacy", "2025")])
async def test_http_serves_both_eras(service: Service, mode: str, era: str):
    async with client_of(service.url, service.full, mode) as client:
        assert str(client.protocol_version).startswith(era)
        assert len((await client.list_tools()).tools) == 16
        me = await whoami(client)
        assert (me["principal"], me["door"]) == ("doing", "mcp-http")
        made = await client.call_tool(
            "create_records", {"model": "res.partner", "records": [{"name": "Ada"}]}
        )
        assert not made.is_error


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_two_users_at_once_never_see_each_others_identity(
    service: Service, mode: str
):
    async def ask(key: str) -> set[tuple[str, str]]:
        async with client_of(service.url, key, mode) as client:
            answers = await asyncio.gather(*[whoami(client) for _ in range(20)])
        return {(answer["principal"], answer["role"]) for answer in answers}

    reading, doing = await asyncio.gather(ask(service.reader), ask(service.full))
    assert reading == {("reading", "reader")}
    assert doing == {("doing", "full")}


async def test_one_connection_serves_each_request_for_its_own_key(service: Service):
    async with httpx2.AsyncClient() as http:
        for key, name in [(service.reader, "reading"), (service.full, "doing")] * 2:
            answer = await http.post(
                f"{service.url}/mcp",
                headers={
                    "authorization": f"Bearer {key}",
                    "accept": "application/json, text/event-stream",
                    "mcp-protocol-version": "2026-07-28",
                    "mcp-method": "tools/call",
                    "mcp-name": "whoami",
                    "x-request-id": "of-mine",
                },
                json={
                    "jsonrpc": "2.0",
                    "id": 1,
                    "method": "tools/call",
                    "params": {"name": "whoami", "arguments": {}, "_meta": MODERN},
                },
            )
            assert answer.status_code == 200
            assert answer.headers["x-request-id"] == "of-mine"
            assert answer.json()["result"]["structuredContent"]["principal"] == name


@pytest.mark.parametrize(
    ("authorization", "challenge"),
    [
        (None, 'Bearer realm="odooport"'),
        ("Basic YTpi", 'Bearer realm="odooport"'),
        ("Bearer", 'Bearer realm="odooport"'),
        ("Bearer odp_x", 'Bearer realm="odooport", error="invalid_token"'),
    ],
)
async def test_nobody_comes_in_without_a_valid_key(
    service: Service, authorization: str | None, challenge: str
):
    headers = {} if authorization is None else {"authorization": authorization}
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{service.url}/mcp", headers=headers, json={})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == challenge
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "/problems/authentication_failed"
    assert problem["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "evil.example:8770"}, 421),
        ({"host": "localhost.evil.example"}, 421),
        ({"host": "["}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[evil"}, 403),
        ({"host": "LOCALHOST:8770", "origin": "http://localhost:6274"}, 403),
        ({"host": "192.0.2.7:8770"}, 421),
        ({"host": "LOCALHOST:8770", "origin": "http://localhost:8770"}, 200),
        ({"host": "127.0.0.2:8770"}, 200),
    ],
)
async def test_foreign_hosts_and_pages_are_refused(
    service: Service, headers: dict[str, str], status: int
):
    async with httpx2.AsyncClient() as http:
        answer = await http.post(
            f"{service.url}/mcp",
            headers={
                "authorization": f"Bearer {service.full}",
                "accept": "application/json, text/event-stream",
                **headers,
            },
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "initialize",
                "params": INITIALIZE,
            },
        )
    assert answer.status_code == status


async def test_http_keeps_its_manners(service: Service):
    key = {"authorization": f"Bearer {service.full}"}
    async with httpx2.AsyncClient(headers=key) as http:
        health = await http.get(f"{service.url}/health")
        assert health.json() == {"status": "ok"}
        stream = await http.get(f"{service.url}/mcp")
        assert (stream.status_code, stream.headers["allow"]) == (405, "POST")
        large = await http.post(
            f"{service.url}/mcp",
            headers={"content-type": "application/json"},
            content=b" " * (4 * 1024 * 1024 + 1),
        )
        assert large.status_code == 413


async def test_a_revoked_key_is_refused_at_the_next_call(service: Service):
    store = SqliteKeyStore(service.state / "keys.db")
    record, key = store.create("leaving", "reader")

    async def use_revoked_key() -> None:
        async with connect(f"{service.url}/mcp", key) as odoo:
            assert (await odoo.whoami()).principal == "leaving"
            store.revoke(record.id)
            await odoo.whoami()

    with pytest.raises(AuthenticationFailed, match="was revoked"):
        await use_revoked_key()
    store.close()


async def test_the_typed_client_tells_a_wrong_key_from_a_wrong_address(
    service: Service,
):
    with pytest.raises(AuthenticationFailed, match="not valid"):
        async with connect(f"{service.url}/mcp", "odp_x"):
            pass
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(GatewayUnavailable):
        async with connect(f"http://127.0.0.1:{port}/mcp", service.reader):
            pass


async def test_the_typed_client_lets_errors_out_as_they_are(service: Service):
    with pytest.raises(PermissionDenied):
        async with connect(f"{service.url}/mcp", service.reader) as odoo:
            await odoo.delete_records("res.partner", [1])
    with pytest.raises(ZeroDivisionError):
        async with connect(f"{service.url}/mcp", service.reader):
            _ = 1 / 0


async def test_the_example_runs(service: Service):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / "mcp_client.py"),
        f"{service.url}/mcp",
        service.reader,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    lines = output.decode().splitlines()
    assert lines[0].endswith("with the role reader.")
    assert lines[-1].startswith("record_missing: ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_http_ends_cleanly_on_a_signal(tmp_path: Path, number: int):
    with serving(tmp_path) as service:
        service.process.send_signal(number)
        assert service.process.wait(timeout=20) == 0


# stdio


def stdio(state: Path, **more: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "odooport_mcp_stdio.main"],
        env=environment(state, **more),
        cwd=state,
    )


@pytest.mark.parametrize(("mode", "era"), [("auto", "2026"), ("legacy", "2025")])
async def test_stdio_serves_both_eras(tmp_path: Path, mode: str, era: str):
    async with Client(stdio(tmp_path, ODOOPORT_ROLE="full"), mode=mode) as client:
        assert str(client.protocol_version).startswith(era)
        assert len((await client.list_tools()).tools) == 16
        me = await whoami(client)
        assert (me["role"], me["door"]) == ("full", "mcp-stdio")
        made = await client.call_tool(
            "create_records", {"model": "res.partner", "records": [{"name": "Ada"}]}
        )
        assert not made.is_error


async def test_stdio_only_reads_unless_told_otherwise(tmp_path: Path):
    async with Client(stdio(tmp_path)) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        refused = await client.call_tool(
            "create_records", {"model": "res.partner", "records": [{"name": "Ada"}]}
        )
    assert "search_records" in names
    assert "create_records" not in names
    assert refused.is_error


async def test_stdio_starts_without_odoo_and_says_so_at_the_first_call(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    parameters = stdio(
        tmp_path,
        ODOOPORT_TRANSPORT="xmlrpc",
        ODOO_URL=f"http://127.0.0.1:{port}",
        ODOO_DB="odoo",
        ODOO_USER="admin",
        ODOO_API_KEY="hunter2",
    )
    async with Client(parameters) as client:
        assert (await client.list_tools()).tools
        result = await client.call_tool("whoami")
    assert result.is_error
    (block,) = result.content
    assert block.type == "text"
    assert block.text.startswith("gateway_unavailable: ")
    assert "hunter2" not in block.text
    assert str(port) not in block.text


@asynccontextmanager
async def started(
    state: Path, **more: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start the stdio service with nothing between it and the test."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "odooport_mcp_stdio.main",
        cwd=state,
        env=environment(state, **more),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def messages() -> Iterator[dict[str, Any]]:
    """Answer a short conversation in the handshake era."""
    yield {"id": 1, "method": "initialize", "params": INITIALIZE}
    yield {"method": "notifications/initialized"}
    yield {"id": 2, "method": "tools/list", "params": {}}
    for number, arguments in enumerate(
        [{"model": "res.partner"}, {"model": "nope"}], 3
    ):
        params = {"name": "count_records", "arguments": arguments}
        yield {"id": number, "method": "tools/call", "params": params}


async def test_stdout_of_stdio_carries_nothing_but_the_protocol(tmp_path: Path):
    async with started(tmp_path, ODOOPORT_LOG_LEVEL="debug") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for message in messages():
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode())
            process.stdin.write(b"\n")
        answers = {
            (answer := json.loads(await process.stdout.readline()))["id"]: answer
            for _ in range(4)
        }
        rest, log = await process.communicate()
    assert sorted(answers) == [1, 2, 3, 4]
    assert all(answer["jsonrpc"] == "2.0" for answer in answers.values())
    assert answers[3]["result"]["structuredContent"]["count"] > 0
    assert answers[4]["result"]["isError"] is True
    assert rest == b""
    assert b"mcp-stdio" in log
    assert process.returncode == 0


async def test_stdio_ends_when_the_client_goes_away(tmp_path: Path):
    async with started(tmp_path) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert await asyncio.wait_for(process.wait(), 20) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_stdio_ends_cleanly_on_a_signal(tmp_path: Path, number: int):
    async with started(tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        first = json.dumps({"jsonrpc": "2.0", **next(messages())}).encode()
        process.stdin.write(first + b"\n")
        assert json.loads(await process.stdout.readline())["id"] == 1
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 20) == 0
        assert process.stderr is not None
        assert b"Traceback" not in await process.stderr.read()


@pytest.mark.parametrize(
    "module", ["odooport_mcp_stdio.main", "odooport_mcp_http.main"]
)
@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"ODOOPORT_TRANSPORT": "auto"}, b"ODOO_URL"),
        ({"ODOOPORT_LOG_LEVEL": "loud"}, b"ODOOPORT_LOG_LEVEL"),
    ],
)
async def test_wrong_settings_are_one_line_on_stderr(
    tmp_path: Path, module: str, variables: dict[str, str], named: bytes
):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=tmp_path,
        env=environment(tmp_path, **variables),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, log = await process.communicate()
    assert process.returncode == 2
    assert output == b""
    assert log.count(b"\n") == 1
    assert named in log
