"""The tools: one annotated function each, and the table that lists them.

A function gets ``Odoo`` for the caller of the request, and the arguments already
checked; its docstring is what an agent reads. The argument ``context``, which every
tool has, is spent before the function is called.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from mcp.types import ToolAnnotations
from pydantic import Field
from pydantic_core import to_jsonable_python

from odooport import Level, Odoo, OnchangeResult, Operation, RelationGraph
from odooport.discovery import MAX_DEPTH
from odooport.model import DEFAULT_LIMIT
from odooport.usecases import Identity
from odooport_mcp.arguments import (
    JSON_TEXT,
    WHOLE,
    DomainArgument,
    Ids,
    JsonList,
    ModelName,
    Query,
    SameDomain,
    Values,
    Versions,
)
from odooport_mcp.results import (
    Actions,
    Copied,
    Created,
    Deleted,
    Groups,
    MethodList,
    MethodResult,
    ModelDescription,
    ModelEntry,
    ModelList,
    RecordCount,
    RecordPage,
    Records,
    Updated,
)

_MODELS_LIMIT = 50
_METHODS_LIMIT = 50


async def whoami(
    odoo: Odoo,
    fresh: Annotated[
        bool | None,
        Field(description="true logs in to Odoo anew, if that was refused before"),
    ] = None,
) -> Identity:
    """Say who you are: your role here, and your user, company and language in Odoo.

    The role decides what you may do: a reader reads, an editor also creates and
    updates, full also deletes and calls methods; there may be others. Odoo's own access
    rights come on top.
    """
    return await odoo.whoami(fresh=bool(fresh))


async def find_models(
    odoo: Odoo,
    query: Annotated[
        str | None,
        Field(description="Part of the technical name or the label, such as invoice"),
    ] = None,
    limit: Annotated[
        int, Field(ge=1, le=1000, description="Most models to list"), WHOLE
    ] = _MODELS_LIMIT,
) -> ModelList:
    """Find the technical name of a kind of record.

    For example the query "order" finds sale.order. Common ones: res.partner (contacts
    and companies), crm.lead, sale.order, sale.order.line, account.move (invoices),
    product.product, res.users.
    """
    found = await odoo.models(query)
    entries = [ModelEntry(info.model, info.label) for info in found[:limit]]
    return ModelList(entries, len(found), len(found) > len(entries))


async def describe_model(
    odoo: Odoo,
    model: ModelName,
    level: Annotated[
        Literal["brief", "read", "create", "full"],
        Field(
            description="brief: the most useful fields; read: all, with what a search "
            "can do; create: what a new record needs, with examples; full: everything"
        ),
    ] = "brief",
    fields: Annotated[
        list[str] | None,
        JSON_TEXT,
        Field(description="Describe exactly these fields, with every detail"),
    ] = None,
    refresh: Annotated[
        bool, Field(description="true asks Odoo anew, after fields were changed there")
    ] = False,
) -> ModelDescription:
    """Learn which fields a model has, before you search by them or write them.

    Start brief. Before create_records use level "create": it says what must be given,
    what Odoo fills in, and how each value is written. With "fields": help text, all
    values of a selection, what a field is computed from.
    """
    told = await odoo.describe(
        model, level=Level(level), fields=fields, refresh=refresh
    )
    return ModelDescription.of(told)


async def model_relations(
    odoo: Odoo,
    model: ModelName,
    depth: Annotated[
        int, Field(ge=1, le=MAX_DEPTH, description="How many steps to follow"), WHOLE
    ] = 1,
    to: Annotated[
        str | None, Field(description="Only the ways that end at this model")
    ] = None,
) -> RelationGraph:
    """Learn which other models a model is tied to, and by which fields.

    "relations" lead out of it; "incoming" lead to it from anywhere, and is null unless
    the Odoo user is an administrator. With "to" and a depth it finds the ways between
    two models.
    """
    return await odoo.relations(model, depth=depth, to=to)


async def find_methods(
    odoo: Odoo,
    model: ModelName,
    query: Annotated[
        str | None,
        Field(description="A few words of its name or of what it does: confirm order"),
    ] = None,
    limit: Annotated[
        int, Field(ge=1, le=500, description="Most methods to list"), WHOLE
    ] = _METHODS_LIMIT,
) -> MethodList:
    """Find the methods of a model that call_method can call, with their arguments.

    What a record's own buttons would call is told by record_actions. The list need not
    be complete.
    """
    return MethodList.of(await odoo.methods(model, query=query), limit)


async def record_actions(
    odoo: Odoo,
    model: ModelName,
    id: Annotated[  # noqa: A002  what every record's number is called here
        int, Field(ge=1, description="The record's id"), WHOLE
    ],
) -> Actions:
    """Learn what can be done with a record now: the buttons of its form in Odoo.

    "available" says whether the form shows the button for this record; null means that
    it cannot be told. "callable" ones are methods: call_method with the "name" and the
    id. The others need somebody in Odoo's web client.
    """
    return Actions.of(await odoo.actions(model, id))


async def preview_values(
    odoo: Odoo,
    model: ModelName,
    values: Annotated[
        dict[str, Any],
        JSON_TEXT,
        Field(description='What the form holds, such as {"partner_id": 7}'),
    ],
    changed: Annotated[
        list[str] | None,
        JSON_TEXT,
        Field(description="Which of them were just typed; all if left out"),
    ] = None,
    id: Annotated[  # noqa: A002  what every record's number is called here
        Annotated[int, Field(ge=1), WHOLE] | None,
        Field(description="The record that the form shows; leave out for a new one"),
    ] = None,
) -> OnchangeResult:
    """See what Odoo's form would fill in after these values are typed; saves nothing.

    For example prices and addresses that follow from the customer. create_records runs
    defaults but not this: send along what you want of the answer. With values {} it is
    an empty form. Lines inside a record come back without what only a line's own form
    fills in, such as a price: preview the line's model, with the record inside:
    {"order_id": {"partner_id": 7}, "product_id": 3}.
    """
    return await odoo.onchange(model, values, changed=changed, record_id=id)


async def search_records(
    odoo: Odoo,
    model: ModelName,
    domain: DomainArgument = None,
    q: Query = None,
    fields: Annotated[
        list[str] | None,
        Field(description="Field names; leave out for a useful few"),
        JSON_TEXT,
    ] = None,
    order: Annotated[
        str | None,
        Field(description='Such as "date_order desc, name"; by id unless given'),
    ] = None,
    limit: Annotated[
        Annotated[int, Field(ge=1), WHOLE] | None,
        Field(description="Most records to answer; 80 if left out"),
    ] = None,
    cursor: Annotated[
        str | None,
        Field(description="The cursor of the last answer, to get the next records"),
    ] = None,
    count: Annotated[
        bool, Field(description="true also counts all records that the search finds")
    ] = False,
) -> RecordPage:
    """Find records and read their fields.

    Example: model "sale.order", domain [["state","=","sale"],["amount_total",">",900]],
    fields ["name","partner_id","amount_total"], order "date_order desc", limit 20.

    A many2one comes as {"id","name"}, one2many and many2many as lists of ids, datetimes
    as ISO 8601 in UTC, empty as null. While "has_more" is true, send the same search
    again with "cursor" added. Archived records come only with context
    {"archived": true}.
    """
    page = await odoo.search_read(
        model,
        domain,
        q=q,
        fields=fields,
        order=order,
        limit=limit,
        cursor=cursor,
        count=count,
    )
    return RecordPage.of(page)


async def read_records(
    odoo: Odoo,
    model: ModelName,
    ids: Ids,
    fields: Annotated[
        list[str] | None,
        JSON_TEXT,
        Field(description="Field names; leave out for all stored fields"),
    ] = None,
    languages: Annotated[
        list[str] | None,
        JSON_TEXT,
        Field(description='Answer translated texts in each, such as ["en_US","fr_FR"]'),
    ] = None,
    versions: Annotated[
        bool, Field(description="true also answers a version of each, for if_match")
    ] = False,
) -> Records:
    """Read records whose ids you know, in the order asked for.

    If one of them does not exist, the whole call fails with record_missing. Name the
    fields that you need: all of them are many.
    """
    if not versions:
        return Records(await odoo.read(model, ids, fields=fields, languages=languages))
    found = await odoo.read_versions(model, ids, fields=fields, languages=languages)
    return Records([it.record for it in found], [it.version for it in found])


async def count_records(
    odoo: Odoo, model: ModelName, domain: SameDomain = None, q: Query = None
) -> RecordCount:
    """Count records without reading them."""
    return RecordCount(await odoo.count(model, domain, q=q))


async def aggregate_records(
    odoo: Odoo,
    model: ModelName,
    domain: SameDomain = None,
    groupby: Annotated[
        list[str] | None,
        JSON_TEXT,
        Field(
            description="Fields to group by, such as "
            '["country_id","date_order:month"]; dates take hour, day, week, month, '
            "quarter or year. Leave out for one total."
        ),
    ] = None,
    aggregates: Annotated[
        list[str] | None,
        JSON_TEXT,
        Field(
            description='What to work out, such as ["__count","amount_total:sum"]; '
            "functions are sum, avg, min, max, count, count_distinct"
        ),
    ] = None,
    order: Annotated[
        str | None,
        Field(
            description='By groups or aggregates named above: "amount_total:sum desc"'
        ),
    ] = None,
    limit: Annotated[
        int, Field(ge=1, le=500, description="Most groups to answer"), WHOLE
    ] = DEFAULT_LIMIT,
    offset: Annotated[
        int, Field(ge=0, description="How many groups to skip"), WHOLE
    ] = 0,
) -> Groups:
    """Count and sum up records in groups, without reading them.

    Example: model "sale.order", groupby ["partner_id"], aggregates
    ["__count","amount_total:sum"], order "amount_total:sum desc", limit 10. Sums mix
    currencies: group by currency_id as well. A record counts once in each of its
    many2many values.
    """
    rows = await odoo.aggregate(
        model,
        domain,
        groupby=groupby or (),
        aggregates=aggregates or ("__count",),
        order=order,
        limit=limit + 1,
        offset=offset,
    )
    return Groups(rows[:limit], has_more=len(rows) > limit)


async def create_records(
    odoo: Odoo,
    model: ModelName,
    records: Annotated[
        list[dict[str, Any]],
        Field(
            description="The values of each new record: field names with their values",
            min_length=1,
        ),
        JSON_TEXT,
    ],
) -> Created:
    """Create records, all or none.

    Example: model "res.partner", records [{"name":"Azure","country_id":"Belgium"}]. A
    many2one takes an id, an exact name or {"external_id":"base.be"}; a datetime ISO
    8601; one2many and many2many a list of those, or {"create":[{"name":"Line"}],
    "add":[3]}; properties their labels; null empties a field. On an error nothing is
    created, unless it says otherwise.
    """
    return Created(await odoo.create(model, records))


async def copy_record(
    odoo: Odoo,
    model: ModelName,
    id: Annotated[  # noqa: A002  what every record's number is called here
        int, Field(ge=1, description="The record's id"), WHOLE
    ],
    values: Annotated[
        dict[str, Any] | None,
        JSON_TEXT,
        Field(description="What shall differ in the copy, as for create_records"),
    ] = None,
) -> Copied:
    """Copy a record, with the lines that Odoo copies along.

    What may not repeat starts anew: an order's copy is a quotation with a new number.
    """
    return Copied(await odoo.copy(model, id, values=values))


async def update_records(
    odoo: Odoo,
    model: ModelName,
    ids: Ids,
    values: Values,
    if_match: Versions = None,
) -> Updated:
    """Write the same values on each of the records, all or none.

    Values are as for create_records; a one2many or many2many also takes "remove",
    "update" ([{"id":5,"name":"New"}]), "set" and "delete". A translated text takes
    {"en_US":"Desk","fr_FR":"Bureau"}, for one record and alone. To archive records
    write {"active": false}.
    """
    await odoo.write(model, ids, values, if_match=if_match)
    return Updated(list(dict.fromkeys(ids)))


async def delete_records(
    odoo: Odoo, model: ModelName, ids: Ids, if_match: Versions = None
) -> Deleted:
    """Delete records for good, all or none.

    Cannot be undone. Archiving (update_records with {"active": false}) is nearly always
    what people mean. Takes ids only: search first and show what will go.
    """
    await odoo.unlink(model, ids, if_match=if_match)
    return Deleted(list(dict.fromkeys(ids)))


async def call_method(
    odoo: Odoo,
    model: ModelName,
    method: Annotated[
        str,
        Field(description="A public method, such as action_confirm", min_length=1),
    ],
    ids: Annotated[
        Annotated[list[Annotated[int, WHOLE]], Field(min_length=1)] | None,
        JSON_TEXT,
        Field(
            description="The records to call it on; leave out for a method of the model"
        ),
    ] = None,
    args: JsonList = None,
    kwargs: Annotated[
        dict[str, Any] | None,
        JSON_TEXT,
        Field(description="Keyword arguments, as Odoo takes them"),
    ] = None,
) -> MethodResult:
    """Call a public method of Odoo, such as a button's.

    Example: model "sale.order", method "action_confirm", ids [7]. A method may do
    anything, also send e-mail. Values go in and come out as Odoo itself has them, so
    read the records again afterwards. Creating, reading, updating, copying and deleting
    have their own tools.
    """
    answer = await odoo.call(model, method, ids, args=args or (), kwargs=kwargs)
    # A method may answer anything that its wire can carry.
    return MethodResult(to_jsonable_python(answer, bytes_mode="base64", fallback=str))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool, and what clients are told about it.

    Attributes:
        function: What it does.
        title: What people call it.
        operation: What it does to records; who may not do that is not shown the tool.
        hints: What a client may assume. Nothing is left to the defaults.
    """

    function: Callable[..., Awaitable[Any]]
    title: str
    operation: Operation
    hints: ToolAnnotations


_READS = ToolAnnotations(
    read_only_hint=True,
    destructive_hint=False,
    idempotent_hint=True,
    open_world_hint=False,
)


def _writes(
    *, destructive: bool, idempotent: bool, open_world: bool = False
) -> ToolAnnotations:
    return ToolAnnotations(
        read_only_hint=False,
        destructive_hint=destructive,
        idempotent_hint=idempotent,
        open_world_hint=open_world,
    )


TOOLS = (
    ToolSpec(whoami, "Who am I", Operation.READ, _READS),
    ToolSpec(find_models, "Find models", Operation.READ, _READS),
    ToolSpec(describe_model, "Describe a model", Operation.READ, _READS),
    ToolSpec(model_relations, "Relations of a model", Operation.READ, _READS),
    ToolSpec(find_methods, "Find methods", Operation.READ, _READS),
    ToolSpec(search_records, "Search records", Operation.READ, _READS),
    ToolSpec(read_records, "Read records", Operation.READ, _READS),
    ToolSpec(count_records, "Count records", Operation.READ, _READS),
    ToolSpec(aggregate_records, "Aggregate records", Operation.READ, _READS),
    ToolSpec(record_actions, "What can be done now", Operation.READ, _READS),
    ToolSpec(preview_values, "Preview values", Operation.READ, _READS),
    ToolSpec(
        create_records,
        "Create records",
        Operation.CREATE,
        _writes(destructive=False, idempotent=False),
    ),
    ToolSpec(
        copy_record,
        "Copy a record",
        Operation.CREATE,
        _writes(destructive=False, idempotent=False),
    ),
    ToolSpec(
        update_records,
        "Update records",
        Operation.WRITE,
        # To create a line twice makes two lines.
        _writes(destructive=True, idempotent=False),
    ),
    ToolSpec(
        delete_records,
        "Delete records",
        Operation.UNLINK,
        _writes(destructive=True, idempotent=True),
    ),
    ToolSpec(
        call_method,
        "Call a method",
        Operation.CALL,
        _writes(destructive=True, idempotent=False, open_world=True),
    ),
)
"""Every tool, in the order that clients see."""
