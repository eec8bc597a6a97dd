"""Use cases that read records: search, read, count, group."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from itertools import batched
from typing import Any, overload

from odooport.domain import Domain
from odooport.errors import InvalidRequest, OdooportError, OdooRefused, RecordMissing
from odooport.groups import group_out, groups_in
from odooport.model import Call, Page, Record, Reference
from odooport.paging import Paging, Place
from odooport.record_versions import MOVED_ON, RecordVersion, Versioned
from odooport.records import OdooRecord, check_fits, model_of, records_of
from odooport.schema import TEXTUAL, ModelSchema
from odooport.usecases.asking import Asking, reread
from odooport.usecases.shapes import (
    field_names,
    id_list,
    ids_in,
    joined,
    no_such_record,
    offset_in,
    unexpected,
)
from odooport.values import record_out


class Reading(Asking):
    """Reading records; see ``Odoo``."""

    @reread
    async def search_read(
        self,
        model: str,
        domain: Any = None,
        *,
        q: str | None = None,
        fields: Sequence[str] | None = None,
        order: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        count: bool = False,
    ) -> Page:
        """Find records and answer a page of them.

        Args:
            model: The model's technical name.
            domain: Which records; see ``Domain.parse``. None finds all.
            q: Only records whose display name matches this text.
            fields: Which fields to answer; a telling few unless given.
            order: Such as ``date_order desc, name``; by id unless given.
            limit: The most records to answer, 80 unless given. The principal's cap
                holds; the page says so.
            cursor: The cursor of the page before.
            count: Whether to count all records that the search finds.

        Raises:
            InvalidRequest: See the message; nothing was sent.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        wanted = field_names(schema, fields) or schema.telling
        checked = await self._domain(schema, domain, q)
        size, capped = self._limit(limit)
        paging = Paging.of(schema, order)
        digest = self._digest(schema, checked, paging)
        place = Place.decode(cursor, digest) if cursor is not None else Place()
        names = joined(wanted, ["id", *([paging.column] if paging.keyset else [])])
        kwargs: dict[str, Any] = {
            "fields": names,
            "limit": size + 1,
            "order": paging.order,
        }
        narrowed = checked
        if paging.keyset:
            narrowed = paging.after(checked, place)
        elif place.offset:
            kwargs["offset"] = place.offset
        call = self._call(model, "search_read", narrowed.to_wire(), **kwargs)
        if count:
            rows, total = await asyncio.gather(
                self._records(call), self._count(model, checked)
            )
        else:
            rows, total = await self._records(call), None
        has_more = len(rows) > size
        rows = rows[:size]
        cursor = None
        if has_more:
            cursor = paging.place(rows, place).encode(digest)
        keep = {"id", *wanted}
        return Page(
            records=[
                record_out(schema, {k: v for k, v in row.items() if k in keep})
                for row in rows
            ],
            limit=size,
            capped=capped,
            has_more=has_more,
            cursor=cursor,
            paging="keyset" if paging.keyset else "offset",
            total=total,
            fingerprint=schema.fingerprint,
        )

    @overload
    async def search(
        self,
        /,
        model: str,
        domain: Any = None,
        *,
        q: str | None = None,
        order: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[int]: ...

    @overload
    async def search[R: OdooRecord](
        self,
        /,
        model: type[R],
        domain: Any = None,
        *,
        q: str | None = None,
        order: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[R]: ...

    @reread
    async def search(
        self,
        model: str | type[OdooRecord],
        domain: Any = None,
        *,
        q: str | None = None,
        order: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[int] | list[Any]:
        """Find records and answer their ids or, for a class, the records themselves.

        Args:
            model: The model's technical name, or the class of its records; one with
                few fields is read faster.
            domain: Which records; None finds all.
            q: Only records whose display name matches this text.
            order: In which order; by id unless given.
            limit: The most ids to answer, 80 unless given; at most the principal's cap.
            offset: How many to skip.

        Raises:
            SchemaChanged: The class does not fit the model any more.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model_of(model))
        checked = await self._domain(schema, domain, q)
        size, _ = self._limit(limit)
        options: dict[str, Any] = {
            "offset": offset_in(offset),
            "limit": size,
            "order": Paging.of(schema, order).order,
        }
        condition = checked.to_wire()
        if isinstance(model, str):
            call = self._call(model, "search", condition, **options)
            return id_list(await self._run(call), model)
        check_fits(model, schema)
        options["fields"] = field_names(schema, model.odoo_fields())
        call = self._call(schema.model, "search_read", condition, **options)
        rows = await self._records(call)
        return records_of(model, schema, [record_out(schema, row) for row in rows])

    @overload
    async def read(
        self,
        /,
        model: str,
        ids: Sequence[int],
        *,
        fields: Sequence[str] | None = None,
        languages: Sequence[str] | None = None,
    ) -> list[Record]: ...

    @overload
    async def read[R: OdooRecord](
        self, /, model: type[R], ids: Sequence[int]
    ) -> list[R]: ...

    @reread
    async def read(
        self,
        model: str | type[OdooRecord],
        ids: Sequence[int],
        *,
        fields: Sequence[str] | None = None,
        languages: Sequence[str] | None = None,
    ) -> list[Record] | list[Any]:
        """Answer records by id, in the order asked for.

        Args:
            model: The model's technical name, or the class of its records.
            ids: Which records.
            fields: Which fields; all that are stored, without blobs, unless given. A
                class says so itself.
            languages: Answer translated fields in each of these languages, as
                ``{"en_US": …, "fr_FR": …}``. Where one has no text of its own, Odoo
                answers that of ``en_US``.

        Raises:
            RecordMissing: One of them does not exist.
            SchemaChanged: The class does not fit the model any more.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model_of(model))
        if not isinstance(model, str):
            if fields is not None or languages is not None:
                raise InvalidRequest("A class says itself which fields it reads.")
            check_fits(model, schema)
            rows = await self.read(schema.model, ids, fields=model.odoo_fields())
            return records_of(model, schema, rows)
        wanted = field_names(schema, fields) or schema.readable
        asked = ids_in(ids, "ids")
        self._within_cap(asked)
        if languages is not None:
            return await self._read_in(schema, asked, _with_id(wanted), languages)
        return [
            _shown(schema, row, wanted)
            for row in await self._rows(schema, asked, wanted)
        ]

    @reread
    async def read_versions(
        self,
        model: str,
        ids: Sequence[int],
        *,
        fields: Sequence[str] | None = None,
        languages: Sequence[str] | None = None,
    ) -> list[Versioned]:
        """Answer records by id, as ``read`` does, each with its version.

        Send a version along with a write or an unlink as ``if_match``: then nothing is
        done if the record moved on. It speaks of the fields that are answered, without
        the content of binary ones, in the language and the companies of this call. Of
        all fields, only stored ones count.

        Args:
            model: The model's technical name.
            ids: Which records.
            fields: Which fields; all that are stored, without blobs, unless given.
            languages: Answer translated fields in each of these languages. That another
                language than that of the call is changed is told by ``write_date``
                alone.

        Raises:
            RecordMissing: One of them does not exist.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        wanted = field_names(schema, fields) or schema.readable
        asked = ids_in(ids, "ids")
        self._within_cap(asked)
        # Versions first: of what changes meanwhile, they must not know.
        names = joined(wanted, [MOVED_ON] if MOVED_ON in schema.fields else [])
        rows = await self._rows(schema, asked, names)
        named = None if fields is None else wanted
        versions = [
            RecordVersion.of(schema, row, fields=named, context=self._context).text
            for row in rows
        ]
        if languages is None:
            records = [_shown(schema, row, wanted) for row in rows]
        else:
            records = await self._read_in(schema, asked, _with_id(wanted), languages)
        return list(map(Versioned, records, versions))

    async def _rows(
        self, schema: ModelSchema, asked: tuple[int, ...], names: Sequence[str]
    ) -> list[Record]:
        """Read records as Odoo gives them, in the order asked for.

        Raises:
            RecordMissing: One of them does not exist.
        """
        call = self._call(schema.model, "read", list(asked), fields=_with_id(names))
        by_id = {row["id"]: row for row in await self._records(call)}
        missing = [record_id for record_id in asked if record_id not in by_id]
        if missing:
            raise no_such_record(schema.model, missing)
        return [by_id[key] for key in asked]

    async def _read_in(
        self,
        schema: ModelSchema,
        asked: tuple[int, ...],
        names: Sequence[str],
        languages: Sequence[str],
    ) -> list[Record]:
        """Read what has one text as usual, and the rest once for each language."""
        if isinstance(languages, str) or not languages:
            raise InvalidRequest(
                "languages: give a list of language codes such as ['en_US', 'fr_FR']."
            )
        codes = list(dict.fromkeys(languages))
        await self._check_languages(codes, "/languages")
        texts = [
            name
            for name in names
            if schema.fields[name].translated and schema.fields[name].type in TEXTUAL
        ]
        ids = list(asked)
        others = [name for name in names if name not in texts]
        spoken = [self.acting_as(lang=code) for code in codes] if texts else []
        records, *versions = await asyncio.gather(
            self.read(schema.model, ids, fields=others),
            *(one.read(schema.model, ids, fields=texts) for one in spoken),
        )
        for index, record in enumerate(records):
            for name in texts:
                record[name] = {
                    code: version[index][name]
                    for code, version in zip(codes, versions, strict=True)
                }
        order = joined(["id"], names)
        return [{name: record[name] for name in order} for record in records]

    @reread
    async def count(
        self, model: str | type[OdooRecord], domain: Any = None, *, q: str | None = None
    ) -> int:
        """Count the records that a search finds.

        Args:
            model: The model's technical name, or the class of its records.
            domain: Which records; None counts all.
            q: Only records whose display name matches this text.

        Raises:
            OdooportError: See the error tree.
        """
        schema = await self._schema(model_of(model))
        return await self._count(schema.model, await self._domain(schema, domain, q))

    @reread
    async def name_search(
        self,
        model: str,
        name: str,
        *,
        domain: Any = None,
        operator: str = "ilike",
        limit: int | None = None,
    ) -> list[Reference]:
        """Find records by what people call them.

        Args:
            model: The model's technical name.
            name: The name, or a part of it.
            domain: Only among these records.
            operator: How to compare, such as ``=`` or ``ilike``.
            limit: The most records to answer, 80 unless given.

        Raises:
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        checked = await self._domain(schema, domain, None)
        await self._domain(schema, [["display_name", operator, name]], None)
        size, _ = self._limit(limit)
        pairs = await self._run(
            self._call(
                model,
                "name_search",
                name=name,
                args=checked.to_wire(),
                operator=operator,
                limit=size,
            )
        )
        try:
            return [Reference(int(pair[0]), str(pair[1])) for pair in pairs]
        except (TypeError, IndexError, ValueError) as exc:
            raise unexpected("name_search", model) from exc

    @reread
    async def default_get(
        self, model: str, fields: Sequence[str] | None = None
    ) -> Record:
        """Answer what a new record would hold if nothing were said.

        Args:
            model: The model's technical name.
            fields: For which fields; all unless given.

        Raises:
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        names = field_names(schema, fields) or list(schema.fields)
        return await self._default_values(
            schema,
            names,
            lambda *args: self._run(self._call(model, "default_get", *args)),
        )

    @reread
    async def aggregate(
        self,
        model: str,
        domain: Any = None,
        *,
        groupby: Sequence[str] = (),
        aggregates: Sequence[str] = ("__count",),
        order: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Record]:
        """Group records and sum them up.

        Args:
            model: The model's technical name.
            domain: Which records; None takes all.
            groupby: Fields to group by; dates with a granularity, such as
                ``date_order:month``. Empty makes one group of all.
            aggregates: ``__count``, or a field with a function, such as
                ``amount_total:sum``.
            order: By groups or aggregates named above, such as
                ``amount_total:sum desc``.
            limit: The most groups to answer, 80 unless given.
            offset: How many groups to skip.

        Raises:
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        checked = await self._domain(schema, domain, None)
        grouping = groups_in(schema, groupby, aggregates, order)
        size, _ = self._limit(limit)
        rows = await self._records(
            self._call(
                model,
                "read_group",
                checked.to_wire(),
                list(grouping.fields),
                list(grouping.groupby),
                offset=offset_in(offset),
                limit=size,
                orderby=grouping.order or False,
                lazy=False,
            )
        )
        return [group_out(grouping, row) for row in rows]

    async def _settled(self, call: Call, asked: Sequence[int]) -> Any:
        """Run a call on records; tell a missing record apart on every wire.

        XML-RPC has one code for all of Odoo's refusals, so ask which ids exist. A
        record that is missing elsewhere, such as one that a value refers to, is a
        refusal: the caller's own records are there.
        """
        try:
            return await self._run(call)
        except (OdooRefused, RecordMissing) as error:
            missing = await self._absent(call.model, asked) if asked else []
            if missing:
                raise no_such_record(call.model, missing) from error
            if isinstance(error, RecordMissing):
                raise OdooRefused(error.message) from error
            raise

    async def _absent(self, model: str, asked: Sequence[int]) -> list[int]:
        everything = self.acting_as(active_test=False)
        found: set[int] = set()
        try:
            # batched() sets aside as much room as it is told, so never say "all".
            for some in batched(
                asked, min(len(asked), self._caller.principal.max_rows)
            ):
                ids = [["id", "in", list(some)]]
                found.update(await everything.search(model, ids, limit=len(some)))
        except OdooportError:
            # The caller may not search here: Odoo's own refusal is the better answer.
            return []
        return [record_id for record_id in asked if record_id not in found]

    async def _domain(self, schema: ModelSchema, raw: Any, q: str | None) -> Domain:
        domain = await Domain.parse(raw).checked(schema, self._schema)
        if q:
            domain = domain & Domain.parse([["display_name", "ilike", q]])
        return domain

    async def _count(self, model: str, domain: Domain) -> int:
        found = await self._run(self._call(model, "search_count", domain.to_wire()))
        if type(found) is not int:
            raise unexpected("search_count", model)
        return found

    def _digest(self, schema: ModelSchema, domain: Domain, paging: "Paging") -> str:
        """Answer what binds a cursor to the principal and the query."""
        query = json.dumps(
            [
                self._caller.principal.subject,
                self._instance,
                self._context.to_wire(),
                schema.model,
                domain.to_wire(),
                paging.order,
            ],
            sort_keys=True,
        )
        return hashlib.sha256(query.encode()).hexdigest()[:16]


def _with_id(names: Sequence[str]) -> list[str]:
    """Answer the fields to read so that each record comes with its id.

    Asked for nothing but ids, Odoo answers those of records that do not exist.
    """
    return joined(names, ["id"] if set(names) - {"id"} else ["id", "display_name"])


def _shown(schema: ModelSchema, row: Record, wanted: Sequence[str]) -> Record:
    """Answer the clean values of the id and the fields that were asked for."""
    keep = {"id", *wanted}
    return record_out(schema, {k: v for k, v in row.items() if k in keep})
