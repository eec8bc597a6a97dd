"""How Odoo 19 differs from Odoo 18, for a call that is written as Odoo 18 takes it.

Everything above the gateways speaks Odoo 18. What is told apart here, with its source
in Odoo 19:

- ``name_search`` calls its domain ``domain``, and ``default_get`` its list ``fields``
  (``odoo/orm/models.py``). By position nothing has changed, so the two older wires give
  these by position and need not know the version.
- ``read_group`` is deprecated there, and still does all that it did. Its successor
  ``formatted_read_group`` (``addons/web/models/models.py``) names every aggregate by
  its function, answers a bucket of dates as its beginning and its label, gives a
  group's domain without the one that was searched for, and does not know "lazy". JSON-2
  uses the successor, because it shall outlive Odoo 19; the older wires will not.
- A method that answers one record, such as ``message_post``, answers a list with its id
  there, and the bare id in Odoo 18.
- Over ``/json/2`` ids are an argument with the name ``ids``, and ``create`` answers a
  list even for one record (``addons/rpc/controllers/json2.py``); ``json2`` knows.

Names of fields are data: ``fields_get`` tells them, and no call is rewritten for them.
So ``groups_id`` of ``res.users`` is ``group_ids`` to callers of an Odoo 19. In both
versions ``has_access`` is public, ``check_access`` and ``search_fetch`` are private and
``name_get`` is gone.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import dropwhile
from types import MappingProxyType
from typing import Any

from odooport.errors import GatewayProtocolError, OdooFailed
from odooport.model import Call
from odooport.signatures import SIGNATURES, touches

JSON2_SINCE = (19, 0)
"""The first Odoo that has ``/json/2``."""

RENAMED = MappingProxyType(
    {
        ("name_search", "args"): "domain",
        ("default_get", "fields_list"): "fields",
    }
)
"""Parameters that have another name since Odoo 19."""

ONE_RECORD = frozenset({"message_post", "message_notify", "find_or_create"})
"""Methods that answer one record, which Odoo 18 gives as its id and Odoo 19 in a list.

Odoo 18 declares them with ``api.returns`` (``addons/mail/models/mail_thread.py``,
``addons/base/models/res_partner.py``), which Odoo 19 does not have any more.
"""

_AGGREGATE = re.compile(r"(?P<alias>\w+):(?P<function>\w+)(\((?P<field>\w+)\))?")
"""An aggregate with its function, as ``read_group`` takes it."""

_EVERYTHING = [[1, "=", 1]]
"""What Odoo answers as the domain of the one group of all."""


def _same(answer: Any) -> Any:
    return answer


@dataclass(frozen=True, slots=True)
class Translation:
    """A call as Odoo 19 takes it.

    Attributes:
        call: What to send.
        back: Turns its answer into the one that Odoo 18 gives.
        otherwise: A read to send in its place if Odoo crashes on ``call``.
    """

    call: Call
    back: Callable[[Any], Any] = _same
    otherwise: Call | None = None

    async def run(self, send: Callable[[Call], Awaitable[Any]]) -> Any:
        """Send the call, and answer what Odoo 18 would.

        Raises:
            OdooportError: Whatever sending raises.
        """
        try:
            answer = await send(self.call)
        except OdooFailed:
            if self.otherwise is None:
                raise
            return await send(self.otherwise)
        try:
            return self.back(answer)
        except (LookupError, TypeError, ValueError, StopIteration) as exc:
            raise GatewayProtocolError(
                f"Odoo answered {self.call.method!r} in a shape that it should not "
                "have."
            ) from exc


def by_position(call: Call) -> Call:
    """Answer the call as every version takes it, where arguments go by position.

    What has another name since Odoo 19 moves to its place; what comes before it is
    given, or has Odoo's own default.
    """
    match call.method, dict(call.kwargs):
        case "name_search", {"args": domain, **rest} if len(call.args) < 2:
            args = call.args or (rest.pop("name", ""),)
            return replace(call, args=(*args, domain), kwargs=rest)
        case "default_get", {"fields_list": fields, **rest} if not call.args:
            return replace(call, args=(fields,), kwargs=rest)
        case _:
            return call


def translated(call: Call) -> Translation:
    """Answer a call as Odoo 19 takes it, by names and without what it deprecates.

    Raises:
        InvalidRequest: The arguments do not fit the method.
    """
    if call.method == "read_group":
        return _formatted(call)
    return Translation(by_position(call), lambda answer: answered(call, answer))


def answered(call: Call, answer: Any) -> Any:
    """Answer what Odoo 18 answers to the same call: one id for one record."""
    if call.method not in ONE_RECORD:
        return answer
    if call.method == "find_or_create" and call.model != "res.partner":
        return answer
    match answer:
        case []:
            return False
        case [made]:
            return made
        case _:
            return answer


def parameters(method: str) -> tuple[str, ...]:
    """Answer the names of a known method's parameters in Odoo 19, in order."""
    names = SIGNATURES[method].parameters
    return tuple(RENAMED.get((method, name), name) for name in names)


# read_group


@dataclass(frozen=True, slots=True)
class _Groups:
    """A ``read_group`` that is not lazy, taken apart.

    Attributes:
        domain: What was searched for.
        groupby: What it groups by.
        aggregates: The name of each figure in the answer, and its specification.
    """

    domain: Sequence[Any]
    groupby: tuple[str, ...]
    aggregates: Mapping[str, str]

    def order(self, raw: str) -> str:
        """Answer an order with names put as ``formatted_read_group`` takes them.

        A date may be ordered by without its granularity, and a figure by its name.
        """
        known = {**self.aggregates, **{_field(key): key for key in self.groupby}}
        terms: list[str] = []
        for term in raw.split(","):
            name, space, direction = term.strip().partition(" ")
            terms.append(f"{known.get(name, name)}{space}{direction}")
        return ", ".join(terms)

    def row(self, new: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a row as ``read_group`` gives it."""
        extra: list[Any] = new["__extra_domain"]
        # each bucket of dates has one such condition, in the order of the groups
        ends = iter([item[2] for item in extra if item[1:2] == ["<"]])
        row: dict[str, Any] = {}
        ranges: dict[str, Any] = {}
        for key in self.groupby:
            row[key] = new[key]
            if not _is_bucket(key):
                continue
            if new[key] is False:
                ranges[key] = False
            else:
                start, row[key] = new[key]
                ranges[key] = {"from": start, "to": next(ends)}
        row["__count"] = new["__count"]
        row |= {name: new[figure] for name, figure in self.aggregates.items()}
        row["__domain"] = _both(self.domain, extra)
        if ranges:
            row["__range"] = ranges
        return row


def _formatted(call: Call) -> Translation:
    """Translate ``read_group``, but for what only ``read_group`` itself can do.

    That is "lazy", an aggregate without a function, and a property; Odoo 19 still
    takes them. (The successor reads a dot as a path.) A date without a granularity
    looks like any other field here, but makes the successor crash, so there is
    something to send in its place.
    """
    touches(call)  # refuses what is no read_group
    names = SIGNATURES[call.method].parameters
    given = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    groups = _groups(given)
    if groups is None:
        return Translation(call)
    kwargs: dict[str, Any] = {
        "domain": given["domain"],
        "groupby": list(groups.groupby),
        "aggregates": ["__count", *dict.fromkeys(groups.aggregates.values())],
    }
    kwargs |= {name: given[name] for name in ("offset", "limit") if name in given}
    if given.get("orderby"):
        kwargs["order"] = groups.order(given["orderby"])
    maybe_date = any(":" not in key for key in groups.groupby)
    return Translation(
        replace(call, method="formatted_read_group", args=(), kwargs=kwargs),
        lambda rows: [groups.row(row) for row in rows],
        otherwise=call if maybe_date else None,
    )


def _groups(given: Mapping[str, Any]) -> _Groups | None:
    match given:
        case {
            "domain": [*domain],
            "fields": [*fields],
            "groupby": str() | [*_] as by,
            "lazy": False,
        } if isinstance(given.get("orderby") or "", str):
            groupby = (by,) if isinstance(by, str) else tuple(by)
        case _:
            return None
    if any("." in key for key in groupby):
        return None
    aggregates: dict[str, str] = {}
    for figure in fields:
        if figure == "__count":
            continue
        found = _AGGREGATE.fullmatch(figure) if isinstance(figure, str) else None
        if found is None:
            return None
        field = found["field"] or found["alias"]
        aggregates[found["alias"]] = f"{field}:{found['function']}"
    return _Groups(domain, groupby, aggregates)


def _field(key: str) -> str:
    return key.partition(":")[0]


def _is_bucket(key: str) -> bool:
    """Whether this groups dates by spans of time, and not by numbers such as months."""
    granularity = key.partition(":")[2]
    return bool(granularity) and "_" not in granularity


def _both(first: Sequence[Any], second: Sequence[Any]) -> list[Any]:
    """Answer the domain that holds where both do."""
    if list(second) == _EVERYTHING:
        return list(first)
    if not first:
        return list(second)
    whole = [*_conditions(first), *_conditions(second)]
    joints = sum(item in ("&", "|") for item in whole if isinstance(item, str))
    conditions = sum(not isinstance(item, str) for item in whole)
    missing = max(conditions - joints - 1, 0)
    return ["&"] * missing + whole


def _conditions(domain: Sequence[Any]) -> list[Any]:
    """Answer a domain without the "and" that joins what is outermost in it."""
    return list(dropwhile(lambda item: item == "&", domain))
