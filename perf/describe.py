"""What it costs to describe res.partner, cold and warm, beside the bare fields_get.

Asks the same Odoo in turn, one of each, again and again: with Python's own
``xmlrpc.client``, through the bare JSON-RPC gateway, and through the use case, cold
(told to ask Odoo) and warm. Prints the median of each and its ratio to the first.

Odoo is the one that ``ODOO_URL``, ``ODOO_DB``, ``ODOO_USER`` and ``ODOO_PASSWORD``
name; without them, the Odoo in memory behind its own server, in another process.

Usage: ``python perf/describe.py [ROUNDS]``
"""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from xmlrpc.client import ServerProxy

from interleaved import measure

from odooport import Call, Credentials, Odoo
from odooport_adapters import JsonRpcGateway, OdooHttp

ROUNDS = 50
WARM_UP = 5
MODEL = "res.partner"
BIN = Path(sys.executable).parent


def server(stack: ExitStack) -> tuple[str, Credentials]:
    """Answer an Odoo's address and a login; start one in memory if none is named."""
    if url := os.environ.get("ODOO_URL"):
        names = ("ODOO_DB", "ODOO_USER", "ODOO_PASSWORD")
        return url, Credentials(*(os.environ[name] for name in names))
    process = subprocess.Popen(
        [str(BIN / "odooport"), "fake-odoo", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def stop() -> None:
        process.terminate()
        process.wait(10)

    stack.callback(stop)
    assert process.stdout is not None
    for line in process.stdout:
        for word in line.split():
            if word.startswith("http://"):
                threading.Thread(target=process.stdout.read, daemon=True).start()
                return word.rstrip("/"), Credentials("demo", "admin", "admin")
    raise RuntimeError("the Odoo in memory did not start")


async def main(rounds: int) -> None:
    """Measure, and print a table."""
    logging.getLogger("odooport.gate").setLevel(logging.WARNING)
    with ExitStack() as stack:
        url, login = server(stack)
        async with OdooHttp(url) as http:
            gateway = JsonRpcGateway(http)
            session = await gateway.authenticate(login)
            odoo = Odoo.connect(gateway, login)
            proxy = ServerProxy(f"{url}/xmlrpc/2/object", allow_none=True)
            stack.enter_context(proxy)

            async def plain() -> object:
                # In this thread, as a script would: nothing else runs meanwhile.
                return proxy.execute_kw(
                    *(login.database, session.uid, login.secret),
                    *(MODEL, "fields_get", [], {}),
                )

            medians = await measure(
                {
                    "xmlrpc.client fields_get": plain,
                    "gateway fields_get": lambda: gateway.execute(
                        session, Call(MODEL, "fields_get")
                    ),
                    "describe, cold": lambda: odoo.describe(MODEL, refresh=True),
                    "describe, warm": lambda: odoo.describe(MODEL),
                },
                rounds,
                warm_up=WARM_UP,
            )
    first = next(iter(medians.values()))
    print(f"{'':26}{'ms':>9}{'ratio':>9}")
    for name, median in medians.items():
        print(f"{name:26}{median:9.3f}{median / first:9.3f}")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
