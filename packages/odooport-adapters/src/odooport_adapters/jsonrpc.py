"""Odoo over JSON-RPC: the door ``/jsonrpc``, with the same services as XML-RPC.

It names the class of an exception, carries control characters, and decodes many times
faster.
"""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from odooport.catalogue import MethodInfo
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway
from odooport_adapters.documentation import Documentation
from odooport_adapters.faults import Asker, from_jsonrpc
from odooport_adapters.http import OdooHttp, not_executed
from odooport_adapters.messages import ACCEPT, CONTENT_TYPE, RULES, encode, read
from odooport_adapters.rpc import (
    authenticate_arguments,
    execute_arguments,
    read_login,
    read_version,
    writes,
)
from odooport_adapters.versions import answered

_NOT_FOUND = 404


class JsonRpcGateway:
    """An Odoo server over JSON-RPC.

    Args:
        http: The client of that server.
    """

    def __init__(self, http: OdooHttp) -> None:
        self._http = http
        self._documentation = Documentation(http)
        self._numbers = itertools.count(1)

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself; see ``OdooGateway``."""
        del instance  # a client reaches one server only
        answer = await self.ask("common", "version", [], Asker(), may_write=False)
        return read_version(answer)

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in; see ``OdooGateway``."""
        arguments = authenticate_arguments(credentials, RULES)
        asker = Asker(credentials.database)
        answer = await self.ask(
            "common", "authenticate", arguments, asker, may_write=False
        )
        return read_login(answer, credentials)

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method; see ``OdooGateway``."""
        arguments = execute_arguments(session, call, RULES)
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
        number = next(self._numbers)
        params = {"service": service, "method": method, "args": arguments}
        answer = await self._http.post(
            "/jsonrpc",
            encode(number, params),
            CONTENT_TYPE,
            accept=ACCEPT,
            writes=may_write,
        )
        result, error = read(answer.body, number, writes=may_write)
        if error is None:
            return result
        if error.get("code") == _NOT_FOUND:
            raise not_executed(
                "That server has no JSON-RPC service; use XML-RPC.", writes=may_write
            )
        raise from_jsonrpc(error, asker)


if TYPE_CHECKING:
    _: type[OdooGateway] = JsonRpcGateway
