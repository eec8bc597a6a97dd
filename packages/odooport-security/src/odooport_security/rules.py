"""Roles and their rules, and how ``odooport.toml`` writes them down."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from odooport.domain import Domain
from odooport.errors import InvalidRequest, OdooportError
from odooport.model import Operation
from odooport.scalars import is_mapping, is_sequence
from odooport_security.sensitive import SENSITIVE_MODELS, TRACKING_MODEL

MAX_ROWS = 1000
"""The most records that one answer may hold, where no role says otherwise."""

ME = "\x00me"
"""What stands in a rule's domain for the id of the asking Odoo user."""

_MOST_MODELS = 4096
"""Of how many models a role remembers its rule; callers may ask for any name."""

_RESERVED = frozenset({"admin", "none"})
_ROLE_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_RULE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}", re.ASCII)
_MODEL_GLOB = re.compile(r"[a-z0-9_.*]{1,128}", re.ASCII)
_METHOD_GLOB = re.compile(r"[A-Za-z*][A-Za-z0-9_*]{0,127}", re.ASCII)
_KEY_GLOB = re.compile(r"[A-Za-z0-9_.*]{1,128}", re.ASCII)
_FIELD = re.compile(r"[a-z_][a-z0-9_]{0,127}", re.ASCII)
_BUDGET = re.compile(r"[1-9][0-9]{0,8}/(second|minute|hour|day)", re.ASCII)


class RolesError(OdooportError):
    """The roles of the configuration file cannot be used; the message says where."""

    code = "roles"


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, glob.split("*"))), re.ASCII | re.DOTALL)


def matches(glob: str, name: str) -> bool:
    """Whether a name fits a glob, in which ``*`` alone has a meaning."""
    return glob == name or ("*" in glob and _pattern(glob).fullmatch(name) is not None)


@dataclass(frozen=True)
class Rule:
    """What a role may do with some models.

    Attributes:
        name: What it is called, with the role that has it, such as ``seller/1``.
        models: Names or globs of the models that it is about.
        allow: What may be done to their records.
        methods: Names or globs of the further methods that may be called.
        hide: Fields that are not shown and cannot be named in any way.
        mask: Fields that are shown as ``***`` and cannot be named in any other way.
        show: Fields that are shown although they are sensitive, or derived from others
            that are hidden.
        domain: What must be true of every record; ``ME`` stands for the user's id.
        changes: Whether the audit keeps the records before and after a write.
    """

    name: str
    models: tuple[str, ...]
    allow: frozenset[Operation] = frozenset()
    methods: tuple[str, ...] = ()
    hide: frozenset[str] = frozenset()
    mask: frozenset[str] = frozenset()
    show: frozenset[str] = frozenset()
    domain: Domain = field(default_factory=Domain)
    changes: bool = False

    @cached_property
    def names_me(self) -> bool:
        """Whether what is required of records differs by Odoo user."""
        return _names_me(self.domain.to_wire())

    def names(self, model: str) -> bool:
        """Whether it names the model exactly, without a glob."""
        return model in self.models

    def allows_method(self, method: str, *, exactly: bool) -> bool:
        """Whether it allows a method that is none of the known ones.

        Args:
            method: The method's name.
            exactly: Whether only a name without a glob counts.
        """
        if exactly:
            return method in self.methods
        return any(matches(glob, method) for glob in self.methods)


@dataclass(frozen=True)
class Role:
    """What the keys of one role may do.

    Attributes:
        name: What it is called.
        rules: Its rules: the first that is about a model decides all about it.
        description: What it is for.
        max_rows: The most records that one answer may hold.
        rate_limit: The budget that its keys share, such as ``300/minute``; None for the
            usual one.
        concurrency: How many calls of one of its keys may be under way at once; None
            for as many as is usual.
        companies: The only companies that it may work in; empty for every one.
        context: Names or globs of the further context keys that it may set.
        instances: The only Odoo databases that it may use; empty for every one.
        built_in: Whether it comes with Odooport.
    """

    name: str
    rules: tuple[Rule, ...]
    description: str = ""
    max_rows: int = MAX_ROWS
    rate_limit: str | None = None
    concurrency: int | None = None
    companies: tuple[int, ...] = ()
    context: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    built_in: bool = False

    def rule_for(self, model: str) -> Rule | None:
        """Answer the rule that decides about a model, or None: then nothing is allowed.

        A glob never means a sensitive model. The values that tracking keeps count as
        sensitive for a role that hides something.
        """
        try:
            return self._rules_for[model]
        except KeyError:
            pass
        found = self._find_rule(model)
        if len(self._rules_for) < _MOST_MODELS:
            self._rules_for[model] = found
        return found

    @cached_property
    def _rules_for(self) -> dict[str, Rule | None]:
        """What was found for the models that were asked for; nothing of it changes."""
        return {}

    def _find_rule(self, model: str) -> Rule | None:
        by_name = model in SENSITIVE_MODELS or (self.hides and model == TRACKING_MODEL)
        for rule in self.rules:
            if rule.names(model):
                return rule
            if not by_name and any(matches(glob, model) for glob in rule.models):
                return rule
        return None

    @cached_property
    def operations(self) -> frozenset[Operation]:
        """What it may do at all, to some model or other."""
        allowed = {each for rule in self.rules for each in rule.allow}
        if any(rule.methods for rule in self.rules):
            allowed.add(Operation.CALL)
        return frozenset(allowed)

    @cached_property
    def concealed(self) -> frozenset[str]:
        """The names of the fields that it hides or masks, on any model."""
        return frozenset(name for rule in self.rules for name in rule.hide | rule.mask)

    @cached_property
    def hides(self) -> bool:
        """Whether it hides or masks any field at all."""
        return bool(self.concealed)

    @cached_property
    def confines(self) -> bool:
        """Whether it requires a domain on any model, or hides any field."""
        return self.hides or any(rule.domain.tokens for rule in self.rules)


def _built_in(
    name: str, description: str, *allow: Operation, methods: str = ""
) -> Role:
    rule = Rule(
        f"role-{name}",
        ("*",),
        frozenset(allow),
        methods=(methods,) if methods else (),
    )
    return Role(name, (rule,), description, built_in=True)


BUILT_IN: Mapping[str, Role] = MappingProxyType(
    {
        "reader": _built_in("reader", "Reads.", Operation.READ),
        "editor": _built_in(
            "editor",
            "Reads, creates and writes.",
            Operation.READ,
            Operation.CREATE,
            Operation.WRITE,
        ),
        "full": _built_in(
            "full",
            "Reads, creates, writes, deletes and calls public methods.",
            Operation.READ,
            Operation.CREATE,
            Operation.WRITE,
            Operation.UNLINK,
            methods="*",
        ),
    }
)
"""The built-in roles, from the least to the most."""


# Reading the file


def _fitting(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(raw: str) -> str:
        if pattern.fullmatch(raw) is None:
            raise ValueError(what)
        return raw

    return AfterValidator(check)


_Model = Annotated[
    str,
    _fitting(_MODEL_GLOB, "write a model such as 'res.partner', or 'sale.*'"),
]
_Method = Annotated[
    str,
    _fitting(
        _METHOD_GLOB,
        "write a public method such as 'action_confirm', or 'message_*'",
    ),
]
_FieldName = Annotated[
    str, _fitting(_FIELD, "write the name of one field such as 'email'")
]
_Key = Annotated[str, _fitting(_KEY_GLOB, "write a context key such as 'default_type'")]
_RuleName = Annotated[
    str,
    _fitting(
        _RULE_NAME, "write letters, digits, spaces, hyphens, dots and underscores"
    ),
]


def _names_me(wire: Any) -> bool:
    if is_sequence(wire):
        return any(map(_names_me, wire))
    return bool(wire == ME)


def _with_me(raw: Any) -> Any:
    """Answer a domain with ``ME`` in every place of ``{me = true}``."""
    if is_mapping(raw):
        return ME if dict(raw) == {"me": True} else raw
    return [_with_me(item) for item in raw] if is_sequence(raw) else raw


def _domain(raw: list[Any]) -> list[Any]:
    try:
        return Domain.parse(_with_me(raw)).to_wire()
    except InvalidRequest as error:
        raise ValueError(error.message) from error


class _RuleTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    models: list[_Model] = Field(min_length=1)
    name: _RuleName | None = None
    allow: list[Literal["read", "write", "create", "unlink"]] = []
    methods: list[_Method] = []
    hide: list[_FieldName] = []
    mask: list[_FieldName] = []
    show: list[_FieldName] = []
    domain: Annotated[list[Any], AfterValidator(_domain)] = []
    changes: bool = False


class _RoleTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    description: str = ""
    inherits: str | None = None
    max_rows: Annotated[int, Field(ge=1, le=100_000)] | None = None
    rate_limit: (
        Annotated[
            str,
            _fitting(_BUDGET, "write a number and a time, such as '300/minute'"),
        ]
        | None
    ) = None
    concurrency: Annotated[int, Field(ge=1, le=10_000)] | None = None
    companies: list[Annotated[int, Field(ge=1)]] | None = None
    context: list[_Key] | None = None
    instances: list[str] | None = None
    rules: list[_RuleTable] = []


type _Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Wrong:
    """One thing that is wrong with the file: where, and what to write instead."""

    place: _Place
    message: str


def parse_roles(raw: Mapping[str, Any], *, text: str, file: str) -> dict[str, Role]:
    """Read the table ``roles`` of a configuration file; see ``Roles.parse``.

    Raises:
        RolesError: Something is wrong; every single problem is named with its line.
    """
    wrong: list[_Wrong] = []
    tables: dict[str, _RoleTable] = {}
    for name, entry in raw.items():
        wrong += [_Wrong((name,), message) for message in _bad_name(name)]
        try:
            tables[name] = _RoleTable.model_validate(entry)
        except ValidationError as error:
            wrong += _told(name, error)
    known = [*BUILT_IN, *raw]
    wrong += [each for name in tables for each in _inheritance(name, tables, known)]
    for name, table in tables.items():
        for index, rule in enumerate(table.rules):
            wrong += _contradictions(name, index, rule)
    if wrong:
        lines = _Lines(text)
        wrong.sort(key=lambda each: lines.of(each.place))
        raise RolesError(
            "\n".join(
                f"{file}{lines.shown(each.place)}: {_path(each.place)}: {each.message}"
                for each in wrong
            )
        )
    roles = dict(BUILT_IN)
    for name in tables:
        _build(name, tables, roles)
    return {name: roles[name] for name in known}


def _bad_name(name: str) -> Iterator[str]:
    if name in BUILT_IN:
        yield "This role is built in and cannot be changed; take another name."
    elif name in _RESERVED:
        yield "This name is reserved; take another."
    elif _ROLE_NAME.fullmatch(name) is None:
        yield (
            "A role is named by up to 32 small letters, digits, hyphens and "
            "underscores, and begins with a letter."
        )


def _told(name: str, error: ValidationError) -> Iterator[_Wrong]:
    for detail in error.errors():
        place: _Place = (name, *detail["loc"])
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "extra_forbidden":
            owner = _RuleTable if "rules" in place else _RoleTable
            message = _unknown(str(place[-1]), list(owner.model_fields))
        elif detail["type"] == "literal_error":
            choices = ["read", "write", "create", "unlink"]
            message = _unknown(str(detail["input"]), choices)
        yield _Wrong(place, f"{message[:1].upper()}{message[1:]}".rstrip(".") + ".")


def _unknown(given: str, choices: Sequence[str]) -> str:
    close = get_close_matches(given, choices, n=1)
    hint = f"did you mean {close[0]!r}? Use" if close else "use"
    return f"{given!r} is not known here; {hint} {', '.join(choices)}"


def _inheritance(
    name: str, tables: Mapping[str, _RoleTable], known: Sequence[str]
) -> Iterator[_Wrong]:
    place = (name, "inherits")
    parent = tables[name].inherits
    if parent is not None and parent not in known:
        close = get_close_matches(parent, known, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        yield _Wrong(place, f"There is no role {parent!r}.{hint}")
    seen = [name]
    while parent is not None and parent in tables:
        if parent in seen:
            yield _Wrong(
                place,
                f"The role inherits from itself: {' from '.join([*seen, parent])}.",
            )
            return
        seen.append(parent)
        parent = tables[parent].inherits


def _contradictions(name: str, index: int, rule: _RuleTable) -> Iterator[_Wrong]:
    for key in ("mask", "show"):
        both = sorted(set(rule.hide) & set(getattr(rule, key)))
        if both:
            place = (name, "rules", index, key)
            yield _Wrong(place, f"{both[0]!r} is hidden by the same rule.")


def _build(
    name: str,
    tables: Mapping[str, _RoleTable],
    roles: dict[str, Role],
) -> Role:
    """Make a role, after the one that it inherits from."""
    if name in roles:
        return roles[name]
    table = tables[name]
    parent = (
        Role("", ())
        if table.inherits is None
        else _build(table.inherits, tables, roles)
    )
    own = tuple(
        Rule(
            f"{name}/{rule.name or index + 1}",
            tuple(rule.models),
            frozenset(map(Operation, rule.allow)),
            methods=tuple(rule.methods),
            hide=frozenset(rule.hide),
            mask=frozenset(rule.mask),
            show=frozenset(rule.show),
            domain=Domain.parse(rule.domain),
            changes=rule.changes,
        )
        for index, rule in enumerate(table.rules)
    )
    given: dict[str, Any] = {
        key: tuple(value) if is_sequence(value) else value
        for key in (
            "max_rows",
            "rate_limit",
            "concurrency",
            "companies",
            "context",
            "instances",
        )
        if (value := getattr(table, key)) is not None
    }
    role = replace(
        parent,
        name=name,
        rules=own + parent.rules,
        description=table.description,
        built_in=False,
        **given,
    )
    roles[name] = role
    return role


def _path(place: _Place) -> str:
    """Answer a place in words, such as ``roles.seller.rules[0].allow``."""
    told = "roles"
    for step in place:
        told += f"[{step}]" if isinstance(step, int) else f".{step}"
    return told


class _Lines:
    """Finds the lines of tables and keys, which ``tomllib`` does not tell."""

    _HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(#.*)?")
    _ASSIGNMENT = re.compile(r"\s*(?P<key>[A-Za-z0-9_\-.\"' ]+?)\s*=")

    def __init__(self, text: str) -> None:
        self._found: dict[_Place, int] = {}
        table: _Place = ()
        counts: dict[_Place, int] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if header := self._HEADER.fullmatch(line):
                keys = _keys(header[2])
                if keys is None or keys[:1] != ("roles",):
                    table = ("",)
                    continue
                table = keys[1:]
                if header[1] == "[[":
                    index = counts.get(table, -1) + 1
                    counts[table] = index
                    table = (*table, index)
                self._found.setdefault(table, number)
            elif assignment := self._ASSIGNMENT.match(line):
                keys = _keys(assignment["key"])
                if keys is not None:
                    for end in range(1, len(keys) + 1):
                        self._found.setdefault((*table, *keys[:end]), number)

    def of(self, place: _Place) -> int:
        """Answer the line of a place, or of the closest one around it; 0 if unknown."""
        for end in range(len(place), 0, -1):
            if (line := self._found.get(place[:end])) is not None:
                return line
        return 0

    def shown(self, place: _Place) -> str:
        """Answer the line of a place as it follows the name of a file."""
        line = self.of(place)
        return f":{line}" if line else ""


def _keys(text: str) -> tuple[str, ...] | None:
    """Answer the parts of a TOML key, or None for what is none."""
    try:
        table: Any = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return None
    keys: list[str] = []
    while is_mapping(table) and table:
        key = next(iter(table))
        keys.append(str(key))
        table = table[key]
    return tuple(keys)
