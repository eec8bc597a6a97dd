"""Errors of this door as problem details (RFC 9457), and in the audit.

Whatever goes wrong is answered in this form, be it one of our errors or a request that
does not fit a route.
"""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from odooport import (
    Call,
    Gate,
    GatewayError,
    InvalidRequest,
    OdooportError,
    Problem,
    SchemaChanged,
)
from odooport.findings import finding
from odooport_rest.answers import FINGERPRINT
from odooport_runtime.front import asker
from odooport_runtime.problems import answer, answer_error

DOOR = "rest"
"""What this door is called in every log and audit line."""

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


class ProblemItem(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str = Field(
        description="Where: a JSON pointer into the values or the argument that the "
        "detail names, such as `/3/name`; or a query parameter, such as `?limit`; or a "
        "part of the path, such as `{id}`."
    )
    detail: str = Field(description="What is wrong there, and what would be right.")


class ChangeItem(BaseModel):
    """How a record moved on since it was read."""

    id: int = Field(description="The record's id.")
    fields: list[str] = Field(
        description="Which of the fields that were read have other values now."
    )
    write_date: str | None = Field(description="When it was written last.")
    write_uid: str | None = Field(description="By whom.")


class ProblemDetails(BaseModel):
    """What went wrong, as RFC 9457 describes it."""

    type: str = Field(description="The kind of problem; this service answers there.")
    title: str = Field(description="The kind of problem in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, and what to do next.")
    code: str = Field(description="The stable name of the kind of problem.")
    request_id: str = Field(description="What the request is called in the log.")
    errors: list[ProblemItem] | None = Field(
        default=None, description="Each thing that is wrong, where there are several."
    )
    changes: list[ChangeItem] | None = Field(
        default=None, description="For `conflict` after an `If-Match`: what changed."
    )
    retry_after: int | None = Field(
        default=None, description="Seconds until the same request may succeed."
    )


def add_handlers(app: FastAPI, gate: Gate) -> None:
    """Let an app answer its errors as problems, and keep them in the audit.

    A crash is the front's to answer.

    Args:
        app: The app.
        gate: Keeps what was refused before it became a call.
    """

    async def told(request: Request, error: OdooportError) -> Response:
        await _note(gate, request, error)
        headers = (
            {FINGERPRINT: error.fingerprint} if isinstance(error, SchemaChanged) else {}
        )
        return answer_error(error, request_id=request.state.request_id, headers=headers)

    @app.exception_handler(OdooportError)
    async def ours(request: Request, error: OdooportError) -> Response:
        return await told(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return await told(request, _invalid(error))

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _allowed(request) or headers["Allow"]
        code, detail = _of_status(error, request, headers)
        await _note(gate, request, InvalidRequest(detail))
        return answer(
            code, detail, request_id=request.state.request_id, headers=headers
        )


async def _note(gate: Gate, request: Request, error: OdooportError) -> None:
    """Keep in the audit what is answered and was no call, with what it was about."""
    if isinstance(error, GatewayError) and "caller" not in request.scope["state"]:
        return  # nobody was refused: Odoo was asked for a sign of life
    asked = None
    if "model" in (about := request.path_params):
        name = getattr(request.scope.get("route"), "name", "")
        asked = Call(about["model"], about.get("method", name))
    await gate.note(asker(request.scope, DOOR), error, asked)


def _allowed(request: Request) -> str:
    """Answer every method that a path takes; the router names those of one route."""
    return ", ".join(
        method
        for method in _METHODS
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    )


def _of_status(
    error: HTTPException, request: Request, headers: Mapping[str, str]
) -> tuple[str, str]:
    match error.status_code:
        case 404:
            return "not_found", f"There is nothing at {request.url.path!r}. See /docs."
        case 405:
            path, allowed = request.url.path, headers["Allow"]
            return (
                "method_not_allowed",
                f"{path!r} does not take {request.method}; use {allowed}.",
            )
        case _:
            return "invalid_request", error.detail


def _invalid(error: RequestValidationError) -> InvalidRequest:
    """Put FastAPI's findings into our words."""
    problems = [_finding(found) for found in error.errors()]
    return InvalidRequest(" ".join(problem.message for problem in problems), problems)


def _finding(found: Mapping[str, Any]) -> Problem:
    where, *path = found["loc"]
    match found["type"]:
        case "json_invalid":
            reason = found["ctx"]["error"]
            return Problem("", f"The body is no JSON at character {path[0]}: {reason}.")
        case "missing" if where == "body" and not path:
            return Problem("", "Send a JSON body.")
        case "extra_forbidden" if where == "query":
            message = f"There is no parameter {path[0]!r}; leave it out."
        case "extra_forbidden":
            message = f"There is no member {path[-1]!r}; leave it out."
        case _:
            name = ".".join(map(str, path))
            own = found["type"] == "values"  # says all by itself
            message = f"{found['msg']}." if own else finding(name, found)
    if where == "query":
        return Problem(f"?{path[0]}", message)
    if where == "path":
        return Problem(f"{{{path[0]}}}", message)
    return Problem("".join(f"/{_escaped(str(part))}" for part in path), message)


def _escaped(part: str) -> str:
    """Escape one step of a JSON pointer (RFC 6901)."""
    return part.replace("~", "~0").replace("/", "~1")
