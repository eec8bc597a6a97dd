"""What the values of a write say of a search filter, before anything is written."""

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from odooport.domain import Domain, Term
from odooport.scalars import is_sequence

_ARITY: Mapping[str, int] = {"&": 2, "|": 2, "!": 1}

_EMPTY = (None, False, 0, "")
_WILD = {"%": ".*", "_": "."}
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

type _Token = str | bool | Term


def conjuncts(domain: Domain) -> list[Domain]:
    """Answer the conditions of a domain that must all be true."""
    todo, found = [domain.tokens], list[Domain]()
    while todo:
        tokens = todo.pop()
        if tokens and tokens[0] == "&":
            todo += reversed(list(_operands(tokens)))
        elif tokens:
            found.append(Domain(tokens))
    return found


def touched(domain: Domain, names: Sequence[str] | Mapping[str, Any]) -> bool:
    """Whether a domain says anything of one of the fields."""
    return any(_first(term) in names for term in domain.terms())


def fields_of(domain: Domain) -> list[str]:
    """Answer the fields that a domain begins its paths with, each once."""
    return list(dict.fromkeys(map(_first, domain.terms())))


def decided(domain: Domain, values: Mapping[str, Any]) -> bool | None:
    """Answer what a domain is for a record with these values; None if they do not tell.

    Args:
        domain: The domain; one whole expression or nothing.
        values: The values as Odoo's ``create`` and ``write`` take them.
    """
    return _decided(domain.tokens, values) if domain.tokens else True


def _decided(tokens: tuple[_Token, ...], values: Mapping[str, Any]) -> bool | None:
    head = tokens[0]
    if isinstance(head, bool):
        return head
    if isinstance(head, Term):
        return _holds(head, values)
    results = [_decided(part, values) for part in _operands(tokens)]
    if head == "!":
        return None if results[0] is None else not results[0]
    settles = head == "|"
    if settles in results:
        return settles
    return None if None in results else not settles


def _operands(tokens: tuple[_Token, ...]) -> Iterator[tuple[_Token, ...]]:
    """Answer the expressions that a prefix operator joins."""
    start = index = 1
    for _ in range(_ARITY[str(tokens[0])]):
        missing = 1
        while missing:
            token = tokens[index]
            missing += (_ARITY[token] if isinstance(token, str) else 0) - 1
            index += 1
        yield tokens[start:index]
        start = index


def _holds(term: Term, values: Mapping[str, Any]) -> bool | None:
    if term.path not in values or isinstance(term.value, Domain):
        return None
    value = values[term.path]
    if not _is_plain(value):
        return None
    if term.operator in ("=", "!="):
        same = _same(value, term.value)
        return None if same is None else same is (term.operator == "=")
    if term.operator in ("in", "not in") and is_sequence(term.value):
        results = [_same(value, item) for item in term.value]
        if True not in results and None in results:
            return None
        return (True in results) is (term.operator == "in")
    if isinstance(value, str) and isinstance(term.value, str):
        return _likens(term.operator, value, term.value)
    if type(value) is type(term.value) is int:  # others may be rounded
        compare = _COMPARISONS.get(term.operator)
        return None if compare is None else compare(value, term.value)
    return None


def _likens(how: str, value: str, pattern: str) -> bool | None:
    """Whether a text is like a pattern; None where only the database could say.

    Without regard to case, a text may be alike by accents that a database leaves out,
    so there only a likeness is certain (``odoo/osv/expression.py``, ``unaccent``).
    """
    if how not in ("like", "=like", "ilike", "=ilike") or "\\" in pattern:
        return None
    inside = "".join(_WILD.get(sign, re.escape(sign)) for sign in pattern)
    if not how.startswith("="):
        inside = f".*{inside}.*"
    loose = how.endswith("ilike")
    found = re.fullmatch(inside, value, re.DOTALL | (re.IGNORECASE if loose else 0))
    return True if found else None if loose else False


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | str)


def _same(value: Any, other: Any) -> bool | None:
    """Whether two values are the same to Odoo; None where that depends on the field.

    None and False are both empty. Odoo turns some texts into numbers and some numbers
    into nothing, so values of two kinds are neither the same nor different.
    """
    empty, other_empty = value in _EMPTY, other in _EMPTY
    if empty or other_empty:
        certain = all(item is None or item is False or item for item in (value, other))
        return empty and other_empty if certain else None
    return value == other if type(value) is type(other) else None


def _first(term: Term) -> str:
    return term.path.split(".", 1)[0]
