"""The settings: what there is to set, and the one reader of the environment.

A variable beats ``.env``, and ``.env`` beats ``odooport.toml``. Both files are read
from the working directory only if no variable names an Odoo: an agent starts the stdio
door inside other people's folders, and what lies there must not bend a connection that
was set on purpose. ``ODOOPORT_CONFIG`` names a configuration file that is always read.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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


def _lower(raw: object) -> object:
    return raw.strip().lower() if isinstance(raw, str) else raw


def _state_directory() -> Path:
    return platformdirs.user_state_path("odooport", appauthor=False)


def _by(*variables: str) -> dict[str, Any]:
    """Answer what a field keeps of the variables that set it, the first one first."""
    return {"variables": list(variables)}


_File = Annotated[Path, AfterValidator(Path.expanduser)]
_Word = BeforeValidator(_lower)


class Settings(BaseModel):
    """Everything that can be set, checked. ``load_settings`` reads it.

    Building one by hand reads nothing from outside.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    url: Annotated[str, AfterValidator(_address)] | None = Field(
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
    transport: Annotated[Literal["auto", "xmlrpc", "jsonrpc", "memory"], _Word] = Field(
        default="auto",
        description=(
            "How to speak with Odoo: `xmlrpc`, `jsonrpc`, or `auto`, which takes "
            "JSON-RPC where the server offers it. `memory` serves a demo company from "
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
    role: Annotated[Literal["reader", "editor", "full"], _Word] = Field(
        default="reader",
        description=(
            "What the stdio service may do: `reader` reads, `editor` also creates and "
            "writes, `full` also deletes and calls public methods. At the HTTP "
            "services each API key has its own role."
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
    rate_limit: Annotated[str, AfterValidator(_budget)] = Field(
        default="600/minute",
        description=(
            "How many calls to Odoo each API key may make in a `second`, `minute`, "
            "`hour` or `day`."
        ),
        json_schema_extra=_by("ODOOPORT_RATE_LIMIT"),
    )
    sources: tuple[str, ...] = ()
    """The files that settings were read from, for the log. Nothing sets it."""

    def address(self) -> str:
        """Answer the address of the Odoo.

        Raises:
            SettingsError: Something is missing; the message names all of it.
        """
        if self.url is None:
            raise self._incomplete()
        return self.url

    def credentials(self) -> dict[str, Credentials]:
        """Answer the Odoo login of each instance.

        Raises:
            SettingsError: Something is missing; the message names all of it.
        """
        secret = self.api_key or self.password
        if not (self.url and self.db and self.user and secret):
            raise self._incomplete()
        return {
            DEFAULT_INSTANCE: Credentials(self.db, self.user, secret.get_secret_value())
        }

    def _incomplete(self) -> SettingsError:
        needed = {
            "ODOO_URL": self.url,
            "ODOO_DB": self.db,
            "ODOO_USER": self.user,
            "ODOO_API_KEY (or ODOO_PASSWORD)": self.api_key or self.password,
        }
        missing = ", ".join(name for name, value in needed.items() if not value)
        return SettingsError(
            f"Odooport does not know which Odoo to work with: set {missing}, as "
            f"variables, in {DOTENV_FILE} or in {CONFIG_FILE}. To try Odooport without "
            "any Odoo, run 'odooport demo'."
        )


_CONNECTION = ("url", "db", "user", "password", "api_key")
"""What belongs to one instance; it stands in ``[instances.default]`` in the file."""

_DEMO = ("host", "port", "log_level")
_SECRETS = frozenset({"password", "api_key"})
_INSTANCE = f"instances.{DEFAULT_INSTANCE}"
_SETTABLE = tuple(name for name in Settings.model_fields if name != "sources")


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
        default = "" if info.default is None else f"`{info.default}`"
        if info.default_factory is not None:
            default = ""
        variables = " or ".join(f"`{variable}`" for variable in variables_of(name))
        key = {"config": ""}.get(name, f"`{name}`")
        if name in _CONNECTION:
            key += f" in `[{_INSTANCE}]`"
        lines.append(f"| {variables} | {key} | {default} | {info.description} |")
    lines += [
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
        'api_key = "..."',
        "```",
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
        source = _from_dotenv(dotenv)
        yield source
        config = config or source.values.get("config")
    if config is not None:
        path = folder / Path(config).expanduser()
        if not path.is_file():
            raise SettingsError(
                "ODOOPORT_CONFIG names a file that is not there; correct it or unset "
                "it."
            )
        yield _from_toml(path)
    elif unset and (folder / CONFIG_FILE).is_file():
        yield _from_toml(folder / CONFIG_FILE)


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


def _from_dotenv(path: Path) -> _Source:
    try:
        # No interpolation: a password may well contain "${".
        variables = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{DOTENV_FILE} cannot be read; it must be a text file in UTF-8 that you "
            "may open."
        ) from error
    return _from_variables(variables, file=path)


def _from_toml(path: Path) -> _Source:
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(f"{path.name} cannot be read: {why}.") from error
    name = path.name
    top = [key for key in _SETTABLE if key not in (*_CONNECTION, "config")]
    general = _table(name, document, [*top, "instances"], table="")
    instances = _table(
        name, general.get("instances", {}), [DEFAULT_INSTANCE], table="instances"
    )
    connection = _table(
        name, instances.get(DEFAULT_INSTANCE, {}), _CONNECTION, table=_INSTANCE
    )
    values: dict[str, Any] = {key: general[key] for key in top if key in general}
    values.update(connection)
    for key in ("state", "ca_bundle"):
        if isinstance(raw := values.get(key), str):
            values[key] = path.parent / Path(raw).expanduser()
    return _Source(values, {key: f"{key!r} in {name}" for key in values}, str(path))


def _table(
    file: str, raw: object, known: Sequence[str], *, table: str
) -> Mapping[str, Any]:
    """Answer a table of the file, once it holds nothing but known keys."""
    where = f"[{table}] in {file}" if table else file
    if not isinstance(raw, dict):
        raise SettingsError(f"{where} must be a table.")
    for key in (found := cast("dict[str, Any]", raw)):
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"do you mean {near[0]!r}?" if near else f"use {', '.join(known)}."
            raise SettingsError(f"There is no setting {key!r} in {where}; {hint}")
    return found


def _told(error: ValidationError, names: Mapping[str, str]) -> str:
    sentences: list[str] = []
    for problem in error.errors(include_input=False, include_url=False):
        name = str(problem["loc"][0]) if problem["loc"] else "settings"
        message = problem["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        sentences.append(f"{names.get(name, name)} is not right: {message}.")
    return " ".join(sentences)
