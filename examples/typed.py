"""Work with typed records: your editor and your type checker know your Odoo.

First let Odooport write the classes of the models that you need, with what your Odoo
really has, custom fields included::

    odooport schema generate res.partner --out models.py

Do that as the Odoo user that the program will use. Another one may not see the same
fields, and then the program ends with SchemaChanged.

Usage: python examples/typed.py https://odoo.example.com DATABASE LOGIN SECRET
"""

import asyncio
import sys
from contextlib import aclosing

from models import Partner, PartnerValues  # what the command above wrote

from odooport import Credentials, Odoo
from odooport_adapters import AutoGateway, OdooHttp


async def main(address: str, database: str, login: str, secret: str) -> None:
    """Create a contact, find it, show it, and clean up."""
    async with OdooHttp(address) as http, aclosing(AutoGateway.over(http)) as gateway:
        odoo = Odoo.connect(gateway, Credentials(database, login, secret))
        ada = PartnerValues(name="Ada Lovelace", country_id="Belgium")
        (made,) = await odoo.create(Partner, ada)

        try:
            for partner in await odoo.search(Partner, [["id", "=", made]]):
                country = partner.country_id.name if partner.country_id else "nowhere"
                print(f"{partner.name} in {country}")
            await odoo.write(Partner, [made], PartnerValues(active=False))
            print("archived")
        finally:
            await odoo.unlink(Partner, [made])
            print("deleted")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5]))
