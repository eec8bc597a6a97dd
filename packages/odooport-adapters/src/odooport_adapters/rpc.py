"""What the wires have in common: Odoo's services ``common`` and ``object``.

Their arguments are made here, in plain Python, and what no wire can carry is refused
here, before anything is sent. Sources: ``odoo/service/common.py`` and
``odoo/service/model.py`` of Odoo 18.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from odooport.errors import (
    AuthenticationFailed,
    GatewayProtocolError,
    InvalidRequest,
    Problem,
)
from odooport.model import Call, Credentials, Operation, ServerVersion, Session
from odooport.schema import RAW_BYTES
from odooport.signatures import operation_of, touches
from odooport_adapters.versions import by_position

INT4_MAX = 2**31 - 1
"""The largest id: PostgreSQL's ``integer``."""

API_KEY = re.compile(r"[0-9a-f]{40}")
"""An API key of Odoo (``addons/base/models/res_users.py``, ``API_KEY_SIZE``)."""

_DEPTH = 100
"""How deep arguments may be nested; real ones stay below ten."""


class SessionLost(AuthenticationFailed):
    """Odoo keeps no session for this login, so the call has not run.

    Another wire, which needs none, may still take it.
    """


@dataclass(frozen=True, slots=True)
class WireRules:
    """What one wire can carry.

    Attributes:
        name: What people call the wire.
        largest: The largest whole number.
        forbidden: Finds a character that cannot be sent.
    """

    name: str
    largest: int
    forbidden: re.Pattern[str]


def writes(call: Call) -> bool:
    """Whether the call may change anything, as far as is known."""
    return operation_of(call) is not Operation.READ


def authenticate_arguments(credentials: Credentials, rules: WireRules) -> list[Any]:
    """Answer the arguments of ``common.authenticate``.

    Raises:
        InvalidRequest: The wire cannot carry them.
    """
    database, login, secret = _identity(
        credentials.database, credentials.login, credentials.secret, rules
    )
    return [database, login, secret, {}]


def execute_arguments(session: Session, call: Call, rules: WireRules) -> list[Any]:
    """Answer the arguments of ``object.execute_kw``.

    Raises:
        InvalidRequest: The wire cannot carry them, or the call is known to crash Odoo.
    """
    _refuse_raw(call)
    call = by_position(call)
    database, _, secret = _identity(session.database, "", session.secret, rules)
    names_ids = touches(call).ids is not None
    args = [
        _at(("args", place), value, rules, names_ids and place == 0)
        for place, value in enumerate(call.args)
    ]
    kwargs = {
        _text_at(("kwargs",), name, rules): _at(
            ("kwargs", name), value, rules, _is_id_name(name)
        )
        for name, value in call.keywords().items()
    }
    model = _text_at(("model",), call.model, rules)
    method = _text_at(("method",), call.method, rules)
    return [database, session.uid, secret, model, method, args, kwargs]


def read_version(answer: Any) -> ServerVersion:
    """Read what ``common.version`` answers.

    Source: ``odoo/release.py``; the series of an online version is ``saas~18.1``.

    Raises:
        GatewayProtocolError: It is something else.
    """
    match answer:
        case {
            "server_version": str(text),
            "server_version_info": [int() | str() as major, int(minor), *_],
        }:
            digits = re.search(r"\d+", str(major))
            if digits is not None:
                return ServerVersion(text, (int(digits[0]), minor))
        case _:
            pass
    raise GatewayProtocolError(
        "The address answered, but not with the version of an Odoo server."
    )


def read_login(answer: Any, credentials: Credentials) -> Session:
    """Read what ``common.authenticate`` answers: a user's id, or False.

    Raises:
        AuthenticationFailed: Odoo refused the login.
        GatewayProtocolError: It is something else.
    """
    if answer is False:
        raise AuthenticationFailed(
            f"Odoo refused the login {credentials.login!r}: check the login and its "
            "password or API key. With two-factor login only an API key works."
        )
    if type(answer) is not int or answer <= 0:
        raise GatewayProtocolError("Odoo's answer to a login is not a user's id.")
    return Session(
        credentials.database, answer, credentials.secret, credentials.instance
    )


def _refuse_raw(call: Call) -> None:
    if call.model in RAW_BYTES and call.method in ("read", "search_read"):
        fields = touches(call).fields
        if not fields or "raw" in fields:
            raise InvalidRequest(
                f"Name the fields to read of {call.model!r}, without 'raw', which "
                "Odoo cannot answer; use 'datas' for the content, as base64."
            )


def _identity(
    database: str, login: str, secret: str, rules: WireRules
) -> tuple[str, str, str]:
    for value, what in (database, "database"), (login, "login"), (secret, "secret"):
        if rules.forbidden.search(value):
            raise InvalidRequest(
                f"The login's {what} has a character that {rules.name} cannot carry."
            )
    return database, login, secret


class _UnsendableError(Exception):
    """A value that cannot be sent; the way to it is filled in on the way up."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.way: list[str | int] = []


def _at(way: Sequence[str | int], value: Any, rules: WireRules, is_id: bool) -> Any:
    try:
        return _plain(value, rules, is_id, _DEPTH)
    except _UnsendableError as exc:
        pointer = _pointer([*way, *reversed(exc.way)])
        raise InvalidRequest(
            f"{exc.message} It is at {pointer}.", [Problem(pointer, exc.message)]
        ) from None


def _text_at(way: Sequence[str | int], value: str, rules: WireRules) -> str:
    return cast("str", _at(way, value, rules, False))  # text stays text in _plain


def _pointer(way: Sequence[str | int]) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in way)
    return "".join(f"/{step}" for step in steps)


def _plain(value: Any, rules: WireRules, is_id: bool, depth: int) -> Any:
    """Answer a value made of nothing but what JSON knows.

    Args:
        value: Any value.
        rules: What the wire can carry.
        is_id: Whether a whole number here is a record's id, as far as names tell.
        depth: How much deeper it may be nested.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, rules)
    if isinstance(value, int):
        return _whole(int(value), rules, is_id)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _UnsendableError(f"{value} is not a number that Odoo can store.")
        return float(value)
    if not isinstance(value, list | tuple | Mapping):
        raise _UnsendableError(
            f"Odoo takes no {type(value).__name__}: give dates and times as text in "
            "UTC, decimals as numbers, and bytes as base64 text."
        )
    if depth == 0:
        raise _UnsendableError(f"The value is nested more than {_DEPTH} levels deep.")
    step: str | int = 0
    try:
        if isinstance(value, Mapping):
            members: dict[str, Any] = {}
            for name, item in cast("Mapping[object, Any]", value).items():
                step = str(name)
                if not isinstance(name, str):
                    raise _UnsendableError(
                        f"The key {name!r} is not text; Odoo takes text keys only."
                    )
                key = _text(name, rules)
                members[key] = _plain(item, rules, _is_id_name(key), depth - 1)
            return members
        items = cast("Sequence[Any]", value)
        looks_for_id = _is_condition_on_id(items)
        plain: list[Any] = []
        for place, item in enumerate(items):
            step = place
            plain.append(_plain(item, rules, is_id or looks_for_id, depth - 1))
        return plain
    except _UnsendableError as exc:
        exc.way.append(step)
        raise


def _text(value: str, rules: WireRules) -> str:
    if (bad := rules.forbidden.search(value)) is not None:
        raise _UnsendableError(
            f"{rules.name} cannot carry the character U+{ord(bad[0]):04X}: "
            "leave it out."
        )
    return str.__str__(value)  # plain text even from a StrEnum or safe markup


def _whole(value: int, rules: WireRules, is_id: bool) -> int:
    if is_id and abs(value) > INT4_MAX:
        raise _UnsendableError(f"{value} is too large to be the id of a record.")
    if not -rules.largest - 1 <= value <= rules.largest:
        raise _UnsendableError(
            f"{value} is too large: {rules.name} carries whole numbers up to "
            f"{rules.largest}. A field with decimals takes it as {value}.0."
        )
    return value


def _is_id_name(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last == "id" or last.endswith(("_id", "_ids"))


def _is_condition_on_id(items: Sequence[Any]) -> bool:
    """Whether this is one condition of a domain, on a field that holds ids."""
    if len(items) != 3:
        return False
    field, operator, _ = items
    return isinstance(field, str) and isinstance(operator, str) and _is_id_name(field)
