"""What stands before the endpoint: the key is looked at, and the body after that."""

from http import HTTPStatus
from typing import Any

from mcp.server.context import ServerRequestContext
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from odooport import (
    AuthenticationFailed,
    Caller,
    Gate,
    InvalidRequest,
    OdooportError,
)
from odooport_runtime.front import asker, bearer_of, let_in
from odooport_runtime.problems import answer, answer_error

DOOR = "mcp-http"
"""What this door is called in every log and audit line."""


class Guard:
    """An ASGI app around the endpoint, behind a ``Front``: no key, no way in.

    The caller is bound to the request's own scope, so that no two requests can share
    it.

    Args:
        app: The endpoint.
        gate: Knows the keys.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        if request.method != "POST":
            # There are no sessions to end, and no stream without a request.
            detail = f"The endpoint does not take {request.method}; use POST."
            await self._note(scope, InvalidRequest(detail))
            refusal = answer(
                "method_not_allowed",
                detail,
                request_id=request.state.request_id,
                headers={"Allow": "POST"},
            )
            await refusal(scope, receive, send)
            return
        try:
            await let_in(self._gate, request, DOOR)
            body = await request.body()
        except OdooportError as error:
            await self._note(scope, error)
            refusal = _refusal(error, request)
            await refusal(scope, receive, send)
            return
        await self._pass_on(scope, _replayed(body, receive), send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused: int | None = None

        async def watched(message: Message) -> None:
            nonlocal refused
            if (
                message["type"] == "http.response.start"
                and message["status"] >= HTTPStatus.BAD_REQUEST
            ):
                refused = message["status"]
            await send(message)

        await self._app(scope, receive, watched)
        if refused is not None:
            error = InvalidRequest(f"This is no request of the protocol ({refused}).")
            await self._note(scope, error)

    async def _note(self, scope: Scope, error: OdooportError) -> None:
        """Keep in the audit what is answered and was no call."""
        await self._gate.note(asker(scope, DOOR), error)


def caller_of(context: ServerRequestContext[Any, Request]) -> Caller:
    """Answer whose request it is that the protocol's server handles."""
    request = context.request
    caller = None if request is None else request.scope["state"].get("caller")
    if not isinstance(caller, Caller):
        raise AuthenticationFailed("There is no key with this request.")
    return caller


def _refusal(error: OdooportError, request: Request) -> Response:
    challenge = (
        {"WWW-Authenticate": _challenge(request.headers)}
        if isinstance(error, AuthenticationFailed)
        else {}
    )
    return answer_error(error, request_id=request.state.request_id, headers=challenge)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Answer a ``receive`` that gives the body once more."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _challenge(headers: Headers) -> str:
    """Ask for a key as RFC 6750 says; tell a wrong key from none."""
    challenge = 'Bearer realm="odooport"'
    try:
        bearer_of(headers)
    except AuthenticationFailed:
        return challenge
    return f'{challenge}, error="invalid_token"'
