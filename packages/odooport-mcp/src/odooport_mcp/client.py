"""A thin typed client of the tools, for Python programs that speak MCP.

A failed call raises the same error as the domain library would, told apart by its code.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Self

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import INVALID_PARAMS
from pydantic import TypeAdapter, ValidationError

from odooport import (
    AuthenticationFailed,
    GatewayProtocolError,
    GatewayUnavailable,
    InvalidRequest,
    Level,
    OnchangeResult,
    OutcomeUnknown,
    Record,
    RelationGraph,
    Versioned,
)
from odooport.usecases import Identity
from odooport_mcp.failures import error_of
from odooport_mcp.results import (
    ActionEntry,
    Actions,
    Copied,
    Created,
    Deleted,
    Groups,
    MethodList,
    MethodResult,
    ModelDescription,
    ModelList,
    RecordCount,
    RecordPage,
    Records,
    Updated,
)

_TIMEOUT = httpx2.Timeout(30.0, read=300.0)
"""Odoo may think for minutes about a method; to connect takes no longer than this."""


@asynccontextmanager
async def connect(url: str, key: str) -> AsyncGenerator["OdooportClient"]:
    """Connect to Odooport's MCP endpoint over HTTP.

    Args:
        url: Its address, such as ``http://127.0.0.1:8770/mcp``.
        key: An API key, ``odp_...``.

    Raises:
        AuthenticationFailed: The key is not valid.
        GatewayUnavailable: There is no Odooport at the address.
    """
    refusals: list[AuthenticationFailed] = []

    async def note_refusal(response: httpx2.Response) -> None:
        # The SDK's client keeps the status to itself, so it is noted down here.
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            refusals.append(AuthenticationFailed(await _detail(response)))

    failure: Exception | None = None
    http = httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {key}"},
        timeout=_TIMEOUT,
        event_hooks={"response": [note_refusal]},
    )
    try:
        async with (
            http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            try:
                yield OdooportClient(client)
            except Exception as error:  # noqa: BLE001  raised again below
                # Let out here, it would arrive wrapped in an ExceptionGroup.
                failure = error
    except* (MCPError, httpx2.TransportError) as errors:
        failure = GatewayUnavailable("Odooport cannot be reached at this address.")
        failure.__cause__ = errors
    if refusals:
        raise refusals[0] from failure
    if failure is not None:
        raise failure


async def _detail(response: httpx2.Response) -> str:
    await response.aread()
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return "The API key is not valid."


class OdooportClient:
    """Odooport's tools as methods; arguments and answers are those of the tools.

    Args:
        client: A connected client of the MCP SDK, over any transport.
        context: How to look at Odoo; see ``acting_as``.
    """

    def __init__(
        self, client: Client, *, context: Mapping[str, Any] | None = None
    ) -> None:
        self._client = client
        self._context = dict(context or {})

    def acting_as(
        self,
        *,
        instance: str | None = None,
        company: int | None = None,
        lang: str | None = None,
        tz: str | None = None,
        archived: bool | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Self:
        """Answer the same client with another instance or context.

        Args:
            instance: Which Odoo database.
            company: The company to work in.
            lang: A language that is active in the database, such as ``fr_FR``.
            tz: An IANA time zone name.
            archived: True also finds archived records.
            extra: Further keys of Odoo's context, if the role has them.
        """
        wanted = {
            "instance": instance,
            "company": company,
            "lang": lang,
            "tz": tz,
            "archived": archived,
            "extra": extra,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        return type(self)(self._client, context={**self._context, **given})

    async def whoami(self, *, fresh: bool | None = None) -> Identity:
        """Answer who the caller is, here and in Odoo."""
        return await self._read(Identity, "whoami", fresh=fresh)

    async def find_models(
        self, query: str | None = None, *, limit: int | None = None
    ) -> ModelList:
        """Find models by name or label."""
        return await self._read(ModelList, "find_models", query=query, limit=limit)

    async def describe_model(
        self,
        model: str,
        *,
        level: Level = Level.BRIEF,
        fields: Sequence[str] | None = None,
        refresh: bool = False,
    ) -> ModelDescription:
        """Describe a model at some level, or the fields that are named in detail."""
        return await self._read(
            ModelDescription,
            "describe_model",
            model=model,
            level=level.value,
            fields=_listed(fields),
            refresh=refresh,
        )

    async def model_relations(
        self, model: str, *, depth: int | None = None, to: str | None = None
    ) -> RelationGraph:
        """Answer which other models a model is tied to."""
        return await self._read(
            RelationGraph, "model_relations", model=model, depth=depth, to=to
        )

    async def find_methods(
        self, model: str, query: str | None = None, *, limit: int | None = None
    ) -> MethodList:
        """Find the methods of a model, with their arguments."""
        return await self._read(
            MethodList, "find_methods", model=model, query=query, limit=limit
        )

    async def record_actions(self, model: str, record_id: int) -> list[ActionEntry]:
        """Answer what can be done with a record now.

        Raises:
            RecordMissing: There is no such record.
        """
        answer = await self._read(Actions, "record_actions", model=model, id=record_id)
        return answer.actions

    async def preview_values(
        self,
        model: str,
        values: Mapping[str, Any],
        *,
        changed: Sequence[str] | None = None,
        record_id: int | None = None,
    ) -> OnchangeResult:
        """Answer what a form would fill in after these values; saves nothing."""
        return await self._read(
            OnchangeResult,
            "preview_values",
            model=model,
            values=dict(values),
            changed=_listed(changed),
            id=record_id,
        )

    async def search_records(
        self,
        model: str,
        domain: Sequence[Any] | str | None = None,
        *,
        q: str | None = None,
        fields: Sequence[str] | None = None,
        order: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        count: bool = False,
    ) -> RecordPage:
        """Find records and answer a page of them."""
        return await self._read(
            RecordPage,
            "search_records",
            model=model,
            domain=_listed(domain),
            q=q,
            fields=_listed(fields),
            order=order,
            limit=limit,
            cursor=cursor,
            count=count,
        )

    async def read_records(
        self,
        model: str,
        ids: Sequence[int],
        *,
        fields: Sequence[str] | None = None,
        languages: Sequence[str] | None = None,
    ) -> list[Record]:
        """Answer records by id.

        Raises:
            RecordMissing: One of them does not exist.
        """
        answer = await self._read(
            Records,
            "read_records",
            model=model,
            ids=list(ids),
            fields=_listed(fields),
            languages=_listed(languages),
        )
        return answer.records

    async def read_versions(
        self,
        model: str,
        ids: Sequence[int],
        *,
        fields: Sequence[str] | None = None,
        languages: Sequence[str] | None = None,
    ) -> list[Versioned]:
        """Answer records by id, each with its version for ``if_match``.

        Raises:
            RecordMissing: One of them does not exist.
        """
        answer = await self._read(
            Records,
            "read_records",
            model=model,
            ids=list(ids),
            fields=_listed(fields),
            languages=_listed(languages),
            versions=True,
        )
        return list(map(Versioned, answer.records, answer.versions or ()))

    async def count_records(
        self,
        model: str,
        domain: Sequence[Any] | str | None = None,
        *,
        q: str | None = None,
    ) -> int:
        """Count records."""
        answer = await self._read(
            RecordCount, "count_records", model=model, domain=_listed(domain), q=q
        )
        return answer.count

    async def aggregate_records(
        self,
        model: str,
        domain: Sequence[Any] | str | None = None,
        *,
        groupby: Sequence[str] | None = None,
        aggregates: Sequence[str] | None = None,
        order: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Groups:
        """Group records and sum them up."""
        return await self._read(
            Groups,
            "aggregate_records",
            model=model,
            domain=_listed(domain),
            groupby=_listed(groupby),
            aggregates=_listed(aggregates),
            order=order,
            limit=limit,
            offset=offset,
        )

    async def create_records(
        self,
        model: str,
        records: Sequence[Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
    ) -> list[int]:
        """Create records, all or none, and answer their ids."""
        answer = await self._write(
            Created,
            "create_records",
            model=model,
            records=[dict(values) for values in records],
            idempotency_key=idempotency_key,
        )
        return answer.ids

    async def copy_record(
        self,
        model: str,
        record_id: int,
        *,
        values: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> int:
        """Copy a record and answer the id of the copy.

        Raises:
            RecordMissing: There is no such record.
        """
        answer = await self._write(
            Copied,
            "copy_record",
            model=model,
            id=record_id,
            values=None if values is None else dict(values),
            idempotency_key=idempotency_key,
        )
        return answer.id

    async def update_records(
        self,
        model: str,
        ids: Sequence[int],
        values: Mapping[str, Any],
        *,
        if_match: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Write the same values on records, all or none.

        Raises:
            RecordChanged: A record does not have the version in ``if_match`` any more.
        """
        await self._write(
            Updated,
            "update_records",
            model=model,
            ids=list(ids),
            values=dict(values),
            if_match=_listed(if_match),
            idempotency_key=idempotency_key,
        )

    async def delete_records(
        self,
        model: str,
        ids: Sequence[int],
        *,
        if_match: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Delete records, all or none.

        Raises:
            RecordChanged: A record does not have the version in ``if_match`` any more.
        """
        await self._write(
            Deleted,
            "delete_records",
            model=model,
            ids=list(ids),
            if_match=_listed(if_match),
            idempotency_key=idempotency_key,
        )

    async def call_method(
        self,
        model: str,
        method: str,
        ids: Sequence[int] | None = None,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Call a public method and answer what it returned, as Odoo gives it."""
        answer = await self._write(
            MethodResult,
            "call_method",
            model=model,
            method=method,
            ids=_listed(ids),
            args=_listed(args),
            kwargs=None if kwargs is None else dict(kwargs),
            idempotency_key=idempotency_key,
        )
        return answer.result

    async def _read[T](self, kind: type[T], tool: str, **arguments: Any) -> T:
        """Call a tool that changes nothing.

        Raises:
            OdooportError: What the tool refused, as the class of its code.
            GatewayProtocolError: No readable answer came.
        """
        try:
            return await self._call(kind, tool, arguments)
        except (MCPError, ValidationError) as error:
            raise GatewayProtocolError("Odooport gave no readable answer.") from error

    async def _write[T](self, kind: type[T], tool: str, **arguments: Any) -> T:
        """Call a tool that may change something.

        Raises:
            OdooportError: What the tool refused, as the class of its code.
            OutcomeUnknown: No readable answer came; it may or may not be done.
        """
        try:
            return await self._call(kind, tool, arguments)
        except (MCPError, ValidationError) as error:
            raise OutcomeUnknown(
                "Odooport gave no readable answer: the change may or may not be done. "
                "Read the records before you send it again."
            ) from error

    async def _call[T](
        self, kind: type[T], tool: str, arguments: Mapping[str, Any]
    ) -> T:
        sent = {name: value for name, value in arguments.items() if value is not None}
        if self._context:
            sent["context"] = self._context
        try:
            result = await self._client.call_tool(tool, sent)
        except MCPError as error:
            if error.code != INVALID_PARAMS:
                raise
            raise InvalidRequest(error.message) from error
        if result.is_error:
            raise error_of(result)
        return TypeAdapter(kind).validate_python(result.structured_content)


def _listed(raw: Sequence[Any] | None) -> Any:
    return list(raw) if raw is not None and not isinstance(raw, str) else raw
