"""Use cases that change records: create, write, delete, copy, call."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
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
)
from odooport.model import Call, Command
from odooport.records import OdooRecord, OdooValues, model_of, plain, plain_row
from odooport.scalars import is_empty, refusal
from odooport.schema import TO_MANY, Field, ModelSchema
from odooport.signatures import touches
from odooport.translations import by_language, texts_in
from odooport.usecases.asking import rechecked
from odooport.usecases.reading import Reading
from odooport.usecases.shapes import id_list, ids_in, unexpected
from odooport.writing import many_in, values_in

_METHOD = re.compile(r"[a-z][a-z0-9_]*", re.ASCII | re.IGNORECASE)

type _Values = Mapping[str, Any] | OdooValues
"""What is written to one record."""


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
        asked = ids_in(ids, "ids")
        row = plain_row(schema, values)
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
        asked = ids_in(ids, "ids")
        await self._settled(self._call(name, "unlink", list(asked)), asked)

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
