"""Odoo over JSON-2: ``/json/2/<model>/<method>`` of Odoo 19 and later.

The way in that stays: Odoo 19 calls the two older wires deprecated and means to remove
them in Odoo 20. An API key in the header is the whole login; passwords do not count. A
method's arguments go by their names, with ``ids`` for the records and ``context``.
Sources: ``addons/rpc/controllers/json2.py``, ``odoo/http.py`` (``Json2Dispatcher``),
``addons/base/models/ir_http.py`` (bearer) and ``addons/api_doc`` of Odoo 19.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, TypeGuard

import msgspec

from odooport.catalogue import MethodInfo
from odooport.errors import (
    AuthenticationFailed,
    GatewayError,
    GatewayProtocolError,
    GatewayUnavailable,
    InvalidRequest,
    OdooportError,
)
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway
from odooport.signatures import signature_of
from odooport_adapters.documentation import ACCEPT, Documentation, bearer
from odooport_adapters.faults import Asker, from_json2
from odooport_adapters.http import HttpAnswer, OdooHttp, refused, unreadable
from odooport_adapters.rpc import (
    WireRules,
    execute_arguments,
    read_login,
    read_version,
    writes,
)
from odooport_adapters.versions import JSON2_SINCE, parameters, translated

_RULES = WireRules(
    "JSON-2",
    largest=2**53 - 1,  # what every JSON reader keeps exactly
    # PostgreSQL stores no NUL, and half a surrogate pair crashes Odoo (HTTP 500)
    forbidden=re.compile("[\x00\ud800-\udfff]"),
)
_OK, _NOT_FOUND = 200, 404

_MODEL = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*", re.ASCII | re.IGNORECASE)
_METHOD = re.compile(r"\w+", re.ASCII)
_HEADER = re.compile(r"[\x21-\x7e]+")
"""What a header carries without a doubt; every API key of Odoo is of letters."""

_KEPT_NAMES = frozenset({"ids", "context"})
"""The names that the wire itself uses, which no argument of a method can have."""


@dataclass(frozen=True, slots=True)
class _Described:
    """A method as the server's documentation describes it.

    Attributes:
        on_model: Whether it is called without records.
        names: The parameters that may be given by position, in order.
    """

    on_model: bool
    names: tuple[str, ...]


class Json2Gateway:
    """An Odoo server over JSON-2.

    A session's user is whom its key belongs to; the key alone goes over the wire.

    Args:
        http: The client of that server.
        clock: Answers the time in seconds; must never go back.
    """

    def __init__(
        self, http: OdooHttp, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._http = http
        self._documentation = Documentation(http, clock=clock)

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself; see ``OdooGateway``.

        Raises:
            GatewayProtocolError: The server is no Odoo, or one without JSON-2.
        """
        del instance  # a client reaches one server only
        answer = await self._http.exchange("/json/version", accept=ACCEPT, writes=False)
        if answer.is_data and answer.status == _OK:
            match _decoded(answer, writes=False):
                case {"version": text, "version_info": info}:
                    version = read_version(
                        {"server_version": text, "server_version_info": info}
                    )
                    if version.series >= JSON2_SINCE:
                        return version
                case _:
                    pass
        elif isinstance(error := refused(answer, writes=False), GatewayUnavailable):
            raise error  # whatever it is, it is down
        # an Odoo 18 redirects to its login page
        raise GatewayProtocolError(
            "That server has no JSON-2, which Odoo 19 brought: use JSON-RPC."
        )

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in; see ``OdooGateway``.

        Odoo is asked whose key it is, and then for that user's login. Refused keys do
        not count towards Odoo's login cooldown.
        """
        nobody = Session(
            credentials.database, 0, credentials.secret, credentials.instance
        )
        match await self.execute(nobody, Call("res.users", "context_get")):
            case {"uid": uid}:
                session = read_login(uid, credentials)
            case _:
                raise GatewayProtocolError("Odoo did not tell whose key this is.")
        own = Call("res.users", "read", ([session.uid], ["login"]))
        match await self.execute(session, own):
            case [{"login": login}] if login == credentials.login:
                return session
            case _:
                raise AuthenticationFailed(
                    f"This API key is not one of the Odoo user {credentials.login!r}: "
                    "check that login and key belong together."
                )

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method; see ``OdooGateway``.

        Raises:
            InvalidRequest: Also if the arguments of an unknown method have no names,
                and the server does not tell them to this user.
        """
        may_write = writes(call)
        return await translated(call).run(
            lambda one: self._run(session, one, may_write=may_write)
        )

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the server tells of its methods; see ``OdooGateway``."""
        _headers(session)  # refuses what no header can carry
        return await self._documentation.methods(session, model)

    async def _run(self, session: Session, call: Call, *, may_write: bool) -> Any:
        _, _, _, model, method, args, kwargs = execute_arguments(session, call, _RULES)
        if not _MODEL.fullmatch(model) or not _METHOD.fullmatch(method):
            raise InvalidRequest(f"There is no method {method!r} on {model!r}.")
        named = {**await self._named(session, call, args), **kwargs}
        answer = await self._ask(
            session, f"/json/2/{model}/{method}", named, may_write=may_write
        )
        if method == "create":
            return _made(named.get("vals_list"), answer)
        return answer

    async def _named(
        self, session: Session, call: Call, args: list[Any]
    ) -> dict[str, Any]:
        """Answer positional arguments by their names.

        Raises:
            InvalidRequest: The names are not known, or cannot be sent.
        """
        clash = _KEPT_NAMES.intersection(call.kwargs)
        if clash:
            raise InvalidRequest(
                f"JSON-2 keeps the name {min(clash)!r} for itself: give ids as the "
                "first argument, without a name, and the context as the call's own."
            )
        if (signature := signature_of(call)) is not None:
            names = parameters(call.method)
            described = _Described(not signature.on_records, names)
        elif not args or (len(args) == 1 and _are_ids(args[0])):
            # not known, but clear: the server refuses ids where they do not belong
            described = _Described(on_model=not args, names=())
        else:
            described = await self._description(session, call)
        ids = {} if described.on_model else {"ids": _as_ids(args[0])}
        values = args[len(ids) :]
        if len(values) > len(described.names):
            raise InvalidRequest(
                f"{call.method!r} takes {len(described.names)} arguments without a "
                f"name ({', '.join(described.names) or 'none'}), got {len(values)}."
            )
        by_name = dict(zip(described.names, values, strict=False))
        twice = by_name.keys() & call.kwargs.keys()
        if twice:
            raise InvalidRequest(f"{call.method!r} got {min(twice)!r} twice.")
        if _KEPT_NAMES & by_name.keys():
            raise InvalidRequest(
                f"JSON-2 cannot carry an argument of {call.method!r}, whose name it "
                "keeps for itself: use JSON-RPC for this method."
            )
        return {**ids, **by_name}

    async def _description(self, session: Session, call: Call) -> _Described:
        """Answer how the server describes a method that is not known here."""
        unnamed = InvalidRequest(
            f"JSON-2 takes the arguments of {call.method!r} by their names only: give "
            "all of them but the ids as keyword arguments."
        )
        try:
            methods = await self.methods(session, call.model) or ()
        except AuthenticationFailed:
            raise
        except OdooportError as exc:
            raise unnamed from exc
        for method in methods:  # none: no right to see them, or no such app installed
            if method.name == call.method:
                described = _described(method)
                if described.on_model or _are_ids(call.args[0]):
                    return described
        raise unnamed

    async def _ask(
        self,
        session: Session,
        path: str,
        named: Mapping[str, Any],
        *,
        may_write: bool,
    ) -> Any:
        answer = await self._http.exchange(
            path,
            encode(named),
            headers=_headers(session),
            accept=ACCEPT,
            writes=may_write,
        )
        if answer.is_data:
            value = _decoded(answer, writes=may_write)
            if answer.status == _OK:
                return value
            match value:
                case {"name": str(), "message": str()}:
                    asker = Asker(session.database, session.uid, may_write)
                    raise from_json2(value, asker)
                case _:
                    pass
        elif answer.status == _NOT_FOUND:
            # without a database Odoo has no such page, and without JSON-2 neither
            with suppress(GatewayError):
                await self.version(session.instance)
                raise _no_database(session.database)
        raise refused(answer, writes=may_write)


def encode(named: Mapping[str, Any]) -> bytes:
    """Write a request."""
    return msgspec.json.encode(named)


def _headers(session: Session) -> dict[str, str]:
    if not _HEADER.fullmatch(session.secret):
        raise AuthenticationFailed(
            "JSON-2 takes an Odoo API key only, and this is a password: make a key "
            "(in Odoo: My Profile, Account Security) or use JSON-RPC."
        )
    if not _HEADER.fullmatch(session.database):
        raise _no_database(session.database)
    return bearer(session)


def _decoded(answer: HttpAnswer, *, writes: bool) -> Any:
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise unreadable("Odoo's answer is no readable JSON.", writes=writes) from exc


def _no_database(database: str) -> AuthenticationFailed:
    return AuthenticationFailed(
        f"Odoo's server has no database {database!r} that it can open; check the name."
    )


def _described(method: MethodInfo) -> _Described:
    """Answer how a method takes its arguments where they come by position."""
    usual = takewhile(lambda one: one.kind == "usual", method.parameters)
    return _Described(not method.on_records, tuple(one.name for one in usual))


def _made(values: Any, ids: Any) -> Any:
    """Answer what ``create`` answers on the other wires: one id for one record."""
    match ids:
        case [made] if isinstance(values, Mapping):
            return made
        case _:
            return ids


def _as_ids(raw: Any) -> list[Any]:
    return [raw] if type(raw) is int else list(_each(raw))


def _are_ids(raw: Any) -> TypeGuard[int | Sequence[int]]:
    if isinstance(raw, list | tuple):
        return all(type(item) is int for item in _each(raw))
    return type(raw) is int


def _each(raw: Any) -> Sequence[Any]:
    """Answer a list as what it is, a list of anything."""
    items: Sequence[Any] = raw
    return items


if TYPE_CHECKING:
    _: type[OdooGateway] = Json2Gateway
