"""Records to write: what callers send, checked and put in Odoo's form.

Single values go in by ``values.value_in``. Besides, people know more than ids:

======================  ===============================================================
a record                its id, ``{"id": 20}``, ``[20, "Belgium"]``; its exact name,
                        ``"Belgium"`` or ``{"name": "Belgium"}``; its external id,
                        ``{"external_id": "base.be"}``. Where there is an id, it wins.
x2many                  a list of records, which replaces all; Odoo's commands; words:
                        ``{"add": [3, "VIP"], "remove": [4]}``, ``{"set": [3]}``,
                        ``{"create": [{…}], "update": [{"id": 3, …}], "delete": [5]}``
properties              those to change, by label or by technical name
======================  ===============================================================

A wrong value is a ``Problem`` with its place, and all of them are told at once. Odoo
itself empties a many2one that is given as text, dict or pair, empties every property
that is not sent along, and changes or deletes through a list also what is not in it. A
text in several languages is no part of this: see ``translations``.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as _entry
from typing import Any, Protocol

from odooport import scalars
from odooport.errors import (
    InvalidRequest,
    OdooAccessError,
    Problem,
    RecordMissing,
)
from odooport.model import Command, Record, Reference
from odooport.properties import (
    MANY_VALUES,
    Property,
    are_definitions,
    find_property,
    named_values,
    properties_of,
)
from odooport.scalars import below, is_empty, is_integer, is_mapping, is_sequence, show
from odooport.schema import TEXTUAL, TO_MANY, Field, ModelSchema
from odooport.values import value_in


class Lookup(Protocol):
    """What writing must know of models and of the records that values name.

    Whoever implements it asks Odoo as the caller; what it raises comes out of
    ``values_in``, but for ``InvalidRequest``, which becomes a problem of the value.
    """

    async def schema(self, model: str) -> ModelSchema:
        """Answer the schema of a model; ``OdooportError`` where there is none."""
        ...

    async def named(self, model: str, name: str) -> Sequence[Reference]:
        """Answer all records that are called exactly so.

        Raises:
            InvalidRequest: The model's records cannot be found by name.
        """
        ...

    async def similar(self, model: str, name: str) -> Sequence[Reference]:
        """Answer a few records whose names are close; none where that is unknown."""
        ...

    async def external(self, external_id: str) -> tuple[str, int] | None:
        """Answer the model and the id of an external id, or None."""
        ...

    async def default(self, model: str, field: str) -> Any:
        """Answer what a new record would hold in a field, as Odoo gives it."""
        ...

    async def stored(
        self, model: str, ids: Sequence[int], fields: Sequence[str]
    ) -> Sequence[Record]:
        """Answer records as Odoo reads them.

        Raises:
            RecordMissing: One of them does not exist.
        """
        ...

    async def held(self, model: str, ids: Sequence[int], field: str) -> Sequence[int]:
        """Answer what an x2many field holds on any of these records, archived or not.

        Raises:
            RecordMissing: One of them does not exist.
        """
        ...


MAX_DEPTH = 16
"""How deep x2many commands may nest records in records."""

_SET_BY_ODOO = frozenset({"id", "create_uid", "create_date", "write_uid", "write_date"})
_EXTERNAL_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\.[A-Za-z0-9_.\-]+", re.ASCII)
_SHOWN_RECORDS = 10
_SHOWN_PATHS = 5

_WORDS = {
    "add": "[3, 'VIP']",
    "remove": "[3, 'VIP']",
    "set": "[3, 'VIP']",
    "create": "[{'name': 'Ann'}]",
    "update": "[{'id': 3, 'name': 'Ann'}]",
    "delete": "[3]",
}
"""What can be done to a list of records in plain words, each with an example."""

_WORD_OF: dict[int, str] = {
    Command.DELETE: "delete",
    Command.UNLINK: "remove",
    Command.LINK: "add",
    Command.UPDATE: "update",
}
"""The words that stand for one record each."""

_LISTS = {"many2many": "[3, 'VIP']", "tags": "['new']"}
"""Examples of the properties that hold a list."""

_CHOSEN = frozenset({"selection", "tags"})
"""The types of properties whose values are chosen among those of the definition."""


async def values_in(
    schema: ModelSchema,
    values: Mapping[str, Any],
    lookup: Lookup,
    *,
    creating: bool,
    ids: Sequence[int] = (),
    pointer: str = "",
    form: bool = False,
) -> dict[str, Any]:
    """Check the values of one record and put them in Odoo's form.

    Args:
        schema: The model to write.
        values: Field names with clean values, or with what Odoo answered.
        lookup: Answers what must be known of related models and records.
        creating: Whether a record is created; it cannot have lines to change then.
        ids: The records to write on; their properties are kept where not given, and
            only what their lists hold is changed or deleted through those.
        pointer: Where the values stand in the request, as a JSON pointer.
        form: Whether a form is filled in and nothing saved: it holds what Odoo
            computes, too, and lines that were not saved yet.

    Raises:
        InvalidRequest: With a problem for every value that is wrong.
    """
    writer = _Writer(lookup, form=form)
    spot = _Spot(schema, pointer, creating=creating, ids=tuple(ids))
    sent = await writer.record(spot, values)
    writer.finish(schema)
    return sent


async def many_in(
    schema: ModelSchema,
    rows: Sequence[Mapping[str, Any]],
    lookup: Lookup,
    *,
    creating: bool,
) -> list[dict[str, Any]]:
    """Check the values of many records; pointers are such as ``/3/name``.

    Args:
        schema: The model to write.
        rows: The values of each record.
        lookup: Answers what must be known of related models and records.
        creating: Whether records are created.

    Raises:
        InvalidRequest: With a problem for every value that is wrong, in any record.
    """
    writer = _Writer(lookup)
    sent = [
        await writer.record(_Spot(schema, f"/{index}", creating=creating), values)
        for index, values in enumerate(rows)
    ]
    writer.finish(schema)
    return sent


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where the values of one record stand.

    Attributes:
        schema: The record's model.
        at: The place in the request, as a JSON pointer.
        depth: In how many other records it is nested.
        creating: Whether the record is created.
        ids: The records to write on.
        parents: Fields of a nested record that Odoo fills with the record around it;
            None where that one does not exist yet.
    """

    schema: ModelSchema
    at: str
    depth: int = 0
    creating: bool = False
    ids: tuple[int, ...] = ()
    parents: Mapping[str, int | None] = _entry(default_factory=dict[str, int | None])

    def line(
        self, relational: Field, comodel: ModelSchema, at: str, number: int | None
    ) -> "_Spot":
        """Answer the spot of a record nested in a field; ``number`` is its own id."""
        outer = self.ids[0] if len(self.ids) == 1 else None
        return _Spot(
            comodel,
            at,
            self.depth + 1,
            creating=number is None,
            ids=() if number is None else (number,),
            parents={relational.inverse: outer} if relational.inverse else {},
        )


class _Writer:
    """Converts the values of records, nested ones included; collects what is wrong."""

    def __init__(self, lookup: Lookup, *, form: bool = False) -> None:
        self._lookup = lookup
        self._form = form
        self._problems: list[Problem] = []

    def finish(self, schema: ModelSchema) -> None:
        if self._problems:
            raise scalars.refusal(f"What to write on {schema.model!r}", self._problems)

    async def record(self, spot: _Spot, values: Any) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        if not is_mapping(values):
            self._problem(
                spot.at,
                "A record's values are fields with values such as {'name': 'Ann'}, "
                f"not {show(values)}.",
            )
            return sent
        last: list[tuple[Field, Any, str]] = []
        for name, value in values.items():
            place = below(spot.at, name)
            try:
                field = _writable(spot.schema, name)
                if not self._form and (told := _set_elsewhere(field)):
                    raise InvalidRequest(told)
                if field.type == "properties":
                    last.append((field, value, place))
                elif field.type in TO_MANY:
                    sent[name] = await self._commands(field, value, place, spot)
                else:
                    sent[name] = await self._single(field, value)
            except InvalidRequest as wrong:
                self._problem(place, wrong.message)
        for field, value, place in last:  # they depend on the parent in these values
            try:
                kept = await self._properties(field, value, place, spot, values, sent)
            except InvalidRequest as wrong:
                self._problem(place, wrong.message)
                continue
            if kept is not None:
                sent[field.name] = kept
        return sent

    async def _single(self, field: Field, value: Any) -> Any:
        if field.type == "many2one" and not is_empty(value):
            return await self._record_id(field, value)
        if field.type in TEXTUAL and is_mapping(value):
            raise InvalidRequest(_no_languages_here(field, value))
        return value_in(field, value)

    # Records by what people call them

    async def _record_id(self, field: Field, value: Any) -> int:
        if is_integer(value):
            return scalars.record_id(field, value)
        if scalars.is_pair(value):
            return scalars.record_id(field, value[0])
        if isinstance(value, str):
            return await self._called(field, value, plain=True)
        if is_mapping(value):
            names = value.keys()
            if "external_id" in names and len(names) > 1:
                raise InvalidRequest(
                    f"Name the {field.relation!r} record for {field.name!r} in one "
                    "way, by its external id alone, or by its id or name; not by "
                    f"{show(value)}."
                )
            if "id" in value:
                return scalars.record_id(field, value["id"])
            if "external_id" in names:
                return await self._external(field, value["external_id"])
            if set(names) == {"name"} and isinstance(value["name"], str):
                return await self._called(field, value["name"], plain=False)
        raise InvalidRequest(_no_record(field, value))

    async def _called(self, field: Field, name: str, *, plain: bool) -> int:
        model = _relation(field)
        scalars.storable(field, name)
        if not name.strip():
            raise InvalidRequest(_no_record(field, name))
        found = await self._lookup.named(model, name)
        if len(found) == 1:
            return found[0].id
        if found:
            raise InvalidRequest(_ambiguous(field, name, found))
        if plain and _EXTERNAL_ID.fullmatch(name):
            external = await self._lookup.external(name)
            if external is not None:
                return _of_model(field, name, external)
        similar = await self._lookup.similar(model, name)
        # Odoo's search for equality takes some display names apart, as those of tags
        # below others; what shows exactly this name is what was meant.
        exact = [one for one in similar if one.name == name]
        if len(exact) == 1:
            return exact[0].id
        raise InvalidRequest(_unknown_name(field, name, similar))

    async def _external(self, field: Field, external_id: Any) -> int:
        if not isinstance(external_id, str) or not _EXTERNAL_ID.fullmatch(external_id):
            raise InvalidRequest(
                f"An external id is a module and a name such as 'base.be', "
                f"not {show(external_id)}."
            )
        found = await self._lookup.external(external_id)
        if found is None:
            raise InvalidRequest(
                f"There is no external id {external_id!r} that you can see. Give the "
                f"{field.relation!r} record for {field.name!r} by its id or its exact "
                "name."
            )
        return _of_model(field, external_id, found)

    async def _record_ids(
        self, field: Field, items: Sequence[Any], at: str, owner: _Spot | None = None
    ) -> list[int]:
        """Answer the ids of several records; what is wrong goes to its own place.

        With an ``owner``, its records must hold them.
        """
        ids: list[int] = []
        for index, item in enumerate(items):
            try:
                number = await self._record_id(field, item)
                if owner is not None:
                    await self._check_held(field, number, owner)
                ids.append(number)
            except InvalidRequest as wrong:
                self._problem(f"{at}/{index}", wrong.message)
        return ids

    # Lists of records

    async def _commands(
        self, field: Field, value: Any, at: str, spot: _Spot
    ) -> list[list[Any]]:
        if is_mapping(value):
            return await self._words(field, value, at, spot)
        if not is_sequence(value):
            raise InvalidRequest(_no_list(field, value))
        if not any(map(is_sequence, value)):
            return [Command.set(await self._record_ids(field, value, at))]
        sent: list[list[Any]] = []
        for index, item in enumerate(value):
            place = f"{at}/{index}"
            try:
                linked = _linked(sent)
                sent.append(await self._command(field, item, place, spot, linked))
            except InvalidRequest as wrong:
                self._problem(place, wrong.message)
        return sent

    async def _words(
        self, field: Field, value: Mapping[Any, Any], at: str, spot: _Spot
    ) -> list[list[Any]]:
        """Put plain words in Odoo's commands, in an order in which none undoes another.

        ``set`` says all that shall be there, so ``add``, ``remove`` and ``delete`` have
        no meaning beside it; new and changed records have.
        """
        self._check_words(field, value, at, spot)
        ids: dict[str, list[int]] = {}
        for word in ("delete", "remove", "set", "add"):
            if is_sequence(items := value.get(word)):
                owner = spot if word == "delete" else None
                place = f"{at}/{word}"
                ids[word] = await self._record_ids(field, items, place, owner)
        sent = [Command.delete(number) for number in ids.get("delete", ())]
        sent += [Command.unlink(number) for number in ids.get("remove", ())]
        if "set" in ids:
            sent.append(Command.set(ids["set"]))
        sent += [Command.link(number) for number in ids.get("add", ())]
        linked = _linked(sent)
        for word in ("update", "create"):
            items = value.get(word)
            for index, item in enumerate(items if is_sequence(items) else ()):
                place = f"{at}/{word}/{index}"
                try:
                    line = await self._line(field, word, item, place, spot, linked)
                    sent.append(line)
                except InvalidRequest as wrong:
                    self._problem(place, wrong.message)
        self._check_once(field, sent, at)
        return sent

    def _check_words(
        self, field: Field, value: Mapping[Any, Any], at: str, spot: _Spot
    ) -> None:
        if not value or any(word not in _WORDS for word in value):
            raise InvalidRequest(_no_words(field, value))
        clash = [word for word in ("add", "remove", "delete") if word in value]
        if "set" in value and clash:
            raise InvalidRequest(
                f"'set' says which records {field.name!r} shall hold in all, so "
                f"{clash[0]!r} cannot stand beside it. Use 'set' with 'create' and "
                "'update' only, or leave 'set' out."
            )
        for word, items in value.items():
            place = f"{at}/{word}"
            if not is_sequence(items):
                self._problem(
                    place,
                    f"{word!r} of {field.name!r} takes a list such as "
                    f"{_WORDS[word]}, not {show(items)}.",
                )
            elif items and spot.creating and word in ("remove", "update", "delete"):
                self._problem(place, _nothing_yet(field, word))

    def _check_once(self, field: Field, sent: list[list[Any]], at: str) -> None:
        done: dict[int, str] = {}
        for code, number, *_ in sent:
            word = _WORD_OF.get(code)
            if word is None:
                continue
            before = done.setdefault(number, word)
            if before != word and {before, word} != {"add", "update"}:
                self._problem(
                    at,
                    f"The record {number} stands under both {before!r} and {word!r} "
                    f"of {field.name!r}; say one.",
                )

    async def _check_held(
        self, field: Field, number: int, spot: _Spot, linked: Collection[int] = ()
    ) -> None:
        """Check that a record to change or delete is one of the field's.

        Odoo does not look: it changes whatever record of the other model is named
        (``odoo/fields.py``, ``write_real`` of both x2many fields). ``linked`` are those
        that the same value puts there before. Taking out what is not there changes
        nothing, so ``remove`` needs no such check.
        """
        if self._form or spot.creating or number in linked:
            return
        held = await self._lookup.held(spot.schema.model, spot.ids, field.name)
        if number not in held:
            raise InvalidRequest(_not_held(field, number, held))

    async def _line(
        self,
        field: Field,
        word: str,
        item: Any,
        at: str,
        spot: _Spot,
        linked: Collection[int],
    ) -> list[Any]:
        if word == "create":
            return Command.create(await self._nested(field, item, at, spot, None))
        if not is_mapping(item) or "id" not in item:
            raise InvalidRequest(
                f"'update' takes the id of a record with its new values, such as "
                f"{{'id': 7, 'name': 'Ann'}}, not {show(item)}."
            )
        number = scalars.record_id(field, item["id"])
        await self._check_held(field, number, spot, linked)
        values = {name: value for name, value in item.items() if name != "id"}
        return Command.update(
            number, await self._nested(field, values, at, spot, number)
        )

    async def _nested(
        self, field: Field, values: Any, at: str, spot: _Spot, number: int | None
    ) -> dict[str, Any]:
        if spot.depth >= MAX_DEPTH:
            raise InvalidRequest(f"Records nest deeper than {MAX_DEPTH}.")
        comodel = await self._lookup.schema(_relation(field))
        return await self.record(spot.line(field, comodel, at, number), values)

    async def _command(
        self, field: Field, item: Any, at: str, spot: _Spot, linked: Collection[int]
    ) -> list[Any]:
        code, number, values = _command_parts(field, item)
        changes = (Command.UPDATE, Command.DELETE, Command.UNLINK)
        if spot.creating and code in changes:
            raise InvalidRequest(_nothing_yet(field, code.name.lower()))
        match code:
            case Command.CREATE:
                return Command.create(
                    await self._nested(field, values, f"{at}/2", spot, None)
                )
            case Command.UPDATE:
                number = scalars.record_id(field, number)
                await self._check_held(field, number, spot, linked)
                return Command.update(
                    number, await self._nested(field, values, f"{at}/2", spot, number)
                )
            case Command.DELETE:
                number = await self._record_id(field, number)
                await self._check_held(field, number, spot)
                return Command.delete(number)
            case Command.UNLINK:
                return Command.unlink(await self._record_id(field, number))
            case Command.LINK:
                return Command.link(await self._record_id(field, number))
            case Command.CLEAR:
                return Command.clear()
            case Command.SET:
                if not is_sequence(values):
                    raise InvalidRequest(
                        f"The command 6 takes a list of ids, [6, 0, [1, 2]], "
                        f"not {show(values)}."
                    )
                return Command.set(await self._record_ids(field, values, f"{at}/2"))

    # Properties

    async def _properties(
        self,
        field: Field,
        value: Any,
        at: str,
        spot: _Spot,
        values: Mapping[Any, Any],
        sent: Mapping[str, Any],
    ) -> Any:
        """Answer all properties to send, or None where nothing is to be changed.

        Odoo puts what is written in place of every property of the record. So what is
        not given is sent as it was read.
        """
        if is_empty(value):
            return False
        given = named_values(field, value)
        if not given:
            return None
        parent = field.definition_record
        if parent is None or field.definition_record_field is None:
            raise InvalidRequest(
                f"{field.name!r} does not say which record defines its properties."
            )
        if parent in values and parent not in sent:
            return None  # the parent is wrong, which is told at its own place
        if spot.creating:
            owner = await self._parent_of(field, spot, sent)
            known = await self._defined(field, spot.schema, owner)
            return await self._property_values(field, known, given, at)
        rows = await self._lookup.stored(spot.schema.model, spot.ids, [field.name])
        wholes: list[dict[str, Any]] = []
        changed: dict[str, Any] = {}
        for row in rows:
            old = _read_properties(row.get(field.name))
            known = old
            if parent in sent:
                known = await self._defined(field, spot.schema, sent[parent] or None)
                known = _carried_over(old, known)
            if not wholes:
                changed = await self._property_values(field, known, given, at)
            wholes.append({each.name: each.value for each in known} | changed)
        if any(whole != wholes[0] for whole in wholes):
            raise InvalidRequest(
                f"{field.name!r} is saved as a whole, and these records differ in what "
                "is not given. Write each of them on its own."
            )
        return wholes[0] if wholes else None

    async def _parent_of(
        self, field: Field, spot: _Spot, sent: Mapping[str, Any]
    ) -> int | None:
        """Answer the record that defines the properties of a new record."""
        parent = str(field.definition_record)
        if parent in sent:
            return sent[parent] or None
        if parent in spot.parents:
            return spot.parents[parent]
        default = await self._lookup.default(spot.schema.model, parent)
        if is_sequence(default):
            default = default[0] if default else None
        return default if is_integer(default) else None

    async def _defined(
        self, field: Field, schema: ModelSchema, owner: int | None
    ) -> list[Property]:
        """Answer the properties that a parent defines, each with its default."""
        parent = schema.field(str(field.definition_record))
        if owner is None:
            raise InvalidRequest(
                f"{field.name!r} has no properties without a {parent.relation!r} "
                f"record in {parent.name!r}, which defines them: give it in the same "
                "values."
            )
        definition = str(field.definition_record_field)
        try:
            (row,) = await self._lookup.stored(_relation(parent), [owner], [definition])
        except RecordMissing:
            raise InvalidRequest(
                f"There is no {parent.relation!r} record {owner} for {parent.name!r}, "
                "so nothing defines these properties."
            ) from None
        return _read_properties(row.get(definition))

    async def _property_values(
        self,
        field: Field,
        known: Sequence[Property],
        given: Mapping[Any, Any],
        at: str,
    ) -> dict[str, Any]:
        """Answer the given properties in Odoo's form, by technical name."""
        changed: dict[str, Any] = {}
        for key, value in given.items():
            place = below(at, key)
            try:
                found = find_property(field, known, key)
                if found.name in changed:
                    raise InvalidRequest(
                        f"The property {found.key!r} is given twice, by its label and "
                        "by its technical name; give it once."
                    )
                changed[found.name] = await self._property(found.field, value, place)
            except InvalidRequest as wrong:
                self._problem(place, wrong.message)
        return changed

    async def _property(self, field: Field, value: Any, at: str) -> Any:
        if field.type in _CHOSEN and not field.selection and not is_empty(value):
            raise InvalidRequest(
                f"The property {field.name!r} has no choices yet: add them where the "
                "properties are defined."
            )
        if field.type not in MANY_VALUES:
            sent = await self._single(field, value)
            if field.type == "many2one" and sent:
                await self._check_there(field, [sent])
            return sent
        if is_empty(value):
            return []
        if not is_sequence(value):
            raise InvalidRequest(
                f"{field.name!r} is a {field.type} property: send a list such as "
                f"{_LISTS[field.type]}, not {show(value)}."
            )
        if field.type == "many2many":
            ids = await self._record_ids(field, value, at)
            await self._check_there(field, ids)
            return ids
        return [scalars.choice(field, item) for item in value]

    async def _check_there(self, field: Field, ids: Sequence[int]) -> None:
        """Check that the records a property names exist: Odoo drops others silently."""
        if not ids:
            return
        asked = list(dict.fromkeys(ids))
        try:
            await self._lookup.stored(_relation(field), asked, ["display_name"])
        except RecordMissing as missing:
            gone = ", ".join(map(str, missing.ids or asked))
            raise InvalidRequest(
                f"There is no {field.relation!r} record with id {gone} for "
                f"{field.name!r}; search {field.relation} for the right one."
            ) from None
        except OdooAccessError:
            return  # who may not read them may still name them

    def _problem(self, at: str, message: str) -> None:
        self._problems.append(Problem(at, message))


def _writable(schema: ModelSchema, name: Any) -> Field:
    if not isinstance(name, str):
        raise InvalidRequest(
            f"A field is named by text, not {show(name)}; such as 'name'."
        )
    if name in _SET_BY_ODOO:
        raise InvalidRequest(f"{name!r} is set by Odoo; leave it out.")
    return schema.field(name)


def _set_elsewhere(field: Field) -> str:
    """Say where to write in place of a field that only Odoo sets; empty if here.

    Odoo drops a value for such a field where it is not stored, and keeps it where it
    is: a total that its lines do not add up to.
    """
    if not field.readonly:
        return ""
    if field.related is not None:
        return f"{field.name!r} shows {field.related!r} of this record; write it there."
    if not field.depends:
        return ""
    paths = list(dict.fromkeys(field.depends))
    shown = ", ".join(paths[:_SHOWN_PATHS])
    if len(paths) > _SHOWN_PATHS:
        shown += ", …"
    return f"{field.name!r} is computed by Odoo from {shown}; write those instead."


def _relation(field: Field) -> str:
    if field.relation is None:
        raise InvalidRequest(f"{field.name!r} does not say which model it names.")
    return field.relation


def _no_record(field: Field, value: Any) -> str:
    hint = ""
    if is_mapping(value) and value and field.type in TO_MANY:
        hint = " To create records there, send {'create': [{…}]}."
    return (
        f"{field.name!r} names {field.relation!r} records: send an id such as 7 or "
        "{'id': 7}, an exact name as text, or {'external_id': 'module.name'}, "
        f"not {show(value)}.{hint}"
    )


def _listed(found: Sequence[Reference]) -> str:
    shown = ", ".join(f"{one.name!r} ({one.id})" for one in found[:_SHOWN_RECORDS])
    return f"{shown}, …" if len(found) > _SHOWN_RECORDS else shown


def _ambiguous(field: Field, name: str, found: Sequence[Reference]) -> str:
    return (
        f"{len(found)} {field.relation!r} records are called {show(name)}: "
        f"{_listed(found)}. Give the id of the one that you mean for {field.name!r}."
    )


def _unknown_name(field: Field, name: str, similar: Sequence[Reference]) -> str:
    number = f" If {name} is its id, send it as a number." if name.isdigit() else ""
    closest = (
        f"The closest are {_listed(similar)}; give the id of one, or its exact name."
        if similar
        else f"Search {field.relation} for its id and send that."
    )
    return (
        f"No {field.relation!r} record for {field.name!r} is called exactly "
        f"{show(name)}. {closest}{number}"
    )


def _of_model(field: Field, external_id: str, found: tuple[str, int]) -> int:
    """Answer the id of an external id, which must be of the field's model."""
    model, number = found
    if model != field.relation:
        raise InvalidRequest(
            f"{external_id!r} is a {model!r} record; {field.name!r} takes "
            f"{field.relation!r} records."
        )
    return number


def _no_list(field: Field, value: Any) -> str:
    return (
        f"{field.name!r} takes a list of {field.relation!r} records such as "
        f"[3, 'VIP'], or says what to do such as {{'add': [3]}}, not {show(value)}. To "
        "leave it as it is, leave it out; an empty list removes all."
    )


def _no_words(field: Field, value: Mapping[Any, Any]) -> str:
    unknown = [word for word in value if word not in _WORDS]
    told = f"{show(unknown[0])} is none of them" if unknown else "none is given"
    return (
        f"What to do to {field.name!r} is said with {', '.join(_WORDS)}; {told}. Such "
        "as {'add': [3], 'create': [{'name': 'Ann'}]}."
    )


def _nothing_yet(field: Field, word: str) -> str:
    return f"A new record has no {field.name!r} yet, so there is nothing to {word}."


def _linked(sent: Iterable[Sequence[Any]]) -> set[int]:
    """Answer the records that commands put into a field."""
    linked: set[int] = set()
    for code, number, values in sent:
        if code == Command.LINK:
            linked.add(number)
        elif code == Command.SET:
            linked.update(values)
    return linked


def _not_held(field: Field, number: int, held: Sequence[int]) -> str:
    shown = ", ".join(map(str, held[:_SHOWN_RECORDS])) or "none"
    if len(held) > _SHOWN_RECORDS:
        shown += ", …"
    return (
        f"{field.name!r} of these records does not hold {number}; it holds {shown}. To "
        f"change or delete another {field.relation!r} record, do so on that record."
    )


def _read_properties(raw: Any) -> list[Property]:
    return properties_of(raw) if are_definitions(raw) else []


def _carried_over(old: Sequence[Property], known: Iterable[Property]) -> list[Property]:
    """Answer a new parent's properties with the values that a record moves with.

    As Odoo does where only the parent is written: a value whose property the new
    parent has too is kept, every other property starts with its default.
    """
    kept = {each.name: each.value for each in old}
    return [replace(each, value=kept.get(each.name, each.default)) for each in known]


def _command_parts(field: Field, item: Any) -> tuple[Command, Any, Any]:
    if not is_sequence(item):
        raise InvalidRequest(
            f"{field.name!r} takes either a list of records or a list of commands, "
            f"not both: {show(item)} is no command. [4, id, 0] adds a record."
        )
    if (
        not 1 <= len(item) <= 3
        or not is_integer(item[0])
        or item[0] not in set(Command)
        or isinstance(item[-1], str)
    ):
        raise InvalidRequest(
            f"{show(item)} is no command for {field.name!r}. Commands are "
            "[0, 0, values] create, [1, id, values] update, [2, id, 0] delete, "
            "[3, id, 0] unlink, [4, id, 0] link, [5, 0, 0] clear and [6, 0, ids] set."
        )
    code, number, values = (*item, None, None)[:3]
    return Command(code), number, values


def _no_languages_here(field: Field, value: Any) -> str:
    if not field.translated:
        return (
            f"{field.name!r} is not translated: it has one text for all languages, and "
            "writing it replaces that for everybody. Send one text such as 'Some "
            f"text', not {show(value)}."
        )
    return (
        f"{field.name!r} cannot be given in several languages while a record is made, "
        "copied or changed through another. Send one text, in the language of the "
        "call; then write the other languages on the record itself."
    )
