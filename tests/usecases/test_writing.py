"""Creating, changing and deleting records, and calling methods."""

from typing import Any

import pytest

from odooport import (
    InvalidRequest,
    Odoo,
    OdooAccessError,
    OdooRefused,
    RecordMissing,
)
from odooport_adapters import MemoryGateway
from tests.usecases.conftest import CountingGateway

WRITES = {"create", "write", "unlink", "copy"}


async def belgian(odoo: Odoo) -> int:
    (made,) = await odoo.create("res.partner", {"name": "Ann", "country_id": 20})
    return made


@pytest.mark.parametrize("country", [20, {"id": 20}, [20, "Belgium"]])
async def test_a_many2one_takes_the_forms_that_are_read(
    odoo: Odoo, country: object
) -> None:
    (made,) = await odoo.create("res.partner", {"name": "Ann", "country_id": country})
    (record,) = await odoo.read("res.partner", [made], fields=["country_id"])
    assert record["country_id"] == {"id": 20, "name": "Belgium"}


async def test_a_country_given_by_name_does_not_wipe_the_country(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    made = await belgian(odoo)
    await odoo.write("res.partner", [made], {"country_id": "Belgium"})
    (record,) = await odoo.read("res.partner", [made], fields=["country_id"])
    assert record["country_id"] == {"id": 20, "name": "Belgium"}
    gateway.calls.clear()
    with pytest.raises(InvalidRequest, match=r"res\.country") as caught:
        await odoo.write("res.partner", [made], {"country_id": "Belg"})
    assert [problem.pointer for problem in caught.value.problems] == ["/country_id"]
    assert "write" not in gateway.called
    (record,) = await odoo.read("res.partner", [made], fields=["country_id"])
    assert record["country_id"] == {"id": 20, "name": "Belgium"}


async def test_null_empties_a_many2one(odoo: Odoo) -> None:
    made = await belgian(odoo)
    await odoo.write("res.partner", [made], {"country_id": None})
    (record,) = await odoo.read("res.partner", [made], fields=["country_id"])
    assert record["country_id"] is None


BAD_VALUES = {
    "unknown field": ({"nam": "x"}, "/nam"),
    "text as a boolean": ({"active": "false"}, "/active"),
    "text as a number": ({"color": "7"}, "/color"),
    "number as text": ({"name": 5}, "/name"),
    "value that is no choice": ({"type": "nonsense"}, "/type"),
    "field that Odoo sets": ({"write_date": "2026-01-01T00:00:00Z"}, "/write_date"),
    "command that is none": ({"child_ids": [[9, 0, 0]]}, "/child_ids/0"),
    "name that nothing has": ({"country_id": "Belgiun"}, "/country_id"),
    "wrong value in plain words": (
        {"child_ids": {"create": [{"name": "x", "color": "y"}]}},
        "/child_ids/create/0/color",
    ),
    "wrong value in a command": (
        {"child_ids": [[0, 0, {"name": "x", "country_id": "Belgiun"}]]},
        "/child_ids/0/2/country_id",
    ),
}


@pytest.mark.parametrize("case", BAD_VALUES)
async def test_a_bad_value_is_refused_before_it_is_sent(
    odoo: Odoo, gateway: CountingGateway, case: str
) -> None:
    values, pointer = BAD_VALUES[case]
    with pytest.raises(InvalidRequest) as caught:
        await odoo.create("res.partner", {"name": "x", **values})
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    with pytest.raises(InvalidRequest):
        await odoo.write("res.partner", [1], values)
    assert not WRITES & set(gateway.called)


async def test_every_bad_value_of_a_bulk_is_told_at_once(odoo: Odoo) -> None:
    rows = [{"name": "a"}, {"nam": "b"}, {"name": "c", "color": "x"}]
    with pytest.raises(InvalidRequest) as caught:
        await odoo.create("res.partner", rows)
    pointers = [problem.pointer for problem in caught.value.problems]
    assert pointers == ["/1/nam", "/2/color"]


async def test_a_bulk_is_one_call_and_all_or_nothing(
    odoo: Odoo, gateway: CountingGateway
) -> None:
    before = await odoo.count("crm.lead")
    ids = await odoo.create("crm.lead", [{"name": "a"}, {"name": "b"}])
    assert len(ids) == 2
    assert gateway.called.count("create") == 1
    with pytest.raises(OdooRefused):
        await odoo.create("crm.lead", [{"name": "c"}, {"description": "no name"}])
    assert await odoo.count("crm.lead") == before + 2


async def test_a_missing_record_stops_the_whole_write(odoo: Odoo) -> None:
    made = await belgian(odoo)
    with pytest.raises(RecordMissing) as caught:
        await odoo.write("res.partner", [made, 999_999], {"name": "Changed"})
    assert caught.value.ids == (999_999,)
    (record,) = await odoo.read("res.partner", [made], fields=["name"])
    assert record["name"] == "Ann"


async def test_a_value_that_refers_to_nothing_is_a_refusal(odoo: Odoo) -> None:
    made = await belgian(odoo)
    with pytest.raises(OdooRefused):
        await odoo.write("res.partner", [made], {"country_id": 999_999})


async def test_deleting_twice_says_that_it_is_gone(odoo: Odoo) -> None:
    made = await belgian(odoo)
    await odoo.unlink("res.partner", [made])
    with pytest.raises(RecordMissing):
        await odoo.unlink("res.partner", [made])


async def test_a_rule_of_odoo_is_told_in_its_words(odoo: Odoo) -> None:
    (order,) = await odoo.search("sale.order", [["state", "=", "sale"]], limit=1)
    with pytest.raises(OdooRefused, match="You can not delete a sent quotation"):
        await odoo.unlink("sale.order", [order])


@pytest.mark.parametrize("ids", [[], [0], [-1], [True], ["1"], [1.0], [2**31], "1"])
async def test_ids_that_are_none_are_refused(
    odoo: Odoo, gateway: CountingGateway, ids: list[int]
) -> None:
    with pytest.raises(InvalidRequest, match="ids"):
        await odoo.unlink("res.partner", ids)
    with pytest.raises(InvalidRequest, match="ids"):
        await odoo.write("res.partner", ids, {"name": "x"})
    assert gateway.called == []


async def test_nothing_to_write_is_refused(odoo: Odoo) -> None:
    with pytest.raises(InvalidRequest, match="nothing to change"):
        await odoo.write("res.partner", [1], {})
    with pytest.raises(InvalidRequest, match="nothing to create"):
        await odoo.create("res.partner", [])


async def test_a_copy_differs_where_it_should(odoo: Odoo) -> None:
    made = await belgian(odoo)
    copy = await odoo.copy("res.partner", made, values={"name": "Bea"})
    (record,) = await odoo.read("res.partner", [copy], fields=["name", "country_id"])
    assert copy != made
    assert (record["name"], record["country_id"]["id"]) == ("Bea", 20)


async def test_a_button_has_its_effect(odoo: Odoo) -> None:
    (order,) = await odoo.search("sale.order", [["state", "=", "draft"]], limit=1)
    await odoo.call("sale.order", "action_confirm", [order])
    (record,) = await odoo.read("sale.order", [order], fields=["state"])
    assert record["state"] == "sale"


async def test_a_method_that_returns_nothing_answers_none(odoo: Odoo) -> None:
    (lead,) = await odoo.search("crm.lead", limit=1)
    assert await odoo.call("crm.lead", "action_archive", [lead]) is None


async def test_arguments_reach_a_method_as_they_are(
    odoo: Odoo, memory: MemoryGateway
) -> None:
    memory.on("res.partner", "greet", lambda ids, *args, **kwargs: [ids, args, kwargs])
    answer = await odoo.call("res.partner", "greet", [1], args=["a"], kwargs={"b": 2})
    assert answer == [[1], ("a",), {"b": 2}]


@pytest.mark.parametrize(
    "method", ["_compute", "__init__", "search.read", "", "wr\u0456te", "x" * 5 + "\n"]
)
async def test_a_method_that_is_not_public_is_refused(
    odoo: Odoo, gateway: CountingGateway, method: str
) -> None:
    with pytest.raises(InvalidRequest, match="public method"):
        await odoo.call("res.partner", method, [1])
    assert gateway.called == []


@pytest.mark.parametrize("method", ["write", "create", "unlink", "web_save", "search"])
async def test_a_method_with_a_use_case_is_not_called_by_name(
    odoo: Odoo, gateway: CountingGateway, method: str
) -> None:
    with pytest.raises(InvalidRequest, match="has its own operation: "):
        await odoo.call("res.partner", method, [1], args=[{"country_id": "Belgium"}])
    assert gateway.called == []


async def test_a_method_that_does_not_exist_is_the_callers_mistake(odoo: Odoo) -> None:
    with pytest.raises(InvalidRequest, match="no_such_method"):
        await odoo.call("res.partner", "no_such_method", [1])


async def test_a_right_that_is_missing_is_an_error(demo: Odoo) -> None:
    with pytest.raises(OdooAccessError):
        await demo.write("res.company", [1], {"name": "Hijacked"})


async def family(odoo: Odoo, name: str) -> tuple[int, list[int]]:
    """Answer a company with one contact, and another contact."""
    (firm,) = await odoo.create("res.partner", {"name": name, "is_company": True})
    children = await odoo.create(
        "res.partner", [{"name": "a", "parent_id": firm}, {"name": "b"}]
    )
    return firm, children


@pytest.mark.parametrize("word", ["update", "delete"])
async def test_a_list_reaches_no_record_of_somebody_else(
    odoo: Odoo, gateway: CountingGateway, word: str
) -> None:
    firm, (own, foreign) = await family(odoo, "Firm")
    for number in (foreign, own):
        item = {"id": number, "name": "Changed"} if word == "update" else number
        values = {"child_ids": {word: [item]}}
        if number == own:
            await odoo.write("res.partner", [firm], values)
            continue
        gateway.calls.clear()
        with pytest.raises(InvalidRequest, match=f"it holds {own}") as caught:
            await odoo.write("res.partner", [firm], values)
        pointers = [problem.pointer for problem in caught.value.problems]
        assert pointers == [f"/child_ids/{word}/0"]
        assert gateway.called == ["read"]
        assert gateway.calls[-1].context.active_test is False
    (left,) = await odoo.read("res.partner", [foreign], fields=["name"])
    assert left["name"] == "b"


async def test_an_order_takes_no_total(odoo: Odoo, gateway: CountingGateway) -> None:
    (order,) = await odoo.search("sale.order", [["state", "=", "draft"]], limit=1)
    with pytest.raises(InvalidRequest, match="'amount_total' is computed by Odoo from"):
        await odoo.write("sale.order", [order], {"amount_total": 5})
    assert "write" not in gateway.called
    await odoo.onchange("sale.order", {"amount_total": 5})
    assert gateway.called[-1] == "onchange"


@pytest.mark.parametrize("word", ["update", "remove", "delete"])
async def test_a_copy_leaves_the_lines_of_the_record_alone(
    odoo: Odoo, word: str
) -> None:
    (order,) = await odoo.search("sale.order", [["order_line", "!=", False]], limit=1)
    (read,) = await odoo.read("sale.order", [order], fields=["order_line"])
    line = read["order_line"][0]
    what = [{"id": line, "name": "x"}] if word == "update" else [line]
    with pytest.raises(InvalidRequest, match="copy first, then write on the copy"):
        await odoo.copy("sale.order", order, values={"order_line": {word: what}})


@pytest.mark.parametrize(
    "country",
    [{"external_id": "base.be", "id": 1}, {"external_id": "base.be", "name": "France"}],
    ids=str,
)
async def test_a_record_is_named_in_one_way(odoo: Odoo, country: Any) -> None:
    with pytest.raises(InvalidRequest, match="in one way"):
        await odoo.create("res.partner", {"name": "Ada", "country_id": country})
