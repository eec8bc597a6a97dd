"""``ir.model`` and ``ir.model.fields``: the registry as records that describe it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.registry import PLUMBING, Behaviour, Field, Method, Model
from odooport_adapters.memory.store import Row

MODELS = "ir.model"
FIELDS = "ir.model.fields"


def reflect(env: Environment) -> None:
    """Describe all models and fields, as Odoo does when modules are installed."""
    for model in env.registry.models.values():
        number = env.store.take_id(MODELS)
        env.store.put(
            MODELS,
            number,
            {
                "model": model.name,
                "name": model.label,
                "state": _state(model.name),
                "transient": False,
                "order": model.order,
                "modules": model.modules or None,
                **dict.fromkeys(PLUMBING),
            },
        )
        for field in model.fields.values():
            row = _described(model, field) | {"model_id": number}
            env.store.put(FIELDS, env.store.take_id(FIELDS), row)


def _state(name: str) -> str:
    return "manual" if name.startswith("x_") else "base"


def _described(model: Model, field: Field) -> dict[str, Any]:
    told, odd = field.attributes, model.columns.get(field.name, {})
    selection = [(key, label) for key, label in told.get("selection") or ()]
    manual = _state(field.name) == "manual"
    stored = bool(told["store"])
    return {
        "name": field.name,
        "model": model.name,
        "field_description": told["string"],
        "ttype": field.type,
        "relation": field.relation,
        "relation_field": field.inverse,
        "selection": str(selection) if selection else None,
        "copied": odd.get("copied", stored and field.type != "one2many"),
        "related": told.get("related") or None,
        "required": field.required,
        "readonly": bool(told["readonly"]),
        "index": odd.get("index", False),
        "translate": bool(told.get("translate")),
        "company_dependent": field.per_company,
        "size": told.get("size") or 0,
        "state": _state(field.name),
        "on_delete": odd.get("on_delete", "set null") if _links(field) else None,
        "selectable": field.searchable,
        "modules": None if manual else odd.get("modules") or model.home or None,
        # for a module's field, both are in ``fields_get`` alone
        "depends": None,
        "groups": (),
        "store": stored,
        "currency_field": told.get("currency_field") or None,
        **dict.fromkeys(PLUMBING),
    }


def _links(field: Field) -> bool:
    return field.type == "many2one"


def _count(env: Environment, _id: int, row: Row) -> int:
    table = env.store.tables.get(row.get("model") or "")
    return len(table.rows) if table else 0


def _field_name(env: Environment, _id: int, row: Row) -> str:
    label = env.get(MODELS, row.get("model_id") or 0, "name")
    return f"{row.get('field_description')} ({label})"


def _get_field_string(env: Environment, model_name: str) -> dict[str, str]:
    fields = env.model(model_name).fields
    return {name: str(fields[name].attributes["string"]) for name in sorted(fields)}


BEHAVIOURS: Mapping[str, Behaviour] = MappingProxyType(
    {
        MODELS: Behaviour(computed={"count": _count}, name_fields=("name", "model")),
        FIELDS: Behaviour(
            display_name=_field_name,
            name_fields=("field_description",),
            deleted_with=frozenset({"model_id"}),
            methods={"get_field_string": Method(_get_field_string, on_records=False)},
        ),
    }
)
"""What these models do beyond keeping values."""
