"""Keys, roles, limits and audit: the guards of Odooport."""

from importlib import import_module
from typing import TYPE_CHECKING

from odooport_security.audit import ChainedAudit
from odooport_security.audit_reader import AuditError, AuditReader
from odooport_security.idempotency import SqliteIdempotency
from odooport_security.identities import (
    Identity,
    IdentityError,
    IdentityStore,
    Place,
)
from odooport_security.keys import KeyRecord, KeyStore, KeyStoreError
from odooport_security.limits import LimitsRateLimiter, RateLimits
from odooport_security.lockout import Lockout
from odooport_security.policy import KeyPolicy, LocalPolicy, principal_of
from odooport_security.roles import (
    PROTECTED_MODELS,
    SENSITIVE_MODELS,
    Role,
    Roles,
    RolesError,
)
from odooport_security.secrets import SecretCipher, SecretKeyError, new_key
from odooport_security.sqlite_keys import SqliteKeyStore

if TYPE_CHECKING:
    from odooport_security.redis_idempotency import RedisIdempotency
    from odooport_security.redis_keys import RedisKeyStore
    from odooport_security.redis_limits import RedisRateLimiter
    from odooport_security.redis_lockout import RedisLockout

__all__ = [
    "PROTECTED_MODELS",
    "SENSITIVE_MODELS",
    "AuditError",
    "AuditReader",
    "ChainedAudit",
    "Identity",
    "IdentityError",
    "IdentityStore",
    "KeyPolicy",
    "KeyRecord",
    "KeyStore",
    "KeyStoreError",
    "LimitsRateLimiter",
    "LocalPolicy",
    "Lockout",
    "Place",
    "RateLimits",
    "RedisIdempotency",
    "RedisKeyStore",
    "RedisLockout",
    "RedisRateLimiter",
    "Role",
    "Roles",
    "RolesError",
    "SecretCipher",
    "SecretKeyError",
    "SqliteIdempotency",
    "SqliteKeyStore",
    "new_key",
    "principal_of",
]

_LATER = {
    "RedisIdempotency": "odooport_security.redis_idempotency",
    "RedisKeyStore": "odooport_security.redis_keys",
    "RedisLockout": "odooport_security.redis_lockout",
    "RedisRateLimiter": "odooport_security.redis_limits",
}
"""What is needed with a Redis alone and is slow to import, by its module."""


def __getattr__(name: str) -> object:
    """Import what is imported at its first use alone (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
