"""Where ids, domain, fields and values lie in a call, for each method that is known.

This table alone looks into the arguments of a ``Call``. Sources: ``odoo/models.py``,
``addons/base`` and ``addons/web/models/models.py`` of Odoo 18; parameters are named and
ordered as there. A method that is not in the table is a ``CALL``: it may do anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeGuard

from odooport.errors import InvalidRequest
from odooport.model import Call, Operation

_READ, _WRITE = Operation.READ, Operation.WRITE
_CREATE, _UNLINK = Operation.CREATE, Operation.UNLINK
_CALL = Operation.CALL


@dataclass(frozen=True, slots=True)
class Signature:
    """How Odoo declares one method.

    Attributes:
        operation: What it does to records.
        parameters: Its parameters in order, without the records it is called on.
        on_records: Whether the ids of records come first.
        model: The only model that has it; None where every model does.
        may_be_on_records: Whether some models declare it on records all the same, so
            that ids may come first.
    """

    operation: Operation
    parameters: tuple[str, ...] = ()
    on_records: bool = False
    model: str | None = None
    may_be_on_records: bool = False


def _on_model(operation: Operation, *parameters: str) -> Signature:
    return Signature(operation, parameters)


def _on_records(operation: Operation, *parameters: str) -> Signature:
    return Signature(operation, parameters, on_records=True)


SIGNATURES: Mapping[str, Signature] = MappingProxyType(
    {
        "search": _on_model(_READ, "domain", "offset", "limit", "order"),
        "search_count": _on_model(_READ, "domain", "limit"),
        "search_read": _on_model(
            _READ, "domain", "fields", "offset", "limit", "order", "load"
        ),
        "read": _on_records(_READ, "fields", "load"),
        "read_group": _on_model(
            _READ,
            "domain",
            "fields",
            "groupby",
            "offset",
            "limit",
            "orderby",
            "lazy",
        ),
        "name_search": _on_model(_READ, "name", "args", "operator", "limit"),
        "fields_get": _on_model(_READ, "allfields", "attributes"),
        # Overridden without @api.model, it wants ids: product.template of Odoo 18.
        "default_get": Signature(_READ, ("fields_list",), may_be_on_records=True),
        "has_access": _on_records(_READ, "operation"),
        "check_access_rights": _on_model(_READ, "operation", "raise_exception"),
        "get_metadata": _on_records(_READ),
        "context_get": Signature(_READ, model="res.users"),
        "get_available_models": Signature(_READ, model="ir.model"),
        "check_object_reference": Signature(
            _READ,
            ("module", "xml_id", "raise_on_access_error"),
            model="ir.model.data",
        ),
        "get_views": _on_model(_READ, "views", "options"),
        "onchange": _on_records(_READ, "values", "field_names", "fields_spec"),
        "get_field_translations": _on_records(_READ, "field_name", "langs"),
        "update_field_translations": _on_records(
            _WRITE, "field_name", "translations", "source_lang"
        ),
        "create": _on_model(_CREATE, "vals_list"),
        "name_create": _on_model(_CREATE, "name"),
        "copy": _on_records(_CREATE, "default"),
        "write": _on_records(_WRITE, "vals"),
        "action_archive": _on_records(_WRITE),
        "action_unarchive": _on_records(_WRITE),
        "unlink": _on_records(_UNLINK),
        # Forms and lists of the web client, and files: no reads by their name alone,
        # for they write, or answer more than one asks for.
        "web_read": _on_records(_CALL, "specification"),
        "web_search_read": _on_model(
            _CALL,
            "domain",
            "specification",
            "offset",
            "limit",
            "order",
            "count_limit",
        ),
        "web_save": _on_records(_CALL, "vals", "specification", "next_id"),
        "web_override_translations": _on_records(_CALL, "values"),
        "web_read_group": _on_model(
            _CALL,
            "domain",
            "fields",
            "groupby",
            "limit",
            "offset",
            "orderby",
            "lazy",
        ),
        "formatted_read_group": _on_model(
            _CALL,
            "domain",
            "groupby",
            "aggregates",
            "having",
            "offset",
            "limit",
            "order",
        ),
        "read_progress_bar": _on_model(_CALL, "domain", "group_by", "progress_bar"),
        "export_data": _on_records(_CALL, "fields_to_export"),
        "load": _on_model(_CALL, "fields", "data"),
    }
)
"""Every method that is known by name."""

_DOMAIN = ("domain", "args")
_FIELDS = ("fields", "allfields", "fields_list", "field_name", "aggregates")
_VALUES = ("vals", "vals_list", "default")
_FORM_VALUES = frozenset({"onchange", "web_override_translations"})
"""What has its values in ``values``."""

_ORDER = ("order", "orderby")
_GROUPBY = ("groupby", "group_by")
_SPECIFICATION = ("specification", "fields_spec")
_PATHS: Mapping[str, str] = MappingProxyType(
    {"export_data": "fields_to_export", "load": "fields"}
)
"""Where a method takes paths with ``/`` between their steps."""

_READS_FOR_ONE = 100
_WRITES_FOR_ONE = 10
_LEAST_WRITE = 2


@dataclass(frozen=True, slots=True)
class Touched:
    """What one call names.

    Attributes:
        operation: What it does to records.
        ids: The records that it is called on; None for a model method.
        domain: Its search filter as sent; None if it has none.
        fields: The fields that it asks for; None where that means all.
        values: The values that it writes, one mapping for each record.
        order: The order that it asks for.
        groupby: What it groups by.
        limit: The most records that it asks for; None for all.
        specification: The fields that it asks for with those of the records inside, as
            ``web_read`` takes them; None if it has none.
        changed: The fields that a form says have changed.
        paths: Paths with ``/`` between their steps, such as ``partner_id/.id``.
        name: The text that a search by name looks for.
    """

    operation: Operation
    ids: tuple[int, ...] | None = None
    domain: Sequence[Any] | None = None
    fields: tuple[str, ...] | None = None
    values: tuple[Mapping[str, Any], ...] = ()
    order: str | None = None
    groupby: tuple[str, ...] = ()
    limit: int | None = None
    specification: Mapping[str, Any] | None = None
    changed: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    name: Any = None

    def cost(self, max_rows: int) -> int:
        """Answer what the call costs of a rate limit.

        A read costs 1 for every hundred records that it may answer; everything else,
        which may write, costs 1 for every ten, and 2 at the least.

        Args:
            max_rows: The most records that any answer may hold here.
        """
        if self.operation is Operation.READ:
            asked = self.limit if isinstance(self.limit, int) else 0
            rows = len(self.ids or ()) or min(asked, max_rows)
            return max(1, -(-rows // _READS_FOR_ONE))
        rows = max(len(self.ids or ()), len(self.values))
        return max(_LEAST_WRITE, -(-rows // _WRITES_FOR_ONE))


def signature_of(call: Call) -> Signature | None:
    """Answer the signature of the call's method, or None if it is not known."""
    signature = SIGNATURES.get(call.method)
    if signature is None or signature.model not in (None, call.model):
        return None
    return signature


def operation_of(call: Call) -> Operation:
    """Answer what the call does to records; an unknown method may do anything."""
    signature = signature_of(call)
    return Operation.CALL if signature is None else signature.operation


def touches(call: Call) -> Touched:
    """Answer what a call names, whether by position or by keyword.

    Raises:
        InvalidRequest: The arguments do not fit the method.
    """
    signature = signature_of(call)
    if signature is None:
        return Touched(Operation.CALL, ids=_ids_of_unknown(call))
    ids: tuple[int, ...] | None = None
    positional = call.args
    extra = signature.may_be_on_records and len(positional) > len(signature.parameters)
    if signature.on_records or extra:
        if not positional:
            raise InvalidRequest(
                f"{call.method!r} is called on records: give their ids first."
            )
        ids = _as_ids(positional[0], call.method)
        positional = positional[1:]
    bound = _bind(call.method, signature.parameters, positional, call.kwargs)
    in_paths = _PATHS.get(call.method)
    fields = None if in_paths else _first(bound, _FIELDS)
    values = _first(bound, _VALUES)
    if call.method in _FORM_VALUES:
        values = bound.get("values")
    groupby = list(_names(_first(bound, _GROUPBY), call.method) or ())
    if call.method == "read_progress_bar":
        groupby += _bar(bound.get("progress_bar"))
    return Touched(
        signature.operation,
        ids=ids,
        domain=_first(bound, _DOMAIN),
        fields=_names(fields, call.method),
        values=tuple(_values(values, call.method)),
        order=_first(bound, _ORDER) or None,
        groupby=tuple(groupby),
        limit=bound.get("limit"),
        specification=_specification(_first(bound, _SPECIFICATION), call.method),
        changed=_names(bound.get("field_names"), call.method) or (),
        paths=_names(bound[in_paths], call.method) or () if in_paths in bound else (),
        name=bound.get("name") if call.method == "name_search" else None,
    )


def with_argument(call: Call, names: Sequence[str], value: Any) -> Call:
    """Answer the call with another argument, by position if it came so.

    Args:
        call: A call of a known method.
        names: What the argument may be called; the method must have one of them.
        value: What to put there.
    """
    signature = SIGNATURES[call.method]
    name = next(name for name in signature.parameters if name in names)
    place = signature.parameters.index(name) + signature.on_records
    if place < len(call.args):
        args = (*call.args[:place], value, *call.args[place + 1 :])
        return _with(call, args, call.kwargs)
    return _with(call, call.args, {**call.kwargs, name: value})


def _with(call: Call, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call:
    return Call(call.model, call.method, args, kwargs, call.context, call.instance)


def takes(call: Call, names: Sequence[str]) -> bool:
    """Whether the call's method is known to have an argument with one of the names."""
    signature = signature_of(call)
    return signature is not None and not set(names).isdisjoint(signature.parameters)


def with_limit(call: Call, limit: int) -> Call:
    """Answer the call with another limit; the method must be one that has one."""
    return with_argument(call, ("limit",), limit)


def with_domain(call: Call, domain: Sequence[Any]) -> Call:
    """Answer the call with another search filter; the method must have one."""
    return with_argument(call, _DOMAIN, list(domain))


def with_order(call: Call, order: str) -> Call:
    """Answer the call with another order; the method must have one."""
    return with_argument(call, _ORDER, order)


def with_fields(call: Call, fields: Sequence[str]) -> Call:
    """Answer the call with other fields to ask for; the method must take some."""
    return with_argument(call, _FIELDS, list(fields))


def takes_domain(call: Call) -> bool:
    """Whether the call's method has a search filter."""
    return takes(call, _DOMAIN)


def takes_order(call: Call) -> bool:
    """Whether the call's method has an order."""
    return takes(call, _ORDER)


def takes_limit(call: Call) -> bool:
    """Whether the call's method has a limit on how many records it answers."""
    signature = signature_of(call)
    return (
        signature is not None
        and "limit" in signature.parameters
        and call.method != "search_count"
    )


def _bind(
    method: str,
    parameters: tuple[str, ...],
    positional: tuple[Any, ...],
    keywords: Mapping[str, Any],
) -> dict[str, Any]:
    if len(positional) > len(parameters):
        raise InvalidRequest(
            f"{method!r} takes at most {len(parameters)} arguments "
            f"({', '.join(parameters) or 'none'}), got {len(positional)}."
        )
    bound = dict(zip(parameters, positional, strict=False))
    for name, value in keywords.items():
        if name not in parameters:
            raise InvalidRequest(
                f"{method!r} has no argument {name!r}; "
                f"it takes {', '.join(parameters) or 'none'}."
            )
        if name in bound:
            raise InvalidRequest(f"{method!r} got {name!r} twice.")
        bound[name] = value
    return bound


def _first(bound: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if name in bound:
            return bound[name]
    return None


def _is_sequence(raw: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(raw, list | tuple)


def _are_ids(raw: Any) -> TypeGuard[Sequence[int]]:
    return _is_sequence(raw) and all(type(item) is int for item in raw)


def _as_ids(raw: Any, method: str) -> tuple[int, ...]:
    ids = [raw] if type(raw) is int else raw
    if not _are_ids(ids):
        raise InvalidRequest(
            f"{method!r} is called on records: give a list of ids, not {raw!r}."
        )
    return tuple(ids)


def _ids_of_unknown(call: Call) -> tuple[int, ...] | None:
    """Guess the ids of a method that we do not know, for the audit only."""
    return tuple(call.args[0]) if call.args and _are_ids(call.args[0]) else None


def _names(raw: Any, method: str) -> tuple[str, ...] | None:
    if raw is None or raw is False:
        return None
    names = [raw] if isinstance(raw, str) else raw
    if not _is_sequence(names) or not all(isinstance(name, str) for name in names):
        raise InvalidRequest(f"{method!r} takes a list of field names, not {raw!r}.")
    return tuple(names)


def _bar(raw: Any) -> list[str]:
    """Answer the field that a progress bar counts by."""
    field = raw.get("field") if _is_mapping(raw) else None
    if not isinstance(field, str):
        raise InvalidRequest("A progress bar is a mapping that names its 'field'.")
    return [field]


def _specification(raw: Any, method: str) -> Mapping[str, Any] | None:
    if raw is None:
        return None
    if not _is_mapping(raw) or not all(isinstance(name, str) for name in raw):
        raise InvalidRequest(
            f"{method!r} takes field names with what to read of each, such as "
            f"{{'name': {{}}}}, not {raw!r}."
        )
    return raw


def _is_mapping(raw: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(raw, Mapping)


def _values(raw: Any, method: str) -> Iterator[Mapping[str, Any]]:
    if raw is None:
        return
    many = raw if _is_sequence(raw) else [raw]
    for values in many:
        if not isinstance(values, Mapping):
            raise InvalidRequest(
                f"{method!r} takes values as field names with their values, "
                f"not {values!r}."
            )
        yield values
