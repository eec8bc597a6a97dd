"""A gateway that asks again where that is safe, within the time that is left.

Reads are asked again while Odoo is away. A write is sent once: whether a lost one was
done is for its caller to find out. The only exception is a write that Odoo itself
rolled back, because somebody else was changing the same records (facts of Odoo 18:
``odoo/service/model.py``, ``retrying``).
"""

import asyncio
import logging
import random as randomness
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from odooport.catalogue import BASE, CATALOGUE, MethodInfo
from odooport.deadlines import left
from odooport.errors import Conflict, GatewayUnavailable
from odooport.model import Call, Credentials, Operation, ServerVersion, Session
from odooport.ports import OdooGateway
from odooport.signatures import operation_of

_logger = logging.getLogger(__name__)

_ATTEMPTS = 3
_FIRST_WAIT = 0.1
_LONGEST_WAIT = 2.0

_READS = frozenset(
    {
        "search",
        "read",
        "search_read",
        "search_count",
        "read_group",
        "fields_get",
        "name_search",
        "default_get",
        "has_access",
    }
)
"""What is asked again while Odoo is away. Other reads by their operation may have been
overridden by an app more freely, and nobody waits for them in a loop."""

_OUTSIDE_WORDS = frozenset(
    {
        "certificate",
        "digest",
        "discuss",
        "edi",
        "fetchmail",
        "google",
        "iap",
        "invite",
        "mail",
        "mailing",
        "microsoft",
        "payment",
        "payments",
        "peppol",
        "send",
        "sms",
        "snailmail",
    }
)
"""Words in the names of models that reach outside of Odoo 18's standard apps:
``mail.mail``, ``account_edi_proxy_client.user``, ``l10n_hu_edi.cancellation``,
``account.move.send.wizard``, ``pos.payment``. They also meet a few that are harmless,
such as ``account.payment.term``: those are not repeated either."""

_OUTSIDE_MODELS = re.compile(r"calendar\..*|ir\.mail_server|res\.users")
"""Further models whose ``create`` or ``write`` may send mail at once: invitations of
``addons/calendar`` and ``addons/auth_signup``."""


class RetryGateway:
    """Repeats reads while Odoo is away, and what Odoo rolled back once.

    No wait and no attempt is begun that the request's deadline has no room for; then
    the last error is raised as it is. An answer of our own, such as that of an open
    breaker or a full queue, is not asked for again.

    Args:
        gateway: The gateway that is asked.
        attempts: How often a call is sent at the most.
        sleep: Waits for so many seconds.
        random: Answers a number from 0 up to 1, so that those who failed together do
            not come back together.

    Attributes:
        gateway: The gateway that is asked.
    """

    def __init__(
        self,
        gateway: OdooGateway,
        *,
        attempts: int = _ATTEMPTS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = randomness.random,
    ) -> None:
        self.gateway = gateway
        self._attempts = attempts
        self._sleep = sleep
        self._random = random

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself, asked once; see ``OdooGateway``."""
        return await self.gateway.version(instance)

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in, asked once; see ``OdooGateway``."""
        return await self.gateway.authenticate(credentials)

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method, and again where that is safe; see ``OdooGateway``."""
        attempt, conflicts = 1, 0
        while True:
            try:
                return await self.gateway.execute(session, call)
            except (GatewayUnavailable, Conflict) as error:
                conflicts += isinstance(error, Conflict)
                if (
                    attempt >= self._attempts
                    or conflicts > 1
                    or not _may_be_repeated(call, error)
                    or not await self._waited(attempt)
                ):
                    raise
            attempt += 1
            _logger.info(
                "asked Odoo again",
                extra={
                    "instance": call.instance,
                    "model": call.model,
                    "method": call.method,
                    "attempt": attempt,
                },
            )

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the server tells, asked once; see ``OdooGateway``."""
        return await self.gateway.methods(session, model)

    async def _waited(self, attempt: int) -> bool:
        """Wait before the next attempt; False if there is no time for it."""
        longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempt - 1))
        seconds = self._random() * longest
        if not _fits(seconds):
            return False
        await self._sleep(seconds)
        return _fits(0.0)


def _fits(seconds: float) -> bool:
    rest = left()
    return rest is None or seconds < rest


def _is_read(call: Call) -> bool:
    return call.method in _READS and operation_of(call) is Operation.READ


def _may_be_repeated(call: Call, error: GatewayUnavailable | Conflict) -> bool:
    if isinstance(error, GatewayUnavailable):
        return error.down and error.retry_after is None and _is_read(call)
    # The other conflicts are not about what Odoo did.
    return type(error) is Conflict and (_is_read(call) or _stays_inside(call))


def _stays_inside(call: Call) -> bool:
    """Whether nothing is left of a write when Odoo has rolled it back.

    What it did outside of the database is not rolled back: so what may do such things
    is not repeated, and nor is a method of which nobody knows what it does.
    """
    operation = operation_of(call)
    if operation is Operation.READ or _reaches_outside(call.model):
        return False
    if operation is not Operation.CALL:
        return True
    known = _known(call)
    return (
        known is not None
        and not known.outside
        and known.operation is not Operation.CALL
    )


def _reaches_outside(model: str) -> bool:
    words = re.split(r"[._]", model)
    return (
        not _OUTSIDE_WORDS.isdisjoint(words)
        or _OUTSIDE_MODELS.fullmatch(model) is not None
    )


def _known(call: Call) -> MethodInfo | None:
    """Answer what the catalogue says of a method: of the model, or of every model.

    Whether a model has a mixin is not known here, so what only a mixin has is unknown.
    """
    for declared in (call.model, BASE):
        for method in CATALOGUE.get(declared, ()):
            if method.name == call.method:
                return method
    return None


if TYPE_CHECKING:
    _: type[OdooGateway] = RetryGateway
