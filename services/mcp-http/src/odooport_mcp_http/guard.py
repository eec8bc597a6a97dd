"""What stands before the endpoint: foreign names are refused, the key is looked at.

A web page that tricks a browser into taking our address for its own still sends its
own name as the host. A host that is a bare address cannot be such a trick: it passes.
"""

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from mcp.server.context import ServerRequestContext
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from odooport import AuthenticationFailed, Caller, Gate, PermissionDenied

DOOR = "mcp-http"
"""What this door is called in every log and audit line."""

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""What a machine calls itself; these names are served everywhere."""

_CALLER = "odooport.caller"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NO_KEY = (
    "Send an API key as 'Authorization: Bearer odp_...'. "
    "'odooport keys create' makes one."
)


class Guard:
    """An ASGI app around the endpoint: nobody comes in without a key.

    The caller is bound to the request's own scope, so that no two requests can share
    it.

    Args:
        app: The endpoint.
        gate: Knows the keys.
        new_id: Makes a request id where none came that can be used.
        hosts: The host names, besides those of the loopback, that may be asked for.
    """

    def __init__(
        self,
        app: ASGIApp,
        gate: Gate,
        *,
        new_id: Callable[[], str],
        hosts: Collection[str],
    ) -> None:
        self._app = app
        self._gate = gate
        self._new_id = new_id
        self._hosts = LOOPBACK_NAMES.union(name.lower() for name in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope)
        given = request.headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else self._new_id()

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        if (refusal := self._refusal(request, request_id)) is None:
            try:
                caller = await self._caller(request, request_id)
            except AuthenticationFailed as error:
                refusal = _problem(
                    HTTPStatus.UNAUTHORIZED,
                    "Not logged in",
                    error.code,
                    error.message,
                    request_id,
                    {"WWW-Authenticate": _challenge(request.headers)},
                )
            else:
                await self._app({**scope, _CALLER: caller}, receive, send_marked)
                return
        await refusal(scope, receive, send_marked)

    def _refusal(self, request: Request, request_id: str) -> Response | None:
        """Answer why this is no request for us, whoever sent it; None if it is."""
        name = _name_of(f"//{request.headers.get('host', '')}")
        if name not in self._hosts and not _is_address(name):
            return _problem(
                HTTPStatus.MISDIRECTED_REQUEST,
                "Not this host",
                PermissionDenied.code,
                f"The host name {name!r} is not served here; ask for one of "
                f"{', '.join(sorted(self._hosts))}. A proxy in front must send one of "
                "these as the Host header.",
                request_id,
            )
        origin = request.headers.get("origin")
        if origin is not None and _name_of(origin) not in {*self._hosts, name}:
            return _problem(
                HTTPStatus.FORBIDDEN,
                "Not from this page",
                PermissionDenied.code,
                f"Pages from {origin!r} may not use this service from a browser. Call "
                "it from a program.",
                request_id,
            )
        if request.method != "POST":
            # There are no sessions to end, and no stream without a request.
            return _problem(
                HTTPStatus.METHOD_NOT_ALLOWED,
                "Not with this method",
                "method_not_allowed",
                f"The endpoint does not take {request.method}; use POST.",
                request_id,
                {"Allow": "POST"},
            )
        return None

    async def _caller(self, request: Request, request_id: str) -> Caller:
        token = _token(request.headers)
        if not token:
            raise AuthenticationFailed(_NO_KEY)
        address = request.client.host if request.client is not None else None
        principal = await self._gate.authenticate(token, address)
        return Caller(principal, door=DOOR, request_id=request_id, address=address)


def caller_of(context: ServerRequestContext[Any, Request]) -> Caller:
    """Answer whose request it is that the protocol's server handles."""
    request = context.request
    caller = None if request is None else request.scope.get(_CALLER)
    if not isinstance(caller, Caller):
        raise AuthenticationFailed(_NO_KEY)
    return caller


def _token(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _challenge(headers: Headers) -> str:
    """Ask for a key as RFC 6750 says; tell a wrong key from none."""
    challenge = 'Bearer realm="odooport"'
    return f'{challenge}, error="invalid_token"' if _token(headers) else challenge


def _name_of(address: str) -> str:
    """Answer the host name in an address, or nothing if there is none."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _problem(
    status: HTTPStatus,
    title: str,
    code: str,
    detail: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer a problem in the form of RFC 9457."""
    body = {
        "type": f"/problems/{code}",
        "title": title,
        "status": int(status),
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    return JSONResponse(
        body, status, headers=headers, media_type="application/problem+json"
    )
