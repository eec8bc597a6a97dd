"""Groups: what records are grouped by and summed up to, asked and answered.

Requests are checked against the schema and put in the form of ``read_group``; its rows
become clean values.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from odooport import scalars
from odooport.errors import InvalidRequest, Problem
from odooport.model import Record
from odooport.scalars import is_empty, is_mapping, show
from odooport.schema import RELATIONAL, Field, ModelSchema
from odooport.values import NUMBERS, many2one_out, value_out

_ORDERABLE = frozenset(
    {"integer", "float", "monetary", "date", "datetime", "char", "text", "selection"}
)
_FUNCTIONS: dict[str, frozenset[str] | None] = {
    "sum": NUMBERS,
    "avg": NUMBERS,
    "min": _ORDERABLE,
    "max": _ORDERABLE,
    "count": None,
    "count_distinct": None,
    "bool_and": frozenset({"boolean"}),
    "bool_or": frozenset({"boolean"}),
}
"""The aggregate functions and the types they work on; None is every column."""

_NO_COLUMN = frozenset({"one2many", "many2many", "binary", "json"})
_NO_GROUPS = frozenset(
    {"one2many", "binary", "json", "properties", "properties_definition"}
)
_DAYS = ("day", "week", "month", "quarter", "year")
_DAY_NUMBERS = (
    "year_number",
    "quarter_number",
    "month_number",
    "iso_week_number",
    "day_of_year",
    "day_of_month",
    "day_of_week",
)
_GRANULARITIES = {
    "date": _DAYS + _DAY_NUMBERS,
    "datetime": (
        "hour",
        *_DAYS,
        *_DAY_NUMBERS,
        "hour_number",
        "minute_number",
        "second_number",
    ),
}
"""What dates can be grouped by; source: ``odoo/models.py``."""

_GROUP_ORDER = re.compile(
    r"(?P<key>[a-z0-9_]+(:[a-z_]+)?)(\s+(asc|desc))?(\s+nulls (first|last))?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Group:
    """One thing that records are grouped by.

    Attributes:
        key: How it was asked for and is answered, such as ``date_order:month``.
        field: The field.
        granularity: For dates, by how much.
    """

    key: str
    field: Field
    granularity: str | None = None


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One figure of each group.

    Attributes:
        key: How it was asked for and is answered, such as ``amount_total:sum``.
        field: The field.
        function: What is made of its values.
    """

    key: str
    field: Field
    function: str

    @property
    def alias(self) -> str:
        """What Odoo calls the figure in its answer; no field can be called so.

        Asked for plainly, Odoo would answer it under the field's own name, and a
        second one of that field would take its place.
        """
        return f"__{self.function}__{self.field.name}"

    def to_wire(self) -> str:
        """Answer the figure as ``read_group`` takes it in its fields."""
        return f"{self.alias}:{self.function}({self.field.name})"


@dataclass(frozen=True, slots=True)
class Grouping:
    """A checked request for groups.

    Attributes:
        groups: What to group by.
        aggregates: The figures of each group.
        order: How to order the groups, as Odoo takes it; None if that is all the same.
    """

    groups: tuple[Group, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    order: str | None = None

    @property
    def groupby(self) -> tuple[str, ...]:
        """What ``read_group`` takes as groupby."""
        return tuple(group.key for group in self.groups)

    @property
    def fields(self) -> tuple[str, ...]:
        """What ``read_group`` takes as fields."""
        return tuple(aggregate.to_wire() for aggregate in self.aggregates)


def groups_in(
    schema: ModelSchema,
    groupby: Sequence[str],
    aggregates: Sequence[str],
    order: str | None = None,
) -> Grouping:
    """Check what to group by and to sum up, and how to order it.

    Args:
        schema: The model.
        groupby: Fields; dates with a granularity, such as ``date_order:month``.
        aggregates: ``__count``, which always comes, or a field with a function, such
            as ``amount_total:sum``.
        order: Some of these, such as ``amount_total:sum desc, country_id``.

    Raises:
        InvalidRequest: With a problem for everything that is wrong.
    """
    problems: list[Problem] = []
    groups: list[Group] = []
    figures: list[Aggregate] = []
    for index, key in enumerate(groupby):
        try:
            groups.append(_group_in(schema, key))
        except InvalidRequest as wrong:
            problems.append(Problem(f"/groupby/{index}", wrong.message))
    for index, key in enumerate(aggregates):
        try:
            if key != "__count":
                figures.append(_aggregate_in(schema, key))
        except InvalidRequest as wrong:
            problems.append(Problem(f"/aggregates/{index}", wrong.message))
    if order is not None and not problems:
        keys = [*(group.key for group in groups), *(item.key for item in figures)]
        problems += _group_order_problems(order, [*keys, "__count"])
    if problems:
        raise scalars.refusal(f"The grouping of {schema.model!r}", problems)
    return Grouping(tuple(dict.fromkeys(groups)), tuple(dict.fromkeys(figures)), order)


def group_out(grouping: Grouping, row: Mapping[str, Any]) -> Record:
    """Turn one row of ``read_group`` (not lazy) into clean values.

    A date becomes ``{"from": …, "to": …, "label": …}``; the label is in the language
    of the call. The row's own domain is left out.
    """
    ranges: Mapping[str, Any] = row.get("__range") or {}
    clean: Record = {}
    for group in grouping.groups:
        value = row.get(group.key, False)
        if group.granularity is None:
            clean[group.key] = _group_value_out(group.field, value)
        elif group.key in ranges:
            clean[group.key] = _range_out(group.field, ranges[group.key], value)
        else:
            clean[group.key] = None if is_empty(value) else value
    clean["__count"] = row.get("__count", 0)
    for figure in grouping.aggregates:
        clean[figure.key] = _figure_out(figure, row.get(figure.alias))
    return clean


def _split(key: Any) -> tuple[str, str]:
    if not isinstance(key, str):
        raise InvalidRequest(
            f"A field is named by text such as 'name', not {show(key)}."
        )
    name, _, rest = key.partition(":")
    if "." in name:
        raise InvalidRequest(
            f"{key!r} is a path: groups take the model's own fields only, such as "
            f"{name.partition('.')[0]!r}."
        )
    return name, rest


def _group_in(schema: ModelSchema, key: Any) -> Group:
    name, granularity = _split(key)
    field = schema.usable(name)
    if field.type in _NO_GROUPS or not field.groupable:
        raise InvalidRequest(
            f"{schema.model!r} cannot be grouped by {name!r} ({field.type}"
            f"{'' if field.stored else ', not stored'}); group by another field."
        )
    known = _GRANULARITIES.get(field.type)
    if known is None:
        if granularity:
            raise InvalidRequest(
                f"{key!r}: only dates have a granularity, such as 'date:month'; "
                f"{name!r} is of type {field.type}, so say {name!r}."
            )
        return Group(name, field)
    if granularity not in known:
        raise InvalidRequest(
            f"{key!r}: a {field.type} is grouped by one of {', '.join(known)}, such as "
            f"'{name}:month'."
        )
    return Group(f"{name}:{granularity}", field, granularity)


def _aggregate_in(schema: ModelSchema, key: Any) -> Aggregate:
    name, function = _split(key)
    field = schema.usable(name)
    fitting = [
        known
        for known, types in _FUNCTIONS.items()
        if types is None or field.type in types
    ]
    has_column = field.stored or field.groupable or field.aggregator is not None
    if field.type in _NO_COLUMN or not has_column:
        raise InvalidRequest(
            f"{name!r} of {schema.model!r} cannot be aggregated: it is a {field.type} "
            "field that is not stored as a column."
        )
    if function not in fitting:
        raise InvalidRequest(
            f"{key!r}: say what to make of {name!r} ({field.type}): "
            f"{', '.join(f'{name}:{known}' for known in fitting)}."
        )
    return Aggregate(f"{name}:{function}", field, function)


def _group_order_problems(order: str, keys: Sequence[str]) -> list[Problem]:
    problems: list[Problem] = []
    for part in order.split(","):
        match = _GROUP_ORDER.fullmatch(part.strip())
        if match is None or match["key"] not in keys:
            problems.append(
                Problem(
                    "/order",
                    f"Groups cannot be ordered by {show(part.strip())}: use some of "
                    f"{', '.join(dict.fromkeys(keys))}, each with 'asc' or 'desc'.",
                )
            )
    return problems


def _group_value_out(field: Field, value: Any) -> Any:
    """Answer what a group has in common; records are shown as a many2one."""
    if field.type in RELATIONAL or field.name == "id":
        return None if is_empty(value) else many2one_out(field, value)
    return value_out(field, value)


def _range_out(field: Field, bounds: Any, label: Any) -> Any:
    if not is_mapping(bounds):
        return None
    return {
        "from": value_out(field, bounds["from"]),
        "to": value_out(field, bounds["to"]),
        "label": label,
    }


def _figure_out(figure: Aggregate, value: Any) -> Any:
    """Answer a figure; an average has more digits than its field, a count has none."""
    match figure.function:
        case "count" | "count_distinct":
            return value or 0
        case "bool_and" | "bool_or":
            return bool(value)
        case "avg":
            return None if is_empty(value) else value
        case _:
            return value_out(figure.field, value)
