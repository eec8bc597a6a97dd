"""Who is it, and may they? Two answers: by API key, and for the local user alone."""

import logging
import math
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from odooport.model import Call, Credentials, Decision, Principal, Refusal
from odooport.ports import AuthPolicy, OdooKnowledge
from odooport_security.identities import IdentityError, IdentityStore
from odooport_security.keys import (
    KeyRecord,
    KeyStore,
    KeyStoreError,
    claimed_id,
    utc_now,
)
from odooport_security.lockout import Lockout
from odooport_security.roles import Role, Roles

_logger = logging.getLogger(__name__)

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

_IN_LOCAL_WORDS = {
    "a key with the role": "a service whose ODOOPORT_ROLE is",
    "so this key may do nothing; make a key with": (
        "so this service may do nothing; set ODOOPORT_ROLE to"
    ),
}


class KeyPolicy:
    """An ``AuthPolicy`` by API key: the key tells the role, the role what it may do.

    A key with Odoo identities acts as these, in their instances alone; any other acts
    as the users that the settings name.

    Args:
        store: The API keys.
        roles: The roles that they can have.
        identities: The Odoo identities that they can act as.
        credentials: The Odoo login of each instance, by the settings.
        lockout: Makes those wait who fail again and again.
        clock: Answers the time, in UTC.
    """

    def __init__(
        self,
        store: KeyStore,
        roles: Roles,
        identities: IdentityStore,
        credentials: Mapping[str, Credentials],
        *,
        lockout: Lockout,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._roles = roles
        self._identities = identities
        self._credentials = dict(credentials)
        self._lockout = lockout
        self._clock = clock

    async def authenticate(
        self, token: str, address: str | None
    ) -> Principal | Refusal:
        """Answer whose key this is.

        Whoever has no right secret learns nothing: an unknown id, a wrong secret and
        nonsense get the same answer, and after too many failures nothing is looked at.
        A store that cannot be read lets nobody in.
        """
        claimed = claimed_id(token)
        seconds = await self._lockout.waiting(address, key=claimed)
        if seconds > 0:
            return _too_many(seconds) if self._lockout.counts else _uncounted(seconds)
        try:
            found = self._fit(await self._store.verify(token), address)
        except KeyStoreError:
            return _STORE_GONE
        if isinstance(found, Refusal):
            if found.subject is None:
                # Who has a right secret guesses nothing: a job that goes on with an
                # old key must not hold up those who share its address.
                await self._lockout.failed(address, key=claimed)
            return found
        # This forgets the failures of this key alone: whoever else is behind the same
        # address has nothing to do with it.
        await self._lockout.succeeded(address, key=found.id)
        answer = self._principal(found)
        if isinstance(answer, Principal):
            self._store.used(found.id)
        return answer

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        """Judge one call by the principal's role."""
        return await self._roles.judge(principal, call, odoo)

    def _fit(self, key: KeyRecord | None, address: str | None) -> KeyRecord | Refusal:
        """Answer the key that was proven, or why it lets nobody in."""
        if key is None:
            return _UNKNOWN
        now = self._clock()
        if key.revoked_at is not None:
            return _refused(key, "was revoked; ask for a new one.", "revoked-key")
        if key.is_expired(now):
            return _refused(key, "has expired; ask for a new one.", "expired-key")
        if key.is_rotated_away(now):
            return _refused(
                key,
                "was given a new secret, and the one that you sent is not honoured any "
                "more; ask for the new one.",
                "rotated-key",
            )
        if not key.is_for(address):
            return _refused(key, "may not be used from your address.", "network")
        return key

    def _principal(self, key: KeyRecord) -> Principal | Refusal:
        role = self._roles.get(key.role)
        if role is None:
            return _refused(
                key,
                f"has the role {key.role!r}, which there is not any more. Tell the "
                "administrator.",
                "unknown-role",
            )
        try:
            logins = self._logins(key, role)
        except IdentityError as error:
            _logger.warning(
                "a key cannot act as its Odoo user",
                extra={"key": key.id, "why": error.message},
            )
            return _refused(
                key,
                "cannot act as its Odoo user at the moment. Tell the administrator: "
                "the log says why.",
                "identity",
            )
        principal = principal_of(key.id, key.name, key.role, logins, self._roles)
        return replace(
            principal,
            rate_limit=key.rate_limit,
            concurrency=key.concurrency or principal.concurrency,
        )

    def _logins(self, key: KeyRecord, role: Role) -> Mapping[str, Credentials]:
        """Answer the Odoo logins of a key, where it and its role may use them.

        Raises:
            IdentityError: One of its identities cannot be used.
        """
        ours = _allowed(_allowed(self._credentials, key.instances), role.instances)
        if not key.identities:
            return ours
        return {
            instance: self._identities.credentials(name, instance)
            for instance, name in key.identities.items()
            if instance in ours
        }


class LocalPolicy:
    """An ``AuthPolicy`` for a door without keys: only the local user comes through it.

    That user's principal is made by the service (see ``principal_of``).

    Args:
        roles: The roles; a setting says which of them the local user has.
    """

    def __init__(self, roles: Roles) -> None:
        self._roles = roles

    async def authenticate(
        self, token: str, address: str | None
    ) -> Principal | Refusal:
        """Refuse every token."""
        del token, address
        return _NO_KEYS

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        """Judge one call by the principal's role, which is a setting here."""
        decision = await self._roles.judge(principal, call, odoo)
        if decision.allowed:
            return decision
        reason = decision.reason
        for theirs, ours in _IN_LOCAL_WORDS.items():
            reason = reason.replace(theirs, ours)
        return replace(decision, reason=reason)


def principal_of(
    subject: str,
    name: str,
    role: str,
    credentials: Mapping[str, Credentials],
    roles: Roles,
) -> Principal:
    """Answer a principal with what its role says of it.

    The budget of the role is left to the limiter: all who have the role share it.

    Args:
        subject: A stable identifier: a key's id, or what the local user is called.
        name: What people call it.
        role: The name of its role; one that there is not may do nothing.
        credentials: The Odoo login that it acts as, for each instance; those that its
            role does not allow are left out.
        roles: The roles.
    """
    found = roles.get(role)
    if found is None:  # ``judge`` refuses whatever it asks for
        return Principal(subject, name, role, dict(credentials), max_rows=0)
    return Principal(
        subject,
        name,
        role,
        _allowed(credentials, found.instances),
        max_rows=found.max_rows,
        concurrency=found.concurrency,
    )


def _allowed(
    credentials: Mapping[str, Credentials], instances: Container[str]
) -> dict[str, Credentials]:
    """Answer the logins to some instances; no instance named means every one."""
    return {
        instance: login
        for instance, login in credentials.items()
        if not instances or instance in instances
    }


def _refused(key: KeyRecord, why: str, rule: str) -> Refusal:
    return Refusal(f"The API key {key.id!r} {why}", rule=rule, subject=key.id)


def _too_many(seconds: float) -> Refusal:
    return Refusal(
        "Too many API keys from your address were not valid, so none is looked at now. "
        f"Try again in {math.ceil(seconds)} seconds.",
        rule="lockout",
        retry_after=seconds,
    )


def _uncounted(seconds: float) -> Refusal:
    return Refusal(
        "API keys cannot be checked at the moment, so nobody is let in. Try again in "
        f"{math.ceil(seconds)} seconds; if that stays so, tell the administrator.",
        rule="lockout-store",
        retry_after=seconds,
    )


if TYPE_CHECKING:
    _keys: type[AuthPolicy] = KeyPolicy
    _local: type[AuthPolicy] = LocalPolicy
