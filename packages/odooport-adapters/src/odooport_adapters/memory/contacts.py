"""How contacts, users, companies and their kin behave."""

import base64
import binascii
import hashlib
import mimetypes
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from odooport_adapters.memory import faults
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.registry import Behaviour
from odooport_adapters.memory.store import Row
from odooport_adapters.memory.writing import create, put, unlink, write

_ADDRESS = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+\.[^@\s<>\"]+")
ADDRESS_FIELDS = ("street", "street2", "zip", "city", "state_id", "country_id")
_OWN_SETTINGS = frozenset({"tz", "lang", "email", "phone", "signature", "password"})
_ADMIN = 2


def normalized_email(value: object) -> str | None:
    """Answer the one address in a text, in lower case."""
    found = _ADDRESS.findall(str(value)) if value else []
    return found[0].lower() if len(found) == 1 else None


# Contacts


def _no_tags(_env: Environment) -> list[Any]:
    return [[6, 0, []]]


def _company(env: Environment) -> int:
    return env.company


def _partner_name(_env: Environment, _id: int, row: Row) -> str:
    return row.get("complete_name") or ""


def _partner_saved(env: Environment, ids: list[int]) -> None:
    model = env.model("res.partner")
    table = env.table("res.partner")
    waiting, done = list(ids), set[int]()
    while waiting:
        partner = waiting.pop()
        if partner in done:
            if _is_own_ancestor(env, partner):
                raise faults.refused(
                    "You cannot create recursive Partner hierarchies.",
                    "ValidationError",
                )
            continue
        done.add(partner)
        row = env.row("res.partner", partner)
        if row.get("name") is None and row.get("type") in (None, "contact"):
            raise faults.refused(
                "The operation cannot be completed: Contacts require a name",
                "ValidationError",
            )
        put(env, model, partner, derived(env, partner))
        waiting += table.pointing_at("parent_id", partner)


def derived(env: Environment, partner: int) -> dict[str, Any]:
    """Answer the columns of a contact that follow from others."""
    row, rows = env.row("res.partner", partner), env.table("res.partner").rows
    parent = row.get("parent_id")
    above: Row = rows[parent] if parent else {}
    company_name = above.get("name") or ""
    name = row.get("name") or ""
    if parent and not row.get("is_company"):
        complete = f"{company_name}, {name or _kind(env, row)}"
    else:
        complete = name
    commercial = partner
    if parent and not row.get("is_company"):
        commercial = above.get("commercial_partner_id") or parent
    head = row if commercial == partner else rows.get(commercial, {})
    return {
        "complete_name": complete,
        "commercial_partner_id": commercial,
        "commercial_company_name": (
            head.get("name") if head.get("is_company") else None
        ),
        "email_normalized": normalized_email(row.get("email")),
        "partner_share": not _users_of(env, partner),
    }


def _is_own_ancestor(env: Environment, partner: int) -> bool:
    rows = env.table("res.partner").rows
    above, seen = rows[partner].get("parent_id"), set[int]()
    while above and above not in seen:
        if above == partner:
            return True
        seen.add(above)
        above = rows[above].get("parent_id")
    return False


def _kind(env: Environment, row: Row) -> str:
    field = env.model("res.partner").fields["type"]
    return str(dict(field.attributes["selection"]).get(row.get("type"), ""))


def _users_of(env: Environment, partner: int) -> list[int]:
    """Answer the users who are this contact."""
    return env.table("res.users").pointing_at("partner_id", partner)


def _partner_before_unlink(env: Environment, ids: list[int]) -> None:
    users = env.table("res.users").rows
    linked = [
        user
        for partner in ids
        for user in _users_of(env, partner)
        if users[user].get("active")
    ]
    if linked:
        names = ", ".join(str(env.get("res.users", user, "name")) for user in linked)
        raise faults.refused(
            "You cannot delete contacts linked to an active user.\nYou should rather "
            "archive them after archiving their associated user.\n\n"
            f"Linked active users : {names}",
            "RedirectWarning",
        )
    orders = env.table("sale.order")
    for partner in ids:
        # The sales module takes quotations and cancelled orders along.
        drafts = [
            order
            for order in orders.pointing_at("partner_id", partner)
            if orders.rows[order].get("state") in ("draft", "cancel")
        ]
        unlink(env.sudo(), env.model("sale.order"), drafts)


def _partner_completed(env: Environment, values: dict[str, Any]) -> None:
    if values.get("type") == "contact":
        values |= _address_of(env, values.get("parent_id"))


def _partner_before_write(
    env: Environment, ids: list[int], values: dict[str, Any]
) -> dict[str, Any]:
    """Keep the addresses of companies and their contacts the same, as Odoo does."""
    if "parent_id" in values and values.get("type", "contact") == "contact":
        values |= _address_of(env, values["parent_id"])
    address = {name: values[name] for name in ADDRESS_FIELDS if name in values}
    table = env.table("res.partner")
    contacts = [
        contact
        for partner in ids
        for contact in table.pointing_at("parent_id", partner)
        if table.rows[contact].get("type") == "contact"
    ]
    if address and contacts:
        write(env.sudo(), env.model("res.partner"), contacts, address)
    return values


def _address_of(env: Environment, parent: Any) -> dict[str, Any]:
    """Answer a company's address, if it has one.

    Raises:
        OdooFailed: That is no company, but something that Odoo cannot look for.
    """
    row: Row = {}
    match parent:
        case int():
            row = env.table("res.partner").rows.get(parent, {})
        case [_]:
            pass  # it is looked for, and then emptied as other fields are
        case _ if parent:
            text = f"Expected singleton: res.partner({parent!r})"
            raise faults.crash("ValueError", text)
        case _:
            pass  # no company
    address = {name: row.get(name) or False for name in ADDRESS_FIELDS}
    return address if any(address.values()) else {}


def _company_type(_env: Environment, _id: int, row: Row) -> str:
    return "company" if row.get("is_company") else "person"


def _set_company_type(env: Environment, partner: int, value: Any) -> None:
    write(
        env,
        env.model("res.partner"),
        [partner],
        {"is_company": value == "company"},
    )


def _same_vat(env: Environment, partner: int, row: Row) -> int | None:
    vat = row.get("vat")
    if not vat:
        return None
    return next(
        (
            other
            for other, found in env.table("res.partner").rows.items()
            if other != partner and found.get("vat") == vat
        ),
        None,
    )


def _email_formatted(_env: Environment, _id: int, row: Row) -> str | None:
    email = row.get("email")
    return f'"{row.get("name") or ""}" <{normalized_email(email)}>' if email else None


def _contact_address(env: Environment, _id: int, row: Row) -> str:
    """Answer the address in Odoo's usual layout."""
    state = env.get("res.country.state", row.get("state_id") or 0, "code") or ""
    country = env.get("res.country", row.get("country_id") or 0, "name") or ""
    place = f"{row.get('city') or ''} {state} {row.get('zip') or ''}"
    lines = [row.get("street") or "", row.get("street2") or "", place, country]
    return "\n".join(str(line) for line in lines)


def _pointing(model: str, field: str) -> Any:
    """Answer what lists the records of a model that point at this one."""

    def compute(env: Environment, record_id: int, _row: Row) -> tuple[int, ...]:
        return tuple(env.table(model).pointing_at(field, record_id))

    return compute


def _counting(model: str, field: str) -> Any:
    def compute(env: Environment, record_id: int, _row: Row) -> int:
        return len(env.table(model).pointing_at(field, record_id))

    return compute


def messages_of(model: str) -> Any:
    """Answer what lists the messages on a record, the newest first."""

    def compute(env: Environment, record_id: int, _row: Row) -> tuple[int, ...]:
        return tuple(
            message
            for message, row in reversed(env.table("mail.message").rows.items())
            if row.get("res_id") == record_id and row.get("model") == model
        )

    return compute


# Users and groups


def _user_completed(env: Environment, values: dict[str, Any]) -> None:
    if not values.get("partner_id"):
        own = {
            name: values[name]
            for name in ("name", "email", "phone", "lang", "tz")
            if name in values
        }
        sudo = env.sudo()
        values["partner_id"] = create(sudo, env.model("res.partner"), [own])[0]
    values.setdefault("company_ids", [values.get("company_id") or env.company])


def _user_saved(env: Environment, ids: list[int]) -> None:
    rows = env.table("res.users").rows
    logins = [row.get("login") for row in rows.values()]
    for user in ids:
        if logins.count(rows[user].get("login")) > 1:
            raise faults.refused(
                "The operation cannot be completed: "
                "You can not have two users with the same login!",
                "ValidationError",
            )
        if partner := rows[user].get("partner_id"):
            _partner_saved(env, [partner])


def _user_before_unlink(_env: Environment, ids: list[int]) -> None:
    if _ADMIN in ids:
        raise faults.refused(
            "You cannot delete the admin user because it is utilized in various places "
            "(such as security configurations,...). Instead, archive it."
        )


def may_write_own_settings(
    env: Environment, model: str, ids: list[int], values: Any
) -> bool:
    """Whether this is a user who changes what is his own: Odoo lets everybody."""
    return (
        model == "res.users"
        and ids == [env.uid]
        and isinstance(values, Mapping)
        and _OWN_SETTINGS.issuperset(cast("Mapping[str, Any]", values))
    )


def _set_password(env: Environment, user: int, value: Any) -> None:
    if value:
        put(env, env.model("res.users"), user, {"secret": str(value)})


def _no_password(_env: Environment, _id: int, _row: Row) -> str:
    return ""


def _group_name(env: Environment, _id: int, row: Row) -> str:
    return env.registry.groups.get(row.get("key", ""), row.get("name") or "")


# Places, tags, models, attachments


def _state_name(env: Environment, _id: int, row: Row) -> str:
    code = env.get("res.country", row.get("country_id") or 0, "code")
    return f"{row.get('name')} ({code})"


def path_name(model: str) -> Any:
    """Answer what names a record with those above it, as ``All / Office``."""

    def compute(env: Environment, record_id: int, _row: Row) -> str:
        names: list[str] = []
        above: int | None = record_id
        while above:
            names.insert(0, str(env.get(model, above, "name") or ""))
            above = env.get(model, above, "parent_id")
        return " / ".join(names)

    return compute


def tree_saved(model: str, *, label: str | None) -> Any:
    """Answer what keeps a model's hierarchy free of circles.

    Args:
        model: The model.
        label: The column that holds the whole path of names, if there is one.
    """
    name = path_name(model)

    def saved(env: Environment, ids: list[int]) -> None:
        table = env.table(model)
        for record_id in ids:
            above, seen = table.rows[record_id].get("parent_id"), {record_id}
            path = f"{record_id}/"
            while above:
                if above in seen:
                    raise faults.refused("Recursion Detected.")
                seen.add(above)
                path = f"{above}/{path}"
                above = table.rows[above].get("parent_id")
            changes: dict[str, Any] = {"parent_path": path}
            if label:
                changes[label] = name(env, record_id, table.rows[record_id])
            put(env, env.model(model), record_id, changes)

    return saved


def _other_side(model: str, field: str) -> Any:
    """Answer what writes a many2many whose column is on the other model."""

    def inverse(env: Environment, record_id: int, others: Any) -> None:
        wanted = set[int](others)
        table = env.table(model)
        for other in set(table.pointing_at(field, record_id)) ^ wanted:
            kept = [
                item
                for item in env.row(model, other).get(field) or ()
                if item != record_id
            ]
            if other in wanted:
                kept.append(record_id)
            put(env, env.model(model), other, {field: tuple(kept)})

    return inverse


def _attachment_completed(_env: Environment, values: dict[str, Any]) -> None:
    guessed, _ = mimetypes.guess_type(str(values.get("name") or ""))
    values.setdefault("mimetype", guessed or "application/octet-stream")


def _datas(_env: Environment, _id: int, row: Row) -> str | None:
    raw: bytes | None = row.get("content")
    return base64.b64encode(raw).decode("ascii") if raw else None


def _set_datas(env: Environment, attachment: int, value: Any) -> None:
    try:
        content = base64.b64decode(value or "")
    except (binascii.Error, ValueError, TypeError):
        content = b""
    _set_content(env, attachment, content)


def _raw(_env: Environment, _id: int, row: Row) -> bytes | None:
    return row.get("content") or None


def _set_raw(env: Environment, attachment: int, value: Any) -> None:
    content = value if isinstance(value, bytes) else str(value or "").encode()
    _set_content(env, attachment, content)


def _set_content(env: Environment, attachment: int, content: bytes) -> None:
    put(
        env,
        env.model("ir.attachment"),
        attachment,
        {
            "content": content,
            "file_size": len(content),
            # Odoo's own checksum of a file; it protects nothing.
            "checksum": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
        },
    )


def _attached_to(env: Environment, _id: int, row: Row) -> str | None:
    model, record_id = row.get("res_model"), row.get("res_id")
    if model in env.store.tables and record_id in env.table(model).rows:
        return env.display_name(model, record_id)
    return None


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        "res.partner": Behaviour(
            defaults={
                "type": "contact",
                "lang": "en_US",
                "color": 0,
                "is_company": False,
                "customer_rank": 0,
                "supplier_rank": 0,
                "autopost_bills": "ask",
                "category_id": _no_tags,
            },
            computed={
                "company_type": _company_type,
                "same_vat_partner_id": _same_vat,
                "email_formatted": _email_formatted,
                "contact_address": _contact_address,
                "sale_order_count": _counting("sale.order", "partner_id"),
                "opportunity_count": _counting("crm.lead", "partner_id"),
                "message_ids": messages_of("res.partner"),
            },
            inverses={"company_type": _set_company_type},
            display_name=_partner_name,
            name_fields=("complete_name", "email", "ref", "vat"),
            holding=frozenset({"country_id", "state_id"}),
            not_copied=frozenset(
                {
                    "complete_name",
                    "commercial_partner_id",
                    "commercial_company_name",
                    "email_normalized",
                    "partner_share",
                    "barcode",
                    "signup_type",
                }
            ),
            completed=_partner_completed,
            before_write=_partner_before_write,
            saved=_partner_saved,
            before_unlink=_partner_before_unlink,
        ),
        "res.country": Behaviour(name_fields=("name", "code")),
        "res.country.state": Behaviour(
            display_name=_state_name, name_fields=("name", "code")
        ),
        "res.partner.category": Behaviour(
            defaults={"color": 0},
            computed={
                "partner_ids": _pointing("res.partner", "category_id"),
            },
            inverses={"partner_ids": _other_side("res.partner", "category_id")},
            display_name=path_name("res.partner.category"),
            deleted_with=frozenset({"parent_id"}),
            not_copied=frozenset({"parent_path"}),
            saved=tree_saved("res.partner.category", label=None),
        ),
        "res.company": Behaviour(
            computed={"user_ids": _pointing("res.users", "company_ids")},
            inverses={"user_ids": _other_side("res.users", "company_ids")},
        ),
        "res.users": Behaviour(
            defaults={
                "company_id": _company,
                "share": False,
            },
            computed={"password": _no_password},
            inverses={"password": _set_password},
            completed=_user_completed,
            name_fields=("name", "login"),
            saved=_user_saved,
            before_unlink=_user_before_unlink,
        ),
        "res.groups": Behaviour(
            computed={
                "full_name": _group_name,
                "users": _pointing("res.users", "groups_id"),
            },
            inverses={"users": _other_side("res.users", "groups_id")},
            display_name=_group_name,
        ),
        "ir.module.module": Behaviour(name_fields=("shortdesc", "name")),
        "ir.config_parameter": Behaviour(name_fields=("key",)),
        "ir.attachment": Behaviour(
            defaults={"type": "binary", "public": False},
            computed={
                "datas": _datas,
                "raw": _raw,
                "res_name": _attached_to,
            },
            inverses={"datas": _set_datas, "raw": _set_raw},
            completed=_attachment_completed,
        ),
    }
)
"""What these models do beyond keeping values."""
