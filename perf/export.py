"""An export of 200,000 rows: streamed, and in pages, as programs do it today.

The same rows of six fields, one way after the other in each round: ``Odoo.stream``;
pages of 1,000 by offset with ``xmlrpc.client``; and our own pages by cursor. A real
Odoo gives the partners that it has. Before that, one export alone tells what it adds
to the memory of this process.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast
from xmlrpc.client import ServerProxy

from figures import Figure, options, report
from interleaved import Ask, measure
from targets import MODEL, SEEDED, SIX_FIELDS, Target, default_gateway, seed, target

from odooport import Odoo

ROUNDS = 3
ROWS = 200_000
PAGE = 1_000
DOMAIN = [["ref", "=like", f"{SEEDED}%"]]
WARM_UP = 10
"""How many rows are read before the memory is looked at: it knows the model then."""

_KIB = 1024.0


async def main(rounds: int, rows: int, to: Path | None) -> None:
    """Measure, and report the figures."""
    with ExitStack() as stack:
        source = target(stack)
        if not source.is_real:
            seed(source, rows)
        rows = min(rows, int(source.ask(MODEL, "search_count", DOMAIN)))
        if not rows:
            raise SystemExit(f"There are no partners with references like {SEEDED}1.")
        uid = source.uid()
        async with default_gateway(source.url) as gateway:
            odoo = Odoo.connect(gateway, source.login)
            grown = await growth(odoo, rows)
            ways: dict[str, Callable[[], Awaitable[int]]] = {
                "streamed": lambda: streamed(odoo, rows),
                "xmlrpc": lambda: asyncio.to_thread(paged_plainly, source, uid, rows),
                "paged": lambda: paged(odoo, rows),
            }
            asks = {name: whole(way, rows) for name, way in ways.items()}
            medians = await measure(asks, rounds, warm_up=0)
    of = f"{rows} rows of six fields"
    report(
        [
            Figure(
                "export.rows_per_s",
                rows / medians["streamed"] * 1000,
                "1/s",
                f"{of}, streamed",
            ),
            Figure(
                "export.over_xmlrpc",
                medians["streamed"] / medians["xmlrpc"],
                "x",
                f"{of}, streamed over pages by offset with xmlrpc.client "
                f"({medians['xmlrpc']:.0f} ms)",
            ),
            Figure(
                "export.over_pages",
                medians["streamed"] / medians["paged"],
                "x",
                f"{of}, streamed over our pages by cursor ({medians['paged']:.0f} ms)",
            ),
            Figure(
                "export.memory_mib",
                grown,
                "MiB",
                f"{of}, streamed: the most that this process grew by",
            ),
        ],
        to,
    )


def whole(way: Callable[[], Awaitable[int]], rows: int) -> Ask:
    """Answer what reads in one way, and fails unless all rows came."""

    async def read() -> None:
        if (came := await way()) != rows:
            raise SystemExit(f"{came} rows came instead of {rows}.")

    return read


async def growth(odoo: Odoo, rows: int) -> float:
    """Answer by how many MiB an export makes this process grow at the most."""
    await streamed(odoo, min(rows, WARM_UP))
    before = most = resident()
    came = 0
    async for _ in records(odoo, rows):
        came += 1
        if came % PAGE == 0:
            most = max(most, resident())
    return most - before


def resident() -> float:
    """Answer the resident memory of this process in MiB."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / _KIB


def records(odoo: Odoo, rows: int) -> AsyncIterator[dict[str, Any]]:
    """Stream the rows."""
    return odoo.stream(MODEL, DOMAIN, fields=SIX_FIELDS, limit=rows)


async def streamed(odoo: Odoo, rows: int) -> int:
    """Stream the rows, and count them."""
    came = 0
    async for _ in records(odoo, rows):
        came += 1
    return came


async def paged(odoo: Odoo, rows: int) -> int:
    """Read the rows in pages by cursor, and count them."""
    came, cursor = 0, None
    while came < rows:
        page = await odoo.search_read(
            MODEL,
            DOMAIN,
            fields=SIX_FIELDS,
            limit=min(PAGE, rows - came),
            cursor=cursor,
        )
        came += len(page.records)
        if (cursor := page.cursor) is None:
            break
    return came


def paged_plainly(source: Target, uid: int, rows: int) -> int:
    """Read the rows in pages by offset with ``xmlrpc.client``, and count them."""
    came = 0
    with ServerProxy(f"{source.url}/xmlrpc/2/object", allow_none=True) as proxy:
        while came < rows:
            page = cast(
                "list[Any]",  # the library says that it may be anything
                proxy.execute_kw(
                    *(source.login.database, uid, source.login.secret),
                    *(MODEL, "search_read", [DOMAIN]),
                    {
                        "fields": SIX_FIELDS,
                        "order": "id",
                        "offset": came,
                        "limit": min(PAGE, rows - came),
                    },
                ),
            )
            if not page:
                break
            came += len(page)
    return came


if __name__ == "__main__":
    parser = options(__doc__, rounds=ROUNDS)
    parser.add_argument(
        "--rows", type=int, default=ROWS, help="at most so many (default %(default)s)"
    )
    chosen = parser.parse_args()
    asyncio.run(main(chosen.rounds, chosen.rows, chosen.json))
