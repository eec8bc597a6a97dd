"""What a model looks like to one user: its fields, from Odoo's ``fields_get``."""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, dataclass, replace
from dataclasses import fields as dataclass_fields
from difflib import get_close_matches
from functools import cached_property
from typing import Any, Self

from odooport.errors import InvalidRequest, PermissionDenied, Problem
from odooport.model import Masking

ATTRIBUTES = (
    "string",
    "help",
    "type",
    "required",
    "readonly",
    "store",
    "searchable",
    "sortable",
    "groupable",
    "relation",
    "relation_field",
    "selection",
    "digits",
    "size",
    "currency_field",
    "company_dependent",
    "translate",
    "aggregator",
    "groups",
    "depends",
    "related",
    "manual",
    "definition_record",
    "definition_record_field",
)
"""The attributes of ``fields_get`` that Odooport reads."""

TO_MANY = frozenset({"one2many", "many2many"})
RELATIONAL = frozenset({"many2one", "one2many", "many2many"})
TEXTUAL = frozenset({"char", "text", "html"})

RAW_BYTES = frozenset({"ir.attachment", "product.document", "quotation.document"})
"""The models with a field ``raw``, whose bytes Odoo 18 cannot put into any answer: who
asks for it, or for all fields, gets an HTTP status 500. ``datas`` has the same content
as base64 text."""

_ORDER_TERM = re.compile(
    r"(?P<name>[a-z0-9_]+)(\s+(?P<direction>asc|desc))?(\s+nulls (first|last))?",
    re.ASCII | re.IGNORECASE,
)
"""One part of an order as Odoo reads it; source: ``regex_order`` of its models."""

_SHORTEST_PART = 3
"""A part of a name that is shorter is in too many."""

_PLUMBING = frozenset({"create_uid", "create_date", "write_uid", "write_date"})
_HEAVY = frozenset(
    {"binary", "image", "html", "json", "properties", "properties_definition"}
)
_TELLING = (
    "name",
    "code",
    "default_code",
    "state",
    "type",
    "is_company",
    "parent_id",
    "partner_id",
    "product_id",
    "email",
    "phone",
    "city",
    "country_id",
    "user_id",
    "stage_id",
    "date",
    "date_order",
    "date_deadline",
    "expected_revenue",
    "list_price",
    "product_uom_qty",
    "price_unit",
    "amount_total",
    "currency_id",
    "company_id",
    "active",
)
"""Fields that tell a reader most about a record, in this order, on any model."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model.

    Attributes:
        name: Its technical name.
        type: Odoo's type, such as ``many2one`` or ``monetary``.
        label: What people call it, in the asking user's language.
        help: Its tooltip, if it has one.
        required: Whether a record must have it.
        readonly: Whether people may not change it in a form; Odoo's ``write`` does not
            look at it.
        stored: Whether it is a column of the database.
        searchable: Whether a domain may name it; Odoo drops a condition on a field
            that is not, and then matches everything.
        sortable: Whether an order may name it.
        groupable: Whether records can be grouped by it.
        relation: The model that a relational field points to.
        inverse: For a one2many, the many2one on the other side.
        selection: The allowed values of a selection with their labels.
        digits: Precision and scale of a float, as Odoo gives them.
        size: The most characters that a char may hold.
        currency_field: For money, the field that says in which currency.
        company_dependent: Whether its value differs by company.
        translated: Whether its value differs by language.
        aggregator: How groups sum it up, such as ``sum``; None if they do not.
        groups: The external ids of the groups that see it; empty if everybody does.
        depends: What it is computed from, as paths; empty if it is not computed.
        related: The path whose value it shows, such as ``partner_id.email``.
        manual: Whether it was added by hand or by the studio, and not by a module.
        definition_record: For properties, the many2one to the record that defines them.
        definition_record_field: For properties, that record's field with the
            definitions.
    """

    name: str
    type: str
    label: str = ""
    help: str | None = None
    required: bool = False
    readonly: bool = False
    stored: bool = True
    searchable: bool = True
    sortable: bool = True
    groupable: bool = True
    relation: str | None = None
    inverse: str | None = None
    selection: tuple[tuple[str, str], ...] = ()
    digits: tuple[int, int] | None = None
    size: int | None = None
    currency_field: str | None = None
    company_dependent: bool = False
    translated: bool = False
    aggregator: str | None = None
    groups: tuple[str, ...] = ()
    depends: tuple[str, ...] = ()
    related: str | None = None
    manual: bool = False
    definition_record: str | None = None
    definition_record_field: str | None = None

    @classmethod
    def from_wire(cls, name: str, wire: Mapping[str, Any]) -> Self:
        """Build a field from its entry in the answer of ``fields_get``."""
        digits = wire.get("digits")
        stored = bool(wire.get("store", True))
        selection = wire.get("selection") or ()
        return cls(
            name=name,
            type=str(wire["type"]),
            label=str(wire.get("string") or name),
            help=wire.get("help") or None,
            required=bool(wire.get("required")),
            readonly=bool(wire.get("readonly")),
            stored=stored,
            searchable=bool(wire.get("searchable", stored)),
            sortable=bool(wire.get("sortable", stored)),
            groupable=bool(wire.get("groupable", stored)),
            relation=wire.get("relation") or None,
            inverse=wire.get("relation_field") or None,
            selection=tuple((key, str(text)) for key, text in selection),
            digits=(digits[0], digits[1]) if digits else None,
            size=wire.get("size") or None,
            currency_field=wire.get("currency_field") or None,
            company_dependent=bool(wire.get("company_dependent")),
            translated=bool(wire.get("translate")),
            aggregator=wire.get("aggregator") or None,
            groups=tuple(filter(None, (wire.get("groups") or "").split(","))),
            depends=tuple(wire.get("depends") or ()),
            related=wire.get("related") or None,
            manual=bool(wire.get("manual")),
            definition_record=wire.get("definition_record") or None,
            definition_record_field=wire.get("definition_record_field") or None,
        )

    @property
    def derived(self) -> bool:
        """Whether only Odoo sets it: read-only, and computed or related."""
        return self.readonly and (bool(self.depends) or self.related is not None)

    def structure(self) -> dict[str, Any]:
        """Answer what programs depend on: no label, no help, no label of a choice.

        Entries at their default are left out, so that a new attribute does not change
        the fingerprint of a field that does not have it. Choices are sorted: Odoo
        orders some of them by their labels.
        """
        told = {
            name: value
            for name in _STRUCTURE
            if (value := getattr(self, name)) != _DEFAULTS[name]
        }
        if self.selection:
            told["selection"] = sorted((key for key, _ in self.selection), key=repr)
        return told


def _without(field: Field, hidden: Collection[str]) -> Field:
    """Leave hidden fields out of what a field is computed from."""
    left = tuple(path for path in field.depends if path.split(".")[0] not in hidden)
    return field if left == field.depends else replace(field, depends=left)


def _behind_stars(field: Field) -> Field:
    return replace(
        field,
        readonly=True,
        searchable=False,
        sortable=False,
        groupable=False,
        aggregator=None,
    )


_STRUCTURE = (
    "type",
    "required",
    "readonly",
    "stored",
    "searchable",
    "sortable",
    "groupable",
    "relation",
    "inverse",
    "digits",
    "size",
    "currency_field",
    "company_dependent",
    "translated",
    "aggregator",
    "definition_record",
    "definition_record_field",
)
_DEFAULTS = {
    entry.name: None if entry.default is MISSING else entry.default
    for entry in dataclass_fields(Field)
}


@dataclass(frozen=True)
class ModelSchema:
    """The fields of a model as one user sees them.

    Attributes:
        model: The model's technical name.
        fields: Its fields by name.
        hidden: The names of further fields, which the policy hides from the caller.
        masked: The names of those that the caller may only read, behind stars.
    """

    model: str
    fields: Mapping[str, Field]
    hidden: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()

    @classmethod
    def from_wire(cls, model: str, wire: Mapping[str, Mapping[str, Any]]) -> Self:
        """Build a schema from the answer of ``fields_get``."""
        return cls(
            model, {name: Field.from_wire(name, entry) for name, entry in wire.items()}
        )

    @cached_property
    def fingerprint(self) -> str:
        """The same for every schema that looks the same to a program.

        16 hexadecimal digits over the fields' structure, in no order; labels, help and
        the language they are in do not count.
        """
        structure = {name: field.structure() for name, field in self.fields.items()}
        text = json.dumps([self.model, structure], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def digest(self) -> str:
        """The same only for schemas that are equal in all, labels included."""
        text = repr((self.model, sorted(self.fields.items())))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def field(self, name: str) -> Field:
        """Answer a field.

        Raises:
            InvalidRequest: There is none of that name that this user can see; the
                message names the closest ones.
        """
        try:
            return self.fields[name]
        except KeyError:
            raise InvalidRequest(self.unknown(name)) from None

    def seen_through(self, mask: Mapping[str, Any]) -> Self:
        """Answer the schema as somebody sees it whose answers go through a mask.

        What is dropped is hidden; what is behind stars can be read, and nothing else.
        """
        hidden = {name for name, how in mask.items() if how is Masking.DROP}
        stars = {name for name, how in mask.items() if how is Masking.STARS}
        fields = {
            name: _without(_behind_stars(field) if name in stars else field, hidden)
            for name, field in self.fields.items()
            if name not in hidden
        }
        return replace(
            self,
            fields=fields,
            hidden=self.hidden | hidden,
            masked=self.masked | stars,
        )

    def usable(self, name: str) -> Field:
        """Answer a field that is to be searched, sorted or grouped by.

        Raises:
            InvalidRequest: There is none of that name that this user can see.
            PermissionDenied: It can only be read, behind stars.
        """
        if name in self.masked:
            raise PermissionDenied(
                f"The field {name!r} of {self.model!r} is masked for your role: it can "
                "be read, behind stars, and not be searched, sorted or grouped by."
            )
        return self.field(name)

    def unknown(self, name: str) -> str:
        """Say that there is no such field, and what the closest ones are.

        Raises:
            PermissionDenied: There is, but it is hidden.
        """
        if name in self.hidden:
            raise PermissionDenied(
                f"The field {name!r} of {self.model!r} is hidden from your role; leave "
                "it out, or ask your administrator."
            )
        close = get_close_matches(name, self.fields, n=3, cutoff=0.6)
        if not close:
            close = self._meant(name)[:3]
        hint = (
            f"Did you mean {', '.join(map(repr, close))}?"
            if close
            else "Describe the model to see its fields."
        )
        return f"{self.model!r} has no field {name!r} that you can see. {hint}"

    def _meant(self, name: str) -> list[str]:
        """Answer the fields whose name or label has the name as a part, shortest first.

        Thus ``qty`` finds ``product_uom_qty``.
        """
        part = name.casefold()
        words = part.replace("_", " ")
        if len(part) < _SHORTEST_PART:
            return []
        found = [
            field.name
            for field in self.fields.values()
            if part in field.name or words in field.label.casefold()
        ]
        return sorted(found, key=lambda name: (len(name), name))

    def check(self, names: Iterable[str]) -> None:
        """Check that every name is a field.

        Raises:
            InvalidRequest: One is not.
        """
        for name in names:
            self.field(name)

    def order(self, text: str) -> tuple[tuple[Field, bool], ...]:
        """Read an order such as ``date_order desc, name``.

        Args:
            text: Fields, each with ``asc`` or ``desc`` and with ``nulls first`` or
                ``nulls last`` if that matters. What passes, Odoo takes as it is.

        Returns:
            Each field, and whether it descends.

        Raises:
            InvalidRequest: A field is unknown or cannot be sorted by, or it is no
                order.
        """
        terms: list[tuple[Field, bool]] = []
        problems: list[Problem] = []
        for part in text.split(","):
            try:
                terms.append(self._order_term(part))
            except InvalidRequest as wrong:
                problems.append(Problem("", wrong.message))
        if problems:
            raise InvalidRequest(
                " ".join(["The order is wrong.", *(p.message for p in problems)]),
                problems,
            )
        return tuple(terms)

    def _order_term(self, part: str) -> tuple[Field, bool]:
        match = _ORDER_TERM.fullmatch(part.strip())
        if match is None:
            raise InvalidRequest(
                f"{part.strip()[:80]!r} is no part of an order: write a field of "
                f"{self.model!r}, then 'asc' or 'desc' if you like, then 'nulls first' "
                "or 'nulls last' if you like; commas between. Paths are not possible."
            )
        field = self.usable(match["name"])
        if not field.sortable:
            raise InvalidRequest(
                f"{self.model!r} cannot be sorted by {field.name!r}: it is not stored "
                "as a column. Sort by another field."
            )
        return field, (match["direction"] or "").lower() == "desc"

    @cached_property
    def readable(self) -> list[str]:
        """The fields that one whole record shows: stored, without plumbing and blobs.

        ``raw`` of ``ir.attachment`` is among the blobs that must stay out: asking for
        it crashes Odoo 18.
        """
        return [
            name
            for name, field in self.fields.items()
            if name == "display_name"
            or (
                field.stored
                and field.type not in _HEAVY - {"html"}
                and name not in _PLUMBING
            )
        ]

    @cached_property
    def telling(self) -> list[str]:
        """The few fields that a list shows when nobody said which."""
        names = ["display_name"] if "display_name" in self.fields else []
        names += [
            name
            for name in _TELLING
            if (field := self.fields.get(name)) is not None and field.stored
        ]
        names += [
            name
            for name, field in self.fields.items()
            if field.required
            and field.stored
            and name not in names
            and field.type not in _HEAVY | TO_MANY
            and name not in _PLUMBING | {"id"}
        ]
        return names[:12]
