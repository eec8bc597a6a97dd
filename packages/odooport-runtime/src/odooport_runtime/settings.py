"""The settings: what there is to set, and the one reader of the environment.

A variable beats ``.env``, and ``.env`` beats ``odooport.toml``. Both files are read
from the working directory only if no variable names an Odoo: an agent starts the stdio
door inside other people's folders, and what lies there must not bend a connection that
was set on purpose. ``ODOOPORT_CONFIG`` names a configuration file that is always read.

The variables set the instance ``default``; the file can have others beside it, or
instead of it. A call that names no instance means ``default``, and no other ever takes
its place.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlsplit

import platformdirs
from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from odooport.errors import OdooportError
from odooport.model import DEFAULT_INSTANCE, Credentials

CONFIG_FILE = "odooport.toml"
DOTENV_FILE = ".env"

_BACKEND_PATHS = frozenset({"web", "odoo", "xmlrpc", "jsonrpc", "json"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}", re.ASCII)
_VARIABLE = re.compile(r"ODOO_[A-Z0-9_]{1,100}", re.ASCII)
"""The variables that a file may take a secret from: a file that somebody planted must
not be able to send any other to a server of its choice."""

_BUDGET = re.compile(r"[1-9]\d{0,8}/(second|minute|hour|day)")


class SettingsError(OdooportError):
    """A setting is missing or wrong; the message names it and holds no secret."""

    code = "settings"


def _address(raw: str) -> str:
    """Answer the address of an Odoo, without the slash at its end."""
    parts = urlsplit(raw.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write the whole address, such as https://odoo.example.com")
    if parts.username is not None or parts.password is not None:
        raise ValueError(
            "leave the login out of the address; ODOO_USER and ODOO_API_KEY have it"
        )
    first = parts.path.strip("/").split("/", 1)[0]
    if parts.query or parts.fragment or first in _BACKEND_PATHS:
        raise ValueError(
            "write the address without the page behind it, such as "
            "https://odoo.example.com"
        )
    _ = parts.port  # raises ValueError for what is no port
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _budget(raw: str) -> str:
    if _BUDGET.fullmatch(raw) is None:
        raise ValueError(
            "write a number and one of second, minute, hour and day, such as 600/minute"
        )
    return raw


def _name(raw: str) -> str:
    if _NAME.fullmatch(raw) is None:
        raise ValueError(
            "write small letters, digits, hyphens and underscores, such as shop-be"
        )
    return raw


def _variable(raw: str) -> str:
    if _VARIABLE.fullmatch(raw) is None:
        raise ValueError(
            "name a variable that begins with ODOO_, such as ODOO_SHOP_API_KEY"
        )
    return raw


def _lower(raw: object) -> object:
    return raw.strip().lower() if isinstance(raw, str) else raw


def _state_directory() -> Path:
    return platformdirs.user_state_path("odooport", appauthor=False)


def _by(*variables: str) -> dict[str, Any]:
    """Answer what a field keeps of the variables that set it, the first one first."""
    return {"variables": list(variables)}


def _split(raw: object) -> object:
    """Answer a list; a variable holds one with commas between its items."""
    if isinstance(raw, str):
        return [item.strip() for item in raw.split(",") if item.strip()]
    return raw


def _network(raw: object) -> object:
    if not isinstance(raw, str):
        return raw
    try:
        return ip_network(raw)
    except ValueError as error:
        raise ValueError(
            f"{raw!r} is no network: write one such as 10.0.0.0/8, 2001:db8::/32 or a "
            "single address"
        ) from error


type Network = IPv4Network | IPv6Network
"""A network of addresses; a single address is a network of its own."""

_File = Annotated[Path, AfterValidator(Path.expanduser)]
_List = Annotated[tuple[str, ...], BeforeValidator(_split)]
_Networks = Annotated[
    tuple[Annotated[Network, BeforeValidator(_network)], ...], BeforeValidator(_split)
]
_Word = BeforeValidator(_lower)
_Url = Annotated[str, AfterValidator(_address)]
_Name = Annotated[str, AfterValidator(_name)]
_Variable = Annotated[str, AfterValidator(_variable)]

type Transport = Literal["auto", "json2", "web", "jsonrpc", "xmlrpc", "memory"]
"""How to speak with an Odoo."""


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one Odoo database.

    Attributes:
        credentials: The login, which names the instance.
        url: The address; empty where everything is in memory.
        transport: How to speak with it.
        ca_bundle: The certificate authorities to trust in place of the usual ones.
        timeout: The most seconds that one call may take.
        calls: How many calls may be under way at once.
    """

    credentials: Credentials
    url: str
    transport: Transport
    ca_bundle: Path | None
    timeout: float
    calls: int


class InstanceSettings(BaseModel):
    """One Odoo database, as a table ``[instances.<name>]`` of the file has it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: _Url | None = Field(
        default=None,
        description="The address, such as `https://odoo.example.com`.",
    )
    db: str | None = Field(
        default=None, min_length=1, description="The name of the database."
    )
    user: str | None = Field(
        default=None, min_length=1, description="The login of the Odoo user."
    )
    api_key_env: _Variable | None = Field(
        default=None,
        description=(
            "The variable that holds an API key of that user, in the environment or in "
            "`.env`. Its name must begin with `ODOO_`."
        ),
    )
    password_env: _Variable | None = Field(
        default=None,
        description="Likewise the variable that holds the user's password.",
    )
    api_key: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="The API key itself; better kept in a variable.",
    )
    password: SecretStr | None = Field(
        default=None,
        min_length=1,
        description=(
            "The password itself; better kept in a variable. If there is an API key "
            "too, the key is used."
        ),
    )
    transport: Annotated[Transport, _Word] | None = Field(
        default=None,
        description="As `transport` above, for this instance alone.",
    )
    ca_bundle: _File | None = Field(
        default=None,
        description="As `ca_bundle` above, for this instance alone.",
    )
    timeout: float | None = Field(
        default=None,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="As `timeout` above, for this instance alone.",
    )
    odoo_concurrency: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="As `odoo_concurrency` above, for this instance alone.",
    )


class Settings(BaseModel):
    """Everything that can be set, checked. ``load_settings`` reads it.

    Building one by hand reads nothing from outside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    url: _Url | None = Field(
        default=None,
        description="The address of your Odoo, such as `https://odoo.example.com`.",
        json_schema_extra=_by("ODOO_URL"),
    )
    db: str | None = Field(
        default=None,
        min_length=1,
        description="The name of the Odoo database.",
        json_schema_extra=_by("ODOO_DB"),
    )
    user: str | None = Field(
        default=None,
        min_length=1,
        description=(
            "The login of the Odoo user that Odooport acts as. What this user may do "
            "in Odoo is the outer limit of what anybody can do through Odooport."
        ),
        json_schema_extra=_by("ODOO_USER", "ODOO_USERNAME"),
    )
    password: SecretStr | None = Field(
        default=None,
        min_length=1,
        description=(
            "The password of that user. An API key is better: where the user has "
            "two-factor login, Odoo refuses the password."
        ),
        json_schema_extra=_by("ODOO_PASSWORD"),
    )
    api_key: SecretStr | None = Field(
        default=None,
        min_length=1,
        description=(
            "An Odoo API key of that user (in Odoo: My Profile, Account Security). If "
            "there is a password too, the key is used."
        ),
        json_schema_extra=_by("ODOO_API_KEY"),
    )
    config: _File | None = Field(
        default=None,
        description=(
            "A configuration file, to be read in place of `odooport.toml` in the "
            "working directory."
        ),
        json_schema_extra=_by("ODOOPORT_CONFIG"),
    )
    state: _File = Field(
        default_factory=_state_directory,
        description=(
            "The directory where Odooport keeps its API keys and the audit log. If it "
            "is missing it is made, closed to other users. The default is "
            "`odooport` in your user's state directory, such as "
            "`~/.local/state/odooport`."
        ),
        json_schema_extra=_by("ODOOPORT_STATE"),
    )
    transport: Annotated[Transport, _Word] = Field(
        default="auto",
        description=(
            "How to speak with Odoo: `json2` (Odoo 19 and later, API keys only), `web` "
            "(a session as the web client has it, passwords only), `jsonrpc`, "
            "`xmlrpc`, or `auto`, which takes the first of these that the server "
            "offers and the login fits. `memory` serves a demo company from "
            "memory, without any Odoo."
        ),
        json_schema_extra=_by("ODOOPORT_TRANSPORT"),
    )
    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description=(
            "The address that the HTTP services listen on. With the default, only "
            "programs on the same machine reach them."
        ),
        json_schema_extra=_by("ODOOPORT_HOST"),
    )
    port: int = Field(
        default=8770,
        ge=0,
        le=65535,
        description="The port that the HTTP services listen on; 0 takes a free one.",
        json_schema_extra=_by("ODOOPORT_PORT"),
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=256,
        description=(
            "How many processes an HTTP service serves with, on one port; about one "
            "for each core that it may use. More than one need a Redis (`redis_url`), "
            "where they count together. Not on Windows."
        ),
        json_schema_extra=_by("ODOOPORT_WORKERS"),
    )
    role: str = Field(
        default="reader",
        min_length=1,
        description=(
            "What the stdio service may do: `reader` reads, `editor` also creates and "
            "writes, `full` also deletes and calls public methods, or the name of a "
            "role of your own. At the HTTP services each API key has its own role."
        ),
        json_schema_extra=_by("ODOOPORT_ROLE"),
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _Word] = Field(
        default="info",
        description=(
            "How much the log on stderr tells: `debug`, `info` (one line a call), "
            "`warning` or `error`."
        ),
        json_schema_extra=_by("ODOOPORT_LOG_LEVEL"),
    )
    ca_bundle: _File | None = Field(
        default=None,
        description=(
            "A PEM file of certificate authorities to trust in place of the usual "
            "ones, for an Odoo whose certificate your own authority has signed."
        ),
        json_schema_extra=_by("ODOOPORT_CA_BUNDLE"),
    )
    timeout: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="The most seconds that one call to Odoo may take.",
        json_schema_extra=_by("ODOOPORT_TIMEOUT"),
    )
    deadline: float = Field(
        default=120.0,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description=(
            "The most seconds that one request may take, with all the calls to Odoo "
            "that it needs. A caller can ask for less with `Prefer: wait=<seconds>`."
        ),
        json_schema_extra=_by("ODOOPORT_DEADLINE"),
    )
    grace: float = Field(
        default=10.0,
        ge=0,
        le=3600,
        allow_inf_nan=False,
        description=(
            "How many seconds running requests have to end when a service is told to "
            "stop. New ones are refused meanwhile; a second signal ends at once."
        ),
        json_schema_extra=_by("ODOOPORT_GRACE"),
    )
    odoo_concurrency: int = Field(
        default=32,
        ge=1,
        le=1000,
        description=(
            "How many calls may be under way at the same time at one Odoo. Up to four "
            "times as many wait for a place; more are refused. Odoo opens at most 64 "
            "connections to its database unless told (`db_maxconn`), and a call may "
            "need two."
        ),
        json_schema_extra=_by("ODOOPORT_ODOO_CONCURRENCY"),
    )
    rate_limit: Annotated[str, AfterValidator(_budget)] = Field(
        default="600/minute",
        description=(
            "How many calls to Odoo each API key may make in a `second`, `minute`, "
            "`hour` or `day`. Large reads and all writes count as several."
        ),
        json_schema_extra=_by("ODOOPORT_RATE_LIMIT"),
    )
    address_rate_limit: Annotated[str, AfterValidator(_budget)] = Field(
        default="6000/minute",
        description="Likewise, how many all keys from one network address may make.",
        json_schema_extra=_by("ODOOPORT_ADDRESS_RATE_LIMIT"),
    )
    concurrency: int = Field(
        default=64,
        ge=1,
        le=10_000,
        description="How many calls of one API key may be under way at the same time.",
        json_schema_extra=_by("ODOOPORT_CONCURRENCY"),
    )
    failed_logins: int = Field(
        default=5,
        ge=1,
        le=1_000_000_000,
        description=(
            "After how many wrong API keys in a row an address has to wait, each "
            "time longer."
        ),
        json_schema_extra=_by("ODOOPORT_FAILED_LOGINS"),
    )
    redis_url: SecretStr | None = Field(
        default=None,
        min_length=1,
        description=(
            "A Redis where budgets, failed logins and idempotency keys are kept, such "
            "as `redis://localhost:6379/0`, so that several processes share them. "
            "Without one, each process counts by itself."
        ),
        json_schema_extra=_by("ODOOPORT_REDIS_URL"),
    )
    redis_gone: Annotated[Literal["refuse", "allow"], _Word] = Field(
        default="refuse",
        description=(
            "What happens to calls while that Redis cannot be reached: `refuse` them, "
            "or `allow` them uncounted."
        ),
        json_schema_extra=_by("ODOOPORT_REDIS_GONE"),
    )
    key_store: Annotated[Literal["file", "redis"], _Word] = Field(
        default="file",
        description=(
            "Where the API keys are kept: in a `file` of the state directory, which "
            "the processes of one machine share, or in that `redis`, which those of "
            "several machines share. `odooport keys import` takes the keys of the file "
            "there."
        ),
        json_schema_extra=_by("ODOOPORT_KEY_STORE"),
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=1,
        description=(
            "What the Odoo secrets of your identities are encrypted with: 32 bytes in "
            "base64, as `odooport identities new-key` makes them. To change it, set "
            "the new one and the old one with a comma between them, and run `odooport "
            "identities reencrypt`."
        ),
        json_schema_extra=_by("ODOOPORT_SECRET_KEY"),
    )
    secret_key_file: _File | None = Field(
        default=None,
        description="A file that holds the same, in place of the variable.",
        json_schema_extra=_by("ODOOPORT_SECRET_KEY_FILE"),
    )
    networks: _Networks = Field(
        default=(),
        description=(
            "The networks that callers may come from, such as "
            "`10.0.0.0/8,2001:db8::/32`; from everywhere unless given."
        ),
        json_schema_extra=_by("ODOOPORT_NETWORKS"),
    )
    trusted_proxies: _Networks = Field(
        default=(),
        description=(
            "The networks of your own proxies. Only from them `X-Forwarded-For` is "
            "believed, from its right end on; from others it is ignored."
        ),
        json_schema_extra=_by("ODOOPORT_TRUSTED_PROXIES"),
    )
    hosts: _List = Field(
        default=(),
        description=(
            "The host names that people reach the HTTP services by, such as "
            "`odoo-api.example.com`, besides those of the loopback and `host`. Other "
            "names are refused, against pages that rebind a name of theirs."
        ),
        json_schema_extra=_by("ODOOPORT_HOSTS"),
    )
    cors_origins: _List = Field(
        default=(),
        description=(
            "The origins whose pages may call the HTTP services from a browser, such "
            "as `https://shop.example.com`; none unless given."
        ),
        json_schema_extra=_by("ODOOPORT_CORS_ORIGINS"),
    )
    tls_cert: _File | None = Field(
        default=None,
        description=(
            "A PEM file with the certificate (and its chain) that the HTTP services "
            "serve TLS with; plain HTTP without one."
        ),
        json_schema_extra=_by("ODOOPORT_TLS_CERT"),
    )
    tls_key: _File | None = Field(
        default=None,
        description="The PEM file with the private key of that certificate.",
        json_schema_extra=_by("ODOOPORT_TLS_KEY"),
    )
    allow_http: _List = Field(
        default=(),
        description=(
            "The host names of Odoo servers that may be spoken to over `http://`, "
            "where everybody on the way can read the password. The loopback always may."
        ),
        json_schema_extra=_by("ODOOPORT_ALLOW_HTTP"),
    )
    max_body: int = Field(
        default=4 * 1024 * 1024,
        ge=1024,
        le=1024 * 1024 * 1024,
        description="The most bytes that the body of a request may have.",
        json_schema_extra=_by("ODOOPORT_MAX_BODY"),
    )
    session_idle: float = Field(
        default=120.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description=(
            "After how many seconds without a call Odooport forgets a login to Odoo."
        ),
        json_schema_extra=_by("ODOOPORT_SESSION_IDLE"),
    )
    session_lifetime: float = Field(
        default=300.0,
        gt=0,
        le=86_400,
        allow_inf_nan=False,
        description=(
            "After how many seconds Odooport logs in to Odoo anew in any case: Odoo "
            "itself goes on honouring an API key that was deleted."
        ),
        json_schema_extra=_by("ODOOPORT_SESSION_LIFETIME"),
    )
    audit_max_bytes: int = Field(
        default=64 * 1024 * 1024,
        ge=4096,
        description="How large a file of the audit may grow before a new one is begun.",
        json_schema_extra=_by("ODOOPORT_AUDIT_MAX_BYTES"),
    )
    roles: Mapping[str, Any] = Field(default={})
    """The table ``roles`` of the file as it stands there; the policy checks it."""

    instances: Mapping[_Name, InstanceSettings] = Field(default={})
    """What the file says of each instance. Of ``default``, the settings above win."""

    sources: tuple[str, ...] = ()
    """The files that settings were read from, for the log. Nothing sets it."""

    config_file: Path | None = None
    """The configuration file that was read, if one was. Nothing sets it."""

    def credentials(self) -> dict[str, Credentials]:
        """Answer the Odoo login of each instance.

        Raises:
            SettingsError: Something is missing; the message names all of it.
        """
        return {name: found.credentials for name, found in self.connections().items()}

    def connections(self) -> dict[str, Connection]:
        """Answer how to reach each instance; ``default`` comes first, if it is there.

        Raises:
            SettingsError: Something is missing; the message names all of it.
        """
        every = dict(self.instances)
        default = every.pop(DEFAULT_INSTANCE, None)
        own = {
            name: value
            for name in _CONNECTION
            if (value := getattr(self, name)) is not None
        }
        found: dict[str, Connection] = {}
        if default is not None or own or not every:
            default = default or InstanceSettings()
            if _SECRETS & own.keys():
                own = {**dict.fromkeys(_SECRETS), **own}
            found[DEFAULT_INSTANCE] = self._connection(
                DEFAULT_INSTANCE, default.model_copy(update=own)
            )
        for name in sorted(every):
            found[name] = self._connection(name, every[name])
        return found

    def secret_keys(self) -> str:
        """Answer what Odoo secrets are encrypted with, as it was given; maybe nothing.

        Raises:
            SettingsError: The file that should hold it cannot be read, or there are two
                places for it.
        """
        if self.secret_key_file is None:
            key = self.secret_key
            return "" if key is None else key.get_secret_value()
        if self.secret_key is not None:
            raise SettingsError(
                "ODOOPORT_SECRET_KEY and ODOOPORT_SECRET_KEY_FILE are both set; leave "
                "one of them out."
            )
        try:
            return self.secret_key_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                "ODOOPORT_SECRET_KEY_FILE names a file that cannot be read; it must be "
                "a text file that you may open."
            ) from error

    def variable(self, name: str) -> str | None:
        """Answer a variable that holds a secret of Odoo, from where settings come from.

        None for one that there is not, or whose name does not begin with ``ODOO_``.
        """
        if _VARIABLE.fullmatch(name) is None:
            return None
        if value := os.environ.get(name):
            return value
        for source in map(Path, self.sources):
            if source.name == DOTENV_FILE and source.is_file():
                return _dotenv(source).get(name)
        return None

    def _connection(self, name: str, own: InstanceSettings) -> Connection:
        transport = own.transport or self.transport
        key = own.api_key or own.password
        url, db, user = own.url, own.db, own.user
        secret = None if key is None else key.get_secret_value()
        if transport == "memory":
            url, db, user = "", db or "demo", user or "admin"
            secret = secret or user
        if url is None or db is None or user is None or secret is None:
            raise _incomplete(name, own)
        return Connection(
            Credentials(db, user, secret, name),
            url,
            transport,
            own.ca_bundle or self.ca_bundle,
            own.timeout or self.timeout,
            own.odoo_concurrency or self.odoo_concurrency,
        )


def _incomplete(name: str, own: InstanceSettings) -> SettingsError:
    """Answer the error that names what an instance lacks."""
    unset = [
        f"the variable {variable}, which {key!r} names"
        for key, variable in (
            ("api_key_env", own.api_key_env),
            ("password_env", own.password_env),
        )
        if variable is not None
    ]
    default = name == DEFAULT_INSTANCE
    secret = "ODOO_API_KEY (or ODOO_PASSWORD)" if default else "api_key_env"
    needed = {
        "ODOO_URL" if default else "url": own.url,
        "ODOO_DB" if default else "db": own.db,
        "ODOO_USER" if default else "user": own.user,
        " or ".join(unset) or secret: own.api_key or own.password,
    }
    missing = ", ".join(name for name, value in needed.items() if not value)
    if unset or not default:
        return SettingsError(f"[instances.{name}] is not complete: set {missing}.")
    return SettingsError(
        f"Odooport does not know which Odoo to work with: set {missing}, as "
        f"variables, in {DOTENV_FILE} or in {CONFIG_FILE}. To try Odooport without "
        "any Odoo, run 'odooport demo'."
    )


_TABLE = "[instances.<name>]"
_CONNECTION = ("url", "db", "user", "password", "api_key")
"""What belongs to one instance; it stands in ``[instances.default]`` in the file."""

_DEMO = ("host", "port", "log_level")
_SECRETS = frozenset({"password", "api_key"})
_INSTANCE = f"instances.{DEFAULT_INSTANCE}"
_SETTABLE = tuple(
    name
    for name in Settings.model_fields
    if name not in ("instances", "roles", "config_file", "sources")
)


def variables_of(name: str) -> tuple[str, ...]:
    """Answer the variables that set a field, the first one first."""
    extra = Settings.model_fields[name].json_schema_extra
    return tuple(cast("dict[str, list[str]]", extra)["variables"])


@dataclass(frozen=True, slots=True)
class _Source:
    """Settings as one place has them, not yet checked.

    Attributes:
        values: Field name to raw value.
        names: What each field is called there.
        file: Which file it is; None for the environment.
    """

    values: Mapping[str, Any]
    names: Mapping[str, str]
    file: str | None = None


def load_settings(
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    **given: Any,
) -> Settings:
    """Read the settings.

    Args:
        environ: The variables; those of the process unless told.
        directory: The working directory; that of the process unless told.
        given: Settings by name that beat every variable, such as command line options;
            None counts as not given.

    Raises:
        SettingsError: Something is wrong with them. The message names every culprit.
    """
    variables = os.environ if environ is None else environ
    folder = Path.cwd() if directory is None else directory
    return _checked(given, _sources(variables, folder))


def demo_settings(environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Read the settings of the demo, where nothing of a real Odoo counts.

    No file is read, and of the variables only those that say where to listen and how
    much to log.

    Args:
        environ: The variables; those of the process unless told.
        given: Settings by name, as for ``load_settings``.

    Raises:
        SettingsError: Something is wrong with them. The message names every culprit.
    """
    every = _from_variables(os.environ if environ is None else environ)
    some = {name: every.values[name] for name in _DEMO if name in every.values}
    return _checked({**given, "transport": "memory"}, [_Source(some, every.names)])


def _checked(given: Mapping[str, Any], sources: Iterable[_Source]) -> Settings:
    """Answer the first value that the sources have for each setting."""
    values = {name: value for name, value in given.items() if value is not None}
    names = {name: f"The option {name!r}" for name in values}
    files: list[str] = []
    for source in sources:
        if source.file is not None:
            files.append(source.file)
        # A password given nearby is not to lose against a key from far away.
        settled = _SECRETS if _SECRETS & values.keys() else frozenset[str]()
        for name, value in source.values.items():
            if name not in values and name not in settled:
                values[name], names[name] = value, source.names[name]
    try:
        return Settings(**values, sources=tuple(files))
    except ValidationError as error:
        # The cause is left out: it quotes the values, and a secret may be one of them.
        raise SettingsError(_told(error, names)) from None


def settings_reference() -> str:
    """Answer the reference of all settings, as Markdown."""
    lines = [
        "# Settings",
        "",
        "Odooport is set up by variables, by a `.env` file or by `odooport.toml`. A",
        "variable beats `.env`, and `.env` beats `odooport.toml`. An empty variable",
        "counts as none.",
        "",
        "The two files are read from the working directory, and only if none of",
        "`ODOO_URL`, `ODOO_DB`, `ODOO_USER`, `ODOO_USERNAME`, `ODOO_PASSWORD` and",
        "`ODOO_API_KEY` is set as a variable. `ODOOPORT_CONFIG` names a configuration",
        "file that is read in any case. The log names the files that were read.",
        "",
        "| Variable | In `odooport.toml` | Default | Meaning |",
        "| --- | --- | --- | --- |",
    ]
    for name in _SETTABLE:
        info = Settings.model_fields[name]
        default = "" if info.default in (None, ()) else f"`{info.default}`"
        if info.default_factory is not None:
            default = ""
        variables = " or ".join(f"`{variable}`" for variable in variables_of(name))
        key = {"config": ""}.get(name, f"`{name}`")
        if name in _CONNECTION:
            key += f" in `[{_INSTANCE}]`"
        lines.append(f"| {variables} | {key} | {default} | {info.description} |")
    lines += [
        "",
        "## Instances",
        "",
        "Each Odoo database is a table `[instances.<name>]` in `odooport.toml`. A name",
        "has small letters, digits, hyphens and underscores. The instance `default` is",
        "the one that the variables above set, and the one that a call means which",
        "names none; without it, every call has to name one.",
        "",
        f"| In `{_TABLE}` | Meaning |",
        "| --- | --- |",
    ]
    for name, info in InstanceSettings.model_fields.items():
        lines.append(f"| `{name}` | {info.description} |")
    lines += [
        "",
        "What a table says of `transport`, `ca_bundle` and `timeout` beats what is set",
        "for all, by a variable too.",
        "",
        "A complete `odooport.toml`:",
        "",
        "```toml",
        'role = "editor"',
        "port = 8770",
        'rate_limit = "600/minute"',
        "",
        f"[{_INSTANCE}]",
        'url = "https://odoo.example.com"',
        'db = "production"',
        'user = "bridge@example.com"',
        'api_key_env = "ODOO_PRODUCTION_API_KEY"',
        "",
        "[instances.shop]",
        'url = "https://shop.example.com"',
        'db = "shop"',
        'user = "bridge@example.com"',
        'api_key_env = "ODOO_SHOP_API_KEY"',
        "timeout = 30",
        "```",
        "",
        "The tables `[roles.<name>]` are explained in [Roles](roles.md).",
        "",
        "Keep the file readable for yourself only when a secret is in it, and out of",
        "version control. An unknown key in it is an error, not ignored.",
        "",
    ]
    return "\n".join(lines)


def _sources(variables: Mapping[str, str], folder: Path) -> Iterator[_Source]:
    environment = _from_variables(variables)
    yield environment
    config = environment.values.get("config")
    unset = not any(name in environment.values for name in _CONNECTION)
    dotenv = folder / DOTENV_FILE
    if unset and dotenv.is_file():
        kept = _dotenv(dotenv)
        source = _from_variables(kept, file=dotenv)
        variables = {**kept, **variables}
        yield source
        config = config or source.values.get("config")
    if config is not None:
        path = folder / Path(config).expanduser()
        if not path.is_file():
            raise SettingsError(
                "ODOOPORT_CONFIG names a file that is not there; correct it or unset "
                "it."
            )
        yield _from_toml(path, variables)
    elif unset and (folder / CONFIG_FILE).is_file():
        yield _from_toml(folder / CONFIG_FILE, variables)


def _from_variables(
    variables: Mapping[str, str | None], *, file: Path | None = None
) -> _Source:
    values: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name in _SETTABLE:
        for variable in variables_of(name):
            if name not in values and (value := variables.get(variable)):
                values[name] = value
                names[name] = variable if file is None else f"{variable} in {file.name}"
    return _Source(values, names, None if file is None else str(file))


def _dotenv(path: Path) -> dict[str, str]:
    try:
        # No interpolation: a password may well contain "${".
        kept = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{DOTENV_FILE} cannot be read; it must be a text file in UTF-8 that you "
            "may open."
        ) from error
    return {name: value for name, value in kept.items() if value}


def _from_toml(path: Path, variables: Mapping[str, str]) -> _Source:
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(f"{path.name} cannot be read: {why}.") from error
    name = path.name
    top = [key for key in _SETTABLE if key not in (*_CONNECTION, "config")]
    general = _table(name, document, [*top, "instances", "roles"], table="")
    values: dict[str, Any] = {key: general[key] for key in top if key in general}
    names = {key: f"{key!r} in {name}" for key in values}
    instances = {
        instance: _from_table(path, instance, raw, variables)
        for instance, raw in _table(
            name, general.get("instances", {}), None, table="instances"
        ).items()
    }
    _resolve(values, path.parent)
    if (default := instances.get(DEFAULT_INSTANCE)) is not None:
        for key in _CONNECTION:
            if key in default:
                values[key] = default.pop(key)
                names[key] = f"{key!r} in [{_INSTANCE}] in {name}"
    if instances:
        values["instances"], names["instances"] = instances, name
    if "roles" in general:
        roles = _table(name, general["roles"], None, table="roles")
        values["roles"], names["roles"] = roles, name
    values["config_file"], names["config_file"] = path, name
    return _Source(values, names, str(path))


def _from_table(
    path: Path, instance: str, raw: object, variables: Mapping[str, str]
) -> dict[str, Any]:
    """Answer what the file says of one instance, with the secrets that it refers to."""
    table = f"instances.{instance}"
    known = list(InstanceSettings.model_fields)
    found = dict(_table(path.name, raw, known, table=table))
    _resolve(found, path.parent)
    for key in _SECRETS:
        variable = found.get(f"{key}_env")
        if variable is None:
            continue
        if key in found:
            raise SettingsError(
                f"[{table}] in {path.name} has {key!r} and '{key}_env': give one of "
                "them."
            )
        # a name that is not allowed is refused when the table is checked
        if isinstance(variable, str) and (secret := variables.get(variable)):
            found[key] = secret
    return found


def _resolve(values: dict[str, Any], folder: Path) -> None:
    """Let paths begin at the file that they stand in."""
    for key in ("state", "ca_bundle", "secret_key_file", "tls_cert", "tls_key"):
        if isinstance(raw := values.get(key), str):
            values[key] = folder / Path(raw).expanduser()


def _table(
    file: str, raw: object, known: Sequence[str] | None, *, table: str
) -> Mapping[str, Any]:
    """Answer a table of the file, once it holds nothing but known keys.

    Args:
        file: The file's name.
        raw: What stands there.
        known: The keys that it may have; None for any.
        table: What the table is called.
    """
    where = f"[{table}] in {file}" if table else file
    if not isinstance(raw, dict):
        raise SettingsError(f"{where} must be a table.")
    for key in (found := cast("dict[str, Any]", raw)):
        if known is not None and key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"do you mean {near[0]!r}?" if near else f"use {', '.join(known)}."
            raise SettingsError(f"There is no setting {key!r} in {where}; {hint}")
    return found


def _told(error: ValidationError, names: Mapping[str, str]) -> str:
    sentences: list[str] = []
    for problem in error.errors(include_input=False, include_url=False):
        place = _place(problem["loc"], names)
        message = problem["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        sentences.append(f"{place} is not right: {message}.")
    return " ".join(sentences)


def _place(path: tuple[int | str, ...], names: Mapping[str, str]) -> str:
    """Answer where a wrong value stands."""
    match path:
        case ("instances", instance, "[key]"):
            place = f"The name of [instances.{instance}]"
        case ("instances", instance, key, *_):
            place = f"{key!r} in [instances.{instance}]"
        case (first, *_):
            return names.get(str(first), str(first))
        case _:
            return "settings"
    return f"{place} in {names.get('instances', CONFIG_FILE)}"
