"""Who is it, and may they? Two answers: by API key, and for the local user alone."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from odooport.model import Call, Credentials, Decision, Principal, Refusal
from odooport.ports import AuthPolicy
from odooport_security.keys import KeyStore, KeyStoreError, utc_now
from odooport_security.roles import ROLES, judge

_UNKNOWN = Refusal(
    "This API key is not valid. Send one that 'odooport keys create' made, as "
    "'Authorization: Bearer odp_...'.",
    rule="unknown-key",
)
_STORE_GONE = Refusal(
    "API keys cannot be checked at the moment, so nobody is let in. Tell the "
    "administrator: the key store cannot be read.",
    rule="key-store",
)
_NO_KEYS = Refusal("This door takes no API keys.", rule="no-keys")


class KeyPolicy:
    """An ``AuthPolicy`` by API key: the key tells the role, the role what it may do.

    Every key acts as the same Odoo users, one for each instance.

    Args:
        store: The API keys.
        credentials: The Odoo login of each instance.
        clock: Answers the time, in UTC.
    """

    def __init__(
        self,
        store: KeyStore,
        credentials: Mapping[str, Credentials],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._credentials = dict(credentials)
        self._clock = clock

    async def authenticate(
        self, token: str, address: str | None
    ) -> Principal | Refusal:
        """Answer whose key this is.

        Whoever has no right secret learns nothing: an unknown id, a wrong secret and
        nonsense get the same answer. A store that cannot be read lets nobody in.
        """
        del address
        try:
            key = self._store.verify(token)
        except KeyStoreError:
            return _STORE_GONE
        if key is None:
            return _UNKNOWN
        if key.revoked_at is not None:
            return Refusal(
                f"The API key {key.id!r} was revoked; ask for a new one.",
                rule="revoked-key",
            )
        if key.is_expired(self._clock()):
            return Refusal(
                f"The API key {key.id!r} has expired; ask for a new one.",
                rule="expired-key",
            )
        return principal_of(key.id, key.name, key.role, self._credentials)

    async def authorize(self, principal: Principal, call: Call) -> Decision:
        """Judge one call by the principal's role."""
        return judge(principal, call)


class LocalPolicy:
    """An ``AuthPolicy`` for a door without keys: only the local user comes through it.

    That user's principal is made by the service (see ``principal_of``).
    """

    async def authenticate(
        self, token: str, address: str | None
    ) -> Principal | Refusal:
        """Refuse every token."""
        del token, address
        return _NO_KEYS

    async def authorize(self, principal: Principal, call: Call) -> Decision:
        """Judge one call by the principal's role, which is a setting here."""
        decision = judge(principal, call)
        reason = decision.reason.replace(
            "a key with the role", "a service whose ODOOPORT_ROLE is"
        )
        return replace(decision, reason=reason)


def principal_of(
    subject: str, name: str, role: str, credentials: Mapping[str, Credentials]
) -> Principal:
    """Answer a principal with the limits of its role."""
    known = ROLES.get(role)
    if known is None:  # ``judge`` refuses whatever it asks for
        return Principal(subject, name, role, credentials, max_rows=0)
    return Principal(subject, name, role, credentials, max_rows=known.max_rows)


if TYPE_CHECKING:
    _keys: type[AuthPolicy] = KeyPolicy
    _local: type[AuthPolicy] = LocalPolicy
