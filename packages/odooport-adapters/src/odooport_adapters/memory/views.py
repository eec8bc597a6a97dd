"""``get_views``: what forms and lists show (``addons/base/models/ir_ui_view.py``).

The forms are of our own making. They show a model's fields in a row, and have the
buttons that the same form of Odoo 18 has, with the same meaning, as far as the models
here have what the buttons need.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from odooport_adapters.memory import faults
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.registry import PLUMBING, Model

_KINDS = (
    "form",
    "list",
    "search",
    "kanban",
    "pivot",
    "graph",
    "calendar",
    "activity",
)
_SHOWN = (
    "name",
    "type",
    "string",
    "readonly",
    "required",
    "store",
    "searchable",
    "sortable",
    "groupable",
    "selection",
    "relation",
    "relation_field",
    "domain",
    "digits",
    "size",
    "currency_field",
    "translate",
    "trim",
    "aggregator",
    "definition_record",
    "definition_record_field",
)
"""What ``get_views`` tells of a field; ``fields_get`` tells more."""

_FEW = 8


@dataclass(frozen=True, slots=True)
class Button:
    """A button of a form.

    Attributes:
        name: The method, or an action's number.
        string: What it says.
        type: ``object`` for a method, ``action`` for an action.
        invisible: When it does not show, in Odoo's expressions.
        context: What goes along with the call, in Odoo's expressions.
        group: Who sees it; None for everybody.
    """

    name: str
    string: str
    type: str = "object"
    invisible: str | None = None
    context: str | None = None
    group: str | None = None


_CHECKED = "{'validate_analytic': True}"
_BUTTONS: Mapping[str, Sequence[Button]] = MappingProxyType(
    {
        "sale.order": (
            Button(
                "563",
                "Create Invoice",
                "action",
                "invoice_status != 'to invoice'",
            ),
            Button(
                "action_confirm",
                "Confirm",
                invisible="state != 'sent'",
                context=_CHECKED,
            ),
            Button(
                "action_confirm",
                "Confirm",
                invisible="state != 'draft'",
                context=_CHECKED,
            ),
            Button(
                "action_unlock",
                "Unlock",
                invisible="not locked",
                group="sales_team.group_sale_manager",
            ),
            Button(
                "action_cancel",
                "Cancel",
                invisible=(
                    "state not in ['draft', 'sent', 'sale'] or not id or locked"
                ),
            ),
            Button(
                "action_draft",
                "Set to Quotation",
                invisible="state != 'cancel'",
            ),
        ),
        "crm.lead": (
            Button(
                "action_set_won_rainbowman",
                "Won",
                invisible="not active or probability == 100 or type == 'lead'",
            ),
            Button(
                "321",
                "Lost",
                "action",
                "type == 'lead' or not active and probability < 100",
            ),
            Button(
                "322",
                "Convert to Opportunity",
                "action",
                "type == 'opportunity' or not active",
            ),
            Button(
                "toggle_active",
                "Restore",
                invisible="probability > 0 or active",
            ),
            Button(
                "321",
                "Lost",
                "action",
                "type == 'opportunity' or probability == 0 and not active",
            ),
        ),
    }
)


def get_views(
    env: Environment,
    model: Model,
    views: Sequence[Sequence[Any]],
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Answer views by kind, and the fields that they name.

    Raises:
        OdooRefused: There is no view of that kind.
        RecordMissing: There is no view with that id.
        OdooAccessError: The user may not read the model.
    """
    env.check_model(model, "read")
    answer: dict[str, Any] = {}
    fields: dict[str, dict[str, None]] = {}
    for view_id, kind in views:
        if kind not in _KINDS:
            raise faults.refused(f"No default view of type '{kind}' could be found!")
        known = _number(env, model, kind)
        if view_id and view_id != known:
            raise faults.missing("ir.ui.view", view_id, env.uid)
        arch, named = _ARCHS.get(kind, _empty)(env, model, kind)
        answer[kind] = {
            "arch": tostring(arch, encoding="unicode"),
            "id": known,
            "model": model.name,
        }
        if (options or {}).get("toolbar") and kind in ("form", "list"):
            answer[kind]["toolbar"] = {}
        for name, wanted in named.items():
            fields.setdefault(name, {}).update(dict.fromkeys(wanted))
    return {
        "views": answer,
        "models": {
            name: {"fields": _told(env, env.model(name), wanted)}
            for name, wanted in fields.items()
        },
    }


type Arch = tuple[Element, dict[str, list[str]]]
"""A view, and the fields that it names by model."""


def _number(env: Environment, model: Model, kind: str) -> int | bool:
    """Answer a view's id; False if it is made on the way, as in Odoo."""
    if kind not in ("form", "list", "search"):
        return False
    place = list(env.registry.models).index(model.name)
    return 100 + place * len(_KINDS) + _KINDS.index(kind)


def _told(env: Environment, model: Model, names: Mapping[str, None]) -> dict[str, Any]:
    return {
        name: {
            key: value
            for key, value in model.fields[name].attributes.items()
            if key in _SHOWN
        }
        | {"change_default": False}
        for name in names
        if env.sees(model.fields[name])
    }


def _visible(env: Environment, model: Model) -> Iterator[str]:
    for name, field in model.fields.items():
        if name not in (*PLUMBING, "id", "display_name") and env.sees(field):
            yield name


def _form(env: Environment, model: Model, _kind: str) -> Arch:
    form = Element("form", {"string": model.label})
    for operation, name in (
        ("create", "create"),
        ("write", "edit"),
        ("unlink", "delete"),
    ):
        if not env.may(model, operation):
            form.set(name, "False")
    named = {model.name: ["id", *_visible(env, model)]}
    buttons = [
        button
        for button in _BUTTONS.get(model.name, ())
        if button.group is None or env.superuser or button.group in env.groups
    ]
    if buttons:
        header = SubElement(form, "header")
        for button in buttons:
            SubElement(header, "button", _attributes(button))
    sheet = SubElement(SubElement(form, "sheet"), "group")
    for name in _visible(env, model):
        field = SubElement(sheet, "field", {"name": name})
        relation = model.fields[name].relation
        if model.fields[name].type != "one2many" or relation is None:
            continue
        if relation in env.registry.models:
            target = env.model(relation)
            columns = list(_visible(env, target))[:_FEW]
            below = SubElement(field, "list")
            for column in columns:
                SubElement(below, "field", {"name": column})
            named.setdefault(relation, []).extend(["id", *columns])
    return form, named


def _attributes(button: Button) -> dict[str, str]:
    told = {"name": button.name, "type": button.type, "string": button.string}
    if button.invisible:
        told["invisible"] = button.invisible
    if button.context:
        told["context"] = button.context
    return told


def _list(env: Environment, model: Model, kind: str) -> Arch:
    view = Element(kind, {"string": model.label})
    names = list(_visible(env, model))[:_FEW]
    for name in names:
        SubElement(view, "field", {"name": name})
    return view, {model.name: ["id", *names]}


def _search(env: Environment, model: Model, kind: str) -> Arch:
    view, _ = _list(env, model, kind)
    seen = [name for name, field in model.fields.items() if env.sees(field)]
    return view, {model.name: seen}


def _empty(env: Environment, model: Model, kind: str) -> Arch:
    _, named = _search(env, model, kind)
    return Element(kind, {"string": model.label}), named


_ARCHS: Mapping[str, Any] = MappingProxyType(
    {"form": _form, "list": _list, "search": _search}
)
