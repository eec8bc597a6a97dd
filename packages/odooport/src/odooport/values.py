"""Single values of fields: clean ones outside, Odoo's inside, from the schema.

======================  ======================================  ======================
type                    outside                                 inside
======================  ======================================  ======================
empty (not a boolean)   ``null``                                ``False``
``many2one``            ``{"id": 20, "name": "Belgium"}``       ``[20, "Belgium"]``
``one2many``, ``many2many``  list of ids                        list of ids
``datetime``            ``"2026-11-22T16:29:54Z"``              UTC without ``T``, ``Z``
``reference``           ``{"model": "res.partner", "id": 3}``   ``"res.partner,3"``
``float``, ``monetary`` a number, rounded                       a float with noise
``properties``          ``{"Colour": "blue"}``, by label        definitions with values
``properties_definition``  ``[{"name", "label", "type", …}]``   with ``string``
======================  ======================================  ======================

``record_out`` and ``value_out`` turn what Odoo answered into the column outside.
``value_in`` takes both columns and answers the one inside. It refuses what Odoo would
take and spoil: Odoo stores ``"false"`` on a boolean as true and cuts a text that is too
long. Relations and properties, which take more than the value, go in by ``writing``.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from odooport import scalars
from odooport.errors import InvalidRequest
from odooport.model import Command, Record
from odooport.properties import MANY_VALUES, SEPARATOR, are_definitions, keys_of
from odooport.scalars import is_empty, is_integer, is_mapping, is_sequence, show
from odooport.schema import TEXTUAL, Field, ModelSchema

MONEY_DIGITS = 6
"""To how many decimals an amount is rounded whose field does not say."""

# Out


def record_out(schema: ModelSchema, record: Mapping[str, Any]) -> Record:
    """Turn one record that Odoo answered into clean values.

    It fits ``read``, ``search_read`` and ``default_get``. Keys that are no fields of
    the schema stay as they are.
    """
    fields = schema.fields
    clean: Record = {}
    for name, value in record.items():
        field = fields.get(name)
        clean[name] = value if field is None else value_out(field, value)
    return clean


def value_out(field: Field, value: Any) -> Any:
    """Turn one value of a field into its clean form."""
    if value is None or value is False:
        return False if field.type == "boolean" else None
    convert = _OUT.get(field.type)
    return value if convert is None else convert(field, value)


def many2one_out(field: Field, value: Any) -> Any:
    """Answer id and name; where Odoo gave a bare id, there is no name."""
    if is_sequence(value) and len(value) == 2:
        return {"id": value[0], "name": value[1] or None}
    if is_integer(value):
        return {"id": value, "name": None} if value else None
    return value


def _to_many_out(field: Field, value: Any) -> Any:
    """Answer ids; ``default_get`` gives commands, which here set and link records."""
    if not is_sequence(value) or not any(map(is_sequence, value)):
        return value
    ids: list[Any] = []
    for item in value:
        match item:
            case [Command.SET, _, [*several]]:
                ids = several
            case [Command.LINK, number, *_]:
                ids.append(number)
            case _:
                return value
    return ids


def _float_out(field: Field, value: Any) -> Any:
    """Round to the field's digits; 0.0 is added so that no -0.0 goes out."""
    if field.digits is None or not isinstance(value, float):
        return value
    return round(value, field.digits[1]) + 0.0


def _monetary_out(field: Field, value: Any) -> Any:
    """Round to more decimals than currencies have: only a float's noise goes."""
    if not isinstance(value, float):
        return value
    return round(value, field.digits[1] if field.digits else MONEY_DIGITS) + 0.0


def _date_out(field: Field, value: Any) -> Any:
    """Fill up the year: Odoo answers the first day of the calendar as ``1-01-01``."""
    return value.zfill(10) if isinstance(value, str) else value


def _datetime_out(field: Field, value: Any) -> Any:
    if isinstance(value, str) and len(value) >= 19:
        return f"{value[:10]}T{value[11:]}Z"
    return value


def _reference_out(field: Field, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    model, _, number = value.rpartition(",")
    return {"model": model, "id": int(number)} if number.isdigit() else value


def _record_number_out(field: Field, value: Any) -> Any:
    """Answer the id of a many2one_reference, whose 0 stands for none."""
    return value or None


def _properties_out(field: Field, value: Any) -> Any:
    """Answer labels with values; headings have none and are left out."""
    if not are_definitions(value):
        return value
    return {
        key: _property_out(item, item.get("value"))
        for item, key in zip(value, keys_of(value), strict=True)
        if item["type"] != SEPARATOR
    }


def _property_out(item: Mapping[str, Any], value: Any) -> Any:
    """Answer one value; nothing chosen of many is an empty list."""
    kind = item["type"]
    if is_empty(value):
        if kind in MANY_VALUES:
            return []
        return False if kind == "boolean" else None
    if kind == "many2many" and is_sequence(value):
        return [many2one_out(_PROPERTY, each) for each in value]
    convert = _OUT.get(kind)
    return value if convert is None else convert(_PROPERTY, value)


_PROPERTY = Field("property", "char")
"""Stands in for a property where converters want a field; they read no more of it."""


def _definitions_out(field: Field, value: Any) -> Any:
    """Answer definitions of properties in the words of this library."""
    if not are_definitions(value):
        return value
    shown: list[Any] = []
    for item in value:
        rest = {
            key: value
            for key, value in item.items()
            if key not in ("name", "string", "type", "default")
        }
        clean = {"name": item["name"], "label": item.get("string") or None}
        clean |= {"type": item["type"], **rest}
        if "default" in item:
            clean["default"] = _property_out(item, item["default"])
        shown.append(clean)
    return shown


_OUT: dict[str, Callable[[Field, Any], Any]] = {
    "many2one": many2one_out,
    "one2many": _to_many_out,
    "many2many": _to_many_out,
    "float": _float_out,
    "monetary": _monetary_out,
    "date": _date_out,
    "datetime": _datetime_out,
    "reference": _reference_out,
    "many2one_reference": _record_number_out,
    "properties": _properties_out,
    "properties_definition": _definitions_out,
}

# In

NUMBERS = frozenset({"integer", "float", "monetary"})
_NEVER_EMPTY = NUMBERS | {"boolean"}
_DECIMAL = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)


def value_in(field: Field, value: Any) -> Any:
    """Check one value of a field and put it in Odoo's form.

    Args:
        field: The field; no relation to one or many records, and no properties.
        value: The clean value, or what Odoo answered.

    Raises:
        InvalidRequest: The value is wrong; the message says what is right.
    """
    if is_empty(value):
        return _empty_in(field, value)
    convert = _IN.get(field.type)
    return value if convert is None else convert(field, value)


def _empty_in(field: Field, value: Any) -> bool:
    """Answer Odoo's empty, which is 0 for a number."""
    if field.type in NUMBERS and value is False:
        raise InvalidRequest(
            f"{field.name!r} is a {field.type} field: send a number such as 0, "
            "not false."
        )
    if field.required and field.stored and field.type not in _NEVER_EMPTY:
        raise InvalidRequest(_required(field))
    return False


def _required(field: Field) -> str:
    return (
        f"{field.name!r} is required: it cannot be empty. Leave it out to keep its "
        "value, or its default on a new record."
    )


def _text_in(field: Field, value: Any) -> str:
    text = scalars.text(field, value)
    if not text and field.required and field.stored:
        raise InvalidRequest(_required(field))
    if field.size is not None and len(text) > field.size:
        raise InvalidRequest(
            f"{field.name!r} holds {field.size} characters; this text has "
            f"{len(text)}. Shorten it."
        )
    return text


def _money_in(field: Field, value: Any) -> float:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return float(value)
    if isinstance(value, str):
        raise InvalidRequest(
            f"{field.name!r} is an amount: send a number, or a decimal as text such as "
            f"'12.50', not {show(value)}."
        )
    return scalars.number(field, value)


def _datetime_in(field: Field, value: Any) -> str:
    """Answer whole seconds: Odoo's write refuses fractions."""
    return scalars.odoo_datetime(scalars.moment(field, value).replace(microsecond=0))


def _binary_in(field: Field, value: Any) -> str:
    """Answer base64 text; bytes are the content itself."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if not isinstance(value, str):
        raise InvalidRequest(
            f"{field.name!r} is binary: send its content as base64 text such as "
            f"'aGVsbG8=', not {show(value)}."
        )
    text = "".join(value.split())
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            f"{field.name!r} is binary: this text is not base64. Send the content "
            "alone such as 'aGVsbG8=', without a 'data:' prefix."
        ) from None
    return text


def _json_in(field: Field, value: Any) -> Any:
    """Answer JSON whose texts, keys included, can be stored."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequest(
            f"{field.name!r} is a {field.type} field: send JSON such as {{'a': [1]}}; "
            f"{show(value)} is not JSON."
        ) from None
    inside = [value]
    while inside:
        item = inside.pop()
        if isinstance(item, str):
            scalars.storable(field, item)
        elif is_mapping(item):
            inside += [*item.keys(), *item.values()]
        elif is_sequence(item):
            inside += item
    return value


PROPERTY_TYPES = (
    "boolean",
    "integer",
    "float",
    "char",
    "text",
    "html",
    "date",
    "datetime",
    "monetary",
    "selection",
    "tags",
    "many2one",
    "many2many",
    "separator",
)
"""What a property may be: Odoo 18's types, and text, html and monetary of Odoo 19.
Source: ``odoo/fields.py`` and ``odoo/orm/fields_properties.py``."""


def _definitions_in(field: Field, value: Any) -> Any:
    """Answer definitions of properties in Odoo's words."""
    value = _json_in(field, value)
    if not are_definitions(value):
        raise InvalidRequest(
            f"{field.name!r} holds the definitions of properties: send a list such as "
            f"[{{'name': 'colour', 'label': 'Colour', 'type': 'char'}}], "
            f"not {show(value)}."
        )
    sent: list[dict[str, Any]] = []
    for item in value:
        inside = dict(item)
        if (kind := inside.get("type")) not in PROPERTY_TYPES:
            raise InvalidRequest(
                f"{show(kind)} is no type of a property in {field.name!r}. The types "
                f"are {', '.join(PROPERTY_TYPES)}."
            )
        if "label" in inside:
            inside["string"] = inside.pop("label") or ""
        if "default" in inside:
            inside["default"] = _default_in(inside["default"])
        sent.append(inside)
    return sent


def _default_in(value: Any) -> Any:
    """Answer a default as Odoo takes it; records may come as they are read."""
    if value is None:
        return False
    if is_mapping(value) and "id" in value:
        return value["id"]
    return [_default_in(each) for each in value] if is_sequence(value) else value


_IN: dict[str, Callable[[Field, Any], Any]] = {
    "boolean": scalars.boolean,
    "integer": scalars.integer,
    "many2one_reference": scalars.integer,
    "float": scalars.number,
    "monetary": _money_in,
    **dict.fromkeys(TEXTUAL, _text_in),
    "selection": scalars.choice,
    "date": scalars.day,
    "datetime": _datetime_in,
    "reference": scalars.reference,
    "binary": _binary_in,
    "json": _json_in,
    "properties_definition": _definitions_in,
}
