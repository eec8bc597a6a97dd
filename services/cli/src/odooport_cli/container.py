"""The composition roots of ``serve`` and ``demo`` (REST and MCP), and ``fake-odoo``.

Only these commands import it, since what it needs takes its time to load.
"""

from dependency_injector import containers, providers

from odooport_adapters import MemoryGateway, wire_app
from odooport_adapters.memory import DATABASE
from odooport_cli.serving import join
from odooport_mcp_http.app import build_door
from odooport_rest.app import build_app
from odooport_rest.container import Container as RestContainer


class Container(RestContainer):
    """The REST service's container, with the MCP door beside its app."""

    rest = providers.Singleton(
        build_app,
        RestContainer.gate,
        ready=RestContainer.ready,
        rules=None,
        clock=RestContainer.clock,
    )
    door = providers.Singleton(
        build_door, RestContainer.gate, rules=None, powers=RestContainer.powers
    )
    both = providers.Singleton(
        join,
        rest,
        door,
        RestContainer.gate,
        rules=RestContainer.rules,
        clock=RestContainer.clock,
    )


class FakeOdooContainer(containers.DeclarativeContainer):
    """An Odoo in memory with the demo company, behind Odoo's own wire."""

    database = providers.Object(DATABASE)
    gateway = providers.Singleton(MemoryGateway.demo, database=database)
    odoo_wire = providers.Singleton(wire_app, gateway, database=database)
