"""The composition root of the MCP service over stdio."""

import secrets
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dependency_injector import providers

from odooport import Caller, Gate, Principal
from odooport_runtime.container import LocalContainer

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from odooport_mcp.server import Identify

DOOR = "mcp-stdio"
"""What this door is called in every log and audit line."""


def _identify(
    principal: Principal, new_id: Callable[[], str], seconds: float
) -> "Identify":
    """Answer what takes every request for the local user's."""
    return lambda context: Caller(
        principal,
        door=DOOR,
        request_id=new_id(),
        deadline=time.monotonic() + seconds,
    )


def _new_id() -> str:
    return secrets.token_hex(8)


def _server(gate: Gate, identify: "Identify", **options: Any) -> "MCPServer[Any]":
    # Here: the SDK is slow to import, and the login to Odoo need not wait for that.
    from odooport_mcp.server import build_server

    return build_server(
        gate, identify, version=version("odooport-mcp-stdio"), **options
    )


class Container(LocalContainer):
    """The container for a door without keys, with MCP on top. One for each process."""

    identify = providers.Singleton(
        _identify,
        LocalContainer.principal,
        providers.Object(_new_id),
        LocalContainer.settings.provided.deadline,
    )
    server = providers.Singleton(
        _server,
        LocalContainer.gate,
        identify,
        powers=LocalContainer.powers,
        admit=LocalContainer.drain.provided.admit,
    )
