"""The composition root of the MCP service over HTTP."""

from dependency_injector import providers

from odooport_mcp_http.app import build_app
from odooport_runtime.container import Container as RuntimeContainer
from odooport_runtime.front import FrontRules


class Container(RuntimeContainer):
    """The runtime's container, with the MCP endpoint on top. One for each process."""

    rules = providers.Singleton(FrontRules.of, RuntimeContainer.settings)
    app = providers.Singleton(
        build_app,
        RuntimeContainer.gate,
        rules=rules,
        powers=RuntimeContainer.powers,
        clock=RuntimeContainer.clock,
    )
