"""Timings of several ways to do a thing, one of each in turn, in one run.

A machine that slows down slows all of them, so their ratios hold.
"""

import statistics
import time
from collections.abc import Awaitable, Callable

type Ask = Callable[[], Awaitable[object]]


async def measure(
    asks: dict[str, Ask], rounds: int, *, warm_up: int, taken_by_answer: bool = False
) -> dict[str, float]:
    """Ask in turn, and answer the median of each in milliseconds.

    Args:
        asks: The ways, by name.
        rounds: How often each is measured.
        warm_up: How often each is asked before that.
        taken_by_answer: Each answers the seconds that count, for what must be tidied up
            after that.
    """
    taken: dict[str, list[float]] = {name: [] for name in asks}
    for turn in range(warm_up + rounds):
        for name, ask in asks.items():
            began = time.perf_counter()
            answer = await ask()
            took = time.perf_counter() - began
            if taken_by_answer and isinstance(answer, float):
                took = answer
            if turn >= warm_up:
                taken[name].append(took * 1000)
    return {name: statistics.median(times) for name, times in taken.items()}
