"""What the routes take: parts of the path, query parameters and bodies.

Text in an address is read strictly: ``1.0``, ``+5`` and ``yes`` are neither numbers nor
booleans here. What is not known is refused.
"""

import json
import re
from typing import Annotated, Any, Literal, cast

from fastapi import Body, Depends, Header, Path, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from odooport import InvalidRequest, Level, Problem, RecordVersion
from odooport.discovery import MAX_DEPTH

_INT4 = 2**31 - 1
"""The largest id that Odoo's database can hold."""

_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)

_IDS = r"^ *[0-9]{1,10} *(, *[0-9]{1,10} *)*$"
_NAMES = r"^[^,]+(,[^,]+)*$"
_MODEL = r"^[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*$"
_METHOD = r"^[A-Za-z][A-Za-z0-9_]*$"


def _number(raw: object) -> object:
    if isinstance(raw, str):
        if not _DIGITS.fullmatch(raw):
            raise PydanticCustomError("digits", "Give a whole number in digits")
        return int(raw)
    return raw


def _flag(raw: object) -> object:
    if isinstance(raw, str):
        if raw not in ("true", "false"):
            raise PydanticCustomError("flag", "Give true or false")
        return raw == "true"
    return raw


def _integer(raw: object) -> object:
    return int(raw) if isinstance(raw, float) and raw.is_integer() else raw


Number = Annotated[int, BeforeValidator(_number)]
Integer = Annotated[int, BeforeValidator(_integer)]
"""In JSON, 80.0 is the same integer as 80."""
Id = Annotated[int, Field(ge=1, le=_INT4)]

Flag = Annotated[bool, BeforeValidator(_flag)]
Text = Annotated[str, Field(min_length=1)]


def _shaped(pattern: str) -> dict[str, Any]:
    """Describe the form of a text; what reads it says better why another is wrong."""
    return {"pattern": pattern}


type ModelName = Annotated[
    str,
    Path(
        description="The model's technical name.",
        examples=["res.partner"],
        json_schema_extra=_shaped(_MODEL),
    ),
]
type MethodName = Annotated[
    str,
    Path(
        description="A public method.",
        examples=["action_archive"],
        json_schema_extra=_shaped(_METHOD),
    ),
]
type RecordId = Annotated[
    Id,
    BeforeValidator(_number),  # after the bounds, or the description loses them
    Path(alias="id", description="The record's id.", examples=[7]),
]

_DOMAIN = (
    "Which records, as Odoo's search domain in JSON. Left out, it finds all that the "
    "other parameters let through."
)
_Q = "Only records whose display name matches this text."
_ORDER = "Such as `name desc, id`; by id unless given."
_LIMIT = (
    "The most records to answer. The role of the key has a cap of its own; the answer "
    "says when that is less."
)
_CURSOR = "The `next_cursor` of the page before, to get the next one."
_COUNT = "`exact` also counts all the records that the search finds."
_GROUPBY = (
    "The fields to group by; dates with a granularity, such as `date_order:month`. "
    "None makes one group of all."
)
_AGGREGATES = "`__count`, or a field with a function, such as `amount_total:sum`."
_GROUP_ORDER = "By groups or aggregates named above, such as `amount_total:sum desc`."


class CallQuery(BaseModel):
    """The parameters that every route takes: how Odoo shall look at the call."""

    model_config = ConfigDict(extra="forbid")

    instance: Text = Field(
        default="default", description="Which Odoo, where there are several."
    )
    company: Text | None = Field(
        default=None,
        description="The id of the company to work in; of several, with commas between "
        "them, the first is the current one.",
        examples=["1"],
        json_schema_extra=_shaped(_IDS),
    )
    lang: Text | None = Field(
        default=None,
        description="A language that is active in Odoo; English unless given.",
        examples=["en_US"],
    )
    tz: Text | None = Field(
        default=None,
        description="An IANA time zone, which decides where days and months begin in "
        "groups; UTC unless given.",
        examples=["Europe/Brussels"],
    )
    archived: Flag = Field(
        default=False, description="Whether archived records are found as well."
    )
    extra: Text | None = Field(
        default=None,
        description="Further keys of Odoo's context, as a JSON object; only those that "
        "the role of the key names.",
        examples=['{"mail_create_nolog": true}'],
    )

    def more(self) -> dict[str, Any] | None:
        """Answer the further keys of the context, or None."""
        if self.extra is None:
            return None
        try:
            keys = json.loads(self.extra)
        except (ValueError, RecursionError):
            keys = None
        if not isinstance(keys, dict):
            raise InvalidRequest(
                "extra: give the further keys as a JSON object, such as "
                '{"mail_create_nolog": true}.',
                [Problem("?extra", "Give a JSON object.")],
            )
        return cast("dict[str, Any]", keys)

    def companies(self) -> list[int] | None:
        """Answer the ids of the companies, or None."""
        if self.company is None:
            return None
        names = split(self.company, "company")
        if not all(_DIGITS.fullmatch(name) for name in names):
            raise InvalidRequest(
                f"company: {self.company!r} is no id of a company.",
                [Problem("?company", "Give an id, or several with commas.")],
            )
        return [int(name) for name in names]


class MeQuery(CallQuery):
    """How to answer who is asking."""

    fresh: Flag = Field(
        default=False,
        description="Whether to log in to Odoo anew, which also tries once more what "
        "Odoo has refused.",
    )


class FieldsQuery(CallQuery):
    """With the fields to answer."""

    fields: Text | None = Field(
        default=None,
        description="The fields to answer, with commas between them; a fitting choice "
        "unless given.",
        examples=["name,country_id"],
        json_schema_extra=_shaped(_NAMES),
    )

    def field_names(self) -> list[str] | None:
        """Answer the fields to read, or None for the ones that fit."""
        return None if self.fields is None else split(self.fields, "fields")


class RecordQuery(FieldsQuery):
    """How to answer one record."""

    languages: Text | None = Field(
        default=None,
        description="Answer each translated text as an object with its text in these "
        "languages, with commas between them.",
        examples=["en_US"],
        json_schema_extra=_shaped(_NAMES),
    )

    def language_codes(self) -> list[str] | None:
        """Answer the languages, or None for one text each."""
        return None if self.languages is None else split(self.languages, "languages")


class MethodsQuery(CallQuery):
    """The search for methods."""

    q: Text | None = Field(
        default=None, description="Only methods with this text in name or summary."
    )


_REFRESH = (
    "Whether to ask Odoo in any case: what is known of it is kept for five minutes."
)


class DescribeQuery(FieldsQuery):
    """How much to tell of a model."""

    fields: Text | None = Field(
        default=None,
        description="Exactly these fields, with everything that is known of them.",
        examples=["name,country_id"],
        json_schema_extra=_shaped(_NAMES),
    )
    level: Level = Field(
        default=Level.FULL,
        description="`brief`: the most telling and all required fields; `read`: every "
        "field, with what a search may do with it; `create`: what a new record needs, "
        "gets by default and may have; `full`: everything.",
    )
    refresh: Flag = Field(default=False, description=_REFRESH)


class RelationsQuery(CallQuery):
    """How far to follow relations."""

    depth: Number = Field(
        default=1, ge=1, le=MAX_DEPTH, description="How many steps to follow."
    )
    to: Text | None = Field(
        default=None,
        description="Only the ways that end at this model.",
        examples=["res.country"],
    )


class ModelsQuery(CallQuery):
    """The search for models."""

    q: Text | None = Field(
        default=None, description="Only models with this text in their name or label."
    )
    refresh: Flag = Field(default=False, description=_REFRESH)


class RecordsQuery(FieldsQuery):
    """The search for records."""

    domain: Text | None = Field(
        default=None, description=_DOMAIN, examples=['[["is_company","=",true]]']
    )
    q: Text | None = Field(default=None, description=_Q)
    order: Text | None = Field(default=None, description=_ORDER)
    limit: Number = Field(default=80, ge=1, le=_INT4, description=_LIMIT)
    cursor: Text | None = Field(default=None, description=_CURSOR)
    count: Literal["exact", "none"] = Field(default="none", description=_COUNT)

    def search(self) -> "SearchBody":
        """Answer the same search as the body of a POST."""
        return SearchBody(
            domain=self.domain,
            q=self.q,
            fields=self.field_names(),
            order=self.order,
            limit=self.limit,
            cursor=self.cursor,
            count=self.count,
        )


class GroupsQuery(CallQuery):
    """Groups of records."""

    domain: Text | None = Field(default=None, description=_DOMAIN)
    groupby: Text | None = Field(
        default=None,
        description=f"{_GROUPBY} Several with commas between them.",
        examples=["country_id"],
        json_schema_extra=_shaped(_NAMES),
    )
    aggregates: Text = Field(
        default="__count",
        description=f"{_AGGREGATES} Several with commas between them.",
        examples=["__count"],
        json_schema_extra=_shaped(_NAMES),
    )
    order: Text | None = Field(default=None, description=_GROUP_ORDER)
    limit: Number = Field(
        default=80, ge=1, le=_INT4, description="The most groups to answer."
    )
    offset: Number = Field(
        default=0, ge=0, le=_INT4, description="How many groups to skip."
    )

    def groups(self) -> "GroupsBody":
        """Answer the same question as the body of a POST."""
        groupby = [] if self.groupby is None else split(self.groupby, "groupby")
        return GroupsBody(
            domain=self.domain,
            groupby=groupby,
            aggregates=split(self.aggregates, "aggregates"),
            order=self.order,
            limit=self.limit,
            offset=self.offset,
        )


_Domain = Annotated[Any, WithJsonSchema({"type": ["array", "string", "null"]})]
"""``Domain.parse`` says better than a validator what is wrong with it."""


class _StrictBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class OnchangeBody(_StrictBody):
    """What a form holds."""

    values: dict[str, Any] = Field(
        description="The fields that were typed, as for writing; `{}` for an empty "
        "form. A line may give the values of the record that it is in: "
        '`{"order_id": {"partner_id": 7}}`.',
        examples=[{"name": "Ada"}],
    )
    changed: list[str] | None = Field(
        default=None,
        description="Which of them were just typed; all unless given.",
        examples=[["name"]],
    )
    id: Annotated[Id, BeforeValidator(_integer)] | None = Field(
        default=None, description="The record that the form shows; none for a new one."
    )


class SearchBody(_StrictBody):
    """The search for records, as a body."""

    domain: _Domain = Field(
        default=None, description=_DOMAIN, examples=[[["is_company", "=", True]]]
    )
    q: Text | None = Field(default=None, description=_Q)
    fields: list[str] | None = Field(
        default=None,
        description="The fields to answer; a fitting choice unless given.",
        examples=[["name", "country_id"]],
        json_schema_extra={"minItems": 1},
    )
    order: Text | None = Field(default=None, description=_ORDER, examples=["name"])
    limit: Integer = Field(
        default=80, ge=1, le=_INT4, description=_LIMIT, examples=[10]
    )
    cursor: Text | None = Field(default=None, description=_CURSOR)
    count: Literal["exact", "none"] = Field(default="none", description=_COUNT)


class GroupsBody(_StrictBody):
    """Groups of records, as a body."""

    domain: _Domain = Field(default=None, description=_DOMAIN)
    groupby: list[str] = Field(
        default=[], description=_GROUPBY, examples=[["country_id"]]
    )
    aggregates: list[str] = Field(
        default=["__count"],
        description=_AGGREGATES,
        examples=[["__count"]],
        min_length=1,
    )
    order: Text | None = Field(default=None, description=_GROUP_ORDER)
    limit: Integer = Field(
        default=80, ge=1, le=_INT4, description="The most groups to answer."
    )
    offset: Integer = Field(
        default=0, ge=0, le=_INT4, description="How many groups to skip."
    )


class MethodBody(_StrictBody):
    """The arguments of a method."""

    ids: list[Annotated[Id, BeforeValidator(_integer)]] | None = Field(
        default=None,
        description="The records to call it on; leave it out for a method of the model "
        "itself.",
        examples=[[7]],
        min_length=1,
    )
    args: list[Any] = Field(
        default=[], description="Further positional arguments, as Odoo takes them."
    )
    kwargs: dict[str, Any] = Field(
        default={}, description="Keyword arguments, as Odoo takes them."
    )


_ADA = {"name": "Ada", "email": "ada@example.com"}
_VALUES = {
    "type": "object",
    "additionalProperties": True,
    "description": "Field names with their values. A many2one takes an id, an exact "
    'name, `{"external_id": "base.be"}` or null; an x2many a list of these, which '
    'replaces what is there, plain words such as `{"add": [3], "create": [{…}]}`, '
    "or Odoo's commands; a datetime takes ISO 8601; a translated text also "
    '`{"en_US": "Desk", "fr_FR": "Bureau"}`.',
}

type Values = Annotated[
    dict[str, Any],
    Body(),
    WithJsonSchema({**_VALUES, "examples": [_ADA]}),
]


def _some_values(raw: object) -> object:
    if isinstance(raw, dict) or (isinstance(raw, list) and raw):
        return raw  # pyright: ignore[reportUnknownVariableType]  JSON, checked next
    raise PydanticCustomError(
        "values",
        "Send the values of one record as an object, or those of several as a list of "
        "objects",
    )


type SomeValues = Annotated[
    dict[str, Any] | list[Any],
    BeforeValidator(_some_values),
    Body(),
    WithJsonSchema(
        {
            "anyOf": [_VALUES, {"type": "array", "items": _VALUES, "minItems": 1}],
            "examples": [_ADA, [{"name": "Ada"}, {"name": "Grace"}]],
        }
    ),
]


IF_MATCH = "If-Match"

_TAG = r'(W/)?"[!#-~]*"'
_TAGS = re.compile(rf"[ \t,]*{_TAG}([ \t]*,[ \t,]*{_TAG})*[ \t,]*", re.ASCII)
_EACH_TAG = re.compile(r'(?P<weak>W/)?"(?P<text>[!#-~]*)"', re.ASCII)
"""Entity tags; source: RFC 9110, 8.8.3. None of ours holds anything beyond ASCII."""


async def if_match(
    request: Request,
    header: Annotated[
        str | None,
        Header(
            alias=IF_MATCH,
            description="The `ETag` that the record came with, or several with commas "
            "between them: nothing is done if the record is none of these any more, "
            "and the answer is 409 with the code `conflict`. `*` stands for any.",
            json_schema_extra={"pattern": rf"^(\*|{_TAG}(, *{_TAG})*)$"},
        ),
    ] = None,
) -> list[list[str]] | None:
    """Answer the versions that the record of a request may have; None if any.

    Raises:
        InvalidRequest: There is something else than entity tags of ours, or only weak
            ones, which never match (RFC 9110, 13.1.1).
    """
    if header is None:
        return None
    given = ", ".join(request.headers.getlist(IF_MATCH)).strip()
    if given == "*":
        return [["*"]]
    if not _TAGS.fullmatch(given):
        raise InvalidRequest(
            f"The header {IF_MATCH!r} takes the ETag of the record as it came, quotes "
            "included, or several with commas between them, or *."
        )
    tags = list(_EACH_TAG.finditer(given))
    strong = [tag["text"] for tag in tags if not tag["weak"]]
    if not strong:
        raise InvalidRequest(
            f"The header {IF_MATCH!r} holds only weak tags (W/), which never match. "
            "Something between here and you has made them so: send the tags without W/."
        )
    for text in strong:
        try:
            RecordVersion.parse(text)
        except InvalidRequest:
            raise InvalidRequest(
                f"The header {IF_MATCH!r} holds {text[:80]!r}, which is no ETag of a "
                "record: read the record, and send its ETag as it came."
            ) from None
    return [strong]


type IfMatch = Annotated[list[list[str]] | None, Depends(if_match)]


def split(text: str, name: str) -> list[str]:
    """Split names with commas between them.

    Raises:
        InvalidRequest: There is nothing between two commas.
    """
    names = [part.strip() for part in text.split(",")]
    if not all(names):
        raise InvalidRequest(
            f"{name}: there is nothing between two commas in {text!r}.",
            [Problem(f"?{name}", "Give names with one comma between two of them.")],
        )
    return names
