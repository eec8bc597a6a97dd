"""The cache answers many with one question, and forgets what it should."""

import asyncio
import gc

import pytest

from odooport.cache import FlightCache


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Answers numbers in order, each when it is let go, and counts the questions."""

    def __init__(self) -> None:
        self.questions = 0
        self.gate = asyncio.Event()

    async def __call__(self) -> int:
        self.questions += 1
        number = self.questions
        await self.gate.wait()
        return number


def cache(clock: Clock, *, size: int = 10) -> FlightCache[str, int]:
    return FlightCache(size=size, seconds=60.0, clock=clock)


async def test_one_question_serves_all_who_ask_meanwhile() -> None:
    source, kept = Source(), cache(Clock())
    asking = [asyncio.create_task(kept.get("a", source)) for _ in range(5)]
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(*asking) == [1] * 5
    assert source.questions == 1


async def test_a_cancelled_caller_does_not_take_the_others_down() -> None:
    source, kept = Source(), cache(Clock())
    first = asyncio.create_task(kept.get("a", source))
    second = asyncio.create_task(kept.get("a", source))
    await asyncio.sleep(0)
    first.cancel()
    source.gate.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_an_answer_is_fetched_anew_when_its_time_is_over() -> None:
    clock, source = Clock(), Source()
    source.gate.set()
    kept = cache(clock)
    assert await kept.get("a", source) == 1
    clock.now = 59.9
    assert await kept.get("a", source) == 1
    clock.now = 60.0
    assert await kept.get("a", source) == 2


async def test_the_least_recently_used_answer_makes_room() -> None:
    source, kept = Source(), cache(Clock(), size=2)
    source.gate.set()
    for key in ("a", "b", "a", "c"):
        await kept.get(key, source)
    assert kept.peek("a") == 1
    assert kept.peek("b") is None
    assert kept.peek("c") == 3


async def test_a_failure_reaches_everybody_and_is_not_kept() -> None:
    kept = cache(Clock())

    async def fail() -> int:
        await asyncio.sleep(0)
        raise LookupError("gone")

    answers = await asyncio.gather(
        kept.get("a", fail), kept.get("a", fail), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [LookupError, LookupError]
    source = Source()
    source.gate.set()
    assert await kept.get("a", source) == 1


async def test_a_newer_answer_survives_dropping_an_older_one() -> None:
    kept: FlightCache[str, object] = FlightCache(size=2, seconds=None, clock=Clock())
    old, new = object(), object()
    kept.put("a", old)
    kept.put("a", new)
    kept.drop("a", old)
    assert kept.peek("a") is new
    kept.drop("a", new)
    assert kept.peek("a") is None


async def test_what_was_dropped_in_flight_is_not_kept() -> None:
    source, kept = Source(), cache(Clock())
    asking = asyncio.create_task(kept.get("a", source))
    await asyncio.sleep(0)
    kept.drop("a")
    source.gate.set()
    assert await asking == 1
    assert kept.peek("a") is None


async def test_heavy_answers_push_out_more() -> None:
    kept = FlightCache[str, str](size=10, seconds=None, clock=Clock(), weigh=len)
    for key, value in {"a": "four", "b": "five5", "c": "123456"}.items():
        kept.put(key, value)
    assert (kept.peek("a"), kept.peek("b"), kept.peek("c")) == (None, None, "123456")
    kept.put("d", "four")
    assert kept.peek("c") == "123456"


async def test_an_answer_that_is_too_heavy_is_not_kept() -> None:
    kept = FlightCache[str, str](size=3, seconds=None, clock=Clock(), weigh=len)
    kept.put("a", "four")
    kept.put("b", "one")
    assert (kept.peek("a"), kept.peek("b")) == (None, "one")


async def test_the_weight_of_what_is_replaced_or_dropped_does_not_count() -> None:
    kept = FlightCache[str, str](size=8, seconds=None, clock=Clock(), weigh=len)
    kept.put("a", "four")
    kept.put("a", "five")
    kept.put("b", "four")
    assert kept.peek("a") == "five"
    kept.drop("a")
    kept.put("c", "four")
    assert kept.peek("b") == "four"


async def test_the_age_of_an_answer_is_known() -> None:
    clock = Clock()
    kept = FlightCache[str, str](size=8, seconds=None, clock=clock)
    kept.put("a", "four")
    clock.now = 3.0
    assert (kept.age("a"), kept.age("b")) == (3.0, None)


async def test_an_error_that_nobody_waits_for_any_more_troubles_nobody():
    loop, told = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _, context: told.append(context))
    cache = FlightCache[str, int](size=1, seconds=None, clock=lambda: 0.0)
    gone = asyncio.Event()

    async def fail() -> int:
        await gone.wait()
        raise RuntimeError("late")

    asking = asyncio.ensure_future(cache.get("a", fail))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    gone.set()
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    assert told == []


async def test_an_answer_that_nobody_asks_for_is_forgotten_after_a_while():
    now = 0.0
    cache = FlightCache[str, int](size=9, seconds=None, idle=10.0, clock=lambda: now)
    cache.put("a", 1)
    now = 9.0
    assert cache.peek("a") == 1
    now = 18.0
    assert cache.peek("a") == 1
    now = 28.0
    assert cache.peek("a") is None
