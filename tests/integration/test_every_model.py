"""Every model of a real Odoo: described, made a class, filled with its first records.

Where Odoo itself fails, its error is in ``odoo_failures.json``, by version, and that is
all that fails. Where Odoo changed, write the list anew from what the test prints.
"""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from odooport import (
    Credentials,
    ModelSchema,
    Odoo,
    OdooFailed,
    OdooportError,
    record_model,
    values_model,
)
from odooport.discovery import Level
from odooport_adapters import JsonRpcGateway, OdooHttp

from .conftest import WALKS
from .odoo_server import Account, OdooServer

FAILURES = Path(__file__).parent / "odoo_failures.json"
RECORDS = 20
AT_ONCE = 4
FEWEST = 150
"""In a database with the apps of ``MODULES`` even a salesman reads more models."""

_RAISED = re.compile(r"[A-Za-z_][\w.]*(: |$)")
"""The last line of a traceback, with the name of an exception's class."""

pytestmark = pytest.mark.long


class Visit:
    """A walk through all models of one user.

    Attributes:
        described: How many models were described.
        filled: How many records were read into classes.
        closed: How many models have no records, or none for this user.
        failures: What Odoo itself failed on, by model.
    """

    def __init__(self, odoo: Odoo) -> None:
        self._odoo = odoo
        self._places = asyncio.Semaphore(AT_ONCE)
        self.described = 0
        self.filled = 0
        self.closed = 0
        self.failures: dict[str, str] = {}

    async def all(self, models: list[str]) -> None:
        """Visit models."""
        await asyncio.gather(*map(self._one, models))

    async def _one(self, model: str) -> None:
        async with self._places:
            try:
                schema = await self._odoo.fields(model)
                await self._describe(model, schema)
                await self._fill(schema)
            except OdooportError as error:
                self.failures[model] = _told(error)

    async def _describe(self, model: str, schema: ModelSchema) -> None:
        for level in Level:
            told = await self._odoo.describe(model, level=level)
            assert told.fingerprint == schema.fingerprint
            assert len(told.fields) + len(told.others) == told.total
        self.described += 1

    async def _fill(self, schema: ModelSchema) -> None:
        kind = record_model(schema)
        values_model(schema)
        abstract = "id" not in schema.fields
        if abstract or not await self._odoo.call(
            schema.model, "has_access", args=[[], "read"]
        ):
            self.closed += 1
            return
        found = await self._odoo.search(kind, limit=RECORDS)
        ids = await self._odoo.search(schema.model, limit=RECORDS)
        assert [record.id for record in found] == ids
        self.filled += len(found)


def _told(error: OdooportError) -> str:
    """Answer our code with Odoo's own words: of a crash, what was raised."""
    said = error.message.splitlines()[0]
    if isinstance(error, OdooFailed):
        raised = [line for line in error.debug.splitlines() if _RAISED.match(line)]
        said = raised[-1] if raised else said
    return f"{error.code}: {said}"


@pytest.mark.parametrize("who", ["admin", "seller"])
async def test_every_model_is_described_typed_and_filled(
    odoo_server: OdooServer, who: str, request: pytest.FixtureRequest
) -> None:
    account: Account = getattr(odoo_server, who)
    login = Credentials(odoo_server.database, account.login, account.api_key)
    async with OdooHttp(odoo_server.url) as http:
        odoo = Odoo.connect(JsonRpcGateway(http), login)
        models = {info.model for info in await odoo.models()}
        if who == "admin":  # who also sees the models of wizards
            rows = await odoo.search_read("ir.model", fields=["model"], limit=5_000)
            models |= {row["model"] for row in rows.records}
        visit = Visit(odoo.acting_as(active_test=False))
        await visit.all(sorted(models))
    key = f"{odoo_server.major}.0 {who}"
    known: dict[str, Any] = json.loads(FAILURES.read_text(encoding="utf-8"))
    expected = {
        model: text for model, text in known.get(key, {}).items() if model in models
    }
    failed = dict(sorted(visit.failures.items()))
    request.config.stash.setdefault(WALKS, []).append(
        f"{key}: {len(models)} models, {visit.described} described, "
        f"{visit.closed} without records for this user, {visit.filled} records in "
        f"classes, {len(failed)} failed in Odoo"
    )
    assert failed == expected, json.dumps({key: failed}, indent=2, ensure_ascii=False)
    assert visit.described > FEWEST
