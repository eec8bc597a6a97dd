"""How Odoo 18 takes the values of ``create`` and ``write`` (``odoo/fields.py``).

With its quirks: what a real one swallows silently is swallowed here too, since callers
must be protected from it.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from odooport_adapters.memory import faults
from odooport_adapters.memory.registry import Field, Model
from odooport_adapters.memory.search import INT4

_DAY = "%Y-%m-%d"
_MOMENT = "%Y-%m-%d %H:%M:%S"
_SCRIPT = re.compile(r"<(script|style|iframe|object)\b.*?(</\1\s*>|$)", re.I | re.S)
_HANDLER = re.compile(r"\son\w+\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.I)
_BLOCK = re.compile(r"\s*<(p|div|h[1-6]|ul|ol|table|section|blockquote|pre)\b", re.I)
_INLINE = re.compile(r"\s*<[a-z]", re.I)
_LONE = re.compile(r"<([a-z]\w*)[^>]*>[^<]*</\1\s*>|<br\s*/?>", re.I)
"""One element: Odoo leaves it as it is, and wraps what has several."""


def convert(model: Model, field: Field, value: Any, *, creating: bool) -> Any:
    """Answer the value as it is stored.

    Args:
        model: The field's model.
        field: Any stored field but a one2many or many2many.
        value: What the caller gave.
        creating: ``create`` crashes over a many2one that is no id; ``write`` silently
            empties it.

    Raises:
        OdooFailed: The value does not fit; Odoo crashes with the same exception.
    """
    if field.type == "many2one":
        return _many2one(value, creating=creating)
    take: Callable[[Any], Any] = _CONVERT.get(field.type, _as_is)
    try:
        if field.type == "selection":
            return _selection(model, field, value)
        stored = take(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise faults.crash_of(error) from error
    if field.type in ("integer", "many2one_reference"):
        return _int4(stored)
    if field.type in ("float", "monetary"):
        return round(stored, _places(field))
    size = field.attributes.get("size")
    return stored[:size] if size and isinstance(stored, str) else stored


def _int4(number: int) -> int:
    if -INT4 <= number < INT4:
        return number
    kind = "psycopg2.errors.NumericValueOutOfRange"
    raise faults.crash(kind, "integer out of range")


def _many2one(value: Any, *, creating: bool) -> int | None:
    if type(value) is int and value:
        return value
    if not creating or value in (False, None, ""):
        # ``write`` takes anything but an id for nothing (``fields.py``, 3246).
        return None
    kind = "psycopg2.errors.InvalidTextRepresentation"
    raise faults.crash(kind, f"invalid input syntax for type integer: {value!r}")


def _selection(model: Model, field: Field, value: Any) -> str | None:
    if value is None or value is False or value == "":
        return None
    if value not in field.keys:
        text = f"Wrong value for {model.name}.{field.name}: {value!r}"
        raise ValueError(text)
    return str(value)


def _places(field: Field) -> int:
    digits = field.attributes.get("digits")
    if digits:
        return int(digits[1])
    return 2 if field.type == "monetary" else 10


def _as_is(value: Any) -> Any:
    return None if value is False else value


def _text(value: Any) -> str | None:
    if value is None or value is False:
        return None
    text = value if isinstance(value, str) else str(value)
    if "\x00" in text:
        message = "A string literal cannot contain NUL (0x00) characters."
        raise ValueError(message)
    return text


def _html(value: Any) -> str | None:
    if not value:
        return None
    text = str(value).replace("\x00", "")
    text = _HANDLER.sub("", _SCRIPT.sub("", text)).strip()
    if not text or _BLOCK.match(text) or _LONE.fullmatch(text):
        return text
    if _INLINE.match(text):
        return f"<span>{text}</span>"
    return f"<p>{text}</p>"


def _integer(value: Any) -> int:
    return int(value or 0)


def _float(value: Any) -> float:
    number = float(value or 0.0)
    if not math.isfinite(number):
        message = f"{number} is no number that a database keeps"
        raise ValueError(message)
    return number


def _date(value: Any) -> str | None:
    if not value:
        return None
    return datetime.strptime(value[:10], _DAY).strftime(_DAY)


def _datetime(value: Any) -> str | None:
    if not value:
        return None
    if len(value) == len("2026-01-01"):
        value += " 00:00:00"
    moment = datetime.strptime(value, _MOMENT)
    return moment.strftime(_MOMENT) + ".000000"


_CONVERT: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "boolean": bool,
        "char": _text,
        "text": _text,
        "html": _html,
        "integer": _integer,
        "many2one_reference": _integer,
        "float": _float,
        "monetary": _float,
        "date": _date,
        "datetime": _datetime,
    }
)
