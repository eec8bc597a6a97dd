"""``read_group``: records by groups, with sums (``odoo/models.py`` of Odoo 18)."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from odooport_adapters.memory import faults
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.orders import ordered
from odooport_adapters.memory.reading import show
from odooport_adapters.memory.registry import Field, Model
from odooport_adapters.memory.search import compile_search
from odooport_adapters.memory.store import Row

_AGGREGATE = re.compile(r"^(?:(\w+):(\w+)\((\w+)\)|(\w+)(?::(\w+))?)$")
_GRANULARITIES = ("hour", "day", "week", "month", "quarter", "year")
_NUMBERS: Mapping[str, Callable[[datetime], int]] = MappingProxyType(
    {
        "year_number": lambda moment: moment.year,
        "quarter_number": lambda moment: (moment.month - 1) // 3 + 1,
        "month_number": lambda moment: moment.month,
        "iso_week_number": lambda moment: moment.isocalendar().week,
        "day_of_year": lambda moment: moment.timetuple().tm_yday,
        "day_of_month": lambda moment: moment.day,
        "day_of_week": lambda moment: moment.isoweekday() % 7,
        "hour_number": lambda moment: moment.hour,
        "minute_number": lambda moment: moment.minute,
        "second_number": lambda moment: moment.second,
    }
)
_SHOWN = "%Y-%m-%d %H:%M:%S"
_SUNDAY = 7


@dataclass(frozen=True, slots=True)
class _Grouping:
    """One ``groupby``: ``country_id`` or ``date_order:month``."""

    spec: str
    field: Field
    granularity: str | None


@dataclass(frozen=True, slots=True)
class _Aggregate:
    """One aggregate: its name in the answer, the function, the field."""

    name: str
    function: str
    field: Field


def read_group(
    env: Environment,
    model: Model,
    domain: list[Any],
    fields: Sequence[str],
    groupby: str | Sequence[str],
    *,
    offset: int,
    limit: int | None,
    orderby: str | bool,
    lazy: bool,
) -> list[dict[str, Any]]:
    """Answer one dictionary for each group.

    Raises:
        OdooFailed: A field, function or granularity is none that Odoo could use.
    """
    env.check_model(model, "read")
    specs = [groupby] if isinstance(groupby, str) else list(groupby)
    now, later = (specs[:1], specs[1:]) if lazy else (specs, [])
    groupings = [_grouping(env, model, spec) for spec in now]
    aggregates = _aggregates(env, model, fields, specs)
    buckets = _buckets(env, model, domain, groupings)
    keys = _ordered_keys(env, model, groupings, aggregates, buckets, orderby)
    end = offset + limit if limit else None
    zone = _zone(env)
    answer: list[dict[str, Any]] = []
    for key in keys[offset:end]:
        group = _group(env, model, groupings, key, zone)
        counted = f"{groupings[0].field.name}_count" if lazy and specs else "__count"
        group[counted] = len(buckets[key])
        for aggregate in aggregates:
            group[aggregate.name] = _aggregated(env, model, aggregate, buckets[key])
        parts = group.pop("__parts", [])
        group["__domain"] = _combined([domain, *parts])
        if ranges := group.pop("__ranges", {}):
            group["__range"] = ranges
        if later:
            group["__context"] = {"group_by": later}
        answer.append(group)
    return answer


def _combined(domains: Sequence[list[Any]]) -> list[Any]:
    """Answer the domains joined, with explicit ``&`` as Odoo answers them."""
    leaves = [domain for domain in domains if domain]
    count = sum(_terms(domain) for domain in leaves)
    joined: list[Any] = ["&"] * (count - 1)
    for domain in leaves:
        joined += domain
    return joined


def _terms(domain: list[Any]) -> int:
    """Answer how many terms stand side by side in a domain."""
    terms = 0
    for item in reversed(domain):
        if item in ("&", "|"):
            terms -= 1
        elif item != "!":
            terms += 1
    return terms


def _grouping(env: Environment, model: Model, spec: str) -> _Grouping:
    name, _, granularity = spec.partition(":")
    root, dot, rest = name.partition(".")
    if root not in model.fields:
        text = f"Invalid field {name!r} on model {model.name!r}"
        raise faults.crash("ValueError", text)
    field = model.fields[root]
    if dot:
        text = f"Property name {rest!r} has to be used on a property field."
        raise faults.crash("ValueError", text)
    env.check_fields(model, [root], "read")
    if not field.groupable:
        text = f"Cannot convert {model.name}.{root} to SQL because it is not stored"
        raise faults.crash("ValueError", text)
    if field.type in ("date", "datetime"):
        granularity = granularity or "month"
        if granularity not in (*_GRANULARITIES, *_NUMBERS):
            text = f"Granularity specification isn't correct: {granularity!r}"
            raise faults.crash("ValueError", text)
        if granularity == "hour" and field.type == "date":
            text = "'datetime.date' object has no attribute 'hour'"
            raise faults.crash("AttributeError", text)
    return _Grouping(spec, field, granularity or None)


def _aggregates(
    env: Environment, model: Model, fields: Sequence[str], specs: Sequence[str]
) -> list[_Aggregate]:
    grouped = {spec.partition(":")[0] for spec in specs}
    found: dict[str, _Aggregate] = {}
    for spec in fields:
        match = _AGGREGATE.match(spec)
        if spec == "__count":
            continue
        if match is None:
            text = f"Invalid field specification {spec!r}."
            raise faults.crash("ValueError", text)
        alias, own_function, own_field, plain, function = match.groups()
        name = own_field or plain
        if name not in model.fields:
            text = f"Invalid field {name!r} on model {model.name!r} for {spec!r}."
            raise faults.crash("ValueError", text)
        field = model.fields[name]
        wanted = own_function or function
        if wanted is None:
            wanted = field.attributes.get("aggregator")
            if not wanted or name in grouped:
                continue
        if wanted not in _FUNCTIONS:
            text = f"Invalid aggregate method {wanted!r} for {spec!r}."
            raise faults.crash("ValueError", text)
        env.check_fields(model, [name], "read")
        if not (field.groupable or field.sortable):
            text = f"Cannot convert {model.name}.{name} to SQL because it is not stored"
            raise faults.crash("ValueError", text)
        found[alias or name] = _Aggregate(alias or name, wanted, field)
    return list(found.values())


def _buckets(
    env: Environment, model: Model, domain: Any, groupings: Sequence[_Grouping]
) -> dict[tuple[Any, ...], list[int]]:
    test = compile_search(env, model, domain)
    zone = _zone(env)
    keys = [_key_of(env, model, grouping, zone) for grouping in groupings]
    buckets: dict[tuple[Any, ...], list[int]] = {}
    if not groupings:
        buckets[()] = []
    for record_id, row in env.table(model.name).rows.items():
        if not test(record_id, row):
            continue
        combinations: list[tuple[Any, ...]] = [()]
        for key in keys:
            combinations = [
                (*left, right) for left in combinations for right in key(record_id, row)
            ]
        for combination in combinations:
            buckets.setdefault(combination, []).append(record_id)
    return buckets


def _key_of(
    env: Environment, model: Model, grouping: _Grouping, zone: ZoneInfo
) -> Callable[[int, Row], Sequence[Any]]:
    """Answer what gives the groups of a record: several for a many2many."""
    field = grouping.field
    get = env.getter(model.name, field.name)
    granularity = grouping.granularity
    if field.type == "many2many":
        return lambda record_id, row: get(record_id, row) or (None,)
    if granularity is not None:
        first_day = _first_day(env)

        def bucket(record_id: int, row: Row) -> Sequence[Any]:
            value = get(record_id, row)
            if value is None:
                return (None,)
            moment = _local(field, value, zone)
            if granularity in _NUMBERS:
                return (_NUMBERS[granularity](moment),)
            return (_start(moment, granularity, first_day),)

        return bucket
    if field.type == "boolean":
        return lambda record_id, row: (bool(get(record_id, row)),)
    return lambda record_id, row: (get(record_id, row),)


# Dates


def _zone(env: Environment) -> ZoneInfo:
    try:
        return ZoneInfo(env.context.tz or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")  # Odoo ignores a time zone that it does not know


def _local(field: Field, value: str, zone: ZoneInfo) -> datetime:
    if field.type == "date":
        return datetime.fromisoformat(value)
    moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
    return moment.astimezone(zone).replace(tzinfo=None)


def _start(moment: datetime, granularity: str, first_day: int) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    match granularity:
        case "hour":
            return day.replace(hour=moment.hour)
        case "day":
            return day
        case "week":
            return day - timedelta(days=(day.isoweekday() - first_day) % 7)
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
        case _:
            return day.replace(month=1, day=1)


def _end(start: datetime, granularity: str) -> datetime:
    match granularity:
        case "hour":
            return start + timedelta(hours=1)
        case "day":
            return start + timedelta(days=1)
        case "week":
            return start + timedelta(days=7)
        case "month":
            return (start + timedelta(days=31)).replace(day=1)
        case "quarter":
            return (start + timedelta(days=93)).replace(day=1)
        case _:
            return start.replace(year=start.year + 1)


def _first_day(env: Environment) -> int:
    """Answer the day with which a week begins: 1 for Monday, 7 for Sunday."""
    lang = env.context.lang or "en_US"
    rows = env.table("res.lang").rows.values()
    found = next((row for row in rows if row["code"] == lang), None)
    return int(found["week_start"]) if found else _SUNDAY


def _week(start: datetime) -> tuple[int, int]:
    """Answer number and year of a week.

    Weeks that begin on Monday are ISO's. Where they begin on Sunday, the first one is
    that of the first of January, as in the United States.
    """
    if start.isoweekday() != _SUNDAY:
        return start.isocalendar().week, start.isocalendar().year
    year = (start + timedelta(days=6)).year
    january = start.replace(year=year, month=1, day=1)
    first = january - timedelta(days=january.isoweekday() % 7)
    return (start - first).days // 7 + 1, year


def _label(start: datetime, granularity: str) -> str:
    match granularity:
        case "hour":
            return start.strftime("%I:00 %d %b")
        case "day":
            return start.strftime("%d %b %Y")
        case "week":
            number, year = _week(start)
            return f"W{number} {year}"
        case "month":
            return start.strftime("%B %Y")
        case "quarter":
            return f"Q{(start.month - 1) // 3 + 1} {start.year}"
        case _:
            return start.strftime("%Y")


# Groups


def _group(
    env: Environment,
    model: Model,
    groupings: Sequence[_Grouping],
    key: tuple[Any, ...],
    zone: ZoneInfo,
) -> dict[str, Any]:
    group: dict[str, Any] = {}
    parts: list[list[Any]] = []
    ranges: dict[str, Any] = {}
    for grouping, value in zip(groupings, key, strict=True):
        name, granularity = grouping.field.name, grouping.granularity
        if granularity in _GRANULARITIES:
            if value is None:
                group[grouping.spec] = ranges[grouping.spec] = False
                parts.append([[name, "=", False]])
                continue
            begin, end = (
                _wire(grouping.field, moment, zone)
                for moment in (value, _end(value, granularity))
            )
            group[grouping.spec] = _label(value, granularity)
            ranges[grouping.spec] = {"from": begin, "to": end}
            parts.append([[name, ">=", begin], [name, "<", end]])
        elif granularity is not None:
            group[grouping.spec] = False if value is None else value
            parts.append([[f"{name}.{granularity}", "=", group[grouping.spec]]])
        else:
            group[grouping.spec] = _shown(env, grouping.field, value)
            parts.append([_leaf(grouping.field, value)])
    group["__parts"], group["__ranges"] = parts, ranges
    return group


def _wire(field: Field, moment: datetime, zone: ZoneInfo) -> str:
    if field.type == "date":
        return moment.strftime("%Y-%m-%d")
    return moment.replace(tzinfo=zone).astimezone(UTC).strftime(_SHOWN)


def _shown(env: Environment, field: Field, value: Any) -> Any:
    if value is None:
        return 0 if field.type in ("integer", "float", "monetary") else False
    if field.relation is not None:
        return [value, env.display_name(field.relation, value)]
    return value


def _leaf(field: Field, value: Any) -> list[Any]:
    if value is None and field.type == "many2many":
        return [field.name, "not any", [[1, "=", 1]]]
    return [field.name, "=", False if value is None else value]


def _ordered_keys(
    env: Environment,
    model: Model,
    groupings: Sequence[_Grouping],
    aggregates: Sequence[_Aggregate],
    buckets: Mapping[tuple[Any, ...], list[int]],
    orderby: str | bool,
) -> list[tuple[Any, ...]]:
    keys = list(buckets)
    terms: list[tuple[str, bool]] = []
    for part in str(orderby).split(",") if orderby else ():
        name, *direction = part.split()
        terms.append((name, direction[:1] == ["desc"]))
    asked = {name.partition(":")[0] for name, _ in terms}
    terms += [(item.spec, False) for item in groupings if item.field.name not in asked]
    for name, descending in reversed(terms):
        place = next(
            (
                index
                for index, grouping in enumerate(groupings)
                if name in (grouping.spec, grouping.field.name)
            ),
            None,
        )
        if place is not None:
            rank = _rank(env, groupings[place].field)
            values = {key: rank(key[place]) for key in keys}
        elif name == "__count":
            values = {key: len(buckets[key]) for key in keys}
        else:
            chosen = [item for item in aggregates if name == item.name]
            if ":" in name:
                chosen = _aggregates(env, model, [name], [])
            if not chosen:
                shown = f"{name} desc" if descending else name
                text = (
                    f"Order term {shown!r} is not a valid aggregate nor "
                    "valid groupby"
                )
                raise faults.crash("ValueError", text)
            values = {
                key: _aggregated(env, model, chosen[0], buckets[key]) for key in keys
            }
        filled = [key for key in keys if values[key] is not None]
        empty = [key for key in keys if values[key] is None]
        filled.sort(key=values.__getitem__, reverse=descending)
        keys = empty + filled if descending else filled + empty
    return keys


def _rank(env: Environment, field: Field) -> Callable[[Any], Any]:
    if field.relation is not None:
        target = env.model(field.relation)
        ranks = {
            record_id: rank
            for rank, record_id in enumerate(ordered(env, target, target.order))
        }
        return lambda value: None if value is None else ranks.get(value)
    return lambda value: value


# Aggregates


def _aggregated(
    env: Environment, model: Model, aggregate: _Aggregate, ids: Sequence[int]
) -> Any:
    rows = env.table(model.name).rows
    if aggregate.function in ("array_agg", "recordset"):
        shown = show(env, model, aggregate.field, None)
        return [shown(record_id, rows[record_id]) for record_id in ids]
    get = env.getter(model.name, aggregate.field.name)
    values = [get(record_id, rows[record_id]) for record_id in ids]
    filled = [value for value in values if value is not None]
    try:
        return _FUNCTIONS[aggregate.function](filled)
    except TypeError as error:
        raise faults.crash(
            "psycopg2.errors.UndefinedFunction",
            f"function {aggregate.function}({aggregate.field.type}) does not exist",
        ) from error


def _sum(values: Sequence[Any]) -> Any:
    total = sum(values)
    return False if not values else round(total, 10)


def _avg(values: Sequence[Any]) -> Any:
    return sum(values) / len(values) if values else False


def _min(values: Sequence[Any]) -> Any:
    return min(values, default=False)


def _max(values: Sequence[Any]) -> Any:
    return max(values, default=False)


def _count_distinct(values: Sequence[Any]) -> int:
    return len(set(values))


_FUNCTIONS: Mapping[str, Callable[[Sequence[Any]], Any]] = MappingProxyType(
    {
        "sum": _sum,
        "avg": _avg,
        "min": _min,
        "max": _max,
        "count": len,
        "count_distinct": _count_distinct,
        "bool_and": all,
        "bool_or": any,
        "array_agg": list,
        "recordset": list,
    }
)
