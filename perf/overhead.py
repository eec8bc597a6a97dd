"""What each door costs on top of the bare gateway call.

Starts the services over the in-memory Odoo, each as a process of its own, and asks for
the same count through the bare gateway, the guarded use case, REST, MCP over HTTP and
MCP over stdio, in turn: one of each, again and again, so that a machine that slows down
slows all of them. Prints the median of each, and how much that is above the bare call.

Usage: ``python perf/overhead.py [ROUNDS]``
"""

import asyncio
import logging
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
from interleaved import Ask, measure
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from odooport import Call, Caller, Credentials, Gate, Odoo, Session
from odooport_adapters import MemoryGateway
from odooport_security import (
    ChainedAudit,
    KeyStore,
    LimitsRateLimiter,
    LocalPolicy,
    RateLimits,
    Roles,
    principal_of,
)

ROUNDS = 200
WARM_UP = 20
MODEL = "res.partner"
LOGIN = Credentials("demo", "admin", "admin")
BIN = Path(sys.executable).parent


def bare(call: Call, gateway: MemoryGateway, session: Session) -> Ask:
    """One call of the gateway, and nothing else."""
    return lambda: gateway.execute(session, call)


def guarded(state: Path) -> Odoo:
    """The use cases with every guard, in this process."""
    logging.getLogger("odooport.gate").setLevel(logging.WARNING)
    roles = Roles()
    gate = Gate(
        MemoryGateway.demo(),
        LocalPolicy(roles),
        LimitsRateLimiter(RateLimits("1000000/minute", address="1000000/minute")),
        ChainedAudit(state / "audit-in-process"),
    )
    principal = principal_of("bench", "bench", "reader", {"default": LOGIN}, roles)
    return Odoo(gate, Caller(principal, "perf", "r"))


def rest(http: httpx2.AsyncClient) -> Ask:
    """The REST door; it counts by an aggregate of everything."""

    async def ask() -> object:
        answer = await http.get(f"/v1/models/{MODEL}/aggregate")
        answer.raise_for_status()
        return answer.json()

    return ask


def mcp(client: Client) -> Ask:
    """An MCP door, through the SDK's own client."""

    async def ask() -> object:
        answer = await client.call_tool("count_records", {"model": MODEL})
        if answer.is_error:
            raise RuntimeError(str(answer.content))
        return answer.structured_content

    return ask


def serve(stack: AsyncExitStack, environment: dict[str, str]) -> str:
    """Start REST and MCP over memory, and answer their address."""
    process = subprocess.Popen(
        [str(BIN / "odooport"), "serve", "--port", "0"],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )

    def stop() -> None:
        process.terminate()
        process.wait(10)

    stack.callback(stop)
    assert process.stderr is not None
    for line in process.stderr:
        if "REST" in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return line.split()[1].removesuffix("/v1")
    raise RuntimeError("the service did not start")


async def main(rounds: int) -> None:
    """Measure, and print a table."""
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = {
            "PATH": os.environ["PATH"],
            "ODOOPORT_TRANSPORT": "memory",
            "ODOOPORT_STATE": str(state),
            "ODOOPORT_RATE_LIMIT": "1000000/minute",
            "ODOOPORT_ADDRESS_RATE_LIMIT": "1000000/minute",
            "ODOOPORT_LOG_LEVEL": "warning",
        }
        _, token = KeyStore(state / "keys.db").create("perf", "reader")
        base = serve(stack, environment)
        http = await stack.enter_async_context(
            httpx2.AsyncClient(
                base_url=base, headers={"Authorization": f"Bearer {token}"}
            )
        )
        over_http = await stack.enter_async_context(
            Client(streamable_http_client(f"{base}/mcp", http_client=http))
        )
        over_stdio = await stack.enter_async_context(
            Client(
                StdioServerParameters(
                    command=str(BIN / "odooport-mcp-stdio"), env=environment
                )
            )
        )
        gateway = MemoryGateway.demo()
        session = await gateway.authenticate(LOGIN)
        count = Call(MODEL, "search_count", ([],))
        group = Call(MODEL, "read_group", ([], [], []), {"lazy": False})
        odoo = guarded(state)
        medians = await measure(
            {
                "bare search_count": bare(count, gateway, session),
                "bare read_group": bare(group, gateway, session),
                "guarded use case": lambda: odoo.count(MODEL),
                "REST (read_group)": rest(http),
                "MCP over HTTP": mcp(over_http),
                "MCP over stdio": mcp(over_stdio),
            },
            rounds,
            warm_up=WARM_UP,
        )
    floor = medians["bare search_count"]
    print(f"{rounds} rounds, medians")
    print(f"{'way':20} {'ms':>8} {'above bare':>11} {'ratio':>7}")
    for name, median in medians.items():
        above, ratio = median - floor, median / floor
        print(f"{name:20} {median:8.3f} {above:+11.3f} {ratio:7.1f}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
