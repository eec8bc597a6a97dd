"""What a role says of one call: every field and record that it names, by any channel.

Each step refuses or goes on; what no rule allows is denied. The steps that need to know
how the models look come last, so that a plain read costs no question to Odoo.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from odooport.domain import Domain, Term
from odooport.errors import InvalidRequest
from odooport.model import (
    Call,
    Decision,
    Mask,
    Masking,
    Operation,
    Principal,
    Requirement,
)
from odooport.ports import OdooKnowledge
from odooport.scalars import is_mapping, is_sequence
from odooport.schema import RELATIONAL, TO_MANY, Field
from odooport.signatures import (
    Touched,
    signature_of,
    takes,
    takes_domain,
    takes_limit,
    takes_order,
    touches,
    with_argument,
    with_domain,
    with_fields,
    with_limit,
    with_order,
)
from odooport_security.rules import BUILT_IN, Role, Rule, matches
from odooport_security.sensitive import tells_more
from odooport_security.sight import Covers, Refused, Sight
from odooport_security.writes import Writes

NAME_SEARCH_LIMIT = 100
"""What Odoo takes where a ``name_search`` gives none (``odoo/models.py``)."""

_MODEL = re.compile(r"[a-z0-9_]{1,64}(\.[a-z0-9_]{1,64}){0,9}")
_METHOD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
_PATH = re.compile(
    r"\.?[A-Za-z_][A-Za-z0-9_]*([./:]+[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII
)
_STEP = re.compile(r"[./:]+")
_AGGREGATE = re.compile(
    r"(?P<name>\w+)(\.\w+)?(:(?P<function>\w+)(\((?P<field>\w+)\))?)?", re.ASCII
)
_AUDIT_FIELDS = ("create_uid", "create_date", "write_uid", "write_date")
_HIERARCHY = ("child_of", "parent_of")
_HARMLESS_CONTEXT = frozenset({"active_test", "lang", "tz", "bin_size"})
_OWN_CONTEXT = frozenset({"allowed_company_ids"})
"""Keys that are set by other means, so that no glob means them."""

_MOST_SPEC_DEPTH = 16
_VERBS: Mapping[Operation, str] = {
    Operation.READ: "read",
    Operation.WRITE: "write",
    Operation.CREATE: "create",
    Operation.UNLINK: "delete",
}
_SAVES: Mapping[str, tuple[Operation, ...]] = {
    "load": (Operation.CREATE, Operation.WRITE),
    "web_override_translations": (Operation.WRITE,),
}
_READS = frozenset(
    {
        "web_read",
        "web_search_read",
        "web_read_group",
        "formatted_read_group",
        "read_progress_bar",
        "export_data",
    }
)


class Judgement:
    """One role's judgement of one call.

    Args:
        role: The role.
        principal: Who asks.
        call: What for.
        odoo: Tells what the models look like, where that matters.
        covers: Remembers what lies over the fields of models.
    """

    def __init__(
        self,
        role: Role,
        principal: Principal,
        call: Call,
        odoo: OdooKnowledge,
        covers: Covers,
    ) -> None:
        self._role = role
        self._principal = principal
        self._asked = call
        self._call = call
        self._sight = Sight(role, odoo, covers)
        self._writes = Writes(self._sight)
        self._parsed: Domain | None = None

    async def decide(self) -> Decision:
        """Answer whether the call may run, and what shall be sent in its place.

        Raises:
            OdooportError: What had to be asked of Odoo could not be answered.
        """
        try:
            return await self._decide()
        except Refused as refused:
            return Decision(False, refused.reason, refused.rule, self._asked)

    async def _decide(self) -> Decision:
        call = self._asked
        self._check_names()
        try:
            touched = touches(call)
        except InvalidRequest as error:
            raise Refused(error.message, "shape") from error
        rule = self._sight.rule(call.model)
        self._check_operation(rule, touched)
        self._check_companies()
        self._check_rows(touched)
        await self._check_context()
        unknown = signature_of(call) is None
        if unknown and self._role.hides:
            self._check_strings()
        require = await self._required(rule, touched, unknown=unknown)
        await self._check_fields(touched)
        await self._check_values(touched)
        mask = await self._mask(touched)
        if takes_limit(call):
            self._limit(touched.limit)
        return Decision(
            True,
            "",
            rule.name,
            self._call,
            require=(*require, *self._writes.require),
            mask=mask,
            changes=rule.changes,
        )

    # What can be said without Odoo

    def _check_names(self) -> None:
        call, role = self._asked, self._role
        if role.instances and call.instance not in role.instances:
            raise Refused(
                f"The role {role.name!r} may not use the instance {call.instance!r}, "
                f"only {', '.join(map(repr, role.instances))}.",
                "instance",
            )
        if _MODEL.fullmatch(call.model) is None:
            raise Refused(
                f"{call.model!r} is not a model's name; one looks like 'res.partner'.",
                "model-name",
            )
        if _METHOD.fullmatch(call.method) is None:
            raise Refused(
                f"{call.method!r} cannot be called: only public methods can, whose "
                "names have letters, digits and underscores and begin with a letter.",
                "private-method",
            )

    def _check_operation(self, rule: Rule, touched: Touched) -> None:
        call, role = self._asked, self._role
        reads = touched.operation is Operation.READ
        if not reads and call.method not in _READS:
            self._sight.check_protected(rule, call.model)
        if touched.operation is not Operation.CALL:
            if touched.operation not in rule.allow:
                raise Refused(self._lacks(touched.operation), rule.name)
            return
        if not rule.allows_method(call.method, exactly=role.hides):
            if role.hides and rule.allows_method(call.method, exactly=False):
                raise Refused(
                    f"The role {role.name!r} may not call {call.method!r} on "
                    f"{call.model!r}: it hides fields, so it has only the methods that "
                    "a rule names without '*'.",
                    rule.name,
                )
            raise Refused(self._lacks(Operation.CALL), rule.name)
        also = _SAVES.get(call.method, ())
        if call.method == "web_save":
            also = (Operation.WRITE if touched.ids else Operation.CREATE,)
        elif call.method in _READS:
            also = (Operation.READ,)
        for operation in also:
            if operation not in rule.allow:
                raise Refused(self._lacks(operation), rule.name)

    def _lacks(self, operation: Operation) -> str:
        call, role = self._asked, self._role
        if operation is Operation.CALL:
            what = f"call {call.method!r} on {call.model!r}"
        else:
            what = f"{_VERBS[operation]} {call.model!r}"
        if not role.built_in:
            return f"The role {role.name!r} may not {what}; no rule of it allows that."
        enough = next(
            each for each in BUILT_IN.values() if operation in each.operations
        )
        return (
            f"The role {role.name!r} may not {what}; a key with the role "
            f"{enough.name!r} may."
        )

    def _check_companies(self) -> None:
        call, allowed = self._asked, self._role.companies
        if not allowed:
            return
        outside = [each for each in call.context.companies if each not in allowed]
        if outside:
            raise Refused(
                f"The role {self._role.name!r} may not work in company {outside[0]}, "
                f"only in {', '.join(map(str, allowed))}.",
                "companies",
            )
        if not call.context.companies:
            context = replace(call.context, companies=allowed)
            self._call = replace(self._call, context=context)

    def _check_rows(self, touched: Touched) -> None:
        most = self._principal.max_rows
        reads = touched.operation is Operation.READ or self._asked.method in _READS
        if reads and len(touched.ids or ()) > most:
            raise Refused(
                f"At most {most} records can be read at once; ask for fewer.",
                "max-rows",
            )

    async def _check_context(self) -> None:
        """Check further context keys; ``default_<field>`` writes that field."""
        for key, value in self._asked.context.extra:
            self._check_key(key)
            if key.startswith("default_"):
                name = key.removeprefix("default_")
                await self._writes.values(self._asked.model, {name: value})

    def _check_key(self, key: str) -> None:
        if key in _OWN_CONTEXT or not any(
            matches(glob, key) for glob in self._role.context
        ):
            raise Refused(
                f"The role {self._role.name!r} may not set the context key {key!r}; "
                "leave it out.",
                "context",
            )
        if self._role.hides and not self._is_harmless(key):
            raise Refused(
                f"The role {self._role.name!r} hides fields, so it may not set the "
                f"context key {key!r}: Odoo could show a hidden value because of it. "
                "Leave it out.",
                "context",
            )

    def _is_harmless(self, key: str) -> bool:
        """Whether a context key cannot make Odoo show more, as far as that is known."""
        if key.startswith("default_"):
            return True  # judged as a value that is written
        return key in self._role.context and not tells_more(key)

    def _check_strings(self) -> None:
        """Refuse hidden names in the arguments of a method that nobody knows."""
        concealed = self._role.concealed
        todo: list[Any] = [*self._asked.args, dict(self._asked.kwargs)]
        while todo:
            item = todo.pop()
            if isinstance(item, str):
                if _PATH.fullmatch(item.strip()):
                    for step in _STEP.split(item.strip()):
                        if step in concealed:
                            raise Refused(
                                f"{item!r} names a field that is hidden from the role "
                                f"{self._role.name!r}; leave it out.",
                                self._hider(step),
                            )
            elif is_mapping(item):
                todo += [*item.keys(), *item.values()]
            elif is_sequence(item):
                todo += item

    def _hider(self, name: str) -> str:
        return next(
            rule.name for rule in self._role.rules if name in rule.hide | rule.mask
        )

    def _limit(self, limit: object) -> None:
        most = self._principal.max_rows
        if not limit:  # None, False and 0 all mean "no limit" to Odoo
            limit = NAME_SEARCH_LIMIT if self._asked.method == "name_search" else most
        if type(limit) is not int or limit < 0:
            raise Refused(
                f"The limit must be a whole number above 0, not {limit!r}.", "shape"
            )
        # One row more is let through: a search asks for it to see whether there is
        # more, and does not hand it out.
        limit = limit if limit <= most + 1 else most
        self._call = with_limit(self._call, limit)

    # Records

    async def _required(
        self, rule: Rule, touched: Touched, *, unknown: bool
    ) -> list[Requirement]:
        """Keep the call to the records that the rule's domain describes."""
        call, model = self._asked, self._asked.model
        if not self._sight.domain_text(model).tokens:
            return []
        domain = await self._sight.required(model)
        if takes_domain(call):
            raw = self._domain(touched) & domain
            self._call = with_domain(self._call, raw.to_wire())
            return []
        if call.method in ("name_create", "load"):
            raise Refused(
                f"The role {self._role.name!r} sees only some {model!r} records, and "
                f"{call.method!r} does not say which those would be: use 'create' or "
                "'write'.",
                rule.name,
            )
        if unknown:
            ids = self._ids_of_unknown(rule)
        elif call.method == "default_get":
            ids = ()
        else:
            ids = touched.ids or ()
        return [Requirement(model, tuple(ids), tuple(domain.to_wire()))] if ids else []

    def _ids_of_unknown(self, rule: Rule) -> Sequence[int]:
        """Answer the records that an unknown method is called on.

        Whatever Odoo could take for ids must be ids: texts of digits pass there too.
        """
        call = self._asked
        first = call.args[0] if call.args else None
        if type(first) is int:
            return [first]
        if is_sequence(first) and first:
            if all(type(item) is int for item in first):
                return list(first)
            raise Refused(
                f"{call.method!r} must be called on ids, as the role "
                f"{self._role.name!r} sees only some {call.model!r} records.",
                rule.name,
            )
        if not rule.allows_method(call.method, exactly=True):
            raise Refused(
                f"{call.method!r} without ids could reach any {call.model!r} record, "
                f"and the role {self._role.name!r} sees only some: give ids, or have a "
                "rule name the method.",
                rule.name,
            )
        if isinstance(first, str | float | bool):
            raise Refused(
                f"{call.method!r} begins with something that could be taken for ids; "
                "give a list of ids, or an empty one.",
                rule.name,
            )
        return []

    # Fields

    def _domain(self, touched: Touched) -> Domain:
        """Answer the domain that was asked for; it is read once."""
        if self._parsed is not None:
            return self._parsed
        if isinstance(touched.domain, str):
            raise Refused("A domain is a list of terms, not text.", "shape")
        try:
            self._parsed = Domain.parse(touched.domain or None)
        except InvalidRequest as error:
            raise Refused(error.message, "shape") from error
        return self._parsed

    async def _check_fields(self, touched: Touched) -> None:
        call, model, sight = self._asked, self._asked.model, self._sight
        if call.method in ("read", "search_read", "default_get"):
            await sight.check_read(model, touched.fields or ())
        elif call.method != "fields_get":  # what is hidden is left out of its answer
            for name in touched.fields or ():
                await self._check_asked(name)
        for name in touched.changed:
            await sight.check_field(model, name, reading=False)
        if call.method == "update_field_translations":
            for name in touched.fields or ():
                await self._writes.values(model, {name: None})
        await self._check_groups(touched)
        await self._check_search(touched)
        if touched.specification is not None:
            await self._check_specification(model, touched.specification, 0)
        for path in touched.paths:
            await self._check_path(path)

    async def _check_asked(self, name: str) -> None:
        model, method = self._asked.model, self._asked.method
        if method in ("read_group", "web_read_group", "formatted_read_group"):
            match = _AGGREGATE.fullmatch(name)
            if match is None:
                raise Refused(f"{name!r} is no aggregate of a field.", "shape")
            path = match["field"] or name.split(":", 1)[0]
            if not path.startswith("__"):
                await self._sight.follow(model, path.split("."))
            return
        await self._sight.follow(model, name.split("."))

    async def _check_groups(self, touched: Touched) -> None:
        for group in touched.groupby:
            path = group.split(":", 1)[0]
            await self._sight.follow(self._asked.model, path.split("."))

    async def _check_search(self, touched: Touched) -> None:
        call, model = self._asked, self._asked.model
        if takes_domain(call):
            domain = self._domain(touched)
            rewritten = await self._checked_domain(model, domain)
            if call.method == "name_search":
                rewritten &= await self._named(touched)
            if rewritten.tokens != domain.tokens:
                required = await self._sight.required(model)
                self._call = with_domain(self._call, (rewritten & required).to_wire())
        if self._role.hides and takes(call, ("having",)):
            having = call.kwargs.get("having") or call.args[3:4]
            if having and having != (None,):
                raise Refused(
                    f"Groups cannot be chosen by 'having' with the role "
                    f"{self._role.name!r}, which hides fields.",
                    self._sight.rule(model).name,
                )
        if not takes_order(call):
            return
        if touched.order is not None:
            await self._check_order(model, touched.order, touched)
        elif "group" not in call.method and await self._sight.veiled(model):
            # A model's own order may be by a hidden field.
            self._call = with_order(self._call, "id")

    async def _named(self, touched: Touched) -> Domain:
        """Answer what a search by name becomes; no condition where it may stay."""
        model, sight = self._asked.model, self._sight
        await sight.check_field(model, "display_name", reading=False)
        if not touched.name or not await sight.veiled(model):
            return Domain()
        field = await sight.searchable_name(model)
        operator = self._asked.kwargs.get("operator")
        if len(self._asked.args) > 2:
            operator = self._asked.args[2]
        try:
            condition = Domain.of(field, str(operator or "ilike"), touched.name)
        except InvalidRequest as error:
            raise Refused(error.message, "shape") from error
        self._call = with_argument(self._call, ("name",), "")
        return condition

    async def _checked_domain(self, model: str, domain: Domain) -> Domain:
        """Check every term of a domain; those that search by name are put otherwise."""
        tokens: list[Any] = []
        for token in domain.tokens:
            if isinstance(token, Term):
                tokens.append(await self._checked_term(model, token))
            else:
                tokens.append(token)
        return Domain(tuple(tokens))

    async def _checked_term(self, model: str, term: Term) -> Term:
        sight, steps = self._sight, term.path.split(".")
        field = await sight.follow(model, steps)
        if isinstance(term.value, Domain):
            comodel = await self._comodel(model, steps)
            sight.check_way(comodel)
            inside = await self._checked_domain(comodel, term.value)
            return replace(term, value=inside)
        if not self._role.hides or field is None:
            return term
        if term.operator in _HIERARCHY:
            parent = model if field.name == "id" else field.relation
            if parent is not None:
                await sight.check_field(parent, "parent_id", reading=False)
        if field.name == steps[-1] == "display_name":
            owner = await self._owner(model, steps)
            if await sight.veiled(owner):
                name = await sight.searchable_name(owner)
                return replace(term, path=".".join([*steps[:-1], name]))
        elif (
            field.relation is not None
            and _has_text(term.value)
            and await sight.veiled(field.relation)
        ):
            if term.operator in _HIERARCHY:
                raise Refused(
                    f"{term.operator!r} on {term.path!r} takes ids here, no names.",
                    sight.rule(model).name,
                )
            sight.check_way(field.relation)
            name = await sight.searchable_name(field.relation)
            return replace(term, path=f"{term.path}.{name}")
        return term

    async def _comodel(self, model: str, steps: Sequence[str]) -> str:
        """Answer the model that a path of relations leads to."""
        for step in steps:
            field = (await self._sight.schema(model)).fields.get(step)
            if field is None or field.relation is None:
                raise Refused(f"{step!r} of {model!r} is no relation.", "shape")
            model = field.relation
        return model

    async def _owner(self, model: str, steps: Sequence[str]) -> str:
        return await self._comodel(model, steps[:-1])

    async def _check_order(self, model: str, order: Any, touched: Touched) -> None:
        if not isinstance(order, str):
            raise Refused(f"An order is text, not {order!r}.", "shape")
        aliases = {
            match["name"]: match["field"]
            for name in touched.fields or ()
            if (match := _AGGREGATE.fullmatch(name)) and match["field"]
        }
        for part in order.split(","):
            words = part.split()
            if not words:
                continue
            name = words[0].split(":", 1)[0].split(".")[0].strip('"')
            name = aliases.get(name, name)
            if name.startswith("__"):
                continue
            await self._sight.check_field(model, name, reading=False)
            if not self._role.hides:
                continue
            field = await self._sight.follow(model, [name])
            if (
                field is not None
                and field.relation is not None
                and await self._sight.veiled(field.relation)
            ):
                raise Refused(
                    f"{model!r} cannot be sorted by {name!r} with the role "
                    f"{self._role.name!r}: that sorts by {field.relation!r}, of which "
                    "fields are hidden.",
                    self._sight.rule(model).name,
                )

    async def _check_path(self, path: str) -> None:
        """Check a path of an import or an export, such as ``partner_id/.id``."""
        call, sight = self._asked, self._sight
        model, saves = call.model, call.method == "load"
        steps = [step for step in re.split(r"/|(?=\.id$)|:", path) if step]
        if not steps:
            raise Refused(f"{path!r} is no path of fields.", "shape")
        field: Field | None = None
        for index, step in enumerate(steps):
            last = index == len(steps) - 1
            if step in (".id", "id") and last:
                await self._check_import_ids(field, path)
                return
            await sight.check_field(model, step, reading=False)
            field = (await sight.schema(model)).fields.get(step)
            if field is None:
                raise Refused(
                    f"{model!r} has no field {step!r} that your Odoo user sees.",
                    sight.rule(model).name,
                )
            if last or field.relation is None:
                break
            model = field.relation
            if saves and steps[index + 1] not in (".id", "id"):
                sight.rule_to(Operation.CREATE, model)
                sight.rule_to(Operation.WRITE, model)
            if not (saves and steps[index + 1] in (".id", "id")):
                sight.check_way(model)
        if field is not None and field.relation is not None:
            await self._check_import_ids(field, path)
            if await sight.veiled(field.relation) or await sight.nameless(
                field.relation
            ):
                raise Refused(
                    f"{path!r} would name {field.relation!r} records, of which fields "
                    f"are hidden from the role {self._role.name!r}: use '{path}/.id'.",
                    sight.rule(call.model).name,
                )

    async def _check_import_ids(self, field: Field | None, path: str) -> None:
        """Check that an import names no records that it could not be kept to."""
        if self._asked.method != "load" or field is None or field.relation is None:
            return
        rule = self._role.rule_for(field.relation)
        if rule is not None and self._sight.domain_text(field.relation).tokens:
            raise Refused(
                f"{path!r} could name any {field.relation!r} record, and the role "
                f"{self._role.name!r} sees only some: use 'create' or 'write'.",
                rule.name,
            )

    async def _check_specification(
        self, model: str, specification: Mapping[str, Any], depth: int
    ) -> None:
        """Check what ``web_read`` and ``onchange`` take, however deep."""
        if depth > _MOST_SPEC_DEPTH:
            raise Refused(
                f"A specification may be at most {_MOST_SPEC_DEPTH} deep.", "shape"
            )
        sight = self._sight
        for name, inside in specification.items():
            await sight.check_field(model, name, reading=True)
            if not inside:
                continue
            if not is_mapping(inside):
                raise Refused(
                    f"{inside!r} is not what to read of {name!r}; send a mapping.",
                    "shape",
                )
            for key in inside.get("context") or ():
                if key not in _HARMLESS_CONTEXT:
                    self._check_key(str(key))
            fields: Any = inside.get("fields") or {}
            field = (await sight.schema(model)).fields.get(name)
            if not is_mapping(fields):
                raise Refused(f"The fields of {name!r} must be a mapping.", "shape")
            if field is None or field.relation is None:
                beyond = set(fields) - {"id", "display_name"}
                if beyond or (fields and self._role.hides):
                    raise Refused(
                        f"What {name!r} of {model!r} refers to can be of any model, so "
                        "its fields cannot be read along; read them from there.",
                        sight.rule(model).name,
                    )
                continue
            if order := inside.get("order"):
                sight.check_way(field.relation)
                await self._check_order(field.relation, order, Touched(Operation.READ))
            named = set(fields) - {"id", "display_name"}
            if named or (fields and field.type in TO_MANY):
                sight.check_way(field.relation)
                nested = {str(key): value for key, value in fields.items()}
                await self._check_specification(field.relation, nested, depth + 1)

    # Values

    async def _check_values(self, touched: Touched) -> None:
        call, model, writes = self._asked, self._asked.model, self._writes
        saved = call.method != "onchange"
        for values in touched.values:
            named = {str(name): value for name, value in values.items()}
            await writes.values(model, named, saved=saved)
            if touched.operation is Operation.CREATE or (
                call.method == "web_save" and not touched.ids
            ):
                await writes.created(model, named)
            elif saved:
                await writes.written(model, named)
        if call.method == "copy" and not touched.values:
            await writes.created(model, {})
        if call.method == "create" and not touched.values:
            await writes.created(model, {})
        if call.method in ("action_archive", "action_unarchive"):
            active = {"active": call.method == "action_unarchive"}
            await writes.written(model, active)
        if call.method == "update_field_translations":
            await writes.written(model, dict.fromkeys(touched.fields or ()))
        if call.method == "web_save":
            next_id = call.kwargs.get("next_id")
            if len(call.args) > 3:
                next_id = call.args[3]
            if type(next_id) is int:
                await writes.need(model, [next_id])

    # Answers

    async def _mask(self, touched: Touched) -> Mask:
        call, model, sight = self._asked, self._asked.model, self._sight
        match call.method:
            case "read" | "search_read":
                names = touched.fields
                if not names:
                    if (visible := await sight.visible(model)) is not None:
                        self._call = with_fields(self._call, visible)
                    return await sight.mask(model)
                return await sight.mask(model, names)
            case "fields_get":
                # Its entries are no records: a many2one has no name there.
                covered = await sight.covered_fields(model)
                return {name: each.masking for name, each in covered.items()}
            case "default_get":
                return await sight.mask(model, touched.fields or ())
            case "get_metadata":
                return await sight.mask(model, _AUDIT_FIELDS)
            case "read_group" | "web_read_group" | "formatted_read_group":
                return await self._group_mask(touched)
            case "onchange":
                inside = await self._deep_mask(model, touched.specification or {})
                return {"value": inside} if inside else {}
            case "web_read" | "web_save":
                return await self._deep_mask(model, touched.specification or {})
            case "web_search_read":
                inside = await self._deep_mask(model, touched.specification or {})
                return {"records": inside} if inside else {}
            case _:
                return {}

    async def _group_mask(self, touched: Touched) -> Mask:
        model, sight = self._asked.model, self._sight
        if not self._role.hides:
            return {}
        mask: dict[str, Masking | Mask] = {}
        for group in touched.groupby:
            name = group.split(":", 1)[0]
            field = (await sight.schema(model)).fields.get(name)
            if field is not None and await sight.nameless(field.relation):
                mask[group] = Masking.UNNAME
        for name in await sight.mask(model):
            mask.setdefault(name, Masking.DROP)
        if self._asked.method == "web_read_group" and mask:
            return {"groups": mask}
        return mask

    async def _deep_mask(
        self, model: str, specification: Mapping[str, Any]
    ) -> dict[str, Masking | Mask]:
        """Answer the mask of an answer that has records in records."""
        sight = self._sight
        mask: dict[str, Masking | Mask] = dict(await sight.mask(model, specification))
        if not self._role.hides:
            return mask
        schema = await sight.schema(model)
        for name, inside in specification.items():
            field = schema.fields.get(name)
            if not is_mapping(inside) or field is None or name in mask:
                continue
            fields = inside.get("fields")
            if field.type in RELATIONAL and field.relation and is_mapping(fields):
                nested = await self._deep_mask(
                    field.relation, {str(key): each for key, each in fields.items()}
                )
                if nested:
                    mask[name] = nested
        return mask


def _has_text(value: Any) -> bool:
    """Whether a term compares with text, so that Odoo searches by name."""
    if is_sequence(value):
        return any(isinstance(item, str) for item in value)
    return isinstance(value, str)
