"""How much of it: budgets of calls, and places for calls under way, in this process."""

import math
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from limits import RateLimitItem, parse_many

from odooport.errors import InvalidRequest
from odooport.model import Caller, Quota
from odooport.ports import RateLimiter
from odooport_security.addresses import network_of
from odooport_security.windows import MOST_WINDOWS, BoundedStorage

BUCKETS = ("key", "role", "address")
"""Whose budgets there are."""

_PLACE_SECONDS = 1.0
_JUST_AFTER = 0.001
_PARSED = 1024


class Budget(NamedTuple):
    """One budget that a caller draws on.

    Attributes:
        bucket: Whose it is: one of ``BUCKETS``.
        name: Which key, role or address.
        item: How much it is in which time.
    """

    bucket: str
    name: str
    item: RateLimitItem


@dataclass(frozen=True, slots=True)
class RateLimits:
    """How much everybody may do.

    Attributes:
        key: The budget of each key, such as ``600/minute``; one that a key has of its
            own takes its place.
        address: The budget of each network address, for all keys together.
        concurrency: How many calls of one key may be under way; a number that the key
            has of its own, or else its role's, takes its place.
        roles: The budgets of roles. All keys of a role share its budget, beside their
            own.
        role_concurrency: How many calls of each key of a role may be under way.

    Raises:
        InvalidRequest: A budget cannot be read, or lets nothing through.
    """

    key: str = "600/minute"
    address: str = "6000/minute"
    concurrency: int = 16
    roles: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType(dict[str, str]())
    )
    role_concurrency: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType(dict[str, int]())
    )

    def __post_init__(self) -> None:
        for budget in (self.key, self.address, *self.roles.values()):
            parse_budget(budget)
        for places in (self.concurrency, *self.role_concurrency.values()):
            if places < 1:
                raise InvalidRequest(
                    f"{places} calls at once would let nothing through; allow at "
                    "least 1."
                )

    def budgets(self, caller: Caller) -> Sequence[Budget]:
        """Answer every budget that a caller draws on.

        Raises:
            InvalidRequest: The key's own budget cannot be read.
        """
        principal = caller.principal
        own = parse_budget(principal.rate_limit or self.key)
        budgets = [Budget("key", principal.subject, own)]
        if (shared := self.roles.get(principal.role)) is not None:
            budgets.append(Budget("role", principal.role, parse_budget(shared)))
        if caller.address is not None:
            place = network_of(caller.address)
            budgets.append(Budget("address", place, parse_budget(self.address)))
        return budgets

    def places(self, caller: Caller) -> int:
        """Answer how many calls of the caller's key may be under way."""
        if caller.principal.concurrency is not None:
            return caller.principal.concurrency
        return self.role_concurrency.get(caller.principal.role, self.concurrency)


class LimitsRateLimiter:
    """A ``RateLimiter`` that counts in this process, with the ``limits`` library.

    Each budget is a sliding window: two counters, the older of which fades. The storage
    is asked as the library's strategy does it, but a counter's name is made only once.
    All budgets of a call are taken in one step of the event loop, so calls at the same
    time never get more than a budget holds together. It belongs to one event loop.

    Args:
        limits: How much everybody may do.
        clock: Answers the time in seconds; must never go back.
        most: How many keys, roles and addresses have counters of their own, each.
    """

    def __init__(
        self,
        limits: RateLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST_WINDOWS,
    ) -> None:
        self._limits = limits
        # Apart, so that a crowd of addresses takes no counters from the keys.
        self._storages = {
            bucket: BoundedStorage(most=most, clock=clock) for bucket in BUCKETS
        }
        self._under_way: dict[str, int] = {}

    @property
    def tracked(self) -> int:
        """How many counters there are."""
        return sum(storage.tracked for storage in self._storages.values()) + len(
            self._under_way
        )

    async def take(self, caller: Caller, cost: int = 1) -> Quota:
        """Take ``cost`` from every budget that the caller draws on; 0 only asks.

        Raises:
            InvalidRequest: The key's own budget cannot be read, so nothing is let
                through.
        """
        cost = max(0, cost)
        drawn = [
            (budget, budget.item.key_for(budget.name))
            for budget in self._limits.budgets(caller)
        ]
        # Nothing in here waits, so no other call comes between the test and the hit.
        fits = True
        for (bucket, _, item), key in drawn:
            seconds = item.get_expiry()
            storage = self._storages[bucket]
            before, turns_in, now, _ = await storage.get_sliding_window(key, seconds)
            used = counted(seconds, before=before, now=now, turns_in=turns_in)
            fits &= used <= item.amount - min(cost, item.amount)
        if fits and cost:
            for (bucket, _, item), key in drawn:
                await self._storages[bucket].acquire_sliding_window_entry(
                    key, item.amount, item.get_expiry(), min(cost, item.amount)
                )
        quotas: list[Quota] = []
        for budget, key in drawn:
            seconds = budget.item.get_expiry()
            storage = self._storages[budget.bucket]
            before, turns_in, now, _ = await storage.get_sliding_window(key, seconds)
            quotas.append(
                quota_of(
                    budget,
                    0 if fits else cost,
                    before=before,
                    now=now,
                    turns_in=turns_in,
                )
            )
        return tightest(quotas)

    @asynccontextmanager
    async def slot(self, caller: Caller) -> AsyncGenerator[Quota]:
        """Hold one of the places of the caller's key, if there is one."""
        key, most = caller.principal.subject, self._limits.places(caller)
        held = self._under_way.get(key, 0)
        if held >= most:
            yield place(allowed=False, most=most, held=most)
            return
        self._under_way[key] = held + 1
        try:
            yield place(allowed=True, most=most, held=held + 1)
        finally:
            if left := self._under_way.pop(key) - 1:
                self._under_way[key] = left

    async def aclose(self) -> None:
        """There is nothing to close."""


@lru_cache(maxsize=_PARSED)
def parse_budget(raw: str) -> RateLimitItem:
    """Read a budget, such as ``600/minute``.

    Raises:
        InvalidRequest: It cannot be read, lets nothing through, or is more than one.
    """
    try:
        items = parse_many(raw)
    except ValueError:
        items = []
    if len(items) != 1 or items[0].amount < 1:
        raise InvalidRequest(f"{raw!r} is no budget; write one such as '600/minute'.")
    return items[0]


def counted(seconds: int, *, before: int, now: int, turns_in: float) -> int:
    """Answer how much of a sliding window counts; see ``quota_of``."""
    return math.floor(before * turns_in / seconds + now)


def quota_of(
    budget: Budget, cost: int, *, before: int, now: int, turns_in: float
) -> Quota:
    """Answer what is left of a budget, and whether a cost fits into it.

    Args:
        budget: The budget.
        cost: What shall fit; one above the whole budget counts as the whole of it.
        before: What was counted in the window before.
        now: What was counted in this window.
        turns_in: Seconds until this window becomes the one before.
    """
    limit, seconds = budget.item.amount, budget.item.get_expiry()
    used = counted(seconds, before=before, now=now, turns_in=turns_in)
    most = limit - min(cost, limit)
    whole_in = turns_in + seconds if now else turns_in if before else 0.0
    wait = 0.0
    if used > most:
        wait = seconds_until_it_fits(
            most, seconds, before=before, now=now, turns_in=turns_in
        )
    return Quota(
        allowed=used <= most,
        limit=limit,
        remaining=max(0, limit - used),
        reset_after=whole_in,
        retry_after=wait,
        bucket=budget.bucket,
        window=float(seconds),
    )


def tightest(quotas: Sequence[Quota]) -> Quota:
    """Answer the quota that stands for all.

    That is the refusal that lasts longest, or else the budget with the least left.
    """
    refused = [quota for quota in quotas if not quota.allowed]
    if refused:
        return max(refused, key=lambda quota: quota.retry_after)
    return min(quotas, key=lambda quota: quota.remaining)


def place(*, allowed: bool, most: int, held: int) -> Quota:
    """Answer what is left of the places for calls under way.

    Nobody knows when a call ends, so whoever got none is asked to wait for a second.
    """
    return Quota(
        allowed=allowed,
        limit=most,
        remaining=max(0, most - held),
        reset_after=0.0,
        retry_after=0.0 if allowed else _PLACE_SECONDS,
        bucket="concurrency",
    )


def seconds_until_it_fits(
    most: int, seconds: int, *, before: int, now: int, turns_in: float
) -> float:
    """Answer when no more than ``most`` of a sliding window will count.

    A whole part of what counts is compared, so less than ``most + 1`` must be left.

    Args:
        most: How much may count.
        seconds: The length of a window.
        before: What was counted in the window before; it fades until this one turns.
        now: What was counted in this window; it fades after that.
        turns_in: Seconds until this window becomes the one before.
    """
    if now > most:
        wait = turns_in + seconds - (most + 1) * seconds / now
    elif before:
        wait = turns_in - (most + 1 - now) * seconds / before
    else:
        wait = -_JUST_AFTER
    return max(0.0, wait + _JUST_AFTER)


if TYPE_CHECKING:
    _: type[RateLimiter] = LimitsRateLimiter
