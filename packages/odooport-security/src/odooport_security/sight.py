"""What a role sees of the models of one Odoo: which fields are hidden, and why.

A field is hidden if its rule says so, if it holds a secret, or if it shows what another
hidden field holds. Odoo's own schemas tell the last: ``related`` and ``depends``.
"""

import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from odooport.domain import Domain
from odooport.model import Mask, Masking, Operation
from odooport.ports import OdooKnowledge
from odooport.scalars import is_sequence
from odooport.schema import RAW_BYTES, RELATIONAL, Field, ModelSchema
from odooport_security.rules import ME, Role, Rule
from odooport_security.sensitive import (
    ATTACHMENT_MODEL,
    COPIED_UNTOLD,
    NAMED_ONLY_IN_CONTEXT,
    NAMED_UNTOLD,
    PROTECTED_MODELS,
    SENSITIVE_MODELS,
    TRACKING_MODEL,
    is_secret,
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FAMILIES = (
    frozenset({"char", "text", "html", "selection"}),
    frozenset({"integer", "float", "monetary"}),
    frozenset({"date", "datetime"}),
    frozenset({"binary", "image"}),
)
_NO_RES_FIELD = Domain.of("res_field", "=", False)
_DISPLAY_NAME = "display_name"
_MOST_FINDINGS = 5_000


class Refused(Exception):
    """The call may not run; caught where the judgement ends.

    Attributes:
        reason: Why, for the caller.
        rule: What decided.
    """

    def __init__(self, reason: str, rule: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rule = rule


class Cover(Enum):
    """What lies over a field."""

    HIDDEN = auto()
    MASKED = auto()
    SECRET = auto()


@dataclass(frozen=True, slots=True)
class Covered:
    """Why a field is not simply open.

    Attributes:
        cover: What lies over it.
        rule: Which rule says so.
        through: The hidden field whose value it shows, if that is the reason.
    """

    cover: Cover
    rule: str
    through: str | None = None

    @property
    def masking(self) -> Masking:
        """What happens to the field in an answer."""
        return Masking.STARS if self.cover is Cover.MASKED else Masking.DROP


type _Found = Mapping[str, Covered]


@dataclass(frozen=True, slots=True)
class _Finding:
    """What was found of one model, and out of which schemas."""

    covered: _Found
    digests: Mapping[str, str]

    async def still_holds(self, odoo: OdooKnowledge) -> bool:
        for model, digest in self.digests.items():
            if (await odoo.schema(model)).digest != digest:
                return False
        return True


class Covers:
    """Remembers what lies over the fields of models, as long as the models stay.

    What lies over a field depends on the role and on every schema that was looked at to
    find out; with the same schemas the finding is the same for every Odoo user.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, str], _Finding] = OrderedDict()

    async def of(self, role: Role, model: str, odoo: OdooKnowledge) -> _Found:
        """Answer every field of a model that is not simply open to a role."""
        key = (role.name, model, (await odoo.schema(model)).digest)
        kept = self._kept.get(key)
        if kept is not None and await kept.still_holds(odoo):
            self._kept.move_to_end(key)
            return kept.covered
        sight = Sight(role, odoo, self)
        covered = await sight.look_at_all(model)
        self._kept[key] = _Finding(covered, sight.digests())
        while len(self._kept) > _MOST_FINDINGS:
            self._kept.popitem(last=False)
        return covered


class Sight:
    """What a role sees of one Odoo, as one Odoo user; made anew for every call.

    Args:
        role: The role.
        odoo: Tells what the models look like.
        covers: Remembers what was found before.
    """

    def __init__(self, role: Role, odoo: OdooKnowledge, covers: Covers) -> None:
        self.role = role
        self._odoo = odoo
        self._remembered = covers
        self._schemas: dict[str, ModelSchema] = {}
        self._found: dict[str, _Found] = {}
        self._covers: dict[tuple[str, str], Covered | None] = {}
        self._open: set[tuple[str, str]] = set()

    # Models

    def rule(self, model: str) -> Rule:
        """Answer the rule that decides about a model.

        Raises:
            Refused: There is none.
        """
        rule = self.role.rule_for(model)
        if rule is not None:
            return rule
        if model in SENSITIVE_MODELS or model == TRACKING_MODEL:
            raise Refused(
                f"{model!r} is closed to the role {self.role.name!r}: it holds "
                "secrets, grants rights or runs code. Use Odoo itself for it, or have "
                "a rule name it.",
                "sensitive-model",
            )
        raise Refused(
            f"No rule of the role {self.role.name!r} is about {model!r}, so it may do "
            "nothing there.",
            "no-rule",
        )

    def rule_to(self, operation: Operation, model: str) -> Rule:
        """Answer the rule that allows something on a model.

        Raises:
            Refused: None does.
        """
        rule = self.rule(model)
        if operation is not Operation.READ:
            self.check_protected(rule, model)
        if operation not in rule.allow:
            what = {"unlink": "delete"}.get(operation.value, operation.value)
            raise Refused(
                f"The role {self.role.name!r} may not {what} {model!r}.", rule.name
            )
        return rule

    def check_protected(self, rule: Rule, model: str) -> None:
        """Check that a rule may let somebody change a model.

        Raises:
            Refused: The model decides about rights or code, and is not named exactly.
        """
        if model in PROTECTED_MODELS and not rule.names(model):
            raise Refused(
                f"{model!r} can be read but not changed here: it decides about rights "
                "or code. Use Odoo itself for it, or have a rule name it.",
                "protected-model",
            )

    def domain_text(self, model: str) -> Domain:
        """Answer what is required of the records of a model, ``ME`` still in it."""
        rule = self.rule(model)
        if model == ATTACHMENT_MODEL and self.role.hides:
            return rule.domain & _NO_RES_FIELD
        return rule.domain

    async def required(self, model: str) -> Domain:
        """Answer what is required of the records of a model, as this Odoo user."""
        domain = self.domain_text(model)
        if not self.rule(model).names_me:
            return domain
        uid = await self._odoo.uid()
        return Domain.parse(_replaced(domain.to_wire(), uid))

    async def schema(self, model: str) -> ModelSchema:
        """Answer what a model looks like, nothing hidden."""
        if (schema := self._schemas.get(model)) is None:
            schema = self._schemas[model] = await self._odoo.schema(model)
        return schema

    # Fields

    async def cover(self, model: str, name: str) -> Covered | None:
        """Answer what lies over a field; None if it is open."""
        if self.role.hides and name in (await self.schema(model)).fields:
            return (await self.covered_fields(model)).get(name)
        return await self._cover(model, name)

    async def _cover(self, model: str, name: str) -> Covered | None:
        key = (model, name)
        if key in self._covers:
            return self._covers[key]
        if key in self._open:
            return None
        # Fields may show one another in a circle. Inside of one question, what was
        # looked at already adds nothing; it may still be hidden by what comes after it,
        # so only a finding, and the answer to the question itself, is kept.
        first = not self._open
        self._open.add(key)
        try:
            covered = await self._look(model, name)
        finally:
            if first:
                self._open.clear()
        if first or covered is not None:
            self._covers[key] = covered
        return covered

    async def _look(self, model: str, name: str) -> Covered | None:
        rule = self.role.rule_for(model)
        if rule is not None:
            if name in rule.hide:
                return Covered(Cover.HIDDEN, rule.name)
            if name in rule.mask:
                return Covered(Cover.MASKED, rule.name)
        shown = rule is not None and rule.names(model) and name in rule.show
        if shown:
            return None
        if is_secret(model, name):
            return Covered(Cover.SECRET, "sensitive-field")
        if rule is not None and name in rule.show:
            return None
        if self.role.hides:
            return await self._derived(model, name)
        return None

    async def _derived(self, model: str, name: str) -> Covered | None:
        """Answer what lies over a field because of what it is made from."""
        schema = await self.schema(model)
        field = schema.fields.get(name)
        if field is None:
            return None
        if (copied := COPIED_UNTOLD.get(model, {}).get(name)) is not None:
            covered = await self._cover(*copied)
            if covered is not None and covered.cover is not Cover.SECRET:
                through = ".".join(copied)
                return Covered(Cover.HIDDEN, covered.rule, through=through)
        if field.related is not None:
            return await self._through(schema, field, field.related, copies=True)
        depends = set(field.depends)
        if name == _DISPLAY_NAME:
            depends -= NAMED_ONLY_IN_CONTEXT.get(model, frozenset())
            depends |= NAMED_UNTOLD.get(model, frozenset())
        for path in sorted(depends):
            steps = path.split(".")
            if len(steps) == 1 or not self.role.concealed.isdisjoint(steps):
                copies = name == _DISPLAY_NAME
                found = await self._through(schema, field, path, copies=copies)
                if found is not None:
                    return found
        return None

    async def _through(
        self, schema: ModelSchema, shown: Field, path: str, *, copies: bool
    ) -> Covered | None:
        """Answer what lies over a field that shows what is at the end of a path.

        Args:
            schema: The model of the field.
            shown: The field.
            path: Where it takes its value from.
            copies: Whether it shows that value in any case; otherwise only where the
                two are of a kind: a text out of a text, a number out of numbers.
        """
        model, steps = schema.model, path.split(".")
        for index, step in enumerate(steps):
            current = await self.schema(model)
            source = current.fields.get(step)
            if source is None:
                return None
            covered = await self._cover(model, step)
            last = index == len(steps) - 1
            if (
                covered is not None
                and covered.cover is not Cover.SECRET
                and (copies or not last or _of_a_kind(source, shown))
            ):
                via = f"{model}.{step}"
                return Covered(Cover.HIDDEN, covered.rule, through=via)
            if last and shown.name == _DISPLAY_NAME and source.relation is not None:
                covered = await self._cover(source.relation, _DISPLAY_NAME)
                if covered is not None:
                    via = f"{source.relation}.{_DISPLAY_NAME}"
                    return Covered(Cover.HIDDEN, covered.rule, through=via)
            if last or source.relation is None:
                return None
            model = source.relation
        return None

    async def check_field(self, model: str, name: str, *, reading: bool) -> None:
        """Check that a field may be named.

        Args:
            model: The model that it lies on.
            name: The field.
            reading: Whether its value is asked for and nothing else, so that it may be
                behind stars.

        Raises:
            Refused: It is hidden, or behind stars and more than read.
        """
        covered = await self.cover(model, name)
        if covered is None or (reading and covered.cover is Cover.MASKED):
            return
        if covered.cover is Cover.SECRET:
            raise Refused(
                f"{name!r} of {model!r} holds a secret and is closed to the role "
                f"{self.role.name!r}; leave it out.",
                covered.rule,
            )
        if covered.cover is Cover.MASKED:
            raise Refused(
                f"{name!r} of {model!r} is masked for the role {self.role.name!r}: "
                "it can be read, behind stars, and not be searched, sorted, grouped "
                "by or written.",
                covered.rule,
            )
        why = "" if covered.through is None else f" It shows {covered.through!r}."
        raise Refused(
            f"{name!r} of {model!r} is hidden from the role {self.role.name!r}; leave "
            f"it out.{why}",
            covered.rule,
        )

    async def follow(
        self, model: str, steps: Sequence[str], *, reading: bool = False
    ) -> Field | None:
        """Walk along a path and check every step of it.

        Args:
            model: Where the path begins.
            steps: The names of its fields; what follows a field that is no relation
                is a property, or a part of a date.
            reading: Whether the value at its end is asked for and nothing else.

        Returns:
            The field at its end; None if that was not looked up or is not there.

        Raises:
            Refused: A step is hidden, or leads where the role may not look.
        """
        field: Field | None = None
        for index, step in enumerate(steps):
            more = index < len(steps) - 1
            if _NAME.fullmatch(step) is None:
                raise Refused(f"{step!r} is no name of a field.", "shape")
            await self.check_field(model, step, reading=reading and not more)
            if not more and not self.role.hides:
                return None
            field = (await self.schema(model)).fields.get(step)
            if field is None:
                if self.role.hides or more:
                    raise Refused(
                        f"{model!r} has no field {step!r} that your Odoo user sees.",
                        self.rule(model).name,
                    )
                return None
            if more and field.relation is None:
                return field
            if more:
                model = str(field.relation)
                self.check_way(model)
        return field

    async def check_read(self, model: str, names: Iterable[str]) -> None:
        """Check fields of a model that are read and nothing else.

        Raises:
            Refused: See ``follow``, which looks at each that is not simply open.
        """
        fields: Mapping[str, Field] = {}
        covered: _Found = {}
        if self.role.hides:
            fields = (await self.schema(model)).fields
            covered = await self.covered_fields(model)
        for name in names:
            if name not in fields or name in covered:
                await self.follow(model, name.split("."), reading=True)

    def check_way(self, model: str) -> None:
        """Check that a path may lead into a model.

        Raises:
            Refused: The role may not read it, or only some of its records, which a path
                could not be kept to.
        """
        rule = self.rule_to(Operation.READ, model)
        if self.domain_text(model).tokens:
            raise Refused(
                f"A path may not lead into {model!r}: the role {self.role.name!r} "
                "sees only some of its records. Search that model by itself.",
                rule.name,
            )

    # Whole models

    async def covered_fields(self, model: str) -> _Found:
        """Answer every field of a model that is not simply open."""
        if (found := self._found.get(model)) is None:
            found = await self._remembered.of(self.role, model, self._odoo)
            self._found[model] = found
        return found

    async def look_at_all(self, model: str) -> _Found:
        """Answer the same, without what is remembered."""
        schema = await self.schema(model)
        return {
            name: covered
            for name in schema.fields
            if (covered := await self._cover(model, name)) is not None
        }

    def digests(self) -> dict[str, str]:
        """Answer the digest of every schema that was looked at."""
        return {model: schema.digest for model, schema in self._schemas.items()}

    async def veiled(self, model: str) -> bool:
        """Whether rules hide or mask anything of a model, secrets not counted."""
        if not self.role.hides:
            return False
        rule = self.role.rule_for(model)
        if rule is not None and (rule.hide or rule.mask):
            return True
        covers = (await self.covered_fields(model)).values()
        return any(covered.cover is not Cover.SECRET for covered in covers)

    async def nameless(self, model: str | None) -> bool:
        """Whether the names of a model's records are hidden."""
        if model is None or not self.role.hides:
            return False
        return await self.cover(model, _DISPLAY_NAME) is not None

    async def visible(self, model: str) -> list[str] | None:
        """Answer the fields that "all fields" means; None if none are hidden."""
        covered = await self.covered_fields(model)
        if not any(each.cover is not Cover.MASKED for each in covered.values()):
            return None
        left_out = {"raw"} if model in RAW_BYTES else set[str]()
        schema = await self.schema(model)
        return [
            name
            for name in schema.fields
            if name not in left_out
            and (name not in covered or covered[name].cover is Cover.MASKED)
        ]

    async def mask(self, model: str, names: Iterable[str] | None = None) -> Mask:
        """Answer what happens to the fields of a record in an answer.

        Args:
            model: The record's model.
            names: The fields that the answer may have; None for all.
        """
        if names is None:
            names = (await self.schema(model)).fields
        elif not self.role.hides:
            return {}
        mask: dict[str, Masking | Mask] = {}
        if not self.role.hides:
            for name in names:
                if (covered := await self._cover(model, name)) is not None:
                    mask[name] = covered.masking
            return mask
        fields = (await self.schema(model)).fields
        found = await self.covered_fields(model)
        for name in names:
            if (field := fields.get(name)) is None:
                covered = await self._cover(model, name)
            else:
                covered = found.get(name)
            if covered is not None:
                mask[name] = covered.masking
            elif (
                field is not None
                and field.type == "many2one"
                and await self.nameless(field.relation)
            ):
                mask[name] = Masking.UNNAME
        return mask

    async def searchable_name(self, model: str) -> str:
        """Answer the field to search in place of a display name.

        A search by display name looks into further fields, which no server tells
        (``_rec_names_search``), so hidden ones could be guessed through it.

        Raises:
            Refused: There is none that is stored and open.
        """
        await self.check_field(model, _DISPLAY_NAME, reading=False)
        field = (await self.schema(model)).fields.get("name")
        if (
            field is None
            or field.type != "char"
            or not field.stored
            or await self.cover(model, "name") is not None
        ):
            raise Refused(
                f"{model!r} cannot be searched by name with the role "
                f"{self.role.name!r}: that could look into hidden fields. Search by a "
                "field that you see.",
                self.rule(model).name,
            )
        return "name"


def _of_a_kind(source: Field, shown: Field) -> bool:
    if source.type in RELATIONAL or shown.type in RELATIONAL:
        return source.relation == shown.relation
    if source.type == shown.type:
        return True
    return any(source.type in family and shown.type in family for family in _FAMILIES)


def _replaced(wire: Any, uid: int) -> Any:
    if is_sequence(wire):
        return [_replaced(item, uid) for item in wire]
    return uid if wire == ME else wire
