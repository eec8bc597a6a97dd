"""Odooport's domain library: work with Odoo safely, over any gateway.

Start with ``Odoo``: ``Odoo.connect(gateway, credentials)`` for a program of your own.
"""

import logging

from odooport.catalogue import MethodInfo, Parameter
from odooport.changes import Change, ChangeKind, Impact, Snapshot, compare
from odooport.discovery import Description, Level, Relation, RelationGraph
from odooport.domain import Domain
from odooport.errors import (
    AnswerLost,
    AuthenticationFailed,
    Conflict,
    GatewayError,
    GatewayProtocolError,
    GatewayUnavailable,
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    OdooRefused,
    OutcomeUnknown,
    PermissionDenied,
    Problem,
    RateLimited,
    RecordMissing,
    SchemaChanged,
)
from odooport.expressions import Expression
from odooport.gate import Gate, OdooDecides, Unaudited, Unlimited
from odooport.model import (
    ANONYMOUS,
    DEFAULT_INSTANCE,
    DEFAULT_LIMIT,
    Call,
    Caller,
    Command,
    Context,
    Credentials,
    Decision,
    Mask,
    Masking,
    Meter,
    Operation,
    Page,
    Principal,
    Quota,
    Record,
    Reference,
    Refusal,
    Requirement,
    ServerVersion,
    Session,
)
from odooport.ports import (
    AuditEvent,
    AuditLog,
    AuthPolicy,
    OdooGateway,
    OdooKnowledge,
    RateLimiter,
)
from odooport.record_classes import record_model, values_model
from odooport.records import (
    AnyRef,
    ExternalId,
    Many,
    OdooRecord,
    OdooValues,
    Ref,
    Target,
    Targets,
)
from odooport.schema import Field, ModelSchema
from odooport.usecases import Identity, ModelInfo, Odoo
from odooport.views import OnchangeResult, OnchangeWarning, RecordAction

__all__ = [
    "ANONYMOUS",
    "DEFAULT_INSTANCE",
    "DEFAULT_LIMIT",
    "AnswerLost",
    "AnyRef",
    "AuditEvent",
    "AuditLog",
    "AuthPolicy",
    "AuthenticationFailed",
    "Call",
    "Caller",
    "Change",
    "ChangeKind",
    "Command",
    "Conflict",
    "Context",
    "Credentials",
    "Decision",
    "Description",
    "Domain",
    "Expression",
    "ExternalId",
    "Field",
    "Gate",
    "GatewayError",
    "GatewayProtocolError",
    "GatewayUnavailable",
    "Identity",
    "Impact",
    "InvalidRequest",
    "Level",
    "Many",
    "Mask",
    "Masking",
    "Meter",
    "MethodInfo",
    "ModelInfo",
    "ModelSchema",
    "Odoo",
    "OdooAccessError",
    "OdooDecides",
    "OdooFailed",
    "OdooGateway",
    "OdooKnowledge",
    "OdooRecord",
    "OdooRefused",
    "OdooValues",
    "OdooportError",
    "OnchangeResult",
    "OnchangeWarning",
    "Operation",
    "OutcomeUnknown",
    "Page",
    "Parameter",
    "PermissionDenied",
    "Principal",
    "Problem",
    "Quota",
    "RateLimited",
    "RateLimiter",
    "Record",
    "RecordAction",
    "RecordMissing",
    "Ref",
    "Reference",
    "Refusal",
    "Relation",
    "RelationGraph",
    "Requirement",
    "SchemaChanged",
    "ServerVersion",
    "Session",
    "Snapshot",
    "Target",
    "Targets",
    "Unaudited",
    "Unlimited",
    "compare",
    "record_model",
    "values_model",
]

# Without a handler Python prints warnings of a library to stderr, bare. This is the one
# thing that importing Odooport does, and what Python's logging HOWTO asks of libraries:
# what is logged stays silent until a program sets logging up.
logging.getLogger("odooport").addHandler(logging.NullHandler())
