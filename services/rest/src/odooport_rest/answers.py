"""How answers look: the shapes that the API's description shows."""

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel, Field

from odooport import Level

FINGERPRINT = "Schema-Fingerprint"
"""The header with the fingerprint of the model's schema, in answers and as a pin."""


def no_content(headers: Mapping[str, str]) -> Response:
    """Answer that it is done and there is nothing to show."""
    return Response(status_code=204, headers=headers)


class RecordAnswer(BaseModel, extra="allow"):
    """A record: its id, and the fields that were asked for."""

    id: int = Field(description="The record's id.")


class PageInfo(BaseModel):
    """Which part of the records that a search finds an answer holds."""

    limit: int = Field(description="The most records that this answer could hold.")
    capped: bool = Field(description="Whether that is less than was asked for.")
    has_more: bool = Field(description="Whether there are records after these.")
    next_cursor: str | None = Field(
        description="Send it as `cursor`, with the same search, to get the next page."
    )
    paging: Literal["keyset", "offset"] = Field(
        description="`keyset` is safe while others write; `offset` may repeat or miss "
        "records then."
    )
    total: int | None = Field(
        description="How many records the search finds; only with `count=exact`."
    )


class RecordsAnswer(BaseModel):
    """A page of records."""

    records: list[RecordAnswer]
    page: PageInfo


class GroupsInfo(BaseModel):
    """Which part of the groups an answer holds."""

    limit: int = Field(description="The most groups that this answer could hold.")
    capped: bool = Field(description="Whether that is less than was asked for.")
    has_more: bool = Field(description="Whether there are groups after these.")
    next_offset: int | None = Field(
        description="Send it as `offset` to get the next groups."
    )


class GroupsAnswer(BaseModel):
    """Groups of records, with what they add up to."""

    groups: list[dict[str, Any]]
    page: GroupsInfo


class ModelItem(BaseModel):
    """A model that the caller can use."""

    model: str = Field(description="Its technical name.")
    label: str = Field(description="What people call it.")


class ModelsAnswer(BaseModel):
    """Models."""

    models: list[ModelItem]


class ModelAnswer(BaseModel):
    """A model, as the Odoo user behind the key sees it."""

    model: str = Field(description="Its technical name.")
    label: str | None = Field(default=None, description="What people call it.")
    level: Level = Field(description="How much this tells.")
    fingerprint: str = Field(
        description="The same as long as the model's structure is the same."
    )
    total: int = Field(description="How many fields it has.")
    fields: dict[str, dict[str, Any]] = Field(
        description="Its fields by name. What a field does not have, such as the model "
        "that it refers to, is left out."
    )
    others: list[str] = Field(description="The names of the fields left out.")
    required: list[str] | None = Field(
        default=None,
        description="For `create`: what must be given, as far as Odoo tells.",
    )
    computed: dict[str, list[str]] | None = Field(
        default=None,
        description="For `create`: required fields that Odoo works out from others, "
        "with what from; they must be given if it cannot.",
    )
    defaults: dict[str, Any] | None = Field(
        default=None, description="For `create`: what Odoo fills in by itself."
    )
    modules: list[str] | None = Field(
        default=None, description="Which modules make it, for administrators."
    )
    transient: bool | None = Field(
        default=None,
        description="Whether its records vanish by themselves, for administrators.",
    )
    notes: list[str] = Field(description="What could not be found out, and why.")


class RelationItem(BaseModel):
    """A field that leads from one model to another."""

    model: str = Field(description="The model that has the field.")
    field: str = Field(description="The field's name.")
    kind: Literal["many2one", "one2many", "many2many"]
    to: str = Field(description="The model that it leads to.")
    inverse: str | None = Field(description="The field that leads back.")
    label: str = Field(description="What people call it.")
    required: bool = Field(description="Whether a record must have it.")


class RelationsAnswer(BaseModel):
    """How a model hangs together with others."""

    model: str = Field(description="Where it begins.")
    depth: int = Field(description="How many steps were followed.")
    relations: list[RelationItem] = Field(description="What leads out.")
    incoming: list[RelationItem] | None = Field(
        description="What leads to the model from anywhere; null unless the Odoo user "
        "is an administrator."
    )
    unknown: list[str] = Field(description="Models that the user may not see.")
    complete: bool = Field(description="False if there were too many to follow.")


class MethodItem(BaseModel):
    """A public method."""

    model: str = Field(description="The model or mixin that declares it.")
    name: str
    signature: str = Field(description="Name and parameters.")
    parameters: list[dict[str, Any]] = Field(description="The parameters in order.")
    on_records: bool = Field(description="Whether it is called on records.")
    summary: str = Field(description="What it does; empty if nobody says.")
    operation: str = Field(description="What it is known to do; `call` if unknown.")
    outside: list[str] = Field(description="What it may reach outside of Odoo.")
    module: str = Field(description="The app that brings it.")
    file: str | None = Field(description="Where Odoo 18's source declares it.")
    source: Literal["server", "catalogue"]


class MethodsAnswer(BaseModel):
    """What is known of a model's methods."""

    methods: list[MethodItem]


class ActionItem(BaseModel):
    """A button of a record's form."""

    name: str = Field(description="The method, or the id of a window action.")
    kind: Literal["object", "action"]
    label: str
    available: bool | None = Field(
        description="Whether the form shows it for this record; null if unknown."
    )
    callable: bool = Field(description="Whether `/methods/{method}` can do it.")
    reason: str | None = Field(description="Why not, or why that is unknown.")
    place: str = Field(description="Where in the form it stands.")
    confirm: str | None = Field(description="What the form asks first.")
    context: str | None = Field(description="What it adds to the context.")
    help: str | None


class ActionsAnswer(BaseModel):
    """What can be done with a record now."""

    actions: list[ActionItem]


class WarningItem(BaseModel):
    """What a form would say."""

    title: str
    message: str
    type: str


class OnchangeAnswer(BaseModel):
    """What a form would fill in."""

    values: dict[str, Any] = Field(
        description="The values that would change; they can be sent to a create."
    )
    derived: dict[str, Any] = Field(
        description="What the form would show and only Odoo sets, such as totals."
    )
    warnings: list[WarningItem]


class CreatedAnswer(BaseModel):
    """The ids of records that were created, in the order of the values."""

    ids: list[int]


class DefaultsAnswer(BaseModel):
    """What a new record would hold if nothing were said."""

    values: dict[str, Any]


class ResultAnswer(BaseModel):
    """What a method returned, as Odoo gives it; null if nothing."""

    result: Any


class StatusAnswer(BaseModel):
    """How the service is."""

    status: Literal["ok", "ready"]


class KindAnswer(BaseModel):
    """What a kind of problem means."""

    type: str
    code: str
    title: str
    status: int
    detail: str
