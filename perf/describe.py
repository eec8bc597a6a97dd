"""What it costs to describe res.partner, cold and warm, beside the bare fields_get.

Asks the same Odoo in turn, one of each, again and again: with Python's own
``xmlrpc.client``, through the bare JSON-RPC gateway, and through the use case, cold
(told to ask Odoo) and warm. The figures are ratios of medians to the first.
"""

import asyncio
import logging
from contextlib import ExitStack
from pathlib import Path
from xmlrpc.client import ServerProxy

from figures import Figure, options, report
from interleaved import measure
from targets import MODEL, default_gateway, target

from odooport import Call, Odoo

ROUNDS = 50
WARM_UP = 5


async def main(rounds: int, to: Path | None) -> None:
    """Measure, and report the figures."""
    logging.getLogger("odooport").setLevel(logging.WARNING)
    with ExitStack() as stack:
        behind = target(stack)
        login = behind.login
        async with default_gateway(behind.url) as gateway:
            session = await gateway.authenticate(login)
            odoo = Odoo.connect(gateway, login)
            proxy = ServerProxy(f"{behind.url}/xmlrpc/2/object", allow_none=True)
            stack.enter_context(proxy)

            async def plain() -> object:
                # In this thread, as a script would: nothing else runs meanwhile.
                return proxy.execute_kw(
                    *(login.database, session.uid, login.secret),
                    *(MODEL, "fields_get", [], {}),
                )

            medians = await measure(
                {
                    "plain": plain,
                    "gateway": lambda: gateway.execute(
                        session, Call(MODEL, "fields_get")
                    ),
                    "cold": lambda: odoo.describe(MODEL, refresh=True),
                    "warm": lambda: odoo.describe(MODEL),
                },
                rounds,
                warm_up=WARM_UP,
            )
    told = {
        "gateway": "the bare default gateway",
        "cold": "describe, told to ask Odoo",
        "warm": "describe, kept",
    }
    report(
        [
            Figure(
                f"describe.{name}",
                medians[name] / medians["plain"],
                "x",
                f"{what} over xmlrpc.client ({medians['plain']:.1f} ms)",
            )
            for name, what in told.items()
        ],
        to,
    )


if __name__ == "__main__":
    chosen = options(__doc__, rounds=ROUNDS).parse_args()
    asyncio.run(main(chosen.rounds, chosen.json))
