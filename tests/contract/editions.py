"""Where Odoo 19 differs from Odoo 18, as the contract's cases see it.

What the gateways do about the versions is in ``odooport_adapters.versions``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

type AnyDomain = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Edition:
    """How an Odoo answers.

    Attributes:
        major: Which one it is.
        administrators: What it calls the group that may open the settings.
        crashes_over: Domains that another Odoo takes.
        takes: What another Odoo does not take for a domain; it finds nothing.
    """

    major: int
    administrators: str
    crashes_over: tuple[AnyDomain, ...] = ()
    takes: tuple[AnyDomain, ...] = ()


EIGHTEEN = Edition(18, "Administration/Settings")

NINETEEN = Edition(
    19,
    # groups are sorted by privilege since 19: base/security/base_groups.xml
    "Role / Administrator",
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
