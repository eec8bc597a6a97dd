"""Single values of fields: what callers send, checked and put in Odoo's form.

Domains and written values share these. Every function raises ``InvalidRequest`` with a
message that names the field and says what would be right; who collects many of them
makes each a ``Problem`` and ends with ``refusal``.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from difflib import get_close_matches
from math import isfinite
from reprlib import Repr
from typing import Any, TypeGuard

from odooport.errors import InvalidRequest, Problem
from odooport.schema import Field

INT4_MAX = 2**31 - 1
"""The largest id and the largest integer that Odoo's columns hold."""

_TEXTS = {"html": "<p>Some text</p>"}
"""Examples of text, where a type has its own kind."""

_SHOWN_PROBLEMS = 10
_SHOWN_CHOICES = 20

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII
)
_REFERENCE = re.compile(r"([a-z_][a-z0-9_.]*),([1-9]\d{0,9})", re.ASCII)
_REPR = Repr(maxstring=80, maxother=80, maxlist=6, maxtuple=6, maxdict=4, maxlevel=3)


def show(value: Any) -> str:
    """Answer a short ``repr`` for a message."""
    if isinstance(value, int) and value.bit_length() > 128:
        return "a very large integer"
    return _REPR.repr(value)


def refusal(subject: str, problems: Sequence[Problem]) -> InvalidRequest:
    """Build the error that tells every problem at once.

    Args:
        subject: What is wrong, such as ``The domain``.
        problems: What is wrong with it; at least one.

    Returns:
        The error to raise; its message stands alone.
    """
    if len(problems) == 1:
        (only,) = problems
        place = f" at {only.pointer}" if only.pointer else ""
        return InvalidRequest(f"{subject} is wrong{place}: {only.message}", problems)
    texts = [f"{subject} has {len(problems)} problems."]
    for problem in problems[:_SHOWN_PROBLEMS]:
        place = f"At {problem.pointer}: " if problem.pointer else ""
        texts.append(f"{place}{problem.message}")
    if len(problems) > _SHOWN_PROBLEMS:
        texts.append(f"And {len(problems) - _SHOWN_PROBLEMS} more.")
    return InvalidRequest(" ".join(texts), problems)


def below(pointer: str, name: object) -> str:
    """Answer the JSON pointer of a member of what another one points to.

    Args:
        pointer: Where the object stands.
        name: The member's name.
    """
    return f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"


def is_sequence(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether the value is a list or a tuple."""
    return isinstance(value, list | tuple)


def is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Whether the value is a mapping."""
    return isinstance(value, Mapping)


def is_integer(value: Any) -> TypeGuard[int]:
    """Whether the value is an integer and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_empty(value: Any) -> bool:
    """Whether the value is null, or Odoo's False for it."""
    return value is None or value is False


def is_pair(value: Any) -> TypeGuard[Sequence[Any]]:
    """Whether the value is a many2one as Odoo reads it: ``[id, name]``."""
    return (
        is_sequence(value)
        and len(value) == 2
        and is_integer(value[0])
        and isinstance(value[1], str)
    )


def boolean(field: Field, value: Any) -> bool:
    """Answer true or false; null is false."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise InvalidRequest(
            f"{field.name!r} is a boolean: send true or false, not {show(value)}."
        )
    return value


def integer(field: Field, value: Any) -> int:
    """Answer a whole number that fits Odoo's column."""
    if not is_integer(value):
        raise InvalidRequest(
            f"{field.name!r} is an integer: send a whole number such as 7, "
            f"not {show(value)}."
        )
    if abs(value) > INT4_MAX:
        raise InvalidRequest(
            f"{field.name!r} holds whole numbers from -{INT4_MAX} to {INT4_MAX}; "
            f"{show(value)} is beyond."
        )
    return value


def number(field: Field, value: Any) -> float:
    """Answer a finite number."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise InvalidRequest(
            f"{field.name!r} is a {field.type} field: send a number such as 12.5, "
            f"not {show(value)}."
        )
    if not is_finite(value):
        raise InvalidRequest(
            f"{field.name!r} takes finite numbers such as 12.5, not {show(value)}."
        )
    return value


def is_finite(value: float) -> bool:
    """Whether the number is finite and fits a float."""
    try:
        return isfinite(value)
    except OverflowError:
        return False


def text(field: Field, value: Any) -> str:
    """Answer a text that PostgreSQL and UTF-8 can hold."""
    if not isinstance(value, str):
        raise InvalidRequest(
            f"{field.name!r} is a {field.type} field: send text such as "
            f"{_TEXTS.get(field.type, 'Some text')!r}, not {show(value)}."
        )
    return storable(field, value)


def storable(field: Field, value: str) -> str:
    """Answer the text if it can be stored.

    Odoo crashes on NUL (its driver refuses it) and on a lone surrogate (it is no
    Unicode text).
    """
    if "\x00" in value:
        raise InvalidRequest(
            f"The text for {field.name!r} has a NUL character, which cannot be stored; "
            "take it out."
        )
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise InvalidRequest(
            f"The text for {field.name!r} is not valid Unicode at character "
            f"{exc.start}: it has half of a surrogate pair. Send whole characters."
        ) from None
    return value


def choice(field: Field, value: Any) -> str:
    """Answer one of the selection's values.

    A selection whose values are unknown here takes any text.
    """
    allowed = [key for key, _ in field.selection]
    if isinstance(value, str) and (value in allowed or not allowed):
        return storable(field, value)
    shown = ", ".join(map(repr, allowed[:_SHOWN_CHOICES]))
    more = len(allowed) - _SHOWN_CHOICES
    rest = f" and {more} more" if more > 0 else ""
    raise InvalidRequest(
        f"{show(value)} is not a value of {field.name!r}{_closest(field, value)} "
        f"Its values are {shown}{rest}."
    )


def _closest(field: Field, value: Any) -> str:
    """Say which value the caller may have meant: by its label, or by its spelling."""
    if not isinstance(value, str):
        return "."
    folded = value.casefold()
    names = {key.casefold(): key for key, _ in field.selection}
    labels = {label.casefold(): key for key, label in field.selection}
    if folded in labels:
        return f"; did you mean {labels[folded]!r}?"
    close = get_close_matches(folded, names, n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else "."


def day(field: Field, value: Any) -> str:
    """Answer a date as ``YYYY-MM-DD``."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            raise InvalidRequest(
                f"{value!r} for {field.name!r} is not a day of the calendar; "
                "send one such as '2026-11-22'."
            ) from None
    raise InvalidRequest(
        f"{field.name!r} is a date: send it as YYYY-MM-DD such as '2026-11-22', "
        f"without a time, not {show(value)}."
    )


def moment(field: Field, value: Any) -> datetime:
    """Answer a date with its time as naive UTC; a time without an offset is UTC.

    Odoo itself ignores the offset of a datetime in a domain, and writes nothing but
    its own form.
    """
    parsed = value if isinstance(value, datetime) else _moment(field, value)
    if parsed.tzinfo is None:
        return parsed
    try:
        return parsed.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        raise InvalidRequest(
            f"{show(value)} for {field.name!r} is outside of the calendar in UTC; "
            "send a moment of the years 1 to 9999."
        ) from None


def _moment(field: Field, value: Any) -> datetime:
    if not isinstance(value, str) or not _DATETIME.fullmatch(value):
        raise InvalidRequest(
            f"{field.name!r} is a datetime: send ISO 8601 such as "
            f"'2026-11-22T16:30:00Z', not {show(value)}."
        )
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise InvalidRequest(
            f"{show(value)} for {field.name!r} is not a moment of the calendar; "
            "send one such as '2026-11-22T16:30:00Z'."
        ) from None


def odoo_datetime(value: datetime) -> str:
    """Answer a naive UTC datetime in Odoo's form; a fraction only if there is one."""
    return value.isoformat(
        sep=" ", timespec="microseconds" if value.microsecond else "seconds"
    )


def record_id(field: Field, value: Any) -> int:
    """Answer the id of a record that exists or may exist."""
    if not is_integer(value):
        raise InvalidRequest(
            f"{field.name!r} takes ids of {field.relation!r} records, whole numbers "
            f"such as 7, not {show(value)}."
        )
    if not 0 < value <= INT4_MAX:
        raise InvalidRequest(
            f"{show(value)} cannot be the id of a {field.relation!r} record "
            f"for {field.name!r}: ids go from 1 to {INT4_MAX}."
        )
    return value


def reference(field: Field, value: Any) -> str:
    """Answer a reference in Odoo's form, ``model,id``.

    Args:
        field: The reference field; its selection names the models it may point to.
        value: ``"res.partner,3"`` or ``{"model": "res.partner", "id": 3}``.
    """
    spelled = value
    if is_mapping(value) and {"model", "id"} <= value.keys():
        spelled = f"{value['model']},{value['id']}"
    match = _REFERENCE.fullmatch(spelled) if isinstance(spelled, str) else None
    if match is None or int(match[2]) > INT4_MAX:
        model = field.selection[0][0] if field.selection else "res.partner"
        raise InvalidRequest(
            f"{field.name!r} is a reference: send a model and an id such as "
            f"{{'model': {model!r}, 'id': 3}} or '{model},3', not {show(value)}."
        )
    if field.selection:
        choice(field, match[1])
    return match[0]
