"""What Odoo says when it refuses or crashes, as our errors.

The texts are those of a real Odoo 18. A note on each error names the exception class
that Odoo raises there, with its text, so that a server that speaks Odoo's wire over
this gateway can name it too.
"""

from collections.abc import Iterable, Sequence

from odooport.errors import (
    AuthenticationFailed,
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooRefused,
    RecordMissing,
)

_DENIED = {
    "read": "access",
    "write": "modify",
    "create": "create",
    "unlink": "delete",
}


def crash(kind: str, text: str) -> OdooFailed:
    """Odoo crashed: ``kind`` is the exception's class, such as ``ValueError``."""
    return OdooFailed(
        "Odoo crashed while it handled the call, and nothing was changed. "
        "Check the arguments; the log holds Odoo's own text.",
        f"Traceback (most recent call last):\n"
        f'  File "odoo/models.py", line 1, in execute\n{kind}: {text}\n',
    )


def crash_of(error: Exception) -> OdooFailed:
    """Odoo crashed with one of Python's own exceptions."""
    return crash(type(error).__name__, str(error))


def refused(text: str, kind: str = "UserError") -> OdooRefused:
    """One of Odoo's business rules refused the call."""
    error = OdooRefused(text)
    error.add_note(f"odoo.exceptions.{kind}: {text}")
    return error


def denied(text: str) -> OdooAccessError:
    """Odoo's access rights refused the call."""
    error = OdooAccessError(text)
    error.add_note(f"odoo.exceptions.AccessError: {text}")
    return error


def missing(model: str, record_id: int, uid: int) -> RecordMissing:
    """A record is not there."""
    text = _missing_text(model, record_id, uid)
    error = RecordMissing(text, [record_id])
    error.add_note(f"odoo.exceptions.MissingError: {text}")
    return error


def login_refused(reason: str, *, gone: int | None = None) -> AuthenticationFailed:
    """The login is not valid.

    Args:
        reason: What to tell the caller.
        gone: The id of the user, if it is the user who does not exist any more: Odoo
            then speaks of a missing record.
    """
    error = AuthenticationFailed(reason)
    if gone is None:
        error.add_note("odoo.exceptions.AccessDenied: Access Denied")
    else:
        text = _missing_text("res.users", gone, gone)
        error.add_note(f"odoo.exceptions.MissingError: {text}")
    return error


def _missing_text(model: str, record_id: int, uid: int) -> str:
    return (
        "Record does not exist or has been deleted.\n"
        f"(Record: {model}({record_id},), User: {uid})"
    )


def model_denied(
    operation: str, label: str, model: str, groups: Iterable[str]
) -> OdooAccessError:
    """The user has no right to do that with any record of the model."""
    allowed = "".join(f"\t- {group}\n" for group in sorted(groups))
    if allowed:
        who = f"This operation is allowed for the following groups:\n{allowed}"
    else:
        who = "No group currently allows this operation.\n"
    return denied(
        f"You are not allowed to {_DENIED[operation]} '{label}' ({model}) records.\n\n"
        f"{who}\nContact your administrator to request access if necessary."
    )


def record_denied(
    operation: str, label: str, model: str, user: str, uid: int
) -> OdooAccessError:
    """A record rule keeps these records from the user."""
    return denied(
        "Uh-oh! Looks like you have stumbled upon some top-secret records.\n\n"
        f"Sorry, {user} (id={uid}) doesn't have '{operation}' access to:\n"
        f"- {label} ({model})\n\nIf you really, really need access, perhaps you can "
        "win over your friendly administrator with a batch of freshly baked cookies."
    )


def field_denied(
    operation: str,
    label: str,
    model: str,
    uid: int,
    fields: Sequence[tuple[str, str]],
) -> OdooAccessError:
    """Some fields are for other groups; each comes with the groups' names."""
    names = ", ".join(name for name, _ in fields)
    lines = "\n".join(f"- {name} (allowed for groups {who})" for name, who in fields)
    return denied(
        f'You do not have enough rights to access the fields "{names}" on {label} '
        f"({model}). Please contact your system administrator.\n\n"
        f"Operation: {operation}\nUser: {uid}\nFields:\n{lines}"
    )


def no_method(model: str, method: str) -> InvalidRequest:
    """There is no such method; Odoo crashes while it looks for it."""
    text = f"The method '{model}.{method}' does not exist"
    error = InvalidRequest(
        f"{text}. Check its name, and that the app that has it is installed."
    )
    error.add_note(f"AttributeError: {text}")
    return error


def private(model: str, method: str) -> OdooAccessError:
    """The method is not for callers from outside."""
    return denied(
        f"Private methods (such as '{model}.{method}') cannot be called remotely."
    )


def not_null(label: str, model: str, field_label: str, field: str) -> OdooRefused:
    """A required field has no value."""
    return refused(
        "The operation cannot be completed:\n"
        "- Create/update: a mandatory field is not set.\n"
        "- Delete: another model requires the record being deleted. "
        "If possible, archive it instead.\n\n"
        f"Model: {label} ({model})\nField: {field_label} ({field})\n",
        "ValidationError",
    )


def still_referenced(label: str, model: str, constraint: str) -> OdooRefused:
    """A foreign key does not hold: the record is still used, or was never there."""
    return refused(
        "The operation cannot be completed: another model requires the record being "
        "deleted. If possible, archive it instead.\n\n"
        f"Model: {label} ({model})\nConstraint: {constraint}\n",
        "ValidationError",
    )


def out_of_range(value: int) -> OdooFailed:
    """A number does not fit into four bytes."""
    return crash(
        "psycopg2.errors.NumericValueOutOfRange",
        f'value "{value}" is out of range for type integer',
    )
