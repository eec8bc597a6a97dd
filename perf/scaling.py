"""What a request costs a service, and what a second worker or uvloop changes in that.

Starts ``odooport serve`` over the Odoo in memory, every guard and the audit on: alone,
on uvloop (which it does not use by itself), counting in a Redis, with its keys there
too, and with two workers. All are asked in turn, in slices of some seconds, over
connections that are kept. The cost is the processor time that the kernel has counted
for the service. The throughput of two workers says less on a machine with two cores:
this program and Redis need some of them too.

Usage: ``python perf/scaling.py [--rounds N] [--seconds S] [--width N] [--json FILE]``
"""

import asyncio
import importlib.util
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import httpx2
import processes
from figures import Figure, options, report
from targets import FIELDS, MODEL, service_environment, started

from odooport_security import KeyStore, RedisKeyStore, SqliteKeyStore

ROUNDS = 7
SECONDS = 2.0
WIDTH = 16
IDLE = 400
"""How many connections wait for nothing, to see what one costs."""

_TICKS = os.sysconf("SC_CLK_TCK")
_REDIS_SECONDS = 10
_ON_UVLOOP = (
    "import asyncio, uvloop; asyncio.set_event_loop_policy(uvloop.EventLoopPolicy()); "
    "from odooport_cli.main import main; main(['serve', '--port', '0'])"
)


@dataclass(frozen=True, slots=True)
class Service:
    """A running service.

    Attributes:
        port: Where it listens.
        pid: Its first process.
        key: A key that may write.
    """

    port: int
    pid: int
    key: str

    def cpu(self) -> float:
        """Answer the seconds of processor time that all its processes have used."""
        ticks = 0
        for pid in (self.pid, *processes.children(self.pid)):
            stat = (processes.PROC / str(pid) / "stat").read_text().rpartition(")")[2]
            ticks += sum(map(int, stat.split()[11:13]))  # proc(5): utime and stime
        return ticks / _TICKS

    def resident(self) -> int:
        """Answer how many KiB of memory its first process has."""
        status = (processes.PROC / str(self.pid) / "status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])


@dataclass(frozen=True, slots=True)
class Slice:
    """What came of asking one service for some seconds.

    Attributes:
        rate: Answers a second.
        cpu_ms: Milliseconds of the service's processor time for each.
    """

    rate: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, and what an answer must hold to be one."""

    method: str
    path: str
    body: object
    headers: Mapping[str, str]
    right: bytes

    def wire(self, key: str) -> bytes:
        """Answer the bytes of the whole request."""
        content = b"" if self.body is None else json.dumps(self.body).encode()
        headers = {
            "Host": "localhost",
            "Authorization": f"Bearer {key}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            **self.headers,
        }
        lines = [
            f"{self.method} {self.path} HTTP/1.1",
            *map(": ".join, headers.items()),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + content


def requests(record: int) -> dict[str, Request]:
    """Answer what is asked, by name.

    Args:
        record: The id of a record that may be changed.
    """
    records = f"/v1/models/{MODEL}/records"
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    arguments = {"model": MODEL, "fields": FIELDS, "limit": 10}
    params = {"name": "search_records", "arguments": arguments, "_meta": meta}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    about = {
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "search_records",
    }
    search = f"{records}?limit=10&fields={','.join(FIELDS)}"
    city = {"city": "Gent"}
    return {
        "search_rest": Request("GET", search, None, {}, b'"records":'),
        "read_rest": Request("GET", f"{records}/{record}", None, {}, b'"id":'),
        "search_mcp": Request("POST", "/mcp", call, about, b'"isError":false'),
        "write_rest": Request("PATCH", f"{records}/{record}", city, {}, b'"Gent"'),
    }


class _Caller(asyncio.Protocol):
    """A connection that asks the same again as soon as it has its answer."""

    def __init__(self, request: Request, key: str) -> None:
        self._wire = request.wire(key)
        self._right = request.right
        self._came = b""
        self._transport: asyncio.Transport | None = None
        self.answers = 0
        self.wrong: bytes | None = None
        self.ended = asyncio.get_running_loop().create_future()
        self.may_ask = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._transport.write(self._wire)

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, found, body = self._came.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
        if not length:
            self._fail(head)
        elif len(body) >= int(length):
            if not head.startswith(b"HTTP/1.1 200") or self._right not in body:
                self._fail(self._came)
                return
            self._came = b""
            self.answers += 1
            assert self._transport is not None
            if self.may_ask:
                self._transport.write(self._wire)
            else:
                self._transport.close()

    def _fail(self, what: bytes) -> None:
        self.wrong = what
        assert self._transport is not None
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.may_ask and self.wrong is None:
            self.wrong = b"the connection was closed"
        if not self.ended.done():
            self.ended.set_result(None)


async def ask(service: Service, what: Request, *, seconds: float, width: int) -> Slice:
    """Ask a service for some seconds, over several connections at once."""
    loop = asyncio.get_running_loop()
    cpu, began = service.cpu(), time.perf_counter()
    callers = [
        (
            await loop.create_connection(
                lambda: _Caller(what, service.key), "127.0.0.1", service.port
            )
        )[1]
        for _ in range(width)
    ]
    await asyncio.wait([caller.ended for caller in callers], timeout=seconds)
    for caller in callers:
        caller.may_ask = False
    await asyncio.wait_for(asyncio.gather(*(it.ended for it in callers)), 30)
    taken = time.perf_counter() - began
    for caller in callers:
        if caller.wrong is not None:
            raise SystemExit(f"This is no right answer: {caller.wrong[:400]!r}")
    answers = sum(caller.answers for caller in callers)
    return Slice(answers / taken, (service.cpu() - cpu) * 1000 / answers)


async def idle_kib(service: Service, what: Request, count: int) -> float:
    """Answer what a connection costs that has asked once and is kept open.

    Args:
        service: One that was not loaded before: freed memory would be used again.
        what: What each connection asks.
        count: How many there are.
    """
    await ask(service, what, seconds=1.0, width=1)
    body = what.wire(service.key)
    before = service.resident()
    kept: list[asyncio.StreamWriter] = []
    for _ in range(count):
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"This is no right answer: {head[:400]!r}")
        kept.append(writer)
    after = service.resident()
    for writer in kept:
        writer.transport.abort()
    return (after - before) / count


def redis(stack: ExitStack) -> str | None:
    """Start a Redis, and answer its address; None if there is none to start."""
    command = shutil.which("redis-server")
    if command is None:
        return None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [command, "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.PIPE,
        text=True,
    )

    def stop() -> None:
        process.terminate()
        process.communicate(timeout=_REDIS_SECONDS)

    stack.callback(stop)
    assert process.stdout is not None
    for line in process.stdout:
        if "Ready to accept connections" in line:
            return f"redis://127.0.0.1:{port}/0"
    raise SystemExit("redis-server did not start.")


def serve(
    stack: ExitStack,
    *,
    on_uvloop: bool = False,
    workers: int = 1,
    at: str | None = None,
    keys_too: bool = False,
) -> Service:
    """Start a service.

    Args:
        stack: It ends with it.
        on_uvloop: Whether it runs on uvloop, and not on asyncio's own loop.
        workers: How many processes serve.
        at: The Redis to count in; in the process unless told.
        keys_too: Whether the keys are in that Redis too.
    """
    state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    environment = service_environment(state) | {"ODOOPORT_WORKERS": str(workers)}
    store: KeyStore = SqliteKeyStore(state / "keys.db")
    if at is not None:
        environment["ODOOPORT_REDIS_URL"] = at
    if at is not None and keys_too:
        environment["ODOOPORT_KEY_STORE"] = "redis"
        store = RedisKeyStore(at)
    with closing(store):
        _, key = store.create("perf", "full")
    before = processes.children(os.getpid())
    command = ["python", "-c", _ON_UVLOOP]
    address = started(
        stack,
        command if on_uvloop else ["odooport", "serve", "--port", "0"],
        environment,
    )
    (pid,) = processes.children(os.getpid()) - before
    return Service(int(address.rpartition(":")[2]), pid, key)


async def measure(
    services: Mapping[str, Service], *, rounds: int, seconds: float, width: int
) -> list[Figure]:
    """Ask all services in turn, and answer the figures."""
    every = {name: requests(_record(it)) for name, it in services.items()}
    kinds = list(every["one"])
    slices: dict[tuple[str, str], list[Slice]] = {}
    for turn in range(rounds + 1):
        for kind in kinds:
            for name, service in random.sample(list(services.items()), len(services)):
                if name in ("redis", "keys", "two") and kind not in (
                    "search_rest",
                    "write_rest",
                ):
                    continue
                what = every[name][kind]
                found = await ask(service, what, seconds=seconds, width=width)
                if turn:  # the first is to warm up
                    slices.setdefault((name, kind), []).append(found)

    def rate(name: str, kind: str) -> float:
        return statistics.median(it.rate for it in slices[name, kind])

    def cpu(name: str, kind: str) -> float:
        return statistics.median(it.cpu_ms for it in slices[name, kind])

    of = f"over memory, every guard on, {width} connections"
    figures = [
        Figure(f"scaling.cpu_ms.{kind}", cpu("one", kind), "ms", f"CPU of a call, {of}")
        for kind in kinds
    ]
    figures += [
        Figure(f"scaling.rate.{kind}", rate("one", kind), "1/s", f"one process {of}")
        for kind in kinds
    ]
    if "uvloop" in services:
        for kind in kinds:
            figures += [
                Figure(
                    f"scaling.uvloop.cpu.{kind}",
                    cpu("uvloop", kind) / cpu("one", kind),
                    "x",
                    "CPU of a call on uvloop, over asyncio's own loop",
                ),
                Figure(
                    f"scaling.uvloop.rate.{kind}",
                    rate("uvloop", kind) / rate("one", kind),
                    "x",
                    "rate on uvloop, over asyncio's own loop",
                ),
            ]
    if "two" in services:
        for kind in ("search_rest", "write_rest"):
            figures += [
                Figure(
                    f"scaling.redis.cpu.{kind}",
                    cpu("redis", kind) / cpu("one", kind),
                    "x",
                    "CPU of the service counting in Redis, over counting for itself",
                ),
                Figure(
                    f"scaling.redis_keys.cpu.{kind}",
                    cpu("keys", kind) / cpu("redis", kind),
                    "x",
                    "CPU of the service with its keys in Redis too",
                ),
                Figure(
                    f"scaling.2_workers.cpu.{kind}",
                    cpu("two", kind) / cpu("redis", kind),
                    "x",
                    "CPU of a call at two workers, over one; both with Redis",
                ),
            ]
        figures += [
            Figure(
                name,
                rate("two", kind) / rate("redis", kind),
                "x",
                f"rate of two workers over one, {os.cpu_count()} cores shared with "
                "Redis and this program",
            )
            for name, kind in (
                ("scaling.2_workers.throughput", "search_rest"),
                ("scaling.2_workers.throughput.write_rest", "write_rest"),
            )
        ]
    return figures


async def idle(fresh: Mapping[str, Service]) -> list[Figure]:
    """Answer what connections that wait cost, by what they have asked before."""
    return [
        Figure(
            f"scaling.idle_kib.{kind}",
            await idle_kib(service, requests(_record(service))[kind], IDLE),
            "KiB",
            f"memory of a kept connection that waits, of {IDLE}",
        )
        for kind, service in fresh.items()
    ]


def _record(service: Service) -> int:
    """Answer the id of a record that may be changed."""
    answer = httpx2.get(
        f"http://127.0.0.1:{service.port}/v1/models/{MODEL}/records?limit=1&fields=id",
        headers={"Authorization": f"Bearer {service.key}"},
        timeout=30,
    )
    return int(answer.raise_for_status().json()["records"][0]["id"])


def main() -> None:
    """Measure, and print the figures."""
    parser = options(__doc__, rounds=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each slice")
    parser.add_argument("--width", type=int, default=WIDTH, help="connections at once")
    told = parser.parse_args()
    with ExitStack() as stack:
        services = {"one": serve(stack)}
        if importlib.util.find_spec("uvloop") is not None:
            services["uvloop"] = serve(stack, on_uvloop=True)
        if (at := redis(stack)) is not None:
            services["redis"] = serve(stack, at=at)
            services["keys"] = serve(stack, at=at, keys_too=True)
            services["two"] = serve(stack, workers=2, at=at)
        figures = asyncio.run(
            measure(
                services, rounds=told.rounds, seconds=told.seconds, width=told.width
            )
        )
        fresh = {kind: serve(stack) for kind in ("search_rest", "search_mcp")}
        figures += asyncio.run(idle(fresh))
    report(figures, told.json)


if __name__ == "__main__":
    main()
