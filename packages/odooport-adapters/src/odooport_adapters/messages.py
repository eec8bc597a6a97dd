"""The messages of JSON-RPC 2.0, which both of Odoo's JSON doors speak.

A method that returned None answers with neither ``result`` nor ``error``
(``odoo/http.py``, ``JsonRPCDispatcher._response``).
"""

import re
from collections.abc import Mapping
from typing import Any, cast

import msgspec

from odooport_adapters.http import unreadable
from odooport_adapters.rpc import WireRules

RULES = WireRules(
    "JSON-RPC",
    largest=2**53 - 1,  # what every JSON reader keeps exactly
    # PostgreSQL stores no NUL, and half a surrogate pair crashes Odoo (HTTP 500)
    forbidden=re.compile("[\x00\ud800-\udfff]"),
)
"""What a message can carry."""

CONTENT_TYPE = "application/json"
ACCEPT = frozenset({CONTENT_TYPE})


def encode(number: int, params: Mapping[str, Any]) -> bytes:
    """Write a request.

    Args:
        number: What the answer is told by.
        params: Plain values that the wire can carry.
    """
    request = {"jsonrpc": "2.0", "method": "call", "id": number, "params": params}
    return msgspec.json.encode(request)


def decode(body: bytes, number: int) -> dict[str, Any]:
    """Read an answer to a request.

    Raises:
        ValueError: It is none, or the decoder's own errors.
    """
    raw: Any = msgspec.json.decode(body)
    if not isinstance(raw, dict):
        raise ValueError("an answer is an object")
    answer = cast("dict[str, Any]", raw)
    if "error" in answer:
        if not isinstance(answer["error"], dict):
            raise ValueError("an error is an object")
        if answer.get("id") is None:  # Odoo could not read the request's number
            return answer
    if "jsonrpc" not in answer or answer.get("id") != number:
        raise ValueError("this answers another request")
    return answer


def read(
    body: bytes, number: int, *, writes: bool
) -> tuple[Any, Mapping[str, Any] | None]:
    """Answer the result in an answer, and the error in its place if there is one.

    Args:
        body: What came.
        number: What the request was told by.
        writes: Whether the call may have changed something.

    Raises:
        GatewayError: It is no answer to that request.
    """
    try:
        answer = decode(body, number)
    except (msgspec.MsgspecError, ValueError, RecursionError) as exc:
        raise unreadable(
            "Odoo's answer is no readable JSON-RPC.", writes=writes
        ) from exc
    return answer.get("result"), answer.get("error")
