"""What surrounds every request: its id, who may come at all, its size, its crash.

The envelope is the outermost layer of our own. The guard stands before each route of
the API: nobody's body is read, nor is a parameter looked at, before the key is known.
"""

import asyncio
import json
import logging
import math
import re
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from odooport import AuthenticationFailed, Caller, Gate, InvalidRequest, Problem
from odooport_rest import problems

DOOR = "rest"
"""What this door is called in every log and audit line."""

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""What a machine calls itself."""

_logger = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NOT_YET = ("idempotency-key", "if-match", "if-unmodified-since")
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


class Envelope:
    """An ASGI middleware around the whole app.

    It gives the request an id and sends it back, refuses foreign hosts and origins,
    limits the body, writes a log line, and answers a crash.

    Args:
        app: What it surrounds.
        new_id: Makes a request id where none came that can be used.
        clock: Answers the time in seconds; never goes back.
        max_body: The most bytes that a body may have.
        hosts: The host names that may be asked for; None for any. A page that tricks
            a browser into taking our address for its own still sends its own name.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        new_id: Callable[[], str],
        clock: Callable[[], float],
        max_body: int,
        hosts: Collection[str] | None,
    ) -> None:
        self._app = app
        self._new_id = new_id
        self._clock = clock
        self._max_body = max_body
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = self._clock()
        request_id = self._request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        status: int | None = None

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refusal = self._refusal(Headers(scope=scope), request_id)
            if refusal is not None:
                await refusal(scope, receive, send_marked)
            else:
                limited = _limited(receive, self._max_body)
                await self._app(scope, limited, send_marked)
        except asyncio.CancelledError:
            if status is None:
                gone = _given_up(scope["method"], request_id)
                await gone(scope, receive, send_marked)
            raise
        except Exception as error:  # the last place before the server
            crash = problems.answer_crash(error, request_id=request_id)
            if status is not None:
                raise
            await crash(scope, receive, send_marked)
        finally:
            _logger.info(
                "request",
                extra={
                    "request_id": request_id,
                    "door": DOOR,
                    "http_method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "milliseconds": round((self._clock() - began) * 1000, 2),
                },
            )

    def _request_id(self, headers: Headers) -> str:
        given = headers.get("x-request-id", "")
        return given if _REQUEST_ID.fullmatch(given) else self._new_id()

    def _refusal(self, headers: Headers, request_id: str) -> Response | None:
        host = headers.get("host", "")
        if self._hosts is not None and _name_of(host) not in self._hosts:
            return problems.answer(
                "permission_denied",
                f"The host name {host!r} is not served here; ask for one of "
                f"{', '.join(sorted(self._hosts))}. A proxy in front must send one of "
                "these as the Host header.",
                request_id=request_id,
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return problems.answer(
                "permission_denied",
                f"Pages from {origin!r} may not use this API from a browser. Call it "
                "from a program.",
                request_id=request_id,
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_body:
            return problems.answer(
                "payload_too_large", _too_large(self._max_body), request_id=request_id
            )
        return None


def _given_up(method: str, request_id: str) -> Response:
    """Answer a request that is cancelled: the service ends and cannot wait longer."""
    if method == "GET":
        return problems.answer(
            "gateway_unavailable",
            "The service is stopping and could not wait for Odoo. Ask again later.",
            request_id=request_id,
        )
    return problems.answer(
        "outcome_unknown",
        "The service is stopping and could not wait for Odoo: what you sent may or may "
        "not be done. Read the records before you send it again.",
        request_id=request_id,
    )


class StrictRequest(Request):
    """A request whose body is read as JSON and nothing near it."""

    async def json(self) -> Any:
        """Answer the body.

        Raises:
            json.JSONDecodeError: It is no JSON, names a member twice, or holds a
                number that JSON does not have.
        """
        body = await self.body()
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise json.JSONDecodeError("it is not UTF-8", "", exc.start) from exc
        try:
            return json.loads(
                text,
                parse_constant=_no_constant,
                parse_float=_finite,
                object_pairs_hook=_once_each,
            )
        except json.JSONDecodeError:
            raise
        except RecursionError as exc:
            raise json.JSONDecodeError("it is nested too deeply", "", 0) from exc
        except ValueError as exc:  # ours, and Python's about endless numbers
            raise json.JSONDecodeError(str(exc), "", 0) from exc


def guarded_by(gate: Gate) -> type[APIRoute]:
    """Answer a class of routes that let nobody in without a key."""

    class GuardedRoute(APIRoute):
        """A route that knows its caller before it looks at anything else."""

        def get_route_handler(
            self,
        ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """Answer the route's handler behind the guard."""
            handle = super().get_route_handler()
            takes_body = self.body_field is not None

            async def guarded(request: Request) -> Response:
                request.state.caller = await _let_in(gate, request)
                _check_query(request)
                _check_headers(request, takes_body=takes_body)
                return await handle(StrictRequest(request.scope, request.receive))

            return guarded

    return GuardedRoute


async def _let_in(gate: Gate, request: Request) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthenticationFailed(
            "Send an API key as 'Authorization: Bearer odp_...'. "
            "'odooport keys create' makes one."
        )
    address = request.client.host if request.client is not None else None
    principal = await gate.authenticate(token.strip(), address)
    return Caller(
        principal, door=DOOR, request_id=request.state.request_id, address=address
    )


def _check_query(request: Request) -> None:
    names = [name for name, _ in parse_qsl(request.url.query, keep_blank_values=True)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(
            f"Give each query parameter once; {', '.join(map(repr, twice))} came "
            "more than once.",
            [Problem(f"?{name}", "Give it once.") for name in twice],
        )


def _check_headers(request: Request, *, takes_body: bool) -> None:
    headers = request.headers
    if request.method != "GET":
        for name in _NOT_YET:
            if name in headers:
                raise InvalidRequest(
                    f"The header {name!r} is not supported yet, so nothing was done: "
                    "what relies on it would go wrong. Leave it out to go on without."
                )
    has_body = (
        "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    )
    if not has_body:
        return
    if not takes_body:
        raise InvalidRequest(
            f"{request.method} {request.url.path!r} takes no body; leave it out."
        )
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InvalidRequest(
            "Send the body as JSON, with the header 'Content-Type: application/json'; "
            f"not as {kind!r}."
        )


def _limited(receive: Receive, most: int) -> Callable[[], Awaitable[Message]]:
    """Answer a ``receive`` that stops when a body without a length grows too large."""
    size = 0

    async def receive_limited() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise HTTPException(413, _too_large(most))
        return message

    return receive_limited


def _too_large(most: int) -> str:
    return f"A body may have at most {most} bytes. Split it into several requests."


def _name_of(host: str) -> str:
    """Answer a Host header's name without its port, or nothing if it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice!r} occurs twice in one object")
    return members
