"""Errors as problem details (RFC 9457): one table from code to status, one form.

Both HTTP doors answer their errors through here, and so does what stands before them.
"""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from starlette.responses import JSONResponse, Response

from odooport import (
    GatewayUnavailable,
    IdempotencyInFlight,
    InvalidRequest,
    OdooportError,
    Problem,
    RateLimited,
    RecordChange,
    RecordChanged,
)

PROBLEM_JSON = "application/problem+json"

_logger = logging.getLogger(__name__)


class ExactJson(JSONResponse):
    """JSON as it is: letters stay letters, and what is no JSON number is no answer."""

    def render(self, content: Any) -> bytes:
        """Encode the content.

        A lone surrogate, which UTF-8 cannot carry, becomes a JSON escape.

        Raises:
            ValueError: A number is not finite.
            TypeError: A value is no JSON value.
        """
        text = json.dumps(
            content, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
        return text.encode("utf-8", "backslashreplace")


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
            "another role may be allowed to. The status is 421 where the host name is "
            "not served here.",
        ),
        "rate_limited": Kind(
            429,
            "Too many calls",
            "A budget of this API key or address is used up, or too many keys from "
            "there were wrong. Ask again after as many seconds as the Retry-After "
            "header says.",
        ),
        "conflict": Kind(
            409,
            "Somebody else is changing this",
            "The same records are being changed by somebody else. Nothing was written; "
            "read them again and decide anew.",
        ),
        "idempotency_in_flight": Kind(
            409,
            "The same request still runs",
            "The request that came first under this idempotency key is under way. Ask "
            "again under the same key, after as many seconds as the Retry-After header "
            "says, to get its answer.",
        ),
        "idempotency_mismatch": Kind(
            422,
            "The idempotency key is taken",
            "Another request came before under this idempotency key, so this one was "
            "not run. Give each request a key of its own.",
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
        "headers_too_large": Kind(
            431,
            "The head of the request is too large",
            "Nothing was done. Send fewer or shorter headers; what makes an address "
            "long, such as a domain, can be sent as a body to .../search.",
        ),
        "internal": Kind(
            500,
            "Something went wrong here",
            "Odooport failed unexpectedly. A change may or may not be done. The "
            "administrator finds more in the log under the request id.",
        ),
    }
)
"""Every kind of problem that the HTTP doors answer, by its code."""


def answer(
    code: str,
    detail: str,
    *,
    request_id: str,
    problems: Sequence[Problem] = (),
    changes: Sequence[RecordChange] = (),
    retry_after: float | None = None,
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
) -> Response:
    """Answer a problem.

    Args:
        code: Which kind it is; one of ``KINDS``.
        detail: What happened and what to do next.
        request_id: What the request is called.
        problems: Each single thing that is wrong.
        changes: How records moved on since the caller read them.
        retry_after: Seconds until the same request may succeed.
        headers: Further headers.
        status: The HTTP status, where it is not the kind's own.
    """
    kind = KINDS[code]
    body: dict[str, Any] = {
        "type": f"/problems/{code}",
        "title": kind.title,
        "status": status or kind.status,
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
    if changes:
        body["changes"] = [asdict(change) for change in changes]
    if retry_after is not None:
        seconds = max(1, math.ceil(retry_after))
        body["retry_after"] = seconds
        sent["Retry-After"] = str(seconds)
    if code == "authentication_failed":
        sent.setdefault("WWW-Authenticate", "Bearer")
    return ExactJson(
        body, status_code=body["status"], headers=sent, media_type=PROBLEM_JSON
    )


def answer_error(
    error: OdooportError,
    *,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    status: int | None = None,
) -> Response:
    """Answer one of our errors; one that has no kind here is not for the caller.

    Args:
        error: What went wrong.
        request_id: What the request is called.
        headers: Further headers.
        status: The HTTP status, where it is not the kind's own.
    """
    if error.code not in KINDS or error.code == "internal":
        return answer_crash(error, request_id=request_id)
    return answer(
        error.code,
        error.message,
        request_id=request_id,
        problems=error.problems if isinstance(error, InvalidRequest) else (),
        changes=error.changes if isinstance(error, RecordChanged) else (),
        retry_after=(
            error.retry_after
            if isinstance(error, RateLimited | IdempotencyInFlight | GatewayUnavailable)
            else None
        ),
        headers=headers,
        status=status,
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
