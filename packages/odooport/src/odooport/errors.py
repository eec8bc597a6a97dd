"""Everything that can go wrong, as one tree.

::

    OdooportError
    ├── InvalidRequest            the caller's mistake; nothing was sent
    ├── AuthenticationFailed      unknown, expired or revoked key; login refused
    ├── PermissionDenied          our policy refused
    ├── RateLimited               too many calls; ``retry_after`` says when
    ├── Conflict                  the records are being changed by somebody else
    │   ├── RecordChanged         a record is not what the caller read any more
    │   ├── SchemaChanged         the model is not what the caller was written for
    │   ├── IdempotencyInFlight   the same request is under way
    │   └── IdempotencyMismatch   another request came under the same key
    └── GatewayError
        ├── GatewayUnavailable    provably not sent, or not executed
        ├── OutcomeUnknown        a write was sent and no readable answer came back
        ├── GatewayProtocolError  an unreadable answer to a read
        ├── OdooAccessError       Odoo's own access rights or record rules refused
        ├── RecordMissing         a record does not exist, or not any more
        ├── OdooRefused           Odoo's business rules and validations refused
        ├── AnswerLost            it ran, but Odoo could not encode its answer
        └── OdooFailed            Odoo crashed; ``debug`` holds its text for the log

Each class has a stable ``code``, which every door shows. Messages are written for the
caller and never hold a secret, a host or a traceback.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request.

    Attributes:
        pointer: Where it is, as a JSON pointer into the argument, such as ``/3/name``.
        message: What is wrong there and what would be right.
    """

    pointer: str
    message: str


class OdooportError(Exception):
    """The root of every error that Odooport raises on purpose.

    Attributes:
        code: The stable name of the kind of error.
        message: What happened and what to do next, for the caller.
        audited: Whether the audit has it already.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.audited = False


class InvalidRequest(OdooportError):
    """The request is wrong. Nothing was sent to Odoo.

    Attributes:
        problems: Every single problem that was found, where there is more to say than
            the message does.
    """

    code = "invalid_request"

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class AuthenticationFailed(OdooportError):
    """The API key is not valid, or Odoo refused the login behind it."""

    code = "authentication_failed"


class PermissionDenied(OdooportError):
    """Odooport's policy does not let this principal do that."""

    code = "permission_denied"


class RateLimited(OdooportError):
    """The principal has used up its budget.

    Attributes:
        retry_after: Seconds until the same call will fit again.
    """

    code = "rate_limited"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Conflict(OdooportError):
    """Somebody else is changing the same records. Nothing was written."""

    code = "conflict"


@dataclass(frozen=True, slots=True)
class RecordChange:
    """How a record moved on since the caller read it.

    Attributes:
        id: The record's id.
        fields: Which of the fields that the caller read have other values now.
        write_date: When it was changed last, in ISO 8601; None if that is not known.
        write_uid: The name of who changed it; None if that is not known.
    """

    id: int
    fields: tuple[str, ...]
    write_date: str | None = None
    write_uid: str | None = None


class RecordChanged(Conflict):
    """A record is not what the caller read any more. Nothing was written.

    Attributes:
        changes: What became of each record that moved on.
    """

    def __init__(self, message: str, changes: Sequence[RecordChange]) -> None:
        super().__init__(message)
        self.changes = tuple(changes)


class IdempotencyInFlight(Conflict):
    """The request that came first under an idempotency key still runs.

    Attributes:
        retry_after: Seconds until it makes sense to ask again.
    """

    code = "idempotency_in_flight"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class IdempotencyMismatch(Conflict):
    """Another request came before under the same idempotency key. Nothing was done."""

    code = "idempotency_mismatch"


class SchemaChanged(Conflict):
    """The model does not look like what the caller was written for. Nothing was done.

    Attributes:
        model: The model's technical name.
        fingerprint: The fingerprint of the model's schema now.
    """

    code = "schema_changed"

    def __init__(self, message: str, model: str, fingerprint: str) -> None:
        super().__init__(message)
        self.model = model
        self.fingerprint = fingerprint


class GatewayError(OdooportError):
    """Something went wrong at Odoo, or on the way to it.

    Attributes:
        down: Whether this says that Odoo is away, rather than something of the call.
    """

    code = "gateway_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.down = False


class GatewayUnavailable(GatewayError):
    """Odoo cannot be reached. The call provably was not executed.

    Attributes:
        retry_after: Seconds until it makes sense to try again, where Odooport itself
            did not let the call through; None where Odoo was tried.
    """

    code = "gateway_unavailable"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class OutcomeUnknown(GatewayError):
    """A write was sent and no readable answer came: it may or may not be done."""

    code = "outcome_unknown"


class GatewayProtocolError(GatewayError):
    """The answer to a read is not one that Odoo gives."""

    code = "gateway_protocol"


class OdooAccessError(GatewayError):
    """Odoo's access rights or record rules refused the call."""

    code = "odoo_access_denied"


class RecordMissing(GatewayError):
    """A record does not exist, or not any more.

    Attributes:
        ids: The missing ids, where they are known.
    """

    code = "record_missing"

    def __init__(self, message: str, ids: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class OdooRefused(GatewayError):
    """One of Odoo's business rules or validations refused the call."""

    code = "odoo_refused"


class AnswerLost(GatewayError):
    """The call ran and was committed, but Odoo could not encode its answer."""

    code = "answer_lost"


class OdooFailed(GatewayError):
    """Odoo crashed while it handled the call, and rolled it back.

    Attributes:
        debug: Odoo's own text, with its traceback. It belongs in the log and nowhere
            else.
    """

    code = "odoo_failed"

    def __init__(self, message: str, debug: str = "") -> None:
        super().__init__(message)
        self.debug = debug
