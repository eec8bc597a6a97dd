"""A deadline goes along with a request, and ends what it waits for."""

import asyncio
import time
from collections.abc import Callable

import pytest

from odooport.cache import FlightCache
from odooport.deadlines import left, until
from odooport.errors import GatewayUnavailable


def soon(seconds: float) -> float:
    return time.monotonic() + seconds


def test_nobody_has_a_deadline_unless_told() -> None:
    assert left() is None
    with until(None):
        assert left() is None


def test_what_is_left_is_told_inside_and_forgotten_outside() -> None:
    with until(soon(50.0)):
        rest = left()
        assert rest is not None
        assert 49.0 < rest <= 50.0
    assert left() is None


@pytest.mark.parametrize("inner", [None, 100.0])
def test_an_earlier_deadline_outside_stays(inner: float | None) -> None:
    with until(soon(50.0)), until(None if inner is None else soon(inner)):
        rest = left()
        assert rest is not None
        assert rest <= 50.0


def test_an_earlier_deadline_inside_counts() -> None:
    with until(soon(50.0)), until(soon(-1.0)):
        rest = left()
        assert rest is not None
        assert rest < 0


async def test_each_task_has_its_own() -> None:
    async def rest_of(at: float | None) -> float | None:
        with until(at):
            await asyncio.sleep(0)
            return left()

    free, short = await asyncio.gather(rest_of(None), rest_of(soon(5.0)))
    assert free is None
    assert short is not None


def cache(clock: Callable[[], float] = time.monotonic) -> FlightCache[str, int]:
    return FlightCache(size=10, seconds=None, clock=clock)


async def test_whoever_waits_for_an_answer_of_all_waits_no_longer_than_he_has() -> None:
    kept, lands = cache(), asyncio.Event()

    async def fetch() -> int:
        await lands.wait()
        return 7

    patient = asyncio.create_task(kept.get("a", fetch))
    await asyncio.sleep(0)
    with until(soon(0.01)), pytest.raises(GatewayUnavailable, match="time that this"):
        await kept.get("a", fetch)
    lands.set()
    assert await patient == 7


async def test_what_is_fetched_for_all_does_not_have_the_deadline_of_one() -> None:
    kept, seen = cache(), list[float | None]()

    async def fetch() -> int:
        seen.append(left())
        return 7

    with until(soon(5.0)):
        assert await kept.get("a", fetch) == 7
    assert seen == [None]


async def test_a_timeout_of_what_is_fetched_is_its_own() -> None:
    async def fetch() -> int:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await cache().get("a", fetch)
