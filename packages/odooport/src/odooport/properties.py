"""Properties: the small fields that a record's parent defines, such as a lead's team.

Odoo answers a properties field as the list of its definitions, each with its value. It
stores a mapping of technical names to values, and a written mapping replaces all of it
(``odoo/fields.py``, ``Properties``). People know a property by its label.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeGuard

from odooport.errors import InvalidRequest
from odooport.scalars import is_empty, is_mapping, is_sequence, show
from odooport.schema import Field

type Definitions = Sequence[Mapping[str, Any]]
"""The definitions of a properties field as Odoo gives them, with or without values."""

SEPARATOR = "separator"
"""The type of a property that is a heading and has no value."""

MANY_VALUES = frozenset({"many2many", "tags"})
"""The types of properties that hold a list."""


@dataclass(frozen=True, slots=True)
class Property:
    """One property that can hold a value.

    Attributes:
        name: Its technical name, such as ``aa34746a6851ee4e``.
        key: What it is called outside: its label, or where that is not enough its
            technical name.
        field: It as a field of its own, called by its key.
        value: The value that came with its definition, in the form that Odoo stores.
        default: Its value on a record that has none yet, in the same form.
    """

    name: str
    key: str
    field: Field
    value: Any
    default: Any


def are_definitions(value: Any) -> TypeGuard[Definitions]:
    """Whether this is what Odoo answers for a properties field."""
    return is_sequence(value) and all(
        is_mapping(item) and "name" in item and "type" in item for item in value
    )


def keys_of(definitions: Definitions) -> list[str]:
    """Answer what each property is called outside.

    That is its label, unless it has none, another one has the same, or the label is
    the technical name of one; then it is its technical name.
    """
    labels = [item.get("string") or "" for item in definitions]
    taken = Counter(labels)
    names = {item["name"] for item in definitions}
    return [
        label if label and taken[label] == 1 and label not in names else item["name"]
        for item, label in zip(definitions, labels, strict=True)
    ]


def properties_of(definitions: Definitions) -> list[Property]:
    """Answer the properties that can hold a value."""
    return [
        Property(
            name=item["name"],
            key=key,
            field=_field_of(item, key),
            value=_stored(item, item.get("value")),
            default=_stored(item, item.get("default")),
        )
        for item, key in zip(definitions, keys_of(definitions), strict=True)
        if item["type"] != SEPARATOR
    ]


def find_property(field: Field, properties: Sequence[Property], key: Any) -> Property:
    """Answer the property of a label or of a technical name.

    Args:
        field: The properties field.
        properties: The properties that there are.
        key: What it is called.

    Raises:
        InvalidRequest: There is none, or there are several; the message names them.
    """
    for found in properties:
        if key in (found.key, found.name):
            return found
    same = [found.name for found in properties if found.field.label == key]
    if same:
        raise InvalidRequest(
            f"{len(same)} properties of {field.name!r} are called {key!r}: give the "
            f"technical name, which is one of {', '.join(map(repr, same))}."
        )
    keys = [found.key for found in properties]
    close = get_close_matches(str(key), keys, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise InvalidRequest(
        f"{field.name!r} has no property {show(key)}.{hint} "
        f"There are {', '.join(map(repr, keys)) or 'none'}."
    )


def named_values(field: Field, value: Any) -> dict[Any, Any]:
    """Answer the properties to write with their values, from either form.

    Args:
        field: The properties field.
        value: A mapping, or the list that Odoo reads.

    Raises:
        InvalidRequest: It is neither.
    """
    if is_mapping(value):
        return dict(value)
    if not are_definitions(value):
        raise InvalidRequest(
            f"{field.name!r} holds properties: send those to change by their label, "
            f"such as {{'Colour': 'blue'}}, not {show(value)}."
        )
    if any(
        item.get("definition_changed") or item.get("definition_deleted")
        for item in value
    ):
        raise InvalidRequest(
            f"{field.name!r} holds values. To change which properties there are, write "
            f"{field.definition_record_field!r} on the record that "
            f"{field.definition_record!r} names."
        )
    return {
        item["name"]: _stored(item, item["value"])
        for item in value
        if "value" in item and item["type"] != SEPARATOR
    }


def _field_of(item: Mapping[str, Any], key: str) -> Field:
    choices = item.get("selection") or item.get("tags") or ()
    return Field(
        name=key,
        type=item["type"],
        label=item.get("string") or item["name"],
        relation=item.get("comodel") or None,
        selection=tuple((choice[0], str(choice[1])) for choice in choices),
    )


def _stored(item: Mapping[str, Any], value: Any) -> Any:
    """Answer a value as Odoo stores it: records are read with their names."""
    if is_empty(value):
        return False
    if item["type"] == "many2one" and is_sequence(value):
        return value[0]
    if item["type"] == "many2many" and is_sequence(value):
        return [each[0] if is_sequence(each) else each for each in value]
    return value
