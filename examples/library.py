"""Use the domain library against a real Odoo, without any service in between.

Usage: python examples/library.py https://odoo.example.com DATABASE LOGIN SECRET

The secret is a password or, better, an Odoo API key. Odoo's own rights decide what the
login may do.
"""

import asyncio
import sys
from contextlib import aclosing

from odooport import Credentials, InvalidRequest, Odoo
from odooport_adapters import AutoGateway, OdooHttp


async def main(address: str, database: str, login: str, secret: str) -> None:
    """Create a contact, find it, change it, make a mistake, and clean up."""
    async with OdooHttp(address) as http, aclosing(AutoGateway.over(http)) as gateway:
        odoo = Odoo.connect(gateway, Credentials(database, login, secret))
        me = await odoo.whoami()
        print(f"{me.user} on Odoo {me.version}")

        (made,) = await odoo.create(
            "res.partner", {"name": "Grace Hopper", "country_id": "Belgium"}
        )
        page = await odoo.search_read(
            "res.partner", [["name", "=", "Grace Hopper"]], fields=["country_id"]
        )
        print(f"found {len(page.records)}, in {page.records[0]['country_id']['name']}")

        try:
            await odoo.write("res.partner", [made], {"country_id": "Belgum"})
        except InvalidRequest as error:
            print(f"{error.code}: {error.message}")

        await odoo.write("res.partner", [made], {"active": False})
        await odoo.unlink("res.partner", [made])
        print("archived, then deleted")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
