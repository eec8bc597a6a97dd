"""Odoo's search filter: parsed, checked against the fields, combined, sent.

The grammar is Odoo's (``odoo/osv/expression.py`` of Odoo 18): a list of terms
``[field, operator, value]``, joined by *and* unless the prefix operators ``&``, ``|``
and ``!`` say otherwise. Whatever is not that is refused with the place where it goes
wrong: a filter that silently becomes empty would match every record.
"""

import ast
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any, TypeGuard

from odooport import scalars
from odooport.errors import InvalidRequest, Problem
from odooport.scalars import is_empty, is_integer, is_sequence, show
from odooport.schema import RELATIONAL, TEXTUAL, Field, ModelSchema

type Schemas = Callable[[str], Awaitable[ModelSchema]]
"""Answers the schema of a model; raises ``OdooportError`` where there is none."""

MAX_DEPTH = 32
"""How deep ``any`` may nest domains in domains."""

MAX_STEPS = 16
"""How many fields a path may have."""

MAX_ITEMS = 10_000
"""The most terms and prefix operators in one domain, nested ones included."""

MAX_VALUES = 100_000
"""The most values in all the lists of one domain."""

MAX_TEXT = 2_000_000
"""The most characters of a domain that comes as JSON text."""

MAX_LITERAL = 200_000
"""The most characters of a Python literal, which takes far more memory to read."""

_ARITY = {"&": 2, "|": 2, "!": 1}
_EQUAL = frozenset({"=", "!=", "=?"})
_ORDERED = frozenset({"<", "<=", ">", ">="})
_LIKE = frozenset(
    {"=like", "=ilike", "like", "not like", "ilike", "not ilike"},
)
_MEMBER = frozenset({"in", "not in"})
_HIERARCHY = frozenset({"child_of", "parent_of"})
_NESTED = frozenset({"any", "not any"})

OPERATORS = (
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "=?",
    "=like",
    "=ilike",
    "like",
    "not like",
    "ilike",
    "not ilike",
    "in",
    "not in",
    "child_of",
    "parent_of",
    "any",
    "not any",
)
"""Every operator of a term in Odoo 18."""

_MEANT = {
    "==": "=",
    "<>": "!=",
    "=<": "<=",
    "=>": ">=",
    "eq": "=",
    "equals": "=",
    "is": "=",
    "ne": "!=",
    "is not": "!=",
    "lt": "<",
    "lte": "<=",
    "gt": ">",
    "gte": ">=",
    "contains": "ilike",
    "icontains": "ilike",
    "~": "ilike",
    "startswith": "=ilike",
    "endswith": "=ilike",
    "between": ">=",
}
"""What people write in other query languages."""

_MEANT_PREFIX = {
    "and": "&",
    "&&": "&",
    "or": "|",
    "||": "|",
    "not": "!",
    "~": "!",
}

_PROPERTY_NAME = re.compile(r"[a-z0-9_]+", re.ASCII)
"""A property's technical name, as Odoo makes and checks it (``odoo/fields.py``)."""

_DATE_PARTS = frozenset(
    {
        "year_number",
        "quarter_number",
        "month_number",
        "iso_week_number",
        "day_of_year",
        "day_of_month",
        "day_of_week",
        "hour_number",
        "minute_number",
        "second_number",
    }
)
"""What a path may take from a date; source: ``odoo/models.py``."""

_NUMERIC = _EQUAL | _ORDERED | _MEMBER
_FITTING = {
    "boolean": _EQUAL | _MEMBER,
    "integer": _NUMERIC,
    "float": _NUMERIC,
    "monetary": _NUMERIC,
    "many2one_reference": _NUMERIC,
    "date": _NUMERIC,
    "datetime": _NUMERIC,
    "char": _NUMERIC | _LIKE,
    "text": _NUMERIC | _LIKE,
    "html": _NUMERIC | _LIKE,
    "selection": _NUMERIC | _LIKE,
    "reference": _EQUAL | _LIKE | _MEMBER,
    "binary": frozenset({"=", "!="}),
    **dict.fromkeys(RELATIONAL, _EQUAL | _LIKE | _MEMBER | _HIERARCHY | _NESTED),
}
"""What makes sense on a type; any other type takes all but those for relations."""

_PROPERTY = (_EQUAL - {"=?"}) | _ORDERED | _MEMBER | _LIKE - {"=like", "=ilike"}
_DATE_PART = (_EQUAL - {"=?"}) | _ORDERED


@dataclass(frozen=True, slots=True)
class Term:
    """One condition of a domain.

    Attributes:
        path: A field, or a path of fields such as ``country_id.code``.
        operator: One of ``OPERATORS``.
        value: What to compare with; lists are tuples, and ``any`` holds a ``Domain``.
        pointer: Where it stood in what was parsed, as a JSON pointer.
    """

    path: str
    operator: str
    value: Any
    pointer: str = field(default="", compare=False, repr=False)

    def to_wire(self) -> list[Any]:
        """Answer the term as Odoo reads it."""
        if isinstance(self.value, Domain):
            return [self.path, self.operator, self.value.to_wire()]
        return [self.path, self.operator, _plain(self.value)]


type _Token = str | bool | Term


@dataclass(frozen=True, slots=True, repr=False)
class Domain:
    """A search filter; ``Domain()`` matches everything.

    Attributes:
        tokens: Prefix operators, terms, and True and False for the terms that always
            and never match; one whole expression, or nothing for everything.
    """

    tokens: tuple[_Token, ...] = ()

    @classmethod
    def parse(cls, raw: Any) -> "Domain":
        """Read a domain.

        Args:
            raw: A list, the same as JSON or as a Python literal in text, a ``Domain``,
                or None for everything.

        Raises:
            InvalidRequest: It is none; all problems are named, with their places.
        """
        if raw is None:
            return cls()
        if isinstance(raw, Domain):
            return raw
        if isinstance(raw, str):
            raw = _from_text(raw)
        if not is_sequence(raw):
            raise InvalidRequest(
                f"A domain is a list of terms such as [['name', '=', 'x']], "
                f"not {show(raw)}."
            )
        parser = _Parser()
        parsed = parser.domain(raw, "", 0)
        if parser.problems:
            raise scalars.refusal("The domain", parser.problems)
        return parsed

    @classmethod
    def of(cls, path: str, operator: str, value: Any) -> "Domain":
        """Build a domain of one term.

        Raises:
            InvalidRequest: It is no term.
        """
        return cls.parse([[path, operator, value]])

    @property
    def is_everything(self) -> bool:
        """Whether it has no condition at all, so that it matches every record."""
        return not self.tokens

    def __and__(self, other: "Domain") -> "Domain":
        if not self.tokens:
            return other
        if not other.tokens:
            return self
        return Domain(("&", *self.tokens, *other.tokens))

    def __or__(self, other: "Domain") -> "Domain":
        if not self.tokens or not other.tokens:
            return Domain()
        return Domain(("|", *self.tokens, *other.tokens))

    def __invert__(self) -> "Domain":
        if not self.tokens:
            return Domain((False,))
        if self.tokens == (False,):
            return Domain()
        if self.tokens[0] == "!":
            return Domain(self.tokens[1:])
        return Domain(("!", *self.tokens))

    def __repr__(self) -> str:
        return f"Domain({self.to_wire()!r})"

    def to_wire(self) -> list[Any]:
        """Answer the list that Odoo reads."""
        wire: list[Any] = []
        for token in self.tokens:
            if isinstance(token, Term):
                wire.append(token.to_wire())
            elif isinstance(token, bool):
                wire.append([int(token), "=", 1])
            else:
                wire.append(token)
        return wire

    def terms(self) -> Iterator[Term]:
        """Go through the terms at this level, without those inside of ``any``."""
        return (token for token in self.tokens if isinstance(token, Term))

    def paths(self) -> tuple[str, ...]:
        """Answer the fields and paths named at this level, each once."""
        return tuple(dict.fromkeys(term.path for term in self.terms()))

    async def checked(self, schema: ModelSchema, schemas: Schemas) -> "Domain":
        """Check every field, operator and value, and put the values in Odoo's form.

        Args:
            schema: The model to search.
            schemas: Answers the schemas of related models, for paths and ``any``.

        Raises:
            InvalidRequest: With a problem for every term that Odoo would crash on,
                or ignore and so match everything.
        """
        problems: list[Problem] = []
        checked = await _check(self, schema, schemas, problems)
        if problems:
            raise scalars.refusal(f"The domain on {schema.model!r}", problems)
        return checked


# Reading


def _from_text(text: str) -> Sequence[Any]:
    if len(text) > MAX_TEXT:
        raise InvalidRequest(
            f"The domain has {len(text)} characters; {MAX_TEXT} is the most."
        )
    if not text.strip():
        raise InvalidRequest(
            "The domain is empty text. Leave it out, or send [], to match everything."
        )
    try:
        raw = json.loads(text)
    except RecursionError:
        raise InvalidRequest("The domain is nested too deeply.") from None
    except ValueError:
        raw = _from_literal(text)
    if not is_sequence(raw):
        raise InvalidRequest(
            f"The domain is text that holds {show(raw)}; it must hold a list of terms "
            "such as [['name', '=', 'x']]."
        )
    return raw


def _from_literal(text: str) -> Any:
    if len(text) > MAX_LITERAL:
        raise InvalidRequest(
            f"The domain is text that is no JSON: as a Python literal it may have "
            f"{MAX_LITERAL} characters, not {len(text)}."
        )
    try:
        return ast.literal_eval(text.strip())
    except (RecursionError, MemoryError):
        raise InvalidRequest("The domain is nested too deeply.") from None
    except (ValueError, SyntaxError, TypeError):
        raise InvalidRequest(
            f"The domain is text that is neither JSON nor a Python literal: "
            f"{show(text)}. Names and function calls in it are not evaluated."
        ) from None


class _Parser:
    """Reads one domain, nested ones included, and collects what is wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._items = 0
        self._values = 0

    def domain(self, raw: Sequence[Any], at: str, depth: int) -> Domain:
        if depth > MAX_DEPTH:
            raise InvalidRequest(f"The domain nests deeper than {MAX_DEPTH} levels.")
        self._items += len(raw)
        if self._items > MAX_ITEMS:
            raise InvalidRequest(
                f"The domain has more than {MAX_ITEMS} terms and operators. Use 'in' "
                "with a list for many values of one field."
            )
        if _is_bare_term(raw):
            shown = show(list(raw))
            self._problem(
                at, f"This is one term; a domain is a list of terms: send [{shown}]."
            )
            return Domain()
        tokens = [
            self._token(item, f"{at}/{index}", depth) for index, item in enumerate(raw)
        ]
        self._balance(tokens, at)
        joints = _expressions(tokens) - 1
        whole = ("&",) * joints + tuple(tokens)
        return Domain() if whole == (True,) else Domain(whole)

    def _balance(self, tokens: Sequence[_Token], at: str) -> None:
        """Report it where prefix operators lack terms."""
        waiting: list[tuple[int, int]] = []
        for index, token in enumerate(tokens):
            if isinstance(token, str):
                waiting.append((index, _ARITY[token]))
                continue
            while waiting:
                place, missing = waiting.pop()
                if missing > 1:
                    waiting.append((place, missing - 1))
                    break
        if waiting:
            lacking = sum(missing for _, missing in waiting) - len(waiting) + 1
            place = waiting[-1][0]
            wanted = "two terms" if _ARITY[str(tokens[place])] == 2 else "one term"
            self._problem(
                f"{at}/{place}",
                f"{tokens[place]!r} stands before its {wanted}; at the end of the list "
                f"{lacking} more {'is' if lacking == 1 else 'are'} missing.",
            )

    def _token(self, item: Any, at: str, depth: int) -> _Token:
        if isinstance(item, str):
            return self._prefix(item, at)
        if not is_sequence(item):
            self._problem(
                at,
                f"{show(item)} is neither a term such as ['name', '=', 'x'] nor one "
                "of the operators '&', '|', '!'.",
            )
            return False
        if len(item) != 3:
            self._problem(at, _wrong_arity(item))
            return False
        return self._term(item, at, depth)

    def _prefix(self, item: str, at: str) -> _Token:
        if item in _ARITY:
            return item
        meant = _MEANT_PREFIX.get(item.strip().casefold())
        hint = (
            f"; did you mean {meant!r}?"
            if meant
            else ". A term is a list of three: ['name', '=', 'x']."
        )
        self._problem(at, f"{show(item)} is none of the operators '&', '|', '!'{hint}")
        return False

    def _term(self, item: Sequence[Any], at: str, depth: int) -> _Token:
        path, operator, value = item
        if is_integer(path) and is_integer(value) and operator == "=" and value == 1:
            if path in (0, 1):
                return path == 1
        elif is_sequence(path):
            self._problem(
                at,
                "A list of terms cannot stand here: put its terms into the list "
                "around it, with '&' or '|' before them.",
            )
            return False
        known = self._path(path, f"{at}/0")
        if not isinstance(operator, str) or operator not in OPERATORS:
            self._problem(f"{at}/1", _unknown_operator(operator, item))
            return False
        if operator in _NESTED:
            value = self._nested(operator, value, f"{at}/2", depth)
        else:
            value = self._value(value, f"{at}/2")
        return Term(str(path), operator, value, at) if known else False

    def _path(self, path: Any, at: str) -> bool:
        if not isinstance(path, str):
            self._problem(
                at, f"A field is named by text, not {show(path)}; such as 'name'."
            )
            return False
        if not all(step.isidentifier() and step.isascii() for step in path.split(".")):
            self._problem(
                at,
                f"{show(path)} is no field: write a name such as 'name' or a path "
                "such as 'country_id.code'.",
            )
            return False
        if path.count(".") >= MAX_STEPS:
            self._problem(at, f"{show(path)} has more than {MAX_STEPS} steps.")
            return False
        return True

    def _nested(self, operator: str, value: Any, at: str, depth: int) -> Domain:
        if isinstance(value, Domain):
            value = value.to_wire()
        if not is_sequence(value):
            self._problem(
                at,
                f"{operator!r} takes a domain such as [['name', '=', 'x']], "
                f"not {show(value)}.",
            )
            return Domain()
        return self.domain(value, at, depth + 1)

    def _value(self, value: Any, at: str) -> Any:
        if not is_sequence(value):
            return self._scalar(value, at)
        self._values += len(value)
        if self._values > MAX_VALUES:
            raise InvalidRequest(
                f"The domain has more than {MAX_VALUES} values in its lists."
            )
        return tuple(
            item[0] if scalars.is_pair(item) else self._scalar(item, f"{at}/{index}")
            for index, item in enumerate(value)
        )

    def _scalar(self, value: Any, at: str) -> Any:
        match value:
            case None | bool() | int() | str():
                return value
            case float() if scalars.is_finite(value):
                return value
            case datetime():
                return _datetime_text(value)
            case date():
                return value.isoformat()
            case {"model": str(model), "id": int(number)}:
                return f"{model},{number}"
            case {"id": int(number)}:
                return number
            case _:
                pass
        self._problem(
            at,
            f"{show(value)} cannot be compared with: send text, a number, true, "
            "false, null, or a list of those.",
        )
        return None

    def _problem(self, at: str, message: str) -> None:
        self.problems.append(Problem(at, message))


def _expressions(tokens: Sequence[_Token]) -> int:
    """Count the whole expressions that stand side by side."""
    open_terms = 0
    count = 0
    for token in tokens:
        if open_terms == 0:
            count += 1
            open_terms = 1
        open_terms += (_ARITY[token] if isinstance(token, str) else 0) - 1
    return max(count, 1)


def _is_bare_term(raw: Sequence[Any]) -> bool:
    return (
        len(raw) > 1
        and not is_sequence(raw[0])
        and not (isinstance(raw[0], str) and raw[0] in _ARITY)
        and isinstance(raw[1], str)
        and (raw[1] in OPERATORS or (len(raw) == 3 and not is_sequence(raw[2])))
    )


def _wrong_arity(item: Sequence[Any]) -> str:
    if not item:
        return "An empty list is no term: leave it out."
    return (
        f"A term has three parts, [field, operator, value]; {show(list(item))} "
        f"has {len(item)}."
    )


def _unknown_operator(operator: Any, item: Sequence[Any]) -> str:
    if not isinstance(operator, str):
        return f"An operator is text such as '=', not {show(operator)}."
    folded = " ".join(operator.casefold().replace("_", " ").split())
    known = {name.replace("_", " "): name for name in OPERATORS}
    meant = known.get(folded) or _MEANT.get(folded)
    if meant is None:
        meant = known[get_close_matches(folded[:40], known, n=1, cutoff=0.0)[0]]
    return (
        f"{show(operator)} in {show(list(item))} is no operator; did you mean "
        f"{meant!r}? Odoo has {', '.join(OPERATORS)}."
    )


def _datetime_text(value: datetime) -> str:
    if value.tzinfo is not None:
        try:
            value = value.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            return value.isoformat()
    return scalars.odoo_datetime(value)


def _plain(value: Any) -> Any:
    return list(value) if _is_list(value) else value


def _is_list(value: Any) -> TypeGuard[tuple[Any, ...]]:
    return isinstance(value, tuple)


# Checking


@dataclass(frozen=True, slots=True)
class _Target:
    """What a path leads to.

    Attributes:
        schema: The model of its last field.
        field: Its last field.
        step: What it takes from that field: a property, or a part of a date.
    """

    schema: ModelSchema
    field: Field
    step: str | None = None


async def _check(
    domain: Domain, schema: ModelSchema, schemas: Schemas, problems: list[Problem]
) -> Domain:
    tokens: list[_Token] = []
    for token in domain.tokens:
        if isinstance(token, Term):
            try:
                token = await _check_term(token, schema, schemas, problems)
            except InvalidRequest as wrong:
                problems.append(Problem(token.pointer, wrong.message))
        tokens.append(token)
    return Domain(tuple(tokens))


async def _check_term(
    term: Term, schema: ModelSchema, schemas: Schemas, problems: list[Problem]
) -> Term:
    target = await _follow(term.path, schema, schemas)
    _check_operator(term, target)
    if term.operator in _HIERARCHY:
        await _check_hierarchy(term, target, schemas)
    if isinstance(term.value, Domain):
        comodel = await schemas(_relation(target.field))
        value = await _check(term.value, comodel, schemas, problems)
    elif target.step is not None or target.field.type not in _READERS:
        value = _unchecked(term, target)
    else:
        value = _compared(term, target.field)
    return replace(term, value=value)


async def _follow(path: str, schema: ModelSchema, schemas: Schemas) -> _Target:
    """Walk along a path; every step must be searchable."""
    name, _, rest = path.partition(".")
    step = schema.usable(name)
    if not step.searchable:
        raise InvalidRequest(
            f"{name!r} of {schema.model!r} cannot be searched. Odoo would drop the "
            "condition and match every record; search by another field."
        )
    if rest and step.type in RELATIONAL:
        return await _follow(rest, await schemas(_relation(step)), schemas)
    if rest:
        return _Target(schema, step, _inside(step, rest))
    if step.type == "properties":
        raise InvalidRequest(
            f"{name!r} holds properties: name one, such as '{name}.color'."
        )
    return _Target(schema, step)


def _inside(step: Field, rest: str) -> str:
    """Answer what a path takes from a field that is no relation."""
    if step.type == "properties" and _PROPERTY_NAME.fullmatch(rest):
        return rest
    if step.type == "properties":
        raise InvalidRequest(
            f"{rest!r} is no technical name of a property of {step.name!r}: a domain "
            f"takes that, such as '{step.name}.a1b2c3', and not the label. Read "
            f"{step.definition_record_field!r} of the record in "
            f"{step.definition_record!r} to see both."
        )
    if step.type in ("date", "datetime"):
        if rest in _DATE_PARTS:
            return rest
        raise InvalidRequest(
            f"{rest!r} cannot be taken from the {step.type} {step.name!r}: "
            f"take {', '.join(sorted(_DATE_PARTS))}."
        )
    raise InvalidRequest(
        f"{rest!r} cannot follow {step.name!r}, which is a {step.type} field and "
        "no relation."
    )


def _relation(relational: Field) -> str:
    if relational.relation is None:
        raise InvalidRequest(f"{relational.name!r} does not say which model it names.")
    return relational.relation


def _check_operator(term: Term, target: _Target) -> None:
    kind = target.field.type
    if kind == "properties":
        fitting = _PROPERTY
    elif target.step is not None:
        fitting = _DATE_PART
    else:
        fitting = _FITTING.get(kind, frozenset(OPERATORS) - _HIERARCHY - _NESTED)
        if target.field.name == "id":
            fitting |= _HIERARCHY
    if term.operator not in fitting:
        names = ", ".join(name for name in OPERATORS if name in fitting)
        raise InvalidRequest(
            f"{term.operator!r} does not work on {term.path!r} ({kind}); "
            f"it takes {names}."
        )


async def _check_hierarchy(term: Term, target: _Target, schemas: Schemas) -> None:
    """Check that the records have parents of their own kind; Odoo crashes if not."""
    field, model = target.field, target.schema
    if field.type in ("many2one", "one2many") and field.relation == model.model:
        return
    if field.name != "id":
        model = await schemas(_relation(field))
    parent = model.fields.get("parent_id")
    if "parent_path" in model.fields or (parent and parent.relation == model.model):
        return
    raise InvalidRequest(
        f"{term.operator!r} does not work on {term.path!r}: {model.model!r} records "
        "have no parents of their own kind. Use '=' or 'in'."
    )


def _unchecked(term: Term, target: _Target) -> Any:
    """Check only the shape of values whose type the schema does not know."""
    value = term.value
    if term.operator in _MEMBER:
        _listed(term)
    elif isinstance(value, tuple):
        raise InvalidRequest(_one_value(term))
    elif target.step in _DATE_PARTS and target.field.type != "properties":
        return scalars.integer(replace(target.field, name=term.path), value)
    elif term.operator in _LIKE:
        return _pattern(term, target.field)
    return value


def _compared(term: Term, target: Field) -> Any:
    value, operator = term.value, term.operator
    if operator in _LIKE:
        return _pattern(term, target)
    if operator in _HIERARCHY:
        return _ancestors(term, target)
    read = _READERS[target.type]
    if operator in _MEMBER:
        return _members(term, target, read)
    if target.type == "many2one" and scalars.is_pair(value):
        value = value[0]
    if isinstance(value, tuple):
        raise InvalidRequest(_one_value(term))
    if is_empty(value):
        if operator in _ORDERED:
            raise InvalidRequest(
                f"Nothing is smaller or larger than empty: give {operator!r} on "
                f"{term.path!r} a value."
            )
        return False
    return read(target, value)


def _members(
    term: Term, target: Field, read: Callable[[Field, Any], Any]
) -> tuple[Any, ...]:
    items = _listed(term)
    if target.type in RELATIONAL:
        texts = sum(isinstance(item, str) for item in items)
        if texts and (target.type != "many2one" or texts < len(items)):
            raise InvalidRequest(
                f"{term.operator!r} on {term.path!r} takes a list of ids. To search by "
                f"name use ['{term.path}', 'ilike', 'text']."
            )
        if target.type != "many2one" and any(map(is_empty, items)):
            raise InvalidRequest(
                f"To find records without {term.path!r} use "
                f"['{term.path}', '=', false]; null cannot be in the list."
            )
    return tuple(False if is_empty(item) else read(target, item) for item in items)


def _ancestors(term: Term, target: Field) -> Any:
    value = term.value
    related = target if target.relation else replace(target, relation="the same")
    if isinstance(value, str):
        return scalars.text(target, value)
    if scalars.is_pair(value):
        value = value[0]
    if _is_list(value):
        if value and all(isinstance(item, str) for item in value):
            return tuple(scalars.text(target, item) for item in value)
        return tuple(scalars.record_id(related, item) for item in value)
    return scalars.record_id(related, value)


def _pattern(term: Term, target: Field) -> str:
    if not isinstance(term.value, str):
        raise InvalidRequest(
            f"{term.operator!r} on {term.path!r} takes text to look for, such as "
            f"'desk', not {show(_plain(term.value))}."
        )
    return scalars.text(target, term.value)


def _listed(term: Term) -> tuple[Any, ...]:
    if not _is_list(term.value):
        raise InvalidRequest(
            f"{term.operator!r} on {term.path!r} takes a list of values, such as "
            f"[{show(term.value)}], not {show(term.value)}."
        )
    return term.value


def _one_value(term: Term) -> str:
    other = "not in" if term.operator == "!=" else "in"
    return (
        f"{term.operator!r} on {term.path!r} takes one value, not "
        f"{show(_plain(term.value))}; use {other!r} for a list."
    )


def _related(target: Field, value: Any) -> Any:
    if isinstance(value, str):
        return scalars.text(target, value)
    return scalars.record_id(target, value)


def _datetime(target: Field, value: Any) -> str:
    """Answer a moment; a bare day stays one, as Odoo reads it as the whole day."""
    if isinstance(value, str) and len(value) == 10:
        return scalars.day(target, value)
    return scalars.odoo_datetime(scalars.moment(target, value))


def _binary(target: Field, value: Any) -> Any:
    raise InvalidRequest(
        f"{target.name!r} is binary: it can be compared with false only, not with "
        f"{show(value)}. Odoo would match every record."
    )


_READERS: dict[str, Callable[[Field, Any], Any]] = {
    "boolean": scalars.boolean,
    "integer": scalars.integer,
    "many2one_reference": scalars.integer,
    "float": scalars.number,
    "monetary": scalars.number,
    **dict.fromkeys(TEXTUAL, scalars.text),
    "selection": scalars.choice,
    "reference": scalars.reference,
    "date": scalars.day,
    "datetime": _datetime,
    "binary": _binary,
    **dict.fromkeys(RELATIONAL, _related),
}
"""How one value is read that is compared with a field of a type."""
