"""What the gate counts on in a rate limiter: each case holds for every one."""

import asyncio
import logging
import random
import socket
from collections.abc import AsyncIterator, Callable
from itertools import count as count_from
from typing import Any

import pytest

from odooport.errors import InvalidRequest
from odooport.gate import Unlimited
from odooport.model import Caller, Principal, Quota
from odooport.ports import RateLimiter
from odooport_security import LimitsRateLimiter, RateLimits, RedisRateLimiter

from .redis_server import (  # noqa: F401  # the fixtures are asked for by name
    RedisServer,
    empty,
    mortal,
    running,
)

DAY = 86_400
LIMITS = RateLimits(
    key="5/day",
    address="8/day",
    concurrency=2,
    roles={"seller": "3/day"},
    role_concurrency={"seller": 1},
)


class Clock:
    """A clock that moves only when told; it begins a quarter into a day."""

    def __init__(self) -> None:
        self.now = DAY * 20_000.25

    def __call__(self) -> float:
        return self.now


def caller(
    subject: str = "k1", role: str = "full", address: str | None = None, **own: Any
) -> Caller:
    principal = Principal(subject, "shop", role, {}, **own)
    return Caller(principal, "rest", "req-1", address)


CALLER = caller()


@pytest.fixture
def clock() -> Clock:
    return Clock()


type Make = Callable[..., LimitsRateLimiter | RedisRateLimiter]


@pytest.fixture(params=["limits", "redis"])
async def make(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[Make]:
    """Makes rate limiters that count; where they can, all share one count."""
    made: list[LimitsRateLimiter | RedisRateLimiter] = []
    server = request.getfixturevalue("redis") if request.param == "redis" else None

    def make(limits: RateLimits = LIMITS) -> LimitsRateLimiter | RedisRateLimiter:
        limiter: LimitsRateLimiter | RedisRateLimiter = (
            LimitsRateLimiter(limits, clock=clock)
            if server is None
            else RedisRateLimiter(limits, server.url, clock=clock)
        )
        made.append(limiter)
        return limiter

    yield make
    for limiter in made:
        await limiter.aclose()


@pytest.fixture
def counting(make: Make) -> RateLimiter:
    return make()


@pytest.fixture(params=["unlimited", "limits", "redis"])
async def limiter(
    request: pytest.FixtureRequest, clock: Clock
) -> AsyncIterator[RateLimiter]:
    if request.param == "redis":
        url = request.getfixturevalue("redis").url
        shared = RedisRateLimiter(LIMITS, url, clock=clock)
        yield shared
        await shared.aclose()
    elif request.param == "limits":
        yield LimitsRateLimiter(LIMITS, clock=clock)
    else:
        yield Unlimited()


async def spend(limiter: RateLimiter, who: Caller, times: int) -> list[Quota]:
    return [await limiter.take(who) for _ in range(times)]


# Every one of them


async def test_a_call_within_the_budget_is_allowed_without_waiting(
    limiter: RateLimiter,
):
    quota = await limiter.take(CALLER)

    assert quota.allowed
    assert quota.retry_after == 0
    assert 0 <= quota.remaining <= quota.limit


async def test_asking_is_allowed_and_takes_nothing(limiter: RateLimiter):
    asked = [await limiter.take(CALLER, cost=0) for _ in range(20)]

    assert all(quota.allowed for quota in asked)
    assert len(set(asked)) == 1
    assert (await limiter.take(CALLER)).allowed


async def test_a_place_is_held_while_a_call_runs(limiter: RateLimiter):
    async with limiter.slot(CALLER) as place:
        assert place.allowed
        assert place.retry_after == 0


async def test_what_goes_wrong_in_a_place_is_not_swallowed(limiter: RateLimiter):
    with pytest.raises(ZeroDivisionError):
        async with limiter.slot(CALLER):
            raise ZeroDivisionError


# Budgets


async def test_what_remains_counts_down_to_a_refusal(counting: RateLimiter):
    quotas = await spend(counting, CALLER, 6)

    assert [quota.remaining for quota in quotas] == [4, 3, 2, 1, 0, 0]
    assert [quota.allowed for quota in quotas] == [True] * 5 + [False]
    assert {(q.limit, q.bucket, q.window) for q in quotas} == {(5, "key", DAY)}


async def test_a_refused_call_fits_when_it_was_told_and_not_before(
    counting: RateLimiter, clock: Clock
):
    *_, refused = await spend(counting, CALLER, 6)
    assert 0 < refused.retry_after <= refused.reset_after <= 2 * DAY

    clock.now += refused.retry_after - 1
    assert not (await counting.take(CALLER)).allowed
    clock.now += 1
    assert (await counting.take(CALLER)).allowed
    assert not (await counting.take(CALLER)).allowed


async def test_a_budget_is_whole_again_when_it_was_told(
    counting: RateLimiter, clock: Clock
):
    *_, last = await spend(counting, CALLER, 4)
    clock.now += last.reset_after

    assert (await counting.take(CALLER, cost=0)).remaining == 5


async def test_what_was_taken_fades_over_the_next_window(
    counting: RateLimiter, clock: Clock
):
    await spend(counting, CALLER, 5)
    clock.now += DAY * 1.25  # half of the next window is over

    assert (await counting.take(CALLER, cost=0)).remaining == 3


async def test_calls_at_the_same_time_share_one_budget(counting: RateLimiter):
    quotas = await asyncio.gather(*(counting.take(CALLER) for _ in range(20)))

    assert sum(quota.allowed for quota in quotas) == 5


async def test_a_large_call_takes_its_cost(counting: RateLimiter):
    assert (await counting.take(CALLER, cost=3)).remaining == 2
    assert not (await counting.take(CALLER, cost=3)).allowed
    assert (await counting.take(CALLER, cost=2)).remaining == 0


async def test_a_cost_above_the_whole_budget_takes_all_of_it(counting: RateLimiter):
    quota = await counting.take(CALLER, cost=100)

    assert (quota.allowed, quota.remaining) == (True, 0)
    assert not (await counting.take(CALLER)).allowed


async def test_a_cost_above_a_budget_in_use_waits_until_it_is_whole(
    counting: RateLimiter, clock: Clock
):
    await counting.take(CALLER)
    refused = await counting.take(CALLER, cost=100)
    assert not refused.allowed

    clock.now += refused.retry_after
    assert (await counting.take(CALLER, cost=100)).allowed


async def test_no_cost_gives_something_back(counting: RateLimiter):
    await spend(counting, CALLER, 5)

    assert (await counting.take(CALLER, cost=-3)).remaining == 0
    assert not (await counting.take(CALLER)).allowed


async def test_each_key_has_its_own_budget(counting: RateLimiter):
    await spend(counting, CALLER, 6)

    assert (await counting.take(caller("k2"))).remaining == 4


async def test_a_keys_own_budget_takes_the_place_of_the_usual_one(
    counting: RateLimiter,
):
    quota = await counting.take(caller(rate_limit="7/hour"))

    assert (quota.limit, quota.remaining, quota.window) == (7, 6, 3600)


@pytest.mark.parametrize("budget", ["", "many", "0/day"])
async def test_a_key_whose_budget_cannot_be_read_gets_nothing_through(
    counting: RateLimiter, budget: str
):
    broken = caller(rate_limit=budget or " ")

    with pytest.raises(InvalidRequest, match="no budget"):
        await counting.take(broken)


async def test_the_keys_of_a_role_share_its_budget_beside_their_own(
    counting: RateLimiter,
):
    await spend(counting, caller("k1", "seller"), 2)
    last = await counting.take(caller("k2", "seller"))
    refused = await counting.take(caller("k2", "seller"))

    assert (last.allowed, last.remaining, last.bucket) == (True, 0, "role")
    assert (refused.allowed, refused.limit, refused.bucket) == (False, 3, "role")
    assert (await counting.take(caller("k3"))).allowed


async def test_the_keys_at_an_address_share_its_budget(counting: RateLimiter):
    await spend(counting, caller("k1", address="192.0.2.1"), 5)
    await spend(counting, caller("k2", address="192.0.2.1"), 3)
    refused = await counting.take(caller("k3", address="192.0.2.1"))

    assert (refused.allowed, refused.limit, refused.bucket) == (False, 8, "address")
    assert (await counting.take(caller("k3", address="192.0.2.2"))).allowed


async def test_a_network_of_ipv6_is_one_address(counting: RateLimiter):
    for number in range(8):
        await counting.take(caller(f"k{number}", address=f"2001:db8::{number}"))

    assert not (await counting.take(caller(address="2001:db8::ffff:1"))).allowed
    assert (await counting.take(caller(address="2001:db8:0:1::1"))).allowed


async def test_a_call_that_one_budget_refuses_takes_nothing_from_the_others(
    counting: RateLimiter,
):
    crowd = [caller(f"k{number}", address="192.0.2.1") for number in range(8)]
    for member in crowd:
        await counting.take(member)
    for who in (crowd[0], caller("new", address="192.0.2.1")):
        assert (await counting.take(who)).bucket == "address"

    assert (await counting.take(caller("k0"), cost=0)).remaining == 4
    assert (await counting.take(caller("new"), cost=0)).remaining == 5


async def test_a_key_that_is_refused_takes_nothing_from_its_address(
    counting: RateLimiter,
):
    await spend(counting, caller("k1", address="192.0.2.1"), 9)

    quotas = await spend(counting, caller("k2", address="192.0.2.1"), 3)
    assert all(quota.allowed for quota in quotas)


async def test_the_tightest_budget_answers(counting: RateLimiter):
    for number in range(5):
        await counting.take(caller(f"k{number}", address="192.0.2.1"))

    quota = await counting.take(caller("new", address="192.0.2.1"))
    assert (quota.bucket, quota.remaining) == ("address", 2)


async def test_of_two_refusals_the_longer_one_answers(counting: RateLimiter):
    seller = caller("k1", "seller", rate_limit="1/second")
    await spend(counting, seller, 1)
    for number in range(2):
        await counting.take(caller(f"k{number + 2}", "seller"))

    assert (await counting.take(seller)).bucket == "role"


async def test_both_count_alike(redis: RedisServer, clock: Clock):
    here = LimitsRateLimiter(RateLimits("40/hour", "60/hour"), clock=clock)
    there = RedisRateLimiter(
        RateLimits("40/hour", "60/hour"), redis.url, clock=lambda: clock.now
    )
    chance = random.Random(5)
    clock.now = float(int(clock.now))
    for _ in range(300):
        clock.now += chance.choice([0, 0, 1, 60, 600, 4000])
        who = caller(f"k{chance.randrange(3)}", address="192.0.2.1")
        cost = chance.choice([0, 1, 1, 2, 30, 100])
        one, other = await here.take(who, cost), await there.take(who, cost)
        assert (one.allowed, one.remaining, one.bucket) == (
            (other.allowed, other.remaining, other.bucket)
        )
        assert one.retry_after == pytest.approx(other.retry_after, abs=0.01)
        assert one.reset_after == pytest.approx(other.reset_after, abs=0.01)
    await there.aclose()


# Places


async def test_a_key_has_no_more_calls_under_way_than_it_may(counting: RateLimiter):
    async with counting.slot(CALLER) as first, counting.slot(CALLER) as second:
        async with counting.slot(CALLER) as third:
            assert (third.allowed, third.limit) == (False, 2)
            assert third.retry_after == 1
        async with counting.slot(CALLER) as still:
            assert not still.allowed
    assert [(place.allowed, place.remaining) for place in (first, second)] == [
        (True, 1),
        (True, 0),
    ]
    assert {place.bucket for place in (first, second, third)} == {"concurrency"}


async def test_a_place_is_free_again_after_each_call(counting: RateLimiter):
    for _ in range(5):
        async with counting.slot(caller(concurrency=1)) as place:
            assert place.allowed


async def fail_in_a_place(limiter: RateLimiter) -> None:
    async with limiter.slot(caller(concurrency=1)) as place:
        assert place.allowed
        raise ZeroDivisionError


async def test_a_place_is_free_again_after_an_error(counting: RateLimiter):
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            await fail_in_a_place(counting)


async def test_a_place_is_free_again_after_a_call_was_cancelled(counting: RateLimiter):
    began = asyncio.Event()

    async def call() -> None:
        async with counting.slot(caller(concurrency=1)):
            began.set()
            await asyncio.Event().wait()

    task = asyncio.ensure_future(call())
    await began.wait()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    async with counting.slot(caller(concurrency=1)) as place:
        assert place.allowed


async def test_each_key_has_its_own_places(counting: RateLimiter):
    other = caller("k2")
    async with (
        counting.slot(CALLER),
        counting.slot(CALLER),
        counting.slot(other) as place,
    ):
        assert place.allowed


@pytest.mark.parametrize(
    ("who", "places"),
    [
        (caller(), 2),
        (caller(concurrency=4), 4),
        (caller(role="seller"), 1),
        (caller(role="seller", concurrency=3), 3),
    ],
    ids=["usual", "of the key", "of the role", "of the key before that of the role"],
)
async def test_how_many_places_there_are(
    counting: RateLimiter, who: Caller, places: int
):
    async with counting.slot(who) as place:
        assert place.limit == places
        assert place.remaining == places - 1


# In Redis alone


@pytest.fixture
async def two(
    redis: RedisServer, clock: Clock
) -> AsyncIterator[tuple[RedisRateLimiter, RedisRateLimiter]]:
    """Two processes that share a Redis."""
    one, other = (RedisRateLimiter(LIMITS, redis.url, clock=clock) for _ in range(2))
    yield one, other
    await one.aclose()
    await other.aclose()


type Two = tuple[RedisRateLimiter, RedisRateLimiter]


async def test_two_processes_share_a_budget(two: Two):
    takes = [limiter.take(CALLER) for limiter in two * 10]

    assert sum(quota.allowed for quota in await asyncio.gather(*takes)) == 5


async def test_two_processes_share_the_places(two: Two):
    one, other = two
    async with one.slot(CALLER), other.slot(CALLER), other.slot(CALLER) as third:
        assert not third.allowed


async def test_a_process_that_died_gives_its_places_back(two: Two, clock: Clock):
    died, alive = two
    async with died.slot(caller(concurrency=1)):
        clock.now += 59
        async with alive.slot(caller(concurrency=1)) as early:
            assert not early.allowed
        clock.now += 1
        async with alive.slot(caller(concurrency=1)) as late:
            assert late.allowed


async def test_a_long_call_keeps_its_place(two: Two, redis: RedisServer, clock: Clock):
    asleep, wake = asyncio.Semaphore(0), asyncio.Semaphore(0)
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        asleep.release()
        await wake.acquire()

    busy = RedisRateLimiter(LIMITS, redis.url, clock=clock, sleep=sleep)
    async with busy.slot(caller(concurrency=1)):
        async with asyncio.timeout(10):
            for _ in range(5):
                await asleep.acquire()
                clock.now += 50
                wake.release()
            await asleep.acquire()
        async with two[0].slot(caller(concurrency=1)) as place:
            assert not place.allowed
    await busy.aclose()

    assert max(naps) < 60 / 2  # one renewal may fail


async def test_without_a_clock_it_goes_by_that_of_redis(
    redis: RedisServer,
):
    limiter = RedisRateLimiter(LIMITS, redis.url)

    assert [q.remaining for q in await spend(limiter, CALLER, 6)] == [4, 3, 2, 1, 0, 0]
    alone = caller(concurrency=1)
    async with limiter.slot(alone), limiter.slot(alone) as second:
        assert not second.allowed
    await limiter.aclose()


async def test_everything_in_redis_goes_away_by_itself(two: Two, redis: RedisServer):
    await two[0].take(caller("k1", "seller", "192.0.2.1"))
    async with two[0].slot(CALLER):
        with redis.client() as client:
            lives = {name: client.ttl(name) for name in client.scan_iter()}

    assert len(lives) == 4
    assert all(0 < life <= 2 * DAY for life in lives.values())


async def test_a_call_that_is_cancelled_while_it_asks_holds_no_place(
    two: Two, redis: RedisServer
):
    async def call() -> None:
        async with two[0].slot(CALLER):
            raise AssertionError

    for steps in range(12):  # wherever in the conversation with Redis that is
        task = asyncio.ensure_future(call())
        for _ in range(steps):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
        await asyncio.wait([task])

    await asyncio.gather(*two[0]._releasing)
    with redis.client() as client:
        assert client.zcard("odooport:slots:k1") == 0


# Without Redis


async def test_without_redis_nothing_passes(mortal_redis: RedisServer, clock: Clock):
    limiter = RedisRateLimiter(LIMITS, mortal_redis.url, clock=clock)
    assert (await limiter.take(CALLER)).allowed
    mortal_redis.stop()

    quota = await limiter.take(CALLER)
    assert (quota.allowed, quota.remaining, quota.retry_after) == (False, 0, 1)
    async with limiter.slot(CALLER) as place:
        assert not place.allowed
    assert limiter.unanswered == 2
    await limiter.aclose()


async def test_without_redis_all_passes_uncounted_where_that_is_set(
    mortal_redis: RedisServer, clock: Clock
):
    limiter = RedisRateLimiter(LIMITS, mortal_redis.url, gone="allow", clock=clock)
    mortal_redis.stop()

    quotas = await spend(limiter, CALLER, 20)
    assert all(quota.allowed for quota in quotas)
    alone = caller(concurrency=1)
    async with limiter.slot(alone) as one, limiter.slot(alone) as other:
        assert one.allowed
        assert other.allowed
    assert limiter.unanswered == 22
    await limiter.aclose()


async def test_when_redis_comes_back_it_counts_again(
    mortal_redis: RedisServer, clock: Clock
):
    limiter = RedisRateLimiter(LIMITS, mortal_redis.url, clock=clock)
    mortal_redis.stop()
    assert not (await limiter.take(CALLER)).allowed
    mortal_redis.start()

    assert not (await limiter.take(CALLER)).allowed  # it is not even asked yet
    clock.now += 1
    assert (await limiter.take(CALLER)).remaining == 4
    await limiter.aclose()


async def test_a_redis_that_was_restarted_between_two_calls_is_no_outage(
    mortal_redis: RedisServer, clock: Clock
):
    limiter = RedisRateLimiter(LIMITS, mortal_redis.url, clock=clock)
    await limiter.take(CALLER)
    mortal_redis.stop()
    mortal_redis.start()

    assert (await limiter.take(CALLER)).allowed
    await limiter.aclose()


def knocks(listening: socket.socket) -> int:
    """Answer how many connections came since it was asked before."""
    listening.setblocking(False)
    for count in count_from(0):
        try:
            listening.accept()[0].close()
        except BlockingIOError:
            return count
    raise AssertionError


async def test_a_redis_that_is_silent_is_tried_by_one_caller_at_a_time(clock: Clock):
    # It takes connections, and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        limiter = RedisRateLimiter(LIMITS, f"redis://127.0.0.1:{port}", clock=clock)
        async with asyncio.timeout(10):
            assert not (await limiter.take(CALLER)).allowed
            knocks(silent)
            clock.now += 1
            quotas = await asyncio.gather(*(limiter.take(CALLER) for _ in range(50)))
        came = knocks(silent)
        await limiter.aclose()

    assert not any(quota.allowed for quota in quotas)
    assert 1 <= came <= 2  # one caller, who may try twice


async def test_the_log_tells_once_a_minute_how_many_were_not_counted(
    clock: Clock, caplog: pytest.LogCaptureFixture
):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"redis://who:s3cr3t@127.0.0.1:{port}/0"
    limiter = RedisRateLimiter(LIMITS, url, gone="allow", clock=clock)
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            await spend(limiter, CALLER, 10)
            clock.now += 30
    await limiter.aclose()

    assert [
        (record.getMessage(), record.__dict__["calls"], record.__dict__["unanswered"])
        for record in caplog.records
        if record.name.startswith("odooport")
    ] == [
        ("redis cannot be reached", "let through", 1),
        ("redis cannot be reached", "let through", 20),
    ]
    logged = "".join(map(str, (record.__dict__ for record in caplog.records)))
    assert "s3cr3t" not in logged
    assert str(port) not in logged


@pytest.mark.parametrize(
    "url",
    [
        "http://who:s3cr3t@example.com",
        "redis://who:s3cr3t@example.com:seven",
        "redis://who:s3cr3t@example.com/0?colour=red",
    ],
)
def test_an_address_of_no_redis_is_refused_without_being_told(url: str):
    with pytest.raises(InvalidRequest, match="ODOOPORT_REDIS_URL") as caught:
        RedisRateLimiter(LIMITS, url)

    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__cause__ is None
