r"""Odoo over XML-RPC: the doors ``/xmlrpc/2/common`` and ``/xmlrpc/2/object``.

What this wire does differently from JSON-RPC: Odoo removes control characters from its
answers, line ends arrive as ``\n``, whole numbers stay below 32 bits, and an answer
that has ``None`` inside is lost (``AnswerLost``).
"""

import asyncio
import re
import xmlrpc.client
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

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
        body = await self._http.post(
            f"/xmlrpc/2/{service}",
            encode(method, arguments),
            "text/xml",
            accept=_ACCEPT,
            writes=may_write,
        )
        try:
            if len(body) < _LARGE:
                return decode(body, asker)
            return await asyncio.to_thread(decode, body, asker)
        except OdooportError:
            raise
        # the parser, and the unmarshaller on what is no XML-RPC
        except (
            expat.ExpatError,
            xmlrpc.client.Error,
            ValueError,
            TypeError,
            LookupError,
            ArithmeticError,
        ) as exc:
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
    """Read an answer, and raise the error that it is, if it is one."""
    target = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype  # no DTD, so no entities
    parser.StartElementHandler = target.start
    parser.EndElementHandler = target.end
    parser.CharacterDataHandler = target.data
    target.xml("", None)
    parser.Parse(body, True)
    try:
        (answer,) = target.close()
    except xmlrpc.client.Fault as fault:
        error = from_xmlrpc(fault.faultCode, fault.faultString, asker)
        if error is None:
            return None
        raise error from None
    return answer


class _Reader(xmlrpc.client.Unmarshaller):
    """Python's own reader, with a bound, and with text for dates and binaries."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatch = {
            **self.dispatch,
            "dateTime.iso8601": _append_date,
            "base64": _append_base64,
        }

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        super().start(tag, attrs)
        if len(self._marks) > _DEPTH:
            raise ValueError("nested too deeply")


def _append_date(target: xmlrpc.client.Unmarshaller, data: str) -> None:
    moment = datetime.strptime(data.strip(), "%Y%m%dT%H:%M:%S")
    target.append(moment.strftime("%Y-%m-%d %H:%M:%S"))


def _append_base64(target: xmlrpc.client.Unmarshaller, data: str) -> None:
    target.append("".join(data.split()))


def _refuse_doctype(*_: Any) -> None:
    raise ValueError("an answer has no document type")


if TYPE_CHECKING:
    _: type[OdooGateway] = XmlRpcGateway
