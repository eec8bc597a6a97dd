"""What counts failed logins: each case holds in this process and in Redis."""

from collections.abc import AsyncIterator

import pytest

from odooport_security import Lockout, RedisLockout

from .redis_server import (  # noqa: F401  # the fixtures are asked for by name
    RedisServer,
    empty,
    mortal,
    running,
)

HERE = "192.0.2.1"
MINUTE = 60
HOUR = 3600


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 1_750_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["here", "redis"])
async def lockout(
    request: pytest.FixtureRequest, clock: Clock
) -> AsyncIterator[Lockout]:
    if request.param == "redis":
        lockout: Lockout = RedisLockout(
            request.getfixturevalue("redis").url, clock=clock
        )
    else:
        lockout = Lockout(clock=clock)
    yield lockout
    await lockout.aclose()


async def fail(
    lockout: Lockout, address: str | None, times: int, *, key: str | None = None
) -> list[float]:
    return [await lockout.failed(address, key=key) for _ in range(times)]


async def test_whoever_never_failed_need_not_wait(lockout: Lockout):
    assert await lockout.waiting(HERE) == 0


async def test_the_fifth_failure_in_a_row_costs_a_second_and_each_further_twice_that(
    lockout: Lockout,
):
    assert await fail(lockout, HERE, 10) == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32]
    assert await lockout.waiting(HERE) == 32


@pytest.mark.parametrize("kind", ["here", "redis"])
async def test_how_many_failures_are_free_can_be_set(
    request: pytest.FixtureRequest, kind: str, clock: Clock
):
    lockout = (
        Lockout(clock=clock, free=2)
        if kind == "here"
        else RedisLockout(request.getfixturevalue("redis").url, clock=clock, free=2)
    )
    assert await fail(lockout, HERE, 4) == [0, 1, 2, 4]
    await lockout.aclose()


async def test_nobody_waits_for_more_than_a_quarter_of_an_hour(lockout: Lockout):
    delays = await fail(lockout, HERE, 40)

    assert delays[13:16] == [512, 900, 900]
    assert max(delays) == delays[-1] == 15 * MINUTE


async def test_the_wait_ends(lockout: Lockout, clock: Clock):
    await fail(lockout, HERE, 8)
    clock.now += 5
    assert await lockout.waiting(HERE) == pytest.approx(3)

    clock.now += 3
    assert await lockout.waiting(HERE) == 0
    assert await lockout.failed(HERE) == 16


async def test_half_an_hour_of_quiet_forgets(lockout: Lockout, clock: Clock):
    await fail(lockout, HERE, 9)
    clock.now += 30 * MINUTE - 1
    assert await lockout.failed(HERE) == 32

    clock.now += 30 * MINUTE
    assert await fail(lockout, HERE, 5) == [0, 0, 0, 0, 1]


async def test_a_success_forgets_the_row(lockout: Lockout):
    await fail(lockout, HERE, 4)
    assert await lockout.waiting(HERE) == 0
    await lockout.succeeded(HERE)

    assert await fail(lockout, HERE, 5) == [0, 0, 0, 0, 1]


async def test_each_address_counts_by_itself(lockout: Lockout):
    await fail(lockout, HERE, 9)

    assert await lockout.waiting("192.0.2.2") == 0


@pytest.mark.parametrize(
    ("address", "neighbour"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ("2001:DB8:0:0::1", "2001:db8::2%eth0"),
        (HERE, f"::ffff:{HERE}"),
        (None, None),
        ("nonsense", "nonsense"),
    ],
)
async def test_these_are_one_place(
    lockout: Lockout, address: str | None, neighbour: str | None
):
    await fail(lockout, address, 5)

    assert await lockout.waiting(neighbour) == 1


async def test_another_network_of_ipv6_is_another_place(lockout: Lockout):
    await fail(lockout, "2001:db8:0:1::1", 5)

    assert await lockout.waiting("2001:db8:0:2::1") == 0


# Several people behind one address


async def test_a_key_that_was_right_there_does_not_wait_for_others(lockout: Lockout):
    await lockout.succeeded(HERE, key="ours")
    await fail(lockout, HERE, 9, key="theirs")

    assert await lockout.waiting(HERE, key="ours") == 0
    assert await lockout.waiting(HERE, key="theirs") == 16
    assert await lockout.waiting(HERE) == 16


async def test_it_waits_for_its_own_failures(lockout: Lockout):
    await lockout.succeeded(HERE, key="ours")
    await fail(lockout, HERE, 5, key="ours")

    assert await lockout.waiting(HERE, key="ours") == 1
    assert await lockout.waiting(HERE, key="theirs") == 0


async def test_its_success_forgets_its_own_failures(lockout: Lockout):
    await lockout.succeeded(HERE, key="ours")
    await fail(lockout, HERE, 4, key="ours")
    assert await lockout.waiting(HERE, key="ours") == 0
    await lockout.succeeded(HERE, key="ours")

    assert await lockout.failed(HERE, key="ours") == 0


async def test_who_has_a_right_key_guesses_others_no_faster(lockout: Lockout):
    delays: list[float] = []
    for _ in range(7):
        await lockout.succeeded(HERE, key="mine")
        await lockout.waiting(HERE, key="other")
        delays.append(await lockout.failed(HERE, key="other"))

    assert delays == [0, 0, 0, 0, 1, 2, 4]


async def test_a_new_name_with_each_guess_is_no_help(lockout: Lockout):
    for number in range(5):
        await lockout.failed(HERE, key=f"guess{number}")

    assert await lockout.waiting(HERE, key="guess5") == 1


async def test_what_was_right_elsewhere_is_nothing_here(lockout: Lockout):
    await lockout.succeeded("192.0.2.2", key="ours")
    await fail(lockout, HERE, 5)

    assert await lockout.waiting(HERE, key="ours") == 1


async def test_after_a_day_a_key_has_to_be_right_again(lockout: Lockout, clock: Clock):
    await lockout.succeeded(HERE, key="ours")
    clock.now += 24 * HOUR
    await fail(lockout, HERE, 5)

    assert await lockout.waiting(HERE, key="ours") == 1


# In Redis alone


async def test_two_processes_count_together(redis: RedisServer, clock: Clock):
    one, other = (RedisLockout(redis.url, clock=clock) for _ in range(2))
    await fail(one, HERE, 3)
    await fail(other, HERE, 2)

    assert await one.waiting(HERE) == await other.waiting(HERE) == 1
    await one.aclose()
    await other.aclose()


async def test_without_a_clock_it_goes_by_that_of_redis(redis: RedisServer):
    lockout = RedisLockout(redis.url)

    assert await fail(lockout, HERE, 5) == [0, 0, 0, 0, 1]
    assert 0 < await lockout.waiting(HERE) <= 1
    await lockout.aclose()


async def test_what_redis_holds_goes_away_by_itself(redis: RedisServer, clock: Clock):
    lockout = RedisLockout(redis.url, clock=clock)
    await lockout.failed(HERE)

    with redis.client() as client:
        (name,) = client.scan_iter()
        assert 0 < client.ttl(name) <= 30 * MINUTE
    await lockout.aclose()


async def test_without_redis_nobody_gets_in(mortal_redis: RedisServer, clock: Clock):
    lockout = RedisLockout(mortal_redis.url, clock=clock)
    assert await lockout.waiting(HERE) == 0
    assert lockout.counts
    mortal_redis.stop()

    assert await lockout.waiting(HERE) == 1
    assert not lockout.counts
    assert await lockout.failed(HERE) == 1
    await lockout.succeeded(HERE)
    await lockout.aclose()


async def test_without_redis_each_process_counts_by_itself_where_that_is_set(
    mortal_redis: RedisServer, clock: Clock
):
    lockout = RedisLockout(mortal_redis.url, gone="allow", clock=clock)
    mortal_redis.stop()

    assert await lockout.waiting(HERE) == 0
    assert await fail(lockout, HERE, 6) == [0, 0, 0, 0, 1, 2]
    assert await lockout.waiting(HERE) == 2
    assert lockout.counts
    await lockout.aclose()
