"""Clean values outside, Odoo's inside: both ways, from the schema.

======================  ======================================  ======================
type                    outside                                 inside
======================  ======================================  ======================
empty (not a boolean)   ``null``                                ``False``
``many2one``            ``{"id": 20, "name": "Belgium"}``       ``[20, "Belgium"]``
``one2many``, ``many2many``  list of ids                        list of ids
``datetime``            ``"2026-11-22T16:29:54Z"``              UTC without ``T``, ``Z``
``reference``           ``{"model": "res.partner", "id": 3}``   ``"res.partner,3"``
``float``, ``monetary`` a number, rounded                       a float with noise
======================  ======================================  ======================

Writes take both columns. They refuse what Odoo would take and spoil: it empties a
many2one that is given as text, dict or pair, stores ``"false"`` on a boolean as true,
and cuts a text that is too long.
"""

import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from odooport import scalars
from odooport.errors import InvalidRequest, Problem
from odooport.model import Command, Record
from odooport.scalars import is_empty, is_integer, is_mapping, is_sequence, show
from odooport.schema import TEXTUAL, TO_MANY, Field, ModelSchema

type Schemas = Callable[[str], Awaitable[ModelSchema]]
"""Answers the schema of a model; raises ``OdooportError`` where there is none."""

MAX_DEPTH = 16
"""How deep x2many commands may nest records in records."""

MONEY_DIGITS = 6
"""To how many decimals an amount is rounded whose field does not say."""

# Out


def record_out(schema: ModelSchema, record: Mapping[str, Any]) -> Record:
    """Turn one record that Odoo answered into clean values.

    It fits ``read``, ``search_read`` and ``default_get``. Keys that are no fields of
    the schema stay as they are, and so do the contents of properties.
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


_OUT: dict[str, Callable[[Field, Any], Any]] = {
    "many2one": many2one_out,
    "one2many": _to_many_out,
    "many2many": _to_many_out,
    "float": _float_out,
    "monetary": _monetary_out,
    "datetime": _datetime_out,
    "reference": _reference_out,
    "many2one_reference": _record_number_out,
}

# In

_SET_BY_ODOO = frozenset({"id", "create_uid", "create_date", "write_uid", "write_date"})
NUMBERS = frozenset({"integer", "float", "monetary"})
_NEVER_EMPTY = NUMBERS | {"boolean"}
_DECIMAL = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)


async def values_in(
    schema: ModelSchema,
    values: Mapping[str, Any],
    schemas: Schemas,
    *,
    creating: bool,
    pointer: str = "",
) -> dict[str, Any]:
    """Check the values of one record and put them in Odoo's form.

    Args:
        schema: The model to write.
        values: Field names with clean values, or with what Odoo answered.
        schemas: Answers the schemas of related models, for records in x2many commands.
        creating: Whether a record is created; it cannot have lines to change then.
        pointer: Where the values stand in the request, as a JSON pointer.

    Raises:
        InvalidRequest: With a problem for every value that is wrong.
    """
    writer = _Writer(schemas)
    sent = await writer.record(schema, values, pointer, 0, creating=creating)
    writer.finish(schema)
    return sent


async def many_in(
    schema: ModelSchema,
    rows: Sequence[Mapping[str, Any]],
    schemas: Schemas,
    *,
    creating: bool,
) -> list[dict[str, Any]]:
    """Check the values of many records; pointers are such as ``/3/name``.

    Args:
        schema: The model to write.
        rows: The values of each record.
        schemas: Answers the schemas of related models.
        creating: Whether records are created.

    Raises:
        InvalidRequest: With a problem for every value that is wrong, in any record.
    """
    writer = _Writer(schemas)
    sent = [
        await writer.record(schema, values, f"/{index}", 0, creating=creating)
        for index, values in enumerate(rows)
    ]
    writer.finish(schema)
    return sent


class _Writer:
    """Converts the values of records, nested ones included; collects what is wrong."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._problems: list[Problem] = []

    def finish(self, schema: ModelSchema) -> None:
        if self._problems:
            raise scalars.refusal(f"What to write on {schema.model!r}", self._problems)

    async def record(
        self, schema: ModelSchema, values: Any, at: str, depth: int, *, creating: bool
    ) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        if not is_mapping(values):
            self._problem(
                at, f"A record's values are fields with values, not {show(values)}."
            )
            return sent
        for name, value in values.items():
            place = f"{at}/{_escaped(str(name))}"
            try:
                field = _writable(schema, name)
                if field.type in TO_MANY:
                    sent[name] = await self._to_many(
                        field, value, place, depth, creating=creating
                    )
                else:
                    sent[name] = _in(field, value)
            except InvalidRequest as wrong:
                self._problem(place, wrong.message)
        return sent

    async def _to_many(
        self, field: Field, value: Any, at: str, depth: int, *, creating: bool
    ) -> list[list[Any]]:
        if not is_sequence(value):
            raise InvalidRequest(
                f"{field.name!r} takes a list of ids of {field.relation!r} records, or "
                f"of commands, not {show(value)}. To leave it as it is, leave it out; "
                "an empty list removes all."
            )
        if not any(map(is_sequence, value)):
            return [Command.set([_id_in(field, item) for item in value])]
        sent: list[list[Any]] = []
        for index, item in enumerate(value):
            place = f"{at}/{index}"
            try:
                sent.append(
                    await self._command(field, item, place, depth, creating=creating)
                )
            except InvalidRequest as wrong:
                self._problem(place, wrong.message)
        return sent

    async def _command(
        self, field: Field, item: Any, at: str, depth: int, *, creating: bool
    ) -> list[Any]:
        code, number, values = _command_parts(field, item)
        if creating and code in (Command.UPDATE, Command.DELETE, Command.UNLINK):
            raise InvalidRequest(
                f"A new record has no {field.name!r} yet, so there is nothing to "
                f"{code.name.lower()}."
            )
        match code:
            case Command.CREATE | Command.UPDATE:
                if depth >= MAX_DEPTH:
                    raise InvalidRequest(f"Records nest deeper than {MAX_DEPTH}.")
                made = code is Command.CREATE
                if not made:
                    number = scalars.record_id(field, number)
                comodel = await self._schemas(_relation(field))
                nested = await self.record(
                    comodel, values, f"{at}/2", depth + 1, creating=made
                )
                if made:
                    return Command.create(nested)
                return Command.update(number, nested)
            case Command.DELETE:
                return Command.delete(scalars.record_id(field, number))
            case Command.UNLINK:
                return Command.unlink(scalars.record_id(field, number))
            case Command.LINK:
                return Command.link(scalars.record_id(field, number))
            case Command.CLEAR:
                return Command.clear()
            case Command.SET:
                if not is_sequence(values):
                    raise InvalidRequest(
                        f"The command 6 takes a list of ids, [6, 0, [1, 2]], "
                        f"not {show(values)}."
                    )
                return Command.set([_id_in(field, value) for value in values])

    def _problem(self, at: str, message: str) -> None:
        self._problems.append(Problem(at, message))


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _writable(schema: ModelSchema, name: Any) -> Field:
    if not isinstance(name, str):
        raise InvalidRequest(f"A field is named by text, not {show(name)}.")
    if name in _SET_BY_ODOO:
        raise InvalidRequest(f"{name!r} is set by Odoo; leave it out.")
    return schema.field(name)


def _relation(field: Field) -> str:
    if field.relation is None:
        raise InvalidRequest(f"{field.name!r} does not say which model it names.")
    return field.relation


def _command_parts(field: Field, item: Any) -> tuple[Command, Any, Any]:
    if not is_sequence(item):
        raise InvalidRequest(
            f"{field.name!r} takes either a list of ids or a list of commands, not "
            f"both: {show(item)} is no command. [4, id, 0] adds a record."
        )
    if (
        not 1 <= len(item) <= 3
        or not is_integer(item[0])
        or item[0] not in set(Command)
        or isinstance(item[-1], str)
    ):
        raise InvalidRequest(
            f"{show(item)} is no command for {field.name!r}. Commands are "
            "[0, 0, values] create, [1, id, values] update, [2, id, 0] delete, "
            "[3, id, 0] unlink, [4, id, 0] link, [5, 0, 0] clear and [6, 0, ids] set."
        )
    code, number, values = (*item, None, None)[:3]
    return Command(code), number, values


def _id_in(field: Field, value: Any) -> int:
    if is_mapping(value) and "id" in value:
        return scalars.record_id(field, value["id"])
    if is_mapping(value):
        raise InvalidRequest(
            f"{show(value)} for {field.name!r} has no id. To create a record there, "
            "send the command [0, 0, {…}]."
        )
    return scalars.record_id(field, value)


def _in(field: Field, value: Any) -> Any:
    if is_empty(value):
        return _empty_in(field, value)
    convert = _IN.get(field.type)
    return value if convert is None else convert(field, value)


def _empty_in(field: Field, value: Any) -> bool:
    """Answer Odoo's empty, which is 0 for a number."""
    if field.type in NUMBERS and value is False:
        raise InvalidRequest(
            f"{field.name!r} is a {field.type} field: send a number, not false."
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
            f"{field.name!r} holds {field.size} characters; this text has {len(text)}."
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


def _many2one_in(field: Field, value: Any) -> int:
    if scalars.is_pair(value):
        value = value[0]
    elif is_mapping(value) and "id" in value:
        value = value["id"]
    if not is_integer(value):
        raise InvalidRequest(
            f"{field.name!r} takes the id of a {field.relation!r} record, not "
            f"{show(value)}: search {field.relation} for its id and send that."
        )
    return scalars.record_id(field, value)


def _binary_in(field: Field, value: Any) -> str:
    """Answer base64 text; bytes are the content itself."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if not isinstance(value, str):
        raise InvalidRequest(
            f"{field.name!r} is binary: send its content as base64 text, "
            f"not {show(value)}."
        )
    text = "".join(value.split())
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            f"{field.name!r} is binary: this text is not base64. Send the content "
            "alone, without a 'data:' prefix."
        ) from None
    return text


def _json_in(field: Field, value: Any) -> Any:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequest(
            f"{field.name!r} is a {field.type} field: {show(value)} is not JSON."
        ) from None
    return value


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
    "many2one": _many2one_in,
    "reference": scalars.reference,
    "binary": _binary_in,
    **dict.fromkeys(("json", "properties", "properties_definition"), _json_in),
}
