"""What a call would write, however deep: judged model by model, through the schemas."""

from collections.abc import Mapping, Sequence
from typing import Any

from odooport.domain import Domain
from odooport.model import Command, Operation, Requirement
from odooport.scalars import is_mapping, is_sequence
from odooport.schema import TO_MANY, Field
from odooport_security.deciding import conjuncts, decided, fields_of, touched
from odooport_security.sensitive import ATTACHMENT_MODEL
from odooport_security.sight import Refused, Sight

MAX_DEPTH = 24
"""How deep records may lie inside the values of others."""

_OPAQUE = frozenset({"json", "properties", "properties_definition", "binary", "image"})
"""Types whose values hold no records."""

_COMMANDS: Mapping[Any, Command] = {command.value: command for command in Command}


class Writes:
    """Judges values, and collects what must be true of the records that they name.

    Args:
        sight: What the role sees.

    Attributes:
        require: What must be true before the values may be sent.
    """

    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self.require: list[Requirement] = []

    async def need(self, model: str, ids: Sequence[int]) -> None:
        """Keep that records must be some that the role may reach.

        Args:
            model: The records' model; no rule need be about it.
            ids: The records.
        """
        if not ids or self._sight.role.rule_for(model) is None:
            return
        domain = await self._sight.required(model)
        if domain.tokens:
            wanted = Requirement(model, tuple(ids), tuple(domain.to_wire()))
            self.require.append(wanted)

    async def values(
        self,
        model: str,
        values: Mapping[str, Any],
        *,
        saved: bool = True,
        depth: int = 0,
    ) -> None:
        """Judge the values of one record, and of the records inside of them.

        Args:
            model: The record's model; that it may be written at all is judged already.
            values: The values as Odoo takes them.
            saved: Whether they are written; a form only tries them out.
            depth: How many records they lie in.

        Raises:
            Refused: Something in them may not be written.
        """
        if depth > MAX_DEPTH:
            raise Refused(
                f"Records may lie in others at most {MAX_DEPTH} deep.", "shape"
            )
        for name, value in values.items():
            await self._sight.check_field(model, name, reading=False)
            nested = is_mapping(value) or is_sequence(value)
            if nested or self._sight.role.confines:
                await self._value(model, name, value, saved=saved, depth=depth)

    async def _value(
        self, model: str, name: str, value: Any, *, saved: bool, depth: int
    ) -> None:
        sight = self._sight
        field = (await sight.schema(model)).fields.get(name)
        if field is None:
            if name == "id" and not saved:
                return
            if sight.role.hides or _has_lists(value):
                raise Refused(
                    f"{model!r} has no field {name!r} that your Odoo user sees, so "
                    "what its value would write cannot be judged.",
                    sight.rule(model).name,
                )
        elif field.type in TO_MANY:
            await self._many(field, value, saved=saved, depth=depth)
        elif field.type == "many2one":
            await self._one(model, field, value, saved=saved, depth=depth)
        elif field.type == "reference":
            await self._reference(value)
        elif field.type not in _OPAQUE and _has_lists(value):
            raise Refused(
                f"{name!r} of {model!r} takes no records: send a plain value.", "shape"
            )

    async def _one(
        self, model: str, field: Field, value: Any, *, saved: bool, depth: int
    ) -> None:
        if is_mapping(value) and not saved:
            # A form shows a line its parent record like this.
            inside = {str(key): each for key, each in value.items() if key != "id"}
            await self._nested(field, inside, saved=saved, depth=depth)
            value = value.get("id")
        if is_sequence(value) and value and not _has_lists(value):
            value = value[0]
        if is_mapping(value) or (is_sequence(value) and value):
            raise Refused(
                f"{field.name!r} of {model!r} takes the id of one record.", "shape"
            )
        if isinstance(value, str) and value and self._sight.role.confines:
            raise Refused(
                f"{field.name!r} of {model!r} takes the id of one record as a number.",
                "shape",
            )
        if type(value) is int and value:
            await self.need(_relation(field), [value])

    async def _reference(self, value: Any) -> None:
        if isinstance(value, str):
            model, _, number = value.partition(",")
            if number.isdigit():
                await self.need(model, [int(number)])

    async def _many(self, field: Field, value: Any, *, saved: bool, depth: int) -> None:
        if value is None or value is False:
            value = []
        if not is_sequence(value):
            raise Refused(
                f"{field.name!r} takes a list of commands such as [4, 7, 0].", "shape"
            )
        if all(type(item) is int for item in value):
            # Odoo takes bare ids for "replace the records with these"; an empty list
            # for nothing to do.
            value = [[Command.SET, 0, list(value)]] if value else []
        for raw in value:
            await self._command(field, raw, saved=saved, depth=depth)

    async def _command(
        self, field: Field, raw: Any, *, saved: bool, depth: int
    ) -> None:
        if is_sequence(raw) and not raw:
            return
        parts = [*raw, 0, 0] if is_sequence(raw) else [None, 0, 0]
        command = _COMMANDS.get(parts[0]) if _is_number(parts[0]) else None
        if command is None:
            raise Refused(
                f"{raw!r} in {field.name!r} is no command; one looks like [4, 7, 0].",
                "shape",
            )
        sight, comodel = self._sight, _relation(field)
        if saved:
            for operation in await self._operations(field, command, parts[2]):
                try:
                    sight.rule_to(operation, comodel)
                except Refused as refused:
                    raise Refused(
                        f"{refused.reason} {field.name!r} would do that.", refused.rule
                    ) from None
        if command in (Command.CREATE, Command.UPDATE):
            inside: Mapping[str, Any] = {}
            if is_mapping(parts[2]):
                inside = {str(name): each for name, each in parts[2].items()}
            elif parts[2]:
                raise Refused(f"{raw!r} in {field.name!r} has no values.", "shape")
            await self._nested(field, inside, saved=saved, depth=depth)
            if saved and command is Command.CREATE:
                await self.created(comodel, inside)
            elif saved:
                await self.written(comodel, inside)
        replaces = command in (Command.CLEAR, Command.SET) and field.type == "one2many"
        if replaces and saved and sight.rule(comodel).domain.tokens:
            raise Refused(
                f"{field.name!r} would take records out that are not named, and "
                f"the role {sight.role.name!r} sees only some of {comodel!r}: "
                "name those to take out.",
                sight.rule(comodel).name,
            )
        await self.need(comodel, _ids(field, command, parts, saved=saved))

    async def _operations(
        self, field: Field, command: Command, ids: Any
    ) -> list[Operation]:
        """Answer what a command does to the related records.

        Taking lines out of a one2many deletes them where the other side deletes in
        cascade (``One2many.write_real`` in ``odoo/fields.py``); no server tells that,
        but a line that must have its record cannot do without it.
        """
        many = field.type == "many2many"
        match command:
            case Command.CREATE:
                return [Operation.CREATE]
            case Command.UPDATE:
                return [Operation.WRITE]
            case Command.DELETE:
                return [Operation.UNLINK]
            case _ if many:
                return [Operation.READ]
            case Command.LINK:
                return [Operation.WRITE]
            case _:
                pass
        inverse = None
        if field.inverse is not None:
            comodel = await self._sight.schema(_relation(field))
            inverse = comodel.fields.get(field.inverse)
        goes = inverse is None or inverse.required
        taken = Operation.UNLINK if goes else Operation.WRITE
        return [taken, Operation.WRITE] if command is Command.SET and ids else [taken]

    async def _nested(
        self, field: Field, values: Mapping[str, Any], *, saved: bool, depth: int
    ) -> None:
        await self.values(_relation(field), values, saved=saved, depth=depth + 1)

    async def created(self, model: str, values: Mapping[str, Any]) -> None:
        """Check that a new record would be one that the role may reach.

        Raises:
            Refused: The values do not say so.
        """
        domain = await self._sight.required(model)
        if model == ATTACHMENT_MODEL:
            values = {"res_field": False, **values}
        for condition in conjuncts(domain):
            if decided(condition, values) is not True:
                raise Refused(
                    f"The role {self._sight.role.name!r} may only create {model!r} "
                    f"records with {_shown(condition)}: give "
                    f"{', '.join(map(repr, fields_of(condition)))} such a value."
                    f"{_unsure(condition, values)}",
                    self._sight.rule(model).name,
                )

    async def written(self, model: str, values: Mapping[str, Any]) -> None:
        """Check that changed records would stay within the role's reach.

        Raises:
            Refused: The values do not say so.
        """
        domain = await self._sight.required(model)
        for condition in conjuncts(domain):
            if touched(condition, values) and decided(condition, values) is not True:
                raise Refused(
                    f"With the role {self._sight.role.name!r}, {model!r} records must "
                    f"keep {_shown(condition)}: leave out "
                    f"{', '.join(map(repr, fields_of(condition)))}, or give such a "
                    f"value.{_unsure(condition, values)}",
                    self._sight.rule(model).name,
                )


def _unsure(condition: Domain, values: Mapping[str, Any]) -> str:
    """Say that values may be right all the same, where they do not decide."""
    given = all(name in values for name in fields_of(condition))
    if not given or decided(condition, values) is not None:
        return ""
    return (
        " Whether it is one, the values alone do not tell: ask your administrator for "
        "a rule that they decide."
    )


def _ids(
    field: Field, command: Command, parts: Sequence[Any], *, saved: bool
) -> list[int]:
    """Answer the existing records that a command names; a form may name new ones too.

    Raises:
        Refused: They are not named by numbers.
    """
    match command:
        case Command.CREATE | Command.CLEAR:
            return []
        case Command.SET:
            ids = parts[2] if is_sequence(parts[2]) else [parts[2]] if parts[2] else []
        case _:
            ids = [parts[1]]
    if not saved:
        ids = [item for item in ids if not isinstance(item, str)]
    if not all(type(item) is int for item in ids):
        raise Refused(
            f"{field.name!r} names records by something else than whole numbers.",
            "shape",
        )
    return list(ids)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _has_lists(value: Any) -> bool:
    """Whether a list lies in a list anywhere in a value, as commands do."""
    if is_mapping(value):
        return any(map(_has_lists, value.values()))
    if is_sequence(value):
        return any(is_sequence(item) or _has_lists(item) for item in value)
    return False


def _relation(field: Field) -> str:
    if field.relation is None:
        raise Refused(f"{field.name!r} does not say which model it names.", "shape")
    return field.relation


def _shown(condition: Domain) -> str:
    """Answer a condition as people may read it."""
    wire = condition.to_wire()
    return " ".join(map(str, wire[0])) if len(wire) == 1 else repr(wire)
