"""Roles, and what they say of a call. What no role allows is denied.

The judgement needs no I/O: it looks at the call alone. Odoo's own access rights and
record rules come on top, for the Odoo user behind the key.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeGuard

from odooport.errors import InvalidRequest
from odooport.model import Call, Command, Decision, Operation, Principal
from odooport.signatures import takes_limit, touches, with_limit

_MAX_ROWS = 1000
_NAME_SEARCH_LIMIT = 100
"""What Odoo takes where a ``name_search`` gives none (``odoo/models.py``)."""

_MODEL = re.compile(r"[a-z0-9_]{1,64}(\.[a-z0-9_]{1,64}){0,9}")
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")


@dataclass(frozen=True, slots=True)
class Role:
    """What the keys of one role may do.

    Attributes:
        name: What it is called.
        operations: What it may do to records.
        max_rows: The most records that one answer may hold.
    """

    name: str
    operations: frozenset[Operation]
    max_rows: int = _MAX_ROWS


def _role(name: str, *operations: Operation) -> Role:
    return Role(name, frozenset(operations))


ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "reader": _role("reader", Operation.READ),
        "editor": _role("editor", Operation.READ, Operation.CREATE, Operation.WRITE),
        "full": _role("full", *Operation),
    }
)
"""The built-in roles, from the least to the most."""

SENSITIVE_MODELS = frozenset(
    {
        "auth_totp.device",
        "base.automation",
        "fetchmail.server",
        "ir.actions.server",
        "ir.config_parameter",
        "ir.cron",
        "ir.cron.trigger",
        "ir.logging",
        "ir.mail_server",
        "ir.model.access",
        "ir.rule",
        "mail.template",
        "payment.provider",
        "payment.token",
        "res.config.settings",
        "res.users.apikeys",
        "res.users.apikeys.description",
        "res.users.apikeys.show",
        "res.users.identitycheck",
        "res.users.log",
    }
)
"""Models that hold secrets, grant rights or run code: no role reaches them."""

PROTECTED_MODELS = frozenset(
    {
        "ir.actions.report",
        "ir.model",
        "ir.model.data",
        "ir.model.fields",
        "ir.module.module",
        "ir.ui.view",
        "res.groups",
        "res.users",
    }
)
"""Models that every role may read and none may change: who changes them can give
himself rights, or bring code into Odoo."""

_VERBS: Mapping[Operation, str] = MappingProxyType(
    {
        Operation.READ: "read",
        Operation.WRITE: "write",
        Operation.CREATE: "create",
        Operation.UNLINK: "delete",
    }
)


def operations_of(principal: Principal) -> frozenset[Operation]:
    """Answer what the principal's role may do at all; nothing for an unknown role."""
    role = ROLES.get(principal.role)
    return frozenset() if role is None else role.operations


def judge(principal: Principal, call: Call) -> Decision:
    """Answer whether the principal's role allows the call, and what shall be sent.

    The limit of a search is lowered to what the principal may have at once.
    """
    role = ROLES.get(principal.role)
    if role is None:
        return _denied(
            call,
            "unknown-role",
            f"There is no role {principal.role!r}, so this key may do nothing; make a "
            f"key with one of the roles {', '.join(ROLES)}.",
        )
    if _MODEL.fullmatch(call.model) is None:
        return _denied(
            call,
            "model-name",
            f"{call.model!r} is not a model's name; one looks like 'res.partner'.",
        )
    if _METHOD.fullmatch(call.method) is None:
        return _denied(
            call,
            "private-method",
            f"{call.method!r} cannot be called: only public methods can, whose names "
            "have letters, digits and underscores and begin with a letter.",
        )
    try:
        touched = touches(call)
    except InvalidRequest as error:
        return _denied(call, "shape", error.message)
    if call.model in SENSITIVE_MODELS:
        return _denied(
            call,
            "sensitive-model",
            f"{call.model!r} is closed to every role: it holds secrets, grants rights "
            "or runs code. Use Odoo itself for it.",
        )
    reads = touched.operation is Operation.READ
    if call.model in PROTECTED_MODELS and not reads:
        return _denied(
            call,
            "protected-model",
            f"{call.model!r} can be read but not changed here: it decides about rights "
            "or code. Use Odoo itself for it.",
        )
    if touched.operation not in role.operations:
        return _denied(call, f"role-{role.name}", _lacks(role, call, touched.operation))
    if Operation.UNLINK not in role.operations:
        field = _deletes_through(touched.values)
        if field is not None:
            return _denied(call, f"role-{role.name}", _deletes(role, field))
    if reads and len(touched.ids or ()) > principal.max_rows:
        return _denied(
            call,
            "max-rows",
            f"At most {principal.max_rows} records can be read at once; ask for fewer.",
        )
    if takes_limit(call):
        return _limited(call, role, touched.limit, principal.max_rows)
    return Decision(True, "", f"role-{role.name}", call)


def _deletes_through(rows: Iterable[Mapping[str, Any]]) -> str | None:
    """Answer the field whose value deletes records, or None.

    The shape decides, for the schema is not known here: a list in a list that begins
    with the number of the delete command, in the values of a record or of the records
    nested in it. JSON of that shape is taken for a command too; better that than a
    record lost.

    The commands that take records out (3, 5 and 6) pass. They delete the lines of a
    one2many if its other side deletes in cascade (``odoo/fields.py``, ``write_real`` of
    ``One2many``); on a many2many they only untie, which is what people do all day to
    tags, and nothing in the command tells the one from the other.
    """
    todo: list[tuple[str, Any]] = [
        (name, value) for row in rows for name, value in row.items()
    ]
    while todo:
        name, value = todo.pop()
        if _is_mapping(value):
            todo += _entries(value)
        elif _is_list(value):
            for command in filter(_is_list, value):
                if command and command[0] == Command.DELETE:
                    return name
            todo += [item for part in value for item in _inside(part)]
    return None


def _inside(part: Any) -> list[tuple[str, Any]]:
    """Answer the values in the records that lie in a command, however deep."""
    found: list[tuple[str, Any]] = []
    todo = [part]
    while todo:
        item = todo.pop()
        if _is_mapping(item):
            found += _entries(item)
        elif _is_list(item):
            todo += item
    return found


def _entries(values: Mapping[Any, Any]) -> list[tuple[str, Any]]:
    return [(str(name), value) for name, value in values.items()]


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _deletes(role: Role, field: str) -> str:
    enough = next(
        each for each in ROLES.values() if Operation.UNLINK in each.operations
    )
    return (
        f"The role {role.name!r} may not delete records, not even through {field!r}: "
        f"use 'remove' to take them out of it, or a key with the role {enough.name!r}."
    )


def _limited(call: Call, role: Role, limit: object, max_rows: int) -> Decision:
    if not limit:  # None, False and 0 all mean "no limit" to Odoo
        limit = _NAME_SEARCH_LIMIT if call.method == "name_search" else max_rows
    if type(limit) is not int or limit < 0:
        return _denied(
            call, "shape", f"The limit must be a whole number above 0, not {limit!r}."
        )
    # One row more is let through: a search asks for it to see whether there is more,
    # and does not hand it out.
    limit = limit if limit <= max_rows + 1 else max_rows
    return Decision(True, "", f"role-{role.name}", with_limit(call, limit))


def _lacks(role: Role, call: Call, operation: Operation) -> str:
    if operation is Operation.CALL:
        what = f"call {call.method!r} on {call.model!r}"
    else:
        what = f"{_VERBS[operation]} {call.model!r}"
    enough = next(other for other in ROLES.values() if operation in other.operations)
    return (
        f"The role {role.name!r} may not {what}; a key with the role "
        f"{enough.name!r} may."
    )


def _denied(call: Call, rule: str, reason: str) -> Decision:
    return Decision(False, reason, rule, call)
