"""What each service holds: at rest after its first answer, and after a load.

Every service has all guards on and the Odoo behind it that the other benchmarks have,
and runs in an environment with its own package alone, as somebody installs it.
The figures are MiB of resident memory, read from ``/proc``, so it runs on Linux only.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

import httpx2
import processes
import targets
from figures import Figure, options, report
from mcp import Client, StdioServerParameters
from targets import FIELDS, MODEL, Target

from odooport_security import KeyStore

CALLS = 1_000
LARGE = 1_000
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


def serve(odoo: Target, calls: int) -> list[Figure]:
    """Measure REST and MCP over HTTP in one process."""
    with ExitStack() as stack:
        before = processes.children(os.getpid())
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _, key = KeyStore(state / "keys.db").create("perf", "reader")
        environment = targets.service_environment(state, odoo)
        at = targets.installed("odooport-cli")
        base = targets.started(
            stack, ["odooport", "serve", "--port=0"], environment, at
        )
        pids = new_children(before)
        headers = {"Authorization": f"Bearer {key}"}
        with httpx2.Client(base_url=base, headers=headers, timeout=60) as http:
            http.get(f"{_RECORDS}&limit=10").raise_for_status()
            time.sleep(REST_SECONDS)
            rest = resident(pids)
            for _ in range(calls):
                http.get(f"{_RECORDS}&limit=10").raise_for_status()
            http.get(f"{_RECORDS}&limit={LARGE}").raise_for_status()
            time.sleep(REST_SECONDS)
            load = resident(pids)
    return [
        Figure("memory.serve.rest", rest, "MiB", "REST and MCP, after one answer"),
        Figure("memory.serve.load", load, "MiB", f"the same after {calls} searches"),
    ]


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
        figures = serve(odoo, chosen.rounds)
        figures += asyncio.run(stdio(odoo, chosen.rounds))
    report(figures, chosen.json)


if __name__ == "__main__":
    main()
