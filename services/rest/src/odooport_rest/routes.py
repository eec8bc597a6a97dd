"""The routes of the API: parse, call one use case, show what it answers."""

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Query, Request, Response, Security
from fastapi.security import HTTPBearer
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from odooport import (
    DEFAULT_INSTANCE,
    AnswerLost,
    Caller,
    Description,
    Gate,
    Identity,
    InvalidRequest,
    Level,
    Odoo,
    OdooportError,
)
from odooport_rest.answers import (
    FINGERPRINT,
    ActionsAnswer,
    CreatedAnswer,
    DefaultsAnswer,
    GroupsAnswer,
    MethodsAnswer,
    ModelAnswer,
    ModelsAnswer,
    OnchangeAnswer,
    RecordAnswer,
    RecordsAnswer,
    RelationsAnswer,
    ResultAnswer,
    no_content,
)
from odooport_rest.guard import guarded_by, takes_key
from odooport_rest.parameters import (
    CallQuery,
    DescribeQuery,
    FieldsQuery,
    GroupsBody,
    GroupsQuery,
    IfMatch,
    MeQuery,
    MethodBody,
    MethodName,
    MethodsQuery,
    ModelName,
    ModelsQuery,
    OnchangeBody,
    RecordId,
    RecordQuery,
    RecordsQuery,
    RelationsQuery,
    SearchBody,
    SomeValues,
    Values,
)
from odooport_rest.problems import ProblemDetails
from odooport_runtime.problems import ExactJson

_logger = logging.getLogger(__name__)

_HEX = re.compile(r"[0-9a-f]{16}", re.ASCII)
_KEPT = (FINGERPRINT, "ETag", "Cache-Control")

_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDetails, "description": text}
    for status, text in (
        (400, "Odoo's business rules refused it."),
        (401, "The API key is missing or not valid."),
        (403, "The key's role, or Odoo's access rights, do not allow it."),
        (404, "There is no such record."),
        (409, "The record changed since you read it, or is being changed."),
        (412, "The model does not have the fingerprint that the request names."),
        (413, "The body is too large."),
        (421, "The host name is not served here."),
        (422, "The request is wrong; nothing was sent to Odoo."),
        (429, "Too many calls; see Retry-After."),
        (431, "The headers or the address are too long."),
        (500, "Odooport failed unexpectedly."),
        (502, "Odoo failed, or its answer was lost or cannot be read."),
        (503, "Odoo cannot be reached; nothing was done."),
        (504, "A change was sent and no answer came: it may or may not be done."),
    )
}


def _tagged(status: int) -> dict[int | str, dict[str, Any]]:
    """Say in the description which answer has an entity tag."""
    return {status: {"headers": {"ETag": {}}}}


_KEYED = [Depends(takes_key)]
"""What a route that changes something takes besides: an idempotency key."""


def v1(gate: Gate) -> APIRouter:
    """Answer the routes of the API's first version.

    Args:
        gate: The guarded path to Odoo.
    """
    scheme = HTTPBearer(
        scheme_name="ApiKey",
        description="A key that `odooport keys create` made: `odp_...`.",
        auto_error=False,  # the guard before each route answers
    )
    api = APIRouter(
        prefix="/v1",
        route_class=guarded_by(gate),
        dependencies=[Security(scheme)],
        responses=_ERRORS,
    )

    def odoo(caller: Caller, query: CallQuery) -> Odoo:
        return Odoo(gate, caller, instance=query.instance).acting_as(
            company=query.companies(),
            lang=query.lang,
            tz=query.tz,
            active_test=False if query.archived else None,
            extra=query.more(),
        )

    async def about(
        model: str, pin: str | None, who: Caller, query: CallQuery
    ) -> tuple[Odoo, dict[str, str]]:
        """Answer Odoo for a request about a model, and the headers of the answer.

        A request that pins the model's fingerprint goes no further if it is another
        one now.
        """
        caller = odoo(who, query)
        known = caller.fields(model) if pin is None else caller.expect(model, pin)
        return caller, {FINGERPRINT: (await known).fingerprint}

    @api.get("/me", tags=["Who and what"], summary="Who am I?", response_model=Identity)
    async def me(who: _Who, query: Annotated[MeQuery, Query()]) -> Response:
        """Answer who the key stands for, here and in Odoo, and Odoo's version."""
        return ExactJson(asdict(await odoo(who, query).whoami(fresh=query.fresh)))

    @api.get(
        "/models",
        tags=["Who and what"],
        summary="Find models",
        response_model=ModelsAnswer,
    )
    async def models(who: _Who, query: Annotated[ModelsQuery, Query()]) -> Response:
        """Answer the models that the Odoo user behind the key can read."""
        found = await odoo(who, query).models(query.q, refresh=query.refresh)
        return ExactJson({"models": [asdict(info) for info in found]})

    @api.get(
        "/models/{model}",
        tags=["Who and what"],
        summary="Describe a model",
        response_model=ModelAnswer,
    )
    async def describe(
        model: ModelName,
        request: Request,
        who: _Who,
        query: Annotated[DescribeQuery, Query()],
        pin: _Pin = None,
    ) -> Response:
        """Answer what a model looks like, at the level asked for.

        The `ETag` begins with the fingerprint of the model's structure, which is the
        same in every language; send it back as `If-None-Match` to get a 304 as long as
        nothing changed.
        """
        names = query.field_names()
        caller, headers = await about(model, pin, who, query)
        known = request.headers.get("if-none-match", "")
        told = await caller.describe(
            model,
            level=query.level,
            fields=names,
            # Who asks whether it is still so does not ask our memory.
            refresh=query.refresh or bool(known),
        )
        answer = ExactJson(_described(told), headers=headers)
        digest = hashlib.sha256(answer.body).hexdigest()[:16]
        answer.headers[FINGERPRINT] = told.fingerprint
        answer.headers["ETag"] = tag = f'"{told.fingerprint}-{digest}"'
        answer.headers["Cache-Control"] = "private, no-cache"
        if _matches(known, tag):
            kept = {name: answer.headers[name] for name in _KEPT}
            return Response(status_code=304, headers=kept)
        return answer

    @api.get(
        "/models/{model}/relations",
        tags=["Who and what"],
        summary="How a model hangs together with others",
        response_model=RelationsAnswer,
    )
    async def relations(
        model: ModelName,
        who: _Who,
        query: Annotated[RelationsQuery, Query()],
        pin: _Pin = None,
    ) -> Response:
        """Answer the relations that lead out of a model, and those that lead to it."""
        caller, headers = await about(model, pin, who, query)
        graph = await caller.relations(model, depth=query.depth, to=query.to)
        return ExactJson(asdict(graph), headers=headers)

    @api.get(
        "/models/{model}/methods",
        tags=["Methods"],
        summary="Find the public methods of a model",
        response_model=MethodsAnswer,
    )
    async def methods(
        model: ModelName,
        who: _Who,
        query: Annotated[MethodsQuery, Query()],
        pin: _Pin = None,
    ) -> Response:
        """Answer what is known of a model's methods and of their arguments.

        An Odoo 19 tells of its own methods; of those of Odoo 18's standard apps we keep
        a list. A method that is not in it may exist all the same.
        """
        caller, headers = await about(model, pin, who, query)
        found = await caller.methods(model, query=query.q)
        shown = [{**asdict(it), "signature": it.signature} for it in found]
        return ExactJson({"methods": shown}, headers=headers)

    @api.post(
        "/models/{model}/onchange",
        tags=["Records"],
        summary="What a form would fill in; saves nothing",
        response_model=OnchangeAnswer,
    )
    async def onchange(
        model: ModelName,
        who: _Who,
        query: Annotated[CallQuery, Query()],
        body: OnchangeBody,
        pin: _Pin = None,
    ) -> Response:
        """Answer which values Odoo's form would change after these were typed.

        Creating a record runs its defaults, but not this: send along what you want of
        the answer.
        """
        caller, headers = await about(model, pin, who, query)
        filled = await caller.onchange(
            model, body.values, changed=body.changed, record_id=body.id
        )
        return ExactJson(asdict(filled), headers=headers)

    @api.get(
        "/models/{model}/defaults",
        tags=["Who and what"],
        summary="What a new record would hold",
        response_model=DefaultsAnswer,
    )
    async def defaults(
        model: ModelName,
        who: _Who,
        query: Annotated[FieldsQuery, Query()],
        pin: _Pin = None,
    ) -> Response:
        """Answer Odoo's default values for a new record."""
        names = query.field_names()
        caller, headers = await about(model, pin, who, query)
        values = await caller.default_get(model, names)
        return ExactJson({"values": values}, headers=headers)

    async def page(
        model: str, pin: str | None, who: Caller, query: CallQuery, search: SearchBody
    ) -> Response:
        caller = odoo(who, query)
        if pin is not None:
            await caller.expect(model, pin)
        found = await caller.search_read(
            model,
            search.domain,
            q=search.q,
            fields=search.fields,
            order=search.order,
            limit=search.limit,
            cursor=search.cursor,
            count=search.count == "exact",
        )
        return ExactJson(
            {
                "records": found.records,
                "page": {
                    "limit": found.limit,
                    "capped": found.capped,
                    "has_more": found.has_more,
                    "next_cursor": found.cursor,
                    "paging": found.paging,
                    "total": found.total,
                },
            },
            headers={FINGERPRINT: found.fingerprint},
        )

    @api.get(
        "/models/{model}/records",
        tags=["Records"],
        summary="Find records",
        response_model=RecordsAnswer,
    )
    async def records(
        model: ModelName,
        who: _Who,
        query: Annotated[RecordsQuery, Query()],
        pin: _Pin = None,
    ) -> Response:
        """Answer a page of the records that a search finds."""
        return await page(model, pin, who, query, query.search())

    @api.post(
        "/models/{model}/search",
        tags=["Records"],
        summary="Find records, with the search as a body",
        response_model=RecordsAnswer,
    )
    async def search(
        model: ModelName,
        who: _Who,
        query: Annotated[CallQuery, Query()],
        body: SearchBody,
        pin: _Pin = None,
    ) -> Response:
        """Answer a page of the records that a search finds; it changes nothing."""
        return await page(model, pin, who, query, body)

    @api.get(
        "/models/{model}/records/{id}",
        tags=["Records"],
        summary="Read a record",
        response_model=RecordAnswer,
        responses=_tagged(200),
    )
    async def read(
        model: ModelName,
        record_id: RecordId,
        request: Request,
        who: _Who,
        query: Annotated[RecordQuery, Query()],
        pin: _Pin = None,
    ) -> Response:
        """Answer one record.

        Send its `ETag` back as `If-None-Match` to get a 304 as long as the answer is
        the same, or as `If-Match` with a change that must not overwrite another.
        """
        names, languages = query.field_names(), query.language_codes()
        caller, headers = await about(model, pin, who, query)
        (found,) = await caller.read_versions(
            model, [record_id], fields=names, languages=languages
        )
        answer = _with_tag(ExactJson(found.record, headers=headers), found.version)
        # Nobody else on the way shall keep records: no Cache-Control that allows it.
        if _matches(request.headers.get("if-none-match", ""), answer.headers["ETag"]):
            kept = {name: answer.headers[name] for name in (FINGERPRINT, "ETag")}
            return Response(status_code=304, headers=kept)
        return answer

    @api.get(
        "/models/{model}/records/{id}/actions",
        tags=["Methods"],
        summary="What can be done with a record now",
        response_model=ActionsAnswer,
    )
    async def actions(
        model: ModelName,
        record_id: RecordId,
        who: _Who,
        query: Annotated[CallQuery, Query()],
        pin: _Pin = None,
    ) -> Response:
        """Answer the buttons of the record's form, and whether it shows them now."""
        caller, headers = await about(model, pin, who, query)
        found = await caller.actions(model, record_id)
        return ExactJson({"actions": [asdict(it) for it in found]}, headers=headers)

    async def read_back(
        model: str,
        record_id: int,
        caller: Odoo,
        names: Sequence[str] | None,
        headers: Mapping[str, str],
        *,
        status: int = 200,
    ) -> Response:
        """Answer a record that was just written, or its id if it cannot be read.

        The change is done: an error now would make the caller send it again.
        """
        try:
            (found,) = await caller.read_versions(model, [record_id], fields=names)
        except OdooportError as error:
            _logger.info("written, not read back", extra={"outcome": error.code})
            return ExactJson({"id": record_id}, status, headers)
        return _with_tag(ExactJson(found.record, status, headers), found.version)

    async def checked(model: str, caller: Odoo, names: Sequence[str] | None) -> None:
        """Refuse unknown fields to answer before anything is written."""
        if names is not None:
            (await caller.fields(model)).check(names)

    @api.post(
        "/models/{model}/records",
        tags=["Records"],
        summary="Create one record, or many",
        dependencies=_KEYED,
        status_code=201,
        response_model=RecordAnswer | CreatedAnswer,
        responses=_tagged(201),
    )
    async def create(
        model: ModelName,
        request: Request,
        who: _Who,
        query: Annotated[FieldsQuery, Query()],
        body: SomeValues,
        pin: _Pin = None,
    ) -> Response:
        """Create one record from an object of values, or many from a list of those.

        For one, the answer is the record, and `Location` says where it is; only its
        `id` if the key may not read it. For many, which are all created or none, it is
        their `ids`.
        """
        names = query.field_names()
        caller, headers = await about(model, pin, who, query)
        if isinstance(body, list):
            if names is not None:
                raise InvalidRequest(
                    "fields: the answer to a list of values holds only ids; leave "
                    "fields out."
                )
            made = await caller.create(model, body)
            return ExactJson({"ids": made}, 201, headers)
        await checked(model, caller, names)
        (record_id,) = await caller.create(model, body)
        headers |= _location(request, model, record_id, query)
        return await read_back(model, record_id, caller, names, headers, status=201)

    @api.patch(
        "/models/{model}/records/{id}",
        tags=["Records"],
        summary="Change a record",
        dependencies=_KEYED,
        response_model=RecordAnswer,
        responses=_tagged(200),
    )
    async def update(
        model: ModelName,
        record_id: RecordId,
        who: _Who,
        query: Annotated[FieldsQuery, Query()],
        body: Values,
        versions: IfMatch,
        pin: _Pin = None,
    ) -> Response:
        """Change the fields that are given, and answer the record.

        Only its `id` is answered if the key may not read it afterwards. With
        `If-Match`, the record is compared right before it is written; Odoo cannot do
        both in one step, so a gap of milliseconds remains.
        """
        names = query.field_names()
        caller, headers = await about(model, pin, who, query)
        await checked(model, caller, names)
        await caller.write(model, [record_id], body, if_match=versions)
        return await read_back(model, record_id, caller, names, headers)

    @api.delete(
        "/models/{model}/records/{id}",
        tags=["Records"],
        summary="Delete a record",
        dependencies=_KEYED,
        status_code=204,
    )
    async def delete(
        model: ModelName,
        record_id: RecordId,
        who: _Who,
        query: Annotated[CallQuery, Query()],
        versions: IfMatch,
        pin: _Pin = None,
    ) -> Response:
        """Delete a record for good. To archive it, change `active` to false."""
        caller, headers = await about(model, pin, who, query)
        await caller.unlink(model, [record_id], if_match=versions)
        return no_content(headers)

    @api.post(
        "/models/{model}/records/{id}/copy",
        tags=["Records"],
        summary="Copy a record",
        dependencies=_KEYED,
        status_code=201,
        response_model=RecordAnswer,
        responses=_tagged(201),
    )
    async def copy(
        model: ModelName,
        record_id: RecordId,
        request: Request,
        who: _Who,
        query: Annotated[FieldsQuery, Query()],
        body: Values,
        pin: _Pin = None,
    ) -> Response:
        """Copy a record; the body says what shall differ, `{}` for nothing."""
        names = query.field_names()
        caller, headers = await about(model, pin, who, query)
        await checked(model, caller, names)
        made = await caller.copy(model, record_id, values=body)
        headers |= _location(request, model, made, query)
        return await read_back(model, made, caller, names, headers, status=201)

    async def groups(
        model: str, pin: str | None, who: Caller, query: CallQuery, wanted: GroupsBody
    ) -> Response:
        caller, headers = await about(model, pin, who, query)
        # One group more than wanted tells whether there are more; the role's cap
        # counts that one too.
        most = max(1, who.principal.max_rows - 1)
        size = min(wanted.limit, most)
        found = await caller.aggregate(
            model,
            wanted.domain,
            groupby=wanted.groupby,
            aggregates=wanted.aggregates,
            order=wanted.order,
            limit=size + 1,
            offset=wanted.offset,
        )
        has_more = len(found) > size
        return ExactJson(
            {
                "groups": found[:size],
                "page": {
                    "limit": size,
                    "capped": wanted.limit > most,
                    "has_more": has_more,
                    "next_offset": wanted.offset + size if has_more else None,
                },
            },
            headers=headers,
        )

    @api.get(
        "/models/{model}/aggregate",
        tags=["Records"],
        summary="Group records and add them up",
        response_model=GroupsAnswer,
    )
    async def aggregate(
        model: ModelName,
        who: _Who,
        query: Annotated[GroupsQuery, Query()],
        pin: _Pin = None,
    ) -> Response:
        """Answer groups of records with counts, sums and the like."""
        return await groups(model, pin, who, query, query.groups())

    @api.post(
        "/models/{model}/aggregate",
        tags=["Records"],
        summary="Group records, with the question as a body",
        response_model=GroupsAnswer,
    )
    async def aggregate_body(
        model: ModelName,
        who: _Who,
        query: Annotated[CallQuery, Query()],
        body: GroupsBody,
        pin: _Pin = None,
    ) -> Response:
        """Answer groups of records with counts, sums and the like."""
        return await groups(model, pin, who, query, body)

    @api.post(
        "/models/{model}/methods/{method}",
        tags=["Methods"],
        summary="Call a public method",
        dependencies=_KEYED,
        response_model=ResultAnswer,
    )
    async def call(
        model: ModelName,
        method: MethodName,
        who: _Who,
        query: Annotated[CallQuery, Query()],
        body: MethodBody,
        pin: _Pin = None,
    ) -> Response:
        """Call a method such as a button's, and answer what it returned."""
        caller, headers = await about(model, pin, who, query)
        result = await caller.call(
            model, method, body.ids, args=body.args, kwargs=body.kwargs
        )
        try:
            return ExactJson({"result": result}, headers=headers)
        except (TypeError, ValueError) as exc:
            raise AnswerLost(
                f"{method!r} ran, but what it returned cannot be shown as JSON. Do not "
                "call it again for that; read the records."
            ) from exc

    return api


async def _caller(request: Request) -> Caller:
    """Answer who asks; the guard before the route has found out.

    FastAPI would run it in a thread if it were a plain function.
    """
    caller: Caller = request.state.caller
    return caller


type _Who = Annotated[Caller, Depends(_caller)]


def _fingerprint(raw: object) -> object:
    if isinstance(raw, str) and not _HEX.fullmatch(raw):
        raise PydanticCustomError("fingerprint", "16 hexadecimal digits")
    return raw


type _Pin = Annotated[
    str | None,
    BeforeValidator(_fingerprint),
    Header(
        alias=FINGERPRINT,
        description="The fingerprint that the model had when your program was written: "
        "if it has another one now, nothing is done and the answer is 412.",
        json_schema_extra={"pattern": "^[0-9a-f]{16}$"},
    ),
]


def _described(told: Description) -> dict[str, Any]:
    """Show a description; what its level does not tell at all is left out."""
    answer = asdict(told)
    for name in _UNTOLD[told.level]:
        del answer[name]
    answer["fields"] = {
        entry["name"]: {key: value for key, value in entry.items() if key != "name"}
        for entry in told.fields
    }
    return answer


_ON_CREATE = ("required", "computed", "defaults")
_UNTOLD = {
    Level.BRIEF: (*_ON_CREATE, "modules", "transient"),
    Level.READ: (*_ON_CREATE, "modules", "transient"),
    Level.CREATE: ("modules", "transient"),
    Level.FULL: _ON_CREATE,
}


def _matches(header: str, tag: str) -> bool:
    """Whether an If-None-Match names the tag; source: RFC 9110, 13.1.2."""
    given = [part.strip().removeprefix("W/") for part in header.split(",")]
    return tag in given or given == ["*"]


def _with_tag(answer: Response, version: str) -> Response:
    """Give a record its entity tag.

    A version says whether the record changed; a tag must also be another one where
    merely the answer is, such as after a related record was renamed.
    """
    digest = hashlib.sha256(answer.body).hexdigest()[:16]
    answer.headers["ETag"] = f'"{version}.{digest}"'
    return answer


def _location(
    request: Request, model: str, record_id: int, query: CallQuery
) -> dict[str, str]:
    place = (
        f"{request.scope.get('root_path', '')}/v1/models/{model}/records/{record_id}"
    )
    if query.instance != DEFAULT_INSTANCE:
        place += f"?instance={quote(query.instance, safe='')}"
    return {"Location": place}
