"""The composition root that every service starts from.

A service's own container inherits this one, adds what it serves, and takes overrides
as arguments: ``Container(settings=Settings(...))``. ``shutdown`` closes what was made.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from dependency_injector import containers, providers

from odooport.errors import InvalidRequest
from odooport.gate import Gate
from odooport.ports import AuthPolicy, OdooGateway
from odooport_adapters import (
    AutoGateway,
    HttpLimits,
    InstanceGateway,
    Json2Gateway,
    JsonRpcGateway,
    MemoryGateway,
    OdooHttp,
    XmlRpcGateway,
    tls_context,
)
from odooport_runtime.settings import (
    Connection,
    Settings,
    SettingsError,
    load_settings,
)
from odooport_security import (
    JsonLinesAudit,
    KeyPolicy,
    KeyStore,
    LimitsRateLimiter,
    LocalPolicy,
    operations_of,
    principal_of,
)

_CONNECT_SECONDS = 10.0
_TRANSPORTS: Mapping[type[OdooGateway], str] = {
    Json2Gateway: "JSON-2",
    JsonRpcGateway: "JSON-RPC",
    XmlRpcGateway: "XML-RPC",
}


def _closing() -> AsyncExitStack:
    return AsyncExitStack()


def _http(connection: Connection, closing: AsyncExitStack) -> OdooHttp:
    try:
        tls = tls_context(ca_bundle=connection.ca_bundle)
    except InvalidRequest as error:
        name = connection.credentials.instance
        raise SettingsError(
            f"ODOOPORT_CA_BUNDLE, or 'ca_bundle' of the instance {name!r}: "
            f"{error.message}"
        ) from error
    http = OdooHttp(
        connection.url,
        limits=HttpLimits(
            connect_seconds=min(_CONNECT_SECONDS, connection.timeout),
            read_seconds=connection.timeout,
            call_seconds=connection.timeout,
        ),
        tls=tls,
    )
    closing.push_async_callback(http.aclose)
    return http


def _wire(
    connection: Connection, closing: AsyncExitStack, clock: Callable[[], float]
) -> OdooGateway:
    """Answer the gateway of one instance."""
    if connection.transport == "memory":
        return MemoryGateway.demo(database=connection.credentials.database)
    http = _http(connection, closing)
    match connection.transport:
        case "xmlrpc":
            return XmlRpcGateway(http)
        case "jsonrpc":
            return JsonRpcGateway(http)
        case "json2":
            return Json2Gateway(http, clock=clock)
        case "auto":
            return AutoGateway(
                [JsonRpcGateway(http), XmlRpcGateway(http)],
                by_key=Json2Gateway(http, clock=clock),
                clock=clock,
            )


def _gateway(
    settings: Settings, closing: AsyncExitStack, clock: Callable[[], float]
) -> InstanceGateway:
    """Answer the gateway to every instance, each with connections of its own."""
    return InstanceGateway(
        {
            name: _wire(connection, closing, clock)
            for name, connection in settings.connections().items()
        }
    )


def _key_store(state: Path, closing: AsyncExitStack) -> KeyStore:
    store = KeyStore(state / "keys.db")
    closing.callback(store.close)
    return store


def _audit(state: Path, closing: AsyncExitStack) -> JsonLinesAudit:
    audit = JsonLinesAudit(state / "audit.jsonl")
    closing.callback(audit.close)
    return audit


class Container(containers.DeclarativeContainer):
    """Picks every implementation from the settings. One for each process."""

    settings = providers.Singleton(load_settings)
    clock = providers.Object(time.monotonic)
    closing = providers.Singleton(_closing)

    gateway: providers.Provider[OdooGateway] = providers.Singleton(
        _gateway, settings, closing, clock
    )
    credentials = providers.Singleton(Settings.credentials, settings)
    key_store = providers.Singleton(_key_store, settings.provided.state, closing)
    policy: providers.Provider[AuthPolicy] = providers.Singleton(
        KeyPolicy, key_store, credentials
    )
    powers = providers.Object(operations_of)
    limiter = providers.Singleton(LimitsRateLimiter, settings.provided.rate_limit)
    audit = providers.Singleton(_audit, settings.provided.state, closing)
    gate = providers.Singleton(Gate, gateway, policy, limiter, audit, clock=clock)


class LocalContainer(Container):
    """The same for a door without keys: whoever starts the service is its only user."""

    policy = providers.Singleton(LocalPolicy)
    # A provider of a parent keeps the parent's providers, so the gate is told anew.
    gate = providers.Singleton(
        Gate,
        Container.gateway,
        policy,
        Container.limiter,
        Container.audit,
        clock=Container.clock,
    )
    principal = providers.Singleton(
        principal_of,
        "local",
        "local user",
        Container.settings.provided.role,
        Container.credentials,
    )


async def transport_of(gateway: OdooGateway, instance: str) -> str:
    """Answer what an instance is spoken with, such as ``JSON-RPC``.

    Raises:
        InvalidRequest: There is no such instance.
        GatewayError: The server cannot be asked what it offers.
    """
    if isinstance(gateway, InstanceGateway):
        gateway = gateway.gateway(instance)
    if isinstance(gateway, AutoGateway):
        gateway = await gateway.choose(instance)
    return _TRANSPORTS.get(type(gateway), "memory")


async def shutdown(container: Container) -> None:
    """Close what the container made; what was given to it is the giver's to close."""
    await container.closing().aclose()
