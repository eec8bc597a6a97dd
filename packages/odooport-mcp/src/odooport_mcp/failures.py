"""Errors as tool results, and back: the same code and text as at every other door.

The text is for the agent: "code: message", and below it what is wrong where, as far as
the message does not say it. The ``_meta`` of the result holds the same for programs. It
is not in the structured content, since some clients hold that against the tool's output
schema even when the call failed.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any, cast

from mcp.types import CallToolResult, TextContent

from odooport import (
    Conflict,
    GatewayUnavailable,
    IdempotencyInFlight,
    InvalidRequest,
    OdooportError,
    Problem,
    RateLimited,
    RecordChange,
    RecordChanged,
    RecordMissing,
    SchemaChanged,
)

_logger = logging.getLogger(__name__)

ERROR_KEY = "odooport/error"
"""Where the error stands in the result's ``_meta``."""

_SHOWN = 10
"""How many problems the text names; the ``_meta`` has all of them."""


def refused(tool: str, error: Exception, request_id: str | None) -> CallToolResult:
    """Answer an error; one that is not ours is logged whole and answered blandly.

    Args:
        tool: Which tool failed.
        error: What it raised.
        request_id: What the request is called in the log.
    """
    if not isinstance(error, OdooportError) or error.code == OdooportError.code:
        _logger.error(
            "internal", exc_info=error, extra={"request_id": request_id, "tool": tool}
        )
        error = OdooportError(
            "Something went wrong in Odooport itself. A change may or may not be done. "
            f"The administrator finds more in the log under {request_id!r}."
        )
    meta: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "request_id": request_id,
    }
    text = [f"{error.code}: {error.message}"]
    if isinstance(error, InvalidRequest) and error.problems:
        meta["problems"] = [
            {"pointer": problem.pointer, "message": problem.message}
            for problem in error.problems
        ]
        unsaid = [it for it in error.problems if it.message not in error.message]
        text += [f"{it.pointer or '/'}: {it.message}" for it in unsaid[:_SHOWN]]
        if len(unsaid) > _SHOWN:
            text.append(f"and {len(unsaid) - _SHOWN} more")
    if isinstance(error, RateLimited | IdempotencyInFlight | GatewayUnavailable):
        meta["retry_after"] = error.retry_after
    if isinstance(error, RecordMissing) and error.ids:
        meta["ids"] = list(error.ids)
    if isinstance(error, RecordChanged):
        meta["changes"] = [asdict(change) for change in error.changes]
    if isinstance(error, SchemaChanged):
        meta |= {"model": error.model, "fingerprint": error.fingerprint}
    return CallToolResult(
        content=[TextContent(text="\n".join(text))],
        is_error=True,
        _meta={ERROR_KEY: meta},
    )


def error_of(result: CallToolResult) -> OdooportError:
    """Answer the error that a failed result tells of, as the class of its code."""
    meta = cast("Mapping[str, Any]", (result.meta or {}).get(ERROR_KEY) or {})
    code = str(meta.get("code", OdooportError.code))
    message = str(meta.get("message") or _text(result) or "The tool failed.")
    kind = next((it for it in _kinds(OdooportError) if it.code == code), OdooportError)
    if issubclass(kind, InvalidRequest):
        problems = [
            Problem(str(it["pointer"]), str(it["message"]))
            for it in meta.get("problems", ())
        ]
        return kind(message, problems)
    if issubclass(kind, RateLimited | IdempotencyInFlight):
        return kind(message, float(meta.get("retry_after", 0.0)))
    if issubclass(kind, GatewayUnavailable):
        return kind(message, retry_after=meta.get("retry_after"))
    if kind is Conflict and "changes" in meta:
        return RecordChanged(message, [_change(it) for it in meta["changes"]])
    if issubclass(kind, RecordMissing):
        return kind(message, [int(it) for it in meta.get("ids", ())])
    if issubclass(kind, SchemaChanged):
        return kind(
            message, str(meta.get("model", "")), str(meta.get("fingerprint", ""))
        )
    return kind(message)


def _change(told: Mapping[str, Any]) -> RecordChange:
    return RecordChange(
        int(told["id"]),
        tuple(map(str, told["fields"])),
        told.get("write_date"),
        told.get("write_uid"),
    )


def _text(result: CallToolResult) -> str:
    return "\n".join(it.text for it in result.content if isinstance(it, TextContent))


def _kinds(root: type[OdooportError]) -> Iterator[type[OdooportError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)
