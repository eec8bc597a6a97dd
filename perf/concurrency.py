"""Many callers at once: our one process over threads on ``xmlrpc.client``.

The two take turns, a burst each, against the Odoo that ``ODOO_URL`` names, else against
the one in memory. Far means that what opens a connection arrives 200 ms late. Last, a
count beside slow reads through the same client is measured over the count alone.
"""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from xmlrpc.client import ServerProxy

from figures import Figure, options, report
from targets import FIELDS, MODEL, SEEDED, Target, default_gateway, seed, target

from odooport import Call, OdooGateway, Session

ROUNDS = 5
DOMAIN = [["ref", "=like", f"{SEEDED}%"]]
CALLS, FAR_CALLS = 256, 32
FAR_SECONDS = 0.2
ROWS = 2_000
LIMIT = 10
COUNTS, SLOW_READS = 15, 8
SLOW_MARK = "slow-read"
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Callers:
    """Those who ask an Odoo, through one address.

    Attributes:
        odoo: Who it is.
        url: Where it is reached.
        gateway: Our way to it.
        session: Its user, logged in there.
    """

    odoo: Target
    url: str
    gateway: OdooGateway
    session: Session

    async def ours(self, width: int, calls: int) -> None:
        """Search so often, so many at a time, through one client of ours."""
        left = iter(range(calls))
        call = Call(MODEL, "search_read", (DOMAIN,), {"fields": FIELDS, "limit": LIMIT})

        async def caller() -> None:
            for _ in left:
                rows = await self.gateway.execute(self.session, call)
                expect(len(rows) == LIMIT)

        async with asyncio.TaskGroup() as callers:
            for _ in range(width):
                callers.create_task(caller())

    def threads(self, width: int, calls: int) -> None:
        """Search so often, with so many threads that have a proxy each."""
        login = self.odoo.login

        def caller(number: int) -> None:
            with ServerProxy(f"{self.url}/xmlrpc/2/object") as proxy:
                for _ in range(number, calls, width):
                    rows = proxy.execute_kw(
                        *(login.database, self.session.uid, login.secret),
                        *(MODEL, "search_read", [DOMAIN]),
                        {"fields": FIELDS, "limit": LIMIT},
                    )
                    expect(isinstance(rows, list) and len(rows) == LIMIT)

        with ThreadPoolExecutor(width) as pool:
            list(pool.map(caller, range(width)))

    async def over_threads(self, width: int, calls: int, rounds: int) -> float:
        """Answer our throughput over that of threads, by medians of bursts in turn."""
        ours: list[float] = []
        threads: list[float] = []
        for turn in range(rounds + 1):
            mine = await timed(lambda: self.ours(width, calls))
            theirs = await timed(lambda: asyncio.to_thread(self.threads, width, calls))
            if turn:  # the first warms both up
                ours.append(mine)
                threads.append(theirs)
        return statistics.median(threads) / statistics.median(ours)

    async def count_behind_slow(self, rounds: int) -> float:
        """Answer the median of counts beside slow reads, over that of counts alone."""
        alone: list[float] = []
        beside: list[float] = []
        count = Call(MODEL, "search_count", (DOMAIN,))
        slow = Call(MODEL, "search_count", ([["ref", "!=", SLOW_MARK], *DOMAIN],))

        async def counted() -> None:
            expect(await self.gateway.execute(self.session, count) > 0)

        for _ in range(rounds):
            alone += [await timed(counted) for _ in range(COUNTS)]
            async with asyncio.TaskGroup() as reads:
                slow_ones = [
                    reads.create_task(self.gateway.execute(self.session, slow))
                    for _ in range(SLOW_READS)
                ]
                times = [await timed(counted) for _ in range(COUNTS)]
                expect(not any(read.done() for read in slow_ones))
            beside += times
        return statistics.median(beside) / statistics.median(alone)


async def main(rounds: int, to: Path | None) -> None:
    """Measure, and report the figures."""
    figures: list[Figure] = []
    with ExitStack() as stack:
        odoo = target(stack)
        if not odoo.is_real:
            seed(odoo, ROWS)
        over = "searches a second over threads on xmlrpc.client"
        # a real Odoo takes a connection of its database for each caller
        for width in (1, 8, 32) if odoo.is_real else (1, 8, 32, 128):
            async with callers_at(odoo, odoo.url) as near:
                ratio = await near.over_threads(width, CALLS, rounds)
            name = f"concurrency.{width}.throughput"
            figures.append(Figure(name, ratio, "x", f"{width} callers, {over}"))
        async with (
            late(odoo.url, FAR_SECONDS) as url,
            callers_at(odoo, url) as far,
        ):
            ratio = await far.over_threads(8, FAR_CALLS, rounds)
            of = f"8 callers, Odoo 200 ms away, {over}"
            figures.append(Figure("concurrency.8.far", ratio, "x", of))
        async with (
            late(odoo.url, 5, mark=SLOW_MARK.encode()) as url,
            callers_at(odoo, url) as near,
        ):
            ratio = await near.count_behind_slow(rounds)
            of = f"a count beside {SLOW_READS} slow reads, over the count alone"
            figures.append(Figure("concurrency.count_behind_slow", ratio, "x", of))
    report(figures, to)


@contextlib.asynccontextmanager
async def callers_at(odoo: Target, url: str) -> AsyncIterator[Callers]:
    """Log in to an Odoo at an address, as the services do."""
    async with default_gateway(url) as gateway:
        yield Callers(odoo, url, gateway, await gateway.authenticate(odoo.login))


@contextlib.asynccontextmanager
async def late(url: str, seconds: float, mark: bytes = b"") -> AsyncIterator[str]:
    """Relay to an Odoo, and hold up what opens a connection.

    Args:
        url: Where it is.
        seconds: How long.
        mark: Holds up only what has this in it.
    """
    where = urlsplit(url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(_CHUNK)
        if mark in first:
            await asyncio.sleep(seconds)
        far_reader, far_writer = await asyncio.open_connection(
            where.hostname, where.port or 80
        )
        far_writer.write(first)
        async with asyncio.TaskGroup() as both:
            both.create_task(pass_on(reader, far_writer))
            both.create_task(pass_on(far_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on until one side has no more."""
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


async def timed(work: Callable[[], Awaitable[None]]) -> float:
    """Answer how long some work takes, in seconds."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def expect(is_right: bool) -> None:
    """End the benchmark if an answer is not the one that was asked for."""
    if not is_right:
        raise RuntimeError("an answer is not what was asked for")


if __name__ == "__main__":
    chosen = options(__doc__, rounds=ROUNDS).parse_args()
    asyncio.run(main(chosen.rounds, chosen.json))
