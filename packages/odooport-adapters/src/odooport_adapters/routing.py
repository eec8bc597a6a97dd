"""Gateways that send each call on to one of several others."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from odooport.cache import FlightCache
from odooport.catalogue import MethodInfo
from odooport.errors import AuthenticationFailed, GatewayProtocolError
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway
from odooport_adapters.http import OdooHttp
from odooport_adapters.json2 import Json2Gateway
from odooport_adapters.jsonrpc import JsonRpcGateway
from odooport_adapters.rpc import API_KEY, SessionLost
from odooport_adapters.web import WebGateway
from odooport_adapters.xmlrpc import XmlRpcGateway

_INSTANCES = 256
_SESSIONS = 4096


class AutoGateway:
    """Takes the first wire that the server offers, and stays with it.

    Each instance is asked for its version once, over one wire after the other. A
    server that cannot be reached decides nothing: the next call asks again.

    Whether a secret is an API key or a password is only known by trying. So where the
    server has a wire that takes keys alone, that one is tried first, which does not
    count towards Odoo's login cooldown; a login that it refuses is tried once on the
    best of the others, and its session then stays there.

    What does not look like an API key is a password, and may go over a wire that takes
    passwords alone. If the server does not have that one, or does not keep its
    sessions, the others take its place.

    Args:
        candidates: The gateways to choose from, the preferred one first.
        by_key: A gateway that takes API keys alone, to prefer to all of them.
        by_password: A gateway that takes passwords alone, to prefer to the candidates.
            It is closed with this one.
        clock: Answers the time in seconds; must never go back.
    """

    def __init__(
        self,
        candidates: Sequence[OdooGateway],
        *,
        by_key: OdooGateway | None = None,
        by_password: WebGateway | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._candidates = tuple(candidates)
        self._by_key = by_key
        self._by_password = by_password
        self._no_sessions: FlightCache[str, bool] = FlightCache(
            size=_INSTANCES, seconds=None, clock=clock
        )
        self._chosen: FlightCache[str, OdooGateway] = FlightCache(
            size=_INSTANCES, seconds=None, clock=clock
        )
        self._for_passwords: FlightCache[str, OdooGateway] = FlightCache(
            size=_INSTANCES, seconds=None, clock=clock
        )
        # a session that drops out is refused on its next call, and then logs in anew
        self._stays: FlightCache[Session, OdooGateway] = FlightCache(
            size=_SESSIONS, seconds=None, clock=clock
        )

    @classmethod
    def over(
        cls, http: OdooHttp, *, clock: Callable[[], float] = time.monotonic
    ) -> Self:
        """Answer one for all wires of a server, the fastest first.

        Args:
            http: The client of that server; close the gateway before it.
            clock: Answers the time in seconds; must never go back.
        """
        return cls(
            (JsonRpcGateway(http), XmlRpcGateway(http)),
            by_key=Json2Gateway(http, clock=clock),
            by_password=WebGateway(http, clock=clock),
            clock=clock,
        )

    async def aclose(self) -> None:
        """End the sessions at Odoo; see ``WebGateway``."""
        if self._by_password is not None:
            await self._by_password.aclose()

    async def choose(self, instance: str) -> OdooGateway:
        """Answer the gateway that an instance is reached by.

        Raises:
            GatewayProtocolError: The server speaks on none of them.
            GatewayError: The server cannot be reached.
        """
        every = self._candidates
        if self._by_key is not None:
            every = (self._by_key, *every)
        return await self._chosen.get(instance, lambda: _first(every, instance))

    async def gateway_of(self, session: Session) -> OdooGateway:
        """Answer the gateway that the calls of a session go over.

        Raises:
            GatewayError: As for ``choose``.
        """
        gateway = self._stays.peek(session)
        return await self.choose(session.instance) if gateway is None else gateway

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself; see ``OdooGateway``."""
        return await (await self.choose(instance)).version(instance)

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in; see ``OdooGateway``."""
        instance = credentials.instance
        chosen = await self.choose(instance)
        if chosen is not self._by_key:
            return await self._log_in(credentials, chosen)
        try:
            return await chosen.authenticate(credentials)
        except AuthenticationFailed as refused:
            try:
                other = await self._for_passwords.get(
                    instance, lambda: _first(self._candidates, instance)
                )
            except GatewayProtocolError:
                raise refused from None  # keys are all that this server takes
            return await self._log_in(credentials, other)

    async def _log_in(self, credentials: Credentials, other: OdooGateway) -> Session:
        """Log in by password if the server takes it so, else on another wire."""
        instance = credentials.instance
        if (
            self._by_password is not None
            and not API_KEY.fullmatch(credentials.secret)
            and self._no_sessions.peek(instance) is None
        ):
            try:
                session = await self._by_password.authenticate(credentials)
            except GatewayProtocolError:
                self._no_sessions.put(instance, True)
            else:
                self._stays.put(session, self._by_password)
                return session
        session = await other.authenticate(credentials)
        self._stays.put(session, other)
        return session

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method; see ``OdooGateway``."""
        try:
            return await (await self.gateway_of(session)).execute(session, call)
        except SessionLost:
            # It has not run, and what the other wires need is in the session.
            instance = session.instance
            other = await self._for_passwords.get(
                instance, lambda: _first(self._candidates, instance)
            )
            self._no_sessions.put(instance, True)
            self._stays.put(session, other)
            return await other.execute(session, call)

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the server tells of its methods; see ``OdooGateway``."""
        return await (await self.gateway_of(session)).methods(session, model)


async def _first(candidates: Sequence[OdooGateway], instance: str) -> OdooGateway:
    problem: GatewayProtocolError | None = None
    for candidate in candidates:
        try:
            await candidate.version(instance)
        except GatewayProtocolError as exc:
            problem = problem or exc
        else:
            return candidate
    raise GatewayProtocolError(
        "No Odoo answers at this address: check that it is the base address of an "
        "Odoo server, without a path such as /web."
    ) from problem


if TYPE_CHECKING:
    _: type[OdooGateway] = AutoGateway
