"""Looking up the records that people name, asked through the gate."""

from typing import Any

import pytest

from odooport.errors import (
    GatewayProtocolError,
    InvalidRequest,
    OdooFailed,
    OdooRefused,
    RecordMissing,
)
from odooport.gate import Gate, OdooDecides, Unaudited, Unlimited
from odooport.lookups import Lookups
from odooport.model import Caller, Context, Credentials, Principal, Reference
from odooport.schema import Field, ModelSchema
from odooport_adapters import MemoryGateway

NAMED = {
    "id": Field("id", "integer"),
    "name": Field("name", "char"),
    "display_name": Field("display_name", "char", stored=False),
}


def lookups(
    memory: MemoryGateway, fields: dict[str, Field] = NAMED, *, max_rows: int = 1000
) -> Lookups:
    """Answer what looks up for the administrator; every model has the same fields."""
    login = Credentials("demo", "admin", "admin")
    principal = Principal("a", "a", "a", {login.instance: login}, max_rows=max_rows)
    gate = Gate(memory, OdooDecides(), Unlimited(), Unaudited())

    async def schema(model: str) -> ModelSchema:
        return ModelSchema(model, fields)

    caller = Caller(principal, door="python", request_id="-")
    return Lookups(gate, caller, login.instance, Context(), schema=schema)


@pytest.fixture
def memory() -> MemoryGateway:
    return MemoryGateway.demo()


def answering(memory: MemoryGateway, model: str, method: str, *answers: Any) -> None:
    """Let a method give these answers, one for each call; errors are raised."""
    left = list(answers)

    def handler(*args: Any, **kwargs: Any) -> Any:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    memory.on(model, method, handler)


async def test_only_exact_names_count_among_what_odoo_finds(memory):
    rows = [
        {"id": 1, "display_name": "Ann", "name": "Ann"},
        {"id": 2, "display_name": "Firm, Ann", "name": "Ann"},
        {"id": 3, "display_name": "Ann", "name": "Another"},
        {"id": 4, "display_name": "ann", "name": False},
        {"id": 5, "display_name": "Bea", "name": "Bea"},
    ]
    answering(memory, "res.partner", "search_read", rows)
    assert await lookups(memory).named("res.partner", "Ann") == [
        Reference(1, "Ann"),
        Reference(2, "Firm, Ann"),
        Reference(3, "Ann"),
    ]


async def test_no_question_is_asked_twice(memory):
    answering(memory, "res.partner", "search_read", [])
    answering(memory, "res.partner", "name_search", [[1, "Anna"]])
    answering(memory, "res.partner", "default_get", {"name": "x"})
    answering(memory, "res.partner", "read", [{"id": 1, "name": "x"}])
    answering(memory, "ir.model.data", "check_object_reference", ["res.partner", 1])
    look = lookups(memory)
    for _ in range(2):
        assert await look.named("res.partner", "Ann") == []
        assert await look.similar("res.partner", "Ann") == [Reference(1, "Anna")]
        assert await look.default("res.partner", "name") == "x"
        assert await look.stored("res.partner", [1], ["name"]) == [
            {"id": 1, "name": "x"}
        ]
        assert await look.external("base.x") == ("res.partner", 1)


@pytest.mark.parametrize("error", [OdooRefused("no"), OdooFailed("no")])
async def test_a_display_name_that_cannot_be_searched_leaves_the_name(memory, error):
    rows = [{"id": 1, "display_name": "Ann", "name": "Ann"}]
    answering(memory, "res.partner", "search_read", error, rows)
    assert await lookups(memory).named("res.partner", "Ann") == [Reference(1, "Ann")]


async def test_a_model_that_cannot_be_searched_by_name_says_so(memory):
    nameless = {"id": Field("id", "integer")}
    with pytest.raises(InvalidRequest, match="cannot be found by name"):
        await lookups(memory, nameless).named("res.partner", "Ann")
    errors = [OdooFailed("no")] * 3
    answering(memory, "res.partner", "search_read", *errors)
    with pytest.raises(InvalidRequest, match="cannot be found by name"):
        await lookups(memory).named("res.partner", "Ann")
    displayed = {"display_name": NAMED["display_name"]}
    with pytest.raises(InvalidRequest, match="cannot be found by name"):
        await lookups(memory, displayed).named("res.partner", "Ann")


async def test_a_suggestion_that_fails_is_left_out(memory):
    answering(memory, "res.partner", "name_search", OdooFailed("no"))
    assert await lookups(memory).similar("res.partner", "Ann") == []


async def test_a_misspelt_name_is_recognised_by_its_beginning(memory):
    near = [[1, "Belarus"], [2, "Belgium"], [3, "Bermuda"]]
    answering(memory, "res.country", "name_search", [], near)
    found = await lookups(memory).similar("res.country", "Belgiun")
    assert Reference(2, "Belgium") in found
    assert Reference(3, "Bermuda") not in found


async def test_a_record_that_may_not_be_seen_has_no_external_id(memory):
    answering(memory, "ir.model.data", "check_object_reference", ["res.users", False])
    assert await lookups(memory).external("base.x") is None


async def test_many_records_are_read_as_many_at_a_time_as_the_principal_may(memory):
    found = await lookups(memory, max_rows=2).stored(
        "res.country", [20, 75, 20], ["name"]
    )
    assert [row["name"] for row in found] == ["Belgium", "France", "Belgium"]
    with pytest.raises(RecordMissing) as caught:
        await lookups(memory).stored("res.country", [20, 99_999], ["name"])
    assert caught.value.ids == (99_999,)


@pytest.mark.parametrize("answer", [None, 5, [5], [{"name": "no id"}]])
async def test_an_answer_of_another_shape_is_no_answer(memory, answer):
    answering(memory, "res.partner", "search_read", answer)
    with pytest.raises(GatewayProtocolError):
        await lookups(memory).named("res.partner", "Ann")
    answering(memory, "ir.model.data", "check_object_reference", answer)
    with pytest.raises(GatewayProtocolError):
        await lookups(memory).external("base.x")
    answering(memory, "res.partner", "default_get", answer)
    with pytest.raises(GatewayProtocolError):
        await lookups(memory).default("res.partner", "name")
