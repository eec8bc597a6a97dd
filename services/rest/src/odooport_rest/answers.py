"""How answers look: exact JSON, and the shapes that the API's description shows."""

import json
from typing import Any, Literal

from fastapi import Response
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

PROBLEM_JSON = "application/problem+json"


class ExactJson(JSONResponse):
    """JSON as it is: letters stay letters, and what is no JSON number is no answer."""

    def render(self, content: Any) -> bytes:
        """Encode the content.

        A lone surrogate, which UTF-8 cannot carry, becomes a JSON escape.

        Raises:
            ValueError: A number is not finite.
            TypeError: A value is no JSON value.
        """
        text = json.dumps(
            content, ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
        return text.encode("utf-8", "backslashreplace")


def no_content() -> Response:
    """Answer that it is done and there is nothing to show."""
    return Response(status_code=204)


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
    """A model's fields, as the Odoo user behind the key sees them."""

    model: str = Field(description="Its technical name.")
    fields: dict[str, dict[str, Any]] = Field(
        description="Its fields by name. What a field does not have, such as the model "
        "that it refers to, is left out."
    )


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
