"""The composition roots of ``serve`` and ``demo`` (REST and MCP), and ``fake-odoo``.

Only these commands import it, since what it needs takes its time to load.
"""

from dependency_injector import containers, providers

from odooport_adapters import MemoryGateway, wire_app
from odooport_adapters.memory import DATABASE
from odooport_cli.serving import join
from odooport_mcp_http.app import build_door
from odooport_mcp_http.container import Container as McpContainer
from odooport_rest.container import Container as RestContainer


class Container(RestContainer):
    """The REST service's container, with the MCP door beside its app."""

    mcp_hosts = McpContainer.hosts
    door = providers.Singleton(
        build_door, RestContainer.gate, hosts=mcp_hosts, powers=RestContainer.powers
    )
    both = providers.Singleton(join, RestContainer.app, door)


class FakeOdooContainer(containers.DeclarativeContainer):
    """An Odoo in memory with the demo company, behind Odoo's own wire."""

    database = providers.Object(DATABASE)
    gateway = providers.Singleton(MemoryGateway.demo, database=database)
    odoo_wire = providers.Singleton(wire_app, gateway, database=database)
