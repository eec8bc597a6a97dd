"""What is written as a Python value is read as the same Python value."""

import base64
import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odooport import AnyRef, Many, Odoo, Ref, record_model, values_model
from odooport_adapters import JsonRpcGateway, MemoryGateway, XmlRpcGateway
from odooport_adapters.http import OdooHttp
from odooport_adapters.memory import Model
from odooport_adapters.wire_server import wire_app
from tests.usecases.conftest import ADMIN

THING = Model.define(
    "x.thing",
    {
        "x_flag": {"type": "boolean"},
        "x_count": {"type": "integer"},
        "x_ratio": {"type": "float", "digits": [16, 3]},
        "x_total": {"type": "monetary"},
        "name": {"type": "char"},
        "x_code": {"type": "char", "size": 5},
        "x_note": {"type": "text"},
        "x_page": {"type": "html"},
        "x_day": {"type": "date"},
        "x_moment": {"type": "datetime"},
        "x_content": {"type": "binary"},
        "x_state": {
            "type": "selection",
            "selection": [["to do", "To do"], ["1", "One"], ["-1", "Minus one"]],
        },
        "x_country_id": {"type": "many2one", "relation": "res.country"},
        "x_tag_ids": {"type": "many2many", "relation": "res.partner.category"},
        "x_parent_id": {"type": "many2one", "relation": "x.thing"},
        "x_part_ids": {
            "type": "one2many",
            "relation": "x.thing",
            "relation_field": "x_parent_id",
        },
        "x_any": {
            "type": "reference",
            "selection": [["res.partner", "Contact"], ["res.country", "Country"]],
        },
        "x_number": {"type": "many2one_reference"},
        "x_shape": {"type": "json"},
        "copy": {"type": "char"},
    },
)
"""A model with a field of every type, one of them with a name that pydantic keeps."""

BELGIUM = Ref[Any](20, "Belgium")
FRANCE = Ref[Any](75, "France")
PLAIN = st.characters(codec="utf-8", categories=["L", "M", "N", "P", "S", "Zs"])
TEXT = st.text(PLAIN, min_size=1, max_size=20)
ZONES = st.integers(-12 * 60, 14 * 60).map(
    lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))
)
JSON = st.recursive(
    st.booleans() | st.integers(-1000, 1000) | TEXT,
    lambda inner: st.lists(inner, min_size=1) | st.dictionaries(TEXT, inner),
    max_leaves=5,
)


def moments(naive: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    return naive.replace(microsecond=0, tzinfo=zone)


FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "x_flag": st.booleans(),
    "x_count": st.integers(-(2**31) + 1, 2**31 - 1),
    "x_ratio": st.integers(-(10**9), 10**9).map(lambda n: n / 1000),
    "x_total": st.decimals(-(10**9), 10**9, places=2),
    "name": st.none() | TEXT,
    "x_code": st.none() | st.text(PLAIN, min_size=1, max_size=5),
    "x_note": st.none() | TEXT,
    "x_page": st.none() | st.integers(0, 9).map(lambda n: f"<p>{n}</p>"),
    "x_day": st.none() | st.dates(dt.date(1000, 1, 1)),
    "x_moment": st.none()
    | st.builds(
        moments, st.datetimes(dt.datetime(1000, 1, 2), dt.datetime(9999, 12, 30)), ZONES
    ),
    "x_content": st.none() | st.binary(min_size=1, max_size=50),
    "x_state": st.sampled_from([None, "to do", "1", "-1"]),
    "x_country_id": st.sampled_from([None, BELGIUM, FRANCE]),
    "x_tag_ids": st.lists(st.sampled_from([1, 2]), unique=True).map(sorted),
    "x_any": st.sampled_from(
        [None, AnyRef("res.country", 20), AnyRef("res.partner", 1)]
    ),
    "x_number": st.none() | st.integers(1, 2**31 - 1),
    "x_shape": st.none() | st.dictionaries(TEXT, JSON, min_size=1, max_size=3),
    "copy_": st.none() | TEXT,
}
VALUES = st.fixed_dictionaries({}, optional=dict(FIELDS))


def company() -> MemoryGateway:
    gateway = MemoryGateway(models=[THING])
    gateway.add("res.partner.category", {"name": "One"}, {"name": "Two"})
    return gateway


async def written_and_read(odoo: Odoo, given_values: Mapping[str, Any]) -> Any:
    """Create a record, and write it once more; answer what is read."""
    schema = await odoo.fields("x.thing")
    thing, values = record_model(schema, schema.fields), values_model(schema)
    (number,) = await odoo.create(thing, values(**given_values))
    if given_values:
        await odoo.write(thing, [number], values(**given_values))
    (record,) = await odoo.read(thing, [number])
    (found,) = await odoo.search(thing, [["id", "=", number]])
    assert found == record
    return record


def check(record: Any, given_values: Mapping[str, Any]) -> None:
    for name, value in given_values.items():
        answer = getattr(record, name)
        assert answer == value, name
        assert value is None or isinstance(answer, type(value)), name


@given(VALUES)
@settings(max_examples=60, deadline=None)
async def test_every_value_comes_back_from_the_memory(values: dict[str, Any]) -> None:
    odoo = Odoo.connect(company(), ADMIN)
    check(await written_and_read(odoo, values), values)


@pytest.mark.parametrize("wire", [XmlRpcGateway, JsonRpcGateway])
@given(values=VALUES)
@settings(max_examples=30, deadline=None)
async def test_every_value_comes_back_over_a_wire(
    wire: type[XmlRpcGateway | JsonRpcGateway], values: dict[str, Any]
) -> None:
    transport = httpx2.ASGITransport(app=wire_app(company()))
    async with OdooHttp("http://127.0.0.1", transport=transport) as http:
        odoo = Odoo.connect(wire(http), ADMIN)
        check(await written_and_read(odoo, values), values)


@given(st.lists(TEXT, min_size=1, max_size=4), TEXT)
@settings(max_examples=20, deadline=None)
async def test_lines_are_created_changed_and_deleted_in_plain_words(
    names: list[str], other: str
) -> None:
    odoo = Odoo.connect(company(), ADMIN)
    schema = await odoo.fields("x.thing")
    thing = record_model(schema)
    values: Any = values_model(schema)
    lines = [values(name=name) for name in names]
    (number,) = await odoo.create(thing, values(x_part_ids=Many(create=lines)))
    made: list[Any] = await odoo.search(thing, [["x_parent_id", "=", number]])
    assert [line.name for line in made] == names
    first, last = made[0].id, made[-1].id
    gone = [line.id for line in made[1:] if line.id == last]
    change = Many(update={first: values(name=other)}, delete=gone)
    await odoo.write(thing, [number], values(x_part_ids=change))
    left: list[Any] = await odoo.search(thing, [["x_parent_id", "=", number]])
    assert [line.name for line in left] == [other, *names[1:-1]]


@given(st.binary(min_size=1))
@settings(max_examples=30, deadline=None)
async def test_bytes_and_their_base64_are_the_same_to_a_record(content: bytes) -> None:
    odoo = Odoo.connect(company(), ADMIN)
    values: Any = values_model(await odoo.fields("x.thing"))
    text = values(x_content=content).to_values()["x_content"]
    assert base64.b64decode(text) == content
    assert values(x_content=text).x_content == content


async def test_money_is_decimal_also_where_it_is_given_as_a_number() -> None:
    odoo = Odoo.connect(company(), ADMIN)
    record = await written_and_read(odoo, {"x_total": 12.5})
    assert record.x_total == Decimal("12.5")
    assert isinstance(record.x_total, Decimal)
