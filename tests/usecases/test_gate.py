"""The guarded path: what is refused never reaches Odoo, and sessions are kept."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from odooport import (
    AuditEvent,
    AuthenticationFailed,
    Call,
    Caller,
    Context,
    Credentials,
    Decision,
    Gate,
    GatewayUnavailable,
    InvalidRequest,
    Odoo,
    OdooAccessError,
    OdooDecides,
    OdooFailed,
    OdooKnowledge,
    PermissionDenied,
    Principal,
    Quota,
    RateLimited,
    RecordMissing,
    Refusal,
    Session,
    Unaudited,
    Unlimited,
)
from odooport.deadlines import left
from odooport_adapters import MemoryGateway
from tests.usecases.conftest import ADMIN, DEMO, CountingGateway

COUNT = Call("res.partner", "search_count", ([],))
CREATE = Call("res.partner", "create", ([{"name": "x"}],))


def caller(credentials: Credentials = ADMIN, subject: str = "k1") -> Caller:
    principal = Principal(subject, subject, "full", {"default": credentials})
    return Caller(principal, door="rest", request_id="r1", address="127.0.0.1")


class Denies(OdooDecides):
    """Denies every call."""

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        return Decision(False, "Not for you.", "never", call)


class Exhausted(Unlimited):
    """Has nothing left."""

    async def take(self, caller: Caller, cost: int = 1) -> Quota:
        return Quota(False, limit=5, remaining=0, reset_after=60.0, retry_after=7.5)


class Remembers(Unaudited):
    """Keeps every event, and whether Odoo had been asked by then."""

    def __init__(self, gateway: CountingGateway, *, works: bool = True) -> None:
        self.gateway = gateway
        self.works = works
        self.events: list[tuple[AuditEvent, int]] = []

    async def record(self, event: AuditEvent) -> bool:
        self.events.append((event, len(self.gateway.calls)))
        return self.works

    @property
    def outcomes(self) -> list[str]:
        return [event.outcome for event, _ in self.events]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def audit(gateway: CountingGateway) -> Remembers:
    return Remembers(gateway)


def gate_over(
    gateway: CountingGateway,
    audit: Remembers,
    *,
    policy: OdooDecides | None = None,
    limiter: Unlimited | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Gate:
    return Gate(
        gateway, policy or OdooDecides(), limiter or Unlimited(), audit, clock=clock
    )


async def test_a_denied_call_never_reaches_odoo(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit, policy=Denies())
    with pytest.raises(PermissionDenied, match="Not for you"):
        await gate.run(caller(), COUNT)
    assert (gateway.calls, gateway.logins) == ([], 0)
    assert audit.outcomes == ["permission_denied"]


async def test_a_denied_model_does_not_show_its_fields(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit, policy=Denies())
    with pytest.raises(PermissionDenied):
        await gate.schema(caller(), "res.partner", instance="default")
    assert gateway.calls == []
    assert audit.outcomes == ["permission_denied"]


async def test_a_call_over_budget_never_reaches_odoo(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit, limiter=Exhausted())
    with pytest.raises(RateLimited, match=r"7\.5 seconds") as caught:
        await gate.run(caller(), COUNT)
    assert caught.value.retry_after == 7.5
    assert gateway.calls == []
    assert audit.outcomes == ["rate_limited"]


async def test_a_write_is_in_the_audit_before_it_is_sent(
    gateway: CountingGateway, audit: Remembers
) -> None:
    made = await gate_over(gateway, audit).run(caller(), CREATE)
    assert [(event.outcome, sent) for event, sent in audit.events] == [
        ("begun", 0),
        ("ok", 1),
    ]
    event, _ = audit.events[1]
    assert (event.fields, event.ids) == (("name",), tuple(made))
    assert event.milliseconds is not None


async def test_a_write_that_cannot_be_audited_is_not_sent(
    gateway: CountingGateway,
) -> None:
    audit = Remembers(gateway, works=False)
    with pytest.raises(GatewayUnavailable, match="nothing was sent"):
        await gate_over(gateway, audit).run(caller(), CREATE)
    assert gateway.calls == []


async def test_an_error_is_in_the_audit_by_its_code(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gone = Call("res.partner", "unlink", ([999_999],))
    with pytest.raises(RecordMissing):
        await gate_over(gateway, audit).run(caller(), gone)
    assert audit.outcomes == ["begun", "record_missing"]
    assert audit.events[1][0].ids == (999_999,)


class Slow(CountingGateway):
    """Never answers a read."""

    def __init__(self, inner: MemoryGateway) -> None:
        super().__init__(inner)
        self.reached = asyncio.Event()

    async def execute(self, session: Session, call: Call) -> Any:
        self.reached.set()
        return await asyncio.Event().wait()


async def test_a_read_whose_caller_goes_away_is_cancelled(
    memory: MemoryGateway, audit: Remembers
) -> None:
    gateway = Slow(memory)
    running = asyncio.create_task(gate_over(gateway, audit).run(caller(), COUNT))
    await gateway.reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert audit.outcomes == ["cancelled"]


class Hurried(CountingGateway):
    """Notes how much time each call has."""

    rest: float | None = None

    async def execute(self, session: Session, call: Call) -> Any:
        self.rest = left()
        return await super().execute(session, call)


async def test_a_call_has_as_much_time_as_its_caller(
    memory: MemoryGateway, audit: Remembers
) -> None:
    gateway = Hurried(memory)
    gate = gate_over(gateway, audit)
    await gate.run(caller(), COUNT)
    assert gateway.rest is None
    await gate.run(replace(caller(), deadline=time.monotonic() + 60.0), COUNT)
    assert gateway.rest is not None
    assert 0 < gateway.rest <= 60.0


async def test_nobody_knows_what_became_of_a_write_whose_caller_went_away(
    memory: MemoryGateway, gateway: CountingGateway, audit: Remembers
) -> None:
    reached = asyncio.Event()

    async def wait(*_: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    memory.on("res.partner", "wait", wait)
    call = Call("res.partner", "wait", ([1],))
    running = asyncio.create_task(gate_over(gateway, audit).run(caller(), call))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert audit.outcomes == ["begun", "outcome_unknown"]


async def test_one_login_serves_every_call(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    await asyncio.gather(*(gate.run(caller(), COUNT) for _ in range(20)))
    assert gateway.logins == 1


async def test_two_callers_never_share_a_session(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    admin, demo = Odoo(gate, caller(ADMIN, "a")), Odoo(gate, caller(DEMO, "b"))
    asked = [admin.whoami(), demo.whoami()] * 10
    logins = [identity.login for identity in await asyncio.gather(*asked)]
    assert logins == ["admin", "demo"] * 10
    assert gateway.logins == 2


async def test_a_read_logs_in_anew_once_when_the_session_is_gone(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    await gate.run(caller(), COUNT)
    gateway.stale = 1
    assert await gate.run(caller(), COUNT) > 0
    assert gateway.logins == 2


async def test_a_write_is_not_repeated_when_the_session_is_gone(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    await gate.run(caller(), COUNT)
    gateway.stale = 1
    with pytest.raises(AuthenticationFailed):
        await gate.run(caller(), CREATE)
    assert gateway.called.count("create") == 1
    assert await gate.run(caller(), CREATE)
    assert gateway.logins == 2


async def test_a_session_that_stays_refused_stops_after_one_new_login(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    gateway.stale = 100
    with pytest.raises(AuthenticationFailed):
        await gate.run(caller(), COUNT)
    assert gateway.logins == 2
    assert gateway.called == ["search_count"] * 2


async def test_an_instance_without_a_login_is_refused_and_the_others_named(
    gateway: CountingGateway, audit: Remembers
) -> None:
    elsewhere = Call("res.partner", "search_count", ([],), instance="other")
    with pytest.raises(InvalidRequest, match=r"'other' here; .* use: 'default'"):
        await gate_over(gateway, audit).run(caller(), elsewhere)
    assert gateway.calls == []


async def test_a_company_that_is_not_the_users_is_in_the_audit(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    with pytest.raises(OdooAccessError, match="company 99, only in 1"):
        await gate.check(caller(), Context(companies=(99,)), instance="default")
    ((event, _),) = audit.events
    assert (event.outcome, event.call.model) == ("odoo_access_denied", "res.company")
    assert event.ids == (99,)


async def test_one_question_for_fields_serves_all_who_ask(
    gateway: CountingGateway, audit: Remembers
) -> None:
    odoo = Odoo(gate_over(gateway, audit), caller())
    await asyncio.gather(*(odoo.count("res.partner") for _ in range(10)))
    asked = [call.method for call in gateway.calls]
    assert asked.count("fields_get") == 1


async def test_each_user_is_asked_for_and_equal_answers_are_one_schema(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    admin = await Odoo(gate, caller(ADMIN)).fields("res.users")
    demo = await Odoo(gate, caller(DEMO)).fields("res.users")
    assert [call.method for call in gateway.calls] == ["fields_get"] * 2
    assert demo is admin


async def test_users_with_other_rights_see_another_schema(
    memory: MemoryGateway, gateway: CountingGateway, audit: Remembers
) -> None:
    seen: dict[str, dict[str, Any]] = {
        "admin": {"name": {"type": "char"}, "margin": {"type": "float"}},
        "demo": {"name": {"type": "char"}},
    }
    gate = gate_over(Describes(gateway, memory, seen), audit)
    admin = await Odoo(gate, caller(ADMIN)).fields("res.partner")
    demo = await Odoo(gate, caller(DEMO)).fields("res.partner")
    assert (set(admin.fields), set(demo.fields)) == ({"name", "margin"}, {"name"})


class Describes(CountingGateway):
    """Answers ``fields_get`` by login, and passes everything else on."""

    def __init__(
        self,
        inner: CountingGateway,
        memory: MemoryGateway,
        seen: dict[str, dict[str, Any]],
    ) -> None:
        super().__init__(inner)
        self.seen = seen
        self.logins_by_uid: dict[int, str] = {}

    async def authenticate(self, credentials: Credentials) -> Session:
        session = await super().authenticate(credentials)
        self.logins_by_uid[session.uid] = credentials.login
        return session

    async def execute(self, session: Session, call: Call) -> Any:
        if call.method == "fields_get":
            self.calls.append(call)
            return self.seen[self.logins_by_uid[session.uid]]
        return await super().execute(session, call)


class Hand:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_schema_is_asked_for_again_after_five_minutes(
    gateway: CountingGateway, audit: Remembers
) -> None:
    clock = Hand()
    gate = gate_over(gateway, audit, clock=clock)
    first = await gate.schema(caller(), "res.partner", instance="default")
    clock.now = 299.0
    assert await gate.schema(caller(), "res.partner", instance="default") is first
    assert len(gateway.calls) == 1
    clock.now = 301.0
    assert await gate.schema(caller(), "res.partner", instance="default") is first
    assert len(gateway.calls) == 2


async def test_a_schema_is_asked_for_again_when_it_is_older_than_wanted(
    gateway: CountingGateway, audit: Remembers
) -> None:
    clock = Hand()
    gate = gate_over(gateway, audit, clock=clock)
    for age in (None, 5.0, 0.0):
        await gate.schema(caller(), "res.partner", instance="default", max_age=age)
        clock.now += 1.0
    assert len(gateway.calls) == 2


async def test_asking_for_a_newer_schema_costs_a_call(
    gateway: CountingGateway, audit: Remembers
) -> None:
    clock = Hand()
    gate = gate_over(gateway, audit, clock=clock, limiter=Exhausted())
    await gate.schema(caller(), "res.partner", instance="default")
    clock.now = 1.0
    with pytest.raises(RateLimited):
        await gate.schema(caller(), "res.partner", instance="default", max_age=0.0)


async def test_a_crash_of_odoo_makes_us_ask_for_the_fields_again(
    memory: MemoryGateway, gateway: CountingGateway, audit: Remembers
) -> None:
    def crash(*args: Any) -> None:
        raise OdooFailed("Invalid field 'gone' on model 'res.partner'")

    memory.on("res.partner", "search_count", crash)
    gate = gate_over(gateway, audit)
    await gate.schema(caller(), "res.partner", instance="default")
    with pytest.raises(OdooFailed):
        await gate.run(caller(), COUNT)
    await gate.schema(caller(), "res.partner", instance="default")
    assert [call.method for call in gateway.calls].count("fields_get") == 2


async def test_what_is_recalled_is_asked_for_once(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    answers = [await gate.recall(caller(), COUNT) for _ in range(3)]
    assert len(set(answers)) == len(gateway.calls) == 1
    await gate.recall(caller(), COUNT, fresh=True)
    assert len(gateway.calls) == 2


async def test_what_is_recalled_is_recalled_for_that_user_only(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    await gate.recall(caller(ADMIN), COUNT)
    await gate.recall(caller(DEMO), COUNT)
    assert len(gateway.calls) == 2


async def test_a_refusal_of_odoos_is_recalled_as_well(
    gateway: CountingGateway, audit: Remembers
) -> None:
    gate = gate_over(gateway, audit)
    closed = Call("ir.config_parameter", "search_count", ([],))
    for _ in range(2):
        with pytest.raises(OdooAccessError):
            await gate.recall(caller(DEMO), closed)
    assert len(gateway.calls) == 1


async def test_what_is_recalled_is_judged_every_time(
    gateway: CountingGateway, audit: Remembers
) -> None:
    policy = Changes()
    gate = gate_over(gateway, audit, policy=policy)
    await gate.recall(caller(), COUNT)
    policy.allowed = False
    with pytest.raises(PermissionDenied):
        await gate.recall(caller(), COUNT)


class Changes(OdooDecides):
    """Allows every call until told otherwise."""

    allowed = True

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        return Decision(self.allowed, "Not any more.", "changed", call)


async def test_refusals_are_values() -> None:
    answer = await OdooDecides().authenticate("token", None)
    assert isinstance(answer, Refusal)
