"""A request with an idempotency key is done once, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from odooport import (
    AnswerLost,
    AttemptState,
    AuditEvent,
    Call,
    Caller,
    Gate,
    GatewayUnavailable,
    IdempotencyInFlight,
    IdempotencyMismatch,
    InvalidRequest,
    Odoo,
    OdooDecides,
    OdooRefused,
    OutcomeUnknown,
    Principal,
    Quota,
    RateLimited,
    Session,
    Unaudited,
    Unlimited,
)
from odooport_adapters import MemoryGateway
from odooport_security import SqliteIdempotency
from tests.usecases.conftest import ADMIN, CountingGateway

KEY = "4fc2b1d0"


class Losing(CountingGateway):
    """Raises, after Odoo has done it, what ``error`` is."""

    error: Exception | None = None

    async def execute(self, session: Session, call: Call) -> object:
        answer = await super().execute(session, call)
        if self.error is not None and call.method == "create":
            raise self.error
        return answer


class Remembers(Unaudited):
    def __init__(self) -> None:
        self.events: list[AuditEvent] = []

    async def record(self, event: AuditEvent) -> bool:
        self.events.append(event)
        return True


class Exhausted(Unlimited):
    async def take(self, caller: Caller, cost: int = 1) -> Quota:
        return Quota(False, limit=5, remaining=0, reset_after=60.0, retry_after=7.5)


@pytest.fixture
def gateway(memory: MemoryGateway) -> Losing:
    return Losing(memory)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteIdempotency]:
    store = SqliteIdempotency(tmp_path / "idempotency.db")
    yield store
    await store.aclose()


@pytest.fixture
def audit() -> Remembers:
    return Remembers()


@pytest.fixture
def gate(gateway: Losing, store: SqliteIdempotency, audit: Remembers) -> Gate:
    return Gate(gateway, OdooDecides(), Unlimited(), audit, idempotency=store)


def caller(subject: str = "k1") -> Caller:
    principal = Principal(subject, subject, "full", {"default": ADMIN})
    return Caller(principal, door="rest", request_id="r1")


def creating(gate: Gate, who: Caller, name: str = "Azure") -> Callable[[], Awaitable]:
    async def create() -> str:
        (made,) = await Odoo(gate, who).create("res.partner", {"name": name})
        return str(made)

    return create


async def test_the_same_request_gets_the_first_answer(
    gate: Gate, gateway: Losing, audit: Remembers
) -> None:
    who = caller()
    first, replayed = await gate.once(who, KEY, "a", creating(gate, who))
    assert not replayed
    assert await gate.once(caller(), KEY, "a", creating(gate, who)) == (first, True)
    assert gateway.called.count("create") == 1
    assert audit.events[-1].rule == "idempotency"


async def test_another_request_under_the_key_is_refused(
    gate: Gate, gateway: Losing
) -> None:
    who = caller()
    await gate.once(who, KEY, "a", creating(gate, who))
    with pytest.raises(IdempotencyMismatch, match="was not run"):
        await gate.once(caller(), KEY, "b", creating(gate, who))
    assert gateway.called.count("create") == 1


async def test_the_key_of_another_principal_is_another_key(
    gate: Gate, gateway: Losing
) -> None:
    for subject in ("k1", "k2"):
        who = caller(subject)
        _, replayed = await gate.once(who, KEY, "a", creating(gate, who))
        assert not replayed
    assert gateway.called.count("create") == 2


async def test_a_request_that_still_runs_is_not_run_beside_itself(
    gate: Gate,
) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> str:
        begun.set()
        await may_end.wait()
        return "7"

    first = asyncio.create_task(gate.once(caller(), KEY, "a", slow))
    await begun.wait()
    with pytest.raises(IdempotencyInFlight, match="still runs") as caught:
        await gate.once(caller(), KEY, "a", slow)
    assert caught.value.retry_after >= 1.0
    may_end.set()
    assert await first == ("7", False)


async def test_of_many_at_once_one_runs(gate: Gate, gateway: Losing) -> None:
    who = caller()
    answers = await asyncio.gather(
        *(gate.once(who, KEY, "a", creating(gate, who)) for _ in range(20)),
        return_exceptions=True,
    )
    assert gateway.called.count("create") == 1
    ran = [it for it in answers if not isinstance(it, BaseException) and not it[1]]
    assert len(ran) == 1


async def test_what_was_refused_leaves_the_key_free(
    gate: Gate, gateway: Losing
) -> None:
    who = caller()
    gateway.error = OdooRefused("Not like that.")
    with pytest.raises(OdooRefused):
        await gate.once(who, KEY, "a", creating(gate, who))
    gateway.error = None
    _, replayed = await gate.once(caller(), KEY, "b", creating(gate, caller()))
    assert not replayed


async def test_what_was_wrong_before_it_was_sent_leaves_the_key_free(
    gate: Gate,
) -> None:
    async def wrong() -> str:
        raise InvalidRequest("No.")

    for _ in range(2):
        with pytest.raises(InvalidRequest, match="No"):
            await gate.once(caller(), KEY, "a", wrong)


async def test_a_lost_answer_is_never_asked_for_again(
    gate: Gate, gateway: Losing
) -> None:
    who = caller()
    gateway.error = OutcomeUnknown("Lost.")
    with pytest.raises(OutcomeUnknown, match="Lost"):
        await gate.once(who, KEY, "a", creating(gate, who))
    gateway.error = None
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="not run again"):
            await gate.once(caller(), KEY, "a", creating(gate, who))
    assert gateway.called.count("create") == 1


async def test_what_was_done_without_an_answer_says_so_again(
    gate: Gate, gateway: Losing
) -> None:
    who = caller()
    gateway.error = AnswerLost("It is done.")
    for _ in range(2):
        with pytest.raises(AnswerLost, match="It is done"):
            await gate.once(who, KEY, "a", creating(gate, who))
    assert gateway.called.count("create") == 1


async def test_what_fails_after_a_write_does_not_free_the_key(
    gate: Gate, gateway: Losing
) -> None:
    who = caller()
    create = creating(gate, who)

    async def and_fail() -> str:
        await create()
        raise GatewayUnavailable("Odoo is away.")

    with pytest.raises(GatewayUnavailable):
        await gate.once(who, KEY, "a", and_fail)
    with pytest.raises(OutcomeUnknown):
        await gate.once(caller(), KEY, "a", and_fail)
    assert gateway.called.count("create") == 1


async def test_a_caller_who_goes_away_finds_the_answer_later(
    gate: Gate, gateway: Losing
) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()
    who = caller()
    create = creating(gate, who)

    async def slow() -> str:
        begun.set()
        await may_end.wait()
        return await create()

    first = asyncio.create_task(gate.once(who, KEY, "a", slow))
    await begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    may_end.set()
    await gate.ended(5.0)
    answer, replayed = await gate.once(caller(), KEY, "a", slow)
    assert replayed
    assert answer.isdecimal()
    assert gateway.called.count("create") == 1


@pytest.mark.parametrize("sent", [False, True])
async def test_what_is_cut_off_at_the_end_is_free_only_if_nothing_was_sent(
    gate: Gate, store: SqliteIdempotency, sent: bool
) -> None:
    begun = asyncio.Event()
    who = caller()
    create = creating(gate, who)

    async def endless() -> str:
        if sent:
            await create()
        begun.set()
        await asyncio.Event().wait()
        return ""

    first = asyncio.create_task(gate.once(who, KEY, "a", endless))
    await begun.wait()
    await gate.ended(0.0)
    with pytest.raises(asyncio.CancelledError):
        await first
    again = await store.begin("k1", KEY, "other")
    free = AttemptState.BEGUN
    assert again.state is (AttemptState.MISMATCH if sent else free)


async def test_an_answer_that_is_too_large_is_not_kept(gate: Gate) -> None:
    async def large() -> str:
        return "x" * 2_000_000

    answer, _ = await gate.once(caller(), KEY, "a", large)
    assert len(answer) == 2_000_000
    with pytest.raises(AnswerLost, match="too large"):
        await gate.once(caller(), KEY, "a", large)


@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256, "a\n"])
async def test_what_is_no_key_is_refused(gate: Gate, key: str) -> None:
    with pytest.raises(InvalidRequest, match="1 to 255"):
        await gate.once(caller(), key, "a", creating(gate, caller()))


async def test_a_request_with_a_key_is_counted(
    gateway: Losing, store: SqliteIdempotency
) -> None:
    gate = Gate(gateway, OdooDecides(), Exhausted(), Unaudited(), idempotency=store)

    async def free() -> str:
        return "costs nothing by itself"

    with pytest.raises(RateLimited):
        await gate.once(caller(), KEY, "a", free)


async def test_without_a_store_there_are_no_keys(gateway: Losing) -> None:
    gate = Gate(gateway, OdooDecides(), Unlimited(), Unaudited())
    with pytest.raises(InvalidRequest, match="not kept here"):
        await gate.once(caller(), KEY, "a", creating(gate, caller()))


async def test_nothing_runs_while_keys_cannot_be_kept(
    gateway: Losing, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("no directory")
    store = SqliteIdempotency(tmp_path / "taken" / "idempotency.db")
    gate = Gate(gateway, OdooDecides(), Unlimited(), Unaudited(), idempotency=store)
    with pytest.raises(GatewayUnavailable, match="nothing was sent"):
        await gate.once(caller(), KEY, "a", creating(gate, caller()))
    assert gateway.called == []
    await store.aclose()
