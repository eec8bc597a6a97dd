"""An Odoo that is restarted under many calls: everybody is answered, and truly."""

import asyncio
import time
from pathlib import Path

from .proxy import no_answer_though_done, proxy_to
from .services import PARTNERS, Service, furnish, started
from .world import MovableClock, SwappableOdoo, odoo_in_memory

CALLERS = 200
DOWN_SECONDS = 0.7
DONE_BEFORE = 5
"""How many writes are answered before Odoo goes down."""

BOUND = 20.0
"""The most seconds until everybody is answered: two timeouts and then some."""


async def test_a_restart_under_two_hundred_calls_leaves_nobody_hanging(
    tmp_path: Path,
) -> None:
    server = SwappableOdoo(await odoo_in_memory(MovableClock()))
    async with server.serving(), proxy_to(server.address) as proxy:
        key = furnish(tmp_path, proxy.address)
        async with started(tmp_path, key, ODOOPORT_CONCURRENCY="1000") as service:
            assert (await service.create("First")).status_code == 201
            codes: dict[str, str] = {}

            async def call(number: int) -> None:
                name = f"caller{number}"
                if number % 2:
                    codes[name] = await written(service, name)
                else:
                    codes[name] = await read(service)

            async def restart() -> None:
                called = [["name", "=like", "caller%"]]
                while True:
                    done = await server.run("res.partner", "search_count", called)
                    if done >= 2 * DONE_BEFORE:
                        break
                    await asyncio.sleep(0.01)
                await proxy.stop()
                await asyncio.sleep(DOWN_SECONDS)  # how long it is away
                proxy.heal()
                await proxy.start()

            # these are done, and Odoo goes down before their answers leave it
            hits = iter(range(CALLERS // 2))
            proxy.inject(
                no_answer_though_done,
                hits=lambda asked: asked.name == "create"
                and next(hits, CALLERS) >= DONE_BEFORE,
                times=CALLERS,
            )
            began = time.monotonic()
            async with asyncio.timeout(60):
                await asyncio.gather(restart(), *map(call, range(CALLERS)))
            assert time.monotonic() - began < BOUND
            seen = {*codes.values()}
            assert seen <= {"ok", "gateway_unavailable", "outcome_unknown"}, seen
            assert len(seen) == 3, "the restart hit nobody"
            for name, code in codes.items():
                times = await server.written(name)
                allowed = {"ok": {1}, "outcome_unknown": {0, 1}}.get(code, {0})
                if int(name.removeprefix("caller")) % 2:
                    assert times in allowed, (name, code, times)
            # a probe of the breaker finds out by itself that it is back
            async with asyncio.timeout(BOUND):
                while await read(service) != "ok":  # noqa: ASYNC110  nobody tells
                    await asyncio.sleep(0.1)
            assert await written(service, "Last") == "ok"


async def read(service: Service) -> str:
    """Read, and answer the code."""
    answer = await service.http.get(f"{PARTNERS}/records?limit=1")
    return "ok" if answer.is_success else str(answer.json()["code"])


async def written(service: Service, name: str) -> str:
    """Create, and answer the code."""
    answer = await service.create(name)
    return "ok" if answer.is_success else str(answer.json()["code"])
