"""Ask Odooport over MCP, as an agent would, with the typed client.

Usage: python examples/mcp_client.py http://127.0.0.1:8770/mcp odp_...
"""

import asyncio
import sys

from odooport import RecordMissing
from odooport_mcp.client import connect


async def main(url: str, key: str) -> None:
    """Say who we are, show a few companies, and what an error looks like."""
    async with connect(url, key) as odoo:
        me = await odoo.whoami()
        print(f"I am {me.user} in Odoo {me.version}, with the role {me.role}.")

        page = await odoo.search_records(
            "res.partner",
            [["is_company", "=", True]],
            fields=["name", "country_id"],
            order="name",
            limit=3,
            count=True,
        )
        print(f"{page.total} companies, the first {page.returned}:")
        for company in page.records:
            country = company["country_id"]
            print(f"  {company['name']} ({country['name'] if country else '-'})")

        try:
            await odoo.read_records("res.partner", [2_000_000_000])
        except RecordMissing as error:
            print(f"{error.code}: {error.message}")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
