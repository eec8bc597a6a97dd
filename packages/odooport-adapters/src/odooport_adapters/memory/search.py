"""Search filters as Odoo 18 understands them (``odoo/osv/expression.py``)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from odooport_adapters.memory import faults
from odooport_adapters.memory.environment import Environment, Getter
from odooport_adapters.memory.orders import ordered
from odooport_adapters.memory.registry import Field, Model
from odooport_adapters.memory.store import Row

type Test = Callable[[int, Row], bool]
"""Whether a record satisfies a domain."""

_NOT_A_DOMAIN = (
    "Domains to normalize must have a 'domain' form: a list or tuple of domain "
    "components"
)
_LIKES = frozenset({"like", "ilike", "=like", "=ilike"})
_NEGATED = {
    "!=": "=",
    "<>": "=",
    "not in": "in",
    "not like": "like",
    "not ilike": "ilike",
    "not any": "any",
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
}
_OPERATORS = (
    frozenset({"=", "=?", "in", "any", "child_of", "parent_of"})
    | _LIKES
    | set(_NEGATED)
    | set(_COMPARISONS)
)
_TEXT = frozenset({"char", "text", "html", "selection", "reference"})
_NUMBERS = frozenset({"integer", "float", "monetary", "many2one_reference"})
_TO_MANY = frozenset({"one2many", "many2many"})
_MOMENT = re.compile(
    r"^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(\.\d+)?)?"
    r"\s*(?:Z|[+-]\d\d:?\d\d)?$"
)
INT4 = 2**31


def search(
    env: Environment,
    model: Model,
    domain: Any,
    *,
    offset: int = 0,
    limit: int | None = None,
    order: str | None = None,
) -> list[int]:
    """Answer the ids of the records that a domain finds, in order."""
    if limit is not None and limit < 0:
        raise faults.crash(
            "psycopg2.errors.InvalidRowCountInLimitClause",
            "LIMIT must not be negative",
        )
    if offset < 0:
        raise faults.crash(
            "psycopg2.errors.InvalidRowCountInResultOffsetClause",
            "OFFSET must not be negative",
        )
    test = compile_search(env, model, domain)
    ids = ordered(env, model, order or model.order, _few(model, domain))
    rows = env.table(model.name).rows
    found: list[int] = []
    end = offset + limit if limit else None
    for record_id in ids:
        if test(record_id, rows[record_id]):
            found.append(record_id)
            if len(found) == end:
                break
    return found[offset:] if offset else found


def count(env: Environment, model: Model, domain: Any, limit: int | None) -> int:
    """Answer how many records a domain finds, at most the limit."""
    test = compile_search(env, model, domain)
    found = sum(1 for item in env.table(model.name).rows.items() if test(*item))
    return min(found, limit) if limit else found


def compile_search(env: Environment, model: Model, domain: Any) -> Test:
    """Answer what tests a record: the domain, record rules and the active flag."""
    tests = [compile_domain(env, model, domain)]
    if "active" in model.fields and env.active_test and not _names_active(domain):
        tests.append(lambda _id, row: bool(row.get("active")))
    rule = env.rule_domain(model)
    if rule is not None:
        tests.append(compile_domain(env.sudo(), model, rule))
    return tests[0] if len(tests) == 1 else _all(tests)


def _names_active(domain: Any) -> bool:
    leaves = [item for item in cast("Sequence[Any]", domain) if _is_many(item)]
    return any(leaf[0] == "active" for leaf in leaves)


def _few(model: Model, domain: Any) -> list[int] | None:
    """Answer the only ids that can match, if the domain is a plain list that says."""
    leaves = cast("Sequence[Any]", domain)
    if any(isinstance(item, str) and item != "&" for item in leaves):
        return None
    for item in leaves:
        if not isinstance(item, str) and item[0] == "id":
            if item[1] == "=" and type(item[2]) is int:
                return [item[2]]
            if item[1] == "in" and isinstance(item[2], list | tuple):
                ids = cast("Sequence[Any]", item[2])
                return [record_id for record_id in ids if type(record_id) is int]
    return None


def _all(tests: Sequence[Test]) -> Test:
    return lambda record_id, row: all(test(record_id, row) for test in tests)


def _always(_id: int, _row: Row) -> bool:
    return True


def _dropped(_id: int, _row: Row) -> bool:
    """Match everything, as does a condition that Odoo dropped; even if negated."""
    return True


def _not(test: Test) -> Test:
    if test is _dropped:
        return test
    return lambda record_id, row: not test(record_id, row)


# Domains


def compile_domain(env: Environment, model: Model, domain: Any) -> Test:
    """Answer what tests a record against a domain alone.

    Raises:
        OdooFailed: It is no domain; Odoo crashes with the same exception.
        OdooAccessError: It names a field that is for other groups.
    """
    stack: list[Test] = []
    for item in reversed(_normalized(domain)):
        if item == "!":
            stack.append(_not(stack.pop()))
        elif isinstance(item, str):
            first, second = stack.pop(), stack.pop()
            stack.append(_both(item, first, second))
        else:
            stack.append(_compile_leaf(env, model, item))
    return stack[-1] if len(stack) == 1 else _all(stack[::-1])


def _both(operator: str, first: Test, second: Test) -> Test:
    if operator == "&":
        if second is _dropped:
            return first
        return lambda record_id, row: first(record_id, row) and second(record_id, row)
    if first is _dropped or second is _dropped:
        return _dropped
    return lambda record_id, row: first(record_id, row) or second(record_id, row)


def _normalized(domain: Any) -> list[Any]:
    """Check a domain's form the way Odoo does, and with its errors."""
    if not isinstance(domain, list | tuple):
        raise faults.crash("AssertionError", _NOT_A_DOMAIN)
    tokens: list[Any] = []
    expected = 1
    items = cast("Sequence[Any]", domain)
    try:
        for item in items:
            if expected == 0:
                tokens.insert(0, "&")
                expected = 1
            if isinstance(item, list | tuple):
                expected -= 1
            elif item in ("&", "|"):
                expected += 1
            elif item != "!":
                _ = item[1]  # Odoo looks there, whatever it is, and may crash
                expected -= 1
            tokens.append(item)
        if items and expected:
            text = f"Domain {domain} is syntactically not correct."
            raise faults.crash("ValueError", text)
        for item in tokens:
            if item not in ("&", "|", "!"):
                _left, _operator, _right = tuple(item)
    except (IndexError, TypeError, KeyError, ValueError) as error:
        raise faults.crash_of(error) from error
    return tokens


def _compile_leaf(env: Environment, model: Model, leaf: Sequence[Any]) -> Test:
    left, operator, right = leaf
    if left in (0, 1) and not isinstance(left, str):
        if operator == "=" and right == 1:
            return _always if left == 1 else lambda _id, _row: False
        text = "'int' object has no attribute 'split'"
        raise faults.crash("AttributeError", text)
    if not isinstance(left, str):
        text = f"{type(left).__name__!r} object has no attribute 'split'"
        raise faults.crash("AttributeError", text)
    name, _, rest = left.partition(".")
    shown = tuple(leaf)
    if name not in model.fields:
        text = f"Invalid field {model.name}.{name} in leaf {shown}"
        raise faults.crash("ValueError", text)
    field = model.fields[name]
    env.check_fields(model, [name], "read")
    if operator not in _OPERATORS:
        raise faults.crash("ValueError", f"Invalid leaf {shown}")
    if field.type == "properties":
        if not rest:
            raise faults.crash("ValueError", f"Wrong path {[left]}")
        return _property(field.name, rest, operator, right)
    if rest and field.relation is None:
        text = f"Invalid field {left!r} in domain term {shown}"
        raise faults.crash("AssertionError", text)
    if not field.searchable:
        # Odoo 18 logs this and then matches everything (``expression.py``, 1155).
        return _dropped
    if rest:
        return _any(env, model, field, [(rest, operator, right)])
    if operator in ("any", "not any"):
        if field.relation is None:
            raise faults.crash("KeyError", "None")
        test = _any(env, model, field, right)
        return test if operator == "any" else _not(test)
    if operator in ("child_of", "parent_of"):
        return _family(env, model, field, operator, right)
    if operator == "=?":
        if right is False or right is None:
            return _always
        operator = "="
    if operator in ("in", "not in") and not isinstance(right, list | tuple | bool):
        raise faults.crash("ValueError", f"Invalid domain term {shown}")
    if operator in _NEGATED:
        return _not(_positive(env, model, field, _NEGATED[operator], right))
    return _positive(env, model, field, operator, right)


def _any(env: Environment, model: Model, field: Field, domain: Any) -> Test:
    relation = field.relation or ""
    target = env.model(relation)
    get = env.getter(model.name, field.name)
    rows = env.table(relation).rows
    if field.type in _TO_MANY:
        many = compile_search(env, target, domain)
        return lambda record_id, row: any(
            many(other, rows[other]) for other in get(record_id, row) or ()
        )
    # Through a many2one Odoo also finds archived records.
    one = compile_domain(env, target, domain)

    def test(record_id: int, row: Row) -> bool:
        other = get(record_id, row)
        return bool(other) and one(other, rows[other])

    return test


def _positive(
    env: Environment, model: Model, field: Field, operator: str, right: Any
) -> Test:
    if field.name == "display_name":
        return _named(env, model, operator, right)
    get = env.getter(model.name, field.name)
    if operator in ("=", "in"):
        values = cast("Sequence[Any]", right) if _is_many(right) else [right]
        if isinstance(right, bool) and operator == "in":
            # ``in True`` asks whether there is a value at all.
            filled = _not(_equals(env, field, get, [False]))
            return filled if right else _not(filled)
        return _equals(env, field, get, values)
    if operator in _LIKES:
        if field.relation is not None:
            ids = names_like(env, env.model(field.relation), operator, right)
            return _in_ids(field, get, ids)
        return _like(get, operator, right, shown=_as_text(field))
    compare = _COMPARISONS[operator]
    bound = _bound(field, operator, right)
    if bound is None or field.type in _TO_MANY:
        return lambda _id, _row: False

    def test(record_id: int, row: Row) -> bool:
        value = get(record_id, row)
        return value is not None and compare(value, bound)

    return test


def _property(field: str, name: str, operator: str, right: Any) -> Test:
    """Answer what tests a property's value; one that has none is False."""

    def get(_id: int, row: Row) -> Any:
        values: Mapping[str, Any] = row.get(field) or {}
        return values.get(name)

    if operator in _NEGATED:
        return _not(_property(field, name, _NEGATED[operator], right))
    if operator in _LIKES:
        return _like(get, operator, right, shown=str)
    if operator in ("=", "in"):
        wanted = [value or False for value in _list(right)]

        def equals(record_id: int, row: Row) -> bool:
            value = get(record_id, row) or False
            return any(one in wanted for one in _list(value))

        return equals
    if operator not in _COMPARISONS:
        raise faults.crash("ValueError", f"Invalid operator {operator!r}")
    compare = _COMPARISONS[operator]

    def test(record_id: int, row: Row) -> bool:
        value = get(record_id, row)
        return value not in (None, False) and compare(value, right)

    return test


def _is_many(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _equals(env: Environment, field: Field, get: Getter, values: Sequence[Any]) -> Test:
    empty = any(value is False or value is None for value in values)
    if field.type == "boolean":
        wanted = {bool(value) for value in values}
        return lambda record_id, row: bool(get(record_id, row)) in wanted
    if field.relation is not None:
        ids: set[int] = set()
        for value in values:
            if isinstance(value, str):
                ids |= names_like(env, env.model(field.relation), "=", value)
            elif value is not False and value is not None:
                ids.add(_int4(value))
        test = _in_ids(field, get, ids)
        if not empty:
            return test
        return lambda record_id, row: not get(record_id, row) or test(record_id, row)
    if field.type in _NUMBERS:
        numbers = {_int4(value) for value in values if value is not None}
        if numbers & {0}:
            # 0 and no value at all are the same to Odoo's users.
            return lambda record_id, row: (get(record_id, row) or 0) in numbers
        return lambda record_id, row: get(record_id, row) in numbers
    texts: set[Any] = set()
    for value in values:
        if value is False or value is None or value == "":
            texts |= {None, ""}
        elif field.type in ("date", "datetime"):
            texts.add(_bound(field, "=", value))
        else:
            texts.add(value if isinstance(value, str) else str(value))
    return lambda record_id, row: get(record_id, row) in texts


def _int4(value: Any) -> Any:
    if type(value) is int and not -INT4 <= value < INT4:
        raise faults.out_of_range(value)
    return value


def _in_ids(field: Field, get: Getter, ids: set[int]) -> Test:
    if field.type in _TO_MANY:
        return lambda record_id, row: not ids.isdisjoint(get(record_id, row) or ())
    return lambda record_id, row: get(record_id, row) in ids


def _bound(field: Field, operator: str, value: Any) -> Any:
    """Answer a domain's value in the form in which the field's values are kept."""
    if value is False or value is None:
        return None
    if field.type in ("date", "datetime"):
        match = _MOMENT.match(str(value))
        if match is None:
            kind = "date" if field.type == "date" else "timestamp"
            raise faults.crash(
                "psycopg2.errors.InvalidDatetimeFormat",
                f'invalid input syntax for type {kind}: "{value}"',
            )
        day, time, fraction = match.groups()
        if field.type == "date":
            return day
        if time is None:
            # A day alone means its end where a whole day is to be included.
            late = operator in ("<=", ">")
            return f"{day} 23:59:59.999999" if late else f"{day} 00:00:00.000000"
        return f"{day} {time:0<8.8}" + (fraction or ".")[:7].ljust(7, "0")
    if field.type in _TEXT:
        return str(value)
    return _int4(value)


def _as_text(field: Field) -> Callable[[Any], str]:
    if field.type == "datetime":
        return lambda value: str(value)[:19]
    return str


def _like(get: Getter, operator: str, value: Any, shown: Callable[[Any], str]) -> Test:
    if value is False or value is None or value == "":
        return _always
    match = matcher(operator, str(value))

    def test(record_id: int, row: Row) -> bool:
        found = get(record_id, row)
        return found is not None and match(shown(found))

    return test


def matcher(operator: str, pattern: str) -> Callable[[str], bool]:
    """Answer what matches text as SQL's LIKE does, with ``%`` and ``_``."""
    folded = operator.endswith("ilike")
    whole = operator.startswith("=")
    if not whole and not {"%", "_", "\\"} & set(pattern):
        if folded:
            wanted = pattern.casefold()
            return lambda text: wanted in text.casefold()
        return lambda text: pattern in text
    parts: list[str] = []
    escaped = False
    for letter in pattern:
        if escaped or letter not in "%_\\":
            parts.append(re.escape(letter))
            escaped = False
        elif letter == "\\":
            escaped = True
        else:
            parts.append(".*" if letter == "%" else ".")
    body = "".join(parts)
    expression = re.compile(
        body if whole else f".*{body}.*",
        re.DOTALL | (re.IGNORECASE if folded else re.NOFLAG),
    )
    return lambda text: expression.fullmatch(text) is not None


# Names


def _named(env: Environment, model: Model, operator: str, value: Any) -> Test:
    texts = [text for text in _list(value) if text is not False and text is not None]
    if operator in ("=", "in"):
        tests = [_name_test(env, model, "=", str(text)) for text in texts]
        return lambda record_id, row: any(test(record_id, row) for test in tests)
    return _name_test(env, model, operator, "" if not texts else str(texts[0]))


def _list(value: Any) -> Sequence[Any]:
    return cast("Sequence[Any]", value) if _is_many(value) else [value]


def _name_test(env: Environment, model: Model, operator: str, text: str) -> Test:
    getters = [
        env.getter(model.name, name)
        for name in model.behaviour.name_fields
        if name in model.fields
    ]
    if operator == "=":
        return lambda record_id, row: any(
            get(record_id, row) == text for get in getters
        )
    if operator not in _LIKES:
        compare = _COMPARISONS[operator]
        return lambda record_id, row: compare(str(getters[0](record_id, row)), text)
    if not text:
        return _always
    match = matcher(operator, text)
    return lambda record_id, row: any(
        (value := get(record_id, row)) is not None and match(str(value))
        for get in getters
    )


def names_like(env: Environment, model: Model, operator: str, text: Any) -> set[int]:
    """Answer the ids of the records whose name matches a text."""
    test = _name_test(env, model, operator, "" if text is False else str(text))
    rows = env.table(model.name).rows
    return {record_id for record_id, row in rows.items() if test(record_id, row)}


# Families


def _family(
    env: Environment, model: Model, field: Field, operator: str, value: Any
) -> Test:
    target = model if field.name == "id" else env.model(field.relation or "")
    ids: set[int] = set()
    for item in _list(value):
        if isinstance(item, str):
            ids |= names_like(env, target, "ilike", item)
        elif item is not False and item is not None:
            ids.add(item)
    same = target.name == model.name and field.type == "many2one"
    parent = field.name if same else "parent_id"
    if parent in target.fields:
        ids = _relatives(env, target, parent, ids, up=operator == "parent_of")
    if same or field.name == "id":
        return lambda record_id, _row: record_id in ids
    return _in_ids(field, env.getter(model.name, field.name), ids)


def _relatives(
    env: Environment, model: Model, parent: str, ids: set[int], *, up: bool
) -> set[int]:
    table = env.table(model.name)
    found: set[int] = set()
    waiting = [record_id for record_id in ids if record_id in table.rows]
    while waiting:
        record_id = waiting.pop()
        if record_id in found:
            continue
        found.add(record_id)
        if up:
            above = table.rows[record_id].get(parent)
            waiting += [above] if above else []
        else:
            waiting += table.pointing_at(parent, record_id)
    return found
