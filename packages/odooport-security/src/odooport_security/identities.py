"""Odoo identities: the logins that API keys act as, with their secrets.

An identity is made for one Odoo: an instance, its address and its database. If the
settings mean another one by then, its secret is not given out, so nobody gets it by
planting a settings file that points the instance to a server of their own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from odooport.errors import InvalidRequest, OdooportError
from odooport.model import DEFAULT_INSTANCE, Credentials
from odooport_security.keys import check_name, utc_now
from odooport_security.secrets import Sealed, SecretCipher, SecretKeyError
from odooport_security.state import Database, Row

_VARIABLE = re.compile(r"ODOO_[A-Z0-9_]{1,100}", re.ASCII)
"""The variables that may hold a secret, as for the instances of the settings."""

_MOST_LOGIN = 200
_PORTS = {"http": 80, "https": 443}

_VERSIONS = (
    (
        """
        CREATE TABLE IF NOT EXISTS identities (
            name TEXT PRIMARY KEY,
            instance TEXT NOT NULL,
            login TEXT NOT NULL,
            database TEXT NOT NULL,
            url TEXT NOT NULL,
            created_at TEXT NOT NULL,
            variable TEXT,
            key_id TEXT,
            box BLOB
        ) WITHOUT ROWID
        """,
    ),
)
_INSERT = (
    "INSERT OR REPLACE INTO identities (name, instance, login, database, url, "
    "created_at, variable, key_id, box) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SELECT = (
    "SELECT name, instance, login, database, url, created_at, variable, key_id, box "
    "FROM identities "
)
_ONE = _SELECT + "WHERE name = ?"
_ALL = _SELECT + "ORDER BY instance, name"
_SEALED = _SELECT + "WHERE box IS NOT NULL ORDER BY name"
_RESEAL = "UPDATE identities SET key_id = ?, box = ? WHERE name = ?"
_DELETE = "DELETE FROM identities WHERE name = ?"


class IdentityError(OdooportError):
    """An identity cannot be used, or their store cannot be read or written."""

    code = "identity"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance is, as the settings have it.

    Attributes:
        url: The address of the server; empty where everything is in memory.
        database: The name of the database.
    """

    url: str
    database: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What the store tells of one identity; its secret is not among it.

    Attributes:
        name: What people call it.
        instance: Which Odoo it is for.
        login: The login of the Odoo user.
        place: Where that Odoo was when the identity was made.
        created_at: When that was, in UTC.
        variable: The variable that holds its secret; None if the secret is kept here.
        key_id: Which key the secret is encrypted with; None if it is in a variable.
    """

    name: str
    instance: str
    login: str
    place: Place
    created_at: datetime
    variable: str | None = None
    key_id: str | None = None


class IdentityStore:
    """The identities, in one SQLite file that several processes may share.

    A secret is kept encrypted, bound to the identity's name, instance, login, address
    and database; or it is in a variable, and only the variable's name is kept.

    Args:
        path: The SQLite file.
        cipher: Encrypts and decrypts the secrets.
        places: Answers where each instance is, by the present settings; asked once,
            when that is first needed.
        variable: Answers the value of a variable, or None.
        clock: Answers the time, in UTC.
    """

    def __init__(
        self,
        path: Path,
        cipher: SecretCipher,
        places: Callable[[], Mapping[str, Place]],
        *,
        variable: Callable[[str], str | None],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = Database(
            path, _VERSIONS, name="store of the Odoo identities", error=IdentityError
        )
        self._cipher = cipher
        self._ask_places = places
        self._places: Mapping[str, Place] | None = None
        self._variable = variable
        self._clock = clock

    def add(
        self,
        name: str,
        login: str,
        instance: str = DEFAULT_INSTANCE,
        *,
        secret: str | None = None,
        variable: str | None = None,
    ) -> Identity:
        """Keep an identity; one that has the same user already gets the new secret.

        Args:
            name: What people shall call it.
            login: The login of the Odoo user.
            instance: Which Odoo it is for.
            secret: The password or Odoo API key of that user.
            variable: The variable that holds it, in place of ``secret``.

        Raises:
            InvalidRequest: Something of that is not acceptable, or the name is that of
                another user's identity.
            SecretKeyError: There is no key to encrypt the secret with.
            IdentityError: The store cannot be read or written.
        """
        check_name(name, "an identity")
        if not login.strip() or len(login) > _MOST_LOGIN or not login.isprintable():
            raise InvalidRequest(f"{login!r} cannot be the login of an Odoo user.")
        place = self._place(instance)
        if place is None:
            known = ", ".join(map(repr, self._all_places())) or "none"
            raise InvalidRequest(
                f"There is no instance {instance!r} in the settings, only {known}."
            )
        if (secret is None) == (variable is None):
            raise InvalidRequest(
                "Give either the secret itself or the variable that holds it."
            )
        if variable is not None and _VARIABLE.fullmatch(variable) is None:
            raise InvalidRequest(
                f"{variable!r} is no variable for a secret: its name must begin with "
                "ODOO_, such as ODOO_ANA_API_KEY."
            )
        if secret is not None and not (secret.strip() and secret.isprintable()):
            # The secret is not quoted, of course.
            raise InvalidRequest(
                "This is no password or API key: it is empty, or has characters in it "
                "that nobody can type."
            )
        now = self._clock().astimezone(UTC).replace(microsecond=0)
        made = Identity(name, instance, login, place, now, variable)
        sealed = None if secret is None else self._seal(made, secret)
        with self._database.transaction() as connection:
            rows = connection.execute(_ONE, (name,)).fetchall()
            if rows and not _is_same_user(_identity(rows[0]), made):
                raise InvalidRequest(
                    f"There is an identity {name!r} already, for another Odoo user. "
                    f"Take another name, or first run 'odooport identities remove "
                    f"{name}'."
                )
            connection.execute(
                _INSERT,
                (
                    name,
                    instance,
                    login,
                    place.database,
                    place.url,
                    now.isoformat(),
                    variable,
                    None if sealed is None else sealed.key_id,
                    None if sealed is None else sealed.box,
                ),
            )
        return self._known(name)

    def list(self) -> list[Identity]:
        """Answer every identity.

        Raises:
            IdentityError: The store cannot be read.
        """
        return [_identity(row) for row in self._database.read(_ALL)]

    def find(self, name: str) -> Identity | None:
        """Answer the identity with this name, or None.

        Raises:
            IdentityError: The store cannot be read.
        """
        rows = self._database.read(_ONE, name)
        return _identity(rows[0]) if rows else None

    def remove(self, name: str) -> Identity:
        """Forget an identity and its secret, and answer what it was.

        Raises:
            InvalidRequest: There is no such identity.
            IdentityError: The store cannot be written.
        """
        found = self._known(name)
        self._database.change(_DELETE, name)
        self._database.forget()
        return found

    def credentials(self, name: str, instance: str) -> Credentials:
        """Answer the login of an identity, with its secret.

        Args:
            name: The identity.
            instance: Which Odoo it shall be used for.

        Raises:
            IdentityError: There is none of that name for that Odoo, or its secret
                cannot be had. The message says what to do, and names no address.
        """
        rows = self._database.read(_ONE, name)
        if not rows:
            raise IdentityError(f"There is no Odoo identity {name!r} any more.")
        found = _identity(rows[0])
        place = self._place(instance)
        if found.instance != instance or found.place != place or place is None:
            raise IdentityError(
                f"The Odoo identity {name!r} was made for another Odoo than the one "
                f"that the settings have as the instance {instance!r}. If that one is "
                "right, remove the identity and add it anew."
            )
        secret = self._secret(found, rows[0][-1])
        return Credentials(place.database, found.login, secret, instance)

    def reencrypt(self) -> int:
        """Encrypt every secret with the first key, and answer how many changed.

        All of them are, or none is.

        Raises:
            SecretKeyError: There is no key, or one of the secrets cannot be decrypted.
            IdentityError: The store cannot be read or written.
        """
        if not self._database.read(_SEALED):
            return 0
        count = 0
        with self._database.transaction() as connection:
            for row in connection.execute(_SEALED).fetchall():
                found = _identity(row)
                if found.key_id == self._cipher.key_id:
                    continue
                sealed = self._seal(found, self._open(found, row[-1]))
                connection.execute(_RESEAL, (sealed.key_id, sealed.box, found.name))
                count += 1
        self._database.forget()
        return count

    def close(self) -> None:
        """Let go of the file; the next question opens it again."""
        self._database.close()

    def _secret(self, found: Identity, box: bytes | None) -> str:
        if found.variable is None:
            try:
                return self._open(found, box)
            except SecretKeyError as error:
                raise IdentityError(error.message) from None
        # The file may have been changed since the name was checked.
        if _VARIABLE.fullmatch(found.variable) is not None:
            secret = self._variable(found.variable)
            if secret:
                return secret
        raise IdentityError(
            f"The variable {found.variable!r}, which holds the secret of the Odoo "
            f"identity {found.name!r}, is not set."
        )

    def _seal(self, found: Identity, secret: str) -> Sealed:
        return self._cipher.encrypt(secret, *_bound_to(found))

    def _open(self, found: Identity, box: bytes | None) -> str:
        sealed = Sealed(found.key_id or "", box or b"")
        try:
            return self._cipher.decrypt(sealed, *_bound_to(found))
        except SecretKeyError as error:
            raise SecretKeyError(
                f"The secret of the Odoo identity {found.name!r} cannot be read. "
                f"{error.message}"
            ) from None

    def _known(self, name: str) -> Identity:
        found = self.find(name)
        if found is None:
            raise InvalidRequest(
                f"There is no identity {name!r}; 'odooport identities list' shows them "
                "all."
            )
        return found

    def _all_places(self) -> Mapping[str, Place]:
        if self._places is None:
            self._places = {
                instance: Place(_normal(place.url), place.database)
                for instance, place in self._ask_places().items()
            }
        return self._places

    def _place(self, instance: str) -> Place | None:
        return self._all_places().get(instance)


def _bound_to(found: Identity) -> tuple[str, ...]:
    place = found.place
    return (found.name, found.instance, found.login, place.database, place.url)


def _is_same_user(one: Identity, other: Identity) -> bool:
    return (one.instance, one.login, one.place) == (
        other.instance,
        other.login,
        other.place,
    )


def _normal(url: str) -> str:
    """Answer an address in the one form in which two of the same server are equal."""
    parts = urlsplit(url)
    if not parts.scheme:
        return url
    host = (parts.hostname or "").lower()
    port = parts.port or _PORTS.get(parts.scheme, 0)
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme.lower()}://{shown}:{port}{parts.path.rstrip('/')}"


def _identity(row: Row) -> Identity:
    name, instance, login, database, url, created_at, variable, key_id = row[:8]
    try:
        made = datetime.fromisoformat(created_at)
    except (ValueError, TypeError) as error:
        raise IdentityError(
            f"What is kept of the Odoo identity {name!r} cannot be read; remove it and "
            "add it anew."
        ) from error
    return Identity(name, instance, login, Place(url, database), made, variable, key_id)
