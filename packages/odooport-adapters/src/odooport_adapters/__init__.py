"""Ways to reach Odoo for Odooport: JSON-2, JSON-RPC, XML-RPC, web sessions, memory.

Each gateway is an ``odooport.ports.OdooGateway``. The wires share one ``OdooHttp``,
a pooled HTTP client of one Odoo server; who opens it closes it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from odooport_adapters.breaker import BreakerGateway
from odooport_adapters.bulkhead import BulkheadGateway
from odooport_adapters.http import HttpLimits, OdooHttp, tls_context
from odooport_adapters.instances import InstanceGateway
from odooport_adapters.json2 import Json2Gateway
from odooport_adapters.jsonrpc import JsonRpcGateway
from odooport_adapters.retry import RetryGateway
from odooport_adapters.routing import AutoGateway
from odooport_adapters.web import WebGateway
from odooport_adapters.xmlrpc import XmlRpcGateway

if TYPE_CHECKING:
    from odooport_adapters.memory import MemoryGateway
    from odooport_adapters.wire_server import wire_app

__all__ = [
    "AutoGateway",
    "BreakerGateway",
    "BulkheadGateway",
    "HttpLimits",
    "InstanceGateway",
    "Json2Gateway",
    "JsonRpcGateway",
    "MemoryGateway",
    "OdooHttp",
    "RetryGateway",
    "WebGateway",
    "XmlRpcGateway",
    "tls_context",
    "wire_app",
]

_LATER = {
    "MemoryGateway": "odooport_adapters.memory",
    "wire_app": "odooport_adapters.wire_server",
}
"""What few services need and is slow to import, by the module that has it."""


def __getattr__(name: str) -> object:
    """Import what is imported at its first use alone (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
