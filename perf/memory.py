"""What each service holds: at rest after its first answer, and after a load.

Every service has all guards on and the Odoo behind it that the other benchmarks have,
and runs in an environment with its own package alone, as somebody installs it.
The figures are MiB of resident memory, read from ``/proc``, so it runs on Linux only.
"""

import asyncio
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import processes
import targets
from figures import Figure, options, report
from mcp import Client, StdioServerParameters
from targets import FIELDS, MODEL, Target

from odooport_security import SqliteKeyStore

CALLS = 1_000
LARGE = 1_000
FLOOR = str(Path(__file__).with_name("floor.py"))
START_SECONDS = 30.0
REST_SECONDS = 2.0
"""How long a service is left alone before it is looked at."""

_SEARCH = {"model": MODEL, "fields": FIELDS, "limit": 10}
_RECORDS = f"/v1/models/{MODEL}/records?fields={','.join(FIELDS)}"


def resident(pids: Iterable[int]) -> float:
    """Answer how many MiB processes hold together."""
    samples = [processes.take(pid, 0.0, serves=None, odoo=0) for pid in pids]
    return sum(sample.memory for sample in samples if sample is not None)


def new_children(before: set[int]) -> set[int]:
    """Answer the processes that were started since."""
    return processes.children(os.getpid()) - before


def over_rest(http: httpx2.Client, limit: int) -> None:
    """Search over REST."""
    http.get(f"{_RECORDS}&limit={limit}").raise_for_status()


def over_mcp(http: httpx2.Client, limit: int) -> None:
    """Search over MCP, by a plain request."""
    params = {"name": "search_records", "arguments": {**_SEARCH, "limit": limit}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    accept = {"Accept": "application/json, text/event-stream"}
    answer = http.post("/mcp", json=message, headers=accept)
    if "error" in answer.raise_for_status().text[:40]:
        raise SystemExit(f"The search failed: {answer.text}")


@dataclass(frozen=True, slots=True)
class Service:
    """One that is reached over HTTP.

    Attributes:
        name: What its figures are called.
        what: What it is.
        package: What somebody installs to have it.
        command: What starts it.
        search: Asks it for records, given how many.
    """

    name: str
    what: str
    package: str
    command: Sequence[str]
    search: Callable[[httpx2.Client, int], None]


SERVICES = (
    Service(
        "serve",
        "REST and MCP in one process",
        "odooport-cli",
        ("odooport", "serve"),
        over_rest,
    ),
    Service("rest", "REST alone", "odooport-rest", ("odooport-rest",), over_rest),
    Service(
        "mcp_http",
        "MCP over HTTP alone",
        "odooport-mcp-http",
        ("odooport-mcp-http",),
        over_mcp,
    ),
)


def alive(
    stack: ExitStack,
    command: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
) -> str:
    """Start a service on a free port, wait until it answers, and say where that is."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [str(command), *arguments],
        env={**environment, "ODOOPORT_PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait, START_SECONDS)
    stack.callback(process.terminate)
    base = f"http://127.0.0.1:{port}"
    ends = time.monotonic() + START_SECONDS
    while time.monotonic() < ends:
        try:
            httpx2.get(f"{base}/health").raise_for_status()
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return base
    raise SystemExit(f"{command.name} did not start.")


def over_http(service: Service, odoo: Target, calls: int) -> list[Figure]:
    """Measure a service that is reached over HTTP."""
    with ExitStack() as stack:
        at = targets.installed(service.package)
        before = processes.children(os.getpid())
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _, key = SqliteKeyStore(state / "keys.db").create("perf", "reader")
        environment = targets.service_environment(state, odoo)
        base = alive(stack, at / service.command[0], service.command[1:], environment)
        pids = new_children(before)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=base, headers=headers, timeout=60) as http:
            service.search(http, 10)
            time.sleep(REST_SECONDS)
            rest = resident(pids)
            for _ in range(calls):
                service.search(http, 10)
            service.search(http, LARGE)
            time.sleep(REST_SECONDS)
            load = resident(pids)
    name = f"memory.{service.name}"
    return [
        Figure(f"{name}.rest", rest, "MiB", f"{service.what}, after one answer"),
        Figure(f"{name}.load", load, "MiB", f"the same after {calls} searches"),
    ]


def floor(odoo: Target) -> Figure:
    """Measure the bare SDK server over HTTP, which says what the SDK itself holds."""
    with ExitStack() as stack:
        at = targets.installed("odooport-mcp-http")
        before = processes.children(os.getpid())
        environment = {"PATH": os.environ["PATH"], **odoo.environment()}
        targets.started(stack, ["python", FLOOR, "http"], environment, at)
        pids = new_children(before)
        time.sleep(REST_SECONDS)
        held = resident(pids)
    return Figure("memory.floor", held, "MiB", "the bare SDK server over HTTP")


async def stdio(odoo: Target, calls: int) -> list[Figure]:
    """Measure MCP over stdio."""
    at = targets.installed("odooport-mcp-stdio")
    async with AsyncExitStack() as stack:
        before = processes.children(os.getpid())
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = targets.service_environment(state, odoo)
        client = await stack.enter_async_context(
            Client(
                StdioServerParameters(
                    command=str(at / "odooport-mcp-stdio"), env=environment
                )
            )
        )

        async def search() -> None:
            answer = await client.call_tool("search_records", _SEARCH)
            if answer.is_error:
                raise SystemExit(f"The search failed: {answer.content}")

        await search()
        pids = new_children(before)
        await asyncio.sleep(REST_SECONDS)
        rest = resident(pids)
        for _ in range(calls):
            await search()
        await asyncio.sleep(REST_SECONDS)
        load = resident(pids)
    return [
        Figure("memory.stdio.rest", rest, "MiB", "MCP over stdio, after one answer"),
        Figure("memory.stdio.load", load, "MiB", f"the same after {calls} searches"),
    ]


def main() -> None:
    """Measure, and report the figures."""
    chosen = options(__doc__, rounds=CALLS).parse_args()
    with ExitStack() as stack:
        odoo = targets.target(stack)
        figures = [floor(odoo)]
        for service in SERVICES:
            figures += over_http(service, odoo, chosen.rounds)
        figures += asyncio.run(stdio(odoo, chosen.rounds))
    report(figures, chosen.json)


if __name__ == "__main__":
    main()
