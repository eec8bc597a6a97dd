"""Schemas as a real Odoo 18 described its models."""

import json
import xmlrpc.client
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from odooport.errors import InvalidRequest
from odooport.schema import Field, ModelSchema

RECORDINGS = Path(__file__).parents[1] / "recordings" / "odoo18-wire"

COUNTRY = ModelSchema(
    "res.country",
    {
        "id": Field("id", "integer"),
        "name": Field("name", "char", required=True),
        "code": Field("code", "char", size=2),
        "state_ids": Field("state_ids", "one2many", relation="res.country.state"),
        "vat_label": Field("vat_label", "char", stored=False, searchable=False),
    },
)


@cache
def recorded_answer(case: str) -> Any:
    """Answer what Odoo answered in a case, such as ``search-read``."""
    (path,) = RECORDINGS.glob(f"[0-9][0-9][0-9]-{case}.json")
    exchange = json.loads(path.read_text("utf-8"))
    (answer,), _ = xmlrpc.client.loads(exchange["xmlrpc"]["response"]["body"])
    return answer


@cache
def recorded_schema(model: str) -> ModelSchema:
    """Answer the schema of a model, from its recorded fields_get."""
    return ModelSchema.from_wire(model, recorded_answer(f"fields-get-{model}"))


@pytest.fixture
def answer_of() -> Callable[[str], Any]:
    return recorded_answer


@pytest.fixture
def schema_of() -> Callable[[str], ModelSchema]:
    return recorded_schema


@pytest.fixture
def schemas() -> Callable[[str], Awaitable[ModelSchema]]:
    """What the use cases look related models up with."""

    async def look_up(model: str) -> ModelSchema:
        if model == COUNTRY.model:
            return COUNTRY
        try:
            return recorded_schema(model)
        except ValueError:
            raise InvalidRequest(f"There is no model {model!r} here.") from None

    return look_up


@pytest.fixture
def partner() -> ModelSchema:
    return recorded_schema("res.partner")


@pytest.fixture
def order() -> ModelSchema:
    return recorded_schema("sale.order")
