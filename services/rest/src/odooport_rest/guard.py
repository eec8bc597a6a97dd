"""What stands before each route: the key, then the strict reading of the request.

Nobody's body is read, nor is a parameter looked at, before the key is known.
"""

import json
import math
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.routing import APIRoute

from odooport import Gate, InvalidRequest, Problem
from odooport_rest.problems import DOOR
from odooport_runtime.front import let_in

_NOT_YET = ("idempotency-key", "if-match", "if-unmodified-since")


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
                await let_in(gate, request, DOOR)
                _check_query(request)
                _check_headers(request, takes_body=takes_body)
                strict = StrictRequest(request.scope, request.receive)
                if takes_body:
                    await strict.body()  # FastAPI would bend what the front says
                return await handle(strict)

            return guarded

    return GuardedRoute


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
