"""Typed values through a real Odoo and back: what was written is what is read."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from odooport import (
    Credentials,
    ExternalId,
    Many,
    Odoo,
    OdooGateway,
    record_model,
    values_model,
)
from odooport_adapters import JsonRpcGateway, OdooHttp, XmlRpcGateway

from .odoo_server import OdooServer

MOMENT = dt.datetime(2026, 11, 22, 16, 30, 5, tzinfo=dt.UTC)
SAMPLES: dict[str, dict[str, Any]] = {
    "res.partner": {
        "name": "Zoë \N{GRINNING FACE} <b> & 'x'",
        "active": True,
        "color": 7,
        "type": "invoice",
        "comment": "<p>Hello</p>",
        "partner_latitude": 50.85,
        "image_1920": None,
    },
    "crm.lead": {
        "name": "Lead",
        "expected_revenue": Decimal("1234.56"),
        "date_deadline": dt.date(2026, 12, 24),
        "priority": "2",
        "description": None,
    },
    "ir.attachment": {"name": "bytes.bin", "datas": bytes(range(256))},
    "calendar.event": {"name": "Visit", "start": MOMENT, "stop": MOMENT},
}


@pytest.mark.parametrize("wire", [JsonRpcGateway, XmlRpcGateway])
@pytest.mark.parametrize("model", SAMPLES)
async def test_what_is_written_is_what_is_read(
    odoo_server: OdooServer, wire: type[OdooGateway], model: str
) -> None:
    admin = odoo_server.admin
    login = Credentials(odoo_server.database, admin.login, admin.api_key)
    sample = SAMPLES[model]
    async with OdooHttp(odoo_server.url) as http:
        odoo = Odoo.connect(wire(http), login)
        schema = await odoo.fields(model)
        values = values_model(schema)(**sample)
        (made,) = await odoo.create(model, values)
        try:
            (read,) = await odoo.read(record_model(schema, list(sample)), [made])
            assert {name: getattr(read, name) for name in sample} == sample
        finally:
            await odoo.unlink(model, [made])


async def test_relations_are_written_as_people_name_them(
    odoo_server: OdooServer,
) -> None:
    admin = odoo_server.admin
    login = Credentials(odoo_server.database, admin.login, admin.api_key)
    async with OdooHttp(odoo_server.url) as http:
        odoo = Odoo.connect(JsonRpcGateway(http), login)
        schema = await odoo.fields("res.partner")
        values = values_model(schema)(
            name="Zoë",
            country_id=ExternalId("base.be"),
            child_ids=Many(create=[{"name": "Kim"}, {"name": "Lou"}]),
        )
        (made,) = await odoo.create("res.partner", values)
        names = ["country_id", "child_ids"]
        (read,) = await odoo.read(record_model(schema, names), [made])
        try:
            assert read.country_id.name == "Belgium"
            children = await odoo.read("res.partner", read.child_ids, fields=["name"])
            assert {child["name"] for child in children} == {"Kim", "Lou"}
        finally:
            await odoo.unlink("res.partner", [made, *read.child_ids])
