"""The public methods that every model has, with Odoo 18's parameters."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from odooport_adapters.memory import faults
from odooport_adapters.memory.contacts import may_write_own_settings
from odooport_adapters.memory.environment import Environment
from odooport_adapters.memory.exporting import export_data
from odooport_adapters.memory.externals import get_external_id
from odooport_adapters.memory.forms import onchange
from odooport_adapters.memory.groups import read_group
from odooport_adapters.memory.loading import load
from odooport_adapters.memory.messages import message_post
from odooport_adapters.memory.reading import (
    CLASSIC,
    default_get,
    fields_get,
    metadata,
    name_search,
    read,
)
from odooport_adapters.memory.registry import Method, Model
from odooport_adapters.memory.search import count, search
from odooport_adapters.memory.translations import (
    get_field_translations,
    update_field_translations,
)
from odooport_adapters.memory.views import get_views
from odooport_adapters.memory.writing import (
    check_records,
    copy,
    create,
    unlink,
    write,
)

_OPERATIONS = frozenset({"read", "write", "create", "unlink"})


def _search(
    env: Environment,
    model: Model,
    domain: Any,
    offset: int = 0,
    limit: int | None = None,
    order: str | None = None,
) -> list[int]:
    env.check_model(model, "read")
    return search(
        env, model, domain, offset=offset or 0, limit=limit or None, order=order or None
    )


def _search_count(
    env: Environment, model: Model, domain: Any, limit: int | None = None
) -> int:
    env.check_model(model, "read")
    return count(env, model, domain, limit)


def _search_read(
    env: Environment,
    model: Model,
    domain: Any = None,
    fields: Sequence[str] | None = None,
    offset: int = 0,
    limit: int | None = None,
    order: str | None = None,
    load: str | None = CLASSIC,
) -> list[dict[str, Any]]:
    ids = _search(env, model, domain or [], offset, limit, order)
    return read(env, model, ids, fields, load)


def _read(
    env: Environment,
    model: Model,
    ids: list[int],
    fields: Sequence[str] | None = None,
    load: str | None = CLASSIC,
) -> list[dict[str, Any]]:
    return read(env, model, ids, fields, load)


def _create(env: Environment, model: Model, vals_list: Any) -> int | list[int]:
    if isinstance(vals_list, list | tuple):
        return create(env, model, cast("Iterable[Any]", vals_list))
    return create(env, model, [vals_list])[0]


def _write(env: Environment, model: Model, ids: list[int], vals: Any) -> bool:
    if may_write_own_settings(env, model.name, ids, vals):
        env = env.sudo()
    write(env, model, ids, vals)
    return True


def _unlink(env: Environment, model: Model, ids: list[int]) -> bool:
    unlink(env, model, ids)
    return True


def _copy(
    env: Environment,
    model: Model,
    ids: list[int],
    default: Mapping[str, Any] | None = None,
) -> list[int]:
    return [copy(env, model, record_id, default or {}) for record_id in ids]


def _read_group(
    env: Environment,
    model: Model,
    domain: list[Any],
    fields: Sequence[str],
    groupby: str | Sequence[str],
    offset: int = 0,
    limit: int | None = None,
    orderby: str | bool = False,
    lazy: bool = True,
) -> list[dict[str, Any]]:
    return read_group(
        env,
        model,
        domain,
        fields,
        groupby,
        offset=offset or 0,
        limit=limit or None,
        orderby=orderby,
        lazy=lazy,
    )


def _name_search(
    env: Environment,
    model: Model,
    name: str = "",
    args: Sequence[Any] | None = None,
    operator: str = "ilike",
    limit: int | None = 100,
) -> list[list[Any]]:
    return name_search(env, model, name, args, operator, limit)


def _name_create(env: Environment, model: Model, name: str) -> list[Any]:
    record_id = create(env, model, [{"name": name}])[0]
    return [record_id, env.display_name(model.name, record_id)]


def _fields_get(
    env: Environment,
    model: Model,
    allfields: Sequence[str] | None = None,
    attributes: Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:
    return fields_get(env, model, allfields, attributes)


def _default_get(
    env: Environment, model: Model, fields_list: Sequence[str]
) -> dict[str, Any]:
    return default_get(env, model, fields_list)


def _has_access(env: Environment, model: Model, ids: list[int], operation: str) -> bool:
    _check_operation(operation)
    if not env.may(model, operation):
        return False
    return not ids or search(
        env, model, [["id", "in", ids]], limit=len(ids)
    ) == _all_there(env, model, ids)


def _all_there(env: Environment, model: Model, ids: list[int]) -> list[int]:
    env.existing(model.name, ids)
    return search(env.sudo(), model, [["id", "in", ids]])


def _check_access(
    env: Environment, model: Model, ids: list[int], operation: str
) -> None:
    _check_operation(operation)
    env.existing(model.name, ids)
    check_records(env, model, ids, operation)


def _check_access_rights(
    env: Environment, model: Model, operation: str, raise_exception: bool = True
) -> bool:
    _check_operation(operation)
    if raise_exception:
        env.check_model(model, operation)
    return env.may(model, operation)


def _check_operation(operation: str) -> None:
    if operation not in _OPERATIONS:
        raise faults.crash("AssertionError", "Invalid access mode")


def _get_metadata(
    env: Environment, model: Model, ids: list[int]
) -> list[dict[str, Any]]:
    return metadata(env, model, ids)


def _get_external_id(env: Environment, model: Model, ids: list[int]) -> dict[int, str]:
    return get_external_id(env, model.name, ids)


def _load(
    env: Environment, model: Model, fields: Sequence[str], data: Sequence[Sequence[Any]]
) -> dict[str, Any]:
    return load(env, model, fields, data)


def _export_data(
    env: Environment, model: Model, ids: list[int], fields_to_export: Sequence[str]
) -> dict[str, Any]:
    return export_data(env, model, ids, fields_to_export)


def _exists(env: Environment, model: Model, ids: list[int]) -> list[int]:
    return [record_id for record_id in ids if record_id in env.table(model.name).rows]


def _archive(env: Environment, model: Model, ids: list[int]) -> None:
    write(env, model, ids, {"active": False})


def _unarchive(env: Environment, model: Model, ids: list[int]) -> None:
    write(env, model, ids, {"active": True})


def _toggle(env: Environment, model: Model, ids: list[int]) -> None:
    active = [one for one in ids if env.get(model.name, one, "active")]
    write(env, model, active, {"active": False})
    write(env, model, [one for one in ids if one not in active], {"active": True})


def _has_group(env: Environment, ids: list[int], group_ext_id: str) -> bool:
    if len(ids) != 1:
        shown = ", ".join(map(str, ids))
        raise faults.crash("ValueError", f"Expected singleton: res.users({shown})")
    groups = env.table("res.groups").rows
    own: Sequence[int] = env.get("res.users", ids[0], "groups_id") or ()
    return group_ext_id in {groups[group]["key"] for group in own}


def _context_get(env: Environment) -> dict[str, Any]:
    return {
        "lang": env.get("res.users", env.uid, "lang") or False,
        "tz": env.get("res.users", env.uid, "tz") or False,
        "uid": env.uid,
    }


def _get_available_models(env: Environment) -> list[dict[str, str]]:
    found = [
        {"display_name": model.label, "model": model.name}
        for model in env.registry.models.values()
        if env.may(model, "read")
    ]
    return sorted(found, key=lambda item: item["display_name"])


GENERIC: Mapping[str, tuple[Callable[..., Any], bool]] = MappingProxyType(
    {
        "search": (_search, False),
        "search_count": (_search_count, False),
        "search_read": (_search_read, False),
        "read": (_read, True),
        "create": (_create, False),
        "write": (_write, True),
        "unlink": (_unlink, True),
        "copy": (_copy, True),
        "read_group": (_read_group, False),
        "name_search": (_name_search, False),
        "name_create": (_name_create, False),
        "fields_get": (_fields_get, False),
        "default_get": (_default_get, False),
        "has_access": (_has_access, True),
        "check_access": (_check_access, True),
        "check_access_rights": (_check_access_rights, False),
        "get_metadata": (_get_metadata, True),
        "get_external_id": (_get_external_id, True),
        "load": (_load, False),
        "export_data": (_export_data, True),
        "exists": (_exists, True),
        "onchange": (onchange, True),
        "get_views": (get_views, False),
        "get_field_translations": (get_field_translations, True),
        "update_field_translations": (update_field_translations, True),
    }
)
"""For each method of all models: the function, and whether ids come first."""

ARCHIVING: Mapping[str, tuple[Callable[..., Any], bool]] = MappingProxyType(
    {
        "action_archive": (_archive, True),
        "action_unarchive": (_unarchive, True),
        "toggle_active": (_toggle, True),
    }
)
"""The methods of models with an ``active`` field."""

POSTING: Mapping[str, tuple[Callable[..., Any], bool]] = MappingProxyType(
    {"message_post": (message_post, True)}
)
"""The methods of models with messages."""

OWN: Mapping[tuple[str, str], Method] = MappingProxyType(
    {
        ("res.users", "context_get"): Method(_context_get, on_records=False),
        ("res.users", "has_group"): Method(_has_group),
        ("ir.model", "get_available_models"): Method(
            _get_available_models, on_records=False
        ),
    }
)
"""The methods of single models that are about the whole Odoo."""

PRIVATE = frozenset(
    {
        "concat",
        "ensure_one",
        "filtered",
        "filtered_domain",
        "flush_model",
        "flush_recordset",
        "grouped",
        "invalidate_model",
        "invalidate_recordset",
        "mapped",
        "modified",
        "search_fetch",
        "sorted",
        "sudo",
        "with_company",
        "with_context",
        "with_env",
        "with_prefetch",
        "with_user",
    }
)
"""Methods that Odoo 18 marks as private although their names do not say so."""
