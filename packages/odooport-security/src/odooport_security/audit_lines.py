"""What a line of the audit says of an event: names and counts, and no secrets."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from odooport.errors import AuthenticationFailed, PermissionDenied, RateLimited
from odooport.model import Record
from odooport.ports import AuditEvent
from odooport.scalars import is_mapping, is_sequence
from odooport_security.chain import encode, to_text
from odooport_security.sensitive import SENSITIVE_MODELS, is_secret

_MOST_NAMES = 100
"""How many ids, fields and records one line names; it counts them all."""

_MOST_TEXT = 500
_MOST_NAME = 100
_MOST_BYTES = 32_768
"""How much room the records before a write may take, and those after it."""

_MOST_DEPTH = 4
_BIGGEST = 2**63
_STARS = "***"

_OURS = frozenset(
    kind.code for kind in (AuthenticationFailed, PermissionDenied, RateLimited)
)
"""Outcomes whose reason is told in our words alone. Others, above all Odoo's, may quote
the values of a record, which do not belong in an audit."""


def line_of(event: AuditEvent, now: datetime) -> bytes:
    """Answer what the audit says of an event, ready for its place in the chain.

    Raises:
        ValueError: It holds something that cannot be written down.
        TypeError: Likewise.
    """
    caller, call = event.caller, event.call
    login = call and caller.principal.credentials.get(call.instance)
    facts: dict[str, Any] = {
        "time": to_text(now),
        "kind": "request" if call is None else "call",
        "door": caller.door,
        "subject": _cut(caller.principal.subject),
        "key": _cut(caller.principal.name),
        "role": _cut(caller.principal.role),
        "address": None if caller.address is None else _cut(caller.address),
        "request_id": _cut(caller.request_id),
        "instance": call and _cut(call.instance),
        "login": login and _cut(login.login),
        "model": call and _cut(call.model),
        "method": call and _cut(call.method),
        "operation": event.operation and event.operation.value,
        "ids": [_number(item) for item in event.ids[:_MOST_NAMES]],
        "id_count": len(event.ids),
        "fields": [_cut(name, _MOST_NAME) for name in event.fields[:_MOST_NAMES]],
        "field_count": len(event.fields),
        "outcome": event.outcome,
        "reason": _cut(event.reason or "") if event.outcome in _OURS else None,
        "rule": None if event.rule is None else _cut(event.rule),
        "milliseconds": (
            None if event.milliseconds is None else round(event.milliseconds, 3)
        ),
    }
    if event.before is not None:
        facts |= _records("before", call.model if call else "", event.before)
    if event.after is not None:
        facts |= _records("after", call.model if call else "", event.after)
    return encode(facts)


def _records(name: str, model: str, records: Sequence[Record]) -> Mapping[str, Any]:
    """Answer records with their values, as many as there is room for."""
    kept: list[Any] = []
    room = _MOST_BYTES
    for record in records[:_MOST_NAMES]:
        shown = _record(model, record)
        room -= len(encode(shown))
        if room < 0:
            break
        kept.append(shown)
    return {name: kept, f"{name}_count": len(records)}


def _record(model: str, record: Record) -> dict[str, Any]:
    closed = model in SENSITIVE_MODELS
    return {
        _cut(field, _MOST_NAME): (
            _STARS
            if (closed and field != "id") or is_secret(model, field)
            else _value(value)
        )
        for field, value in record.items()
    }


def _value(value: Any, depth: int = 0) -> Any:
    """Answer a value of Odoo in what JSON can say, cut to a bound."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _number(value)
    if isinstance(value, float):
        return value if abs(value) < _BIGGEST else str(value)
    if depth < _MOST_DEPTH and is_mapping(value):
        shown = list(value.items())[:_MOST_NAMES]
        return {
            _cut(str(key), _MOST_NAME): (
                _STARS if is_secret("", str(key)) else _value(item, depth + 1)
            )
            for key, item in shown
        }
    if depth < _MOST_DEPTH and is_sequence(value):
        return [_value(item, depth + 1) for item in value[:_MOST_NAMES]]
    return _cut(str(value))


def _number(value: int) -> int | str:
    """Answer a number, or what is said of one that no record can have."""
    return value if -_BIGGEST < value < _BIGGEST else "…"


def _cut(text: str, most: int = _MOST_TEXT) -> str:
    return text if len(text) <= most else text[:most] + "…"
