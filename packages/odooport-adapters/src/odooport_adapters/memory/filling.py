"""What forms of contacts, leads and orders fill in by themselves.

Sources: ``addons/base/models/res_partner.py``, ``addons/crm/models/crm_lead.py``,
``addons/sale/models/sale_order.py`` and ``sale_order_line.py`` of Odoo 18.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from odooport_adapters.memory import faults, properties
from odooport_adapters.memory.contacts import (
    ADDRESS_FIELDS,
    derived,
    normalized_email,
)
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.orders import ordered
from odooport_adapters.memory.registry import Fill
from odooport_adapters.memory.store import Row

type Values = Mapping[str, Any]

VALID_DAYS = 30
"""How long a quotation is valid."""

WON = 100.0
FIRST_CHANCE = 10.0
"""The probability of a new lead; a real Odoo predicts it from earlier ones."""

_SALESMAN = "sales_team.group_sale_salesman"


def first_of(env: Environment, model: str) -> int | None:
    """Answer the first record of a model in its order."""
    found = env.model(model)
    return next(iter(ordered(env.sudo(), found, found.order)), None)


def team_of(env: Environment) -> int | None:
    """Answer the user's sales team, or else the first one."""
    model, rows = env.model("crm.team"), env.table("crm.team").rows
    teams = ordered(env.sudo(), model, model.order)
    own = (team for team in teams if env.uid in (rows[team].get("member_ids") or ()))
    return next(own, None) or next(iter(teams), None)


# Contacts


def _country_of_state(env: Environment, partner: int) -> Values:
    state = env.get("res.partner", partner, "state_id")
    country = env.get("res.country.state", state or 0, "country_id")
    return {"country_id": country} if country else {}


def _state_of_country(env: Environment, partner: int) -> Values:
    country = env.get("res.partner", partner, "country_id")
    state = env.get("res.partner", partner, "state_id")
    other = env.get("res.country.state", state or 0, "country_id")
    return {"state_id": None} if country and state and other != country else {}


def _address_of_parent(env: Environment, partner: int) -> Values:
    row = env.row("res.partner", partner)
    if not row.get("parent_id"):
        return {}
    parent = env.row("res.partner", row["parent_id"])
    found: dict[str, Any] = {"lang": parent.get("lang") or env.lang}
    address = {name: parent.get(name) for name in ADDRESS_FIELDS}
    if row.get("type") == "contact" and any(address.values()):
        found |= address
    return found


def _is_company(env: Environment, partner: int) -> Values:
    kind = env.row("res.partner", partner).get("company_type")
    return {} if kind is None else {"is_company": kind == "company"}


def _company_changed(_env: Environment, origin: Row, after: Row) -> str | None:
    before = origin.get("parent_id")
    if before and after.get("parent_id") and after["parent_id"] != before:
        return (
            "This contact works for another company. If the person has changed jobs, "
            "create a new contact under the new company."
        )
    return None


# Leads


def lead_from_partner(env: Environment, lead: Row) -> dict[str, Any]:
    """Answer what a lead takes over from its customer: what it has, or else its own."""
    partner_id = lead.get("partner_id")
    if not partner_id:
        return {}
    partner = env.row("res.partner", partner_id)
    company = env.get("res.partner", partner.get("parent_id") or 0, "name")
    own_name = partner.get("name")
    if not company:
        of_company = partner.get("is_company")
        company = own_name if of_company else partner.get("company_name")
    found = {
        "email_from": partner.get("email"),
        "contact_name": None if partner.get("is_company") else own_name,
        "partner_name": company,
        **{
            name: partner.get(name)
            for name in ("phone", "mobile", "website", "function")
        },
    }
    found = {name: value for name, value in found.items() if value}
    if any(partner.get(name) for name in ADDRESS_FIELDS):
        found |= {name: partner.get(name) for name in ADDRESS_FIELDS}
    if not lead.get("name") and own_name:
        found["name"] = f"{own_name}'s opportunity"
    return found


def _from_partner(env: Environment, lead: int) -> Values:
    return lead_from_partner(env, env.row("crm.lead", lead))


def _new_lead(env: Environment, _lead: int) -> Values:
    return {
        "stage_id": first_of(env, "crm.stage"),
        "team_id": team_of(env),
        "company_id": env.company or None,
        "probability": FIRST_CHANCE,
    }


def _properties_of_team(env: Environment, lead: int) -> Values:
    model, row = env.model("crm.lead"), env.row("crm.lead", lead)
    field = model.fields["lead_properties"]
    known = properties.definitions_of(env, model, field, row)
    values = row.get("lead_properties")
    return {"lead_properties": properties.with_defaults(env, known, values) or None}


def _chance_of_stage(env: Environment, lead: int) -> Values:
    stage = env.get("crm.lead", lead, "stage_id")
    return {"probability": WON} if env.get("crm.stage", stage or 0, "is_won") else {}


def prorated(env: Environment, lead: int) -> Values:
    """Answer the revenue by its probability, and the address for comparing."""
    row = env.row("crm.lead", lead)
    share = (row.get("probability") or 0.0) / 100
    return {
        "prorated_revenue": round((row.get("expected_revenue") or 0) * share, 2),
        "email_normalized": normalized_email(row.get("email_from")),
    }


# Orders


def addresses(env: Environment, partner: int) -> dict[str, int]:
    """Answer to whom an order's invoice and goods go (``address_get``)."""
    table = env.table("res.partner")
    found: dict[str, int] = {}
    seen = set[int]()
    current: int | None = partner
    while current:
        waiting = [current]
        while waiting:
            one = waiting.pop(0)
            seen.add(one)
            row = table.rows[one]
            found.setdefault(row.get("type") or "", one)
            below = table.pointing_at("parent_id", one)
            waiting = [
                child
                for child in below
                if child not in seen
                and table.rows[child].get("active")
                and not table.rows[child].get("is_company")
            ] + waiting
        row = table.rows[current]
        current = None if row.get("is_company") else row.get("parent_id")
    usual = found.get("contact", partner)
    return {
        "partner_invoice_id": found.get("invoice", usual),
        "partner_shipping_id": found.get("delivery", usual),
    }


def _of_customer(env: Environment, order: int) -> Values:
    row = env.row("sale.order", order)
    partner = row.get("partner_id")
    if not partner:
        return {}
    found: dict[str, Any] = {**addresses(env, partner)}
    if order < 0 or not row.get("user_id"):
        commercial = env.get("res.partner", partner, "commercial_partner_id") or 0
        found["user_id"] = (
            env.get("res.partner", partner, "user_id")
            or env.get("res.partner", commercial, "user_id")
            or (env.uid if _SALESMAN in env.groups else None)
        )
    return found


def _new_order(env: Environment, _order: int) -> Values:
    last = env.now + timedelta(days=VALID_DAYS)
    return {
        "team_id": team_of(env),
        "validity_date": last.strftime("%Y-%m-%d"),
        "currency_id": env.get("res.company", env.company, "currency_id"),
    }


def order_amounts(env: Environment, order: int) -> Values:
    """Answer an order's totals: the sum of its lines, without taxes."""
    lines = env.table("sale.order.line")
    untaxed = sum(
        (
            lines.rows[line].get("price_subtotal") or 0.0
            for line in lines.pointing_at("order_id", order)
        ),
        0.0,
    )
    total = round(untaxed, 2)
    return {"amount_untaxed": total, "amount_tax": 0.0, "amount_total": total}


# Order lines


def line_of_product(env: Environment, product: int) -> dict[str, Any]:
    """Answer what an order line says about its product."""
    row = env.row("product.product", product)
    words = [
        env.display_name("product.product", product),
        env.get("product.product", product, "description_sale"),
    ]
    return {
        "name": "\n".join(word for word in words if word),
        "product_uom": row.get("uom_id"),
        "price_unit": row.get("list_price") or 0.0,
    }


def _of_product(env: Environment, line: int) -> Values:
    row = env.row("sale.order.line", line)
    if not row.get("product_id"):
        return {}
    if not row.get("order_id"):
        # its price depends on the order's customer
        raise faults.crash("ValueError", "Expected singleton: sale.order()")
    return line_of_product(env, row["product_id"])


def _new_line(env: Environment, line: int) -> Values:
    if env.row("sale.order.line", line).get("display_type"):
        return {}
    return {"product_uom_qty": 1.0, "price_unit": 0.0}


def line_amounts(env: Environment, line: int) -> Values:
    """Answer a line's totals."""
    row = env.row("sale.order.line", line)
    discount = 1 - (row.get("discount") or 0.0) / 100
    quantity, price = row.get("product_uom_qty") or 0, row.get("price_unit") or 0
    subtotal = round(quantity * price * discount, 2)
    return {"price_subtotal": subtotal, "price_tax": 0.0, "price_total": subtotal}


FILLS: Mapping[str, tuple[Fill, ...]] = MappingProxyType(
    {
        "res.partner": (
            Fill(("state_id",), _country_of_state),
            Fill(("country_id",), _state_of_country),
            Fill(("parent_id",), _address_of_parent),
            Fill(("company_type",), _is_company),
            Fill(("name", "parent_id", "is_company", "type", "email"), derived),
        ),
        "crm.lead": (
            Fill((), _new_lead),
            Fill(("team_id",), _properties_of_team),
            Fill(("partner_id",), _from_partner),
            Fill(("stage_id",), _chance_of_stage),
            Fill(("expected_revenue", "probability", "email_from"), prorated),
        ),
        "sale.order": (
            Fill((), _new_order),
            Fill(("partner_id",), _of_customer),
            Fill(("order_line",), order_amounts),
        ),
        "sale.order.line": (
            Fill((), _new_line),
            Fill(("product_id",), _of_product),
            Fill(("product_uom_qty", "price_unit", "discount"), line_amounts),
        ),
    }
)
"""By model, in the order in which they follow from each other."""

WARNINGS = MappingProxyType({"res.partner": _company_changed})
"""By model, what its form warns of."""
