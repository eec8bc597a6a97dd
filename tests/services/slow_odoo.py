"""A slow Odoo, and services in front of it as processes, for tests of bad days."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from odooport_adapters import MemoryGateway, wire_app
from odooport_runtime.serving import listen
from odooport_security import SqliteKeyStore

PATIENCE = 30
"""Seconds after which something hangs."""

DOORS = {
    "rest": ["-m", "odooport_rest.main"],
    "mcp": ["-m", "odooport_mcp_http.main"],
    "rest of both": ["-m", "odooport_cli.main", "serve"],
    "mcp of both": ["-m", "odooport_cli.main", "serve"],
}

READ = ("GET", "/v1/models/res.country/records?limit=1", None)
WRITE = ("POST", "/v1/models/sale.order/methods/action_confirm", {"ids": [1]})


def tool_call(name: str, **arguments: Any) -> tuple[str, str, Any]:
    """Answer a call of a tool, as a request in the era without sessions."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": name, "arguments": arguments, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return "POST", "/mcp", message


TOOL_READ = tool_call("search_records", model="res.country", limit=1)
TOOL_WRITE = tool_call(
    "call_method", model="sale.order", method="action_confirm", ids=[1]
)


@dataclass
class SlowOdoo:
    """An Odoo that holds back confirmations and countries until it is told to go on."""

    gateway: MemoryGateway = field(default_factory=MemoryGateway.demo)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""
    server: uvicorn.Server | None = None

    def running(self) -> int:
        """Answer on how many open connections somebody waits for an answer."""
        assert self.server is not None
        return sum(
            isinstance(connection, H11Protocol)
            and connection.cycle is not None
            and not connection.cycle.response_complete
            for connection in self.server.server_state.connections
        )

    def held(self, app: ASGIApp) -> ASGIApp:
        """Answer the app with what it holds back."""

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            body, more = b"", True
            while more:
                message = await receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)

            async def again() -> Message:
                return {"type": "http.request", "body": body, "more_body": False}

            if b"action_confirm" in body or b'"res.country", "search' in spaced(body):
                self.began.set()
                await self.may_end.wait()
            await app(scope, again, send)

        return slow


def spaced(body: bytes) -> bytes:
    """Answer JSON with a blank after each comma, however it came."""
    return body.replace(b",", b", ").replace(b",  ", b", ")


@asynccontextmanager
async def slow_odoo() -> AsyncIterator[SlowOdoo]:
    odoo = SlowOdoo()
    odoo.gateway.on("sale.order", "action_confirm", lambda *args: True)
    with listen("127.0.0.1", 0) as listener:
        app = odoo.held(wire_app(odoo.gateway))
        config = uvicorn.Config(app, http="h11", log_config=None, lifespan="off")
        odoo.server = uvicorn.Server(config)
        odoo.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving = asyncio.create_task(odoo.server.serve(sockets=[listener]))
        try:
            yield odoo
        finally:
            odoo.may_end.set()
            odoo.server.should_exit = True
            await serving


@dataclass
class Answer:
    """What came back over a bare connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Line:
    """A bare connection to a service; it is kept alive unless the service closes it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    key: str

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        lines = {
            "Host": "localhost",
            "Authorization": f"Bearer {self.key}",
            "Accept": "application/json, text/event-stream",
            "Content-Length": str(len(content)),
            **headers,
        }
        if body is not None:
            lines["Content-Type"] = "application/json"
        if path == "/mcp" and "_meta" in body.get("params", {}):
            lines |= {
                "MCP-Protocol-Version": "2026-07-28",
                "Mcp-Method": "tools/call",
                "Mcp-Name": body["params"]["name"],
            }
        head = [f"{method} {path} HTTP/1.1", *map(": ".join, lines.items()), "", ""]
        self.writer.write("\r\n".join(head).encode() + content)
        await self.writer.drain()

    async def answer(self) -> Answer:
        async with asyncio.timeout(PATIENCE):
            first, *lines = (
                (await self.reader.readuntil(b"\r\n\r\n"))
                .decode()
                .strip()
                .split("\r\n")
            )
            headers = dict(line.lower().split(": ", 1) for line in lines)
            if "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            else:
                body = b""
                while size := int(await self.reader.readline(), 16):
                    body += await self.reader.readexactly(size)
                    await self.reader.readexactly(2)
                await self.reader.readexactly(2)
            return Answer(int(first.split()[1]), headers, body)

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        await self.send(method, path, body, **headers)
        return await self.answer()

    async def is_closed(self) -> bool:
        """Answer whether the service closes the connection, with nothing more said."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read() == b""

    def drop(self) -> None:
        self.writer.transport.abort()


@dataclass
class Process:
    """A running service."""

    process: asyncio.subprocess.Process
    state: Path
    key: str
    port: int = 0
    lines: list[dict[str, Any]] = field(default_factory=list)
    lines_left: list[Line] = field(default_factory=list)

    async def told(self, event: str) -> dict[str, Any]:
        """Wait until the service says something, and answer the line."""
        async with asyncio.timeout(PATIENCE):
            assert self.process.stderr is not None
            while text := await self.process.stderr.readline():
                if not text.startswith(b"{"):
                    continue
                self.lines.append(json.loads(text))
                if self.lines[-1]["event"] == event:
                    return self.lines[-1]
        raise AssertionError(f"It never said {event!r} but {self.lines}")

    async def line(self) -> Line:
        """Answer a new connection."""
        line = Line(*await asyncio.open_connection("127.0.0.1", self.port), self.key)
        self.lines_left.append(line)
        return line

    async def ended(self) -> int:
        """Wait for the end, and answer the exit status."""
        async with asyncio.timeout(PATIENCE):
            assert self.process.stderr is not None
            while text := await self.process.stderr.readline():
                if text.startswith(b"{"):
                    self.lines.append(json.loads(text))
            return await self.process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def outcomes(self, method: str) -> list[str]:
        """Answer how the audit says that the calls of a method went."""
        return [
            str(line["outcome"])
            for line in read_audit(self.state)
            if line.get("method") == method
        ]

    def resident(self) -> int:
        """Answer how many bytes of memory the process has."""
        return self._memory("VmRSS")

    def peak(self) -> int:
        """Answer how many bytes of memory the process had at most."""
        return self._memory("VmHWM")

    def _memory(self, name: str) -> int:
        status = Path(f"/proc/{self.process.pid}/status").read_text("utf-8")
        (line,) = (it for it in status.splitlines() if it.startswith(f"{name}:"))
        return int(line.split()[1]) * 1024


def read_audit(state: Path) -> list[dict[str, Any]]:
    """Answer the lines of the audit, oldest first."""
    paths = sorted((state / "audit").rglob("*.jsonl"))
    return [json.loads(it) for path in paths for it in path.read_bytes().splitlines()]


def variables(odoo: SlowOdoo, state: Path, **more: str) -> dict[str, str]:
    """Answer the settings of a service in front of an Odoo, and no others."""
    mine = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ODOO_", "ODOOPORT_"))
    }
    return {
        **mine,
        "ODOO_URL": odoo.address,
        "ODOO_DB": "demo",
        "ODOO_USER": "admin",
        "ODOO_PASSWORD": "admin",
        "ODOOPORT_TRANSPORT": "jsonrpc",
        "ODOOPORT_STATE": str(state),
        "ODOOPORT_PORT": "0",
        **more,
    }


@asynccontextmanager
async def serving(
    command: list[str], environment: dict[str, str], state: Path
) -> AsyncIterator[Process]:
    """Start a service over HTTP, wait until it listens, and see that it ends."""
    keys = SqliteKeyStore(state / "keys.db")
    _, key = keys.create("shop", "full")
    keys.close()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=16 * 1024 * 1024,
        cwd=state,
        env=environment,
    )
    service = Process(process, state, key)
    try:
        service.port = (await service.told("listening"))["port"]
        yield service
    finally:
        for line in service.lines_left:
            line.drop()
        if process.returncode is None:
            process.kill()
            await service.ended()


async def soon(true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(0.01)
