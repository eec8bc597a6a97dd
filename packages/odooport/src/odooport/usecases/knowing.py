"""Use cases that tell of Odoo itself: fields, relations, forms, methods, who asks."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from odooport.catalogue import MethodInfo, matching, merged
from odooport.discovery import (
    MAX_DEPTH,
    Description,
    Level,
    RelationGraph,
    described,
    named_alike,
    relations,
)
from odooport.errors import (
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    PermissionDenied,
    SchemaChanged,
)
from odooport.expressions import seen
from odooport.model import Reference, ServerVersion
from odooport.records import OdooValues, plain_row
from odooport.schema import ModelSchema
from odooport.usecases.asking import ModelInfo, rechecked
from odooport.usecases.reading import Reading
from odooport.usecases.shapes import (
    field_names,
    ids_in,
    joined,
    no_such_record,
    unexpected,
)
from odooport.views import (
    FormView,
    OnchangeRequest,
    OnchangeResult,
    RecordAction,
    record_actions,
)

_PIN_SECONDS = 5.0
"""How old a schema may be that a pinned fingerprint is compared with."""


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


class Knowing(Reading):
    """Knowing what Odoo has; see ``Odoo``."""

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
            await self._renew(model, 0.0)
        schema = await self._schema(model)
        names = field_names(schema, fields) if fields is not None else None
        return await described(
            schema,
            self._schema,
            self._recall,
            level=level,
            names=names,
            label=await self._label(model),
            defaults=lambda: self._defaults(schema, fresh=refresh),
        )

    async def relations(
        self, model: str, *, depth: int = 1, to: str | None = None
    ) -> RelationGraph:
        """Answer how a model hangs together with others.

        Args:
            model: The model's technical name.
            depth: How many steps to follow, up to 3.
            to: Answer only the ways that end at this model.

        Raises:
            OdooportError: See the error tree.
        """
        if type(depth) is not int or not 1 <= depth <= MAX_DEPTH:
            raise InvalidRequest(
                f"The depth must be a whole number from 1 to {MAX_DEPTH}, such as 2; "
                f"not {depth!r}."
            )
        schema = await self._schema(model)
        if to is not None:
            to = (await self._schema(to)).model
        return await relations(schema, self._schema, self._recall, depth=depth, to=to)

    async def expect(self, model: str, fingerprint: str) -> ModelSchema:
        """Answer the fields of a model if they are what the caller was written for.

        Odoo is asked anew if what is kept is older than five seconds.

        Args:
            model: The model's technical name.
            fingerprint: The fingerprint that its schema had then.

        Raises:
            SchemaChanged: It has another one now.
            OdooportError: See the error tree.
        """
        await self._schema(model)
        schema = await self._renew(model, _PIN_SECONDS)
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
        (asked,) = ids_in([record_id], "record_id")
        form = await self._form(schema)
        names = [
            name
            for name in sorted(form.names - {"id"})
            if (field := schema.fields.get(name)) is not None
            and field.type not in {"binary", "image"}
        ]
        # Odoo reads the bare id of a record that does not exist; its name shows it.
        call = self._call(
            model, "read", [asked], fields=joined(names, ["display_name"]), load=""
        )
        rows = await self._records(call)
        if not rows:
            raise no_such_record(model, [asked])
        uid = await self._gate.uid(self._caller, self._instance)
        known = {
            name: seen(schema.field(name), rows[0][name])
            for name in names
            if name in rows[0]
        }
        found = record_actions(form, {"uid": uid, **known, "id": asked})
        return [await self._allowed(model, asked, action) for action in found]

    async def _allowed(
        self, model: str, record_id: int, action: RecordAction
    ) -> RecordAction:
        """Say of a method whether the caller's role may call it at all."""
        if not action.callable:
            return action
        call = self._call(model, action.name, [record_id])
        decision = await self._gate.judge(self._caller, call)
        if decision.allowed:
            return action
        reasons = filter(None, (action.reason, decision.reason))
        return replace(action, callable=False, reason=" ".join(reasons))

    @rechecked
    async def onchange(
        self,
        model: str,
        values: Mapping[str, Any] | OdooValues,
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
        values = plain_row(schema, values)
        for name in schema.hidden.intersection(values):
            schema.unknown(name)  # refused before anything is asked for the form
        asked = () if record_id is None else ids_in([record_id], "record_id")
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
            query: Only those that these words may mean, the likeliest first: words of
                the technical name or the label, or what people call the most common
                models, such as ``invoice``.
            refresh: Whether to ask Odoo in any case; the list is kept for five minutes.

        Raises:
            OdooportError: See the error tree.
        """
        known = [
            info
            for info in await self._known_models(fresh=refresh)
            if await self._may_know(info.model)
        ]
        if not query:
            return known
        by_name = {info.model: info for info in known}
        labels = {info.model: info.label for info in known}
        return [by_name[model] for model in named_alike(query, labels)]

    async def methods(
        self, model: str, *, query: str | None = None
    ) -> list[MethodInfo]:
        """Answer what is known of a model's public methods, by name.

        An Odoo 19 tells of its methods itself, if the caller's Odoo user is in the
        group for it and its secret is an API key. Otherwise these are the methods of
        the standard apps that we know; ``source`` says which it was. Methods that have
        a use case of their own are left out.

        Args:
            model: The model's technical name.
            query: Only those that these words may mean, such as ``confirm order``.

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
        known = sorted(merged(schema, told).values(), key=lambda method: method.name)
        found = [method for method in known if await self._may_call(model, method)]
        return matching(found, query or "", model)

    async def _may_call(self, model: str, method: MethodInfo) -> bool:
        """Whether the policy lets the caller call a method, arguments aside."""
        ids = ([1],) if method.on_records else ()
        call = self._call(model, method.name, *ids)
        decision = await self._gate.judge(self._caller, call)
        return decision.allowed or decision.rule == "shape"

    async def version(self) -> ServerVersion:
        """Answer what the Odoo server says of itself.

        Raises:
            OdooportError: See the error tree.
        """
        await self._check_context()
        return await self._gate.version(self._caller, self._instance)

    async def whoami(self, *, fresh: bool = False) -> Identity:
        """Answer who the caller is, here and in Odoo.

        Args:
            fresh: Whether to log in to Odoo anew, which also tries once more what Odoo
                has refused; the login is otherwise renewed every five minutes.

        Raises:
            OdooportError: See the error tree.
        """
        if fresh:
            self._gate.renew(self._caller, self._instance)
        await self._check_context()
        uid, user, companies = await self._gate.identity(self._caller, self._instance)
        version = await self.version()
        principal = self._caller.principal
        try:
            return Identity(
                principal=principal.name,
                role=principal.role,
                door=self._caller.door,
                instance=self._instance,
                uid=uid,
                login=user["login"],
                user=user["name"],
                company=(
                    Reference(*company) if (company := user["company_id"]) else None
                ),
                companies=[
                    Reference(row["id"], row["display_name"]) for row in companies
                ],
                lang=user["lang"] or None,
                tz=user["tz"] or None,
                version=version.text,
                instances=sorted(principal.credentials),
            )
        except (TypeError, LookupError) as exc:
            raise unexpected("read", "res.users") from exc

    async def _may_know(self, model: str) -> bool:
        """Whether the policy lets the caller know a model's fields."""
        decision = await self._gate.judge(self._caller, self._call(model, "fields_get"))
        return decision.allowed

    async def _label(self, model: str) -> str | None:
        """Answer what people call a model, if the user may read it."""
        try:
            known = await self._known_models()
        except OdooportError:
            # A server without the module web has no list; the label is a courtesy.
            return None
        return next((info.label for info in known if info.model == model), None)

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
