"""Ways to reach Odoo for Odooport: XML-RPC, JSON-RPC, and an Odoo in memory.

Each gateway is an ``odooport.ports.OdooGateway``. The two wires share one ``OdooHttp``,
a pooled HTTP client of one Odoo server; who opens it closes it.
"""

from odooport_adapters.http import HttpLimits, OdooHttp, tls_context
from odooport_adapters.jsonrpc import JsonRpcGateway
from odooport_adapters.memory import MemoryGateway
from odooport_adapters.routing import AutoGateway
from odooport_adapters.wire_server import wire_app
from odooport_adapters.xmlrpc import XmlRpcGateway

__all__ = [
    "AutoGateway",
    "HttpLimits",
    "JsonRpcGateway",
    "MemoryGateway",
    "OdooHttp",
    "XmlRpcGateway",
    "tls_context",
    "wire_app",
]
