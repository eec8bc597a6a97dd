"""Properties: what a lead's team defines, by label."""

import pytest

from odooport import InvalidRequest, Odoo
from tests.usecases.conftest import CountingGateway

DEFINITIONS = [
    {"name": "aa", "label": "Colour", "type": "char", "default": "blue"},
    {"name": "bb", "label": "Size", "type": "integer"},
    {"name": "cc", "label": "Country", "type": "many2one", "comodel": "res.country"},
    {
        "name": "dd",
        "label": "Kind",
        "type": "selection",
        "selection": [["a", "Alpha"], ["b", "Beta"]],
    },
]


@pytest.fixture
async def team(odoo: Odoo) -> int:
    values = {"name": "Europe", "lead_properties_definition": DEFINITIONS}
    (made,) = await odoo.create("crm.team", values)
    return made


async def a_lead(odoo: Odoo, team: int, **properties: object) -> int:
    values = {"name": "A lead", "team_id": team, "lead_properties": properties}
    (made,) = await odoo.create("crm.lead", values)
    return made


async def properties_of(odoo: Odoo, lead: int) -> object:
    (record,) = await odoo.read("crm.lead", [lead], fields=["lead_properties"])
    return record["lead_properties"]


async def test_properties_are_written_and_read_by_label(odoo: Odoo, team: int) -> None:
    lead = await a_lead(odoo, team, Size=3, Country="Belgium", Kind="a")
    assert await properties_of(odoo, lead) == {
        "Colour": "blue",
        "Size": 3,
        "Country": {"id": 20, "name": "Belgium"},
        "Kind": "a",
    }


async def test_what_is_not_given_stays(odoo: Odoo, team: int) -> None:
    lead = await a_lead(odoo, team, Size=3, Country="Belgium")
    await odoo.write("crm.lead", [lead], {"lead_properties": {"Kind": "b"}})
    await odoo.write("crm.lead", [lead], {"lead_properties": {"aa": None}})
    assert await properties_of(odoo, lead) == {
        "Colour": None,
        "Size": 3,
        "Country": {"id": 20, "name": "Belgium"},
        "Kind": "b",
    }


async def test_what_was_read_can_be_written_back(odoo: Odoo, team: int) -> None:
    lead = await a_lead(odoo, team, Size=3, Country="Belgium")
    before = await properties_of(odoo, lead)
    await odoo.write("crm.lead", [lead], {"lead_properties": before})
    assert await properties_of(odoo, lead) == before
    fields = ["lead_properties_definition"]
    (record,) = await odoo.read("crm.team", [team], fields=fields)
    assert record["lead_properties_definition"] == DEFINITIONS
    del record["id"]
    await odoo.write("crm.team", [team], record)
    assert await properties_of(odoo, lead) == before


async def test_a_wrong_property_is_refused_before_anything_is_sent(
    odoo: Odoo, gateway: CountingGateway, team: int
) -> None:
    lead = await a_lead(odoo, team)
    gateway.calls.clear()
    with pytest.raises(InvalidRequest) as caught:
        await odoo.write(
            "crm.lead", [lead], {"lead_properties": {"Sise": 3, "Kind": "Beta"}}
        )
    assert [each.pointer for each in caught.value.problems] == [
        "/lead_properties/Sise",
        "/lead_properties/Kind",
    ]
    assert "Did you mean 'Size'?" in caught.value.message
    assert "did you mean 'b'?" in caught.value.message
    assert "write" not in gateway.called


async def test_leads_that_differ_elsewhere_are_not_made_alike(
    odoo: Odoo, team: int
) -> None:
    first, second = await a_lead(odoo, team, Size=3), await a_lead(odoo, team, Size=4)
    change = {"lead_properties": {"Kind": "a"}}
    with pytest.raises(InvalidRequest, match="Write each of them on its own"):
        await odoo.write("crm.lead", [first, second], change)
    same = {"lead_properties": {"Kind": "a", "Size": 5}}
    await odoo.write("crm.lead", [first, second], same)
    assert await properties_of(odoo, first) == await properties_of(odoo, second)


async def test_a_lead_takes_properties_with_its_new_team(odoo: Odoo, team: int) -> None:
    (lead,) = await odoo.create("crm.lead", {"name": "A lead", "team_id": None})
    change = {"team_id": "Europe", "lead_properties": {"Size": 9}}
    await odoo.write("crm.lead", [lead], change)
    expected = {"Colour": "blue", "Size": 9, "Country": None, "Kind": None}
    assert await properties_of(odoo, lead) == expected


async def test_a_copy_keeps_the_properties_that_are_not_given(
    odoo: Odoo, team: int
) -> None:
    lead = await a_lead(odoo, team, Size=3)
    change = {"lead_properties": {"Kind": "a"}}
    copied = await odoo.copy("crm.lead", lead, values=change)
    expected = {"Colour": "blue", "Size": 3, "Country": None, "Kind": "a"}
    assert await properties_of(odoo, copied) == expected


async def test_properties_without_a_team_are_refused(odoo: Odoo) -> None:
    values = {"name": "A", "team_id": None, "lead_properties": {"Size": 3}}
    with pytest.raises(InvalidRequest, match=r"without a 'crm\.team' record"):
        await odoo.create("crm.lead", values)
