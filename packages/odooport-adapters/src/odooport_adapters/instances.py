"""A gateway to several Odoo databases, each behind a gateway of its own."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from odooport.catalogue import MethodInfo
from odooport.errors import InvalidRequest
from odooport.model import Call, Credentials, ServerVersion, Session
from odooport.ports import OdooGateway


class InstanceGateway:
    """Sends each call to the gateway of the instance that it names, and nowhere else.

    There is no fallback: an unknown instance is an error, and so is a call in the
    session of another instance.

    Args:
        gateways: The gateway of each instance. Whoever made them closes them.
    """

    def __init__(self, gateways: Mapping[str, OdooGateway]) -> None:
        self._gateways = dict(gateways)

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server of an instance says of itself; see ``OdooGateway``.

        Raises:
            InvalidRequest: There is no such instance.
            GatewayError: The server cannot be reached, or is no Odoo.
        """
        return await self.gateway(instance).version(instance)

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in to the instance of the credentials; see ``OdooGateway``."""
        gateway = self.gateway(credentials.instance)
        return await gateway.authenticate(credentials)

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method on the instance that the call names; see ``OdooGateway``."""
        if session.instance != call.instance:
            raise InvalidRequest(
                f"A call to the instance {call.instance!r} cannot run in a session of "
                f"{session.instance!r}."
            )
        return await self.gateway(call.instance).execute(session, call)

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the session's server tells; see ``OdooGateway``."""
        return await self.gateway(session.instance).methods(session, model)

    def gateway(self, instance: str) -> OdooGateway:
        """Answer the gateway of one instance.

        Raises:
            InvalidRequest: There is no such instance.
        """
        try:
            return self._gateways[instance]
        except KeyError:
            known = ", ".join(map(repr, sorted(self._gateways))) or "none"
            raise InvalidRequest(
                f"There is no instance {instance!r} here, only {known}."
            ) from None


if TYPE_CHECKING:
    _: type[OdooGateway] = InstanceGateway
