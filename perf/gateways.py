"""Our gateways over the clients that others use, and what each wire's words cost.

Every way is asked in turn in one run, against the Odoo that ``ODOO_URL`` names, else
against the one in memory. What is made is deleted again.
"""

import asyncio
import json
import xmlrpc.client
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import odooly
import odoorpc
from figures import Figure, options, report
from interleaved import Ask, measure
from targets import (
    FIELDS,
    MODEL,
    SEEDED,
    SIX_FIELDS,
    Target,
    default_gateway,
    seed,
    target,
)

from odooport import Call, OdooGateway
from odooport_adapters import (
    JsonRpcGateway,
    OdooHttp,
    XmlRpcGateway,
    messages,
)
from odooport_adapters import xmlrpc as xml
from odooport_adapters.faults import Asker

ROUNDS = 60
FEW = 7
"""How often a large read is measured, and a thousand rows are decoded."""

WARM_UP = 5
LARGE, SMALL = 10_000, 2_000
DOMAIN = [["ref", "=like", f"{SEEDED}%"]]
BARE = "xmlrpc_client"

type Execute = Callable[..., Awaitable[Any]]
"""Runs a method, given its name and its arguments."""


async def main(rounds: int, to: Path | None) -> None:
    """Measure, and report the figures."""
    async with AsyncExitStack() as stack:
        odoo = target(stack.enter_context(ExitStack()))
        if not odoo.is_real:
            seed(odoo, SMALL)
        async with OdooHttp(odoo.url) as http:
            figures = await calls(odoo, await clients(odoo, http, stack), rounds)
    for rows in (10, 1_000, LARGE):
        figures += await words(rows, rounds if rows < LARGE else FEW)
    report(figures, to)


async def clients(
    odoo: Target, http: OdooHttp, stack: AsyncExitStack
) -> Mapping[str, Execute]:
    """Log in with each client, and answer how it runs a method of partners."""
    login, where = odoo.login, urlsplit(odoo.url)
    proxy = stack.enter_context(
        xmlrpc.client.ServerProxy(f"{odoo.url}/xmlrpc/2/object", allow_none=True)
    )
    uid = odoo.uid()
    rpc = odoorpc.ODOO(str(where.hostname), port=where.port or 80)
    rpc.login(login.database, login.login, login.secret)
    ly = odooly.Client(odoo.url, login.database, login.login, login.secret)
    gateways = JsonRpcGateway(http), XmlRpcGateway(http)
    session = await gateways[0].authenticate(login)
    default = await stack.enter_async_context(default_gateway(odoo.url))
    await default.authenticate(login)

    async def bare(method: str, *args: Any, **kwargs: Any) -> Any:
        who = login.database, uid, login.secret
        return proxy.execute_kw(*who, MODEL, method, args, kwargs)

    async def with_odoorpc(method: str, *args: Any, **kwargs: Any) -> Any:
        return rpc.execute_kw(MODEL, method, args, kwargs)

    async def with_odooly(method: str, *args: Any, **kwargs: Any) -> Any:
        return ly.env.execute(MODEL, method, *args, **kwargs)

    async def ours(gateway: OdooGateway, method: str, *args: Any, **kwargs: Any) -> Any:
        return await gateway.execute(session, Call(MODEL, method, args, kwargs))

    return {
        BARE: bare,
        "default": partial(ours, default),
        "jsonrpc": partial(ours, gateways[0]),
        "xmlrpc": partial(ours, gateways[1]),
        "odoorpc": with_odoorpc,
        "odooly": with_odooly,
    }


async def calls(odoo: Target, ways: Mapping[str, Execute], rounds: int) -> list[Figure]:
    """Measure one kind of call after the other, the clients in turn in each."""
    there = odoo.ask(MODEL, "search_count", DOMAIN)
    (one,) = odoo.ask(MODEL, "search", DOMAIN, limit=1)
    rows = LARGE if there >= LARGE else SMALL

    async def search(run: Execute, limit: int, fields: list[str]) -> None:
        got = await run("search_read", DOMAIN, fields=fields, limit=limit, order="id")
        expect(len(got) == limit and set(fields) < set(got[0]), "search_read")

    async def read(run: Execute) -> None:
        got = await run("read", [one], FIELDS)
        expect(got[0]["id"] == one, "read")

    async def count(run: Execute) -> None:
        expect(await run("search_count", DOMAIN) == there, "search_count")

    async def aggregate(run: Execute) -> None:
        groups = await run("read_group", DOMAIN, ["id:count"], ["city"], lazy=False)
        expect(sum(group["__count"] for group in groups) == there, "read_group")

    async def make_and_delete(run: Execute) -> None:
        made = await run("create", {"name": "Perf gateway"})
        expect(isinstance(made, int), "create")
        expect(await run("unlink", [made]) is True, "unlink")

    async def fields_get(run: Execute) -> None:
        got = await run("fields_get")
        expect(got["country_id"]["relation"] == "res.country", "fields_get")

    kinds: dict[str, tuple[Callable[[Execute], Awaitable[None]], int]] = {
        "search_10": (partial(search, limit=10, fields=FIELDS), rounds),
        "read_1": (read, rounds),
        "count": (count, rounds),
        "aggregate": (aggregate, max(rounds // 3, 1)),
        "create_unlink": (make_and_delete, max(rounds // 3, 1)),
        "fields_get": (fields_get, max(rounds // 2, 1)),
        f"rows_{rows}": (
            partial(search, limit=rows, fields=SIX_FIELDS),
            min(rounds, FEW),
        ),
    }
    figures: list[Figure] = []
    for kind, (ask, times) in kinds.items():
        asks: dict[str, Ask] = {name: partial(ask, run) for name, run in ways.items()}
        medians = await measure(asks, times, warm_up=min(WARM_UP, times))
        for name in asks.keys() - {BARE}:
            of = f"{kind} through {name}, over xmlrpc.client"
            figures.append(over(f"gateway.{kind}.{name}", medians, name, of))
    return sorted(figures, key=lambda figure: figure.name)


async def words(rows: int, rounds: int) -> list[Figure]:
    """Measure what writing and reading records costs on each wire, without an Odoo."""
    records = [
        {
            "id": number,
            "name": f"Perf Partner {number:06}",
            "email": f"partner{number}@example.com",
            "city": f"City {number % 97}",
            "country_id": [20, "Belgium"],
            "phone": f"+32 2 {number:06}",
            "write_date": "2026-01-01 10:00:00",
        }
        for number in range(1, rows + 1)
    ]
    as_xml = xmlrpc.client.dumps((records,), methodresponse=True).encode()
    as_json = json.dumps({"jsonrpc": "2.0", "id": 1, "result": records}).encode()
    expect(xml.decode(as_xml, Asker()) == records, "decoding XML")
    expect(messages.decode(as_json, 1)["result"] == records, "decoding JSON")

    async def timed(work: Callable[[], object]) -> None:
        work()

    def who() -> list[Any]:
        return ["db", 2, "secret", MODEL, "create", [records], {}]

    works: dict[str, Callable[[], object]] = {
        "decode.client": lambda: xmlrpc.client.loads(as_xml),
        "decode.xml": lambda: xml.decode(as_xml, Asker()),
        "decode.json": lambda: messages.decode(as_json, 1),
        "encode.client": lambda: xmlrpc.client.dumps(tuple(who()), "execute_kw"),
        "encode.xml": lambda: xml.encode("execute_kw", who()),
        "encode.json": lambda: messages.encode(1, {"args": who()}),
    }
    asks: dict[str, Ask] = {name: partial(timed, work) for name, work in works.items()}
    medians = await measure(asks, rounds, warm_up=1)
    return [
        over(
            f"{name}.{rows}",
            medians,
            name,
            f"{rows} records, over xmlrpc.client",
            to=f"{name.partition('.')[0]}.client",
        )
        for name in works
        if not name.endswith(".client")
    ]


def over(
    figure: str, medians: Mapping[str, float], name: str, of: str, to: str = BARE
) -> Figure:
    """Answer the ratio of one median to another."""
    return Figure(figure, medians[name] / medians[to], "x", of)


def expect(is_right: bool, what: str) -> None:
    """End the benchmark if an answer is not the one that was asked for."""
    if not is_right:
        raise SystemExit(f"{what} answered something else")


if __name__ == "__main__":
    chosen = options(__doc__, rounds=ROUNDS).parse_args()
    asyncio.run(main(chosen.rounds, chosen.json))
