"""The one guarded path to Odoo: limiter, policy, audit, then the gateway.

Nothing else in the house calls a gateway's ``execute``, but for what the use cases
check requests against: the schemas, and the companies and languages that there are. The
gate also keeps the sessions: one login serves every call with the same credentials.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from odooport.cache import FlightCache
from odooport.catalogue import MethodInfo
from odooport.errors import (
    AuthenticationFailed,
    GatewayProtocolError,
    GatewayUnavailable,
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    PermissionDenied,
    RateLimited,
)
from odooport.model import (
    Call,
    Caller,
    Context,
    Credentials,
    Decision,
    Operation,
    Principal,
    Quota,
    Refusal,
    ServerVersion,
    Session,
)
from odooport.ports import AuditEvent, AuditLog, AuthPolicy, OdooGateway, RateLimiter
from odooport.scalars import is_sequence
from odooport.schema import ATTRIBUTES, ModelSchema
from odooport.signatures import touches

_logger = logging.getLogger(__name__)

_SESSIONS = 1_000
_SCHEMAS = 50_000
_SCHEMA_FIELDS = 100_000
"""How many fields all kept schemas may have together; users who see the same of a model
share one schema. A hundred users of five hundred models fit."""

_RECALLED = 16_000_000
"""How many characters all recalled answers may have together, written out."""

_KNOWLEDGE_SECONDS = 300.0
"""How long a schema, or what else describes an Odoo, is taken to be true."""

_CHOICES_SECONDS = 60.0
_SOURCE_LANGUAGE = "en_US"
"""The language that Odoo is written in: it takes it even where it is not active
(``odoo/api.py``, ``Environment.lang``)."""

_SHOWN_CHOICES = 20
_REFUSED_SECONDS = 60.0
"""How long a refused login is not tried again: Odoo shuts out a whole address for 60 s
after five failures (``res_users.py``, login cooldown), so one stale password must not
lock everybody out."""


@dataclass(frozen=True, slots=True)
class _Recalled:
    """An answer that is kept, or the refusal that came in its place."""

    answer: Any
    refusal: str | None
    weight: int


class Gate:
    """Lets calls through to Odoo, or says why not. One for each process.

    Args:
        gateway: The way to Odoo.
        policy: Who may do what.
        limiter: How much of it.
        audit: What keeps a trace of it.
        clock: Answers the time in seconds; never goes back.
    """

    def __init__(
        self,
        gateway: OdooGateway,
        policy: AuthPolicy,
        limiter: RateLimiter,
        audit: AuditLog,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gateway = gateway
        self._policy = policy
        self._limiter = limiter
        self._audit = audit
        self._clock = clock
        self._sessions = FlightCache[Credentials, Session](
            size=_SESSIONS, seconds=None, clock=clock
        )
        self._refused = FlightCache[Credentials, str](
            size=_SESSIONS, seconds=_REFUSED_SECONDS, clock=clock
        )
        # What each user sees is kept as a digest: users with equal rights see the same.
        self._seen = FlightCache[tuple[Credentials, str, str | None], str](
            size=_SCHEMAS, seconds=_KNOWLEDGE_SECONDS, clock=clock
        )
        self._schemas = FlightCache[str, ModelSchema](
            size=_SCHEMA_FIELDS,
            seconds=None,
            clock=clock,
            weigh=lambda schema: len(schema.fields),
        )
        self._recalled = FlightCache[tuple[Credentials, str], _Recalled](
            size=_RECALLED,
            seconds=_KNOWLEDGE_SECONDS,
            clock=clock,
            weigh=lambda recalled: recalled.weight,
        )
        self._companies = FlightCache[Credentials, frozenset[int]](
            size=_SESSIONS, seconds=_CHOICES_SECONDS, clock=clock
        )
        self._languages = FlightCache[Credentials, frozenset[str]](
            size=_SESSIONS, seconds=_CHOICES_SECONDS, clock=clock
        )

    async def authenticate(self, token: str, address: str | None) -> Principal:
        """Answer whose token this is.

        Raises:
            AuthenticationFailed: It lets nobody in; the message says why.
        """
        answer = await self._policy.authenticate(token, address)
        if isinstance(answer, Refusal):
            _logger.warning(
                "refused a key", extra={"rule": answer.rule, "address": address}
            )
            raise AuthenticationFailed(answer.reason)
        return answer

    async def run(self, caller: Caller, call: Call) -> Any:
        """Judge a call, and run it if it may.

        Raises:
            RateLimited: The principal's budget is used up.
            PermissionDenied: The policy refused.
            InvalidRequest: The arguments do not fit the method, or cannot be sent.
            GatewayError: See the error tree.
        """
        event = _event(caller, call)
        async with self._traced(event) as made:
            try:
                answer = await self._guarded(event)
            except (OdooFailed, OdooAccessError):
                # The schema that the call was checked against may be out of date.
                self._forget(caller, call)
                raise
            if event.operation is Operation.CREATE:
                made.extend(_ids_in(answer))
            return answer

    def _forget(self, caller: Caller, call: Call) -> None:
        credentials = caller.principal.credentials_for(call.instance)
        self._seen.drop((credentials, call.model, call.context.lang))

    @asynccontextmanager
    async def _traced(self, event: AuditEvent) -> AsyncGenerator[list[int]]:
        """Keep in the audit and in the log how a call ended.

        What is put into the list that it yields are the ids of records that were made.
        """
        began = self._clock()
        outcome, reason = "internal", None
        made: list[int] = []
        try:
            yield made
            outcome = "ok"
        except OdooportError as error:
            outcome, reason = error.code, error.message
            if isinstance(error, OdooFailed):
                _logger.error("Odoo failed", extra={"debug": error.debug})
            raise
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            milliseconds = (self._clock() - began) * 1000
            await self._audit.record(
                replace(
                    event,
                    ids=(*event.ids, *made),
                    outcome=outcome,
                    reason=reason,
                    milliseconds=milliseconds,
                )
            )
            caller, call = event.caller, event.call
            _logger.info(
                "call",
                extra={
                    "request_id": caller.request_id,
                    "door": caller.door,
                    "key": caller.principal.subject,
                    "instance": call.instance,
                    "model": call.model,
                    "method": call.method,
                    "milliseconds": round(milliseconds, 2),
                    "outcome": outcome,
                },
            )

    async def _guarded(self, event: AuditEvent) -> Any:
        caller, call = event.caller, event.call
        await self._take(caller)
        call = (await self._authorize(caller, call)).call
        credentials = caller.principal.credentials_for(call.instance)
        reads = event.operation is Operation.READ
        if not reads:
            # Logging in first keeps "begun" for what is really about to be sent.
            await self._session(credentials)
            if not await self._audit.record(event):
                raise GatewayUnavailable(
                    "The audit log cannot be written, so nothing was sent to Odoo. "
                    "Tell the administrator: the state directory may be full."
                )
        return await self._with_session(
            credentials,
            lambda session: self._gateway.execute(session, call),
            again=reads,
        )

    async def recall(self, caller: Caller, call: Call, *, fresh: bool = False) -> Any:
        """Answer a read that describes this Odoo, as ``run`` does, or from memory.

        Kept for five minutes per Odoo login; one question serves all who ask meanwhile.
        The policy judges every time, the limiter counts what is really asked. That
        Odoo's rights refuse it is remembered as well.

        Args:
            caller: Who asks.
            call: A call that only reads, with the same answer for the same user.
            fresh: Whether to ask Odoo in any case.

        Raises:
            PermissionDenied: The policy refused.
            GatewayError: See the error tree.
        """
        decision = await self._policy.authorize(caller.principal, call)
        if not decision.allowed:
            async with self._traced(_event(caller, call)):
                raise PermissionDenied(decision.reason)
        key = (caller.principal.credentials_for(call.instance), repr(decision.call))
        if fresh:
            self._recalled.drop(key)

        async def fetch() -> _Recalled:
            try:
                answer = await self.run(caller, call)
            except OdooAccessError as error:
                return _Recalled(None, error.message, weight=1_000)
            return _Recalled(answer, None, weight=len(repr(answer)))

        recalled = await self._recalled.get(key, fetch)
        if recalled.refusal is not None:
            raise OdooAccessError(recalled.refusal)
        return recalled.answer

    async def schema(
        self,
        caller: Caller,
        model: str,
        *,
        instance: str,
        lang: str | None = None,
        max_age: float | None = None,
    ) -> ModelSchema:
        """Answer what a model looks like to the caller's Odoo user.

        Kept for five minutes; one question serves all who ask meanwhile. As long as it
        is kept and unchanged, it is the same object.

        Args:
            caller: Who asks; must be allowed to ask the model for its fields.
            model: The model's technical name.
            instance: Which Odoo database.
            lang: The language of the labels.
            max_age: Ask Odoo again, at the cost of one call, if what is kept is older
                than so many seconds.

        Raises:
            PermissionDenied: The policy keeps the model from this principal.
            RateLimited: The principal's budget is used up.
            OdooRefused: There is no such model, or no such language.
        """
        call = Call(
            model,
            "fields_get",
            kwargs={"attributes": list(ATTRIBUTES)},
            context=Context(lang=lang),
            instance=instance,
        )
        decision = await self._policy.authorize(caller.principal, call)
        if not decision.allowed:
            async with self._traced(_event(caller, call)):
                raise PermissionDenied(decision.reason)
        call = decision.call
        credentials = caller.principal.credentials_for(instance)
        key = (credentials, model, lang)
        if max_age is not None and (self._seen.age(key) or 0.0) > max_age:
            await self._take(caller)
            self._seen.drop(key)

        async def ask() -> ModelSchema:
            wire = await self._with_session(
                credentials,
                lambda session: self._gateway.execute(session, call),
                again=True,
            )
            if not isinstance(wire, dict):
                raise GatewayProtocolError(
                    f"Odoo did not describe the fields of {model!r}."
                )
            return ModelSchema.from_wire(
                model, cast("Mapping[str, Mapping[str, Any]]", wire)
            )

        async def see() -> str:
            schema = await ask()
            digest = schema.digest
            if self._schemas.peek(digest) is None:
                self._schemas.put(digest, schema)
            return digest

        schema = self._schemas.peek(await self._seen.get(key, see))
        if schema is None:  # others pushed it out since
            self._seen.drop(key)
            schema = await ask()
        return schema

    async def check(self, caller: Caller, context: Context, *, instance: str) -> None:
        """Refuse companies and languages that the caller's Odoo user cannot use.

        Odoo looks at them only where it happens to need them. In ``fields_get``, in a
        count of countries and in many a method it says nothing of a wrong one, and
        answers as if none had been given.

        What there is to choose from is kept for a minute.

        Args:
            caller: Who asks.
            context: The context to check.
            instance: Which Odoo database.

        Raises:
            InvalidRequest: The language is not active, or there is no such instance.
            OdooAccessError: A company is not one of the user's.
        """
        credentials = caller.principal.credentials_for(instance)
        if context.companies:
            own = await self._companies.get(
                credentials, lambda: self._companies_of(credentials)
            )
            if foreign := [item for item in context.companies if item not in own]:
                tried = Call("res.company", "read", (foreign,), instance=instance)
                async with self._traced(_event(caller, tried)):
                    raise OdooAccessError(
                        f"Your Odoo user may not work in company {_some(foreign)}, "
                        f"only in {_some(sorted(own))}."
                    )
        if context.lang not in (None, _SOURCE_LANGUAGE):
            active = await self._languages.get(
                credentials, lambda: self._languages_of(credentials)
            )
            if context.lang not in active:
                raise InvalidRequest(
                    f"Odoo has no active language {context.lang!r} here; give one of "
                    f"{_some(sorted(active | {_SOURCE_LANGUAGE}))}."
                )

    async def _companies_of(self, credentials: Credentials) -> frozenset[int]:
        session = await self._session(credentials)
        rows = await self._asked(
            credentials, "res.users", "read", [session.uid], fields=["company_ids"]
        )
        try:
            return frozenset(int(item) for item in rows[0]["company_ids"])
        except (TypeError, ValueError, LookupError) as exc:
            raise GatewayProtocolError(
                "Odoo did not say which companies the user works in."
            ) from exc

    async def _languages_of(self, credentials: Credentials) -> frozenset[str]:
        rows = await self._asked(
            credentials,
            "res.lang",
            "search_read",
            [["active", "=", True]],
            fields=["code"],
        )
        try:
            return frozenset(str(row["code"]) for row in rows)
        except (TypeError, LookupError) as exc:
            raise GatewayProtocolError(
                "Odoo did not say which languages are active."
            ) from exc

    async def _asked(
        self, credentials: Credentials, model: str, method: str, *args: Any, **kw: Any
    ) -> Any:
        """Ask Odoo for what requests are checked against; none of it is answered."""
        call = Call(model, method, args, kw, instance=credentials.instance)
        return await self._with_session(
            credentials,
            lambda session: self._gateway.execute(session, call),
            again=True,
        )

    async def version(self, caller: Caller, instance: str) -> ServerVersion:
        """Answer the version of an instance that the caller may use.

        Raises:
            RateLimited: The principal's budget is used up.
            GatewayError: The server cannot be reached.
        """
        caller.principal.credentials_for(instance)
        await self._take(caller)
        return await self._gateway.version(instance)

    async def methods(
        self, caller: Caller, model: str, *, instance: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the server itself tells of a model's methods; None if nothing.

        It is judged, and audited, like a question for the model's fields.

        Raises:
            RateLimited: The principal's budget is used up.
            PermissionDenied: The policy keeps the model from this principal.
            GatewayError: See ``OdooGateway.methods``.
        """
        call = Call(model, "fields_get", instance=instance)
        async with self._traced(_event(caller, call)):
            await self._take(caller)
            await self._authorize(caller, call)
            return await self._with_session(
                caller.principal.credentials_for(instance),
                lambda session: self._gateway.methods(session, model),
                again=True,
            )

    async def login(self, caller: Caller, instance: str) -> Session:
        """Answer the session that the caller's calls to an instance run in.

        Raises:
            AuthenticationFailed: Odoo refuses the login.
            GatewayError: The server cannot be reached.
        """
        return await self._session(caller.principal.credentials_for(instance))

    async def _take(self, caller: Caller) -> Quota:
        quota = await self._limiter.take(caller.principal.subject)
        if not quota.allowed:
            raise RateLimited(
                f"Too many calls: the budget of {quota.limit} is used up. "
                f"Ask again in {quota.retry_after:.1f} seconds.",
                quota.retry_after,
            )
        return quota

    async def judge(self, caller: Caller, call: Call) -> Decision:
        """Answer what the policy would say of a call; nothing is sent or counted."""
        return await self._policy.authorize(caller.principal, call)

    async def permit(self, caller: Caller, call: Call) -> None:
        """Check that the policy allows what another call does along the way.

        Raises:
            PermissionDenied: It does not; the audit keeps that.
        """
        decision = await self.judge(caller, call)
        if not decision.allowed:
            async with self._traced(_event(caller, call)):
                raise PermissionDenied(decision.reason)

    async def _authorize(self, caller: Caller, call: Call) -> Decision:
        decision = await self._policy.authorize(caller.principal, call)
        if not decision.allowed:
            raise PermissionDenied(decision.reason)
        return decision

    async def _session(self, credentials: Credentials) -> Session:
        if (refusal := self._refused.peek(credentials)) is not None:
            raise AuthenticationFailed(refusal)
        try:
            return await self._sessions.get(
                credentials, lambda: self._gateway.authenticate(credentials)
            )
        except AuthenticationFailed as error:
            self._refused.put(credentials, error.message)
            raise

    async def _with_session[T](
        self,
        credentials: Credentials,
        execute: Callable[[Session], Awaitable[T]],
        *,
        again: bool,
    ) -> T:
        """Run in the cached session; if it went stale, log in anew, once."""
        session = await self._session(credentials)
        try:
            return await execute(session)
        except AuthenticationFailed:
            self._sessions.drop(credentials, session)
            if not again:
                raise
            return await execute(await self._session(credentials))


def _event(caller: Caller, call: Call) -> AuditEvent:
    """Answer the event of a call that is about to be judged.

    Raises:
        InvalidRequest: The arguments do not fit the method.
    """
    touched = touches(call)
    written = dict.fromkeys(name for values in touched.values for name in values)
    return AuditEvent(
        caller,
        call,
        touched.operation,
        ids=touched.ids or (),
        fields=touched.fields or tuple(written),
        outcome="begun",
    )


def _some(choices: Sequence[object]) -> str:
    """Answer the first choices as text, with commas between them."""
    shown = ", ".join(map(repr, choices[:_SHOWN_CHOICES]))
    return f"{shown}, …" if len(choices) > _SHOWN_CHOICES else shown or "none"


def _ids_in(answer: Any) -> Sequence[int]:
    """Answer the ids in what a method that makes records has returned."""
    ids = answer if is_sequence(answer) else [answer]
    return [item for item in ids if type(item) is int]


class OdooDecides:
    """An ``AuthPolicy`` for a program that is its own principal: Odoo's rights decide.

    It knows no tokens, so nobody can come in from outside through it.
    """

    async def authenticate(
        self, token: str, address: str | None
    ) -> Principal | Refusal:
        """Refuse every token."""
        del token, address
        return Refusal("This program takes no keys.", rule="no-keys")

    async def authorize(self, principal: Principal, call: Call) -> Decision:
        """Allow every call; Odoo judges it."""
        del principal
        return Decision(True, "", "odoo-decides", call)


class Unlimited:
    """A ``RateLimiter`` without limits, for a program that is its own principal."""

    async def take(self, key: str, cost: int = 1) -> Quota:
        """Allow it."""
        del key, cost
        return Quota(True, limit=0, remaining=0, reset_after=0.0)


class Unaudited:
    """An ``AuditLog`` that keeps nothing, for a program that is its own principal."""

    async def record(self, event: AuditEvent) -> bool:
        """Let it pass."""
        del event
        return True


if TYPE_CHECKING:
    _policy: type[AuthPolicy] = OdooDecides
    _limiter: type[RateLimiter] = Unlimited
    _audit: type[AuditLog] = Unaudited
