"""The moment at which a request must have its answer, for all that works on it.

It goes along unseen, with the task: a gateway's port knows nothing of requests, and
whatever waits below it must not wait for longer than anybody wants its answer.
"""

import time
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

_deadline: ContextVar[float | None] = ContextVar("odooport_deadline", default=None)


@contextmanager
def until(at: float | None) -> Generator[None]:
    """Let what runs inside end by a moment; an earlier one that holds already stays.

    Args:
        at: The moment, in seconds of ``time.monotonic``; None changes nothing.
    """
    now = _deadline.get()
    earliest = at if now is None else now if at is None else min(at, now)
    token = _deadline.set(earliest)
    try:
        yield
    finally:
        _deadline.reset(token)


def left() -> float | None:
    """Answer how many seconds are left; negative if it is too late, None for ever."""
    at = _deadline.get()
    return None if at is None else at - time.monotonic()
