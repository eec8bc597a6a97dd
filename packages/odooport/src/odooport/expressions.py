"""The conditions in Odoo's views, such as ``state != 'draft'``, judged safely.

Odoo 18 writes ``invisible``, ``readonly`` and ``required`` as Python expressions, which
its web client judges with an interpreter of its own (its sources are in
``addons/web/static/src/core/py_js``). ``Expression`` answers what that one would. It
reads Python's syntax tree, walks over the few kinds of nodes below, and never compiles
or runs any of it. Whatever it does not know it calls unknown, and it never guesses.

What it understands is what the form views of Odoo 18 use:

- names: fields, ``id``, ``uid``, ``context``, and ``parent.x``;
- constants, lists and tuples;
- ``and``, ``or``, ``not``, ``x if y else z``;
- ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``in``, ``not in``, chained or not;
- ``+``, ``-``, ``*`` and ``/`` of numbers;
- ``bool(x)``, ``x.get(key, default)``, ``x.lower()``, ``x.upper()`` and, for a list,
  ``x.length``, which is the web client's own.

The web client's comparisons are JavaScript's in places, and so are these: a list equals
only itself, and values of different types have an order. What depends on the clock of
a browser (``today``, ``now``, ``context_today()``) is unknown unless it is given as a
value; so is ``len()``, which the web client does not know either.
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Final, Self, TypeGuard

from odooport.schema import TO_MANY, Field

MAX_LENGTH = 2_000
"""The most characters of an expression; the longest in Odoo 18 has 463."""

MAX_DEPTH = 40
"""How deep an expression may nest."""

_MAX_NUMBER = 2**53
"""Beyond it, JavaScript's numbers are not exact any more."""


_UNKNOWN: Final = object()
"""Stands for every value that cannot be told."""

_BUILTINS: Mapping[str, bool] = {"true": True, "false": False}
"""Names that the web client knows by itself."""

_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: float.__add__,
    ast.Sub: float.__sub__,
    ast.Mult: float.__mul__,
    ast.Div: float.__truediv__,
}
_COMPARISONS = (
    ast.Eq,
    ast.NotEq,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.In,
    ast.NotIn,
)
_METHODS: Mapping[str, tuple[int, int]] = {
    "get": (1, 2),
    "lower": (0, 0),
    "upper": (0, 0),
}
"""The methods that may be called, with the fewest and the most arguments."""


@dataclass(frozen=True, slots=True)
class Expression:
    """One condition of a view.

    Attributes:
        text: The expression as the view has it.
        names: The names that it needs values for: fields of the record, and perhaps
            ``context``, ``parent`` or ``uid``.
        problem: Why it is not understood; None if it is.
    """

    text: str
    names: frozenset[str] = frozenset()
    problem: str | None = None
    _tree: ast.expr | None = field(default=None, repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an expression; one that is not understood has a ``problem``.

        Args:
            text: What stands in the view. It may be hostile: it is never run, and what
                is too long or too deep is not looked into.
        """
        stripped = text.strip()
        try:
            tree = _read(stripped)
            names = frozenset(_names(tree))
        except _NotUnderstood as wrong:
            return cls(stripped[:MAX_LENGTH], problem=str(wrong))
        return cls(stripped, names, None, tree)

    def evaluate(self, values: Mapping[str, Any]) -> bool | None:
        """Answer whether the expression holds; None if that cannot be told.

        Args:
            values: The values of names, as the web client sees them: see ``seen``. A
                name that is missing is unknown; the answer is unknown only if it
                depends on it.
        """
        if self._tree is None:
            return None
        return _Judge(values).truth(self._tree)


def seen(field: Field, value: Any) -> Any:
    """Answer a field's value as the web client's expressions see it.

    An id or false for a many2one, a list of ids for a one2many or many2many, text for
    dates. Source: ``_computeDataContext`` and ``parseServerValue`` of
    ``addons/web/static/src/model/relational_model`` of Odoo 18.

    Args:
        field: The field.
        value: What ``read`` answered.
    """
    if field.type == "many2one":
        return (value[0] if _is_list(value) and value else value) or False
    if field.type == "many2one_reference":
        return {"resId": value} if value else False
    if field.type in TO_MANY:
        return value or []
    return value


class _NotUnderstood(Exception):
    """An expression that is no expression, or one that the web client cannot judge."""


def _read(text: str) -> ast.expr:
    if not text:
        return ast.Constant(value=False)
    if len(text) > MAX_LENGTH:
        raise _NotUnderstood(f"it is longer than {MAX_LENGTH} characters")
    if "\\" in text:
        # Python warns of some, and JavaScript reads others differently.
        raise _NotUnderstood("it has a backslash")
    try:
        # The parentheses let it run over lines.
        tree = ast.parse(f"({text}\n)", mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _NotUnderstood("it is no Python expression") from None
    _check(tree)
    return tree


def _check(tree: ast.expr) -> None:
    """Refuse every kind of node that is not known. Does not recurse."""
    todo: list[tuple[ast.expr, int]] = [(tree, 1)]
    while todo:
        node, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise _NotUnderstood(f"it nests deeper than {MAX_DEPTH}")
        todo.extend((part, depth + 1) for part in _parts(node))


def _parts(node: ast.expr) -> Sequence[ast.expr]:
    """Answer the parts of a node of a known kind."""
    match node:
        case ast.Name():
            return ()
        case ast.Constant(value=value) if _is_constant(value):
            return ()
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.BoolOp(values=parts):
            return parts
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=part):
            return (part,)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return left, right
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return test, body, orelse
        case ast.Compare(left=left, ops=ops, comparators=others):
            if all(isinstance(op, _COMPARISONS) for op in ops):
                return left, *others
        case ast.Attribute(value=part):
            return (part,)
        case ast.Call(func=ast.Name(id="bool"), args=[part], keywords=[]):
            return (part,)
        case ast.Call(
            func=ast.Attribute(value=target, attr=name), args=parts, keywords=[]
        ) if (name in _METHODS):
            fewest, most = _METHODS[name]
            if fewest <= len(parts) <= most:
                return target, *parts
        case _:
            pass
    raise _NotUnderstood(f"{type(node).__name__!r} is not known here")


def _is_constant(value: object) -> bool:
    if isinstance(value, int | float):
        return abs(value) <= _MAX_NUMBER
    return value is None or isinstance(value, str)


def _names(tree: ast.expr) -> Iterator[str]:
    called = {
        id(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Name)
            and id(node) not in called
            and node.id not in _BUILTINS
        ):
            yield node.id


@dataclass(frozen=True, slots=True)
class _Judge:
    """Walks over a checked tree, with the values of one record."""

    values: Mapping[str, Any]

    def truth(self, node: ast.expr) -> bool | None:
        """Answer whether it holds; an unknown part may not matter."""
        match node:
            case ast.BoolOp(op=ast.And(), values=parts):
                return _all([self.truth(part) for part in parts])
            case ast.BoolOp(values=parts):
                return _not(_all([_not(self.truth(part)) for part in parts]))
            case ast.UnaryOp(op=ast.Not(), operand=part):
                return _not(self.truth(part))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition = self.truth(test)
                if condition is not None:
                    return self.truth(body if condition else orelse)
                either = self.truth(body)
                return either if either is self.truth(orelse) else None
            case ast.Compare():
                return self._comparison(node)
            case ast.Call(func=ast.Name(), args=[part]):
                return self.truth(part)
            case _:
                value = self._value(node)
                return None if value is _UNKNOWN else bool(value)

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return _known(self.values.get(name, _BUILTINS.get(name, _UNKNOWN)))
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                return [self._value(part) for part in parts]
            case ast.BoolOp(op=op, values=parts):
                return self._first(parts, isinstance(op, ast.Or))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition = self.truth(test)
                if condition is None:
                    return _UNKNOWN
                return self._value(body if condition else orelse)
            case ast.UnaryOp(op=ast.USub(), operand=part):
                return _arithmetic(float.__sub__, 0, self._value(part))
            case ast.UnaryOp(op=ast.UAdd(), operand=part):
                return self._value(part)
            case ast.BinOp(left=left, op=op, right=right):
                return _arithmetic(
                    _ARITHMETIC[type(op)], self._value(left), self._value(right)
                )
            case ast.Attribute(value=part, attr=name):
                return _attribute(self._value(part), name)
            case ast.Call(func=ast.Attribute(value=target, attr=name), args=parts):
                arguments = [self._value(part) for part in parts]
                return _called(self._value(target), name, arguments)
            case _:
                truth = self.truth(node)
                return _UNKNOWN if truth is None else truth

    def _first(self, parts: Sequence[ast.expr], wanted: bool) -> Any:
        """Answer the first part whose truth is as wanted, or the last one."""
        value: Any = _UNKNOWN
        for part in parts:
            value = self._value(part)
            if value is _UNKNOWN or bool(value) is wanted:
                break
        return value

    def _comparison(self, node: ast.Compare) -> bool | None:
        values = [self._value(part) for part in (node.left, *node.comparators)]
        return _all(
            [
                _compared(op, left, right)
                for op, left, right in zip(node.ops, values, values[1:], strict=False)
            ]
        )


def _all(truths: Sequence[bool | None]) -> bool | None:
    if False in truths:
        return False
    return None if None in truths else True


def _not(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, list | tuple)


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float)


def _known(value: Any) -> Any:
    """Answer a value of a kind that the web client has as well."""
    known = value is None or isinstance(value, str) or _is_number(value)
    return value if known or _is_composed(value) else _UNKNOWN


def _arithmetic(operate: Callable[[float, float], float], left: Any, right: Any) -> Any:
    """Calculate as JavaScript does: with floats."""
    if not (_is_number(left) and _is_number(right)):
        return _UNKNOWN
    try:
        result = operate(float(left), float(right))
    except (OverflowError, ZeroDivisionError):
        return _UNKNOWN
    return result if isfinite(result) else _UNKNOWN


def _attribute(value: Any, name: str) -> Any:
    if _is_mapping(value):
        return _known(value.get(name, _UNKNOWN))
    if name == "length" and _is_list(value):
        return len(value)
    return _UNKNOWN


def _called(value: Any, name: str, arguments: Sequence[Any]) -> Any:
    if name == "get" and _is_mapping(value):
        key, default = (*arguments, None)[:2]
        if not isinstance(key, str):
            return _UNKNOWN
        if key in value:
            return _known(value[key])
        # The web client answers None for an empty default, but for an empty list.
        return default if default or _is_composed(default) else None
    if name == "lower" and isinstance(value, str):
        return value.lower()
    if name == "upper" and isinstance(value, str):
        return value.upper()
    return _UNKNOWN


def _compared(op: ast.cmpop, left: Any, right: Any) -> bool | None:
    match op:
        case ast.Eq():
            return _equal(left, right)
        case ast.NotEq():
            return _not(_equal(left, right))
        case ast.In():
            return _contained(left, right)
        case ast.NotIn():
            return _not(_contained(left, right))
        case ast.Lt():
            return _less(left, right)
        case ast.Gt():
            return _less(right, left)
        case ast.LtE():
            return _either(_equal(left, right), _less(left, right))
        case _:
            return _either(_equal(left, right), _less(right, left))


def _either(one: bool | None, other: bool | None) -> bool | None:
    return _not(_all([_not(one), _not(other)]))


def _equal(left: Any, right: Any) -> bool | None:
    """Compare as the web client does: a list or a mapping equals only itself."""
    if left is _UNKNOWN or right is _UNKNOWN:
        return None
    if _is_composed(left) or _is_composed(right):
        return left is right
    return bool(left == right)


def _is_composed(value: Any) -> bool:
    return _is_list(value) or _is_mapping(value)


def _contained(left: Any, right: Any) -> bool | None:
    if left is _UNKNOWN or right is _UNKNOWN:
        return None
    if _is_list(right):
        same = [_same(left, item) for item in right]
        return _not(_all([_not(truth) for truth in same]))
    if isinstance(right, str):
        return isinstance(left, str) and left in right
    if _is_mapping(right):
        return left in right if isinstance(left, str) else None
    return None if right is None else False


def _same(left: Any, item: Any) -> bool | None:
    """Compare strictly: in a list, true is not 1."""
    if isinstance(left, bool) is not isinstance(item, bool):
        return None if item is _UNKNOWN else False
    return _equal(left, item)


def _less(left: Any, right: Any) -> bool | None:
    """Order as the web client does: nothing, then numbers, then texts."""
    first, second = _rank(left), _rank(right)
    if first is None or second is None:
        return None
    if first != second:
        return first < second
    if isinstance(left, str):
        return _units(left) < _units(right)
    return bool(first and left < right)


def _rank(value: Any) -> int | None:
    if value is None:
        return 0
    if _is_number(value):
        return 1
    return 2 if isinstance(value, str) else None


def _units(text: Any) -> bytes:
    """Answer a text so that it sorts as in JavaScript: by its UTF-16 units."""
    return str(text).encode("utf-16-be", "surrogatepass")
