"""Odoo's faults, as our errors.

JSON-RPC and JSON-2 name the class of the exception. XML-RPC has four codes, and for a
crash the traceback as text. None is told by its wording, which Odoo translates, but for
what PostgreSQL says of an unknown database. Sources: ``odoo/exceptions.py``,
``odoo/service/model.py`` and ``addons/base/controllers/rpc.py`` of Odoo 18;
``odoo/http.py`` and ``addons/rpc/controllers/json2.py`` of Odoo 19.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from odooport.errors import (
    AnswerLost,
    AuthenticationFailed,
    Conflict,
    GatewayUnavailable,
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    OdooRefused,
    OutcomeUnknown,
    RecordMissing,
)

_TEXT_SIZE = 4000
"""How much of Odoo's own words is passed on."""

_CONCURRENT = frozenset(
    {
        "psycopg2.errors.SerializationFailure",
        "psycopg2.errors.DeadlockDetected",
        "psycopg2.errors.LockNotAvailable",
        "psycopg2.extensions.TransactionRollbackError",
    }
)
"""What is left when Odoo has tried five times (``service/model.py``, ``retrying``)."""

_CANNOT_CONNECT = "psycopg2.OperationalError"
_POOL_IS_FULL = "psycopg2.pool.PoolError"

_RETURNED_NONE = "TypeError: cannot marshal None unless allow_none is enabled"

_LOOKS_UP = "get_public_method"
"""Odoo's function that looks for a method, before it runs it."""

_CONNECTS = "connect"
"""The function of PostgreSQL's driver that opens a connection."""

_FRAME = re.compile(r'^  File "(?P<file>[^"\n]*)", line \d+, in (?P<name>\S+)$', re.M)
_TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asked, as far as a fault can be about the login itself.

    Attributes:
        database: The database's name; empty where none was named.
        uid: The user's id; None before the login.
        writes: Whether the call may change anything.
    """

    database: str = ""
    uid: int | None = None
    writes: bool = False


def from_jsonrpc(error: Mapping[str, Any], asker: Asker) -> OdooportError:
    """Answer the error for the ``error`` member of a JSON-RPC answer.

    Args:
        error: The member as it came.
        asker: Who asked.
    """
    raw = error.get("data")
    data: Mapping[str, Any] = {}
    if isinstance(raw, dict):
        data = cast("Mapping[str, Any]", raw)  # keys of JSON are text
    return _from_exception(data, str(data.get("debug") or error), asker)


def from_json2(data: Mapping[str, Any], asker: Asker) -> OdooportError:
    """Answer the error for the body of a JSON-2 answer that is not a success.

    Besides what every wire has, the controller itself refuses what it cannot call,
    before it calls anything.

    Args:
        data: The body as it came.
        asker: Who asked.
    """
    debug, text = str(data.get("debug", "")), _words(str(data.get("message", "")))
    match data.get("name"):
        case "werkzeug.exceptions.Unauthorized":
            return AuthenticationFailed(
                "Odoo refused the API key: it is not valid, or not any more. "
                "Over JSON-2 a password is none."
            )
        case "werkzeug.exceptions.UnprocessableEntity":
            return InvalidRequest(
                f"Odoo's method does not take these arguments: {text.rstrip('.')}. "
                "Nothing was done."
            )
        case "werkzeug.exceptions.NotFound":
            if any(frame["name"] == _LOOKS_UP for frame in _FRAME.finditer(debug)):
                return _no_method(text)
            return OdooRefused(text)
        case _:
            return _from_exception(data, debug, asker)


def _from_exception(data: Mapping[str, Any], debug: str, asker: Asker) -> OdooportError:
    """Answer the error for an exception as Odoo writes it to JSON."""
    kind, text = str(data.get("name", "")), str(data.get("message", ""))
    match kind:
        case "odoo.exceptions.AccessDenied" | "odoo.http.SessionExpiredException":
            return _login_refused()
        case "odoo.exceptions.LockError":  # since Odoo 19
            return Conflict(_words(text))
        case "odoo.exceptions.AccessError":
            return OdooAccessError(_words(text))
        case "odoo.exceptions.MissingError":
            if _is_about_oneself(text, asker):
                return _user_gone()
            return RecordMissing(_words(text))
        case "odoo.exceptions.UserError" | "odoo.exceptions.ValidationError":
            return OdooRefused(_words(text))
        case "odoo.exceptions.RedirectWarning":
            # its text has the number of an action and a button's label after it
            match data.get("arguments"):
                case [str(words), *_]:
                    return OdooRefused(_words(words))
                case _:
                    return OdooRefused(_words(text))
        case "werkzeug.exceptions.RequestEntityTooLarge":
            return OdooRefused(
                "The request is larger than Odoo accepts; send fewer records at a time."
            )
        case _:
            return _crash(kind, text, debug, asker)


def from_xmlrpc(code: int, text: str, asker: Asker) -> OdooportError | None:
    """Answer the error for an XML-RPC fault; None for "it ran and returned nothing".

    Odoo encodes its answer after the transaction is committed. So a fault from there
    is no failure of the call, and a method that returns None always ends in one.

    Args:
        code: Odoo's fault code.
        text: Odoo's fault string.
        asker: Who asked.
    """
    match code:
        case 2:
            if _is_about_oneself(text, asker):
                return _user_gone()
            return OdooRefused(_words(text))
        case 3:
            return _login_refused()
        case 4:
            return OdooAccessError(_words(text))
        case _:
            frames = [(frame["file"], frame["name"]) for frame in _FRAME.finditer(text)]
            raised = _raised(text)
            if _broke_while_encoding(frames):
                whole = not any(
                    name in ("dump_struct", "dump_array") for _, name in frames
                )
                if raised == _RETURNED_NONE and whole:
                    return None
                return AnswerLost(
                    "Odoo has done this, but XML-RPC cannot carry its answer. Do not "
                    "ask for it again: read the records to see the result. JSON-RPC "
                    "can carry most such answers."
                )
            kind, _, message = raised.partition(": ")
            return _crash(kind, message, text, asker)


def _broke_while_encoding(frames: list[tuple[str, str]]) -> bool:
    """Whether Odoo crashed over its answer, after the call was committed.

    Every exception of the call itself has passed ``dispatch_rpc``. Texts of records
    that an exception quotes can look like frames, but cannot take that one away.
    """
    return any(
        name == "dumps" and file.endswith("rpc.py") for file, name in frames
    ) and all(name != "dispatch_rpc" for _, name in frames)


def _raised(text: str) -> str:
    """Answer the line of a traceback that names its exception."""
    end = max((frame.end() for frame in _FRAME.finditer(text)), default=0)
    for line in text[end:].splitlines():
        if line and not line.startswith(" "):
            return line.rstrip()
    return ""


def _raised_in(text: str) -> str:
    """Answer the name of the function that a traceback ends in."""
    names = [frame["name"] for frame in _FRAME.finditer(text)]
    return names[-1] if names else ""


def _crash(kind: str, message: str, debug: str, asker: Asker) -> OdooportError:
    if kind in _CONCURRENT:
        return Conflict(
            "Somebody else is changing the same records, and Odoo gave up waiting. "
            "Nothing was written; try again."
        )
    if kind == _CANNOT_CONNECT and _names_unknown(asker.database, message):
        return no_database(asker.database)
    if asker.writes and _may_be_committed(debug):
        return OutcomeUnknown(
            "Odoo failed while it saved the changes, or right after that: they may or "
            "may not be there. Check before you ask for it again."
        )
    if kind == _POOL_IS_FULL or (
        kind == _CANNOT_CONNECT and _raised_in(debug) == _CONNECTS
    ):
        error = GatewayUnavailable(
            "Odoo has no connection to its own database at the moment, so nothing was "
            "done. Try again later; if that stays so, its administrator should see "
            "that PostgreSQL runs and takes as many connections as Odoo may open."
        )
        error.down = True
        return error
    if kind.endswith("AttributeError") and _raised_in(debug) == _LOOKS_UP:
        return _no_method(message.strip())
    return OdooFailed(
        "Odoo failed on this call and rolled it back; its own log has the cause. "
        "Check the arguments; asking again will not help.",
        debug=debug,
    )


def _may_be_committed(debug: str) -> bool:
    """Whether Odoo crashed in the commit of a call or after it.

    Then it calls what waited for the commit, and tells its other processes what changed
    (``sql_db.py``, ``commit``; ``modules/registry.py``, ``signal_changes``).
    """
    return any(
        frame["name"] == "signal_changes"
        or (frame["name"] == "commit" and frame["file"].endswith("sql_db.py"))
        for frame in _FRAME.finditer(debug)
    )


def _names_unknown(database: str, message: str) -> bool:
    """Whether PostgreSQL turned a connection down because of this database's name.

    It puts the name in the quotation marks of its language, after ``FATAL``. A server
    that is down gives neither.
    """
    quoted = rf"FATAL.*[\"'«»„“「]\s?{re.escape(database)}\s?[\"'«»”“」]"
    return bool(database) and re.search(quoted, message) is not None


def _is_about_oneself(text: str, asker: Asker) -> bool:
    """Whether the record that is missing is the user who asks.

    The last line names the record and then the user, in any language:
    ``(Record: res.users(9,), User: 9)``.
    """
    if asker.uid is None:
        return False
    lines = text.strip().splitlines()
    own = rf"\bres\.users\({asker.uid},\).*\b{asker.uid}\)$"
    return bool(lines) and re.search(own, lines[-1]) is not None


def no_database(name: str) -> AuthenticationFailed:
    """Make the error for a database that the server does not have, or does not show."""
    return AuthenticationFailed(
        f"Odoo's server has no database {name!r} that it can open; check the name."
    )


def _no_method(text: str) -> InvalidRequest:
    return InvalidRequest(
        f"{text}. Check its name, and that the app that has it is installed."
    )


def _login_refused() -> AuthenticationFailed:
    return AuthenticationFailed(
        "Odoo refused the login: its password or API key is not valid any more."
    )


def _user_gone() -> AuthenticationFailed:
    return AuthenticationFailed(
        "The Odoo user behind this login does not exist any more."
    )


def _words(text: str) -> str:
    """Answer Odoo's own words to its users, without a traceback."""
    words = text.partition(_TRACEBACK)[0].strip()
    return words[:_TEXT_SIZE] or "Odoo refused this, and gave no reason."
