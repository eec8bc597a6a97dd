"""What there is to know of a model, at the level that somebody needs.

Everything here comes from the schema, and from a few reads that are recalled: the names
of the models, what only administrators may see, and the defaults of a new record. What
the asking user may not see is None and no error.
"""

import asyncio
import re
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from dataclasses import field as default
from enum import StrEnum
from typing import Any

from odooport.errors import (
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooRefused,
    PermissionDenied,
)
from odooport.model import Record
from odooport.schema import RELATIONAL, TO_MANY, Field, ModelSchema

MAX_DEPTH = 3
"""How many steps away from a model its relations are followed."""

MAX_MODELS = 60
"""How many models one graph of relations may hold."""

_AT_ONCE = 8
_SHOWN_CHOICES = 15
"""How many values of a selection a brief description lists: ``tz`` alone has 600."""

_PLUMBING = frozenset({"id", "create_uid", "create_date", "write_uid", "write_date"})


class Level(StrEnum):
    """How much a description tells.

    ``BRIEF``: the most telling and all required fields, and the names of the others.
    ``READ``: every field that can be read, with what a search may do with it.
    ``CREATE``: what a new record needs, what it gets by default, what it may have.
    ``FULL``: every field with everything that is known of it.
    """

    BRIEF = "brief"
    READ = "read"
    CREATE = "create"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Description:
    """A model, described at some level.

    Attributes:
        model: Its technical name.
        label: What people call it; None where the user may not know.
        level: How much this tells.
        fingerprint: The fingerprint of its schema.
        total: How many fields it has.
        fields: The fields, each with what the level tells of it.
        others: The names of the fields that the level leaves out.
        required: For ``CREATE``: the fields that must be given, as far as Odoo tells.
        computed: For ``CREATE``: required fields that Odoo works out from others, with
            what from; they must be given if it cannot.
        defaults: For ``CREATE``: what Odoo fills in where nothing is given; None if it
            cannot tell.
        modules: For ``FULL``: the modules that make the model; None if the user may not
            know.
        transient: For ``FULL``: whether its records vanish by themselves, as a wizard's
            do; None if the user may not know.
        notes: What could not be found out, and why.
    """

    model: str
    label: str | None
    level: Level
    fingerprint: str
    total: int
    fields: list[dict[str, Any]]
    others: list[str]
    required: list[str] | None = None
    computed: dict[str, list[str]] | None = None
    defaults: Record | None = None
    modules: list[str] | None = None
    transient: bool | None = None
    notes: list[str] = default(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Relation:
    """A field that leads from one model to another.

    Attributes:
        model: The model that has the field.
        field: The field's name.
        kind: ``many2one``, ``one2many`` or ``many2many``.
        to: The model that it leads to.
        inverse: For a one2many, the field that leads back.
        label: What people call it.
        required: Whether a record must have it.
    """

    model: str
    field: str
    kind: str
    to: str
    inverse: str | None
    label: str
    required: bool


@dataclass(frozen=True, slots=True)
class RelationGraph:
    """How a model hangs together with others.

    Attributes:
        model: Where the graph begins.
        depth: How many steps were followed.
        relations: Every relation that leads out of a model within these steps.
        incoming: The relations that lead to the model from anywhere; None if only an
            administrator could know.
        unknown: Models that relations lead to and that the user may not see.
        complete: False if there were too many models and some were not followed.
    """

    model: str
    depth: int
    relations: list[Relation]
    incoming: list[Relation] | None
    unknown: list[str] = default(default_factory=list[str])
    complete: bool = True


type Recall = Callable[..., Awaitable[Any]]
"""Answers a read from memory or from Odoo: model, method, arguments."""

type Schemas = Callable[[str], Awaitable[ModelSchema]]
"""Answers the schema of a model; raises ``OdooportError`` where there is none."""


async def described(
    schema: ModelSchema,
    schemas: Schemas,
    recall: Recall,
    *,
    level: Level,
    names: Sequence[str] | None,
    label: str | None,
    defaults: Callable[[], Awaitable[Record]],
) -> Description:
    """Describe a model.

    Args:
        schema: The model's schema.
        schemas: Answers the schemas of other models.
        recall: Answers reads.
        level: How much to tell.
        names: Exactly these fields, with everything that is known of them.
        label: What people call the model, if that is known.
        defaults: Answers the clean default values of a new record.
    """
    full = names is not None or level is Level.FULL
    about: Mapping[str, Any] = {}
    if full or label is None:
        about = await _about(schema.model, recall)
    notes: list[str] = []
    required: list[str] | None = None
    computed: dict[str, list[str]] | None = None
    given: Record | None = None
    if names is not None:
        level = Level.FULL
        shown = list(dict.fromkeys(names))
        known = await field_facts(schema.model, shown, recall)
        entries = [
            full_entry(schema.fields[name]) | known.get(name, _UNKNOWN_FACTS)
            for name in shown
        ]
    elif level is Level.CREATE:
        try:
            filled = await defaults()
            given = {k: v for k, v in filled.items() if v not in (None, [])}
        except (OdooFailed, OdooRefused, OdooAccessError) as error:
            notes.append(
                f"Odoo does not tell the defaults of {schema.model!r}, so 'required' "
                f"may name too much. It says: {error.message}"
            )
        parents = await parents_of(schema, schemas)
        required = required_to_create(schema, given or {}, parents)
        computed = computed_to_create(schema, given or {}, parents)
        shown = _to_create(schema, required, computed, given or {})
        entries = [write_entry(schema.fields[name]) for name in shown]
    elif level is Level.BRIEF:
        shown = _worth_showing(schema)
        entries = [brief_entry(schema.fields[name]) for name in shown]
    elif level is Level.READ:
        shown = list(schema.fields)
        entries = [read_entry(schema.fields[name]) for name in shown]
    else:
        shown = list(schema.fields)
        entries = [full_entry(schema.fields[name]) for name in shown]
    modules = about.get("modules") if full else None
    return Description(
        model=schema.model,
        label=label or about.get("name"),
        level=level,
        fingerprint=schema.fingerprint,
        total=len(schema.fields),
        fields=entries,
        others=[] if names is not None else sorted(schema.fields.keys() - set(shown)),
        required=required,
        computed=computed,
        defaults=given,
        modules=_split(modules) if isinstance(modules, str) else None,
        transient=about.get("transient") if full else None,
        notes=notes,
    )


# Names of models

_CALLED = {
    "account.move": "invoice bill credit note refund journal entry",
    "account.payment": "payment",
    "crm.lead": "lead opportunity deal",
    "hr.employee": "employee staff",
    "mail.message": "message note comment",
    "product.product": "product variant item article",
    "product.template": "product item article",
    "project.task": "task ticket",
    "purchase.order": "purchase order rfq",
    "res.company": "company",
    "res.partner": "contact customer client vendor supplier address company person",
    "res.users": "user login",
    "sale.order": "quotation quote sale sales order",
    "stock.picking": "delivery shipment receipt transfer picking",
    "stock.quant": "stock inventory on hand",
}
"""What people call the models that they mean most, besides the label."""


def named_alike(query: str, models: Mapping[str, str]) -> list[str]:
    """Answer the models that a few words may mean, the likeliest first.

    Every word must be in the technical name, in the label, or in what people call the
    model; a plural ``s`` does not count.

    Args:
        query: The words.
        models: The label of each model.
    """
    text = query.casefold().strip()
    words = [_singular(word) for word in text.split()]
    ranked: list[tuple[int, str]] = []
    for model, label in models.items():
        called = {_singular(word) for word in _CALLED.get(model, "").split()}
        plain = f"{model} {label.casefold()}"
        own = {_singular(word) for word in _WORDS.findall(plain)}
        if words and called and all(word in called for word in words):
            ranked.append((0, model))
        elif text in plain and all(word in own for word in words):
            ranked.append((1, model))
        elif text in plain or all(
            any(part.startswith(word) for part in own | called) for word in words
        ):
            ranked.append((2, model))
    return [model for _, model in sorted(ranked)]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


_WORDS = re.compile(r"\w+")


# Entries of fields


def brief_entry(field: Field) -> dict[str, Any]:
    """Tell what a field is, and nothing that goes without saying."""
    entry: dict[str, Any] = {
        "name": field.name,
        "type": field.type,
        "label": field.label,
    }
    if field.required:
        entry["required"] = True
    if field.readonly:
        entry["readonly"] = True
    if field.relation is not None:
        entry["relation"] = field.relation
    if field.selection:
        entry["selection"] = dict(field.selection[:_SHOWN_CHOICES])
        if (more := len(field.selection) - _SHOWN_CHOICES) > 0:
            entry["selection_more"] = more
    return entry


def read_entry(field: Field) -> dict[str, Any]:
    """Tell what reading, searching, sorting and grouping by a field need."""
    entry = brief_entry(field)
    for name in ("searchable", "sortable", "groupable"):
        if not getattr(field, name):
            entry[name] = False
    for name in ("currency_field", "aggregator"):
        if (value := getattr(field, name)) is not None:
            entry[name] = value
    for name in ("company_dependent", "translated"):
        if getattr(field, name):
            entry[name] = True
    return entry


def write_entry(field: Field) -> dict[str, Any]:
    """Tell what a field takes, with an example."""
    entry = brief_entry(field)
    if field.size is not None:
        entry["size"] = field.size
    if field.help is not None:
        entry["help"] = field.help
    entry["example"] = example(field)
    return entry


def full_entry(field: Field) -> dict[str, Any]:
    """Tell everything that a schema knows of a field."""
    entry: dict[str, Any] = {
        "name": field.name,
        "type": field.type,
        "label": field.label,
        "required": field.required,
        "readonly": field.readonly,
        "stored": field.stored,
        "searchable": field.searchable,
        "sortable": field.sortable,
        "groupable": field.groupable,
        "company_dependent": field.company_dependent,
        "translated": field.translated,
        "manual": field.manual,
    }
    for name in ("help", "relation", "inverse", "size", "currency_field", "aggregator"):
        if (value := getattr(field, name)) is not None:
            entry[name] = value
    if field.selection:
        entry["selection"] = dict(field.selection)
    if field.digits is not None:
        entry["digits"] = list(field.digits)
    if field.groups:
        entry["groups"] = list(field.groups)
    if field.depends:
        entry["computed_from"] = list(dict.fromkeys(field.depends))
    if field.related is not None:
        entry["related"] = field.related
    if field.definition_record is not None:
        entry["definitions"] = (
            f"{field.definition_record}.{field.definition_record_field}"
        )
    entry["example"] = example(field)
    return entry


def example(field: Field) -> Any:
    """Answer a value that the field would take, in the form that callers send."""
    if field.type == "selection":
        return field.selection[0][0] if field.selection else None
    if field.type == "reference":
        return {"model": field.selection[0][0] if field.selection else "…", "id": 1}
    if field.type in ("monetary", "float"):
        return 12.5
    return _EXAMPLES.get(field.type)


_EXAMPLES: Mapping[str, Any] = {
    "boolean": True,
    "integer": 3,
    "char": "Text",
    "text": "Text",
    "html": "<p>Text</p>",
    "date": "2026-11-22",
    "datetime": "2026-11-22T16:30:00Z",
    "many2one": {"id": 1},
    "many2one_reference": 1,
    "one2many": {"create": [{}]},
    "many2many": {"add": [1]},
    "binary": "SGVsbG8=",
    "properties": {"Label": "value"},
}


# What a new record needs


def required_to_create(
    schema: ModelSchema, defaults: Mapping[str, Any], parents: Collection[str] = ()
) -> list[str]:
    """Answer the fields that a new record needs and does not get by itself.

    This is as far as ``fields_get`` and ``default_get`` tell. A model may fill a field
    while it creates the record, and may ask for more; Odoo has the last word. Required
    fields that Odoo computes are told by ``computed_to_create``.

    Args:
        schema: The model's schema.
        defaults: The values that Odoo fills in by default.
        parents: The many2ones to records that Odoo creates along; see ``parents_of``.
    """
    return [
        field.name
        for field in _must_hold(schema, defaults, parents)
        if not field.depends or field.related is not None
    ]


def computed_to_create(
    schema: ModelSchema, defaults: Mapping[str, Any], parents: Collection[str] = ()
) -> dict[str, list[str]]:
    """Answer the fields that a new record needs and that Odoo computes if it can.

    What they are computed from may leave them empty, as the name of a lead without a
    customer; then they must be given.

    Args:
        schema: The model's schema.
        defaults: The values that Odoo fills in by default.
        parents: The many2ones to records that Odoo creates along.

    Returns:
        Each field with the paths that it is computed from.
    """
    return {
        field.name: list(dict.fromkeys(field.depends))
        for field in _must_hold(schema, defaults, parents)
        if field.depends and field.related is None and not field.readonly
    }


def _must_hold(
    schema: ModelSchema, defaults: Mapping[str, Any], parents: Collection[str]
) -> list[Field]:
    """Answer the required fields that neither a default nor a parent record fills.

    A required field that shows one of a record which Odoo creates along, such as the
    name of a product's template, is given to the new record itself.
    """
    return [
        field
        for field in schema.fields.values()
        if field.required
        and field.type not in _NEVER_MISSING
        and field.name not in defaults
        and field.name not in parents
        and field.name not in _PLUMBING
        and (
            field.stored
            if field.related is None
            else field.related.partition(".")[0] in parents
        )
    ]


_NEVER_MISSING = TO_MANY | {"boolean", "integer", "float", "monetary"}


async def parents_of(schema: ModelSchema, schemas: Schemas) -> set[str]:
    """Answer the many2ones whose record Odoo creates along with this one.

    Odoo does not tell ``_inherits``. But a model that inherits another's fields, as
    products do from templates, has all of them, most as related fields.

    Args:
        schema: The model's schema.
        schemas: Answers the schemas of other models.
    """
    through = {
        first
        for field in schema.fields.values()
        if (related := field.related) is not None
        for first, _, last in [related.partition(".")]
        if last == field.name
    }
    parents: set[str] = set()
    for name in sorted(through):
        link = schema.fields.get(name)
        if link is None or link.type != "many2one" or not link.required:
            continue
        try:
            parent = await schemas(link.relation or "")
        except (OdooAccessError, PermissionDenied, InvalidRequest):
            continue
        lacking = len(parent.fields.keys() - schema.fields.keys())
        if lacking <= _LACKING * len(parent.fields):
            parents.add(name)
    return parents


_LACKING = 0.1
"""The part of a parent's fields that groups may hide from a user on one side only."""


def _to_create(
    schema: ModelSchema,
    required: Sequence[str],
    computed: Iterable[str],
    defaults: Mapping[str, Any],
) -> list[str]:
    """Answer what a caller may send: what must be given, the telling, the rest."""
    takes = [
        field.name
        for field in schema.fields.values()
        if not field.readonly
        and field.name not in _PLUMBING
        and (field.stored or field.type in TO_MANY or field.name in required)
        and field.type != "properties_definition"
    ]
    first = [*required, *computed, *(name for name in defaults if name in takes)]
    telling = [name for name in schema.telling if name in takes]
    return list(dict.fromkeys([*first, *telling, *sorted(takes)]))


def _worth_showing(schema: ModelSchema) -> list[str]:
    required = [
        field.name
        for field in schema.fields.values()
        if field.required and field.stored and not field.readonly
    ]
    lines = [
        field.name
        for field in schema.fields.values()
        if field.type == "one2many"
        and (field.relation or "").startswith(f"{schema.model}.line")
        and not field.readonly
    ]
    return list(dict.fromkeys([*schema.telling, *required, *lines[:1]]))


# What only administrators see


async def _about(model: str, recall: Recall) -> Mapping[str, Any]:
    rows = await _if_allowed(
        recall(
            "ir.model",
            "search_read",
            [["model", "=", model]],
            fields=["name", "modules", "transient"],
        )
    )
    return rows[0] if rows else {}


_FACTS = ("modules", "index", "copied", "on_delete")
_UNKNOWN_FACTS: dict[str, Any] = dict.fromkeys(_FACTS)


async def field_facts(
    model: str, names: Sequence[str], recall: Recall
) -> dict[str, dict[str, Any]]:
    """Answer what ``ir.model.fields`` adds to fields; empty if the user may not know.

    Args:
        model: The model's technical name.
        names: Which fields.
        recall: Answers reads.
    """
    rows = await _if_allowed(
        recall(
            "ir.model.fields",
            "search_read",
            [["model", "=", model], ["name", "in", sorted(names)]],
            fields=["name", *_FACTS],
        )
    )
    return {
        row["name"]: {
            "modules": _split(row["modules"] or ""),
            "index": bool(row["index"]),
            "copied": bool(row["copied"]),
            "on_delete": row["on_delete"] or None,
        }
        for row in rows or ()
    }


async def _if_allowed(answer: Awaitable[Any]) -> Any:
    """Answer None for what the user may not see: that is what this module promises."""
    try:
        return await answer
    except (OdooAccessError, PermissionDenied):
        return None


def _split(text: str) -> list[str]:
    return [part for part in (part.strip() for part in text.split(",")) if part]


# Relations


async def relations(
    schema: ModelSchema,
    schemas: Schemas,
    recall: Recall,
    *,
    depth: int,
    to: str | None,
) -> RelationGraph:
    """Follow the relations of a model to others.

    Args:
        schema: The model where it begins.
        schemas: Answers the schemas of other models.
        recall: Answers reads.
        depth: How many steps to follow.
        to: Answer only the ways that end at this model.
    """
    found: list[Relation] = []
    unknown: set[str] = set()
    seen = {schema.model}
    edge, complete = [schema], True
    for step in range(depth):
        new = [relation for here in edge for relation in outgoing(here)]
        found.extend(new)
        if step == depth - 1:
            break
        ahead = sorted({relation.to for relation in new} - seen)
        room = MAX_MODELS - len(seen)
        complete = complete and len(ahead) <= room
        ahead = ahead[:room]
        seen.update(ahead)
        edge = await _known(ahead, schemas, unknown)
    incoming = await _incoming(schema.model, recall)
    if to is not None:
        found = _leading_to(schema.model, to, found, depth)
        if incoming is not None:
            incoming = [relation for relation in incoming if relation.model == to]
    return RelationGraph(
        schema.model, depth, found, incoming, sorted(unknown), complete
    )


def _leading_to(
    start: str, to: str, found: Sequence[Relation], depth: int
) -> list[Relation]:
    """Answer the relations that are a step of a way of at most so many steps."""
    ahead = _distances(start, ((it.model, it.to) for it in found), depth)
    back = _distances(to, ((it.to, it.model) for it in found), depth)
    far = depth + 1
    return [
        it
        for it in found
        if ahead.get(it.model, far) + 1 + back.get(it.to, far) <= depth
    ]


def _distances(
    start: str, steps: Iterable[tuple[str, str]], depth: int
) -> dict[str, int]:
    """Answer how many steps each model is away from one."""
    ways: dict[str, set[str]] = {}
    for here, there in steps:
        ways.setdefault(here, set()).add(there)
    found, edge = {start: 0}, {start}
    for distance in range(1, depth + 1):
        edge = {it for here in edge for it in ways.get(here, ())} - found.keys()
        found |= dict.fromkeys(edge, distance)
    return found


def outgoing(schema: ModelSchema) -> list[Relation]:
    """Answer the relations that lead out of a model, by field."""
    return [
        Relation(
            schema.model,
            field.name,
            field.type,
            field.relation,
            field.inverse,
            field.label,
            field.required,
        )
        for field in sorted(schema.fields.values(), key=lambda field: field.name)
        if field.type in RELATIONAL
        and field.relation is not None
        and field.name not in _PLUMBING
    ]


async def _known(
    models: Iterable[str], schemas: Schemas, unknown: set[str]
) -> list[ModelSchema]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(model: str) -> ModelSchema | None:
        async with places:
            try:
                return await schemas(model)
            except (OdooAccessError, PermissionDenied, InvalidRequest):
                # A field may name a model whose module is gone.
                unknown.add(model)
                return None

    found = await asyncio.gather(*map(one, models))
    return [schema for schema in found if schema is not None]


async def _incoming(model: str, recall: Recall) -> list[Relation] | None:
    rows = await _if_allowed(
        recall(
            "ir.model.fields",
            "search_read",
            [["relation", "=", model], ["ttype", "in", sorted(RELATIONAL)]],
            fields=[
                "model",
                "name",
                "ttype",
                "relation_field",
                "field_description",
                "required",
            ],
            order="model, name",
        )
    )
    if rows is None:
        return None
    return [
        Relation(
            row["model"],
            row["name"],
            row["ttype"],
            model,
            row["relation_field"] or None,
            row["field_description"] or row["name"],
            bool(row["required"]),
        )
        for row in rows
        if row["name"] not in _PLUMBING
    ]
