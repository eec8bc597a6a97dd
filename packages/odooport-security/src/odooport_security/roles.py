"""Roles, and what they say of a call. What no rule allows is denied.

Odoo's own access rights and record rules come on top, for the Odoo user behind the key.
"""

from collections.abc import Mapping
from typing import Any, Self

from odooport.model import Call, Decision, Operation, Principal
from odooport.ports import OdooKnowledge
from odooport_security.judgement import Judgement
from odooport_security.rules import BUILT_IN, Role, RolesError, Rule, parse_roles
from odooport_security.sensitive import PROTECTED_MODELS, SENSITIVE_MODELS
from odooport_security.sight import Covers

__all__ = [
    "PROTECTED_MODELS",
    "SENSITIVE_MODELS",
    "Role",
    "Roles",
    "RolesError",
    "Rule",
]


class Roles:
    """The roles that there are: the built-in ones and those of the configuration file.

    Args:
        roles: Them all, by name.
    """

    def __init__(self, roles: Mapping[str, Role] = BUILT_IN) -> None:
        self._roles = dict(roles)
        self._covers = Covers()

    @classmethod
    def parse(
        cls, raw: Mapping[str, Any], *, text: str = "", file: str = "odooport.toml"
    ) -> Self:
        """Read the table ``roles`` of a configuration file.

        Args:
            raw: The table, by the names of the roles.
            text: The whole file, so that errors can name lines.
            file: What the file is called in errors.

        Raises:
            RolesError: Something is wrong with it; every problem is named with its line
                and key.
        """
        return cls(parse_roles(raw, text=text, file=file))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all roles, the built-in ones first."""
        return tuple(self._roles)

    def get(self, name: str) -> Role | None:
        """Answer the role with this name, or None."""
        return self._roles.get(name)

    def operations_of(self, principal: Principal) -> frozenset[Operation]:
        """Answer what the principal's role may do at all; nothing if it is unknown."""
        role = self._roles.get(principal.role)
        return frozenset() if role is None else role.operations

    async def judge(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        """Answer whether the principal's role allows a call, and what shall be sent.

        Args:
            principal: Who asks.
            call: What for.
            odoo: Tells what the models look like; asked only where that matters.

        Raises:
            OdooportError: What had to be asked of Odoo could not be answered.
        """
        role = self._roles.get(principal.role)
        if role is None:
            return Decision(
                False,
                f"There is no role {principal.role!r}, so this key may do nothing; "
                f"make a key with one of the roles {', '.join(self._roles)}.",
                "unknown-role",
                call,
            )
        return await Judgement(role, principal, call, odoo, self._covers).decide()
