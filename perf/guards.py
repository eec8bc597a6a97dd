"""What the guards cost: the guarded path beside the bare gateway call, in one process.

Over the in-memory Odoo, one of each in turn: the bare call, the use case without any
guard, and with every guard: the key is looked up, the role hides fields and requires a
domain, budgets by key, role and address are counted, a place is held, and the audit
keeps a chained line. The figures are how many milliseconds the median of each is above
the median of the bare call of the same thing; and how long it takes to make clean
values of 10,000 rows, over decoding their JSON.
"""

import asyncio
import json
import logging
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from figures import Figure, options, report
from interleaved import measure
from targets import FIELDS, MODEL, SIX_FIELDS

from odooport import Call, Credentials, Odoo
from odooport.schema import ModelSchema
from odooport.values import record_out
from odooport_runtime.container import Container, shutdown
from odooport_runtime.settings import Settings

ROUNDS = 500
WARM_UP = 50
ROWS = 10_000
ROW_ROUNDS = 15
FEW = 10
LOGIN = Credentials("demo", "admin", "admin")
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
CALLS = {
    "count": Call(MODEL, "search_count", ([],)),
    "read": Call(MODEL, "read", ([1], FIELDS)),
    "search_10": Call(
        MODEL,
        "search_read",
        (),
        {"domain": [], "fields": FIELDS, "limit": FEW + 1, "order": "id"},
    ),
    "write": Call(MODEL, "write", ([1], {"city": "Namur"})),
}
"""The bare call of each thing."""

type Use = Callable[[Odoo], Awaitable[object]]

USES: dict[str, Use] = {
    "count": lambda odoo: odoo.count(MODEL),
    "read": lambda odoo: odoo.read(MODEL, [1], fields=FIELDS),
    "search_10": lambda odoo: odoo.search_read(MODEL, fields=FIELDS, limit=FEW),
    "write": lambda odoo: odoo.write(MODEL, [1], {"city": "Namur"}),
}


async def main(rounds: int, to: Path | None) -> None:
    """Measure, and report the figures."""
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

        asks: dict[str, Callable[[], Awaitable[object]]] = {}
        for name, call in CALLS.items():
            asks[f"{name}: bare"] = lambda call=call: gateway.execute(session, call)
            asks[f"usecase.{name}.ms"] = lambda use=USES[name]: use(plain)
            asks[f"guards.{name}.ms"] = lambda use=USES[name]: guarded(use)
        medians = await measure(asks, rounds, warm_up=WARM_UP)
        schema = await gate.full_schema(LOGIN, MODEL)
        figures = [
            Figure(
                f"{kind}.{name}.ms",
                medians[f"{kind}.{name}.ms"] - medians[f"{name}: bare"],
                "ms",
                f"{what} over the bare call ({medians[f'{name}: bare']:.3f} ms)",
            )
            for name in CALLS
            for kind, what in (
                ("usecase", "the use case without guards"),
                ("guards", "the use case with every guard"),
            )
        ]
        figures += [
            Figure(
                f"guards.{name}.over_bare",
                medians[f"guards.{name}.ms"] / medians[f"{name}: bare"],
                "x",
                "the use case with every guard over the bare call",
            )
            for name in CALLS
        ]
        figures.append(await values_out(schema))
    report(figures, to)


async def values_out(schema: ModelSchema) -> Figure:
    """Measure making clean values of many rows beside decoding their JSON."""
    rows = [
        {
            "id": number,
            "name": f"Perf Partner {number:06}",
            "email": f"partner{number}@example.com",
            "city": f"City {number % 97}",
            "country_id": [20, "Belgium"],
            "phone": f"+32 2 {number:06}" if number % 2 else False,
            "write_date": "2026-11-23 08:00:00",
        }
        for number in range(ROWS)
    ]
    if set(rows[0]) != {"id", *SIX_FIELDS}:
        raise SystemExit("These rows are not those of the other benchmarks.")
    text = json.dumps(rows)

    async def decode() -> object:
        return json.loads(text)

    async def out() -> object:
        return [record_out(schema, row) for row in rows]

    medians = await measure({"json": decode, "out": out}, ROW_ROUNDS, warm_up=2)
    return Figure(
        "values.out.10000",
        medians["out"] / medians["json"],
        "x",
        f"clean values of {ROWS} rows of six fields over decoding their JSON "
        f"({medians['json']:.1f} ms)",
    )


if __name__ == "__main__":
    chosen = options(__doc__, rounds=ROUNDS).parse_args()
    asyncio.run(main(chosen.rounds, chosen.json))
