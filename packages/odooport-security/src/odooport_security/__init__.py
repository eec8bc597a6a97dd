"""Keys, roles, limits and audit: the guards of Odooport."""

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
from odooport_security.redis_idempotency import RedisIdempotency
from odooport_security.redis_limits import RedisRateLimiter
from odooport_security.redis_lockout import RedisLockout
from odooport_security.roles import (
    PROTECTED_MODELS,
    SENSITIVE_MODELS,
    Role,
    Roles,
    RolesError,
)
from odooport_security.secrets import SecretCipher, SecretKeyError, new_key

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
    "RedisLockout",
    "RedisRateLimiter",
    "Role",
    "Roles",
    "RolesError",
    "SecretCipher",
    "SecretKeyError",
    "SqliteIdempotency",
    "new_key",
    "principal_of",
]
