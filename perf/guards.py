"""What the guards cost: the guarded path beside the bare gateway call, in one process.

Over the in-memory Odoo, one of each in turn: the bare call, the use case without any
guard, and with every guard: the key is looked up, the role hides fields and requires a
domain, budgets by key, role and address are counted, a place is held, and the audit
keeps a chained line. Prints the median of each, and how much that is above the bare
call of the same thing.

Usage: ``python perf/guards.py [ROUNDS]``
"""

import asyncio
import logging
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from interleaved import measure

from odooport import Call, Credentials, Odoo
from odooport_runtime.container import Container, shutdown
from odooport_runtime.settings import Settings

ROUNDS = 500
WARM_UP = 50
MODEL = "res.partner"
LOGIN = Credentials("demo", "admin", "admin")
FIELDS = ["name", "city", "country_id"]
ROLE = {
    "inherits": "editor",
    "rate_limit": "1000000/minute",
    "rules": [
        {
            "models": [MODEL],
            "allow": ["read", "write"],
            "hide": ["phone"],
            "domain": [["active", "=", True]],
        }
    ],
}

type Use = Callable[[Odoo], Awaitable[object]]


async def main(rounds: int) -> None:
    """Measure, and print a table."""
    logging.getLogger("odooport").setLevel(logging.WARNING)
    async with AsyncExitStack() as stack:
        state = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        container = Container(
            settings=Settings(
                transport="memory",
                state=state,
                rate_limit="1000000/minute",
                address_rate_limit="1000000/minute",
                roles={"bench": ROLE},
            )
        )
        stack.push_async_callback(shutdown, container)
        _, token = container.key_store().create("bench", "bench")
        gate, gateway = container.gate(), container.gateway()
        session = await gateway.authenticate(LOGIN)
        plain = Odoo.connect(gateway, LOGIN)

        async def guarded(use: Use) -> object:
            caller = await gate.authenticate(
                token, door="perf", request_id="r", address="127.0.0.1"
            )
            return await use(Odoo(gate, caller))

        calls = {
            "count": Call(MODEL, "search_count", ([["active", "=", True]],)),
            "read": Call(MODEL, "read", ([1], FIELDS)),
        }
        uses: dict[str, Use] = {
            "count": lambda odoo: odoo.count(MODEL),
            "read": lambda odoo: odoo.read(MODEL, [1], fields=FIELDS),
        }
        asks: dict[str, Callable[[], Awaitable[object]]] = {}
        for name, call in calls.items():
            asks[f"{name}: bare"] = lambda call=call: gateway.execute(session, call)
            asks[f"{name}: use case"] = lambda use=uses[name]: use(plain)
            asks[f"{name}: all guards"] = lambda use=uses[name]: guarded(use)
        medians = await measure(asks, rounds, warm_up=WARM_UP)
    print(f"{rounds} rounds, medians")
    print(f"{'way':20} {'ms':>8} {'above bare':>11}")
    for name, median in medians.items():
        bare = medians[f"{name.partition(':')[0]}: bare"]
        print(f"{name:20} {median:8.3f} {median - bare:+11.3f}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
