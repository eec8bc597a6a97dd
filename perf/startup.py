"""How soon a service answers: from its start to the first search, in turn with others.

MCP over stdio is held against a bare server of the SDK, with one tool that makes one
call of ``xmlrpc.client``: importing the SDK and Odoo's check of the password are most
of both. Both run in an environment with the stdio service alone, as somebody installs
it who wants no other: the library that wires our services imports what web frameworks
it finds. REST is started from one with the command line alone.
"""

import asyncio
import compileall
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx2
import targets
from figures import Figure, options, report
from interleaved import Ask, measure
from mcp import Client, StdioServerParameters
from targets import FIELDS, MODEL, Target

from odooport_security import SqliteKeyStore

ROUNDS = 9
ROOT = Path(__file__).parent.parent
FLOOR = Path(__file__).with_name("floor.py")
_SEARCH = {"model": MODEL, "fields": FIELDS, "limit": 10}


def over_stdio(command: list[str], environment: dict[str, str]) -> Ask:
    """Start a server over stdio, search once, and let it end."""
    server = StdioServerParameters(
        command=command[0], args=command[1:], env=environment
    )

    async def ask() -> float:
        began = asyncio.get_running_loop().time()
        async with Client(server) as client:
            answer = await client.call_tool("search_records", _SEARCH)
            ended = asyncio.get_running_loop().time()
        if answer.is_error:
            raise SystemExit(f"The search failed: {answer.content}")
        return ended - began

    return ask


def over_http(at: Path, environment: dict[str, str], key: str) -> Ask:
    """Start REST and MCP in one process, search once over REST, and let it end."""

    async def ask() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with ExitStack() as stack:
            base = await asyncio.to_thread(
                targets.started,
                stack,
                ["odooport", "serve", "--port=0"],
                environment,
                at,
            )
            answer = httpx2.get(
                f"{base}/v1/models/{MODEL}/records?limit=10",
                headers={"Authorization": f"Bearer {key}"},
            )
            answer.raise_for_status()
            return loop.time() - began

    return ask


async def main(odoo: Target, rounds: int, to: Path | None) -> None:
    """Measure, and report the figures."""
    for folder in ("packages", "services", "perf"):
        compileall.compile_dir(ROOT / folder, quiet=1)
    alone = targets.installed("odooport-mcp-stdio")
    with ExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _, key = SqliteKeyStore(state / "keys.db").create("perf", "reader")
        environment = targets.service_environment(state, odoo)
        medians = await measure(
            {
                "floor": over_stdio(
                    [str(alone / "python"), str(FLOOR), "stdio"], environment
                ),
                "stdio": over_stdio([str(alone / "odooport-mcp-stdio")], environment),
                "serve": over_http(targets.installed("odooport-cli"), environment, key),
            },
            rounds,
            warm_up=1,
            taken_by_answer=True,
        )
    floor, of = medians["floor"], "from the start to the first search"
    report(
        [
            Figure(
                "startup.stdio",
                medians["stdio"] / floor,
                "x",
                f"{of}, MCP over stdio over the bare SDK server ({floor:.0f} ms)",
            ),
            Figure("startup.stdio_ms", medians["stdio"], "ms", f"{of}, MCP over stdio"),
            Figure("startup.serve_ms", medians["serve"], "ms", f"{of}, REST"),
        ],
        to,
    )


if __name__ == "__main__":
    chosen = options(__doc__, rounds=ROUNDS).parse_args()
    with ExitStack() as everything:
        asyncio.run(main(targets.target(everything), chosen.rounds, chosen.json))
