"""What the gate does with a decision: requirements, masks, traces, places and notes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from odooport import (
    ANONYMOUS,
    AuditEvent,
    AuthenticationFailed,
    Call,
    Caller,
    Context,
    Credentials,
    Decision,
    Gate,
    InvalidRequest,
    Mask,
    Masking,
    Odoo,
    OdooDecides,
    OdooKnowledge,
    PermissionDenied,
    Principal,
    Quota,
    RateLimited,
    Refusal,
    Requirement,
    Unaudited,
    Unlimited,
)
from odooport.gate import masked
from tests.usecases.conftest import ADMIN, CountingGateway

READ = Call("res.partner", "read", ([1],), {"fields": ["name", "email"]})


class Decides(OdooDecides):
    """Allows every call, in a way that a test has chosen."""

    def __init__(self, **decided: Any) -> None:
        self.decided = decided

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        return replace(Decision(True, "", "tests/1", call), **self.decided)


class Listens(Unaudited):
    """Keeps every event."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def record(self, event: AuditEvent) -> bool:
        self.events.append(event)
        return True


@pytest.fixture
def audit() -> Listens:
    return Listens()


def caller(credentials: Credentials = ADMIN) -> Caller:
    return Caller(Principal("k1", "k1", "full", {"default": credentials}), "rest", "r1")


def deciding(gateway: CountingGateway, audit: Listens, **decided: Any) -> Gate:
    return Gate(gateway, Decides(**decided), Unlimited(), audit)


# Requirements


async def test_records_that_do_not_fit_are_refused_before_anything_is_done(
    gateway: CountingGateway, audit: Listens
):
    required = Requirement("res.partner", (1, 9999), (("id", ">", 0),))
    gate = deciding(gateway, audit, require=(required,))
    call = Call("res.partner", "write", ([1, 9999], {"comment": "x"}))
    with pytest.raises(PermissionDenied, match="may not reach 9999"):
        await gate.run(caller(), call)
    assert gateway.called == ["search"]
    (event,) = audit.events
    assert (event.outcome, event.rule) == ("permission_denied", "tests/1")


async def test_records_that_fit_go_through(gateway: CountingGateway, audit: Listens):
    required = Requirement("res.partner", (1, 1), (["id", ">", 0],))
    gate = deciding(gateway, audit, require=(required,))
    assert await gate.run(caller(), READ)
    assert gateway.called == ["search", "read"]


async def test_archived_records_can_fit_as_well(
    gateway: CountingGateway, audit: Listens
):
    odoo = Odoo(deciding(gateway, audit), caller())
    (made,) = await odoo.create("res.partner", {"name": "Old", "active": False})
    required = Requirement("res.partner", (made,), (["name", "=", "Old"],))
    gate = deciding(gateway, audit, require=(required,))
    assert await gate.run(caller(), Call("res.partner", "read", ([made], ["name"])))


# Masks


async def test_what_is_masked_does_not_come_out(
    gateway: CountingGateway, audit: Listens
):
    mask: Mask = {"email": Masking.DROP, "name": Masking.STARS}
    (row,) = await deciding(gateway, audit, mask=mask).run(caller(), READ)
    assert row == {"id": 1, "name": "***"}


@pytest.mark.parametrize(
    ("answer", "mask", "left"),
    [
        ({"a": "x"}, {"a": Masking.DROP}, {}),
        ([{"a": ""}, {"a": 5}], {"a": Masking.STARS}, [{"a": False}, {"a": False}]),
        ({"p": [3, "Ann"]}, {"p": Masking.UNNAME}, {"p": [3, ""]}),
        ({"p": (3, "Ann")}, {"p": Masking.UNNAME}, {"p": [3, ""]}),
        ({"p": False}, {"p": Masking.UNNAME}, {"p": False}),
        (
            {"p": {"id": 3, "display_name": "Ann"}},
            {"p": Masking.UNNAME},
            {"p": {"id": 3, "display_name": ""}},
        ),
        (
            {"value": {"line_ids": [[1, 7, {"cost": 5, "name": "x"}]]}},
            {"value": {"line_ids": {"cost": Masking.DROP}}},
            {"value": {"line_ids": [[1, 7, {"name": "x"}]]}},
        ),
        (5, {"a": Masking.DROP}, 5),
    ],
)
def test_a_mask_reaches_every_record_of_an_answer(answer: Any, mask: Mask, left: Any):
    assert masked(answer, mask) == left


async def test_a_hidden_field_is_not_in_the_schema_and_is_refused_by_name(
    gateway: CountingGateway, audit: Listens
):
    mask: Mask = {"email": Masking.DROP, "phone": Masking.STARS}
    odoo = Odoo(deciding(gateway, audit, mask=mask), caller())
    schema = await odoo.fields("res.partner")
    assert "email" not in schema.fields
    assert schema.hidden == {"email"}
    behind_stars = schema.fields["phone"]
    assert behind_stars.readonly
    assert not (behind_stars.searchable)
    assert not (behind_stars.sortable)
    assert not (behind_stars.groupable)
    assert not (behind_stars.aggregator)
    with pytest.raises(PermissionDenied, match=r"'email' of .* is hidden"):
        await odoo.search("res.partner", [["email", "=", "x"]])
    assert gateway.called == []  # but for the fields, which this does not count


async def test_a_description_of_fields_loses_those_that_are_hidden_and_no_other(
    gateway: CountingGateway, audit: Listens
):
    mask: Mask = {"email": Masking.DROP, "phone": Masking.STARS}
    gate = deciding(gateway, audit, mask=mask)
    told = await gate.run(caller(), Call("res.partner", "fields_get"))
    assert "email" not in told
    assert told["phone"]["type"] == "char"


async def test_a_model_that_is_kept_from_somebody_is_in_the_audit_with_its_rule(
    gateway: CountingGateway, audit: Listens
):
    gate = deciding(gateway, audit, allowed=False, reason="No.")
    with pytest.raises(PermissionDenied):
        await gate.schema(caller(), "res.partner", instance="default")
    assert [(event.outcome, event.rule) for event in audit.events] == [
        ("permission_denied", "tests/1")
    ]


async def test_who_sees_the_same_through_the_same_mask_shares_one_schema(
    gateway: CountingGateway, audit: Listens
):
    mask: Mask = {"email": Masking.DROP}
    odoo = Odoo(deciding(gateway, audit, mask=mask), caller())
    assert await odoo.fields("res.partner") is await odoo.fields("res.partner")


async def test_an_answer_is_recalled_for_those_behind_the_same_mask_only(
    gateway: CountingGateway, audit: Listens
):
    policy = Decides()
    gate = Gate(gateway, policy, Unlimited(), audit)
    call = Call("res.partner", "default_get", (["type", "active"],))
    assert "type" in await gate.recall(caller(), call)
    policy.decided = {"mask": {"type": Masking.DROP}}
    assert "type" not in await gate.recall(caller(), call)


# Changes


async def test_the_audit_gets_the_records_before_and_after_where_a_rule_asks_for_it(
    gateway: CountingGateway, audit: Listens
):
    odoo = Odoo(deciding(gateway, audit, changes=True), caller())
    (made,) = await odoo.create("res.partner", {"name": "Ann"})
    await odoo.write("res.partner", [made], {"name": "Bea"})
    await odoo.unlink("res.partner", [made])
    told = [
        (event.operation, event.outcome, _names(event.before), _names(event.after))
        for event in audit.events
        if event.operation in ("create", "write", "unlink")
    ]
    assert told == [
        ("create", "begun", [], None),
        ("create", "ok", [], ["Ann"]),
        ("write", "begun", ["Ann"], None),
        ("write", "ok", ["Ann"], ["Bea"]),
        ("unlink", "begun", ["Bea"], None),
        ("unlink", "ok", ["Bea"], None),
    ]


def _names(rows: Any) -> Any:
    return None if rows is None else [row["name"] for row in rows]


# Budgets and places


class OnePlace(Unlimited):
    """Has room for one call at a time."""

    costs: list[int]

    def __init__(self) -> None:
        self.costs = []
        self.taken = 0

    async def take(self, caller: Caller, cost: int = 1) -> Quota:
        self.costs.append(cost)
        return Quota(True, limit=10, remaining=10 - cost, reset_after=1.0)

    @asynccontextmanager
    async def slot(self, caller: Caller) -> AsyncGenerator[Quota]:
        self.taken += 1
        try:
            yield Quota(self.taken == 1, 1, 0, 0.0, 1.0, bucket="concurrency")
        finally:
            self.taken -= 1


async def test_a_call_without_a_free_place_is_refused_at_once(
    gateway: CountingGateway, audit: Listens
):
    limiter = OnePlace()
    gate = Gate(gateway, OdooDecides(), limiter, audit)
    done = await asyncio.gather(
        *(gate.run(caller(), READ) for _ in range(3)), return_exceptions=True
    )
    refused = [error for error in done if isinstance(error, RateLimited)]
    assert len(refused) == 2
    assert "it may have 1. Ask again in 1.0 seconds" in refused[0].message
    assert limiter.taken == 0


@pytest.mark.parametrize(
    ("call", "cost"),
    [
        (READ, 1),
        (Call("res.partner", "read", (list(range(1, 1001)),)), 10),
        (Call("res.partner", "search_read", ([],), {"limit": 10**9}), 10),
        (Call("res.partner", "search_count", ([],)), 1),
        (Call("res.partner", "write", ([1], {})), 2),
        (Call("res.partner", "write", (list(range(1, 101)), {})), 10),
        (Call("res.partner", "create", ([{}] * 35,)), 4),
        (Call("res.partner", "export_data", ([1], ["id"])), 2),
        (Call("res.partner", "name_create", ("x",)), 2),
    ],
)
async def test_large_reads_and_every_write_cost_more(
    gateway: CountingGateway, audit: Listens, call: Call, cost: int
):
    limiter = OnePlace()
    asking = caller()
    gate = Gate(gateway, Decides(allowed=False), limiter, audit)
    with pytest.raises(PermissionDenied):
        await gate.run(asking, call)
    assert limiter.costs == [cost]
    assert asking.meter.quota == Quota(True, 10, 10 - cost, 1.0)


# Who comes in


class Refuses(OdooDecides):
    """Lets nobody in, for a reason that a test has chosen."""

    def __init__(self, refusal: Refusal) -> None:
        self.refusal = refusal

    async def authenticate(
        self, token: str, address: str | None
    ) -> Principal | Refusal:
        return self.refusal


async def knock(gate: Gate) -> Caller:
    return await gate.authenticate(
        "odp_x_y", door="rest", request_id="r7", address="192.0.2.1"
    )


async def test_a_refused_token_is_in_the_audit(
    gateway: CountingGateway, audit: Listens
):
    refuses = Refuses(Refusal("It has expired.", "expired-key", subject="k9"))
    with pytest.raises(AuthenticationFailed, match="It has expired"):
        await knock(Gate(gateway, refuses, Unlimited(), audit))
    (event,) = audit.events
    assert event.caller.principal == replace(ANONYMOUS, subject="k9")
    assert (event.caller.address, event.caller.request_id) == ("192.0.2.1", "r7")
    assert (event.outcome, event.rule) == ("authentication_failed", "expired-key")
    assert event.reason == "It has expired."


async def test_who_guessed_too_often_is_told_to_wait(
    gateway: CountingGateway, audit: Listens
):
    refuses = Refuses(Refusal("Too often.", "lockout", retry_after=8.0))
    with pytest.raises(RateLimited) as caught:
        await knock(Gate(gateway, refuses, Unlimited(), audit))
    assert caught.value.retry_after == 8.0
    assert [event.outcome for event in audit.events] == ["rate_limited"]


async def test_what_the_audit_has_already_is_not_noted_again(
    gateway: CountingGateway, audit: Listens
):
    gate = Gate(gateway, Decides(allowed=False, reason="No."), Unlimited(), audit)
    with pytest.raises(PermissionDenied) as caught:
        await gate.run(caller(), READ)
    await gate.note(caller(), caught.value)
    assert len(audit.events) == 1
    await gate.note(caller(), InvalidRequest("What is this?"), READ)
    assert audit.events[1].outcome == "invalid_request"
    assert audit.events[1].call == READ
    assert audit.events[1].operation is None


# Who am I


async def test_everybody_may_know_who_he_is(gateway: CountingGateway, audit: Listens):
    odoo = Odoo(deciding(gateway, audit, allowed=False, reason="No."), caller())
    me = await odoo.whoami()
    assert (me.login, me.companies[0].id) == ("admin", 1)
    assert [event.call and event.call.model for event in audit.events] == ["res.users"]


async def test_asking_anew_who_he_is_logs_in_anew(
    gateway: CountingGateway, audit: Listens
):
    odoo = Odoo(deciding(gateway, audit), caller())
    await odoo.whoami()
    await odoo.whoami()
    assert gateway.logins == 1
    await odoo.whoami(fresh=True)
    assert gateway.logins == 2


# Further keys of the context


async def test_further_keys_of_the_context_reach_the_call(
    gateway: CountingGateway, audit: Listens
):
    odoo = Odoo(deciding(gateway, audit), caller())
    extra = {"default_color": 3, "tags": ["a", 1]}
    await odoo.acting_as(extra=extra).count("res.partner")
    call = gateway.calls[-1]
    assert call.context == Context(extra=(("default_color", 3), ("tags", ("a", 1))))
    assert call.keywords()["context"] == {"default_color": 3, "tags": ["a", 1]}


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"lang": "fr_FR"}, "Give 'lang' as 'lang'"),
        ({"allowed_company_ids": [1]}, "as 'company'"),
        ({"a b": 1}, "'a b' is no key"),
        ({"__x": 1}, "'__x' is no key"),
        ({"deep": {"a": 1}}, "'deep' takes text"),
        ({"deep": [[1]]}, "'deep' takes text"),
    ],
)
async def test_a_further_key_that_is_not_possible_is_refused(
    odoo: Odoo, extra: dict[str, Any], told: str
):
    with pytest.raises(InvalidRequest, match=told):
        odoo.acting_as(extra=extra)


async def test_only_models_that_the_policy_lets_one_know_are_found(
    gateway: CountingGateway, audit: Listens
):
    class PartnersOnly(OdooDecides):
        async def authorize(
            self, principal: Principal, call: Call, odoo: OdooKnowledge
        ) -> Decision:
            may = call.model == "res.partner"
            return Decision(may, "No.", "partners", call)

    odoo = Odoo(Gate(gateway, PartnersOnly(), Unlimited(), audit), caller())
    found = [info.model for info in await odoo.models()]
    assert found == ["res.partner"]


async def test_what_is_hidden_is_not_named_as_what_a_field_is_computed_from(
    gateway: CountingGateway, audit: Listens
):
    mask: Mask = {"name": Masking.DROP}
    plain = await Odoo(deciding(gateway, audit), caller()).fields("res.partner")
    seen = await Odoo(deciding(gateway, audit, mask=mask), caller()).fields(
        "res.partner"
    )
    makers = [name for name, field in plain.fields.items() if "name" in field.depends]
    assert makers
    for name in makers:
        left = [path for path in plain.fields[name].depends if path != "name"]
        assert list(seen.fields[name].depends) == left


async def test_only_methods_that_the_policy_lets_one_call_are_found(
    gateway: CountingGateway, audit: Listens
):
    class Confirms(OdooDecides):
        async def authorize(
            self, principal: Principal, call: Call, odoo: OdooKnowledge
        ) -> Decision:
            may = call.method in ("action_confirm", "fields_get")
            return Decision(may and call.model == "sale.order", "No.", "c", call)

    odoo = Odoo(Gate(gateway, Confirms(), Unlimited(), audit), caller())
    found = [method.name for method in await odoo.methods("sale.order")]
    assert found == ["action_confirm"]
