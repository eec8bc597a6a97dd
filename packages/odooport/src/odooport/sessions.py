"""The logins to Odoo: one for all calls with the same credentials, renewed in time.

Odoo shuts out a whole network address for 60 seconds after five bad logins, by whomever
(``res_users.py``, login cooldown), and everybody behind Odooport shares its address. So
a credential that was refused is not tried again by itself, and while several are
refused, those that never worked wait.
"""

from collections import deque
from collections.abc import Awaitable, Callable

from odooport.cache import FlightCache
from odooport.errors import AuthenticationFailed
from odooport.model import Credentials, Session
from odooport.ports import OdooGateway

SESSION_IDLE = 120.0
SESSION_LIFETIME = 300.0
"""Odoo goes on honouring an API key that was deleted for a user who is logged in; this
is the longest that we do (``res_users.py``, ``check``, is cached)."""

_MOST = 10_000
_COOLDOWN = 60.0
_MOST_FAILURES = 3
"""How many logins to one Odoo may fail within its cooldown before others wait: fewer
than the five that Odoo bears, since others may fail from our address as well."""


class Sessions:
    """The sessions of one process, each by its whole credentials.

    Args:
        gateway: The way to Odoo.
        clock: Answers the time in seconds; never goes back.
        idle: After how many seconds without a call a login is forgotten.
        lifetime: After how many seconds it is made anew in any case.
    """

    def __init__(
        self,
        gateway: OdooGateway,
        *,
        clock: Callable[[], float],
        idle: float = SESSION_IDLE,
        lifetime: float = SESSION_LIFETIME,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._open = FlightCache[Credentials, Session](
            size=_MOST, seconds=lifetime, idle=idle, clock=clock
        )
        self._refused = FlightCache[Credentials, str](
            size=_MOST, seconds=None, clock=clock
        )
        self._proven = FlightCache[Credentials, bool](
            size=_MOST, seconds=None, clock=clock
        )
        self._failures: dict[str, deque[float]] = {}

    async def get(self, credentials: Credentials) -> Session:
        """Answer the session of a login; log in if there is none.

        Raises:
            AuthenticationFailed: Odoo refuses the login, or has refused it before.
            GatewayError: The server cannot be reached.
        """
        if (session := self._open.peek(credentials)) is not None:
            return session
        if (refusal := self._refused.peek(credentials)) is not None:
            seconds = _COOLDOWN - (self._refused.age(credentials) or 0.0)
            when = f" in {seconds:.0f} seconds" if seconds > 0 else ""
            raise AuthenticationFailed(
                f"{refusal} This login is not tried again until its secret changes "
                "here: too many refused logins make Odoo lock out everybody who comes "
                f"through Odooport. If it is right by now, ask who you are{when}, with "
                "'fresh'."
            )
        return await self._open.get(credentials, lambda: self._log_in(credentials))

    def renew(self, credentials: Credentials) -> None:
        """Forget a login, so that the next call makes it anew.

        One that Odoo refused may be tried again as well, but not within a minute.
        """
        self._open.drop(credentials)
        age = self._refused.age(credentials)
        if age is not None and age >= _COOLDOWN:
            self._refused.drop(credentials)

    async def run[T](
        self,
        credentials: Credentials,
        execute: Callable[[Session], Awaitable[T]],
        *,
        again: bool,
    ) -> T:
        """Run something in the session of a login.

        Args:
            credentials: Which login.
            execute: What to run.
            again: Whether it may run once more in a new session if Odoo did not accept
                the one that was kept.

        Raises:
            AuthenticationFailed: Odoo refuses the login.
            OdooportError: Whatever ``execute`` raises.
        """
        session = await self.get(credentials)
        try:
            return await execute(session)
        except AuthenticationFailed:
            self._open.drop(credentials, session)
            if not again:
                raise
            return await execute(await self.get(credentials))

    async def _log_in(self, credentials: Credentials) -> Session:
        failures = self._recent(credentials.instance)
        proven = self._proven.peek(credentials)
        if len(failures) >= _MOST_FAILURES and not proven:
            seconds = failures[0] + _COOLDOWN - self._clock()
            raise AuthenticationFailed(
                "Odoo has just refused several logins, and after a few more it locks "
                "out everybody who comes through Odooport. So this login waits: try "
                f"again in {max(1.0, seconds):.0f} seconds."
            )
        try:
            session = await self._gateway.authenticate(credentials)
        except AuthenticationFailed as error:
            self._recent(credentials.instance).append(self._clock())
            self._refused.put(credentials, error.message)
            self._proven.drop(credentials)
            raise
        self._proven.put(credentials, True)
        return session

    def _recent(self, instance: str) -> deque[float]:
        """Answer when logins to an Odoo failed lately, the oldest first."""
        failures = self._failures.setdefault(instance, deque(maxlen=_MOST_FAILURES))
        while failures and self._clock() - failures[0] >= _COOLDOWN:
            failures.popleft()
        return failures
