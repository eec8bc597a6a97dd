"""The use case that reads all records of a search, however many, in little memory."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import batched
from typing import Any, Self, overload

from odooport.domain import Domain
from odooport.errors import InvalidRequest
from odooport.model import Record
from odooport.paging import Paging, Place
from odooport.records import OdooRecord, check_fits, model_of, records_of
from odooport.usecases.asking import reread
from odooport.usecases.reading import Reading
from odooport.usecases.shapes import field_names, id_list, joined
from odooport.values import record_out

_BATCH = 1_000
"""How many records one read asks for at most."""

_AT_ONCE = 2
"""How many reads are under way at once.

Two keep several worker processes of Odoo busy, and hide the way to an Odoo that is far
away; one process of Odoo is not slower for them. More held more and won nothing.
"""

_COST_OF_IDS = 1
"""What a search for ids costs: the rows are charged when they are read."""


@dataclass(slots=True)
class _Tally:
    """How many records there were; apart from the stream, so that no cycle arises."""

    found: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class _Query:
    """What a stream was asked for."""

    model: str | type[OdooRecord]
    domain: Any
    q: str | None
    fields: Sequence[str] | None
    order: str | None
    limit: int | None


class RecordStream[R](AsyncIterator[R]):
    """Records on their way; ``Odoo.stream`` answers it, and ``async for`` reads it.

    It can be read once. Leaving the loop early sends no further read; to wait until
    those under way have ended as well, use ``contextlib.aclosing``.
    """

    def __init__(self, records: AsyncGenerator[R], tally: _Tally) -> None:
        self._records = records
        self._tally = tally

    @property
    def found(self) -> int:
        """How many records the search has found so far."""
        return self._tally.found

    @property
    def left_out(self) -> int:
        """How many of them so far were gone, or did not fit any more, when read."""
        return self._tally.left_out

    def __aiter__(self) -> Self:
        """Answer itself."""
        return self

    async def __anext__(self) -> R:
        """Answer the next record.

        Raises:
            StopAsyncIteration: There are no more.
            OdooportError: See the error tree.
        """
        return await anext(self._records)

    async def aclose(self) -> None:
        """End the reads that are under way; no record comes any more."""
        await self._records.aclose()


class Streaming(Reading):
    """Reading many records; see ``Odoo``."""

    @overload
    def stream(
        self,
        /,
        model: str,
        domain: Any = None,
        *,
        q: str | None = None,
        fields: Sequence[str] | None = None,
        order: str | None = None,
        limit: int | None = None,
    ) -> RecordStream[Record]: ...

    @overload
    def stream[R: OdooRecord](
        self,
        /,
        model: type[R],
        domain: Any = None,
        *,
        q: str | None = None,
        order: str | None = None,
        limit: int | None = None,
    ) -> RecordStream[R]: ...

    def stream(
        self,
        model: str | type[OdooRecord],
        domain: Any = None,
        *,
        q: str | None = None,
        fields: Sequence[str] | None = None,
        order: str | None = None,
        limit: int | None = None,
    ) -> RecordStream[Any]:
        """Answer all records that a search finds, one after the other.

        One search asks for the ids. The records follow by their ids, some at a time
        and a little ahead, in the order of the ids, so that none comes twice and none
        is passed over while others write. One that was deleted since, or changed so
        that the search would not find it now, is left out, and counted in
        ``left_out``.

        Nothing is sent before the first record is asked for. A limit on rows holds for
        each answer of Odoo, not for the stream; where the search finds more than one
        answer may hold, it must be by id, and asks again after the last id. Each
        answer counts for the rate limit by its records, as every read does:
        ``RateLimited`` may come in the middle, after the records before it. The stream
        has ended then, as after every error.

        Args:
            model: The model's technical name, or the class of its records; one with
                few fields is read faster.
            domain: Which records; see ``Domain.parse``. None finds all.
            q: Only records whose display name matches this text.
            fields: Which fields to answer; a telling few unless given. A class says so
                itself.
            order: Such as ``date_order desc, name``; by id unless given.
            limit: The most records to find; all unless given.

        Raises:
            InvalidRequest: See the message; nothing was sent. As all errors, it comes
                when a record is asked for.
            SchemaChanged: The class does not fit the model any more.
            OdooportError: See the error tree.
        """
        tally = _Tally()
        query = _Query(model, domain, q, fields, order, limit)
        return RecordStream(self._read_ahead(query, tally), tally)

    async def _read_ahead(self, query: _Query, tally: _Tally) -> AsyncGenerator[Any]:
        """Answer the records in order, with a few reads under way meanwhile."""
        most = self._caller.principal.concurrency or _AT_ONCE
        under_way = deque[asyncio.Task[list[Any]]]()
        try:
            async with aclosing(self._batches(query, tally)) as batches:
                async for ids in batches:
                    read = asyncio.create_task(self._batch(query, ids, tally))
                    under_way.append(read)
                    if len(under_way) < min(most, _AT_ONCE):
                        continue
                    for record in await under_way.popleft():
                        yield record
            while under_way:
                for record in await under_way.popleft():
                    yield record
        finally:
            for read in under_way:
                read.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _batches(
        self, query: _Query, tally: _Tally
    ) -> AsyncGenerator[tuple[int, ...]]:
        """Answer the ids that the search finds, as many at a time as one read asks."""
        cap = self._caller.principal.max_rows
        after: int | None = None
        left = query.limit
        while True:
            ids = await self._found(query, after, left)
            tally.found += len(ids)
            for batch in batched(ids, _BATCH):
                yield batch
            if left is not None:
                left -= len(ids)
            if len(ids) < cap or left == 0:
                return
            after = ids[-1]

    @reread
    async def _found(
        self, query: _Query, after: int | None, limit: int | None
    ) -> list[int]:
        """Search for the next ids, as many as one answer may hold.

        Raises:
            InvalidRequest: There are more, in an order that does not tell which.
        """
        schema = await self._schema(model_of(query.model))
        if isinstance(query.model, str):
            field_names(schema, query.fields)
        elif query.fields is not None:
            raise InvalidRequest("A class says itself which fields it reads.")
        else:
            check_fits(query.model, schema)
        if limit is not None:
            self._limit(limit)
        checked = await self._domain(schema, query.domain, query.q)
        paging = Paging.of(schema, query.order)
        cap = self._caller.principal.max_rows
        fits = limit is not None and limit <= cap
        by_id = paging.keyset and paging.column == "id"
        size = limit if limit is not None and fits else cap if by_id else cap + 1
        if after is not None:
            checked = paging.after(checked, Place(after, after))
        call = self._call(
            schema.model, "search", checked.to_wire(), limit=size, order=paging.order
        )
        ids = id_list(await self._run(call, cost=_COST_OF_IDS), schema.model)
        if len(ids) > cap:
            raise InvalidRequest(
                f"The search finds more than the {cap} records that one answer may "
                "hold. Only by id is it known then which come next: leave out the "
                "order, give a limit, or narrow the search."
            )
        return ids

    @reread
    async def _batch(
        self, query: _Query, ids: Sequence[int], tally: _Tally
    ) -> list[Any]:
        """Read records in the order of their ids.

        By a search, in which those that are gone are simply missing, and what the
        policy requires of records is asked in the same call.
        """
        schema = await self._schema(model_of(query.model))
        if isinstance(query.model, str):
            wanted = field_names(schema, query.fields) or schema.telling
        else:
            check_fits(query.model, schema)
            wanted = field_names(schema, query.model.odoo_fields())
        checked = await self._domain(schema, query.domain, query.q)
        call = self._call(
            schema.model,
            "search_read",
            (Domain.parse([["id", "in", list(ids)]]) & checked).to_wire(),
            fields=joined(["id"], wanted),
            limit=len(ids),
            order="id",
        )
        rows = {row["id"]: row for row in await self._records(call)}
        found = [rows[record_id] for record_id in ids if record_id in rows]
        tally.left_out += len(ids) - len(found)
        clean = [record_out(schema, row) for row in found]
        if isinstance(query.model, str):
            return clean
        return records_of(query.model, schema, clean)
