"""What stands before each route: the key, then the strict reading of the request.

Nobody's body is read, nor is a parameter looked at, before the key is known.
"""

import json
import math
from collections.abc import Callable, Coroutine, Iterator
from typing import Annotated, Any, NoReturn
from urllib.parse import parse_qsl

from fastapi import Header, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from odooport import Caller, Gate, InvalidRequest, Problem
from odooport_rest.problems import DOOR
from odooport_runtime.front import let_in

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
"""The header of an answer that is the first one to this request, given again."""

_PRECONDITIONS = ("idempotency-key", "if-match", "if-unmodified-since")
"""Headers that a request relies on; who does not know one must not go on."""

_OWN = ("content-length", "x-request-id")
"""Headers that belong to one answer, not to what is kept of it."""


async def takes_key(
    key: Annotated[
        str | None,
        Header(
            alias=IDEMPOTENCY_KEY,
            description="A text of your own for this one change, such as a UUID. Sent "
            "again within 24 hours with the same key, the same request is not done "
            "twice: the first answer comes again.",
            json_schema_extra={"pattern": "^[!#-~]{1,255}$"},
        ),
    ] = None,
) -> None:
    """Let a route take an idempotency key; the guard before the route sees to it."""
    del key


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
            taken = frozenset(_headers_of(self.dependant))

            async def guarded(request: Request) -> Response:
                caller = await let_in(gate, request, DOOR)
                _check_query(request)
                _check_headers(request, taken, takes_body=takes_body)
                strict = StrictRequest(request.scope, request.receive)
                if takes_body:
                    await strict.body()  # FastAPI would bend what the front says
                key = _key_of(request)
                if key is None:
                    return await handle(strict)
                return await _once(gate, caller, key, strict, handle)

            return guarded

    return GuardedRoute


def _headers_of(dependant: Dependant) -> Iterator[str]:
    """Answer the headers that a route and what it depends on take."""
    for param in dependant.header_params:
        yield param.alias.lower()
    for deeper in dependant.dependencies:
        yield from _headers_of(deeper)


async def _once(
    gate: Gate,
    caller: Caller,
    key: str,
    request: StrictRequest,
    handle: Callable[[Request], Coroutine[Any, Any, Response]],
) -> Response:
    """Answer a request with an idempotency key: anew, or as it was answered first."""
    headers = request.headers
    asked = json.dumps(
        [
            request.method,
            request.url.path,
            sorted(parse_qsl(request.url.query, keep_blank_values=True)),
            headers.get("if-match"),
            headers.get("schema-fingerprint"),
            (await request.body()).decode("utf-8", "backslashreplace"),
        ]
    )

    async def answered() -> str:
        answer = await handle(request)
        kept = {
            name: value for name, value in answer.headers.items() if name not in _OWN
        }
        return json.dumps([answer.status_code, kept, bytes(answer.body).decode()])

    text, replayed = await gate.once(caller, key, asked, answered)
    status, kept, body = json.loads(text)
    answer = Response(body or None, status, kept)
    if replayed:
        answer.headers[REPLAYED] = "true"
    return answer


def _key_of(request: Request) -> str | None:
    """Answer a request's idempotency key.

    It may come as a structured field (RFC 9651), whose quotation marks are no part of
    it, or bare.

    Raises:
        InvalidRequest: There is more than one.
    """
    given = request.headers.getlist(IDEMPOTENCY_KEY)
    if len(given) > 1:
        raise InvalidRequest(f"Give the header {IDEMPOTENCY_KEY!r} once.")
    if not given:
        return None
    key = given[0].strip()
    is_quoted = len(key) > 1 and key[0] == key[-1] == '"'
    return key[1:-1] if is_quoted else key


def _check_query(request: Request) -> None:
    query: bytes = request.scope["query_string"]
    if b"&" not in query:
        return
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequest(
            f"Give each query parameter once; {', '.join(map(repr, twice))} came "
            "more than once.",
            [Problem(f"?{name}", "Give it once.") for name in twice],
        )


def _check_headers(
    request: Request, taken: frozenset[str], *, takes_body: bool
) -> None:
    headers = request.headers
    if request.method != "GET":
        for name in _PRECONDITIONS:
            if name in headers and name not in taken:
                raise InvalidRequest(
                    f"{request.method} {request.url.path!r} does not take the header "
                    f"{name!r}, so nothing was done: what relies on it would go wrong. "
                    "Leave it out to go on without."
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
