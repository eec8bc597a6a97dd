r"""A server that speaks Odoo 18's wire over any gateway.

It answers ``/xmlrpc/2/{common,object,db}``, ``/xmlrpc/{common,object,db}`` and
``/jsonrpc`` as Odoo does, faults included, so that any client of Odoo can talk to an
Odoo in memory. Sources: ``odoo/service``, ``addons/base/controllers/rpc.py`` and
``odoo/http.py`` of Odoo 18. If it shall play an Odoo 19, it answers ``/json/version``
and ``/json/2/<model>/<method>`` as well (``addons/rpc/controllers`` there), and tells
administrators of its methods at ``/doc-bearer/<model>.json``.

Of the web client's own routes it has those that clients of Odoo call: log in and out,
run a method, list the database, tell the version (``addons/web/controllers``).

What it does not do: of a context only language, time zone, companies and
``active_test`` reach the gateway; and faults of ``/xmlrpc/`` have the numbers of
``/xmlrpc/2/``, where a real one puts texts.
"""

import base64
import json
import re
import secrets
import xmlrpc.client
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from traceback import extract_tb
from typing import Any, cast
from xml.parsers import expat

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from odooport.catalogue import BASE, Kind, MethodInfo
from odooport.errors import (
    AnswerLost,
    AuthenticationFailed,
    Conflict,
    GatewayError,
    GatewayProtocolError,
    GatewayUnavailable,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    OdooRefused,
    OutcomeUnknown,
    RecordMissing,
)
from odooport.model import DEFAULT_INSTANCE, Call, Context, Credentials, Session
from odooport.ports import OdooGateway
from odooport.signatures import signature_of
from odooport_adapters.nineteen import NineteenGateway

_CRASHED, _REFUSED, _DENIED, _NO_ACCESS = 1, 2, 3, 4
"""The codes of XML-RPC faults (``addons/base/controllers/rpc.py``)."""

_ODOO = "odoo.exceptions."
_CODES: Mapping[str, int] = {
    "AccessDenied": _DENIED,
    "AccessError": _NO_ACCESS,
    "MissingError": _REFUSED,
    "RedirectWarning": _REFUSED,
    "UserError": _REFUSED,
    "ValidationError": _REFUSED,
}
_XML, _JSON = "text/xml; charset=utf-8", "application/json; charset=utf-8"
_JSON_ERROR = 200
_BAD_GATEWAY = 502
_SEE_OTHER = 303

_EXPIRED, _NOT_FOUND = (
    "odoo.http.SessionExpiredException",
    "werkzeug.exceptions.NotFound",
)
_BEFORE: Mapping[str, tuple[int, str]] = {
    _EXPIRED: (100, "Odoo Session Expired"),
    _NOT_FOUND: (404, "404: Not Found"),
}
"""Errors before a route's own code, with their numbers (``http.py``, 2379)."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
"""What Odoo removes from the text of its XML answers (``dump_unicode``)."""

_FRAME = '  File "/usr/lib/python3/dist-packages/odoo/{}", line {}, in {}\n'
_RPC = "addons/base/controllers/rpc.py"
_TRACEBACK = "Traceback (most recent call last):\n"
_DISPATCHING = (
    _FRAME.format(_RPC, 165, "xmlrpc_2")
    + _FRAME.format(_RPC, 139, "_xmlrpc")
    + _FRAME.format("http.py", 412, "dispatch_rpc")
)
_LOOKING = _FRAME.format("service/model.py", 38, "get_public_method")
_ENCODING = (
    _FRAME.format(_RPC, 165, "xmlrpc_2")
    + _FRAME.format(_RPC, 140, "_xmlrpc")
    + _FRAME.format(_RPC, 114, "dumps")
)
_EXCEPTION = re.compile(r"^(?P<name>[A-Za-z_][\w.]*)(?:: (?P<text>.*))?\Z", re.DOTALL)


class _Fault(Exception):
    """What Odoo answers in place of a result.

    Attributes:
        code: The code of the XML-RPC fault.
        name: The exception's class, with its module unless it is one of Python's.
        text: What the exception says.
        debug: The traceback; made up if none is given.
    """

    def __init__(self, code: int, name: str, text: str, debug: str = "") -> None:
        super().__init__(text)
        self.code = code
        self.name = name
        self.text = text
        self.debug = debug or f"{_TRACEBACK}{_DISPATCHING}{name}: {text}\n"


class _Away(Exception):
    """The gateway has no answer at all."""


@dataclass(frozen=True, slots=True)
class _Services:
    """Odoo's three services over a gateway."""

    gateway: OdooGateway
    database: str
    instance: str

    async def dispatch(self, service: str, method: str, args: Sequence[Any]) -> Any:
        """Run one method of one service.

        Raises:
            _Fault: What Odoo would answer.
            _Away: Whoever is behind the gateway does not answer.
        """
        services: Mapping[str, Callable[[str, Sequence[Any]], Awaitable[Any]]] = {
            "common": self._common,
            "object": self._object,
            "db": self._db,
        }
        if service not in services:
            raise _crash("KeyError", service, shown=repr(service))
        try:
            return await services[service](method, args)
        except OdooportError as error:
            raise _translated(error) from error

    async def _common(self, method: str, args: Sequence[Any]) -> Any:
        if method == "about":
            return "See http://openerp.com"
        if method == "version":
            version = await self.gateway.version(self.instance)
            major, minor = version.series
            return {
                "server_version": version.text,
                "server_version_info": [major, minor, 0, "final", 0, ""],
                "server_serie": f"{major}.{minor}",
                "protocol_version": 1,
            }
        wanted = {"authenticate": 4, "login": 3}.get(method)
        if wanted is None:
            raise _crash("Exception", f"Method not found: {method}")
        if len(args) != wanted:
            raise _crash("TypeError", f"exp_{method}() got {len(args)} arguments")
        database, login, secret = (str(value) for value in args[:3])
        self._check_database(database)
        try:
            session = await self.gateway.authenticate(
                Credentials(database, login, secret, self.instance)
            )
        except AuthenticationFailed:
            return False
        return session.uid

    async def _db(self, method: str, _args: Sequence[Any]) -> Any:
        if method == "list":
            return [self.database]
        if method == "server_version":
            return (await self.gateway.version(self.instance)).text
        if method == "db_exist":
            return list(_args) == [self.database]
        raise _fault("AccessDenied", "Access Denied")

    async def _object(self, method: str, args: Sequence[Any]) -> Any:
        if len(args) < 3:
            raise _crash("IndexError", "tuple index out of range")
        database, uid, secret = args[:3]
        if type(uid) is not int:
            text = f"invalid literal for int() with base 10: {uid!r}"
            raise _crash("ValueError", text)
        self._check_database(str(database))
        session = Session(str(database), uid, str(secret), self.instance)
        if method == "execute_kw":
            rest = [*args[3:], None, None, None, None]
            model, name, positional, keywords = rest[:4]
        elif method == "execute":
            model, name, *positional = [*args[3:], None, None][: max(2, len(args) - 3)]
            keywords = None
        else:
            raise _crash("NameError", f"Method not available {method}")
        return await self.gateway.execute(
            session, _call(model, name, positional, keywords, self.instance)
        )

    def _check_database(self, database: str) -> None:
        if database != self.database:
            raise _Fault(
                _CRASHED,
                "psycopg2.OperationalError",
                'connection to server at "127.0.0.1", port 5432 failed: FATAL:  '
                f'database "{database}" does not exist\n',
            )


def _call(model: Any, method: Any, args: Any, keywords: Any, instance: str) -> Call:
    if not isinstance(model, str) or not isinstance(method, str):
        raise _crash("TypeError", "execute_kw() takes a model's and a method's name")
    if not isinstance(args or [], list | tuple):
        raise _crash("TypeError", "execute_kw() takes a list of arguments")
    if not isinstance(keywords or {}, dict):
        raise _crash("TypeError", "execute_kw() takes a mapping of keyword arguments")
    named = dict(cast("Mapping[str, Any]", keywords or {}))
    context = named.pop("context", None)
    return Call(
        model,
        method,
        tuple(cast("Sequence[Any]", args or ())),
        named,
        _context(cast("Mapping[str, Any]", context or {})),
        instance,
    )


def _context(raw: Mapping[str, Any]) -> Context:
    return Context(
        lang=raw.get("lang") or None,
        tz=raw.get("tz") or None,
        companies=tuple(raw.get("allowed_company_ids") or ()),
        active_test=raw.get("active_test"),
    )


# Faults


def _fault(name: str, text: str) -> _Fault:
    return _Fault(_CODES.get(name, _REFUSED), _ODOO + name, text)


def _crash(name: str, text: str, *, shown: str | None = None) -> _Fault:
    debug = f"{_TRACEBACK}{_DISPATCHING}{name}: {shown or text}\n"
    return _Fault(_CRASHED, name, text, debug)


def _translated(error: OdooportError) -> _Fault:
    """Answer what Odoo says where the gateway raises one of our errors.

    A gateway may add a note such as ``odoo.exceptions.ValidationError: text`` that
    names the exception more closely than our error does.
    """
    for note in getattr(error, "__notes__", ()):
        match = _EXCEPTION.match(note)
        if match is not None and match["name"].startswith(_ODOO):
            return _fault(match["name"].removeprefix(_ODOO), match["text"] or "")
        if match is not None and match["name"] == "AttributeError":
            # Odoo looks for the method before it runs it
            debug = f"{_TRACEBACK}{_DISPATCHING}{_LOOKING}{note}\n"
            return _Fault(_CRASHED, "AttributeError", match["text"] or "", debug)
    match error:
        case AuthenticationFailed():
            return _fault("AccessDenied", "Access Denied")
        case OdooAccessError():
            return _fault("AccessError", error.message)
        case RecordMissing():
            return _fault("MissingError", error.message)
        case OdooRefused():
            return _fault("UserError", error.message)
        case Conflict():
            return _crash("psycopg2.errors.SerializationFailure", error.message)
        case OdooFailed():
            return _crashed(error)
        case AnswerLost():
            return _lost("TypeError: cannot marshal this")
        case GatewayUnavailable() | OutcomeUnknown() | GatewayProtocolError():
            raise _Away from error
        case GatewayError():
            raise _Away from error
        case _:
            return _crash("ValueError", error.message)


def _crashed(error: OdooFailed) -> _Fault:
    """Answer a crash, named by the last lines of its traceback."""
    lines = error.debug.splitlines()
    last_frame = max(
        (number for number, line in enumerate(lines) if line.startswith("  File ")),
        default=-1,
    )
    for number in range(last_frame + 1, len(lines)):
        match = _EXCEPTION.match("\n".join(lines[number:]))
        if match is not None:
            frames = "\n".join(lines[1:number])
            body = f"{frames}\n{match.group()}\n" if frames else f"{match.group()}\n"
            debug = _TRACEBACK + _DISPATCHING + body
            return _Fault(_CRASHED, match["name"], match["text"] or "", debug)
    return _crash("Exception", error.message)


def _lost(line: str, frames: str = "") -> _Fault:
    """Answer that the call ran, but that its answer could not be encoded."""
    name, _, text = line.partition(": ")
    return _Fault(_CRASHED, name, text, f"{_TRACEBACK}{_ENCODING}{frames}{line}\n")


# XML-RPC


class _Marshaller(xmlrpc.client.Marshaller):
    """Writes text without the characters that XML cannot carry, as Odoo does."""

    def dumps(self, values: Any) -> str:
        return super().dumps(_cleaned(values))


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _CONTROL.sub("", value)
    if isinstance(value, bytes):
        return _CONTROL.sub("", value.decode("utf-8"))
    if isinstance(value, dict):
        pairs = cast("Mapping[Any, Any]", value)
        return {_cleaned(key): _cleaned(item) for key, item in pairs.items()}
    if isinstance(value, list | tuple):
        return tuple(_cleaned(item) for item in cast("Sequence[Any]", value))
    return value


def _xml_answer(value: Any) -> str:
    try:
        body = _Marshaller("utf-8", allow_none=False).dumps((value,))
    except (TypeError, OverflowError, ValueError) as error:
        frames = "".join(
            f'  File "/usr/lib/python3.12/xmlrpc/client.py", line {frame.lineno}, '
            f"in {frame.name}\n"
            for frame in extract_tb(error.__traceback__)
            if frame.filename.endswith("client.py")
        )
        raise _lost(f"{type(error).__name__}: {error}", frames) from error
    return _response(body)


def _xml_fault(fault: _Fault) -> str:
    text = fault.text if fault.code != _CRASHED else fault.debug
    raw = xmlrpc.client.Fault(fault.code, _CONTROL.sub("", text))
    return _response(xmlrpc.client.Marshaller("utf-8").dumps(raw))


def _response(body: str) -> str:
    return f'<?xml version="1.0"?>\n<methodResponse>\n{body}\n</methodResponse>\n'


def _read_xml(body: bytes) -> tuple[str, tuple[Any, ...]]:
    """Read a request.

    Raises:
        _Fault: It is no XML-RPC.
    """
    reader = xmlrpc.client.Unmarshaller(use_builtin_types=True)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    reader.xml("", None)  # the parser answers text
    try:
        parser.Parse(body, True)
        values = reader.close()
    except expat.ExpatError as error:
        raise _crash("xml.parsers.expat.ExpatError", str(error)) from error
    except (xmlrpc.client.Error, ValueError, LookupError, TypeError) as error:
        raise _crash("xmlrpc.client.ResponseError", "ResponseError()") from error
    return reader.getmethodname() or "", tuple(_plain(value) for value in values)


def _refuse_doctype(*_: Any) -> None:
    raise ValueError("a request has no document type")


def _plain(value: Any) -> Any:
    """Answer dates and binaries as the text that Odoo's fields take."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        pairs = cast("Mapping[str, Any]", value)
        return {key: _plain(item) for key, item in pairs.items()}
    if isinstance(value, list):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    return value


# JSON-RPC


def _json_default(value: Any) -> str:
    """Write what JSON does not know, as Odoo does: bytes as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8")
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _json_error(fault: _Fault) -> dict[str, Any]:
    name = fault.name if "." in fault.name else f"builtins.{fault.name}"
    code, message = _BEFORE.get(fault.name, (_JSON_ERROR, "Odoo Server Error"))
    return {
        "code": code,
        "message": message,
        "data": {
            "name": name,
            "debug": fault.debug,
            "message": fault.text,
            "arguments": [fault.text],
            "context": {},
        },
    }


def _lone_surrogate(body: bytes, data: Any) -> bool:
    """Whether the request has half a character, over which Odoo breaks."""
    if b"\\ud" not in body.lower():
        return False
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


# The application


def wire_app(
    gateway: OdooGateway,
    *,
    database: str = "demo",
    instance: str = DEFAULT_INSTANCE,
    json2_keys: Mapping[str, str] | None = None,
) -> Starlette:
    """Answer an ASGI application that speaks Odoo's wire over a gateway.

    Args:
        gateway: What runs the calls; it has to check the sessions.
        database: The one database that there seems to be, and the one that the
            gateway is told.
        instance: The instance that the gateway is told.
        json2_keys: Play an Odoo 19, and take these API keys at ``/json/2``, each with
            its user's login; the gateway gets them as secrets. None plays none.
    """
    if json2_keys is not None:
        gateway = NineteenGateway(gateway)
    services = _Services(gateway, database, instance)

    async def xml(request: Request) -> Response:
        try:
            method, args = _read_xml(await request.body())
            service = request.path_params["service"]
            answer = _xml_answer(await services.dispatch(service, method, args))
        except _Fault as fault:
            answer = _xml_fault(fault)
        except _Away:
            return _bad_gateway()
        return Response(answer.encode(), headers={"Content-Type": _XML})

    web = _WebClient(services)

    async def jsonrpc(request: Request) -> Response:
        return await answered(request, lambda asked: _run_json(services, asked))

    async def web_jsonrpc(request: Request) -> Response:
        return await answered(request, lambda asked: web.run(request, asked))

    async def answered(
        request: Request, run: Callable[[Mapping[str, Any]], Awaitable[Any]]
    ) -> Response:
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind != "application/json":
            return HTMLResponse("<title>400 Bad Request</title>", 400)
        body = await request.body()
        try:
            data: Any = json.loads(body)
        except ValueError:
            return HTMLResponse("Invalid JSON data", 400)
        if not isinstance(data, dict):
            return HTMLResponse("Invalid JSON-RPC data", 400)
        if _lone_surrogate(body, cast("Any", data)):
            return _broken()
        asked = cast("Mapping[str, Any]", data)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked.get("id")}
        try:
            value = await run(asked)
            if value is not None:
                answer["result"] = value
        except _Fault as fault:
            answer["error"] = _json_error(fault)
            if fault.name in _BEFORE:  # Odoo has not read the request yet
                answer["id"] = None
        except _Away:
            return _bad_gateway()
        try:
            text = json.dumps(answer, default=_json_default)
        except (TypeError, ValueError):
            return _broken()
        response = Response(text.encode(), headers={"Content-Type": _JSON})
        web.remember(request, response)
        return response

    return Starlette(
        routes=[
            Route("/xmlrpc/2/{service}", xml, methods=["POST"]),
            Route("/xmlrpc/{service}", xml, methods=["POST"]),
            Route("/jsonrpc", jsonrpc, methods=["POST"]),
            *(Route(path, web_jsonrpc, methods=["POST"]) for path in _WebClient.PATHS),
            Route("/web", _to_login),
            *(_json2_routes(services, json2_keys) if json2_keys is not None else ()),
            Route("/json/{path:path}", _to_login, methods=["GET", "POST"]),
            Route("/web/login", _login_page),
        ]
    )


# The web client

_COOKIE = "session_id"


def _new_sid() -> str:
    return secrets.token_urlsafe(48)


class _WebClient:
    """The routes of Odoo's web client that other clients call, with their sessions.

    Args:
        services: Odoo's services.
        new_sid: Answers what a new session is called in its cookie.
    """

    PATHS = (
        "/web/webclient/version_info",
        "/web/database/list",
        "/web/session/authenticate",
        "/web/session/get_session_info",
        "/web/session/check",
        "/web/session/destroy",
        "/web/dataset/call_kw",
        "/web/dataset/call_kw/{path:path}",
        "/web/dataset/call_button",
        "/web/dataset/call_button/{path:path}",
    )

    def __init__(
        self, services: _Services, new_sid: Callable[[], str] = _new_sid
    ) -> None:
        self._services = services
        self._new_sid = new_sid
        self._sessions: dict[str, Session] = {}

    async def run(self, request: Request, asked: Mapping[str, Any]) -> Any:
        """Run one route.

        Raises:
            _Fault: What Odoo would answer.
            _Away: Whoever is behind the gateway does not answer.
        """
        raw: Any = asked.get("params")
        params: Mapping[str, Any] = {}
        if isinstance(raw, dict):
            params = cast("Mapping[str, Any]", raw)
        match request.url.path.split("/")[2:4]:
            case ["webclient", _]:
                return await self._services.dispatch("common", "version", [])
            case ["database", _]:
                return await self._services.dispatch("db", "list", [])
            case ["session", "authenticate"]:
                return await self._authenticate(request, params)
            case ["session", "destroy"]:
                self._session(request)
                self._sessions.pop(request.cookies[_COOKIE])
                return None
            case ["session", "check"]:
                self._session(request)
                return None
            case ["session", _]:
                return await self._info(self._session(request), request)
            case [_, name]:
                answer = await self._call_kw(self._session(request), name, params)
                action = isinstance(answer, dict)
                return cast("Any", answer) if name == "call_kw" or action else False
            case _:
                raise _Fault(_CRASHED, _NOT_FOUND, "404: Not Found")

    def remember(self, request: Request, response: Response) -> None:
        """Set the cookie of a session that this request has begun."""
        if sid := getattr(request.state, "sid", None):
            response.set_cookie(_COOKIE, sid, httponly=True)

    def _session(self, request: Request) -> Session:
        session = self._sessions.get(request.cookies.get(_COOKIE, ""))
        if session is None:
            raise _Fault(_CRASHED, _EXPIRED, "Session expired")
        return session

    async def _authenticate(self, request: Request, params: Mapping[str, Any]) -> Any:
        _need(params, "Session.authenticate()", ("db", "login", "password"))
        services = self._services
        if params["db"] != services.database:
            raise _fault("AccessError", "Database not found.")
        who = Credentials(
            services.database,
            str(params["login"]),
            str(params["password"]),
            services.instance,
        )
        try:
            session = await services.gateway.authenticate(who)
        except OdooportError as error:
            raise _translated(error) from error
        request.state.sid = self._new_sid()
        self._sessions[request.state.sid] = session
        return await self._info(session, request)

    async def _call_kw(
        self, session: Session, name: str, params: Mapping[str, Any]
    ) -> Any:
        _need(params, f"DataSet.{name}()", ("model", "method", "args", "kwargs"))
        model, method, args, named = (
            params[key] for key in ("model", "method", "args", "kwargs")
        )
        call = _call(model, method, args, named, self._services.instance)
        try:
            return await self._services.gateway.execute(session, call)
        except AuthenticationFailed as error:
            raise _Fault(_CRASHED, _EXPIRED, "Session expired") from error
        except OdooportError as error:
            fault = _translated(error)
            if fault.text == f"Object {model} doesn't exist":
                fault = _Fault(_CRASHED, _NOT_FOUND, "404: Not Found")
            raise fault from error

    async def _info(self, session: Session, request: Request) -> dict[str, Any]:
        """Answer who is logged in: a part of what Odoo's web client is told."""

        async def ask(model: str, method: str, *args: Any) -> Any:
            params: Mapping[str, Any] = {"model": model, "method": method, "args": args}
            return await self._call_kw(session, "call_kw", {**params, "kwargs": {}})

        version = await self._services.dispatch("common", "version", [])
        about: dict[str, Any] = {
            "uid": session.uid,
            "db": self._services.database,
            "server_version": version["server_version"],
            "server_version_info": version["server_version_info"],
            "web.base.url": str(request.base_url).rstrip("/"),
        }
        fields = ["name", "login", "partner_id", "company_id", "company_ids"]
        try:
            (user,) = await ask("res.users", "read", [session.uid], fields)
        except _Fault as fault:
            if fault.code != _NO_ACCESS:
                raise
            return about  # Odoo reads it as the superuser, which a gateway is not
        companies = await ask("res.company", "read", user["company_ids"], ["name"])
        system, manager = [
            await ask("res.users", "has_group", [session.uid], f"base.group_{group}")
            for group in ("system", "erp_manager")
        ]
        partner = user["partner_id"]
        return about | {
            "is_system": system,
            "is_admin": manager,
            "is_public": False,
            "is_internal_user": True,
            "user_context": await ask("res.users", "context_get"),
            "name": user["name"],
            "username": user["login"],
            "partner_id": partner[0],
            "partner_display_name": partner[1],
            "user_companies": {
                "current_company": user["company_id"][0],
                "allowed_companies": {
                    str(company["id"]): company for company in companies
                },
            },
        }


def _need(params: Mapping[str, Any], where: str, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in params]
    if missing:
        shown = " and ".join(repr(name) for name in missing)
        text = f"{where} missing {len(missing)} required positional argument"
        raise _crash("TypeError", f"{text}{'s' * (len(missing) > 1)}: {shown}")


# JSON-2

_STATUSES: Mapping[str, int] = {
    "odoo.exceptions.AccessDenied": 403,
    "odoo.exceptions.AccessError": 403,
    "odoo.exceptions.MissingError": 404,
    "odoo.exceptions.UserError": 422,
    "odoo.exceptions.ValidationError": 422,
    "werkzeug.exceptions.BadRequest": 400,
    "werkzeug.exceptions.NotFound": 404,
    "werkzeug.exceptions.Unauthorized": 401,
    "werkzeug.exceptions.UnprocessableEntity": 422,
}
"""HTTP statuses of exceptions (``odoo/exceptions.py`` of Odoo 19); 500 for others."""

_BEARER = re.compile(r"bearer\s+(?P<key>.+)", re.IGNORECASE)


def _json2_routes(services: _Services, keys: Mapping[str, str]) -> list[Route]:
    async def version(_: Request) -> Response:
        said = await services.dispatch("common", "version", [])
        text, info = said["server_version"], said["server_version_info"]
        return _json2_response({"version": text, "version_info": info})

    def who(request: Request) -> Credentials:
        found = _BEARER.fullmatch(request.headers.get("Authorization", ""))
        key = found["key"] if found else ""
        if key not in keys:
            raise _werkzeug("Unauthorized", "Invalid apikey")
        return Credentials(services.database, keys[key], key, services.instance)

    async def answered(
        request: Request, run: Callable[[Credentials], Awaitable[Any]]
    ) -> Response:
        if request.headers.get("X-Odoo-Database", services.database) != (
            services.database
        ):
            return HTMLResponse("<title>404 Not Found</title>", 404)
        try:
            return _json2_response(await run(who(request)))
        except _Fault as fault:
            data = _json_error(fault)["data"]
            return _json2_response(data, _STATUSES.get(data["name"], 500))
        except _Away:
            return _bad_gateway()

    async def call(request: Request) -> Response:
        if not request.headers.get("Content-Type", "").startswith("application/json"):
            return HTMLResponse("<title>415 Unsupported Media Type</title>", 415)

        async def run(who: Credentials) -> Any:
            named = _read_json2(await request.body())
            model, method = (request.path_params[name] for name in ("model", "method"))
            return await _run_json2(services, who, model, method, named)

        return await answered(request, run)

    async def documentation(request: Request) -> Response:
        model = request.path_params["model"]
        return await answered(request, lambda who: _document(services, who, model))

    async def nothing(_: Request) -> Response:
        text = "Did you mean POST /json/2/<model>/<method>?"
        data = _json_error(_werkzeug("NotFound", text))["data"]
        return _json2_response(data, _STATUSES[data["name"]])

    return [
        Route("/json/version", version),
        Route("/web/version", version),
        Route("/json/2/{model}/{method}", call, methods=["POST"]),
        Route("/json/2/{path:path}", nothing),
        Route("/doc-bearer/{model}.json", documentation),
    ]


async def _run_json2(
    services: _Services,
    who: Credentials,
    model: str,
    method: str,
    named: dict[str, Any],
) -> Any:
    ids = named.pop("ids", None)
    call = _call(model, method, [], named, services.instance)
    signature = signature_of(call)
    if ids and signature is not None and not signature.on_records:
        text = f"cannot call {model}.{method} with ids"
        raise _werkzeug("UnprocessableEntity", text)
    if ids is not None or (signature is not None and signature.on_records):
        call = replace(call, args=(ids or [],))
    try:
        session = await services.gateway.authenticate(who)
        answer = await services.gateway.execute(session, call)
    except OdooportError as error:
        raise _as_json2(_translated(error), call) from error
    return [answer] if method == "create" and type(answer) is int else answer


_KINDS: Mapping[Kind, str] = {
    "values": "VAR_POSITIONAL",
    "keyword": "KEYWORD_ONLY",
    "keywords": "VAR_KEYWORD",
}


async def _document(services: _Services, who: Credentials, model: str) -> Any:
    """Answer what Odoo 19 tells of a model (``addons/api_doc`` there)."""
    gateway = services.gateway
    try:
        session = await gateway.authenticate(who)
        group = ([session.uid], "base.group_system")
        asked = Call("res.users", "has_group", group, instance=services.instance)
        if not await gateway.execute(session, asked):
            text = "This page is only accessible to Technical Documentation users."
            raise _fault("AccessError", text)
        told = await gateway.methods(session, model)
        if told is None:
            raise _werkzeug("NotFound", "The requested URL was not found.")
        fields = Call(model, "fields_get", instance=services.instance)
        described = await gateway.execute(session, fields)
    except OdooportError as error:
        raise _translated(error) from error
    return {
        "model": model,
        "name": model,
        "doc": None,
        "fields": described,
        "methods": {method.name: _described(method) for method in told},
    }


def _described(method: MethodInfo) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    for one in method.parameters:
        entry: dict[str, Any] = {} if one.required else {"default": None}
        if one.kind != "usual":
            entry["kind"] = _KINDS[one.kind]
        parameters[one.name] = entry
    return {
        "signature": f"({', '.join(parameters)})",
        "parameters": parameters,
        **({} if method.on_records else {"api": ["model"]}),
        "model": "core" if method.model == BASE else method.model,
        "module": method.module,
        **({"doc": f"<p>{method.summary}</p>"} if method.summary else {}),
    }


def _as_json2(fault: _Fault, call: Call) -> _Fault:
    """Answer what the controller itself says, before it calls anything."""
    if fault.name == "AttributeError" and _LOOKING in fault.debug:
        return _werkzeug("NotFound", fault.text, fault.debug)
    if fault.text == f"Object {call.model} doesn't exist":
        return _werkzeug("NotFound", f"the model {call.model!r} does not exist")
    if fault.name == "TypeError" and fault.text.startswith(f"{call.model}."):
        return _werkzeug("UnprocessableEntity", fault.text.partition(" ")[2])
    return fault


def _read_json2(body: bytes) -> dict[str, Any]:
    try:
        named: Any = json.loads(body)
    except ValueError as error:
        text = f"could not parse the body as json: {error}"
        raise _werkzeug("BadRequest", text) from error
    if isinstance(named, dict):
        return cast("dict[str, Any]", named)  # keys of JSON are text
    return {}  # what is no object has no arguments


def _json2_response(value: Any, status: int = 200) -> Response:
    try:
        text = json.dumps(value, default=_json_default)
    except (TypeError, ValueError):
        return _broken()
    return Response(text.encode(), status, headers={"Content-Type": _JSON})


def _werkzeug(name: str, text: str, debug: str = "") -> _Fault:
    return _Fault(_CRASHED, f"werkzeug.exceptions.{name}", text, debug)


async def _run_json(services: _Services, data: Mapping[str, Any]) -> Any:
    params = data.get("params")
    names = ("service", "method", "args")
    if not isinstance(params, dict) or not all(name in params for name in names):
        raise _crash(
            "TypeError",
            "RPC.jsonrpc() missing 3 required positional arguments: 'service', "
            "'method', and 'args'",
        )
    service, method, args = (cast("Any", params[name]) for name in names)
    if not isinstance(args, list):
        raise _crash("TypeError", "RPC.jsonrpc() takes a list of arguments")
    return await services.dispatch(
        str(service), str(method), cast("Sequence[Any]", args)
    )


async def _to_login(request: Request) -> Response:
    """Send callers of Odoo 19's routes to the login page, as Odoo 18 does."""
    headers = {"Location": f"/web/login?redirect={request.url.path}"}
    return HTMLResponse("<title>Redirecting...</title>", _SEE_OTHER, headers=headers)


async def _login_page(_request: Request) -> Response:
    return HTMLResponse("<!DOCTYPE html><title>Login | Odoo</title>")


def _broken() -> Response:
    return HTMLResponse("<title>500 Internal Server Error</title>", 500)


def _bad_gateway() -> Response:
    return PlainTextResponse("The Odoo behind this server is away.", _BAD_GATEWAY)
