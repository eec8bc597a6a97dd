"""The composition root that every service starts from.

A service's own container inherits this one, adds what it serves, and takes overrides
as arguments: ``Container(settings=Settings(...))``. ``shutdown`` closes what was made.
"""

import time
from contextlib import AsyncExitStack
from pathlib import Path

from dependency_injector import containers, providers

from odooport.errors import InvalidRequest
from odooport.gate import Gate
from odooport.model import DEFAULT_INSTANCE, Credentials
from odooport.ports import AuthPolicy, OdooGateway
from odooport_adapters import (
    AutoGateway,
    HttpLimits,
    JsonRpcGateway,
    MemoryGateway,
    OdooHttp,
    XmlRpcGateway,
    tls_context,
)
from odooport_runtime.settings import Settings, SettingsError, load_settings
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


def _credentials(settings: Settings) -> dict[str, Credentials]:
    """Answer the login of each instance; in memory it is the demo company's."""
    if settings.transport != "memory":
        return settings.credentials()
    login = settings.user or "admin"
    secret = settings.api_key or settings.password
    return {
        DEFAULT_INSTANCE: Credentials(
            settings.db or "demo",
            login,
            login if secret is None else secret.get_secret_value(),
        )
    }


def _closing() -> AsyncExitStack:
    return AsyncExitStack()


def _http(settings: Settings, closing: AsyncExitStack) -> OdooHttp:
    address = settings.address()
    try:
        tls = tls_context(ca_bundle=settings.ca_bundle)
    except InvalidRequest as error:
        raise SettingsError(f"ODOOPORT_CA_BUNDLE: {error.message}") from error
    http = OdooHttp(
        address,
        limits=HttpLimits(
            connect_seconds=min(_CONNECT_SECONDS, settings.timeout),
            read_seconds=settings.timeout,
            call_seconds=settings.timeout,
        ),
        tls=tls,
    )
    closing.push_async_callback(http.aclose)
    return http


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

    http = providers.Singleton(_http, settings, closing)
    xmlrpc = providers.Singleton(XmlRpcGateway, http)
    jsonrpc = providers.Singleton(JsonRpcGateway, http)
    gateway: providers.Provider[OdooGateway] = providers.Selector(
        settings.provided.transport,
        auto=providers.Singleton(
            AutoGateway, providers.List(jsonrpc, xmlrpc), clock=clock
        ),
        xmlrpc=xmlrpc,
        jsonrpc=jsonrpc,
        memory=providers.Singleton(MemoryGateway.demo),
    )

    credentials = providers.Singleton(_credentials, settings)
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
    principal = providers.Singleton(
        principal_of,
        "local",
        "local user",
        Container.settings.provided.role,
        Container.credentials,
    )


async def shutdown(container: Container) -> None:
    """Close what the container made; what was given to it is the giver's to close."""
    await container.closing().aclose()
