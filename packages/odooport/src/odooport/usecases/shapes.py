"""The shapes of small things that callers give and Odoo answers: ids, field names."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

from odooport.errors import GatewayProtocolError, InvalidRequest, Problem, RecordMissing
from odooport.model import Plain, Record
from odooport.schema import RAW_BYTES, ModelSchema

MAX_IDS = 1_000
"""How many records one call may name."""

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,127}", re.ASCII)
_OWN_KEYS = {
    "lang": "lang",
    "tz": "tz",
    "allowed_company_ids": "company",
    "active_test": "archived",
}
"""Keys of Odoo's context that have an argument of their own."""

INT4 = 2**31 - 1
"""The largest id or offset: PostgreSQL keeps them in four bytes."""


def ids_in(raw: Sequence[int], name: str) -> tuple[int, ...]:
    """Check ids, without repeats, in the order given.

    Args:
        raw: What the caller gave.
        name: What the caller calls them.

    Raises:
        InvalidRequest: With a problem for each that is no id, or there are none, or
            too many.
    """
    if isinstance(raw, str | Mapping):
        raise InvalidRequest(f"{name}: give a list of ids, not {raw!r}.")
    items = list(raw)
    problems = [
        Problem(f"/{index}", f"{item!r} is no id: give a whole number above 0.")
        for index, item in enumerate(items)
        if type(item) is not int or not 0 < item <= INT4
    ]
    if problems:
        raise InvalidRequest(f"{name}: {problems[0].message}", problems)
    if not items:
        raise InvalidRequest(f"{name}: give at least one id.")
    if len(items) > MAX_IDS:
        raise InvalidRequest(
            f"{name}: {len(items)} ids are too many for one call; "
            f"give {MAX_IDS} at most."
        )
    return tuple(dict.fromkeys(items))


def extra_in(raw: Mapping[str, Any]) -> tuple[tuple[str, Plain], ...]:
    """Check further keys of a context.

    Raises:
        InvalidRequest: With a problem for each that is not possible.
    """
    problems: list[Problem] = []
    kept: list[tuple[str, Plain]] = []
    for name, value in raw.items():
        pointer = f"/extra/{name}"
        if (instead := _OWN_KEYS.get(name)) is not None:
            problems.append(Problem(pointer, f"Give {name!r} as {instead!r}."))
        elif not _KEY.fullmatch(name):
            problems.append(Problem(pointer, f"{name!r} is no key of a context."))
        elif _is_scalar(value):
            kept.append((name, value))
        elif isinstance(value, list | tuple) and all(map(_is_scalar, _each(value))):
            kept.append((name, tuple(_each(value))))
        else:
            text = f"{name!r} takes text, a number, a boolean, null, or a list of them."
            problems.append(Problem(pointer, text))
    if problems:
        text = " ".join(problem.message for problem in problems)
        raise InvalidRequest(f"extra: {text}", problems)
    return tuple(sorted(kept, key=lambda pair: pair[0]))


def _is_scalar(raw: Any) -> bool:
    return raw is None or isinstance(raw, bool | int | float | str)


def offset_in(raw: int) -> int:
    """Check how many records to skip.

    Raises:
        InvalidRequest: It is no number of records.
    """
    if type(raw) is not int or not 0 <= raw <= INT4:
        raise InvalidRequest(f"The offset must be a whole number from 0, not {raw!r}.")
    return raw


def field_names(schema: ModelSchema, names: Sequence[str] | None) -> list[str]:
    """Check the fields to read; empty stands for those that the use case chooses.

    Args:
        schema: The model that they are read from.
        names: What the caller gave.

    Raises:
        InvalidRequest: With a problem for each that cannot be read.
    """
    if names is None:
        return []
    if isinstance(names, str):
        raise InvalidRequest("fields: give a list of field names.")
    if not names:
        raise InvalidRequest("fields: give at least one field, or leave it out.")
    problems: list[Problem] = []
    for index, name in enumerate(names):
        if "." in name:
            first = name.split(".", 1)[0]
            text = f"{name!r} is a path: read {first!r} and then the record it names."
            problems.append(Problem(f"/{index}", text))
        elif name not in schema.fields:
            problems.append(Problem(f"/{index}", schema.unknown(name)))
        elif name == "raw" and schema.model in RAW_BYTES:
            text = "Odoo cannot send 'raw': read 'datas', the same content as base64."
            problems.append(Problem(f"/{index}", text))
    if problems:
        text = " ".join(problem.message for problem in problems)
        raise InvalidRequest(f"fields: {text}", problems)
    return list(dict.fromkeys(names))


def joined(names: Sequence[str], more: Sequence[str]) -> list[str]:
    """Answer names and more names, without repeats."""
    return list(dict.fromkeys([*names, *more]))


def are_records(raw: Any) -> TypeGuard[list[Record]]:
    """Whether an answer is a list of records."""
    return isinstance(raw, list) and all(isinstance(row, dict) for row in _each(raw))


def _are_ids(raw: Any) -> TypeGuard[list[int]]:
    return isinstance(raw, list) and all(type(item) is int for item in _each(raw))


def _each(raw: Any) -> Iterable[Any]:
    """Answer a list as what it is, a list of anything."""
    items: Iterable[Any] = raw
    return items


def id_list(raw: Any, model: str) -> list[int]:
    """Check an answer of ids; one alone makes a list of one.

    Raises:
        GatewayProtocolError: These are no ids.
    """
    ids = [raw] if type(raw) is int else raw
    if not _are_ids(ids):
        raise GatewayProtocolError(f"Odoo answered no ids of {model!r}.")
    return ids


def no_such_record(model: str, ids: Sequence[int]) -> RecordMissing:
    """Answer the error that names the records that are not there."""
    some = ", ".join(map(str, ids[:10])) + (", …" if len(ids) > 10 else "")
    return RecordMissing(
        f"{model!r} has no record with id {some}: it was deleted, or never was.", ids
    )


def unexpected(method: str, model: str) -> GatewayProtocolError:
    """Answer the error for an answer that cannot be read."""
    return GatewayProtocolError(
        f"Odoo answered {method!r} on {model!r} in a shape that it should not have."
    )
