"""Use Odooport's REST API from Python.

Start ``odooport demo`` and run this with the address and the key that it prints::

    python examples/rest_client.py http://127.0.0.1:8770 odp_...
"""

import sys
from collections.abc import Iterator
from typing import Any

import httpx2

Record = dict[str, Any]


def pages(http: httpx2.Client, model: str, **search: Any) -> Iterator[Record]:
    """Go through all the records that a search finds, page by page."""
    while True:
        answer = http.post(f"/v1/models/{model}/search", json=search)
        answer.raise_for_status()
        found = answer.json()
        yield from found["records"]
        if not found["page"]["has_more"]:
            return
        search["cursor"] = found["page"]["next_cursor"]


def main(address: str, key: str) -> None:
    """Look around, create a contact, change it, make a mistake, and clean up."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=address, headers=headers) as http:
        me = http.get("/v1/me").raise_for_status().json()
        print(f"{me['principal']} ({me['role']}) acts as {me['user']}")

        companies = pages(
            http,
            "res.partner",
            domain=[["is_company", "=", True]],
            fields=["name", "country_id"],
            limit=5,
        )
        for company in companies:
            country = company["country_id"]
            print(f"{company['name']}: {country['name'] if country else 'no country'}")

        created = http.post(
            "/v1/models/res.partner/records",
            params={"fields": "name,country_id"},
            json={"name": "Ada Lovelace", "country_id": "Belgium"},
        ).raise_for_status()
        place, ada = created.headers["Location"], created.json()
        print(f"created {ada['name']} of {ada['country_id']['name']} at {place}")

        changed = http.patch(place, params={"fields": "city"}, json={"city": "London"})
        print(f"moved to {changed.raise_for_status().json()['city']}")

        # A name must be exact; the error names the closest ones.
        refused = http.patch(place, json={"country_id": "Belgum"})
        problem = refused.json()
        print(f"{problem['status']} {problem['code']}: {problem['detail']}")

        removed = http.delete(place)
        if removed.status_code == 403:
            # A key with the role editor may not delete; archiving is enough.
            http.patch(place, json={"active": False}).raise_for_status()
            print("archived")
        else:
            removed.raise_for_status()
            print("deleted")


if __name__ == "__main__":
    main(*sys.argv[1:])
