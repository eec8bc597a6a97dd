r"""Odoo over XML-RPC: the doors ``/xmlrpc/2/common`` and ``/xmlrpc/2/object``.

What this wire does differently from JSON-RPC: Odoo removes control characters from its
answers, line ends arrive as ``\n``, whole numbers stay below 32 bits, and an answer
that has ``None`` inside is lost (``AnswerLost``).
"""

import asyncio
import re
import xmlrpc.client
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from odooport.catalogue import MethodInfo
from odooport.errors import OdooportError
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway
from odooport_adapters.documentation import Documentation
from odooport_adapters.faults import Asker, from_xmlrpc
from odooport_adapters.http import OdooHttp, unreadable
from odooport_adapters.rpc import (
    INT4_MAX,
    WireRules,
    authenticate_arguments,
    execute_arguments,
    read_login,
    read_version,
    writes,
)
from odooport_adapters.versions import answered

_RULES = WireRules(
    "XML-RPC",
    largest=INT4_MAX,
    # the complement of Char in the XML 1.0 recommendation
    forbidden=re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"),
)
_ACCEPT = frozenset({"text/xml", "application/xml"})
_DEPTH = 200
_LARGE = 128 * 1024
"""From this size on, an answer is decoded beside the event loop, bytes."""


class XmlRpcGateway:
    """An Odoo server over XML-RPC.

    Args:
        http: The client of that server.
    """

    def __init__(self, http: OdooHttp) -> None:
        self._http = http
        self._documentation = Documentation(http)

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself; see ``OdooGateway``."""
        del instance  # a client reaches one server only
        answer = await self.ask("common", "version", [], Asker(), may_write=False)
        return read_version(answer)

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in; see ``OdooGateway``."""
        arguments = authenticate_arguments(credentials, _RULES)
        asker = Asker(credentials.database)
        answer = await self.ask(
            "common", "authenticate", arguments, asker, may_write=False
        )
        return read_login(answer, credentials)

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method; see ``OdooGateway``.

        Raises:
            AnswerLost: The call is done, and Odoo could not encode what it returned.
        """
        arguments = execute_arguments(session, call, _RULES)
        asker = Asker(session.database, session.uid, writes(call))
        answer = await self.ask(
            "object", "execute_kw", arguments, asker, may_write=writes(call)
        )
        return answered(call, answer)

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the server tells of its methods; see ``OdooGateway``.

        Odoo 19 tells it to API keys only, and over a route of its own.
        """
        return await self._documentation.told_to_a_key(session, model)

    async def ask(
        self,
        service: str,
        method: str,
        arguments: list[Any],
        asker: Asker,
        *,
        may_write: bool,
    ) -> Any:
        """Call one of Odoo's external services; ``doctor`` asks ``db`` for its names.

        Args:
            service: ``common``, ``object`` or ``db``.
            method: The service's method.
            arguments: Plain values that this wire can carry.
            asker: Who asks, for faults about the login itself.
            may_write: Whether it may change anything.

        Raises:
            OdooportError: As for ``execute``.
        """
        answer = await self._http.post(
            f"/xmlrpc/2/{service}",
            encode(method, arguments),
            "text/xml",
            accept=_ACCEPT,
            writes=may_write,
        )
        body = answer.body
        try:
            if len(body) < _LARGE:
                return decode(body, asker)
            return await asyncio.to_thread(decode, body, asker)
        except OdooportError:
            raise
        except (ValueError, TypeError, LookupError, ArithmeticError) as exc:
            raise unreadable(
                "Odoo's answer is no readable XML-RPC.", writes=may_write
            ) from exc


def encode(method: str, arguments: list[Any]) -> bytes:
    """Write a request.

    None goes as ``nil``, which Odoo reads. A parser turns a bare carriage return into
    a line feed, so it goes as a reference.
    """
    text = xmlrpc.client.dumps(tuple(arguments), method, allow_none=True)
    return text.replace("\r", "&#13;").encode()


def decode(body: bytes, asker: Asker) -> Any:
    """Read an answer, and raise the error that it is, if it is one.

    Raises:
        ValueError: It is no XML-RPC, or the parser's own errors.
    """
    # without types, and loaded here because it is some MiB for this wire only
    etree: Any = import_module("lxml.etree")

    # no DTD, so no entities; the parser is told that it is UTF-8, so none can hide
    if b"<!DOCTYPE" in body:
        raise ValueError("an answer has no document type")
    parser = etree.XMLParser(
        encoding="utf-8",
        huge_tree=True,  # the client has bounded it
        remove_blank_text=True,  # between elements; text of blanks stays
        remove_comments=True,
        remove_pis=True,
        resolve_entities=False,
        no_network=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as exc:
        raise ValueError("this is no XML") from exc
    if root.tag != "methodResponse":
        raise ValueError("this is no answer")
    (outcome,) = root
    if outcome.tag == "fault":
        (value,) = outcome
        fault = _value(value, _DEPTH)
        code, message = fault["faultCode"], fault["faultString"]
        error = from_xmlrpc(code, message, asker)
        if error is None:
            return None
        raise error
    ((value,),) = outcome
    return _value(value, _DEPTH)


def _value(value: Any, depth: int) -> Any:
    """Read a value; places and not loops, because an element costs more than a look.

    Args:
        value: The element around it.
        depth: How much deeper it may be nested.
    """
    try:
        typed = value[0]
    except IndexError:
        return value.text or ""  # without a type it is text
    tag = typed.tag
    if tag == "string":
        return typed.text or ""
    if tag == "int":
        return int(typed.text or "")
    if tag == "boolean":
        return _BOOLEANS[typed.text or ""]
    if tag in ("array", "struct") and depth == 0:
        raise ValueError("nested too deeply")
    if tag == "array":
        return [_value(item, depth - 1) for item in typed[0]]
    if tag == "struct":
        return {member[0].text or "": _value(member[1], depth - 1) for member in typed}
    return _SCALARS[tag](typed.text or "")


_BOOLEANS = MappingProxyType({"0": False, "1": True})


def _date(text: str) -> str:
    moment = datetime.strptime(text.strip(), "%Y%m%dT%H:%M:%S")
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _base64(text: str) -> str:
    return "".join(text.split())


def _nothing(_: str) -> None:
    return None


_SCALARS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        "double": float,
        "nil": _nothing,
        "dateTime.iso8601": _date,
        "base64": _base64,
        "i1": int,
        "i2": int,
        "i4": int,
        "i8": int,
        "biginteger": int,
        "bigdecimal": Decimal,
    }
)
"""The types that are rarer in Odoo's answers than those that ``_value`` looks for."""


if TYPE_CHECKING:
    _: type[OdooGateway] = XmlRpcGateway
