"""The composition root that every service starts from.

A service's own container inherits this one, adds what it serves, and takes overrides
as arguments: ``Container(settings=Settings(...))``. ``shutdown`` closes what was made.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from dependency_injector import containers, providers

from odooport.errors import InvalidRequest
from odooport.gate import Gate
from odooport.model import Credentials
from odooport.ports import (
    AuditLog,
    AuthPolicy,
    IdempotencyStore,
    OdooGateway,
    RateLimiter,
)
from odooport_adapters import (
    AutoGateway,
    BreakerGateway,
    BulkheadGateway,
    HttpLimits,
    InstanceGateway,
    Json2Gateway,
    JsonRpcGateway,
    OdooHttp,
    RetryGateway,
    WebGateway,
    XmlRpcGateway,
    tls_context,
)
from odooport_runtime.draining import Drain
from odooport_runtime.settings import (
    Connection,
    Settings,
    SettingsError,
    load_settings,
)
from odooport_runtime.transport import check_transport
from odooport_security import (
    AuditReader,
    ChainedAudit,
    IdentityStore,
    KeyPolicy,
    KeyStore,
    LimitsRateLimiter,
    LocalPolicy,
    Lockout,
    Place,
    RateLimits,
    Roles,
    SecretCipher,
    SqliteIdempotency,
    SqliteKeyStore,
    principal_of,
)

if TYPE_CHECKING:
    from odooport_security import RedisRateLimiter

_CONNECT_SECONDS = 10.0
_WAITING = 4
"""How many calls may wait for each that is under way at an Odoo."""

_LATE_SECONDS = 0.5
"""How long requests whose callers went away have to end when the service stops."""

_TRANSPORTS: Mapping[type[OdooGateway], str] = {
    Json2Gateway: "JSON-2",
    JsonRpcGateway: "JSON-RPC",
    XmlRpcGateway: "XML-RPC",
    WebGateway: "sessions of the web client",
}


def _closing() -> AsyncExitStack:
    return AsyncExitStack()


def _http(
    connection: Connection, settings: Settings, closing: AsyncExitStack
) -> OdooHttp:
    check_transport(connection, settings.allow_http)
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
            connections=connection.calls,
            connect_seconds=min(_CONNECT_SECONDS, connection.timeout),
            read_seconds=connection.timeout,
            call_seconds=connection.timeout,
        ),
        tls=tls,
    )
    closing.push_async_callback(http.aclose)
    return http


def _wire(
    connection: Connection,
    settings: Settings,
    closing: AsyncExitStack,
    clock: Callable[[], float],
) -> OdooGateway:
    """Answer the gateway of one instance."""
    if connection.transport == "memory":
        # Here and below: what few services need is imported by those alone.
        from odooport_adapters import MemoryGateway

        return MemoryGateway.demo(database=connection.credentials.database)
    http = _http(connection, settings, closing)
    match connection.transport:
        case "xmlrpc":
            return XmlRpcGateway(http)
        case "jsonrpc":
            return JsonRpcGateway(http)
        case "json2":
            return Json2Gateway(http, clock=clock)
        case "web":
            gateway: WebGateway | AutoGateway = WebGateway(http, clock=clock)
        case "auto":
            gateway = AutoGateway.over(http, clock=clock)
    closing.push_async_callback(gateway.aclose)  # before its client closes
    return gateway


def _gateway(
    settings: Settings, closing: AsyncExitStack, clock: Callable[[], float]
) -> InstanceGateway:
    """Answer the gateway to every instance, each with connections of its own."""
    return InstanceGateway(
        {
            name: _instance(connection, settings, closing, clock)
            for name, connection in settings.connections().items()
        }
    )


def _instance(
    connection: Connection,
    settings: Settings,
    closing: AsyncExitStack,
    clock: Callable[[], float],
) -> OdooGateway:
    """Answer the gateway of one instance, with what it needs on a bad day."""
    wire = _wire(connection, settings, closing, clock)
    if connection.transport == "memory":
        return wire
    bulkhead = BulkheadGateway(
        wire, places=connection.calls, waiting=_WAITING * connection.calls
    )
    breaker = BreakerGateway(bulkhead, connection.credentials.instance, clock=clock)
    return RetryGateway(breaker)


def _roles(settings: Settings) -> Roles:
    if settings.config_file is None:
        return Roles.parse(settings.roles)
    try:
        text = settings.config_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):  # the lines are a courtesy
        text = ""
    return Roles.parse(settings.roles, text=text, file=settings.config_file.name)


def _key_file(state: Path) -> SqliteKeyStore:
    """Answer the keys of the state directory, wherever those that count are."""
    return SqliteKeyStore(state / "keys.db")


def _key_store(settings: Settings, closing: AsyncExitStack) -> KeyStore:
    if settings.key_store == "file":
        store: KeyStore = _key_file(settings.state)
    elif settings.redis_url is None:
        raise SettingsError(
            "ODOOPORT_KEY_STORE is 'redis' and ODOOPORT_REDIS_URL is not set: set it "
            "to that Redis, or ODOOPORT_KEY_STORE to 'file'."
        )
    else:
        from odooport_security import RedisKeyStore

        store = RedisKeyStore(settings.redis_url.get_secret_value())
    closing.push_async_callback(store.aclose)
    return store


def _identities(settings: Settings, closing: AsyncExitStack) -> IdentityStore:
    def places() -> dict[str, Place]:
        return {
            name: Place(connection.url, connection.credentials.database)
            for name, connection in settings.connections().items()
        }

    store = IdentityStore(
        settings.state / "identities.db",
        SecretCipher.parse(settings.secret_keys()),
        places,
        variable=settings.variable,
    )
    closing.callback(store.close)
    return store


def _lockout(settings: Settings, closing: AsyncExitStack) -> Lockout:
    if settings.redis_url is None:
        return Lockout(free=settings.failed_logins)
    from odooport_security import RedisLockout

    lockout = RedisLockout(
        settings.redis_url.get_secret_value(),
        gone=settings.redis_gone,
        free=settings.failed_logins,
    )
    closing.push_async_callback(lockout.aclose)
    return lockout


def _limiter(
    settings: Settings, roles: Roles, closing: AsyncExitStack
) -> "LimitsRateLimiter | RedisRateLimiter":
    every = [role for name in roles.names if (role := roles.get(name)) is not None]
    limits = RateLimits(
        key=settings.rate_limit,
        address=settings.address_rate_limit,
        concurrency=settings.concurrency,
        roles={role.name: role.rate_limit for role in every if role.rate_limit},
        role_concurrency={
            role.name: role.concurrency for role in every if role.concurrency
        },
    )
    if settings.redis_url is None:
        local = LimitsRateLimiter(limits)
        closing.push_async_callback(local.aclose)
        return local
    from odooport_security import RedisRateLimiter

    url = settings.redis_url.get_secret_value()
    shared = RedisRateLimiter(limits, url, gone=settings.redis_gone)
    closing.push_async_callback(shared.aclose)
    return shared


def _audit(settings: Settings, closing: AsyncExitStack) -> ChainedAudit:
    audit = ChainedAudit(settings.state / "audit", max_bytes=settings.audit_max_bytes)
    closing.callback(audit.close)
    return audit


def _audit_reader(state: Path) -> AuditReader:
    return AuditReader(state / "audit")


def _idempotency(settings: Settings, closing: AsyncExitStack) -> IdempotencyStore:
    if settings.redis_url is None:
        local = SqliteIdempotency(settings.state / "idempotency.db")
        closing.push_async_callback(local.aclose)
        return local
    from odooport_security import RedisIdempotency

    shared = RedisIdempotency(settings.redis_url.get_secret_value())
    closing.push_async_callback(shared.aclose)
    return shared


def _gate(
    gateway: OdooGateway,
    policy: AuthPolicy,
    limiter: RateLimiter,
    audit: AuditLog,
    idempotency: IdempotencyStore,
    settings: Settings,
    closing: AsyncExitStack,
    clock: Callable[[], float],
) -> Gate:
    gate = Gate(
        gateway,
        policy,
        limiter,
        audit,
        idempotency=idempotency,
        clock=clock,
        session_idle=settings.session_idle,
        session_lifetime=settings.session_lifetime,
    )
    # What is pushed last is closed first: nothing of it is gone before these end.
    closing.push_async_callback(gate.ended, _LATE_SECONDS)
    return gate


def _local_role(settings: Settings, roles: Roles) -> str:
    if roles.get(settings.role) is None:
        raise SettingsError(
            f"ODOOPORT_ROLE is not right: there is no role {settings.role!r}; use one "
            f"of {', '.join(roles.names)}."
        )
    return settings.role


class Container(containers.DeclarativeContainer):
    """Picks every implementation from the settings. One for each process."""

    settings = providers.Singleton(load_settings)
    clock = providers.Object(time.monotonic)
    closing = providers.Singleton(_closing)
    drain = providers.Singleton(Drain)

    gateway: providers.Provider[OdooGateway] = providers.Singleton(
        _gateway, settings, closing, clock
    )
    credentials = providers.Singleton(Settings.credentials, settings)
    roles = providers.Singleton(_roles, settings)
    key_file = providers.Factory(_key_file, settings.provided.state)
    key_store = providers.Singleton(_key_store, settings, closing)
    identities = providers.Singleton(_identities, settings, closing)
    lockout = providers.Singleton(_lockout, settings, closing)
    policy: providers.Provider[AuthPolicy] = providers.Singleton(
        KeyPolicy, key_store, roles, identities, credentials, lockout=lockout
    )
    powers = roles.provided.operations_of
    limiter = providers.Singleton(_limiter, settings, roles, closing)
    audit = providers.Singleton(_audit, settings, closing)
    audit_reader = providers.Singleton(_audit_reader, settings.provided.state)
    idempotency = providers.Singleton(_idempotency, settings, closing)
    gate = providers.Singleton(
        _gate,
        gateway,
        policy,
        limiter,
        audit,
        idempotency,
        settings,
        closing,
        clock,
    )


class LocalContainer(Container):
    """The same for a door without keys: whoever starts the service is its only user."""

    policy = providers.Singleton(LocalPolicy, Container.roles)
    # A provider of a parent keeps the parent's providers, so the gate is told anew.
    gate = providers.Singleton(
        _gate,
        Container.gateway,
        policy,
        Container.limiter,
        Container.audit,
        Container.idempotency,
        Container.settings,
        Container.closing,
        Container.clock,
    )
    principal = providers.Singleton(
        principal_of,
        "local",
        "local user",
        providers.Callable(_local_role, Container.settings, Container.roles),
        Container.credentials,
        Container.roles,
    )


async def transport_of(gateway: OdooGateway, credentials: Credentials) -> str:
    """Answer what a user's calls go over, such as ``JSON-RPC``; it may log in for that.

    Raises:
        InvalidRequest: There is no such instance.
        AuthenticationFailed: Odoo does not know this user.
        GatewayError: The server cannot be asked what it offers.
    """
    if isinstance(gateway, InstanceGateway):
        gateway = gateway.gateway(credentials.instance)
    while isinstance(gateway, RetryGateway | BreakerGateway | BulkheadGateway):
        gateway = gateway.gateway
    if isinstance(gateway, AutoGateway):
        session = await gateway.authenticate(credentials)
        gateway = await gateway.gateway_of(session)
    return _TRANSPORTS.get(type(gateway), "memory")


async def shutdown(container: Container) -> None:
    """Close what the container made; what was given to it is the giver's to close."""
    await container.closing().aclose()
