"""Budgets and failed logins: their arithmetic, and that their memory is bounded."""

import pytest

from odooport.errors import InvalidRequest
from odooport.model import Caller, Principal
from odooport_security.addresses import network_of
from odooport_security.limits import (
    LimitsRateLimiter,
    RateLimits,
    parse_budget,
    seconds_until_it_fits,
)
from odooport_security.lockout import Lockout
from odooport_security.windows import MOST_WINDOWS, BoundedStorage

MANY = 200_000


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def address(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


# Budgets


@pytest.mark.parametrize(
    ("text", "amount", "seconds"),
    [("600/minute", 600, 60), ("10 per 2 hours", 10, 7200), ("1/day", 1, 86_400)],
)
def test_a_budget_is_read(text: str, amount: int, seconds: int):
    item = parse_budget(text)

    assert (item.amount, item.get_expiry()) == (amount, seconds)


@pytest.mark.parametrize(
    "text",
    ["", "many", "600/fortnight", "0/minute", "-5/minute", "5/minute; 1/second", "5"],
)
def test_a_budget_that_cannot_be_read_is_refused(text: str):
    with pytest.raises(InvalidRequest, match="600/minute"):
        parse_budget(text)


@pytest.mark.parametrize(
    "wrong",
    [{"key": "many"}, {"address": "many"}, {"roles": {"seller": "many"}}],
)
def test_limits_with_a_budget_that_cannot_be_read_are_refused(wrong):
    with pytest.raises(InvalidRequest, match="no budget"):
        RateLimits(**wrong)


@pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"role_concurrency": {"a": 0}}])
def test_limits_that_let_nothing_through_are_refused(wrong):
    with pytest.raises(InvalidRequest, match="at least 1"):
        RateLimits(**wrong)


@pytest.mark.parametrize(
    ("most", "before", "now", "turns_in", "wait"),
    [
        (9, 0, 0, 30, 0),  # nothing counts
        (9, 20, 0, 60, 30),  # half of the 20 must have faded
        (9, 10, 5, 45, 15),  # 10 * 30 / 60 + 5 = 10, and below it fits
        (9, 0, 10, 15, 15),  # this window is full: it begins to fade when it turns
        (9, 10, 10, 15, 15),
        (4, 0, 10, 15, 45),
        (0, 0, 10, 15, 69),  # the last one has faded nine tenths of the next window on
    ],
)
def test_the_wait_is_until_enough_has_faded(
    most: int, before: int, now: int, turns_in: float, wait: float
):
    answer = seconds_until_it_fits(most, 60, before=before, now=now, turns_in=turns_in)

    assert answer == pytest.approx(wait, abs=0.002)
    assert answer > wait or wait == 0


# Where a request comes from


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::1", "::/64"),
        ("2001:DB8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        ("x" * 5000, "x" * 64),
        ("", ""),
        (None, "unknown"),
    ],
)
def test_what_counts_as_one_place(address: str | None, network: str):
    assert network_of(address) == network


# Bounded memory


async def test_200000_addresses_do_not_fill_the_memory(clock: Clock):
    storage = BoundedStorage(clock=clock)
    for number in range(MANY):
        assert await storage.acquire_sliding_window_entry(address(number), 99999, 60)

    assert MOST_WINDOWS <= storage.tracked <= MOST_WINDOWS + 1024


async def test_beyond_the_bound_many_addresses_get_no_more_than_a_few_budgets(
    clock: Clock,
):
    storage = BoundedStorage(most=100, clock=clock)
    allowed = 0
    for number in range(5000):
        allowed += await storage.acquire_sliding_window_entry(address(number), 2, 60)

    assert 100 < allowed <= 100 + 2 * 1024


async def test_who_has_a_counter_keeps_it_however_many_others_come(clock: Clock):
    storage = BoundedStorage(most=100, clock=clock)
    for number in range(5000):
        await storage.acquire_sliding_window_entry("first", 5, 60)
        await storage.acquire_sliding_window_entry(address(number), 5, 60)

    assert not await storage.acquire_sliding_window_entry("first", 5, 60)
    assert (await storage.get_sliding_window("first", 60))[2] == 5


async def test_counters_that_are_over_make_place_for_others(clock: Clock):
    storage = BoundedStorage(most=100, clock=clock)
    for number in range(100):
        await storage.acquire_sliding_window_entry(address(number), 1, 60)
    clock.now += 180
    for number in range(1000, 1100):
        assert await storage.acquire_sliding_window_entry(address(number), 1, 60)

    assert storage.tracked <= 100


async def test_counters_go_though_their_owners_never_come_again(clock: Clock):
    storage = BoundedStorage(clock=clock)
    for number in range(1000):
        await storage.acquire_sliding_window_entry(address(number), 1, 60)
    for _ in range(1200):
        clock.now += 60
        await storage.acquire_sliding_window_entry(str(clock.now), 1, 60)

    assert storage.tracked < 10


async def test_a_counter_that_was_cleared_begins_anew(clock: Clock):
    storage = BoundedStorage(clock=clock)
    await storage.acquire_sliding_window_entry("a", 1, 60)
    await storage.clear_sliding_window("a", 60)

    assert await storage.acquire_sliding_window_entry("a", 1, 60)


async def test_calls_that_ended_leave_nothing_behind(clock: Clock):
    limiter = LimitsRateLimiter(RateLimits(), clock=clock)
    for number in range(100):
        principal = Principal(f"k{number}", "shop", "full", {})
        async with limiter.slot(Caller(principal, "rest", "req-1")):
            assert limiter.tracked == 1

    assert limiter.tracked == 0


async def test_refused_calls_make_no_counters(clock: Clock):
    limiter = LimitsRateLimiter(RateLimits(key="1/day"), clock=clock)
    principal = Principal("k1", "shop", "full", {})
    for number in range(1000):
        await limiter.take(Caller(principal, "rest", "req-1", address(number)))

    assert limiter.tracked == 2


async def test_200000_failing_addresses_do_not_fill_the_memory(clock: Clock):
    lockout = Lockout(clock=clock)
    for number in range(MANY):
        await lockout.failed(address(number))

    assert 50_000 <= lockout.tracked <= 50_000 + 1024


async def test_beyond_the_bound_newcomers_who_fail_still_have_to_wait(clock: Clock):
    lockout = Lockout(clock=clock, most=10)
    for number in range(10):
        await lockout.failed(address(number))
    for _ in range(5):
        await lockout.failed("192.0.2.1")

    assert await lockout.waiting("192.0.2.1") == 1


async def test_who_is_locked_out_stays_so_however_many_others_fail(clock: Clock):
    lockout = Lockout(clock=clock, most=10)
    for _ in range(14):
        await lockout.failed("192.0.2.1")
    for number in range(1000):
        await lockout.failed(address(number))

    assert await lockout.waiting("192.0.2.1") == 512


async def test_failures_that_are_forgotten_make_place_for_others(clock: Clock):
    lockout = Lockout(clock=clock, most=100)
    for number in range(100):
        await lockout.failed(address(number))
    clock.now += 1800
    for number in range(1000, 1100):
        await lockout.failed(address(number))

    assert lockout.tracked <= 100


async def test_the_keys_that_were_right_are_bounded_too(clock: Clock):
    lockout = Lockout(clock=clock, most=10)
    for number in range(100):
        await lockout.succeeded(address(number), key="k1")
    await lockout.succeeded(address(95), key="k1")

    assert lockout.tracked == 10
