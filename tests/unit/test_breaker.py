"""While an Odoo is away nobody waits for it; a slow one takes no more than its own."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odooport.catalogue import MethodInfo
from odooport.deadlines import left, until
from odooport.errors import (
    AnswerLost,
    AuthenticationFailed,
    Conflict,
    GatewayError,
    GatewayProtocolError,
    GatewayUnavailable,
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    OdooRefused,
    OutcomeUnknown,
    RecordMissing,
)
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway
from odooport_adapters import BreakerGateway, BulkheadGateway, RetryGateway

SESSION = Session("company", 2, "s3cret")
CREDENTIALS = Credentials("company", "admin", "s3cret")
CALL = Call("res.partner", "read", ([1],))
VERSION = ServerVersion("18.0", (18, 0))

ASKS: dict[str, Callable[[OdooGateway], Awaitable[Any]]] = {
    "version": lambda gateway: gateway.version("default"),
    "authenticate": lambda gateway: gateway.authenticate(CREDENTIALS),
    "execute": lambda gateway: gateway.execute(SESSION, CALL),
    "methods": lambda gateway: gateway.methods(SESSION, "res.partner"),
}


@pytest.fixture(params=sorted(ASKS))
def ask(request) -> Callable[[OdooGateway], Awaitable[Any]]:
    """Each way to ask a gateway."""
    return ASKS[request.param]


async def call(gateway: OdooGateway) -> Any:
    return await gateway.execute(SESSION, CALL)


def away(kind: type[GatewayError] = GatewayUnavailable) -> GatewayError:
    """What a gateway raises while Odoo is away."""
    error = kind("Odoo is away.")
    error.down = True
    return error


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Odoo:
    """A gateway that answers what a test puts there, and counts.

    An outcome that is an exception is raised; with ``held`` each ask waits until it
    is let go.
    """

    def __init__(self, outcome: Any = "answer") -> None:
        self.outcome = outcome
        self.version_outcome: Any = None
        self.held = False
        self.asked = 0
        self.versions = 0
        self.under_way = 0
        self.most = 0
        self.waiting: list[asyncio.Future[None]] = []
        self.left_in_version: float | None = None

    async def _answer(self, outcome: Any) -> Any:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if self.held:
                gate = asyncio.get_running_loop().create_future()
                self.waiting.append(gate)
                await gate
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome
        finally:
            self.under_way -= 1

    def let_go(self) -> None:
        for gate in self.waiting:
            if not gate.done():
                gate.set_result(None)
        self.waiting.clear()

    async def version(self, instance: str) -> ServerVersion:
        self.versions += 1
        self.left_in_version = left()
        outcome = self.version_outcome
        return await self._answer(self.outcome if outcome is None else outcome)

    async def authenticate(self, credentials: Credentials) -> Session:
        self.asked += 1
        return await self._answer(self.outcome)

    async def execute(self, session: Session, call: Call) -> Any:
        self.asked += 1
        return await self._answer(self.outcome)

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        self.asked += 1
        return await self._answer(self.outcome)


async def turns(times: int = 10) -> None:
    """Let every task that can run do so."""
    for _ in range(times):
        await asyncio.sleep(0)


async def failing(
    gateway: OdooGateway,
    times: int,
    ask: Callable[[OdooGateway], Awaitable[Any]] = call,
) -> None:
    for _ in range(times):
        with pytest.raises(OdooportError):
            await ask(gateway)


async def refused(gateway: OdooGateway) -> float:
    """Check that a call is refused here, and answer when to ask again."""
    with pytest.raises(GatewayUnavailable) as raised:
        await call(gateway)
    assert raised.value.retry_after is not None
    assert "nothing was sent" in raised.value.message
    assert not raised.value.down
    return raised.value.retry_after


async def opened(odoo: Odoo, clock: Clock, **more: Any) -> BreakerGateway:
    """A breaker that has just opened."""
    breaker = BreakerGateway(odoo, "default", clock=clock, **more)
    odoo.outcome = away()
    await failing(breaker, 5)
    assert breaker.openings == 1
    odoo.asked = odoo.versions = 0
    return breaker


# What opens it


async def test_five_failures_in_a_row_open_it_whatever_was_called(ask):
    odoo = Odoo(away())
    breaker = BreakerGateway(odoo, "default", clock=Clock())

    await failing(breaker, 5, ask)
    asked = odoo.asked + odoo.versions
    seconds = await refused(breaker)

    assert asked == odoo.asked + odoo.versions == 5
    assert seconds == 1.0
    assert breaker.openings == 1


async def test_four_failures_do_not_open_it():
    odoo = Odoo(away())
    breaker = BreakerGateway(odoo, "default", clock=Clock())

    await failing(breaker, 4)
    odoo.outcome = "answer"

    assert await call(breaker) == "answer"
    assert breaker.openings == 0


async def test_a_lost_write_counts_if_odoo_is_away():
    odoo = Odoo(away(OutcomeUnknown))
    breaker = BreakerGateway(odoo, "default", clock=Clock())

    await failing(breaker, 5)

    await refused(breaker)


@pytest.mark.parametrize(
    "answer",
    [
        "answer",
        None,
        AuthenticationFailed("No."),
        Conflict("No."),
        OdooAccessError("No."),
        RecordMissing("No."),
        OdooRefused("No."),
        AnswerLost("No."),
        OdooFailed("No."),
        GatewayProtocolError("A page."),
    ],
    ids=lambda answer: type(answer).__name__,
)
async def test_an_answer_of_any_kind_begins_the_count_anew(answer):
    odoo = Odoo(away())
    breaker = BreakerGateway(odoo, "default", clock=Clock())

    await failing(breaker, 4)
    odoo.outcome = answer
    with contextlib.suppress(OdooportError):
        await call(breaker)
    odoo.outcome = away()
    await failing(breaker, 4)

    assert breaker.openings == 0
    assert odoo.asked == 9
    await failing(breaker, 1)
    assert breaker.openings == 1


@pytest.mark.parametrize(
    "refusal",
    [
        InvalidRequest("The wire cannot carry it."),
        GatewayUnavailable("The queue is full.", retry_after=1.0),
        GatewayUnavailable("The certificate has expired."),
        OutcomeUnknown("Its caller had no time."),
    ],
    ids=["no-call", "queue", "certificate", "impatience"],
)
async def test_what_says_nothing_of_odoo_counts_for_nothing(refusal):
    odoo = Odoo(refusal)
    breaker = BreakerGateway(odoo, "default", clock=Clock())

    await failing(breaker, 20)
    assert breaker.openings == 0
    odoo.outcome = away()
    await failing(breaker, 4)
    odoo.outcome = refusal
    await failing(breaker, 1)
    odoo.outcome = away()
    await failing(breaker, 1)

    assert breaker.openings == 1


async def test_calls_that_were_cancelled_count_for_nothing():
    odoo = Odoo()
    odoo.held = True
    breaker = BreakerGateway(odoo, "default", clock=Clock())
    callers = [asyncio.create_task(call(breaker)) for _ in range(10)]
    await turns()
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)

    odoo.held = False
    assert await call(breaker) == "answer"
    assert breaker.openings == 0


# While it is open


async def test_while_it_is_open_a_thousand_callers_are_refused_at_once():
    clock, odoo = Clock(), Odoo()
    breaker = await opened(odoo, clock)
    clock.now += 0.4

    began = time.perf_counter()
    answers = await asyncio.gather(
        *(call(breaker) for _ in range(1000)), return_exceptions=True
    )
    took = time.perf_counter() - began

    assert {type(answer) for answer in answers} == {GatewayUnavailable}
    assert odoo.asked == odoo.versions == 0
    assert took < 1.0
    assert await refused(breaker) == pytest.approx(0.6)


async def test_a_refusal_names_no_host_and_is_not_asked_for_again():
    odoo = Odoo()
    breaker = await opened(odoo, Clock())

    with pytest.raises(GatewayUnavailable, match="does not answer") as raised:
        await RetryGateway(breaker).execute(SESSION, CALL)

    assert raised.value.retry_after == 1.0
    assert "Ask again in 1.0 seconds" in raised.value.message
    assert odoo.asked == 0


@pytest.mark.parametrize("late", ["answer", away()], ids=["answer", "failure"])
async def test_calls_that_were_under_way_when_it_opened_end_and_change_nothing(late):
    odoo, clock = Odoo(late), Clock()
    breaker = BreakerGateway(odoo, "default", clock=clock)
    odoo.held = True
    callers = [asyncio.create_task(call(breaker)) for _ in range(9)]
    await turns()
    odoo.held, odoo.outcome = False, away()
    await failing(breaker, 5)

    odoo.let_go()
    ends = await asyncio.gather(*callers, return_exceptions=True)

    assert ends == [late] * 9
    assert breaker.openings == 1
    assert await refused(breaker) == 1.0


async def test_failures_of_calls_from_before_it_closed_do_not_open_it_again():
    odoo, clock = Odoo(away()), Clock()
    breaker = BreakerGateway(odoo, "default", clock=clock)
    odoo.held = True
    callers = [asyncio.create_task(call(breaker)) for _ in range(9)]
    await turns()
    odoo.held = False
    await failing(breaker, 5)
    clock.now += 1
    odoo.outcome = "answer"
    assert await call(breaker) == "answer"

    odoo.let_go()
    await asyncio.gather(*callers, return_exceptions=True)

    assert await call(breaker) == "answer"
    assert breaker.openings == 1


# Probes


async def test_the_first_caller_after_the_pause_probes_and_goes_on(ask):
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.outcome = "answer"
    clock.now += 1

    assert await ask(breaker) == "answer"
    assert odoo.versions + odoo.asked == 2
    assert await call(breaker) == "answer"


async def test_nobody_probes_before_the_pause_is_over():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    clock.now += 0.999

    await refused(breaker)

    assert odoo.versions == 0


async def test_a_probe_that_fails_doubles_the_pause_up_to_a_bound():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock, longest=5.0)

    pauses = []
    for _ in range(5):
        clock.now += 60
        pauses.append(await refused(breaker))

    assert pauses == [2.0, 4.0, 5.0, 5.0, 5.0]
    assert odoo.versions == 5
    assert odoo.asked == 0
    assert breaker.openings == 1


async def test_the_pause_is_short_again_after_a_call_that_was_answered():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    for _ in range(3):
        clock.now += 60
        await refused(breaker)
    odoo.outcome = "answer"
    clock.now += 60
    await call(breaker)
    odoo.outcome = away()
    await failing(breaker, 5)

    assert await refused(breaker) == 1.0
    assert breaker.openings == 2


async def test_an_odoo_that_only_tells_its_version_is_left_alone_for_longer():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.version_outcome = VERSION

    pauses = []
    for _ in range(6):
        clock.now += 60
        await failing(breaker, 5)
        pauses.append(await refused(breaker))

    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert breaker.openings == 7


async def test_of_a_hundred_callers_after_the_pause_one_probes_and_the_others_fail():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.outcome, odoo.held = "answer", True
    clock.now += 1

    callers = [asyncio.create_task(call(breaker)) for _ in range(100)]
    await turns()
    others = await asyncio.gather(*callers[1:], return_exceptions=True)
    assert odoo.versions == 1
    assert odoo.asked == 0
    assert {type(each) for each in others} == {GatewayUnavailable}
    clock.now += 0.5
    assert await refused(breaker) == 1.5  # when the probe ends at the latest

    odoo.held = False
    odoo.let_go()
    assert await callers[0] == "answer"
    assert odoo.asked == 1


async def test_no_second_probe_begins_before_the_first_has_ended_however_late():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.outcome, odoo.held = "answer", True
    clock.now += 1
    caller = asyncio.create_task(call(breaker))
    await turns()
    clock.now += 60

    await refused(breaker)

    assert odoo.versions == 1
    odoo.held = False
    odoo.let_go()
    assert await caller == "answer"


async def test_a_probe_that_is_cancelled_makes_way_for_the_next():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.outcome = "answer"
    clock.now += 1
    mine = asyncio.current_task()
    caller = asyncio.create_task(call(breaker))
    await asyncio.sleep(0)  # the probe is made and has not begun
    for task in asyncio.all_tasks() - {mine}:
        task.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    assert odoo.versions == 0
    clock.now += 60

    assert await call(breaker) == "answer"
    assert odoo.versions == 1


async def test_after_it_has_closed_it_takes_as_many_failures_to_open_again():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.version_outcome = VERSION
    clock.now += 1

    await failing(breaker, 4)
    assert breaker.openings == 1
    await failing(breaker, 1)
    assert breaker.openings == 2
    assert odoo.asked == 5


async def test_a_probe_goes_on_when_its_caller_goes_away():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.outcome, odoo.held = "answer", True
    clock.now += 1
    caller = asyncio.create_task(call(breaker))
    await turns()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert odoo.under_way == 1

    odoo.held = False
    odoo.let_go()
    await turns()

    assert await call(breaker) == "answer"
    assert odoo.versions == 1


async def test_a_probe_does_not_share_its_callers_deadline():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.outcome, odoo.held = "answer", True
    clock.now += 1

    with until(time.monotonic() + 0.02):
        await refused(breaker)
    assert odoo.left_in_version is None
    odoo.held = False
    odoo.let_go()
    await turns()

    assert await call(breaker) == "answer"


async def test_a_caller_whose_time_is_up_starts_a_probe_and_does_not_wait_for_it():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.held = True
    clock.now += 1

    with until(time.monotonic() - 1):
        await refused(breaker)
    await turns()

    assert odoo.versions == 1
    odoo.let_go()
    await turns()
    assert await refused(breaker) == 2.0


async def test_a_probe_that_is_not_answered_is_given_up():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock, probe_seconds=0.01)
    odoo.outcome, odoo.held = "answer", True
    clock.now += 1

    assert await refused(breaker) == 2.0
    assert odoo.under_way == 0


@pytest.mark.parametrize(
    "error",
    [
        GatewayProtocolError("A page."),
        GatewayUnavailable("The certificate has expired."),
    ],
    ids=["page", "certificate"],
)
async def test_another_error_than_silence_closes_it_so_that_callers_see_it(error):
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.outcome = error
    clock.now += 1

    with pytest.raises(type(error)) as raised:
        await call(breaker)

    assert raised.value is error


async def test_a_probe_that_finds_no_place_leaves_it_open():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.version_outcome = GatewayUnavailable("The queue is full.", retry_after=1.0)
    clock.now += 1

    assert await refused(breaker) == 2.0


async def test_a_probe_that_crashes_leaves_it_open_and_is_heard_of():
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    odoo.version_outcome = RuntimeError("a bug")
    clock.now += 1

    with pytest.raises(RuntimeError):
        await call(breaker)

    assert await refused(breaker) == 2.0
    odoo.version_outcome, odoo.outcome = VERSION, "answer"
    clock.now += 2
    assert await call(breaker) == "answer"


async def test_opening_and_closing_are_in_the_log_once_each(caplog):
    caplog.set_level(logging.INFO, "odooport_adapters.breaker")
    odoo, clock = Odoo(), Clock()
    breaker = await opened(odoo, clock)
    for _ in range(3):
        clock.now += 60
        await refused(breaker)
    odoo.outcome = "answer"
    clock.now += 60
    await call(breaker)

    found = [
        (record.levelname, record.__dict__["instance"], record.__dict__["openings"])
        for record in caplog.records
    ]
    assert found == [("WARNING", "default", 1), ("INFO", "default", 1)]


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(1, 8)),
        st.tuples(st.just("answer"), st.integers(1, 8)),
        st.tuples(st.just("fail"), st.integers(1, 8)),
        st.tuples(st.just("cancel"), st.integers(1, 8)),
        st.tuples(st.just("pass time"), st.sampled_from([0.1, 1.0, 5.0, 40.0])),
        st.tuples(st.just("turn"), st.integers(1, 3)),
    ),
    max_size=40,
)


class Puppet(Odoo):
    """A gateway whose every ask ends when and how the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[asyncio.Future[str]] = []
        self.probes = 0
        self.most_probes = 0

    async def _answer(self, outcome: Any) -> Any:
        end = asyncio.get_running_loop().create_future()
        self.open.append(end)
        return await end

    async def version(self, instance: str) -> ServerVersion:
        self.probes += 1
        self.most_probes = max(self.most_probes, self.probes)
        try:
            return await super().version(instance)
        finally:
            self.probes -= 1

    def end(self, times: int, *, well: bool) -> None:
        for end in [each for each in self.open if not each.done()][:times]:
            if well:
                end.set_result("answer")
            else:
                end.set_exception(away())


@given(_steps)
@settings(deadline=None)
async def test_whatever_happens_at_most_one_probe_runs_and_it_recovers(steps):
    odoo, clock = Puppet(), Clock()
    breaker = BreakerGateway(
        odoo, "default", failures=2, clock=clock, probe_seconds=600
    )
    callers: list[asyncio.Task[Any]] = []
    for what, how in steps:
        if what == "call":
            callers += [asyncio.create_task(call(breaker)) for _ in range(int(how))]
        elif what == "cancel":
            for caller in callers[-int(how) :]:
                caller.cancel()
        elif what == "pass time":
            clock.now += how
        elif what == "turn":
            await turns(int(how))
        else:
            odoo.end(int(how), well=what == "answer")
    await turns()
    while any(not end.done() for end in odoo.open):
        odoo.end(1000, well=True)
        await turns()
    ends = await asyncio.gather(*callers, return_exceptions=True)

    assert odoo.most_probes <= 1
    assert all(
        end == "answer" or isinstance(end, GatewayUnavailable | asyncio.CancelledError)
        for end in ends
    )
    clock.now += 60
    last = asyncio.create_task(call(breaker))
    while not last.done():
        await turns()
        odoo.end(1, well=True)
    assert last.result() == "answer"


# The bulkhead


async def held_up(
    bulkhead: BulkheadGateway, odoo: Odoo, callers: int
) -> list[asyncio.Task[Any]]:
    odoo.held = True
    tasks = [asyncio.create_task(call(bulkhead)) for _ in range(callers)]
    await turns()
    return tasks


async def test_a_bulkhead_lets_no_more_through_than_it_has_places(ask):
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=3)
    odoo.held = True
    callers = [asyncio.ensure_future(ask(bulkhead)) for _ in range(10)]
    for _ in range(10):
        await turns()
        assert odoo.under_way <= 3
        odoo.let_go()

    assert await asyncio.gather(*callers) == ["answer"] * 10
    assert odoo.most == 3


async def test_beyond_the_queue_everybody_is_refused_at_once():
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=2, waiting=3)
    callers = await held_up(bulkhead, odoo, 5)

    for _ in range(3):
        assert await refused(bulkhead) == 1.0

    assert odoo.asked == 2
    odoo.held = False
    odoo.let_go()
    assert await asyncio.gather(*callers) == ["answer"] * 5
    assert await call(bulkhead) == "answer"


async def test_nobody_waits_for_longer_than_is_set():
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=1, longest_wait=0.01)
    callers = await held_up(bulkhead, odoo, 1)

    assert await refused(bulkhead) == 1.0

    odoo.let_go()
    assert await asyncio.gather(*callers) == ["answer"]


@pytest.mark.parametrize("seconds", [0.01, -1.0])
async def test_nobody_waits_beyond_his_deadline(seconds):
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=1, longest_wait=60)
    callers = await held_up(bulkhead, odoo, 1)

    with until(time.monotonic() + seconds):
        async with asyncio.timeout(5):
            assert await refused(bulkhead) == 1.0

    odoo.let_go()
    assert await asyncio.gather(*callers) == ["answer"]


async def test_who_came_first_is_let_through_first():
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=1)
    order: list[int] = []

    async def caller(number: int) -> None:
        await call(bulkhead)
        order.append(number)

    odoo.held = True
    callers = [asyncio.create_task(caller(number)) for number in range(6)]
    while len(order) < 6:
        await turns()
        odoo.let_go()
    await asyncio.gather(*callers)

    assert order == [0, 1, 2, 3, 4, 5]


async def test_a_newcomer_does_not_overtake_those_who_wait():
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=1)
    first, second = await held_up(bulkhead, odoo, 2)

    odoo.let_go()
    await asyncio.sleep(0)  # the first is done; the place is on its way to the second
    third = asyncio.create_task(call(bulkhead))
    await turns()
    assert first.done()
    assert odoo.asked == 2
    odoo.let_go()
    await turns()
    assert second.done()
    odoo.let_go()
    assert await third == "answer"


@pytest.mark.parametrize(
    "end",
    [
        OdooRefused("No."),
        away(),
        RuntimeError("a bug"),
    ],
    ids=lambda end: type(end).__name__,
)
async def test_a_call_that_fails_gives_its_place_back(end):
    odoo = Odoo(end)
    bulkhead = BulkheadGateway(odoo, places=1)
    for _ in range(3):
        with pytest.raises(type(end)):
            await call(bulkhead)

    odoo.outcome = "answer"
    assert await call(bulkhead) == "answer"


async def has_all_places(bulkhead: BulkheadGateway, odoo: Odoo, places: int) -> None:
    """Check that nobody holds a place, and nobody is in the queue."""
    odoo.held = False
    odoo.let_go()
    await turns()
    assert odoo.under_way == 0
    callers = await held_up(bulkhead, odoo, places)
    assert odoo.under_way == places
    odoo.held = False
    odoo.let_go()
    assert await asyncio.gather(*callers) == ["answer"] * places
    assert bulkhead._waiting == 0


async def test_a_caller_that_is_cancelled_gives_its_place_back():
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=2)
    callers = await held_up(bulkhead, odoo, 2)
    for caller in callers:
        caller.cancel()
    await asyncio.gather(*callers, return_exceptions=True)

    await has_all_places(bulkhead, odoo, 2)


async def test_a_caller_that_is_cancelled_while_it_waits_leaves_the_queue():
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=1, waiting=1)
    _, waiter = await held_up(bulkhead, odoo, 2)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    another = asyncio.create_task(call(bulkhead))
    await turns()
    assert not another.done()

    await has_all_places(bulkhead, odoo, 1)
    assert await another == "answer"
    assert odoo.asked == 3


@pytest.mark.parametrize("ticks", range(6))
@pytest.mark.parametrize("first", ["hand over", "cancel"])
async def test_a_waiter_cancelled_as_the_place_is_handed_over_loses_none(first, ticks):
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=1)
    holder, waiter, behind = await held_up(bulkhead, odoo, 3)
    odoo.held = False

    if first == "hand over":
        odoo.let_go()
        await turns(ticks)
        waiter.cancel()
    else:
        waiter.cancel()
        await turns(ticks)
        odoo.let_go()
    ends = await asyncio.gather(holder, waiter, behind, return_exceptions=True)

    assert ends[0] == ends[2] == "answer"
    assert ends[1] == "answer" or isinstance(ends[1], asyncio.CancelledError)
    await has_all_places(bulkhead, odoo, 1)


async def test_a_waiter_given_up_as_the_place_is_handed_over_loses_none():
    odoo = Odoo()
    bulkhead = BulkheadGateway(odoo, places=1, longest_wait=0.005)
    for _ in range(20):
        holder, waiter = await held_up(bulkhead, odoo, 2)
        odoo.held = False
        loop = asyncio.get_running_loop()
        loop.call_later(0.004, odoo.let_go)
        ends = await asyncio.gather(holder, waiter, return_exceptions=True)
        assert ends[0] == "answer"

    await has_all_places(bulkhead, odoo, 1)


_moves = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.integers(1, 6)),
        st.tuples(st.just("end"), st.integers(0, 20)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
    ),
    max_size=60,
)


@given(_moves, st.integers(1, 4), st.integers(0, 5))
@settings(deadline=None)
async def test_under_any_cancellations_places_are_neither_exceeded_nor_lost(
    moves, places, waiting
):
    odoo = Puppet()
    running = most = 0

    class Counting(Puppet):
        async def execute(self, session: Session, call: Call) -> Any:
            nonlocal running, most
            running += 1
            most = max(most, running)
            try:
                return await super().execute(session, call)
            finally:
                running -= 1

    odoo = Counting()
    bulkhead = BulkheadGateway(odoo, places=places, waiting=waiting)
    callers: list[asyncio.Task[Any]] = []
    for what, how in moves:
        if what == "call":
            callers += [asyncio.create_task(call(bulkhead)) for _ in range(how)]
        elif what == "cancel" and callers:
            callers[how % len(callers)].cancel()
        elif what == "end" and odoo.open:
            end = odoo.open[how % len(odoo.open)]
            if not end.done():
                end.set_result("answer")
        elif what == "turn":
            await turns(how)
    while not all(caller.done() for caller in callers):
        odoo.end(1000, well=True)
        await turns()
    ends = await asyncio.gather(*callers, return_exceptions=True)

    assert most <= places
    assert running == 0
    assert bulkhead._waiting == 0
    assert all(
        end == "answer" or isinstance(end, GatewayUnavailable | asyncio.CancelledError)
        for end in ends
    )
    again = [asyncio.create_task(call(bulkhead)) for _ in range(places)]
    await turns()
    assert running == places
    odoo.end(1000, well=True)
    assert await asyncio.gather(*again) == ["answer"] * places


# All of them together


async def test_an_odoo_that_comes_back_serves_everybody_again():
    odoo, clock = Odoo(away()), Clock()

    async def no_wait(seconds: float) -> None:
        pass

    breaker = BreakerGateway(BulkheadGateway(odoo), "default", clock=clock)
    gateway = RetryGateway(breaker, sleep=no_wait)

    ends = await asyncio.gather(
        *(call(gateway) for _ in range(200)), return_exceptions=True
    )
    assert {type(end) for end in ends} == {GatewayUnavailable}
    assert breaker.openings == 1
    odoo.outcome = "answer"
    clock.now += 1
    assert await call(gateway) == "answer"
    assert (
        await asyncio.gather(*(call(gateway) for _ in range(200))) == ["answer"] * 200
    )
    assert odoo.most <= 64
