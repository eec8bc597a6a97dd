"""Looks up the records that people name: class ``Lookups``, one for each request.

It asks Odoo as the caller, through the gate, and no question twice.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import batched
from typing import TYPE_CHECKING, Any

from odooport.errors import (
    GatewayProtocolError,
    InvalidRequest,
    OdooFailed,
    OdooportError,
    OdooRefused,
    RecordMissing,
)
from odooport.gate import Gate
from odooport.model import Call, Caller, Context, Record, Reference
from odooport.scalars import is_integer, is_mapping, is_sequence
from odooport.schema import TEXTUAL, ModelSchema
from odooport.writing import Lookup

MAX_SIMILAR = 5
"""How many records are offered where none has the name."""

_MAX_HITS = 100
"""How many records Odoo is asked for that may have one name."""

_MAX_NEAR = 80
_NEAR_LETTERS = 3
"""How much of a name must be right for a misspelt one to be recognised."""

_NO_EXTERNAL_ID = "External ID not found"
"""What Odoo says of an external id that there is not, in every language
(``odoo/addons/base/models/ir_model.py``, ``_xmlid_lookup``). It crashes with it, and
nothing else tells it from another crash."""


class Lookups:
    """What writing must know, asked as one caller; it remembers every answer.

    Args:
        gate: The guarded path.
        caller: Who asks.
        instance: Which Odoo database.
        context: How Odoo shall look; archived records, say, are found only if it says.
        schema: Answers the schema of a model.
    """

    def __init__(
        self,
        gate: Gate,
        caller: Caller,
        instance: str,
        context: Context,
        *,
        schema: Callable[[str], Awaitable[ModelSchema]],
    ) -> None:
        self._gate = gate
        self._caller = caller
        self._instance = instance
        self._context = context
        self._schema = schema
        self._schemas: dict[str, ModelSchema] = {}
        self._named: dict[tuple[str, str], Sequence[Reference]] = {}
        self._similar: dict[tuple[str, str], Sequence[Reference]] = {}
        self._external: dict[str, tuple[str, int] | None] = {}
        self._defaults: dict[tuple[str, str], Any] = {}
        self._stored: dict[tuple[str, int, tuple[str, ...], Context], Record] = {}

    async def schema(self, model: str) -> ModelSchema:
        """Answer the schema of a model.

        Raises:
            OdooportError: There is none; see the error tree.
        """
        if model not in self._schemas:
            self._schemas[model] = await self._schema(model)
        return self._schemas[model]

    async def named(self, model: str, name: str) -> Sequence[Reference]:
        """Answer all records whose display name or name is exactly this.

        Odoo's search by display name finds more: a country by its code, a partner by
        its e-mail address. Those are left out.

        Raises:
            InvalidRequest: The model's records cannot be found by name.
            OdooportError: See the error tree.
        """
        key = (model, name)
        if key not in self._named:
            self._named[key] = await self._find(model, name)
        return self._named[key]

    async def similar(self, model: str, name: str) -> Sequence[Reference]:
        """Answer at most five records whose names are close to this one."""
        key = (model, name)
        if key not in self._similar:
            self._similar[key] = await self._near(model, name)
        return self._similar[key]

    async def external(self, external_id: str) -> tuple[str, int] | None:
        """Answer the model and the id that an external id stands for.

        None where there is no such external id, or the caller may not see the record.

        Raises:
            OdooportError: See the error tree.
        """
        if external_id not in self._external:
            self._external[external_id] = await self._resolve(external_id)
        return self._external[external_id]

    async def default(self, model: str, field: str) -> Any:
        """Answer what a new record would hold in a field, as Odoo gives it.

        Raises:
            OdooportError: See the error tree.
        """
        key = (model, field)
        if key not in self._defaults:
            values = await self._run(model, "default_get", [field])
            if not is_mapping(values):
                raise _unexpected("default_get", model)
            self._defaults[key] = values.get(field)
        return self._defaults[key]

    async def stored(
        self, model: str, ids: Sequence[int], fields: Sequence[str]
    ) -> Sequence[Record]:
        """Answer records as Odoo reads them, in the order asked for.

        Raises:
            RecordMissing: One of them does not exist.
            OdooportError: See the error tree.
        """
        return await self._read(model, ids, tuple(fields), self._context)

    async def held(self, model: str, ids: Sequence[int], field: str) -> Sequence[int]:
        """Answer what an x2many field holds on any of these records, archived or not.

        Raises:
            RecordMissing: One of them does not exist.
            OdooportError: See the error tree.
        """
        whole = replace(self._context, active_test=False)
        found: dict[int, None] = {}
        for row in await self._read(model, ids, (field,), whole):
            if not is_sequence(held := row.get(field)):
                raise _unexpected("read", model)
            found |= dict.fromkeys(held)
        return list(found)

    async def _read(
        self, model: str, ids: Sequence[int], names: tuple[str, ...], context: Context
    ) -> list[Record]:
        known = self._stored
        asked = [each for each in ids if (model, each, names, context) not in known]
        if asked:
            size = min(len(asked), self._caller.principal.max_rows)
            for some in batched(asked, size):
                rows = await self._run(
                    model, "read", list(some), fields=list(names), context=context
                )
                for row in _rows(rows, "read", model):
                    known[model, row["id"], names, context] = row
        missing = [each for each in ids if (model, each, names, context) not in known]
        if missing:
            raise RecordMissing(
                f"{model!r} has no record with id {missing[0]}: it was deleted, or "
                "never was.",
                missing,
            )
        return [known[model, each, names, context] for each in ids]

    async def _find(self, model: str, name: str) -> list[Reference]:
        schema = await self.schema(model)
        names = [
            each
            for each in ("display_name", "name")
            if (field := schema.fields.get(each)) is not None
            and field.searchable
            and field.type in TEXTUAL
        ]
        if not names:
            raise _nameless(model)
        try:
            rows = await self._exact(model, names, name)
        except (OdooRefused, OdooFailed):
            # Some models compute a display name that Odoo cannot search by, and say so
            # only when they are asked (account.root, crm.activity.report).
            if names != ["display_name", "name"]:
                raise _nameless(model) from None
            try:
                rows = await self._exact(model, ["name"], name)
            except (OdooRefused, OdooFailed):
                raise _nameless(model) from None
        return [
            Reference(row["id"], str(row.get("display_name") or row.get("name") or ""))
            for row in rows
            if name in (row.get("display_name"), row.get("name"))
        ]

    async def _exact(
        self, model: str, names: Sequence[str], name: str
    ) -> Sequence[Record]:
        domain: list[Any] = ["|"] * (len(names) - 1)
        domain += [[each, "=", name] for each in names]
        fields = list(dict.fromkeys(["display_name", *names]))
        rows = await self._run(
            model, "search_read", domain, fields=fields, limit=_MAX_HITS
        )
        return _rows(rows, "search_read", model)

    async def _near(self, model: str, name: str) -> list[Reference]:
        try:
            found = await self._search(model, name, MAX_SIMILAR)
            if not found and len(name) > _NEAR_LETTERS:
                near = await self._search(model, name[:_NEAR_LETTERS], _MAX_NEAR)
                close = get_close_matches(
                    name, [each.name for each in near], n=MAX_SIMILAR
                )
                found = sorted(
                    (each for each in near if each.name in close),
                    key=lambda each: close.index(each.name),
                )
        except OdooportError:
            # A suggestion is a courtesy; the error that it belongs to is the answer.
            return []
        return found[:MAX_SIMILAR]

    async def _search(self, model: str, text: str, limit: int) -> list[Reference]:
        pairs = await self._run(
            model, "name_search", name=text, args=[], operator="ilike", limit=limit
        )
        if not is_sequence(pairs):
            raise _unexpected("name_search", model)
        return [
            Reference(pair[0], str(pair[1]))
            for pair in pairs
            if is_sequence(pair) and len(pair) == 2 and is_integer(pair[0])
        ]

    async def _resolve(self, external_id: str) -> tuple[str, int] | None:
        module, _, name = external_id.partition(".")
        try:
            found = await self._run(
                "ir.model.data", "check_object_reference", module, name
            )
        except OdooFailed as error:
            if _NO_EXTERNAL_ID in error.debug:
                return None
            raise
        if not is_sequence(found) or len(found) != 2:
            raise _unexpected("check_object_reference", "ir.model.data")
        model, number = found
        return (str(model), number) if is_integer(number) else None

    async def _run(
        self,
        model: str,
        method: str,
        *args: Any,
        context: Context | None = None,
        **kwargs: Any,
    ) -> Any:
        call = Call(
            model,
            method,
            args,
            kwargs,
            context=context or self._context,
            instance=self._instance,
        )
        return await self._gate.run(self._caller, call)


def _rows(raw: Any, method: str, model: str) -> list[Record]:
    if not is_sequence(raw) or not all(is_mapping(row) and "id" in row for row in raw):
        raise _unexpected(method, model)
    return [dict(row) for row in raw]


def _nameless(model: str) -> InvalidRequest:
    return InvalidRequest(
        f"{model!r} records cannot be found by name: search {model} and give the id."
    )


def _unexpected(method: str, model: str) -> GatewayProtocolError:
    return GatewayProtocolError(
        f"Odoo answered {method!r} on {model!r} in a shape that it should not have."
    )


if TYPE_CHECKING:
    _lookup: type[Lookup] = Lookups
