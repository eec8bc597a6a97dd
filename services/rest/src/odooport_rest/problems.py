"""Errors as problem details (RFC 9457): one table from code to status, one form.

Whatever goes wrong is answered in this form, be it one of our errors, a request that
does not fit a route, or a crash.
"""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from odooport import (
    InvalidRequest,
    OdooportError,
    Problem,
    RateLimited,
    SchemaChanged,
)
from odooport.findings import finding
from odooport_rest.answers import FINGERPRINT, PROBLEM_JSON, ExactJson

_logger = logging.getLogger(__name__)

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem.

    Attributes:
        status: The HTTP status that it is answered with.
        title: What it is called.
        explanation: What it means and what to do about it.
    """

    status: int
    title: str
    explanation: str


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "invalid_request": Kind(
            422,
            "The request is wrong",
            "Something in the request is not as it must be, and nothing was sent to "
            "Odoo. The detail says what; errors[] points to each place.",
        ),
        "authentication_failed": Kind(
            401,
            "Not logged in",
            "The API key is missing, unknown, expired or revoked, or Odoo refused the "
            "login behind it. Send 'Authorization: Bearer odp_...'.",
        ),
        "permission_denied": Kind(
            403,
            "Not allowed here",
            "Odooport does not let this API key, or this address, do that. A key with "
            "another role may be allowed to.",
        ),
        "rate_limited": Kind(
            429,
            "Too many calls",
            "The budget of this API key is used up. Ask again after as many seconds as "
            "the Retry-After header says.",
        ),
        "conflict": Kind(
            409,
            "Somebody else is changing this",
            "The same records are being changed by somebody else. Nothing was written; "
            "read them again and decide anew.",
        ),
        "schema_changed": Kind(
            412,
            "The model has changed",
            "The model does not have the fingerprint that the request named. Nothing "
            "was done; describe the model again and see whether your program fits.",
        ),
        "gateway_unavailable": Kind(
            503,
            "Odoo cannot be reached",
            "The call provably was not executed. It is safe to send it again later.",
        ),
        "outcome_unknown": Kind(
            504,
            "The outcome is not known",
            "The change was sent to Odoo and no readable answer came back: it may or "
            "may not be done. Read the records before you send it again.",
        ),
        "gateway_protocol": Kind(
            502,
            "Odoo's answer cannot be read",
            "What came back is not an answer that Odoo gives. Something between here "
            "and Odoo may be in the way.",
        ),
        "gateway_error": Kind(
            502,
            "Something went wrong at Odoo",
            "The call failed at Odoo or on the way to it.",
        ),
        "odoo_access_denied": Kind(
            403,
            "Odoo does not allow it",
            "The access rights or record rules of the Odoo user behind the key refused "
            "the call. An Odoo administrator can change them.",
        ),
        "record_missing": Kind(
            404,
            "No such record",
            "A record does not exist, or not any more. Nothing was changed.",
        ),
        "odoo_refused": Kind(
            400,
            "Odoo refused it",
            "One of Odoo's business rules or validations refused the call, and nothing "
            "was changed. The detail is Odoo's own message.",
        ),
        "answer_lost": Kind(
            502,
            "Done, but the answer was lost",
            "The call ran and was committed, but its answer could not be put into "
            "words. Do not send it again; read the records.",
        ),
        "odoo_failed": Kind(
            502,
            "Odoo crashed",
            "Odoo crashed while it handled the call, and rolled it back. The "
            "administrator finds more in the log under the request id.",
        ),
        "not_found": Kind(
            404,
            "No such address",
            "There is nothing at this path. The API is described at /docs.",
        ),
        "method_not_allowed": Kind(
            405,
            "Not with this method",
            "This path does not take this HTTP method; the Allow header says which it "
            "takes.",
        ),
        "payload_too_large": Kind(
            413,
            "The body is too large",
            "Nothing was done. Split what you send into several requests.",
        ),
        "internal": Kind(
            500,
            "Something went wrong here",
            "Odooport failed unexpectedly. A change may or may not be done. The "
            "administrator finds more in the log under the request id.",
        ),
    }
)
"""Every kind of problem that this door answers, by its code."""


class ProblemItem(BaseModel):
    """One thing that is wrong with a request."""

    pointer: str = Field(
        description="Where: a JSON pointer into the values or the argument that the "
        "detail names, such as `/3/name`; or a query parameter, such as `?limit`; or a "
        "part of the path, such as `{id}`."
    )
    detail: str = Field(description="What is wrong there, and what would be right.")


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
    retry_after: int | None = Field(
        default=None, description="Seconds until the same request may succeed."
    )


def answer(
    code: str,
    detail: str,
    *,
    request_id: str,
    problems: Sequence[Problem] = (),
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer a problem.

    Args:
        code: Which kind it is; one of ``KINDS``.
        detail: What happened and what to do next.
        request_id: What the request is called.
        problems: Each single thing that is wrong.
        retry_after: Seconds until the same request may succeed.
        headers: Further headers.
    """
    kind = KINDS[code]
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    sent = dict(headers or {})
    if problems:
        body["errors"] = [
            {"pointer": problem.pointer, "detail": problem.message}
            for problem in problems
        ]
    if retry_after is not None:
        seconds = max(1, math.ceil(retry_after))
        body["retry_after"] = seconds
        sent["Retry-After"] = str(seconds)
        sent["RateLimit"] = f'"calls";r=0;t={seconds}'
    if code == "authentication_failed":
        sent["WWW-Authenticate"] = "Bearer"
    return ExactJson(
        body, status_code=kind.status, headers=sent, media_type=PROBLEM_JSON
    )


def answer_error(error: OdooportError, *, request_id: str) -> Response:
    """Answer one of our errors; one that has no kind here is not for the caller."""
    if error.code not in KINDS or error.code == "internal":
        return answer_crash(error, request_id=request_id)
    return answer(
        error.code,
        error.message,
        request_id=request_id,
        problems=error.problems if isinstance(error, InvalidRequest) else (),
        retry_after=error.retry_after if isinstance(error, RateLimited) else None,
        headers=(
            {FINGERPRINT: error.fingerprint} if isinstance(error, SchemaChanged) else {}
        ),
    )


def answer_crash(error: Exception, *, request_id: str) -> Response:
    """Log an unexpected error whole, and answer it blandly."""
    _logger.error("internal", exc_info=error, extra={"request_id": request_id})
    return answer(
        "internal",
        "Something went wrong in Odooport itself. A change may or may not be done. "
        f"The administrator finds more in the log under {request_id!r}.",
        request_id=request_id,
    )


def add_handlers(app: FastAPI) -> None:
    """Let an app answer its errors as problems; a crash is the envelope's."""

    @app.exception_handler(OdooportError)
    async def ours(request: Request, error: OdooportError) -> Response:
        return answer_error(error, request_id=request.state.request_id)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return answer_error(_invalid(error), request_id=request.state.request_id)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = _allowed(request) or headers["Allow"]
        code, detail = _of_status(error, request, headers)
        return answer(
            code, detail, request_id=request.state.request_id, headers=headers
        )


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
        case 413:
            return "payload_too_large", error.detail
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
