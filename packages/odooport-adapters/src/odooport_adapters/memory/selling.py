"""How leads, products and sales orders behave."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from odooport_adapters.memory import faults
from odooport_adapters.memory.contacts import (
    messages_of,
    path_name,
    tree_saved,
)
from odooport_adapters.memory.environment import Environment, shown_moment
from odooport_adapters.memory.filling import (
    FIRST_CHANCE,
    VALID_DAYS,
    WON,
    addresses,
    first_of,
    lead_from_partner,
    line_amounts,
    line_of_product,
    order_amounts,
    prorated,
    team_of,
)
from odooport_adapters.memory.registry import Behaviour, Method, Rule
from odooport_adapters.memory.store import Row
from odooport_adapters.memory.writing import put, write

_LOCKED_FIELDS = frozenset(
    {
        "product_id",
        "name",
        "price_unit",
        "product_uom",
        "product_uom_qty",
        "discount",
    }
)


def _own_or_nobodys(field: str) -> Callable[[Environment], list[Any]]:
    """Answer the rule of salespeople who see their own records and nobody's."""

    def domain(env: Environment) -> list[Any]:
        return ["|", [field, "=", env.uid], [field, "=", False]]

    return domain


def _all_records(_env: Environment) -> list[Any]:
    return [[1, "=", 1]]


def _rules(field: str) -> tuple[Rule, Rule]:
    return (
        Rule("sales_team.group_sale_salesman", _own_or_nobodys(field)),
        Rule("sales_team.group_sale_salesman_all_leads", _all_records),
    )


def _company(env: Environment) -> int | None:
    return env.company or None


def _user(env: Environment) -> int:
    return env.uid


def _now(env: Environment) -> str:
    return shown_moment(env.moment)


def _first_of(model: str) -> Any:
    """Answer what gives a model's first record as a default."""

    def default(env: Environment) -> int | None:
        return first_of(env, model)

    return default


def _company_currency(env: Environment, _id: int, row: Row) -> int | None:
    company: int = row.get("company_id") or env.company
    currency: int | None = env.get("res.company", company, "currency_id")
    return currency


# Leads


def _lead_completed(env: Environment, values: dict[str, Any]) -> None:
    if "stage_id" not in values:
        values["stage_id"] = _first_of("crm.stage")(env)
    if "team_id" not in values:
        values["team_id"] = team_of(env)
    values.setdefault("company_id", env.company or None)
    values.setdefault("date_last_stage_update", _now(env))
    if values.get("user_id"):
        values.setdefault("date_open", _now(env))
    if type(values.get("partner_id")) is int:
        if not values.get("name"):
            values.pop("name", None)
        values |= {**lead_from_partner(env, values), **values}
    won = env.get("crm.stage", values["stage_id"] or 0, "is_won")
    values.setdefault("probability", WON if won else FIRST_CHANCE)
    if won:
        values.setdefault("date_closed", _now(env))


def _lead_before_write(
    env: Environment, _ids: list[int], values: dict[str, Any]
) -> dict[str, Any]:
    stage = values.get("stage_id")
    if type(stage) is not int:
        return values
    values.setdefault("date_last_stage_update", _now(env))
    if env.get("crm.stage", stage, "is_won"):
        values |= {"probability": WON, "date_closed": _now(env)}
    return values


def _lead_saved(env: Environment, ids: list[int]) -> None:
    model = env.model("crm.lead")
    for lead in ids:
        put(env, model, lead, dict(prorated(env, lead)))


def _lead_won(env: Environment, ids: list[int]) -> bool:
    stages = env.table("crm.stage").rows
    won = next((stage for stage, row in stages.items() if row.get("is_won")), None)
    values = {"active": True, "stage_id": won or False, "probability": WON}
    write(env, env.model("crm.lead"), ids, values)
    return True


def _lead_lost(env: Environment, ids: list[int], **_details: Any) -> None:
    write(env, env.model("crm.lead"), ids, {"active": False, "probability": 0})


def _lead_orders(*states: str) -> Any:
    def orders(env: Environment, lead: int) -> list[Row]:
        table = env.table("sale.order")
        return [
            table.rows[order]
            for order in table.pointing_at("opportunity_id", lead)
            if table.rows[order].get("state") in states
        ]

    return orders


def _quotation_count(env: Environment, lead: int, _row: Row) -> int:
    return len(_lead_orders("draft", "sent")(env, lead))


def _order_count(env: Environment, lead: int, _row: Row) -> int:
    return len(_lead_orders("sale")(env, lead))


def _order_amount(env: Environment, lead: int, _row: Row) -> float:
    orders = _lead_orders("sale")(env, lead)
    return sum((row.get("amount_untaxed") or 0.0 for row in orders), 0.0)


# Products


def _product_name(env: Environment, product: int, row: Row) -> str:
    code = row.get("default_code")
    name = env.get("product.product", product, "name")
    return f"[{code}] {name}" if code else str(name)


def _sales_price(_env: Environment, _id: int, row: Row) -> float | None:
    return row.get("list_price")


def _factor_inverse(_env: Environment, _id: int, row: Row) -> float:
    return 1 / (row.get("factor") or 1.0)


# Orders


def _order_completed(env: Environment, values: dict[str, Any]) -> None:
    sequence = env.table("sale.order").next_id
    if values.get("name") in (None, False, "New"):
        values["name"] = f"S{sequence:05}"
    partner = values.get("partner_id")
    if type(partner) is int and partner in env.table("res.partner").rows:
        values |= {**addresses(env, partner), **values}
    if "user_id" not in values:
        values["user_id"] = env.uid
    if "team_id" not in values:
        values["team_id"] = team_of(env)
    company = values.get("company_id") or env.company
    values["currency_id"] = env.get("res.company", company, "currency_id")
    last = env.now + timedelta(days=VALID_DAYS)
    values.setdefault("validity_date", last.strftime("%Y-%m-%d"))


def _order_saved(env: Environment, ids: list[int]) -> None:
    model = env.model("sale.order")
    for order in ids:
        put(env, model, order, dict(order_amounts(env, order)))


def _order_before_unlink(env: Environment, ids: list[int]) -> None:
    for order in ids:
        if env.row("sale.order", order).get("state") not in ("draft", "cancel"):
            raise faults.refused(
                "You can not delete a sent quotation or a confirmed sales order. "
                "You must first cancel it."
            )


def _confirm(env: Environment, ids: list[int]) -> bool:
    for order in ids:
        if env.row("sale.order", order).get("state") not in ("draft", "sent"):
            raise faults.refused(
                "Some orders are not in a state requiring confirmation."
            )
    write(
        env,
        env.model("sale.order"),
        ids,
        {"state": "sale", "date_order": _now(env)},
    )
    return True


def _cancel(env: Environment, ids: list[int]) -> bool:
    """Cancel orders; a real Odoo first asks in a wizard if one is confirmed."""
    if any(env.row("sale.order", order).get("locked") for order in ids):
        raise faults.refused(
            "You cannot cancel a locked order. Please unlock it first."
        )
    write(env, env.model("sale.order"), ids, {"state": "cancel"})
    return True


def _draft(env: Environment, ids: list[int]) -> bool:
    again = [
        order
        for order in ids
        if env.row("sale.order", order).get("state") in ("cancel", "sent")
    ]
    values = {"state": "draft", "signed_by": False, "signed_on": False}
    write(env, env.model("sale.order"), again, values)
    return True


def _sent(env: Environment, ids: list[int]) -> None:
    if any(env.row("sale.order", order).get("state") != "draft" for order in ids):
        raise faults.refused("Only draft orders can be marked as sent directly.")
    write(env, env.model("sale.order"), ids, {"state": "sent"})


def _lock(env: Environment, ids: list[int]) -> None:
    write(env, env.model("sale.order"), ids, {"locked": True})


def _unlock(env: Environment, ids: list[int]) -> None:
    write(env, env.model("sale.order"), ids, {"locked": False})


def _undiscounted(env: Environment, order: int, _row: Row) -> float:
    lines = env.table("sale.order.line")
    total = 0.0
    for line in lines.pointing_at("order_id", order):
        row = lines.rows[line]
        total += (row.get("product_uom_qty") or 0) * (row.get("price_unit") or 0)
    return round(total, 2)


def _type_name(_env: Environment, _id: int, row: Row) -> str:
    quoted = row.get("state") in ("draft", "sent", "cancel")
    return "Quotation" if quoted else "Sales Order"


def _expired(env: Environment, _id: int, row: Row) -> bool:
    last: str | None = row.get("validity_date")
    return row.get("state") == "sent" and last is not None and last < env.today


# Order lines


def _line_completed(env: Environment, values: dict[str, Any]) -> None:
    product = values.get("product_id")
    if values.get("display_type"):
        values |= {"product_uom_qty": 0.0, "price_unit": 0.0}
    elif type(product) is int and product in env.table("product.product").rows:
        values |= {**line_of_product(env, product), **values}
    if not values.get("display_type"):
        values.setdefault("product_uom_qty", 1.0)
    values.setdefault("price_unit", 0.0)
    order = values.get("order_id")
    if type(order) is int and env.get("sale.order", order, "state") == "sale":
        write(env.sudo(), env.model("sale.order"), [order], {})


def _line_before_write(
    env: Environment, ids: list[int], values: dict[str, Any]
) -> dict[str, Any]:
    touched = _LOCKED_FIELDS & set(values)
    rows = env.table("sale.order.line").rows
    if touched and any(
        env.get("sale.order", rows[line].get("order_id") or 0, "locked") for line in ids
    ):
        fields = env.model("sale.order.line").fields
        names = "\n".join(
            str(fields[name].attributes["string"]) for name in sorted(touched)
        )
        raise faults.refused(
            "It is forbidden to modify the following fields in a locked order:\n"
            + names
        )
    return values


def _line_saved(env: Environment, ids: list[int]) -> None:
    model = env.model("sale.order.line")
    orders: dict[int, None] = {}
    for line in ids:
        put(env, model, line, dict(line_amounts(env, line)))
        row = env.row("sale.order.line", line)
        if order := row.get("order_id"):
            orders[order] = None
    _order_saved(env, list(orders))


def _line_before_unlink(env: Environment, ids: list[int]) -> None:
    rows = env.table("sale.order.line").rows
    orders: dict[int, None] = {}
    for line in ids:
        order = rows[line].get("order_id") or 0
        orders[order] = None
        confirmed = env.get("sale.order", order, "state") == "sale"
        if confirmed and not rows[line].get("display_type"):
            raise faults.refused(
                "Once a sales order is confirmed, you can't remove one of its lines "
                "(we need to track if something gets invoiced or delivered).\n"
                "                Set the quantity to 0 instead."
            )
    for line in ids:
        put(env, env.model("sale.order.line"), line, {"price_subtotal": 0.0})
    _order_saved(env, list(orders))


def _line_name(env: Environment, _id: int, row: Row) -> str:
    order = row.get("order_id") or 0
    number = env.get("sale.order", order, "name")
    partner = env.get("sale.order", order, "partner_id")
    first_line = str(row.get("name") or "").splitlines()[:1] or [""]
    customer = env.display_name("res.partner", partner) if partner else ""
    return f"{number} - {first_line[0]} ({customer})"


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        "crm.lead": Behaviour(
            defaults={
                "type": "opportunity",
                "priority": "0",
                "user_id": _user,
                "color": 0,
                "expected_revenue": 0.0,
            },
            computed={
                "company_currency": _company_currency,
                "message_ids": messages_of("crm.lead"),
                "quotation_count": _quotation_count,
                "sale_order_count": _order_count,
                "sale_amount_total": _order_amount,
            },
            completed=_lead_completed,
            not_copied=frozenset({"date_closed", "date_open", "prorated_revenue"}),
            before_write=_lead_before_write,
            saved=_lead_saved,
            methods={
                "action_set_won": Method(_lead_won),
                "action_set_won_rainbowman": Method(_lead_won),
                "action_set_lost": Method(_lead_lost),
            },
            rules=_rules("user_id"),
        ),
        "crm.stage": Behaviour(
            defaults={"sequence": 1, "is_won": False, "fold": False}
        ),
        "crm.team": Behaviour(
            defaults={"sequence": 10, "company_id": _company, "color": 0},
        ),
        "crm.tag": Behaviour(defaults={"color": 0}),
        "product.category": Behaviour(
            display_name=path_name("product.category"),
            name_fields=("complete_name", "name"),
            deleted_with=frozenset({"parent_id"}),
            not_copied=frozenset({"complete_name"}),
            saved=tree_saved("product.category", label="complete_name"),
        ),
        "product.product": Behaviour(
            defaults={
                "type": "consu",
                "list_price": 1.0,
                "sale_ok": True,
                "purchase_ok": True,
                "uom_id": _first_of("uom.uom"),
                "categ_id": _first_of("product.category"),
                "sequence": 1,
            },
            computed={"lst_price": _sales_price, "currency_id": _company_currency},
            display_name=_product_name,
            name_fields=("default_code", "name", "barcode"),
            not_copied=frozenset({"barcode"}),
        ),
        "uom.uom": Behaviour(
            defaults={"factor": 1.0, "rounding": 0.01, "uom_type": "reference"},
            computed={"factor_inv": _factor_inverse},
        ),
        "sale.order": Behaviour(
            defaults={
                "state": "draft",
                "name": "New",
                "locked": False,
                "company_id": _company,
                "date_order": _now,
                "invoice_status": "no",
                "require_signature": True,
                "require_payment": False,
                "prepayment_percent": 1.0,
            },
            computed={
                "message_ids": messages_of("sale.order"),
                "amount_undiscounted": _undiscounted,
                "type_name": _type_name,
                "is_expired": _expired,
            },
            completed=_order_completed,
            not_copied=frozenset(
                {
                    "name",
                    "state",
                    "locked",
                    "date_order",
                    "commitment_date",
                    "validity_date",
                    "client_order_ref",
                    "reference",
                    "origin",
                    "signed_by",
                    "signed_on",
                    "amount_untaxed",
                    "amount_tax",
                    "amount_total",
                }
            ),
            copied_lines=frozenset({"order_line"}),
            saved=_order_saved,
            before_unlink=_order_before_unlink,
            methods={
                "action_confirm": Method(_confirm),
                "action_cancel": Method(_cancel),
                "action_draft": Method(_draft),
                "action_quotation_sent": Method(_sent),
                "action_lock": Method(_lock),
                "action_unlock": Method(_unlock),
            },
            rules=_rules("user_id"),
        ),
        "sale.order.line": Behaviour(
            defaults={
                "sequence": 10,
                "discount": 0.0,
                "customer_lead": 0.0,
                "qty_delivered": 0.0,
                "qty_invoiced": 0.0,
                "invoice_status": "no",
                "is_downpayment": False,
            },
            completed=_line_completed,
            display_name=_line_name,
            deleted_with=frozenset({"order_id"}),
            holding=frozenset({"product_id"}),
            not_copied=frozenset(
                {"price_subtotal", "price_tax", "price_total", "qty_delivered"}
            ),
            before_write=_line_before_write,
            saved=_line_saved,
            before_unlink=_line_before_unlink,
            rules=_rules("salesman_id"),
        ),
    }
)
"""What these models do beyond keeping values."""
