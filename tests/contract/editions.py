"""Where Odoo 19 differs from Odoo 18, as the contract's cases see it.

What the gateways do about the versions is in ``odooport_adapters.versions``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

type AnyDomain = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Edition:
    """How an Odoo answers.

    Attributes:
        major: Which one it is.
        administrators: What it calls the group that may open the settings.
        lead: The label of ``crm.lead``.
        leads_partner: The label of its ``partner_id``.
        lines_unit: The field with the unit of a ``sale.order.line``.
        translated: What ``ir.model.fields`` says of a translated field.
        warns_of_another_company: Whether the form of a contact warns of one.
        shows_unset_properties: Whether a property without a value is read with one.
        checks_property_ids: Whether it crashes on what is no id of a record.
        keeps_empty_lists: Whether a property's list in which nothing fits is one still.
        crashes_over: Domains that another Odoo takes.
        takes: What another Odoo does not take for a domain; it finds nothing.
    """

    major: int
    administrators: str
    lead: str
    leads_partner: str
    lines_unit: str
    translated: Literal[True, "standard"]
    warns_of_another_company: bool
    shows_unset_properties: bool
    checks_property_ids: bool
    keeps_empty_lists: bool
    crashes_over: tuple[AnyDomain, ...] = ()
    takes: tuple[AnyDomain, ...] = ()


EIGHTEEN = Edition(
    18,
    "Administration/Settings",
    lead="Lead/Opportunity",
    leads_partner="Customer",
    lines_unit="product_uom",
    translated=True,
    warns_of_another_company=True,
    shows_unset_properties=True,
    checks_property_ids=True,
    keeps_empty_lists=False,
)

NINETEEN = Edition(
    19,
    # groups are sorted by privilege since 19: base/security/base_groups.xml
    "Role / Administrator",
    lead="Lead",
    leads_partner="Contact",
    lines_unit="product_uom_id",
    # a selection, as a text may be translated by its pieces: base/models/ir_model.py
    translated="standard",
    warns_of_another_company=False,
    # stored as written, and parsed only when read: orm/fields_properties.py
    shows_unset_properties=False,
    checks_property_ids=False,
    keeps_empty_lists=True,
    crashes_over=(
        # 18 ignores a field that it can neither store nor search
        [["same_vat_partner_id", "=", 1]],
        ["!", ["same_vat_partner_id", "=", 1]],
        # moments are parsed before they are sent to the database: orm/domains.py
        [["write_date", "<", "2020-01-01T00:00:00Z"]],
    ),
    takes=(
        # deprecated there, but only warned of: orm/domains.py
        [["name", "ILIKE", "x"]],
        [["name", "in", "x"]],
    ),
)


def edition_of(major: int) -> Edition:
    """Answer how an Odoo of this version answers; a newer one like the newest here."""
    return EIGHTEEN if major < NINETEEN.major else NINETEEN
