"""Use cases that change records: create, write, delete, copy, call."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import batched
from typing import Any

from odooport.catalogue import OWN_OPERATIONS, catalogued, merged
from odooport.discovery import parents_of, required_to_create
from odooport.errors import (
    AnswerLost,
    GatewayProtocolError,
    InvalidRequest,
    OdooportError,
    OdooRefused,
    Problem,
    RecordChange,
    RecordChanged,
)
from odooport.model import Call, Command, Context, Record
from odooport.record_versions import ANY_VERSION, MOVED_ON, RecordVersion, counted
from odooport.records import OdooRecord, OdooValues, model_of, plain, plain_row
from odooport.scalars import is_empty, is_mapping, refusal
from odooport.schema import TO_MANY, Field, ModelSchema
from odooport.signatures import touches
from odooport.translations import by_language, texts_in
from odooport.usecases.asking import rechecked
from odooport.usecases.reading import Reading
from odooport.usecases.shapes import field_names, id_list, ids_in, joined, unexpected
from odooport.values import record_out
from odooport.writing import many_in, values_in

_METHOD = re.compile(r"[a-z][a-z0-9_]*", re.ASCII | re.IGNORECASE)

type _Values = Mapping[str, Any] | OdooValues
"""What is written to one record."""

type IfMatch = Sequence[str | Sequence[str]]
"""For each record the version that it must have, or several of which one will do."""

type _Expected = Mapping[int, Sequence[RecordVersion]]
"""The versions of which a record must have one, by its id."""

_BY_WHOM = "write_uid"

_MOST_WAYS = 8
"""In how many ways the versions of one call may have been read; each costs a read."""

_SHOWN_CHANGES = 5


class Writing(Reading):
    """Changing records; see ``Odoo``."""

    @rechecked
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
            defaults = await self._defaults(schema)
            parents = await parents_of(schema, self._schema)
        except OdooportError:
            # An explanation is a courtesy; Odoo's refusal is the answer.
            return ""
        required = required_to_create(schema, defaults, parents)
        missing = [
            name for name in required if any(is_empty(row.get(name)) for row in sent)
        ]
        if not missing:
            return ""
        named = ", ".join(f"{name!r} ({schema.fields[name].label})" for name in missing)
        return f"Required, without a default, and not given: {named}."

    @rechecked
    async def write(
        self,
        model: str | type[OdooRecord],
        ids: Sequence[int],
        values: _Values,
        *,
        if_match: IfMatch | None = None,
    ) -> None:
        """Write the same values on records, all or none.

        With ``if_match``, the records are read once more right before the write, and
        nothing is written if one is not what the caller has read. Odoo does these two
        in two transactions, so a gap of milliseconds remains in which somebody else may
        still write.

        Args:
            model: The model's technical name, or the class of its records.
            ids: Which records.
            values: The fields to change, with their new values; see
                ``odooport.writing``. A text in several languages stands alone, and
                for one record.
            if_match: For each of the ids, in their order, the version that it must
                still have, as ``read_versions`` answered it; or several of which it
                must have one; or ``*`` where it need only be there.

        Raises:
            InvalidRequest: With a problem for every value that is wrong.
            RecordChanged: One of the records moved on; none was changed.
            RecordMissing: One of the records does not exist; none was changed.
            SchemaChanged: The class of the values does not fit the model any more.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model_of(model))
        asked = ids_in(ids, "ids")
        expected = _expected(ids, if_match)
        row = plain_row(schema, values)
        if not row:
            raise InvalidRequest("There is nothing to change: give values.")
        if (several := by_language(schema, row, asked)) is not None:
            await self._translate(schema, asked, *several, expected)
            return
        lookups = self._lookups()
        sent = await values_in(schema, row, lookups, creating=False, ids=asked)
        await self._check_unchanged(schema, expected)
        await self._settled(self._call(schema.model, "write", list(asked), sent), asked)

    async def _check_unchanged(self, schema: ModelSchema, expected: _Expected) -> None:
        """Refuse to go on if a record does not have one of its versions any more.

        Raises:
            RecordChanged: One of them moved on.
            RecordMissing: One of them does not exist.
        """
        ways: dict[tuple[Any, ...], list[RecordVersion]] = {}
        for known in dict.fromkeys(each for some in expected.values() for each in some):
            ways.setdefault(known.way, []).append(known)
        if len(ways) > _MOST_WAYS:
            raise InvalidRequest(
                f"if_match: these versions were read in {len(ways)} ways, each with "
                f"other fields, languages or companies; one call takes {_MOST_WAYS}. "
                "Read the records in one way, or write them one after the other."
            )
        fits = dict.fromkeys(expected, False)
        moved: dict[int, RecordChange] = {}
        for way, versions in ways.items():
            told = set(versions)
            ids = [key for key, some in expected.items() if told.intersection(some)]
            for row in await self._rows_as(schema, tuple(ids), versions[0]):
                now = RecordVersion.of(
                    schema,
                    row,
                    fields=versions[0].fields,
                    context=_seen_by(versions[0]),
                )
                record_id = row["id"]
                of_it = [each for each in expected[record_id] if each.way == way]
                if now in of_it:
                    fits[record_id] = True
                else:
                    moved[record_id] = _change(schema, row, of_it[-1].changed(now))
        changes = [moved[record_id] for record_id, fit in fits.items() if not fit]
        if changes:
            raise RecordChanged(_moved_on(schema.model, changes), changes)

    async def _rows_as(
        self, schema: ModelSchema, ids: tuple[int, ...], version: RecordVersion
    ) -> list[Record]:
        """Read records once more, in the way in which a version was read."""
        spoken = type(self)(
            self._gate,
            self._caller,
            instance=self._instance,
            context=replace(
                self._context,
                lang=version.lang,
                companies=version.companies,
                active_test=version.active_test,
            ),
        )
        await spoken._check_context()  # noqa: SLF001 - an object of this very class
        names = field_names(schema, version.fields) or counted(schema, None)
        stamps = [name for name in (MOVED_ON, _BY_WHOM) if name in schema.fields]
        wanted = joined(counted(schema, names), stamps)
        rows: list[Record] = []
        for some in batched(ids, min(len(ids), self._caller.principal.max_rows)):
            rows += await spoken._rows(schema, some, wanted)  # noqa: SLF001 - as above
        return rows

    async def _translate(
        self,
        schema: ModelSchema,
        asked: tuple[int, ...],
        field: Field,
        texts: Mapping[str, Any],
        expected: _Expected,
    ) -> None:
        """Write one text of one record in several languages, all or none."""
        await self._check_languages(list(texts), f"/{field.name}")
        model, ids = schema.model, list(asked)
        told = await self._settled(
            self._call(model, "get_field_translations", ids, field.name), asked
        )
        sent = texts_in(schema, field, texts, _terms(told, model))
        await self._check_unchanged(schema, expected)
        done = await self._settled(
            self._call(model, "update_field_translations", ids, field.name, sent), asked
        )
        if done is False:
            raise OdooRefused(
                f"Odoo did not translate {field.name!r} of {model!r}: it is computed, "
                "or holds no text yet. Write the field it comes from, or a text first."
            )

    async def unlink(
        self,
        model: str | type[OdooRecord],
        ids: Sequence[int],
        *,
        if_match: IfMatch | None = None,
    ) -> None:
        """Delete records, all or none.

        Args:
            model: The model's technical name, or the class of its records.
            ids: Which records.
            if_match: The versions that they must still have; see ``write``.

        Raises:
            RecordChanged: One of them moved on; none was deleted.
            RecordMissing: One of them does not exist; none was deleted.
            OdooportError: See the error tree.
        """
        schema = await self._schema(model_of(model))
        asked = ids_in(ids, "ids")
        await self._check_unchanged(schema, _expected(ids, if_match))
        await self._settled(self._call(schema.model, "unlink", list(asked)), asked)

    @rechecked
    async def copy(
        self, model: str, record_id: int, *, values: _Values | None = None
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
        asked = ids_in([record_id], "id")
        lookups = self._lookups()
        row = plain_row(schema, values or {})
        sent = await values_in(schema, row, lookups, creating=False, ids=asked)
        _check_copied_lines(schema, sent)
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
            InvalidRequest: It is no public method, has an operation of its own, or
                takes other arguments.
            RecordMissing: One of the records does not exist.
            OdooportError: See the error tree.
        """
        if not _METHOD.fullmatch(method):
            raise InvalidRequest(
                f"{method!r} is no public method of Odoo: those begin with a letter "
                "and hold letters, digits and underscores."
            )
        if (instead := OWN_OPERATIONS.get(method)) is not None:
            raise InvalidRequest(
                f"{method!r} has its own operation: {instead}. It checks fields and "
                "values before it sends them."
            )
        schema = await self._schema(model)
        known = catalogued(schema).get(method)
        if known and known.on_records and ids is None and not _names_ids(args, kwargs):
            # Odoo would take the next argument for the ids, and crash.
            raise InvalidRequest(
                f"{method!r} is called on records: give their ids, such as [7]."
            )
        asked = () if ids is None else ids_in(ids, "ids")
        first = [] if ids is None else [list(asked)]
        call = Call(
            model,
            method,
            (*first, *args),
            dict(kwargs or {}),
            context=self._context,
            instance=self._instance,
        )
        touches(call)  # arguments that do not fit need no question for other methods
        try:
            return await self._settled(call, asked)
        except InvalidRequest as error:
            if not (hint := await self._closest_methods(schema, method)):
                raise
            raise InvalidRequest(f"{error.message}{hint}", error.problems) from error

    async def _closest_methods(self, schema: ModelSchema, method: str) -> str:
        """Answer which known methods may be meant by one that is not known."""
        try:
            told = await self._gate.methods(
                self._caller, schema.model, instance=self._instance
            )
        except OdooportError:
            # A suggestion is a courtesy; the error that it belongs to is the answer.
            told = None
        known = merged(schema, told)
        if method in known:
            return ""
        close = get_close_matches(method, known, n=3, cutoff=0.6)
        return f" Did you mean {', '.join(map(repr, close))}?" if close else ""


def _expected(ids: Sequence[int], if_match: IfMatch | None) -> _Expected:
    """Read the versions that records must have; those that may have any are left out.

    Raises:
        InvalidRequest: With a problem for each that is no version, or they are not as
            many as the ids.
    """
    if if_match is None:
        return {}
    if isinstance(if_match, str) or len(if_match) != len(ids):
        raise InvalidRequest(
            f"if_match: give one version for each of the {len(ids)} ids, in their "
            f"order; {ANY_VERSION!r} where the record need only be there."
        )
    expected: dict[int, list[RecordVersion]] = {}
    problems: list[Problem] = []
    for index, (record_id, given) in enumerate(zip(ids, if_match, strict=True)):
        texts = [given] if isinstance(given, str) else list(given)
        try:
            if not texts:
                raise InvalidRequest("Give a version.")
            if ANY_VERSION in texts:
                continue
            known = [RecordVersion.parse(text) for text in texts]
            if expected.setdefault(record_id, known) != known:
                raise InvalidRequest(f"{record_id} is given twice, with two versions.")
        except InvalidRequest as wrong:
            problems.append(Problem(f"/{index}", wrong.message))
    if problems:
        raise InvalidRequest(f"if_match: {problems[0].message}", problems)
    return expected


def _seen_by(version: RecordVersion) -> Context:
    return Context(
        lang=version.lang, companies=version.companies, active_test=version.active_test
    )


def _change(schema: ModelSchema, row: Record, changed: Sequence[str]) -> RecordChange:
    stamps = (name for name in (MOVED_ON, _BY_WHOM) if name not in schema.masked)
    seen = record_out(schema, {name: row.get(name) for name in stamps})
    whom = seen.get(_BY_WHOM)
    return RecordChange(
        id=row["id"],
        fields=tuple(changed),
        write_date=seen.get(MOVED_ON),
        write_uid=whom["name"] if is_mapping(whom) else None,
    )


def _moved_on(model: str, changes: Sequence[RecordChange]) -> str:
    """Say how records moved on, and what to do."""
    told = [f"{it.id} ({_what_changed(it)})" for it in changes[:_SHOWN_CHANGES]]
    if len(changes) > _SHOWN_CHANGES:
        told.append(f"{len(changes) - _SHOWN_CHANGES} more")
    return (
        f"Of {model!r}, this changed since you read it: {'; '.join(told)}. Nothing was "
        "written. Read again, and decide anew what to change."
    )


def _what_changed(it: RecordChange) -> str:
    names = ", ".join(map(repr, it.fields[:_SHOWN_CHANGES]))
    if len(it.fields) > _SHOWN_CHANGES:
        names += f" and {len(it.fields) - _SHOWN_CHANGES} more fields"
    text = names or "no field that you read has another value"
    if it.write_date:
        text += f", last written {it.write_date}"
    if it.write_uid:
        text += f" by {it.write_uid!r}"
    return text


def _names_ids(args: Sequence[Any], kwargs: Mapping[str, Any] | None) -> bool:
    """Whether the arguments themselves say which records a method is called on."""
    return (bool(args) and type(args[0]) in (int, list, tuple)) or "ids" in (
        kwargs or {}
    )


def _terms(raw: Any, model: str) -> list[str] | None:
    """Answer the terms that a field is translated by; None if it is as a whole."""
    try:
        rows, about = raw
        if not about["translation_show_source"]:
            return None
        return list(dict.fromkeys(str(row["source"]) for row in rows))
    except (TypeError, ValueError, LookupError) as exc:
        raise unexpected("get_field_translations", model) from exc


def _check_copied_lines(schema: ModelSchema, sent: Mapping[str, Any]) -> None:
    """Refuse what would change the lines of the record that is copied.

    Raises:
        InvalidRequest: With a problem for every field that does.
    """
    old = {Command.UPDATE, Command.DELETE, Command.UNLINK}
    problems = [
        Problem(
            f"/{name}",
            f"A copy has no {name!r} of its own yet, so there is nothing to update, "
            "remove or delete: copy first, then write on the copy.",
        )
        for name, commands in sent.items()
        if schema.fields[name].type in TO_MANY
        and any(command[0] in old for command in commands)
    ]
    if problems:
        raise refusal(f"What to write on the copy of {schema.model!r}", problems)


def _made(raw: Any, model: str) -> list[int]:
    """Check the ids of new records; the records are there even if this fails."""
    try:
        return id_list(raw, model)
    except GatewayProtocolError as exc:
        raise AnswerLost(
            f"The records of {model!r} were created, but Odoo did not answer their "
            "ids. Search for them; do not create them again."
        ) from exc
