"""What each door costs on top of a bare call, one of each in turn.

The same search of ten records goes through ``xmlrpc.client``, through the bare default
gateway, and through each of our doors with every guard and the audit on; and through a
bare server of the MCP SDK, over stdio and HTTP, which says what the protocol itself
costs. REST is asked by Python's own ``http.client`` on a kept connection, as a lean
program would, and by httpx2, whose own cost is inside its figure.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xmlrpc.client import ServerProxy

import httpx2
import targets
from figures import Figure, options, report
from interleaved import Ask, measure
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from targets import BIN, FIELDS, MODEL, Target

from odooport import Call
from odooport_security import SqliteKeyStore

ROUNDS = 100
WARM_UP = 10
ROWS = 10
FLOOR = str(Path(__file__).with_name("floor.py"))
_SEARCH: Mapping[str, Any] = {"model": MODEL, "fields": FIELDS, "limit": ROWS}
_HEALTH = "/health"
"""A path that asks nothing of Odoo, and of us nothing but an HTTP answer."""

_RECORDS = f"/v1/models/{MODEL}/records"
_REST: Mapping[str, str] = {
    "search_10": f"{_RECORDS}?fields={','.join(FIELDS)}&limit={ROWS}",
    "read_1": f"{_RECORDS}/{{id}}?fields={','.join(FIELDS)}",
    "count": f"{_RECORDS}?fields=id&limit=1&count=exact",
    "describe": f"/v1/models/{MODEL}",
}


def over_mcp(client: Client, tool: str, **arguments: Any) -> Ask:
    """Call a tool through the SDK's own client."""

    async def ask() -> object:
        answer = await client.call_tool(tool, arguments)
        if answer.is_error or not answer.structured_content:
            raise SystemExit(f"{tool}: {answer.content}")
        return answer.structured_content

    return ask


def over_rest(base: str, key: str, path: str) -> Ask:
    """Ask REST on one kept connection, in this thread."""
    connection = HTTPConnection(urlsplit(base).netloc)
    headers = {"Authorization": f"Bearer {key}"}

    async def ask() -> object:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{path}: {body.decode()}")
        return json.loads(body) if body else answer.status

    return ask


async def asks(odoo: Target, stack: AsyncExitStack) -> dict[str, Ask]:
    """Start everything, and answer each way to ask."""
    processes = stack.enter_context(ExitStack())
    state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    environment = targets.service_environment(state, odoo)
    _, key = SqliteKeyStore(state / "keys.db").create("perf", "reader")
    base = targets.started(processes, ["odooport", "serve", "--port=0"], environment)
    floor = targets.started(processes, ["python", FLOOR, "http"], environment)

    gateway = await stack.enter_async_context(targets.default_gateway(odoo.url))
    session = await gateway.authenticate(odoo.login)
    proxy: Any = stack.enter_context(ServerProxy(f"{odoo.url}/xmlrpc/2/object"))
    login = (odoo.login.database, session.uid, odoo.login.secret)
    wanted = {"fields": FIELDS, "limit": ROWS}
    keyed = await stack.enter_async_context(
        httpx2.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {key}"})
    )

    def plain(method: str, *args: Any, **kwargs: Any) -> Ask:
        async def ask() -> object:
            return proxy.execute_kw(*login, MODEL, method, args, kwargs)

        return ask

    def bare(method: str, *args: Any, **kwargs: Any) -> Ask:
        call = Call(MODEL, method, args, kwargs)
        return lambda: gateway.execute(session, call)

    async def over_httpx2() -> object:
        answer = await keyed.get(_REST["search_10"])
        return answer.raise_for_status().json()

    async def client(of: Any) -> Client:
        return await stack.enter_async_context(Client(of))

    def spawned(command: str, *arguments: str) -> StdioServerParameters:
        return StdioServerParameters(
            command=str(BIN / command), args=list(arguments), env=environment
        )

    (one,) = odoo.ask(MODEL, "search", [], limit=1)
    ways: dict[str, Ask] = {
        "xmlrpc_client.search_10": plain("search_read", [], **wanted),
        "gateway.search_10": bare("search_read", [], **wanted),
        "gateway.read_1": bare("read", [one], FIELDS),
        "gateway.count": bare("search_count", []),
        "rest_httpx2.search_10": over_httpx2,
        "stdio.search_10": over_mcp(
            await client(spawned("odooport-mcp-stdio")), "search_records", **_SEARCH
        ),
        "stdio_floor.search_10": over_mcp(
            await client(spawned("python", FLOOR, "stdio")), "search_records", **_SEARCH
        ),
        "mcp_http.search_10": over_mcp(
            await client(streamable_http_client(f"{base}/mcp", http_client=keyed)),
            "search_records",
            **_SEARCH,
        ),
        "mcp_http_floor.search_10": over_mcp(
            await client(streamable_http_client(f"{floor}/mcp")),
            "search_records",
            **_SEARCH,
        ),
    }
    for name, path in _REST.items():
        ways[f"rest.{name}"] = over_rest(base, key, path.format(id=one))
    ways["rest.health"] = over_rest(base, key, _HEALTH)
    return ways


def figures(medians: Mapping[str, float]) -> list[Figure]:
    """Answer the figures of a run, given the median milliseconds of each way."""
    plain, bare = medians["xmlrpc_client.search_10"], medians["gateway.search_10"]
    found = [
        Figure(
            f"doors.{way}.search_10",
            medians[f"{way}.search_10"] / plain,
            "x",
            f"{what}, search of 10, over xmlrpc.client ({plain:.2f} ms)",
        )
        for way, what in (
            ("stdio", "MCP over stdio"),
            ("stdio_floor", "the bare SDK server over stdio"),
            ("mcp_http", "MCP over HTTP"),
            ("mcp_http_floor", "the bare SDK server over HTTP"),
            ("rest", "REST"),
        )
    ]
    found += [
        Figure(
            f"doors.{way}.{kind}.ms",
            medians[f"{way}.{kind}"] - medians[f"gateway.{kind}"],
            "ms",
            f"{what} above the bare gateway ({medians[f'gateway.{kind}']:.2f} ms)",
        )
        for way, kind, what in (
            ("rest", "search_10", "REST, search of 10,"),
            ("rest_httpx2", "search_10", "REST by httpx2, search of 10,"),
            ("rest", "read_1", "REST, one record,"),
            ("stdio", "search_10", "MCP over stdio, search of 10,"),
            ("mcp_http", "search_10", "MCP over HTTP, search of 10,"),
        )
    ]
    found += [
        Figure(
            "doors.rest.over_bare",
            medians["rest.search_10"] / bare,
            "x",
            f"REST, search of 10, over the bare gateway ({bare:.2f} ms)",
        ),
        Figure(
            "doors.rest.above",
            (medians["rest.search_10"] - bare) / plain,
            "x",
            "what REST adds to the bare gateway, over xmlrpc.client",
        ),
    ]
    found += [
        Figure(
            f"doors.rest.{kind}.all_ms", medians[f"rest.{kind}"], "ms", f"REST, {what}"
        )
        for kind, what in (
            ("count", "a count with one record, which are two calls"),
            ("describe", "the fields of a model, which are kept"),
            ("health", "a request that asks nothing of Odoo: the hop itself"),
        )
    ]
    return found


async def main(rounds: int, to: Path | None) -> None:
    """Measure, and report the figures."""
    async with AsyncExitStack() as stack:
        odoo = targets.target(stack.enter_context(ExitStack()))
        ways: dict[str, Callable[[], Any]] = await asks(odoo, stack)
        medians = await measure(ways, rounds, warm_up=WARM_UP)
    report(figures(medians), to)


if __name__ == "__main__":
    chosen = options(__doc__, rounds=ROUNDS).parse_args()
    asyncio.run(main(chosen.rounds, chosen.json))
    sys.stdout.flush()
