"""Keys, roles, limits and audit: the guards of Odooport."""

from odooport_security.audit import JsonLinesAudit
from odooport_security.keys import KeyRecord, KeyStore, KeyStoreError
from odooport_security.limits import LimitsRateLimiter
from odooport_security.policy import KeyPolicy, LocalPolicy, principal_of
from odooport_security.roles import (
    PROTECTED_MODELS,
    ROLES,
    SENSITIVE_MODELS,
    Role,
    judge,
    operations_of,
)

__all__ = [
    "PROTECTED_MODELS",
    "ROLES",
    "SENSITIVE_MODELS",
    "JsonLinesAudit",
    "KeyPolicy",
    "KeyRecord",
    "KeyStore",
    "KeyStoreError",
    "LimitsRateLimiter",
    "LocalPolicy",
    "Role",
    "judge",
    "operations_of",
    "principal_of",
]
