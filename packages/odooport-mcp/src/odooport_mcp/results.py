"""What the tools answer. The server builds these, the client gets them back."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Annotated, Any, NotRequired, Self, TypedDict, cast

from pydantic import Field

from odooport import (
    Description,
    MethodInfo,
    Page,
    Record,
    RecordAction,
    Relation,
    RelationGraph,
)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Some of the records that a search finds.

    Attributes:
        records: The records, in order.
        returned: How many these are.
        limit: The most that this answer could hold.
        capped: Whether that is less than what was asked for.
        has_more: Whether there are records after these.
        cursor: What to send with the same search to get the next ones.
        paging: How the next ones are found: ``keyset`` is safe while others write,
            ``offset`` may repeat or miss records.
        total: How many the search finds in all, if that was asked for.
    """

    records: list[Record]
    returned: int
    limit: int
    capped: bool
    has_more: bool
    cursor: str | None
    paging: str
    total: int | None

    @classmethod
    def of(cls, page: Page) -> "RecordPage":
        """Answer a page of the use cases."""
        return cls(
            records=page.records,
            returned=len(page.records),
            limit=page.limit,
            capped=page.capped,
            has_more=page.has_more,
            cursor=page.cursor,
            paging=page.paging,
            total=page.total,
        )


@dataclass(frozen=True, slots=True)
class Records:
    """Records that were asked for by id, in the order asked.

    Attributes:
        records: The records.
        versions: Their versions, in the same order, if those were asked for.
    """

    records: list[Record]
    versions: Annotated[
        list[str] | None, Field(exclude_if=lambda given: given is None)
    ] = None


@dataclass(frozen=True, slots=True)
class RecordCount:
    """How many records a search finds."""

    count: int


@dataclass(frozen=True, slots=True)
class Groups:
    """Records in groups, with their sums.

    Attributes:
        groups: One entry for each group.
        has_more: Whether there are groups after these.
    """

    groups: list[Record]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Created:
    """The ids of new records, in the order of what was sent."""

    ids: list[int]


@dataclass(frozen=True, slots=True)
class Copied:
    """The id of a copy."""

    id: int


@dataclass(frozen=True, slots=True)
class Updated:
    """The ids of the records that were changed."""

    ids: list[int]


@dataclass(frozen=True, slots=True)
class Deleted:
    """The ids of the records that are gone."""

    ids: list[int]


@dataclass(frozen=True, slots=True)
class MethodResult:
    """What a method returned; None if it returned nothing."""

    result: Any


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model: its technical name and what people call it."""

    model: str
    label: str


@dataclass(frozen=True, slots=True)
class ModelList:
    """Models that the user can read.

    Attributes:
        models: The first of them.
        total: How many match in all.
        has_more: Whether that is more than are listed.
    """

    models: list[ModelEntry]
    total: int
    has_more: bool


class FieldEntry(TypedDict):
    """One field. What is not said is the usual: not required, searchable and so on.

    ``example`` is a value as writes take it. ``modules``, ``index``, ``copied`` and
    ``on_delete`` are for administrators, and null for others.
    """

    name: str
    type: str
    label: str
    required: NotRequired[bool]
    relation: NotRequired[str]
    selection: NotRequired[dict[str, str]]
    selection_more: NotRequired[int]
    help: NotRequired[str]
    readonly: NotRequired[bool]
    stored: NotRequired[bool]
    searchable: NotRequired[bool]
    sortable: NotRequired[bool]
    groupable: NotRequired[bool]
    inverse: NotRequired[str]
    digits: NotRequired[list[int]]
    size: NotRequired[int]
    currency_field: NotRequired[str]
    company_dependent: NotRequired[bool]
    translated: NotRequired[bool]
    aggregator: NotRequired[str]
    manual: NotRequired[bool]
    groups: NotRequired[list[str]]
    computed_from: NotRequired[list[str]]
    related: NotRequired[str]
    definitions: NotRequired[str]
    example: NotRequired[Any]
    modules: NotRequired[list[str] | None]
    index: NotRequired[bool | None]
    copied: NotRequired[bool | None]
    on_delete: NotRequired[str | None]


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What a model looks like to the user.

    Attributes:
        model: Its technical name.
        fields: The fields that were asked for, or those that the level shows.
        others: The names of all its other fields.
        total: How many fields it has.
        label: What people call it.
        fingerprint: The same as long as the model's structure is the same.
        required: At level ``create``: what must be given, as far as Odoo tells.
        computed: At level ``create``: required fields that Odoo works out from others,
            with what from; they must be given if it cannot.
        defaults: At level ``create``: what Odoo fills in by itself.
        notes: What could not be found out, and why.
    """

    model: str
    fields: list[FieldEntry]
    others: list[str]
    total: int
    label: str | None = None
    fingerprint: str = ""
    required: list[str] | None = None
    computed: dict[str, list[str]] | None = None
    defaults: Record | None = None
    notes: Sequence[str] = ()

    @classmethod
    def of(cls, told: Description) -> Self:
        """Build it from a description."""
        return cls(
            model=told.model,
            fields=[cast("FieldEntry", entry) for entry in told.fields],  # same keys
            others=told.others,
            total=told.total,
            label=told.label,
            fingerprint=told.fingerprint,
            required=told.required,
            computed=told.computed,
            defaults=told.defaults,
            notes=told.notes,
        )


@dataclass(frozen=True, slots=True)
class MethodEntry:
    """One public method.

    Attributes:
        name: Its name.
        signature: Name and parameters; optional ones end with ``=…``.
        on_records: Whether it needs the ids of records.
        summary: What it does.
        operation: What it is known to do to records; ``call`` if that is not known.
        outside: What it may reach outside of Odoo, such as ``mail``.
        source: Who says so: Odoo's own documentation, or our catalogue.
    """

    name: str
    signature: str
    on_records: bool
    summary: str
    operation: str
    outside: list[str]
    source: str


@dataclass(frozen=True, slots=True)
class MethodList:
    """Methods of a model.

    Attributes:
        methods: The first of them, by name.
        total: How many match in all.
        has_more: Whether that is more than are listed.
    """

    methods: list[MethodEntry]
    total: int
    has_more: bool

    @classmethod
    def of(cls, found: Sequence[MethodInfo], limit: int) -> Self:
        """Build it from what is known, up to a limit."""
        entries = [
            MethodEntry(
                it.name,
                it.signature,
                it.on_records,
                it.summary,
                it.operation.value,
                list(it.outside),
                it.source,
            )
            for it in found[:limit]
        ]
        return cls(entries, len(found), len(found) > len(entries))


class ActionEntry(TypedDict):
    """One button of a record's form.

    Where the button stands and what it adds to the context are left out: nothing here
    could use them.

    ``name`` is the method that it calls, if ``kind`` is ``object``. ``available`` is
    null where it cannot be told. ``reason`` says why it is not available, not callable,
    or cannot be told; ``confirm`` is what the form asks first.
    """

    name: str
    kind: str
    label: str
    available: bool | None
    callable: bool
    reason: NotRequired[str]
    confirm: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Actions:
    """What can be done with a record now."""

    actions: list[ActionEntry]

    @classmethod
    def of(cls, found: Sequence[RecordAction]) -> Self:
        """Build it from what the form's buttons would do."""
        return cls([_action(it) for it in found])


def _action(it: RecordAction) -> ActionEntry:
    entry = ActionEntry(
        name=it.name,
        kind=it.kind,
        label=it.label,
        available=it.available,
        callable=it.callable,
    )
    if it.reason:
        entry["reason"] = it.reason
    if it.confirm:
        entry["confirm"] = it.confirm
    return entry


def compact(value: Any) -> str:
    """Answer JSON on one line, as short as it gets."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def lines(head: str, rows: Iterable[Any]) -> str:
    """Answer a sentence, and below it one line of JSON for each row."""
    return "\n".join([head, *map(compact, rows)])


def encodable(plain: dict[str, Any], text: str) -> tuple[dict[str, Any], str] | None:
    """Answer both without lone surrogates, or None if there are none.

    Odoo can hold them, UTF-8 cannot carry them, and one would end the connection.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        repaired = json.loads(compact(plain).encode("utf-8", "replace"))
        return repaired, text.encode("utf-8", "replace").decode()
    return None


@singledispatch
def text_of(answer: Any, plain: dict[str, Any]) -> str:
    """Say an answer in a short text, for clients that show their model only text.

    Args:
        answer: What the tool answered.
        plain: The same as plain JSON values.
    """
    del answer
    return compact(plain)


@text_of.register
def _(answer: RecordPage, plain: dict[str, Any]) -> str:
    head = _count(answer.returned, "record")
    if answer.total is not None:
        head += f" of {answer.total}"
    if answer.capped:
        head += f" (at most {answer.limit} at once)"
    if answer.has_more:
        head += f"; there are more, next cursor: {answer.cursor}"
    return lines(head, plain["records"])


@text_of.register
def _(answer: Records, plain: dict[str, Any]) -> str:
    text = lines(_count(len(answer.records), "record"), plain["records"])
    if answer.versions is None:
        return text
    return f"{text}\nversions: {compact(answer.versions)}"


@text_of.register
def _(answer: RecordCount, plain: dict[str, Any]) -> str:
    del plain
    return _count(answer.count, "record")


@text_of.register
def _(answer: Groups, plain: dict[str, Any]) -> str:
    head = _count(len(answer.groups), "group")
    if answer.has_more:
        head += "; there are more, use offset"
    return lines(head, plain["groups"])


@text_of.register
def _(answer: Created, plain: dict[str, Any]) -> str:
    del plain
    return f"Created {_ids(answer.ids)}"


@text_of.register
def _(answer: Copied, plain: dict[str, Any]) -> str:
    del plain
    return f"The copy is record {answer.id}"


@text_of.register
def _(answer: Updated, plain: dict[str, Any]) -> str:
    del plain
    return f"Updated {_ids(answer.ids)}"


@text_of.register
def _(answer: Deleted, plain: dict[str, Any]) -> str:
    del plain
    return f"Deleted {_ids(answer.ids)}"


@text_of.register
def _(answer: MethodResult, plain: dict[str, Any]) -> str:
    del answer
    return compact(plain["result"])


@text_of.register
def _(answer: ModelList, plain: dict[str, Any]) -> str:
    del plain
    head = _count(answer.total, "model")
    if not answer.total:
        head += (
            ": try one other word, a part of the technical name such as sale, or no "
            "query. Labels are in the language of the context; models that the Odoo "
            "user may not read are not listed"
        )
    if answer.has_more:
        head += f"; the first {len(answer.models)}, give a query or a higher limit"
    return "\n".join([head, *(f"{it.model}: {it.label}" for it in answer.models)])


@text_of.register
def _(answer: RelationGraph, plain: dict[str, Any]) -> str:
    head = f"{_count(len(answer.relations), 'relation')} from {answer.model}"
    if not answer.complete:
        head += "; there are more, follow fewer steps"
    rows = [head, *(_way(it) for it in answer.relations)]
    if answer.incoming is not None:
        rows.append(f"{_count(len(answer.incoming), 'relation')} to {answer.model}")
        rows += [_way(it) for it in answer.incoming]
    return "\n".join(rows)


def _way(it: Relation) -> str:
    back = f" (back: {it.inverse})" if it.inverse else ""
    return f"{it.model}.{it.field}: {it.kind} {it.to}{back}"


@text_of.register
def _(answer: MethodList, plain: dict[str, Any]) -> str:
    head = _count(answer.total, "method")
    if not answer.total:
        head += (
            ": try one other word or no query. The list need not be complete: "
            "record_actions names the methods of a record's buttons, and call_method "
            "takes any public method"
        )
    if answer.has_more:
        head += f"; the first {len(answer.methods)}, give a query or a higher limit"
    return "\n".join([head, *map(_method, answer.methods)])


def _method(it: MethodEntry) -> str:
    return f"{it.signature}{' on ids' if it.on_records else ''}: {it.summary}"


@text_of.register
def _(answer: Actions, plain: dict[str, Any]) -> str:
    return lines(_count(len(answer.actions), "action"), plain["actions"])


@text_of.register
def _(answer: ModelDescription, plain: dict[str, Any]) -> str:
    head = f"{answer.model} has {_count(answer.total, 'field')}"
    if answer.others:
        head += (
            f"; {len(answer.fields)} are described, the other {len(answer.others)} are "
            f"{', '.join(answer.others)}"
        )
    if answer.required is not None:
        head += f"\nMust be given: {', '.join(answer.required) or 'nothing'}"
    for name, paths in (answer.computed or {}).items():
        head += f"\nMust be given unless Odoo can work it out: {name}"
        head += f", from {', '.join(paths)}"
    if answer.defaults is not None:
        head += f"\nFilled in by Odoo: {compact(plain['defaults'])}"
    return lines("\n".join([head, *answer.notes]), plain["fields"])


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _ids(ids: Sequence[int]) -> str:
    return f"{_count(len(ids), 'record')}: {', '.join(map(str, ids))}"
