"""The models of an Odoo in memory: their fields, rights, defaults and behaviour.

``odoo18.json`` holds fields, labels, orders and access rights as a real Odoo 18 with
CRM and Sales answers them; it is a part of what ``fields_get`` says there.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from odooport_adapters.memory.environment import Environment
    from odooport_adapters.memory.store import Row

type Compute = Callable[[Environment, int, Row], Any]
"""Answers the value of a field that is not stored."""

type Inverse = Callable[[Environment, int, Any], None]
"""Writes a field that is not stored, by writing others."""

PLUMBING = ("create_uid", "create_date", "write_uid", "write_date")
"""The fields that Odoo itself writes on every record."""

_NUMERIC = frozenset({"integer", "float", "monetary"})
_CAN = {"r": "read", "w": "write", "c": "create", "u": "unlink"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model.

    Attributes:
        name: Its technical name.
        type: Odoo's type.
        attributes: Its entry in ``fields_get``.
        relation: The model that a relational field points to.
        inverse: For a one2many, the many2one on the other side.
        path: For a related field, where its value really is.
        column: Whether the row itself holds the value.
        keys: The allowed values of a selection.
        groups: The groups that may see it; empty for everybody.
    """

    name: str
    type: str
    attributes: Mapping[str, Any]
    relation: str | None = None
    inverse: str | None = None
    path: tuple[str, ...] = ()
    column: bool = True
    keys: frozenset[str] = frozenset()
    groups: tuple[str, ...] = ()

    @classmethod
    def from_attributes(cls, name: str, attributes: Mapping[str, Any]) -> "Field":
        """Build a field from its entry in ``fields_get``; what is missing is usual."""
        kind = str(attributes["type"])
        stored = bool(attributes.get("store", kind != "one2many"))
        usual: dict[str, Any] = {
            "name": name,
            "string": name.removesuffix("_id").replace("_", " ").capitalize(),
            "readonly": False,
            "required": False,
            "store": stored,
            "searchable": stored,
            "sortable": stored and kind not in ("one2many", "many2many", "binary"),
            "groupable": stored and kind not in ("one2many", "binary", "json"),
            "exportable": True,
            "manual": name.startswith("x_"),
            "company_dependent": False,
            "depends": [],
        }
        if kind in _NUMERIC:
            usual["aggregator"] = "sum"
        entry: Mapping[str, Any] = (
            {**usual, **attributes}
            if "store" not in attributes
            else {"depends": [], **attributes}
        )
        selection: Sequence[Sequence[str]] = entry.get("selection") or ()
        related = tuple(str(entry.get("related") or "").split("."))
        groups = str(entry.get("groups") or "").replace(" ", "")
        return cls(
            name=name,
            type=kind,
            attributes=MappingProxyType(dict(entry)),
            relation=entry.get("relation"),
            inverse=entry.get("relation_field"),
            path=related if len(related) > 1 else (),
            keys=frozenset(key for key, _ in selection),
            groups=tuple(groups.split(",")) if groups else (),
        )

    @property
    def required(self) -> bool:
        """Whether a record must have a value."""
        return bool(self.attributes["required"])

    @property
    def searchable(self) -> bool:
        """Whether a domain may name it."""
        return bool(self.attributes["searchable"])

    @property
    def per_company(self) -> bool:
        """Whether the row holds one value for each company."""
        return bool(self.attributes.get("company_dependent"))

    @property
    def translated(self) -> bool:
        """Whether the row holds a text for each language."""
        return self.column and bool(self.attributes.get("translate"))

    @property
    def sortable(self) -> bool:
        """Whether an order may name it."""
        return bool(self.attributes["sortable"])

    @property
    def groupable(self) -> bool:
        """Whether records can be grouped by it."""
        return bool(self.attributes["groupable"])


@dataclass(frozen=True, slots=True)
class Rule:
    """A record rule: which records of a model a user sees at all.

    Attributes:
        group: Whose rule it is.
        domain: Answers the domain that the records must satisfy.
    """

    group: str
    domain: Callable[["Environment"], list[Any]]


@dataclass(frozen=True, slots=True)
class Method:
    """A public method of a model.

    Attributes:
        run: The function; it gets the environment, the ids if it is called on records,
            and the arguments.
        on_records: Whether the records' ids come first.
    """

    run: Callable[..., Any]
    on_records: bool = True


@dataclass(frozen=True, slots=True)
class Fill:
    """What a form fills in by itself.

    Attributes:
        watches: The fields after whose change it does so; otherwise it only fills
            what is empty in a new record.
        run: Answers values as rows keep them, by field.
    """

    watches: tuple[str, ...]
    run: Callable[["Environment", int], Mapping[str, Any]]


def _nothing(_env: "Environment", _ids: list[int]) -> None:
    """Do nothing."""


def _unchanged(
    _env: "Environment", _ids: list[int], values: dict[str, Any]
) -> dict[str, Any]:
    return values


def _silent(_env: "Environment", _before: "Row", _after: "Row") -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a model does beyond keeping values.

    Attributes:
        defaults: The values of new records; a callable is asked each time.
        computed: Fields that are worked out whenever they are read.
        inverses: How to write fields that are not stored.
        completed: Fills in values before a record is created.
        display_name: What people call a record; None to take the name field.
        name_fields: What a search by name looks at.
        deleted_with: The many2one fields whose target takes the records along.
        holding: The many2one fields whose target cannot be deleted meanwhile, besides
            the required ones.
        not_copied: Fields that a copy does not take over.
        copied_lines: The one2many fields whose lines a copy takes along.
        before_write: Refuses or changes values before they are written.
        saved: Runs after records were created or written.
        before_unlink: Refuses to delete records.
        methods: The model's own methods.
        rules: Its record rules.
        fills: What a form fills in by itself, in this order.
        warning: What a form warns of; gets the row before and after the change.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    computed: Mapping[str, Compute] = field(default_factory=dict[str, Compute])
    inverses: Mapping[str, Inverse] = field(default_factory=dict[str, Inverse])
    completed: Callable[["Environment", dict[str, Any]], None] | None = None
    display_name: Compute | None = None
    name_fields: tuple[str, ...] = ("name",)
    deleted_with: frozenset[str] = frozenset()
    holding: frozenset[str] = frozenset()
    not_copied: frozenset[str] = frozenset()
    copied_lines: frozenset[str] = frozenset()
    before_write: Callable[
        ["Environment", list[int], dict[str, Any]], dict[str, Any]
    ] = _unchanged
    saved: Callable[["Environment", list[int]], None] = _nothing
    before_unlink: Callable[["Environment", list[int]], None] = _nothing
    methods: Mapping[str, Method] = field(default_factory=dict[str, Method])
    rules: tuple[Rule, ...] = ()
    fills: tuple[Fill, ...] = ()
    warning: Callable[["Environment", "Row", "Row"], str | None] = _silent


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        name: Its technical name.
        label: What people call it.
        fields: Its fields by name.
        order: The order of its records unless told otherwise.
        access: For each group, what its users may do.
        behaviour: What it does beyond keeping values.
        modules: The modules that make it what it is.
        home: The module that most of its fields come from.
        columns: What ``ir.model.fields`` tells of a field and ``fields_get`` does not,
            where it is not as usual.
    """

    name: str
    label: str
    fields: Mapping[str, Field]
    order: str
    access: Mapping[str, frozenset[str]]
    behaviour: Behaviour = Behaviour()
    modules: str = ""
    home: str = ""
    columns: Mapping[str, Mapping[str, Any]] = field(
        default_factory=dict[str, Mapping[str, Any]]
    )

    @classmethod
    def define(
        cls,
        name: str,
        fields: Mapping[str, Mapping[str, Any]],
        *,
        label: str | None = None,
        order: str = "id",
        access: Mapping[str, str] | None = None,
        behaviour: Behaviour | None = None,
    ) -> "Model":
        """Define a model of your own, to add to a gateway.

        Args:
            name: Its technical name.
            fields: For each field the attributes that ``fields_get`` shall answer; only
                ``type`` is needed, and ``relation``, ``relation_field`` and
                ``selection`` where the type wants them. ``id``, ``display_name`` and
                the fields that Odoo itself writes come by themselves.
            label: What people call it.
            order: The order of its records.
            access: For each group letters out of ``rwcu`` (read, write, create,
                unlink); by default every internal user may do everything.
            behaviour: What it does beyond keeping values.
        """
        return build(
            name,
            {**fields, **_OWN_FIELDS},
            label=label or name,
            order=order,
            access={"base.group_user": "rwcu"} if access is None else access,
            behaviour=behaviour or Behaviour(),
        )


_OWN_FIELDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "id": {"type": "integer", "string": "ID", "readonly": True},
        "display_name": {
            "type": "char",
            "string": "Display Name",
            "readonly": True,
            "searchable": True,
            "sortable": False,
            "groupable": False,
        },
        "create_uid": {
            "type": "many2one",
            "relation": "res.users",
            "string": "Created by",
            "readonly": True,
        },
        "create_date": {
            "type": "datetime",
            "string": "Created on",
            "readonly": True,
        },
        "write_uid": {
            "type": "many2one",
            "relation": "res.users",
            "string": "Last Updated by",
            "readonly": True,
        },
        "write_date": {
            "type": "datetime",
            "string": "Last Updated on",
            "readonly": True,
        },
    }
)


def build(
    name: str,
    fields: Mapping[str, Mapping[str, Any]],
    *,
    label: str,
    order: str,
    access: Mapping[str, str],
    behaviour: Behaviour,
    modules: str = "",
    home: str = "",
    columns: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> Model:
    """Build a model from what ``fields_get`` answers about its fields."""
    known = {key: Field.from_attributes(key, entry) for key, entry in fields.items()}
    for key, entry in known.items():
        followed = bool(entry.path) and entry.path[0] in known
        away = (
            entry.type == "one2many"
            or key == "display_name"
            or key in behaviour.computed
            or key in behaviour.inverses
            or followed
        )
        known[key] = replace(
            entry, column=not away, path=entry.path if followed else ()
        )
    return Model(
        name=name,
        label=label,
        fields=MappingProxyType(known),
        order=order,
        access=MappingProxyType(
            {
                group: frozenset(_CAN[letter] for letter in letters)
                for group, letters in access.items()
            }
        ),
        behaviour=behaviour,
        modules=modules,
        home=home,
        columns=columns,
    )


@dataclass(frozen=True, slots=True)
class Registry:
    """All models and groups of one Odoo.

    Attributes:
        models: The models by name.
        groups: The groups' external ids with their full names.
        pointers: For each model the stored fields, with their models, that point at it.
    """

    models: Mapping[str, Model]
    groups: Mapping[str, str]
    pointers: Mapping[str, Sequence[tuple[Model, Field]]]

    @classmethod
    def load(
        cls,
        behaviours: Mapping[str, Behaviour],
        extra: Iterable[Model] = (),
        more_fields: Mapping[str, Mapping[str, Mapping[str, Any]]] = MappingProxyType(
            {}
        ),
    ) -> "Registry":
        """Load the models of Odoo 18, give them their behaviour, and add others.

        Args:
            behaviours: What the models do beyond keeping values.
            extra: Models to add or to take the place of Odoo's.
            more_fields: For some of Odoo's models, fields to add.
        """
        data = json.loads(
            files(__package__ or "").joinpath("odoo18.json").read_text("utf-8")
        )
        models = {
            name: build(
                name,
                {**raw["fields"], **more_fields.get(name, {})},
                label=raw["label"],
                order=raw["order"],
                access=raw["access"],
                behaviour=behaviours.get(name, Behaviour()),
                modules=raw["modules"],
                home=raw["home"],
                columns=raw["columns"],
            )
            for name, raw in data["models"].items()
        }
        models |= {model.name: model for model in extra}
        pointers: dict[str, list[tuple[Model, Field]]] = {name: [] for name in models}
        for model in models.values():
            for entry in model.fields.values():
                if (
                    entry.column
                    and entry.type in ("many2one", "many2many")
                    and entry.name not in PLUMBING
                    and entry.relation in pointers
                ):
                    pointers[entry.relation].append((model, entry))
        return cls(
            MappingProxyType(models),
            MappingProxyType(data["groups"]),
            MappingProxyType(pointers),
        )
