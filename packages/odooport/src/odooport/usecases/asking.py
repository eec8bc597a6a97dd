"""What every use case shares: who asks, where, and the way to Odoo and back.

A use case takes clean values and answers clean values (see ``values``), checks the
request against the model's schema before anything is sent, and sends through the gate.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import wraps
from typing import Any, Concatenate, Self
from zoneinfo import available_timezones

from odooport.errors import (
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    OdooRefused,
    Problem,
    SchemaChanged,
)
from odooport.gate import Gate, OdooDecides, Unaudited, Unlimited
from odooport.lookups import Lookups
from odooport.model import (
    DEFAULT_INSTANCE,
    DEFAULT_LIMIT,
    Call,
    Caller,
    Context,
    Credentials,
    Operation,
    Principal,
    Record,
)
from odooport.ports import OdooGateway
from odooport.records import only_named
from odooport.scalars import is_mapping, refusal
from odooport.schema import ModelSchema
from odooport.signatures import operation_of
from odooport.usecases.shapes import (
    INT4,
    are_records,
    extra_in,
    ids_in,
    unexpected,
)
from odooport.values import record_out

_SUSPECT_SECONDS = 1.0
"""A schema that does not fit a request is asked for again if it is older than this."""

_RENEWED = 8
"""How many schemas one refused request may ask for again."""

_MODEL = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that the caller can use.

    Attributes:
        model: Its technical name.
        label: What people call it.
    """

    model: str
    label: str


class Asking:
    """What the use cases stand on; see ``Odoo``."""

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
            max_rows=INT4 - 1,
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
        extra: Mapping[str, Any] | None = None,
    ) -> Self:
        """Answer the same Odoo with another caller, instance or context.

        Args:
            caller: Who asks.
            instance: Which Odoo database.
            company: The company to work in; the first of several is the current one.
            lang: A language that is active in the database, such as ``fr_FR``.
            tz: An IANA time zone name.
            active_test: False also finds archived records.
            extra: Further keys of Odoo's context, such as ``default_type``; the policy
                lets through only those that a rule names.

        Raises:
            InvalidRequest: There is no such time zone, an id is no id, or a further key
                is not possible.
        """
        context = self._context
        if company is not None:
            ids = [company] if isinstance(company, int) else company
            context = replace(context, companies=ids_in(ids, "company"))
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
        if extra is not None:
            context = replace(context, extra=extra_in(extra))
        return type(self)(
            self._gate,
            caller or self._caller,
            instance=self._instance if instance is None else instance,
            context=context,
        )

    def _call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Call:
        return Call(
            model,
            method,
            args,
            kwargs,
            context=self._context,
            instance=self._instance,
        )

    async def _run(self, call: Call, *, cost: int | None = None) -> Any:
        try:
            return await self._gate.run(self._caller, call, cost=cost)
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
        if not are_records(rows):
            raise unexpected(call.method, call.model)
        return rows

    async def _recall(
        self, model: str, method: str, *args: Any, fresh: bool = False, **kwargs: Any
    ) -> Any:
        call = self._call(model, method, *args, **kwargs)
        return await self._gate.recall(self._caller, call, fresh=fresh)

    async def _schema(self, model: str) -> ModelSchema:
        if not _MODEL.fullmatch(only_named(model)):
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

    async def _closest_models(self, model: str) -> str:
        try:
            known = [info.model for info in await self._known_models()]
        except OdooportError:
            # A suggestion is a courtesy; the error that it belongs to is the answer.
            return ""
        close = get_close_matches(model, known, n=3, cutoff=0.6)
        if close:
            return f" Did you mean {', '.join(map(repr, close))}?"
        return " Search the models to find its name."

    async def _known_models(self, *, fresh: bool = False) -> list[ModelInfo]:
        """Answer the models that the caller's Odoo user can read, by name."""
        await self._check_context()
        rows = await self._gate.models(
            self._caller, self._context, instance=self._instance, fresh=fresh
        )
        if not are_records(rows):
            raise unexpected("get_available_models", "ir.model")
        known = [ModelInfo(row["model"], row["display_name"]) for row in rows]
        return sorted(known, key=lambda info: info.model)

    async def _renewed(self, asked: Mapping[str, ModelSchema]) -> bool:
        """Ask again for schemas that did not fit a request; tell if one changed."""
        changed = False
        for model, schema in list(asked.items())[:_RENEWED]:
            try:
                now = await self._renew(model, _SUSPECT_SECONDS)
            except OdooportError:
                # The request was refused for a reason; that one is the answer.
                return False
            changed = changed or now.digest != schema.digest
        return changed

    async def _renew(self, model: str, max_age: float) -> ModelSchema:
        """Ask for a model's fields if what is kept is older than so many seconds."""
        return await self._gate.schema(
            self._caller,
            model,
            instance=self._instance,
            lang=self._context.lang,
            max_age=max_age,
        )

    def _watching(self, asked: dict[str, ModelSchema]) -> Self:
        """Answer the same Odoo, which notes the schemas that it works with."""
        watching = type(self)(
            self._gate, self._caller, instance=self._instance, context=self._context
        )
        watching._asked = asked  # noqa: SLF001 - an object of this very class
        return watching

    async def _defaults(self, schema: ModelSchema, *, fresh: bool = False) -> Record:
        """Answer the clean default values of a new record; recalled."""
        return await self._default_values(
            schema,
            list(schema.fields),
            lambda *args: self._recall(schema.model, "default_get", *args, fresh=fresh),
        )

    async def _default_values(
        self,
        schema: ModelSchema,
        names: Sequence[str],
        ask: Callable[..., Awaitable[Any]],
    ) -> Record:
        """Ask for defaults, again on no records where a model wants it so.

        Some models of Odoo 18 override ``default_get`` without ``@api.model``; called
        like any other it lacks an argument then, and crashes before it does anything.
        """
        try:
            values = await ask(list(names))
        except OdooFailed as failed:
            try:
                values = await ask([], list(names))
            except OdooportError:
                raise failed from None
        if not is_mapping(values):
            raise unexpected("default_get", schema.model)
        return record_out(schema, values)

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


def rechecked[A: Asking, **P, T](
    use_case: Callable[Concatenate[A, P], Awaitable[T]],
) -> Callable[Concatenate[A, P], Coroutine[Any, Any, T]]:
    """Let a use case that refuses a request look at newer schemas, once.

    Somebody may have just added the field or the value that is said to be unknown. An
    ``InvalidRequest`` means that nothing was sent, and ``SchemaChanged`` that nothing
    was written, so this is safe for writes too.

    Args:
        use_case: A method that sends nothing before it has checked the request.
    """
    return _again(use_case, (InvalidRequest, SchemaChanged))


def reread[A: Asking, **P, T](
    use_case: Callable[Concatenate[A, P], Awaitable[T]],
) -> Callable[Concatenate[A, P], Coroutine[Any, Any, T]]:
    """Do as ``rechecked``, and also ask again where Odoo failed on an old schema.

    Odoo crashes when it is asked for a field that was removed meanwhile.

    Args:
        use_case: A method that only reads.
    """
    return _again(
        use_case, (InvalidRequest, SchemaChanged, OdooFailed, OdooAccessError)
    )


def _again[A: Asking, **P, T](
    use_case: Callable[Concatenate[A, P], Awaitable[T]],
    after: tuple[type[OdooportError], ...],
) -> Callable[Concatenate[A, P], Coroutine[Any, Any, T]]:
    @wraps(use_case)
    async def twice(self: A, /, *args: P.args, **kwargs: P.kwargs) -> T:
        asked: dict[str, ModelSchema] = {}
        # A decorator of methods in several modules cannot stand inside of one class.
        renewed = self._renewed  # pyright: ignore[reportPrivateUsage] # ours
        watching = self._watching(asked)  # pyright: ignore[reportPrivateUsage] # ours
        try:
            return await use_case(watching, *args, **kwargs)
        except after:
            if not await renewed(asked):
                raise
        return await use_case(self, *args, **kwargs)

    return twice
