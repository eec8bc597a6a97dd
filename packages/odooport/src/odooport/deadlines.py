"""The moment at which a request must have its answer, for all that works on it.

It goes along unseen, with the task: a gateway's port knows nothing of requests, and
whatever waits below it must not wait for longer than anybody wants its answer.
"""

import time
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType

_deadline: ContextVar[float | None] = ContextVar("odooport_deadline", default=None)


class _Until:
    """See ``until``. No generator: each call passes several, and this costs less."""

    __slots__ = ("_at", "_token")

    def __init__(self, at: float | None) -> None:
        self._at = at
        self._token: Token[float | None] | None = None

    def __enter__(self) -> None:
        now = _deadline.get()
        if self._at is not None and (now is None or self._at < now):
            self._token = _deadline.set(self._at)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _deadline.reset(self._token)


def until(at: float | None) -> AbstractContextManager[None]:
    """Let what runs inside end by a moment; an earlier one that holds already stays.

    Args:
        at: The moment, in seconds of ``time.monotonic``; None changes nothing.
    """
    return _Until(at)


def left() -> float | None:
    """Answer how many seconds are left; negative if it is too late, None for ever."""
    at = _deadline.get()
    return None if at is None else at - time.monotonic()
