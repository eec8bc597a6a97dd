"""Odoo over the routes of its own web client: a login, then calls in its session.

``/web/session/authenticate`` checks the password once, and ``/web/dataset/call_kw``
runs the same methods with the same rights as the external services do. A call there
costs Odoo about half, because those open a second transaction, and check the login, at
each call (``odoo/service/model.py``, ``dispatch``; ``odoo/http.py``, ``_serve_db``).

Only a password opens a session: an API key does not, and with two-factor login nothing
does that a program could give (``addons/base/models/res_users.py``,
``_check_credentials``; ``addons/web/controllers/session.py``).

Whether a session still holds is looked at before anything else is done
(``ir_http.py``, ``_authenticate``). So a call that Odoo refused for that has not run,
and is sent again in a new session, even if it writes.
"""

import asyncio
import itertools
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from odooport.cache import FlightCache
from odooport.catalogue import MethodInfo
from odooport.errors import (
    GatewayError,
    GatewayProtocolError,
    OdooRefused,
)
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway
from odooport_adapters.faults import Asker, from_jsonrpc, no_database
from odooport_adapters.http import HttpAnswer, OdooHttp
from odooport_adapters.messages import ACCEPT, CONTENT_TYPE, RULES, encode, read
from odooport_adapters.rpc import (
    SessionLost,
    authenticate_arguments,
    execute_arguments,
    read_login,
    read_version,
    writes,
)
from odooport_adapters.versions import answered

_SESSIONS = 4096
_LEAVING_SECONDS = 0.5
"""How long all logouts together may take when the gateway closes."""

_SID = re.compile(r"session_id=(?P<sid>[\w.~-]+)", re.ASCII)
_NOT_FOUND = 404
_EXPIRED = "odoo.http.SessionExpiredException"
_IN_A_CALL = re.compile(r"^  File .*, in call_kw$", re.MULTILINE)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Login:
    """A session at Odoo.

    Attributes:
        credentials: What it was opened with.
        session: Whose calls run in it.
        cookie: What each of them sends; as good as the password while it holds.
    """

    credentials: Credentials
    session: Session
    cookie: str = field(repr=False)


class _ExpiredError(Exception):
    """Odoo does not know a session any more; nothing was done in it."""


class WebGateway:
    """An Odoo server over the routes of its web client, for logins with a password.

    Args:
        http: The client of that server.
        clock: Answers the time in seconds; must never go back.
    """

    def __init__(
        self, http: OdooHttp, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._numbers = itertools.count(1)
        self._logins: FlightCache[Credentials, _Login] = FlightCache(
            size=_SESSIONS, seconds=None, clock=clock
        )
        self._open: FlightCache[Session, _Login] = FlightCache(
            size=_SESSIONS, seconds=None, clock=clock
        )

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself; see ``OdooGateway``."""
        del instance  # a client reaches one server only
        said, error, _ = await self._post("/web/webclient/version_info", {}, Asker())
        if error is not None:
            raise _failed(error, Asker())
        return read_version(said)

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in, or see that the session that is open still holds.

        Odoo ends a session when the password changes or the user is archived
        (``res_users.py``, ``_get_session_token_fields``).
        """
        login = self._logins.peek(credentials)
        if login is not None and not await self._holds(login):
            self._logins.drop(credentials, login)
        return (await self._log_in(credentials)).session

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method; see ``OdooGateway``.

        Raises:
            SessionLost: There is no session for it, or none that Odoo keeps. Nothing
                was done.
        """
        *_, model, method, args, kwargs = execute_arguments(session, call, RULES)
        params = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        asker = Asker(session.database, session.uid, writes(call))
        login = self._open.peek(session)
        if login is None:
            raise SessionLost("This login has no session at Odoo; log in again.")
        try:
            return answered(call, await self._call(login, params, asker))
        except _ExpiredError:
            self._logins.drop(login.credentials, login)
        login = await self._log_in(login.credentials)
        try:
            return answered(call, await self._call(login, params, asker))
        except _ExpiredError:
            raise SessionLost(
                "Odoo has forgotten the session that it has just opened: all its "
                "servers must share their sessions. Nothing was done."
            ) from None

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer None: Odoo tells of its methods to API keys only."""
        del session, model
        return None

    async def aclose(self) -> None:
        """End the sessions at Odoo; those that cannot be ended expire there."""
        logins = self._open.values()
        ways = [
            self._post("/web/session/destroy", {}, Asker(), login) for login in logins
        ]
        try:
            async with asyncio.timeout(_LEAVING_SECONDS):
                await asyncio.gather(*ways)
        except (GatewayError, _ExpiredError, TimeoutError):
            _logger.info("sessions left at Odoo", extra={"sessions": len(logins)})

    async def _log_in(self, credentials: Credentials) -> _Login:
        """Answer the login that is open, or open one; one flight for all who ask."""
        return await self._logins.get(credentials, lambda: self._opened(credentials))

    async def _opened(self, credentials: Credentials) -> _Login:
        database, login, secret, _ = authenticate_arguments(credentials, RULES)
        params = {"db": database, "login": login, "password": secret}
        said, error, answer = await self._post(
            "/web/session/authenticate", params, Asker(database)
        )
        if error is not None:
            match _data(error):
                case {"name": "odoo.exceptions.AccessDenied"}:
                    said = {"uid": False}
                case {"message": "Database not found."}:
                    raise no_database(database)
                case _:
                    raise _failed(error, Asker(database))
        match said:
            case {"uid": None}:  # the second factor is still to be given
                uid: Any = False
            case {"uid": uid}:
                pass
            case _:
                uid = None
        session = read_login(uid, credentials)
        for cookie in answer.cookies:
            if found := _SID.match(cookie):
                opened = _Login(credentials, session, found[0])
                self._open.put(session, opened)
                return opened
        raise GatewayProtocolError("Odoo's answer to a login opens no session.")

    async def _holds(self, login: _Login) -> bool:
        try:
            _, error, _ = await self._post("/web/session/check", {}, Asker(), login)
        except _ExpiredError:
            return False
        return error is None

    async def _call(
        self, login: _Login, params: Mapping[str, Any], asker: Asker
    ) -> Any:
        result, error, _ = await self._post(
            "/web/dataset/call_kw", params, asker, login
        )
        if error is None:
            return result
        if error.get("code") == _NOT_FOUND:
            # the login has come through, so it is not the route that is missing
            raise OdooRefused(f"Object {params['model']} doesn't exist")
        raise from_jsonrpc(error, asker)

    async def _post(
        self,
        path: str,
        params: Mapping[str, Any],
        asker: Asker,
        login: _Login | None = None,
    ) -> tuple[Any, Mapping[str, Any] | None, HttpAnswer]:
        """Answer a route's result, or its error, and the whole answer.

        Raises:
            _ExpiredError: The session does not hold any more.
            GatewayError: There is no answer.
        """
        number = next(self._numbers)
        answer = await self._http.post(
            path,
            encode(number, params),
            CONTENT_TYPE,
            accept=ACCEPT,
            writes=asker.writes,
            cookies=login.cookie if login is not None else "",
        )
        result, error = read(answer.body, number, writes=asker.writes)
        if error is not None:
            data = _data(error)
            debug = str(data.get("debug", ""))
            if data.get("name") == _EXPIRED and not _IN_A_CALL.search(debug):
                raise _ExpiredError
        return result, error, answer


def _data(error: Mapping[str, Any]) -> Mapping[str, Any]:
    data = error.get("data")
    return cast("Mapping[str, Any]", data) if isinstance(data, dict) else {}


def _failed(error: Mapping[str, Any], asker: Asker) -> Exception:
    """Make the error of a route that is no call."""
    if error.get("code") == _NOT_FOUND:
        return GatewayProtocolError(
            "That server does not answer its web client's routes; use JSON-RPC."
        )
    return from_jsonrpc(error, asker)


if TYPE_CHECKING:
    _: type[OdooGateway] = WebGateway
