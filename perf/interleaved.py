"""Timings of several ways to do a thing, one of each in turn, in one run.

A machine that slows down slows all of them, so their ratios hold.
"""

import statistics
import time
from collections.abc import Awaitable, Callable

type Ask = Callable[[], Awaitable[object]]


async def measure(
    asks: dict[str, Ask], rounds: int, *, warm_up: int
) -> dict[str, float]:
    """Ask in turn, and answer the median of each in milliseconds.

    Args:
        asks: The ways, by name.
        rounds: How often each is measured.
        warm_up: How often each is asked before that.
    """
    taken: dict[str, list[float]] = {name: [] for name in asks}
    for turn in range(warm_up + rounds):
        for name, ask in asks.items():
            began = time.perf_counter()
            await ask()
            if turn >= warm_up:
                taken[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(times) for name, times in taken.items()}
