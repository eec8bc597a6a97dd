"""How much of it: budgets of calls, counted in this process."""

import math
from typing import TYPE_CHECKING

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from odooport.errors import InvalidRequest
from odooport.model import Quota
from odooport.ports import RateLimiter


class LimitsRateLimiter:
    """A ``RateLimiter`` over a sliding window: each key has its own budget.

    The window slides by weighing the one before, so it keeps two numbers for each key
    that was lately used, however large the budget is.

    Args:
        budget: How many calls in which time, such as ``600/minute``.

    Raises:
        InvalidRequest: The budget cannot be read.
    """

    def __init__(self, budget: str) -> None:
        try:
            self._item: RateLimitItem = parse(budget)
        except ValueError as error:
            raise InvalidRequest(
                f"{budget!r} is no budget; write one such as '600/minute'."
            ) from error
        self._storage = MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)

    async def take(self, key: str, cost: int = 1) -> Quota:
        """Take ``cost`` from the budget of ``key``; a refused call takes nothing."""
        allowed = await self._limiter.hit(self._item, key, cost=cost)
        limit, seconds = self._item.amount, self._item.get_expiry()
        before, leaves_in, now, gone_in = await self._storage.get_sliding_window(
            self._item.key_for(key), seconds
        )
        return Quota(
            allowed=allowed,
            limit=limit,
            remaining=max(0, limit - math.floor(before * leaves_in / seconds + now)),
            reset_after=gone_in if now else leaves_in,
            retry_after=(
                0.0
                if allowed
                else seconds_until_it_fits(
                    limit - cost,
                    seconds,
                    before=before,
                    now=now,
                    turns_in=gone_in - seconds,
                )
            ),
        )


def seconds_until_it_fits(
    most: int, seconds: int, *, before: int, now: int, turns_in: float
) -> float:
    """Answer when no more than ``most`` calls will count.

    Args:
        most: How many calls may count for the new one to fit.
        seconds: The length of a window.
        before: The calls of the window before; they fade until this one turns.
        now: The calls of this window; they fade after it has turned.
        turns_in: Seconds until this window becomes the one before.
    """
    if most < 0:
        return float(seconds)  # it never fits; the longest honest answer there is
    if now > most:
        wait = turns_in + seconds - (most + 1) * seconds / now
    elif before:
        wait = turns_in - (most + 1 - now) * seconds / before
    else:
        wait = 0.0
    return max(0.0, wait)


if TYPE_CHECKING:
    _: type[RateLimiter] = LimitsRateLimiter
