"""What a caller can do with Odoo: class ``Odoo``. Every door calls this, nothing else.

A use case takes clean values and answers clean values (see ``values``), checks the
request against the model's schema before anything is sent, and sends through the gate.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import wraps
from itertools import batched
from typing import Any, Concatenate, Self, TypeGuard, overload
from zoneinfo import available_timezones

from odooport.catalogue import MethodInfo, merged
from odooport.discovery import (
    MAX_DEPTH,
    Description,
    Level,
    RelationGraph,
    described,
    relations,
    required_to_create,
)
from odooport.domain import Domain
from odooport.errors import (
    AnswerLost,
    GatewayProtocolError,
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    OdooRefused,
    PermissionDenied,
    Problem,
    RecordMissing,
    SchemaChanged,
)
from odooport.expressions import seen
from odooport.gate import Gate, OdooDecides, Unaudited, Unlimited
from odooport.groups import group_out, groups_in
from odooport.lookups import Lookups
from odooport.model import (
    DEFAULT_INSTANCE,
    DEFAULT_LIMIT,
    Call,
    Caller,
    Context,
    Credentials,
    Operation,
    Page,
    Principal,
    Record,
    Reference,
    ServerVersion,
)
from odooport.paging import Paging, Place
from odooport.ports import OdooGateway
from odooport.records import (
    OdooRecord,
    OdooValues,
    check_fits,
    model_of,
    plain,
    records_of,
)
from odooport.scalars import is_empty, is_mapping, refusal
from odooport.schema import RAW_BYTES, TEXTUAL, Field, ModelSchema
from odooport.signatures import operation_of
from odooport.translations import by_language, texts_in
from odooport.values import record_out
from odooport.views import (
    FormView,
    OnchangeRequest,
    OnchangeResult,
    RecordAction,
    record_actions,
)
from odooport.writing import many_in, values_in

MAX_IDS = 1_000
"""How many records one call may name."""

_SUSPECT_SECONDS = 5.0
"""A schema that does not fit a request is asked for again if it is older than this."""

_RENEWED = 8
"""How many schemas one refused request may ask for again."""

_INT4 = 2**31 - 1
_MODEL = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*", re.ASCII)
_METHOD = re.compile(r"[a-z][a-z0-9_]*", re.ASCII | re.IGNORECASE)

_OWN_USE_CASE = {
    "search": "search",
    "search_read": "search",
    "web_search_read": "search",
    "read": "read",
    "web_read": "read",
    "search_count": "count",
    "read_group": "aggregate",
    "web_read_group": "aggregate",
    "name_search": "search",
    "fields_get": "describe",
    "default_get": "defaults",
    "create": "create",
    "web_save": "create or update",
    "write": "update",
    "unlink": "delete",
    "copy": "copy",
}
"""Methods that ``call`` leaves to the use cases, which check what they are given."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that the caller can use.

    Attributes:
        model: Its technical name.
        label: What people call it.
    """

    model: str
    label: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the caller is, on both sides.

    Attributes:
        principal: The name of the principal.
        role: Its role.
        door: The door that it came through.
        instance: The Odoo database in use.
        uid: The id of the Odoo user.
        login: The login of the Odoo user.
        user: The name of the Odoo user.
        company: The user's default company.
        companies: The companies that the user may work in, the first 80 of them.
        lang: The user's own language; used only if a call asks for it.
        tz: The user's own time zone; likewise.
        version: The server's version.
        instances: The Odoo databases that the caller may use.
    """

    principal: str
    role: str
    door: str
    instance: str
    uid: int
    login: str
    user: str
    company: Reference | None
    companies: list[Reference]
    lang: str | None
    tz: str | None
    version: str
    instances: list[str]


type _Values = Mapping[str, Any] | OdooValues
"""What is written to one record."""


def _rechecked[**P, T](
    use_case: Callable[Concatenate["Odoo", P], Awaitable[T]],
) -> Callable[Concatenate["Odoo", P], Coroutine[Any, Any, T]]:
    """Let a use case that refuses a request look at newer schemas, once.

    Somebody may have just added the field or the value that is said to be unknown. An
    ``InvalidRequest`` means that nothing was sent, and ``SchemaChanged`` that nothing
    was written, so this is safe for writes too.
    """

    @wraps(use_case)
    async def twice(self: "Odoo", /, *args: P.args, **kwargs: P.kwargs) -> T:
        asked: dict[str, ModelSchema] = {}
        # A decorator of the class's own methods cannot stand inside of the class.
        renewed = self._renewed  # pyright: ignore[reportPrivateUsage] # ours
        watching = self._watching(asked)  # pyright: ignore[reportPrivateUsage] # ours
        try:
            return await use_case(watching, *args, **kwargs)
        except (InvalidRequest, SchemaChanged):
            if not await renewed(asked):
                raise
        return await use_case(self, *args, **kwargs)

    return twice


class Odoo:
    """Odoo, for one caller: light, one for each request.

    Args:
        gate: The guarded path.
        caller: Who asks.
        instance: Which Odoo database.
        context: Language, time zone, companies, and whether archived records show.
    """

    def __init__(
        self,
        gate: Gate,
        caller: Caller,
        *,
        instance: str = DEFAULT_INSTANCE,
        context: Context = Context(),
    ) -> None:
        self._gate = gate
        self._caller = caller
        self._instance = instance
        self._context = context
        self._asked: dict[str, ModelSchema] | None = None

    @classmethod
    def connect(
        cls, gateway: OdooGateway, credentials: Credentials, *more: Credentials
    ) -> Self:
        """Answer Odoo for a Python program that is its own principal.

        Odoo's own rights decide what it may do; nothing is limited or audited here.

        Args:
            gateway: The way to Odoo.
            credentials: The program's Odoo login.
            more: Its logins to other instances, for ``acting_as``.

        Raises:
            InvalidRequest: Two logins are for the same instance.
        """
        gate = Gate(gateway, OdooDecides(), Unlimited(), Unaudited())
        logins = {login.instance: login for login in (credentials, *more)}
        if len(logins) <= len(more):
            raise InvalidRequest("Give one login for each instance.")
        principal = Principal(
            subject=credentials.login,
            name=credentials.login,
            role="program",
            credentials=logins,
            max_rows=_INT4 - 1,
        )
        caller = Caller(principal, door="python", request_id="-")
        return cls(gate, caller, instance=credentials.instance)

    def acting_as(
        self,
        *,
        caller: Caller | None = None,
        instance: str | None = None,
        company: int | Sequence[int] | None = None,
        lang: str | None = None,
        tz: str | None = None,
        active_test: bool | None = None,
    ) -> Self:
        """Answer the same Odoo with another caller, instance or context.

        Args:
            caller: Who asks.
            instance: Which Odoo database.
            company: The company to work in; the first of several is the current one.
            lang: A language that is active in the database, such as ``fr_FR``.
            tz: An IANA time zone name.
            active_test: False also finds archived records.

        Raises:
            InvalidRequest: There is no such time zone, or an id is no id.
        """
        context = self._context
        if company is not None:
            ids = [company] if isinstance(company, int) else company
            context = replace(context, companies=_ids(ids, "company"))
        if lang is not None:
            context = replace(context, lang=lang)
        if tz is not None:
            # Odoo silently works in UTC when it does not know the name.
            if tz not in available_timezones():
                raise InvalidRequest(
                    f"There is no time zone {tz!r}; "
                    "give an IANA name such as 'Europe/Brussels'."
                )
            context = replace(context, tz=tz)
        if active_test is not None:
            context = replace(context, active_test=active_test)
        return type(self)(
            self._gate,
            caller or self._caller,
            instance=self._instance if instance is None else instance,
            context=context,
        )

    # Reading

    @_rechecked
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
        wanted = _field_names(schema, fields) or schema.telling
        checked = await self._domain(schema, domain, q)
        size, capped = self._limit(limit)
        paging = Paging.of(schema, order)
        digest = self._digest(schema, checked, paging)
        place = Place.decode(cursor, digest) if cursor is not None else Place()
        names = _with(wanted, ["id", *([paging.column] if paging.keyset else [])])
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

    @_rechecked
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
            "offset": _offset(offset),
            "limit": size,
            "order": Paging.of(schema, order).order,
        }
        condition = checked.to_wire()
        if isinstance(model, str):
            call = self._call(model, "search", condition, **options)
            return _id_list(await self._run(call), model)
        check_fits(model, schema)
        options["fields"] = _field_names(schema, model.odoo_fields())
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

    @_rechecked
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
        wanted = _field_names(schema, fields) or schema.readable
        # Asked for nothing but ids, Odoo answers those of records that do not exist.
        more = ["id"] if set(wanted) - {"id"} else ["id", "display_name"]
        names = _with(wanted, more)
        asked = _ids(ids, "ids")
        self._within_cap(asked)
        if languages is not None:
            return await self._read_in(schema, asked, names, languages)
        call = self._call(model, "read", list(asked), fields=names)
        by_id = {row["id"]: row for row in await self._records(call)}
        missing = [record_id for record_id in asked if record_id not in by_id]
        if missing:
            raise _missing(model, missing)
        keep = {"id", *wanted}
        return [
            record_out(schema, {k: v for k, v in by_id[key].items() if k in keep})
            for key in asked
        ]

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
        order = _with(["id"], names)
        return [{name: record[name] for name in order} for record in records]

    @_rechecked
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

    @_rechecked
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
            raise _unexpected("name_search", model) from exc

    @_rechecked
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
        names = _field_names(schema, fields) or list(schema.fields)
        values = await self._run(self._call(model, "default_get", list(names)))
        if not is_mapping(values):
            raise _unexpected("default_get", model)
        return record_out(schema, values)

    @_rechecked
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
                offset=_offset(offset),
                limit=size,
                orderby=grouping.order or False,
                lazy=False,
            )
        )
        return [group_out(grouping, row) for row in rows]

    # Writing

    @_rechecked
    async def create(
        self,
        model: str | type[OdooRecord],
        values: _Values | Sequence[_Values],
    ) -> list[int]:
        """Create one record or many, all or none.

        Args:
            model: The model's technical name, or the class of its records.
            values: The values of one record, or a list with those of each; see
                ``odooport.writing`` for what they may be.

        Returns:
            The ids of the new records, in order.

        Raises:
            InvalidRequest: With a problem for every value that is wrong.
            SchemaChanged: The class of the values does not fit the model any more.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model_of(model))
        rows: Mapping[str, Any] | Sequence[Mapping[str, Any]] = plain(schema, values)
        if isinstance(rows, Mapping):
            sent = [await values_in(schema, rows, self._lookups(), creating=True)]
        else:
            if not rows:
                raise InvalidRequest("There is nothing to create: give values.")
            self._within_cap(rows)
            sent = await many_in(schema, rows, self._lookups(), creating=True)
        call = self._call(schema.model, "create", sent)
        try:
            made = await self._settled(call, ())
        except OdooRefused as error:
            if not (left_out := await self._left_out(schema, sent)):
                raise
            raise OdooRefused(f"{error.message} {left_out}") from error
        return _made(made, schema.model)

    async def _left_out(
        self, schema: ModelSchema, sent: Sequence[Mapping[str, Any]]
    ) -> str:
        """Say which required fields a refused create left out; empty if none.

        Not before it is sent: a model may fill in a required field by itself while it
        creates the record, and no server tells.
        """
        try:
            defaults = await self._defaults(schema, fresh=False)
        except OdooportError:
            # An explanation is a courtesy; Odoo's refusal is the answer.
            return ""
        required = required_to_create(schema, defaults)
        missing = [
            name for name in required if any(is_empty(row.get(name)) for row in sent)
        ]
        if not missing:
            return ""
        named = ", ".join(f"{name!r} ({schema.fields[name].label})" for name in missing)
        return f"Required, without a default, and not given: {named}."

    @_rechecked
    async def write(
        self, model: str | type[OdooRecord], ids: Sequence[int], values: _Values
    ) -> None:
        """Write the same values on records, all or none.

        Args:
            model: The model's technical name, or the class of its records.
            ids: Which records.
            values: The fields to change, with their new values; see
                ``odooport.writing``. A text in several languages stands alone, and
                for one record.

        Raises:
            InvalidRequest: With a problem for every value that is wrong.
            RecordMissing: One of the records does not exist; none was changed.
            SchemaChanged: The class of the values does not fit the model any more.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model_of(model))
        asked = _ids(ids, "ids")
        row: Mapping[str, Any] = plain(schema, values)
        if not row:
            raise InvalidRequest("There is nothing to change: give values.")
        if (several := by_language(schema, row, asked)) is not None:
            await self._translate(schema, asked, *several)
            return
        lookups = self._lookups()
        sent = await values_in(schema, row, lookups, creating=False, ids=asked)
        await self._settled(self._call(schema.model, "write", list(asked), sent), asked)

    async def _translate(
        self,
        schema: ModelSchema,
        asked: tuple[int, ...],
        field: Field,
        texts: Mapping[str, Any],
    ) -> None:
        """Write one text of one record in several languages, all or none."""
        await self._check_languages(list(texts), f"/{field.name}")
        model, ids = schema.model, list(asked)
        told = await self._settled(
            self._call(model, "get_field_translations", ids, field.name), asked
        )
        sent = texts_in(schema, field, texts, _terms(told, model))
        done = await self._settled(
            self._call(model, "update_field_translations", ids, field.name, sent), asked
        )
        if done is False:
            raise OdooRefused(
                f"Odoo did not translate {field.name!r} of {model!r}: it is computed, "
                "or holds no text yet. Write the field it comes from, or a text first."
            )

    async def _check_languages(self, languages: Sequence[Any], pointer: str) -> None:
        problems: list[Problem] = []
        for language in languages:
            try:
                if not isinstance(language, str):
                    raise InvalidRequest(
                        f"A language is a code such as 'fr_FR', not {language!r}."
                    )
                await self._gate.check(
                    self._caller, Context(lang=language), instance=self._instance
                )
            except InvalidRequest as wrong:
                problems.append(Problem(f"{pointer}/{language}", wrong.message))
        if problems:
            raise refusal("What to say in several languages", problems)

    async def unlink(self, model: str | type[OdooRecord], ids: Sequence[int]) -> None:
        """Delete records, all or none.

        Args:
            model: The model's technical name, or the class of its records.
            ids: Which records.

        Raises:
            RecordMissing: One of them does not exist; none was deleted.
            OdooportError: See the error tree.
        """
        name = (await self._schema(model_of(model))).model
        asked = _ids(ids, "ids")
        await self._settled(self._call(name, "unlink", list(asked)), asked)

    @_rechecked
    async def copy(
        self, model: str, record_id: int, *, values: Mapping[str, Any] | None = None
    ) -> int:
        """Copy a record.

        Args:
            model: The model's technical name.
            record_id: Which record.
            values: What shall differ in the copy.

        Returns:
            The id of the copy.

        Raises:
            RecordMissing: There is no such record.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        asked = _ids([record_id], "id")
        lookups = self._lookups()
        sent = await values_in(schema, values or {}, lookups, creating=False, ids=asked)
        made = await self._settled(self._call(model, "copy", list(asked), sent), asked)
        return _made(made, model)[0]

    async def call(
        self,
        model: str,
        method: str,
        ids: Sequence[int] | None = None,
        *,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call any public method, such as a button's.

        Args:
            model: The model's technical name.
            method: The method's name.
            ids: The records to call it on; None for a method of the model itself.
            args: Further positional arguments, as Odoo takes them.
            kwargs: Keyword arguments, as Odoo takes them.

        Returns:
            What the method returned, as Odoo gives it; None if nothing.

        Raises:
            RecordMissing: One of the records does not exist.
            OdooportError: See the error tree.
        """
        if not _METHOD.fullmatch(method):
            raise InvalidRequest(
                f"{method!r} is no public method of Odoo: those begin with a letter "
                "and hold letters, digits and underscores."
            )
        if (instead := _OWN_USE_CASE.get(method)) is not None:
            raise InvalidRequest(
                f"Do not call {method!r} by name: use {instead}, which checks fields "
                "and values before it sends them."
            )
        await self._schema(model)
        asked = () if ids is None else _ids(ids, "ids")
        first = [] if ids is None else [list(asked)]
        call = Call(
            model,
            method,
            (*first, *args),
            dict(kwargs or {}),
            context=self._context,
            instance=self._instance,
        )
        return await self._settled(call, asked)

    # Knowing

    async def fields(self, model: str) -> ModelSchema:
        """Answer the fields of a model, as the caller's Odoo user sees them.

        Raises:
            OdooportError: See the error tree.
        """
        return await self._schema(model)

    async def describe(
        self,
        model: str,
        *,
        level: Level = Level.BRIEF,
        fields: Sequence[str] | None = None,
        refresh: bool = False,
    ) -> Description:
        """Describe a model, as the caller's Odoo user sees it, at some level.

        What is known is kept for five minutes, so this rarely asks Odoo.

        Args:
            model: The model's technical name.
            level: How much to tell.
            fields: Exactly these fields, with everything that is known of them.
            refresh: Whether to ask Odoo for the fields in any case.

        Raises:
            OdooportError: See the error tree.
        """
        if refresh:
            await self._refresh(model)
        schema = await self._schema(model)
        names = _field_names(schema, fields) if fields is not None else None
        return await described(
            schema,
            self._recall,
            level=level,
            names=names,
            label=await self._label(model),
            defaults=lambda: self._defaults(schema, fresh=refresh),
        )

    async def relations(self, model: str, *, depth: int = 1) -> RelationGraph:
        """Answer how a model hangs together with others.

        Args:
            model: The model's technical name.
            depth: How many steps to follow, up to 3.

        Raises:
            OdooportError: See the error tree.
        """
        if type(depth) is not int or not 1 <= depth <= MAX_DEPTH:
            raise InvalidRequest(
                f"The depth must be a whole number from 1 to {MAX_DEPTH}, such as 2; "
                f"not {depth!r}."
            )
        schema = await self._schema(model)
        return await relations(schema, self._schema, self._recall, depth=depth)

    async def expect(self, model: str, fingerprint: str) -> ModelSchema:
        """Answer the fields of a model if they are what the caller was written for.

        Args:
            model: The model's technical name.
            fingerprint: The fingerprint that its schema had then.

        Raises:
            SchemaChanged: It has another one now.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        if schema.fingerprint != fingerprint:
            # What is kept may be older than what the caller knows.
            await self._renewed({model: schema})
            schema = await self._schema(model)
        if schema.fingerprint != fingerprint:
            raise SchemaChanged(
                f"{model!r} does not look as it did with the fingerprint "
                f"{fingerprint!r}: it is {schema.fingerprint!r} now. Describe the "
                "model again, see whether your program still fits, and send the new "
                "one.",
                model,
                schema.fingerprint,
            )
        return schema

    async def actions(self, model: str, record_id: int) -> list[RecordAction]:
        """Answer what the buttons of a record's form would do now.

        Args:
            model: The model's technical name.
            record_id: Which record.

        Returns:
            The buttons that the caller's Odoo user has, in the form's order, and
            whether the form shows them for this record. Where that depends on what is
            not known here, such as a field that the user cannot read, it says so.

        Raises:
            RecordMissing: There is no such record.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        (asked,) = _ids([record_id], "record_id")
        form = await self._form(schema)
        names = [
            name
            for name in sorted(form.names - {"id"})
            if (field := schema.fields.get(name)) is not None
            and field.type not in {"binary", "image"}
        ]
        # Odoo reads the bare id of a record that does not exist; its name shows it.
        call = self._call(
            model, "read", [asked], fields=_with(names, ["display_name"]), load=""
        )
        rows = await self._records(call)
        if not rows:
            raise _missing(model, [asked])
        session = await self._gate.login(self._caller, self._instance)
        known = {
            name: seen(schema.field(name), rows[0][name])
            for name in names
            if name in rows[0]
        }
        return record_actions(form, {"uid": session.uid, **known, "id": asked})

    @_rechecked
    async def onchange(
        self,
        model: str,
        values: Mapping[str, Any],
        *,
        changed: Sequence[str] | None = None,
        record_id: int | None = None,
    ) -> OnchangeResult:
        """Answer what a form would fill in after somebody typed; nothing is saved.

        Without values this opens an empty form.

        Args:
            model: The model's technical name.
            values: What the form holds. A line's form may give the values of the
                record that it is in: ``{"order_id": {"partner_id": 15}, …}``.
            changed: Which of them were typed, in order; all unless given.
            record_id: The record that the form shows; a new one unless given.

        Raises:
            InvalidRequest: With a problem for every value that is wrong.
            RecordMissing: There is no such record.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        asked = () if record_id is None else _ids([record_id], "record_id")
        if asked and (not values or (changed is not None and not changed)):
            raise InvalidRequest(
                "The form of a record that exists is not empty: say which values "
                "change."
            )
        form = await self._form(schema)
        request = await OnchangeRequest.build(
            form,
            schema,
            self._lookups(),
            values,
            changed,
            lines=await self._line_schemas(form, schema),
            creating=not asked,
        )
        call = self._call(
            model,
            "onchange",
            list(asked),
            dict(request.values),
            list(request.changed),
            dict(request.spec),
        )
        return request.result(await self._settled(call, asked))

    async def models(
        self, query: str | None = None, *, refresh: bool = False
    ) -> list[ModelInfo]:
        """Answer the models that the caller's Odoo user can read, by name.

        Args:
            query: Only those with this text in their name or label.
            refresh: Whether to ask Odoo in any case; the list is kept for five minutes.

        Raises:
            OdooportError: See the error tree.
        """
        await self._check_context()
        rows = await self._recall("ir.model", "get_available_models", fresh=refresh)
        if not _are_records(rows):
            raise _unexpected("get_available_models", "ir.model")
        known = [ModelInfo(row["model"], row["display_name"]) for row in rows]
        if query:
            part = query.casefold()
            known = [
                info
                for info in known
                if part in info.model or part in info.label.casefold()
            ]
        return sorted(known, key=lambda info: info.model)

    async def methods(
        self, model: str, *, query: str | None = None
    ) -> list[MethodInfo]:
        """Answer what is known of a model's public methods, by name.

        An Odoo 19 tells of its methods itself, if the caller's Odoo user is in the
        group for it and its secret is an API key. Otherwise these are the methods of
        the standard apps that we know; ``source`` says which it was.

        Args:
            model: The model's technical name.
            query: Only those with this text in their name or summary.

        Raises:
            OdooportError: See the error tree.
        """
        schema = await self._schema(model)
        try:
            told = await self._gate.methods(
                self._caller, model, instance=self._instance
            )
        except OdooFailed:
            # One docstring that Odoo 19 cannot read takes the whole document down.
            told = None
        part = (query or "").casefold()
        return sorted(
            (
                method
                for method in merged(schema, told).values()
                if part in method.name.casefold() or part in method.summary.casefold()
            ),
            key=lambda method: method.name,
        )

    async def version(self) -> ServerVersion:
        """Answer what the Odoo server says of itself.

        Raises:
            OdooportError: See the error tree.
        """
        await self._check_context()
        return await self._gate.version(self._caller, self._instance)

    async def whoami(self) -> Identity:
        """Answer who the caller is, here and in Odoo.

        Raises:
            OdooportError: See the error tree.
        """
        session = await self._gate.login(self._caller, self._instance)
        await self._check_context()
        # Companies that the context leaves out would be hidden from these two.
        anywhere = type(self)(
            self._gate,
            self._caller,
            instance=self._instance,
            context=replace(self._context, companies=()),
        )
        names = ["name", "login", "company_id", "company_ids", "lang", "tz"]
        (user,) = await anywhere.read("res.users", [session.uid], fields=names)
        found = await anywhere.search_read(
            "res.company", [["id", "in", user["company_ids"]]], fields=["display_name"]
        )
        version = await self.version()
        company = user["company_id"]
        principal = self._caller.principal
        return Identity(
            principal=principal.name,
            role=principal.role,
            door=self._caller.door,
            instance=self._instance,
            uid=session.uid,
            login=user["login"],
            user=user["name"],
            company=Reference(**company) if company else None,
            companies=[
                Reference(row["id"], row["display_name"]) for row in found.records
            ],
            lang=user["lang"],
            tz=user["tz"],
            version=version.text,
            instances=sorted(principal.credentials),
        )

    # How

    def _call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Call:
        return Call(
            model,
            method,
            args,
            kwargs,
            context=self._context,
            instance=self._instance,
        )

    async def _run(self, call: Call) -> Any:
        try:
            return await self._gate.run(self._caller, call)
        except OdooAccessError as error:
            if (missing := await self._missing_right(call)) is None:
                raise
            raise OdooAccessError(f"{missing} Odoo says: {error.message}") from error

    async def _missing_right(self, call: Call) -> str | None:
        """Say which right an access error is about, or None if that is not known.

        Odoo's own text names the groups that have a right, if there are any. What it
        says of records and fields is told apart by one more question, not by wording.
        """
        operation = operation_of(call)
        if operation is Operation.CALL:
            return f"Odoo keeps your user from {call.method!r} on {call.model!r}."
        right = f"the right {operation.value!r} on {call.model!r}"
        asked = self._call(call.model, "has_access", [], operation.value)
        try:
            may = await self._gate.run(self._caller, asked)
        except OdooportError:
            # An explanation is a courtesy; Odoo's refusal is the answer.
            return None
        if may is False:
            return f"Your Odoo user does not have {right} at all."
        return (
            f"Your Odoo user has {right}, but not here: a record rule, a field that is "
            "for other groups, or another model that is involved stands in the way."
        )

    async def _records(self, call: Call) -> list[Record]:
        rows = await self._run(call)
        if not _are_records(rows):
            raise _unexpected(call.method, call.model)
        return rows

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
                raise _missing(call.model, missing) from error
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

    async def _schema(self, model: str) -> ModelSchema:
        if not _MODEL.fullmatch(model):
            raise InvalidRequest(
                f"{model!r} is no model name: those look like 'res.partner'."
            )
        await self._check_context()
        try:
            schema = await self._gate.schema(
                self._caller, model, instance=self._instance, lang=self._context.lang
            )
        except OdooRefused as error:
            # fields_get has no business rules. It refuses an unknown model
            # (odoo/service/model.py), or a language that is not active any more.
            raise InvalidRequest(
                f"Odoo has no model {model!r}.{await self._closest_models(model)}"
            ) from error
        if self._asked is not None:
            self._asked[model] = schema
        return schema

    async def _refresh(self, model: str) -> None:
        """Ask Odoo for a model's fields in any case."""
        await self._gate.schema(
            self._caller,
            model,
            instance=self._instance,
            lang=self._context.lang,
            max_age=0.0,
        )

    async def _renewed(self, asked: Mapping[str, ModelSchema]) -> bool:
        """Ask again for schemas that did not fit a request; tell if one changed."""
        changed = False
        for model, schema in list(asked.items())[:_RENEWED]:
            try:
                now = await self._gate.schema(
                    self._caller,
                    model,
                    instance=self._instance,
                    lang=self._context.lang,
                    max_age=_SUSPECT_SECONDS,
                )
            except OdooportError:
                # The request was refused for a reason; that one is the answer.
                return False
            changed = changed or now.digest != schema.digest
        return changed

    def _watching(self, asked: dict[str, ModelSchema]) -> Self:
        """Answer the same Odoo, which notes the schemas that it works with."""
        watching = type(self)(
            self._gate, self._caller, instance=self._instance, context=self._context
        )
        watching._asked = asked  # noqa: SLF001 - an object of this very class
        return watching

    async def _label(self, model: str) -> str | None:
        """Answer what people call a model, if the user may read it."""
        try:
            known = await self.models()
        except OdooportError:
            # A server without the module web has no list; the label is a courtesy.
            return None
        return next((info.label for info in known if info.model == model), None)

    async def _defaults(self, schema: ModelSchema, *, fresh: bool) -> Record:
        values = await self._recall(
            schema.model, "default_get", list(schema.fields), fresh=fresh
        )
        if not is_mapping(values):
            raise _unexpected("default_get", schema.model)
        return record_out(schema, values)

    async def _recall(
        self, model: str, method: str, *args: Any, fresh: bool = False, **kwargs: Any
    ) -> Any:
        call = self._call(model, method, *args, **kwargs)
        return await self._gate.recall(self._caller, call, fresh=fresh)

    async def _form(self, schema: ModelSchema) -> FormView:
        answer = await self._recall(schema.model, "get_views", [[False, "form"]])
        return FormView.from_wire(schema, answer)

    async def _line_schemas(
        self, form: FormView, schema: ModelSchema
    ) -> dict[str, ModelSchema]:
        """Answer the models of the lines that a form shows inside, by field."""
        lines: dict[str, ModelSchema] = {}
        for name, shown in form.fields.items():
            field = schema.fields.get(name)
            if shown and field is not None and field.relation is not None:
                with suppress(PermissionDenied, OdooAccessError, InvalidRequest):
                    # Of lines that the user may not know, there are only ids.
                    lines[name] = await self._schema(field.relation)
        return lines

    def _lookups(self) -> Lookups:
        """Answer what remembers, for one request, the records that values name."""
        return Lookups(
            self._gate,
            self._caller,
            self._instance,
            self._context,
            schema=self._schema,
        )

    async def _check_context(self) -> None:
        await self._gate.check(self._caller, self._context, instance=self._instance)

    async def _closest_models(self, model: str) -> str:
        try:
            known = [info.model for info in await self.models()]
        except OdooportError:
            # A suggestion is a courtesy; the error that it belongs to is the answer.
            return ""
        close = get_close_matches(model, known, n=3, cutoff=0.6)
        if close:
            return f" Did you mean {', '.join(map(repr, close))}?"
        return " Search the models to find its name."

    async def _domain(self, schema: ModelSchema, raw: Any, q: str | None) -> Domain:
        domain = await Domain.parse(raw).checked(schema, self._schema)
        if q:
            domain = domain & Domain.parse([["display_name", "ilike", q]])
        return domain

    async def _count(self, model: str, domain: Domain) -> int:
        found = await self._run(self._call(model, "search_count", domain.to_wire()))
        if type(found) is not int:
            raise _unexpected("search_count", model)
        return found

    def _limit(self, limit: int | None) -> tuple[int, bool]:
        """Answer the limit that holds, and whether that is less than asked for."""
        if limit is None:
            limit = DEFAULT_LIMIT
        if type(limit) is not int or limit < 1:
            raise InvalidRequest(
                f"The limit must be a whole number above 0, not {limit!r}."
            )
        cap = self._caller.principal.max_rows
        return min(limit, cap), limit > cap

    def _within_cap(self, rows: Sequence[Any]) -> None:
        cap = self._caller.principal.max_rows
        if len(rows) > cap:
            raise InvalidRequest(
                f"These are {len(rows)} records; one call may hold {cap}. Split it."
            )

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


def _ids(raw: Sequence[int], name: str) -> tuple[int, ...]:
    """Check ids, without repeats, in the order given."""
    if isinstance(raw, str | Mapping):
        raise InvalidRequest(f"{name}: give a list of ids, not {raw!r}.")
    items = list(raw)
    problems = [
        Problem(f"/{index}", f"{item!r} is no id: give a whole number above 0.")
        for index, item in enumerate(items)
        if type(item) is not int or not 0 < item <= _INT4
    ]
    if problems:
        raise InvalidRequest(f"{name}: {problems[0].message}", problems)
    if not items:
        raise InvalidRequest(f"{name}: give at least one id.")
    if len(items) > MAX_IDS:
        raise InvalidRequest(
            f"{name}: {len(items)} ids are too many for one call; "
            f"give {MAX_IDS} at most."
        )
    return tuple(dict.fromkeys(items))


def _offset(raw: int) -> int:
    if type(raw) is not int or not 0 <= raw <= _INT4:
        raise InvalidRequest(f"The offset must be a whole number from 0, not {raw!r}.")
    return raw


def _field_names(schema: ModelSchema, names: Sequence[str] | None) -> list[str]:
    """Check the fields to read; empty stands for those that the use case chooses."""
    if names is None:
        return []
    if isinstance(names, str):
        raise InvalidRequest("fields: give a list of field names.")
    if not names:
        raise InvalidRequest("fields: give at least one field, or leave it out.")
    problems: list[Problem] = []
    for index, name in enumerate(names):
        if "." in name:
            first = name.split(".", 1)[0]
            text = f"{name!r} is a path: read {first!r} and then the record it names."
            problems.append(Problem(f"/{index}", text))
        elif name not in schema.fields:
            problems.append(Problem(f"/{index}", schema.unknown(name)))
        elif name == "raw" and schema.model in RAW_BYTES:
            text = "Odoo cannot send 'raw': read 'datas', the same content as base64."
            problems.append(Problem(f"/{index}", text))
    if problems:
        text = " ".join(problem.message for problem in problems)
        raise InvalidRequest(f"fields: {text}", problems)
    return list(dict.fromkeys(names))


def _with(names: Sequence[str], more: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*names, *more]))


def _are_records(raw: Any) -> TypeGuard[list[Record]]:
    return isinstance(raw, list) and all(isinstance(row, dict) for row in _each(raw))


def _are_ids(raw: Any) -> TypeGuard[list[int]]:
    return isinstance(raw, list) and all(type(item) is int for item in _each(raw))


def _each(raw: Any) -> Iterable[Any]:
    """Answer a list as what it is, a list of anything."""
    items: Iterable[Any] = raw
    return items


def _terms(raw: Any, model: str) -> list[str] | None:
    """Answer the terms that a field is translated by; None if it is as a whole."""
    try:
        rows, about = raw
        if not about["translation_show_source"]:
            return None
        return list(dict.fromkeys(str(row["source"]) for row in rows))
    except (TypeError, ValueError, LookupError) as exc:
        raise _unexpected("get_field_translations", model) from exc


def _id_list(raw: Any, model: str) -> list[int]:
    ids = [raw] if type(raw) is int else raw
    if not _are_ids(ids):
        raise GatewayProtocolError(f"Odoo answered no ids of {model!r}.")
    return ids


def _made(raw: Any, model: str) -> list[int]:
    """Check the ids of new records; the records are there even if this fails."""
    try:
        return _id_list(raw, model)
    except GatewayProtocolError as exc:
        raise AnswerLost(
            f"The records of {model!r} were created, but Odoo did not answer their "
            "ids. Search for them; do not create them again."
        ) from exc


def _missing(model: str, ids: Sequence[int]) -> RecordMissing:
    some = ", ".join(map(str, ids[:10])) + (", …" if len(ids) > 10 else "")
    return RecordMissing(
        f"{model!r} has no record with id {some}: it was deleted, or never was.", ids
    )


def _unexpected(method: str, model: str) -> GatewayProtocolError:
    return GatewayProtocolError(
        f"Odoo answered {method!r} on {model!r} in a shape that it should not have."
    )
