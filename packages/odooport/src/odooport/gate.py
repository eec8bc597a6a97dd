"""The one guarded path to Odoo: limiter, policy, audit, then the gateway.

Nothing else in the house calls a gateway's ``execute``, but for what the use cases
check requests against: the schemas, and the companies and languages that there are. The
gate also keeps the sessions: one login serves every call with the same credentials.
"""

import asyncio
import hashlib
import json
import logging
import re
import time
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Coroutine,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, cast

from odooport.cache import FlightCache
from odooport.catalogue import MethodInfo
from odooport.deadlines import until
from odooport.errors import (
    AnswerLost,
    AuthenticationFailed,
    GatewayProtocolError,
    GatewayUnavailable,
    IdempotencyInFlight,
    IdempotencyMismatch,
    InvalidRequest,
    OdooAccessError,
    OdooFailed,
    OdooportError,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
)
from odooport.model import (
    ANONYMOUS,
    Call,
    Caller,
    Context,
    Credentials,
    Decision,
    Mask,
    Masking,
    Operation,
    Principal,
    Quota,
    Record,
    Refusal,
    Requirement,
    ServerVersion,
)
from odooport.ports import (
    Attempt,
    AttemptState,
    AuditEvent,
    AuditLog,
    AuthPolicy,
    IdempotencyStore,
    OdooGateway,
    OdooKnowledge,
    RateLimiter,
)
from odooport.scalars import is_mapping, is_sequence
from odooport.schema import ATTRIBUTES, ModelSchema
from odooport.sessions import SESSION_IDLE, SESSION_LIFETIME, Sessions
from odooport.signatures import Touched, touches

_logger = logging.getLogger(__name__)

_LOGINS = 1_000
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
_STARS = "***"
_USER_FIELDS = ("name", "login", "company_id", "company_ids", "lang", "tz")
_MOST_COMPANIES = 80
_PAIR = 2
_NO_LIMIT = Quota(True, limit=0, remaining=0, reset_after=0.0)
_IDEMPOTENCY_KEY = re.compile(r"[!-~]{1,255}")
_GONE = "Who asked for it went away, or the service stopped, before the answer came."


type _Frozen = frozenset[tuple[str, Masking | _Frozen]]


@dataclass(frozen=True, slots=True)
class _Recalled:
    """An answer that is kept, or the refusal that came in its place."""

    answer: Any
    refusal: str | None
    weight: int


@dataclass(slots=True)
class _Trace:
    """What is known of a call for the audit; more becomes known while it runs."""

    caller: Caller
    call: Call
    operation: Operation
    ids: Sequence[int]
    fields: Sequence[str]
    rule: str | None = None
    before: Sequence[Record] | None = None
    after: Sequence[Record] | None = None
    made: list[int] = field(default_factory=list[int])
    sent: bool = False

    def event(
        self,
        outcome: str,
        reason: str | None = None,
        milliseconds: float | None = None,
    ) -> AuditEvent:
        """Answer what the audit keeps now."""
        return AuditEvent(
            self.caller,
            outcome,
            self.call,
            self.operation,
            ids=(*self.ids, *self.made),
            fields=self.fields,
            reason=reason,
            rule=self.rule,
            milliseconds=milliseconds,
            before=self.before,
            after=self.after,
        )


class _Known:
    """What a policy may ask about the Odoo behind a call: an ``OdooKnowledge``.

    It is made anew for every judgement, which sees each model in one state.
    """

    def __init__(self, gate: "Gate", credentials: Credentials) -> None:
        self._gate = gate
        self._credentials = credentials
        self._schemas: dict[str, ModelSchema] = {}

    async def schema(self, model: str) -> ModelSchema:
        """Answer what a model looks like to the Odoo user, nothing hidden."""
        if (schema := self._schemas.get(model)) is None:
            schema = await self._gate.full_schema(self._credentials, model)
            self._schemas[model] = schema
        return schema

    async def uid(self) -> int:
        """Answer the id of the Odoo user."""
        return (await self._gate.sessions.get(self._credentials)).uid


def _in_time[**P, T](
    method: Callable[Concatenate["Gate", Caller, P], Awaitable[T]],
) -> Callable[Concatenate["Gate", Caller, P], Coroutine[Any, Any, T]]:
    """Let what a method of the gate waits for end by the caller's deadline."""

    @wraps(method)
    async def limited(
        self: "Gate", caller: Caller, /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with until(caller.deadline):
            return await method(self, caller, *args, **kwargs)

    return limited


class Gate:
    """Lets calls through to Odoo, or says why not. One for each process.

    Args:
        gateway: The way to Odoo.
        policy: Who may do what.
        limiter: How much of it.
        audit: What keeps a trace of it.
        idempotency: What remembers requests by their keys; without it none may have
            a key.
        clock: Answers the time in seconds; never goes back.
        session_idle: After how many seconds without a call a login is forgotten.
        session_lifetime: After how many seconds it is made anew in any case.

    Attributes:
        sessions: The logins that it keeps.
    """

    def __init__(
        self,
        gateway: OdooGateway,
        policy: AuthPolicy,
        limiter: RateLimiter,
        audit: AuditLog,
        *,
        idempotency: IdempotencyStore | None = None,
        clock: Callable[[], float] = time.monotonic,
        session_idle: float = SESSION_IDLE,
        session_lifetime: float = SESSION_LIFETIME,
    ) -> None:
        self._gateway = gateway
        self._policy = policy
        self._limiter = limiter
        self._audit = audit
        self._idempotency = idempotency
        self._kept_running: set[asyncio.Task[tuple[str, bool]]] = set()
        self._clock = clock
        self.sessions = Sessions(
            gateway, clock=clock, idle=session_idle, lifetime=session_lifetime
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
        self._masked = FlightCache[tuple[str, _Frozen], ModelSchema](
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
            size=_LOGINS, seconds=_CHOICES_SECONDS, clock=clock
        )
        self._languages = FlightCache[Credentials, frozenset[str]](
            size=_LOGINS, seconds=_CHOICES_SECONDS, clock=clock
        )

    async def authenticate(
        self, token: str, *, door: str, request_id: str, address: str | None
    ) -> Caller:
        """Answer whose token this is, as the caller of one request.

        Args:
            token: What was presented, as it came.
            door: The entrypoint that it came to.
            request_id: What the request is called.
            address: The network address that it came from.

        Raises:
            AuthenticationFailed: It lets nobody in; the message says why.
            RateLimited: Too many tokens from there were wrong; this one was not even
                looked at.
        """
        answer = await self._policy.authenticate(token, address)
        if isinstance(answer, Principal):
            return Caller(answer, door, request_id, address)
        _logger.warning(
            "refused a key",
            extra={"rule": answer.rule, "address": address, "request_id": request_id},
        )
        error: OdooportError = (
            AuthenticationFailed(answer.reason)
            if answer.retry_after is None
            else RateLimited(answer.reason, answer.retry_after)
        )
        whose = (
            ANONYMOUS
            if answer.subject is None
            else replace(ANONYMOUS, subject=answer.subject)
        )
        await self.note(
            Caller(whose, door, request_id, address), error, rule=answer.rule
        )
        raise error

    async def note(
        self,
        caller: Caller,
        error: OdooportError,
        call: Call | None = None,
        *,
        rule: str | None = None,
    ) -> None:
        """Keep in the audit that a request was refused before it became a call.

        What the audit has already is not kept again.

        Args:
            caller: Who asked, ``ANONYMOUS`` if that is not proven.
            error: What was answered.
            call: What was asked for, as far as it was understood.
            rule: What decided.
        """
        if error.audited:
            return
        error.audited = True
        event = AuditEvent(
            caller, error.code, call=call, reason=error.message, rule=rule
        )
        await self._audit.record(event)

    @_in_time
    async def run(self, caller: Caller, call: Call, *, cost: int | None = None) -> Any:
        """Judge a call, and run it if it may.

        Args:
            caller: Who asks.
            call: What for.
            cost: What it takes of the principal's budget, where its records are charged
                with other calls; what ``Touched.cost`` says unless given.

        Raises:
            RateLimited: The principal's budget is used up, or too many of its calls are
                under way.
            PermissionDenied: The policy refused.
            InvalidRequest: The arguments do not fit the method, or cannot be sent.
            GatewayError: See the error tree.
        """
        touched = touches(call)
        trace = _trace(caller, call, touched)
        async with self._traced(trace):
            if cost is None:
                cost = touched.cost(caller.principal.max_rows)
            await self._take(caller, cost)
            async with self._limiter.slot(caller) as place:
                if not place.allowed:
                    caller.meter.quota = place
                    raise RateLimited(
                        f"Too many calls of this key are under way; it may have "
                        f"{place.limit}. Ask again in {place.retry_after:.1f} seconds.",
                        place.retry_after,
                    )
                return await self._guarded(trace, call)

    @_in_time
    async def once(
        self,
        caller: Caller,
        key: str,
        request: str,
        run: Callable[[], Awaitable[str]],
    ) -> tuple[str, bool]:
        """Run a request that has an idempotency key, unless it was run before.

        A caller that goes away does not end it: its answer is kept for when he asks
        again. What provably did nothing leaves the key free.

        Args:
            caller: Who asks; a key is his alone.
            key: The key, as he chose it.
            request: The whole request as text, to tell it from another.
            run: Runs it, and answers its answer as text.

        Returns:
            The answer, and whether it is the first one, given again.

        Raises:
            InvalidRequest: It is no key, or nobody keeps keys here.
            RateLimited: The principal's budget is used up.
            IdempotencyInFlight: The same request is under way.
            IdempotencyMismatch: Another request came under this key.
            OutcomeUnknown: It was begun before, and nobody knows what became of it.
            AnswerLost: It was done before, and its answer was not kept.
            GatewayUnavailable: Keys cannot be kept now; nothing was sent.
            OdooportError: Whatever ``run`` raises.
        """
        store = self._idempotency
        if store is None:
            raise InvalidRequest("Idempotency keys are not kept here; leave it out.")
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            raise InvalidRequest(
                "An idempotency key has 1 to 255 visible ASCII characters, such as a "
                "UUID. Nothing was sent."
            )
        await self._take(caller, 1)
        running = asyncio.create_task(self._once(store, caller, key, request, run))
        self._kept_running.add(running)
        running.add_done_callback(self._ended)
        return await asyncio.shield(running)

    async def ended(self, seconds: float) -> None:
        """Wait for the requests with a key whose callers went away.

        Args:
            seconds: The most seconds to wait; what still runs then is cancelled.
        """
        if self._kept_running:
            _, late = await asyncio.wait(self._kept_running, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, running: asyncio.Task[tuple[str, bool]]) -> None:
        self._kept_running.discard(running)
        if not running.cancelled():
            running.exception()  # seen, though its caller may have gone away

    async def _once(
        self,
        store: IdempotencyStore,
        caller: Caller,
        key: str,
        request: str,
        run: Callable[[], Awaitable[str]],
    ) -> tuple[str, bool]:
        subject = caller.principal.subject
        fingerprint = hashlib.sha256(request.encode()).hexdigest()
        attempt = await store.begin(subject, key, fingerprint)
        if attempt.state is not AttemptState.BEGUN:
            answer = _first_answer(attempt)
            await self._audit.record(
                AuditEvent(
                    caller, "ok", rule="idempotency", reason="The first answer again."
                )
            )
            return answer, True
        sent = caller.meter.sent
        try:
            answer = await run()
        except AnswerLost as error:
            await self._keep(store, subject, key, {"lost": error.message})
            raise
        except BaseException:  # whatever it was, the key must not stay claimed
            if caller.meter.sent == sent:
                await store.release(subject, key)
            else:
                await store.abandon(subject, key)
            raise
        await self._keep(store, subject, key, {"answer": answer})
        return answer, False

    async def _keep(
        self, store: IdempotencyStore, subject: str, key: str, what: Mapping[str, str]
    ) -> None:
        if not await store.finish(subject, key, json.dumps(what)):
            # It is done, and that is what the caller must hear.
            _logger.error("an answer cannot be kept under its idempotency key")

    def _forget(self, caller: Caller, call: Call) -> None:
        credentials = caller.principal.credentials_for(call.instance)
        self._seen.drop((credentials, call.model, call.context.lang))
        self._seen.drop((credentials, call.model, None))

    @asynccontextmanager
    async def _traced(self, trace: _Trace) -> AsyncGenerator[None]:
        """Keep in the audit and in the log how a call ended.

        Whoever runs inside adds to the trace what becomes known meanwhile.
        """
        began = self._clock()
        outcome, reason = "internal", None
        failed: OdooportError | None = None
        try:
            yield
            outcome = "ok"
        except OdooportError as error:
            failed = error
            outcome, reason = error.code, error.message
            if isinstance(error, OdooFailed):
                _logger.error("Odoo failed", extra={"debug": error.debug})
            raise
        except asyncio.CancelledError:
            outcome = OutcomeUnknown.code if trace.sent else "cancelled"
            reason = _GONE
            raise
        finally:
            milliseconds = (self._clock() - began) * 1000
            if failed is not None:
                failed.audited = True
            event = trace.event(outcome, reason, milliseconds)
            if not await self._audit.record(event):
                _logger.error(
                    "the end of a call is not in the audit",
                    extra={"request_id": trace.caller.request_id, "outcome": outcome},
                )
            if _logger.isEnabledFor(logging.INFO):
                self._log(event, milliseconds, outcome)

    def _log(self, event: AuditEvent, milliseconds: float, outcome: str) -> None:
        caller, call = event.caller, event.call
        _logger.info(
            "call",
            extra={
                "request_id": caller.request_id,
                "door": caller.door,
                "key": caller.principal.subject,
                "instance": call and call.instance,
                "model": call and call.model,
                "method": call and call.method,
                "milliseconds": round(milliseconds, 2),
                "outcome": outcome,
            },
        )

    async def _guarded(self, trace: _Trace, asked: Call) -> Any:
        caller, operation = trace.caller, trace.operation
        decision = await self._authorize(trace, asked)
        call = decision.call
        credentials = caller.principal.credentials_for(call.instance)
        reads = operation is Operation.READ
        for requirement in decision.require:
            await self._check_required(credentials, call, requirement)
        if not reads:
            # Logging in first keeps "begun" for what is really about to be sent.
            await self.sessions.get(credentials)
            if decision.changes:
                trace.before = await self._records_of(
                    credentials, call, trace, trace.ids
                )
            if not await self._audit.record(trace.event("begun")):
                raise GatewayUnavailable(
                    "The audit log cannot be written, so nothing was sent to Odoo. "
                    "Tell the administrator: the state directory may be full."
                )
            trace.sent = True
            caller.meter.sent += 1
        try:
            answer = await self.sessions.run(
                credentials,
                lambda session: self._gateway.execute(session, call),
                again=reads,
            )
        except OdooportError as error:
            if trace.sent and not isinstance(error, OutcomeUnknown | AnswerLost):
                trace.sent = False
                caller.meter.sent -= 1
            if isinstance(error, OdooFailed | OdooAccessError):
                # The schema that the call was checked against may be out of date.
                self._forget(caller, asked)
            raise
        if operation is Operation.CREATE:
            trace.made.extend(_ids_in(answer))
        if decision.changes and operation is not Operation.UNLINK and not reads:
            ids = [*trace.ids, *trace.made]
            trace.after = await self._after(credentials, call, trace, ids)
        if call.method == "fields_get":
            return _shown(answer, decision.mask)
        return masked(answer, decision.mask) if decision.mask else answer

    async def _check_required(
        self, credentials: Credentials, call: Call, requirement: Requirement
    ) -> None:
        """Refuse a call that names records outside of what the policy requires.

        Whether a record is not there at all or not for this principal is not told
        apart. The check and the call are two transactions in Odoo: between them
        somebody may change a record.

        Raises:
            PermissionDenied: One of the records does not fit.
        """
        ids = list(dict.fromkeys(requirement.ids))
        if not ids:
            return
        found = await self._asked(
            credentials,
            requirement.model,
            "search",
            [["id", "in", ids], *requirement.domain],
            context=Context(companies=call.context.companies, active_test=False),
            limit=len(ids),
        )
        outside = sorted(set(ids).difference(found if is_sequence(found) else ()))
        if outside:
            raise PermissionDenied(
                f"Your role may not reach {_some(outside)} of {requirement.model!r}: "
                "these records are not there, or outside of what it may see."
            )

    async def _records_of(
        self,
        credentials: Credentials,
        call: Call,
        trace: _Trace,
        ids: Sequence[int],
    ) -> Sequence[Record]:
        """Read what a write changes, for the audit."""
        if not ids:
            return ()
        schema = await self.full_schema(credentials, call.model)
        written = trace.operation in (Operation.WRITE, Operation.CREATE)
        names = [name for name in trace.fields if name in schema.fields]
        if not (written and names):
            names = schema.readable
        rows = await self._asked(
            credentials,
            call.model,
            "read",
            list(ids),
            context=Context(companies=call.context.companies, active_test=False),
            fields=list(names),
        )
        return rows if is_sequence(rows) else ()

    async def _after(
        self,
        credentials: Credentials,
        call: Call,
        trace: _Trace,
        ids: Sequence[int],
    ) -> Sequence[Record] | None:
        try:
            return await self._records_of(credentials, call, trace, ids)
        except OdooportError as error:
            # It is done, and that is what the caller must hear.
            _logger.warning(
                "a changed record cannot be read for the audit",
                extra={"outcome": error.code, "model": call.model},
            )
            return None

    @_in_time
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
        decision = await self._permitted(caller, call)
        credentials = caller.principal.credentials_for(call.instance)
        key = (credentials, repr((decision.call, decision.mask)))
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

    @_in_time
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
        decision = await self._permitted(caller, call)
        credentials = caller.principal.credentials_for(instance)
        key = (credentials, model, lang)
        if max_age is not None and (self._seen.age(key) or 0.0) > max_age:
            await self._take(caller, 1)
            self._seen.drop(key)
        full = await self.full_schema(credentials, model, lang=lang)
        if not decision.mask:
            return full
        through = (full.digest, _frozen(decision.mask))
        if (schema := self._masked.peek(through)) is None:
            schema = full.seen_through(decision.mask)
            self._masked.put(through, schema)
        return schema

    async def full_schema(
        self, credentials: Credentials, model: str, *, lang: str | None = None
    ) -> ModelSchema:
        """Answer what a model looks like to an Odoo user; nothing is judged.

        Args:
            credentials: The user's login.
            model: The model's technical name.
            lang: The language of the labels.

        Raises:
            OdooRefused: There is no such model, or no such language.
        """
        key = (credentials, model, lang)
        # Nearly always it is kept; the policy asks many times for one call.
        if (digest := self._seen.peek(key)) is not None and (
            known := self._schemas.peek(digest)
        ) is not None:
            return known

        async def ask() -> ModelSchema:
            wire = await self._asked(
                credentials,
                model,
                "fields_get",
                context=Context(lang=lang),
                attributes=list(ATTRIBUTES),
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

    @_in_time
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
                async with self._traced(_trace(caller, tried, touches(tried))):
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
        session = await self.sessions.get(credentials)
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
        self,
        credentials: Credentials,
        model: str,
        method: str,
        *args: Any,
        context: Context = Context(),
        **kw: Any,
    ) -> Any:
        """Ask Odoo, past the guards, for what requests are checked against."""
        call = Call(model, method, args, kw, context, credentials.instance)
        return await self.sessions.run(
            credentials,
            lambda session: self._gateway.execute(session, call),
            again=True,
        )

    @_in_time
    async def version(self, caller: Caller, instance: str) -> ServerVersion:
        """Answer the version of an instance that the caller may use.

        Raises:
            RateLimited: The principal's budget is used up.
            GatewayError: The server cannot be reached.
        """
        caller.principal.credentials_for(instance)
        await self._take(caller, 1)
        return await self._gateway.version(instance)

    @_in_time
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
        trace = _trace(caller, call, touches(call))
        async with self._traced(trace):
            await self._take(caller, 1)
            await self._authorize(trace, call)
            return await self.sessions.run(
                caller.principal.credentials_for(instance),
                lambda session: self._gateway.methods(session, model),
                again=True,
            )

    @_in_time
    async def identity(
        self, caller: Caller, instance: str
    ) -> tuple[int, Record, Sequence[Record]]:
        """Answer the caller's Odoo user: its id, its record and its companies.

        Everybody may know who he is, whatever the policy says of the model of users.

        Args:
            caller: Who asks.
            instance: Which Odoo database.

        Raises:
            RateLimited: The principal's budget is used up.
            AuthenticationFailed: Odoo refuses the login.
            GatewayError: The server cannot be reached.
        """
        credentials = caller.principal.credentials_for(instance)
        asked = Call("res.users", "context_get", instance=instance)
        async with self._traced(_trace(caller, asked, touches(asked))):
            await self._take(caller, 1)
            uid = (await self.sessions.get(credentials)).uid
            try:
                users = await self._asked(
                    credentials, "res.users", "read", [uid], fields=list(_USER_FIELDS)
                )
                user = dict(users[0])
                companies = await self._asked(
                    credentials,
                    "res.company",
                    "search_read",
                    [["id", "in", user["company_ids"]]],
                    fields=["display_name"],
                    limit=_MOST_COMPANIES,
                )
                return uid, user, [dict(row) for row in companies]
            except (TypeError, ValueError, LookupError) as exc:
                raise GatewayProtocolError(
                    "Odoo did not say who its user is in a form that can be read."
                ) from exc

    @_in_time
    async def models(
        self, caller: Caller, context: Context, *, instance: str, fresh: bool = False
    ) -> Any:
        """Answer the models that the caller's Odoo user can read; kept as recalled.

        Everybody may know them, whatever the policy says of the model of models.

        Args:
            caller: Who asks.
            context: The language of the labels.
            instance: Which Odoo database.
            fresh: Whether to ask Odoo in any case.

        Raises:
            RateLimited: The principal's budget is used up.
            GatewayError: See the error tree.
        """
        credentials = caller.principal.credentials_for(instance)
        asked = Call(
            "ir.model", "get_available_models", context=context, instance=instance
        )
        key = (credentials, f"models {context!r}")
        if fresh:
            self._recalled.drop(key)

        async def fetch() -> _Recalled:
            async with self._traced(_trace(caller, asked, touches(asked))):
                await self._take(caller, 1)
                answer = await self._asked(
                    credentials, asked.model, asked.method, context=context
                )
            return _Recalled(answer, None, weight=len(repr(answer)))

        return (await self._recalled.get(key, fetch)).answer

    def renew(self, caller: Caller, instance: str) -> None:
        """Let the caller's next call log in anew, also where Odoo has refused that."""
        self.sessions.renew(caller.principal.credentials_for(instance))

    @_in_time
    async def uid(self, caller: Caller, instance: str) -> int:
        """Answer the id of the caller's Odoo user.

        Raises:
            AuthenticationFailed: Odoo refuses the login.
            GatewayError: The server cannot be reached.
        """
        credentials = caller.principal.credentials_for(instance)
        return (await self.sessions.get(credentials)).uid

    async def _take(self, caller: Caller, cost: int) -> None:
        quota = await self._limiter.take(caller, cost)
        caller.meter.quota = quota
        if not quota.allowed and quota.bucket == "unknown":
            raise RateLimited(
                "Calls cannot be counted at the moment, so none is let through. Ask "
                f"again in {quota.retry_after:.1f} seconds; if that stays so, tell the "
                "administrator.",
                quota.retry_after,
            )
        if not quota.allowed:
            raise RateLimited(
                f"Too many calls: the budget of {quota.limit} for this "
                f"{quota.bucket} is used up. Ask again in {quota.retry_after:.1f} "
                "seconds.",
                quota.retry_after,
            )

    @_in_time
    async def judge(self, caller: Caller, call: Call) -> Decision:
        """Answer what the policy would say of a call; nothing is sent or counted.

        Raises:
            InvalidRequest: The caller may not use the instance.
            OdooportError: The policy needs to know more of Odoo than can be asked.
        """
        credentials = caller.principal.credentials_for(call.instance)
        return await self._policy.authorize(
            caller.principal, call, _Known(self, credentials)
        )

    async def _permitted(self, caller: Caller, call: Call) -> Decision:
        """Answer what the policy says of a call that is not run as such.

        Raises:
            PermissionDenied: It may not; the audit keeps that.
        """
        decision = await self.judge(caller, call)
        if not decision.allowed:
            trace = _trace(caller, call, touches(call))
            trace.rule = decision.rule
            async with self._traced(trace):
                raise PermissionDenied(decision.reason)
        return decision

    async def _authorize(self, trace: _Trace, call: Call) -> Decision:
        decision = await self.judge(trace.caller, call)
        trace.rule = decision.rule
        if not decision.allowed:
            raise PermissionDenied(decision.reason)
        return decision


def masked(answer: Any, mask: Mask) -> Any:
    """Answer what is left of an answer of Odoo behind a mask.

    Args:
        answer: Anything; the mask applies to every mapping in it that is met on the way
            through lists.
        mask: What happens to which key.
    """
    if is_mapping(answer):
        return {
            key: _hidden(value, how) if (how := mask.get(key)) is not None else value
            for key, value in answer.items()
            if mask.get(key) is not Masking.DROP
        }
    if is_sequence(answer):
        return [masked(item, mask) for item in answer]
    return answer


def _frozen(mask: Mask) -> _Frozen:
    """Answer what stands for a mask in a key."""
    return frozenset(
        (name, how if isinstance(how, Masking) else _frozen(how))
        for name, how in mask.items()
    )


def _shown(answer: Any, mask: Mask) -> Any:
    """Answer what is left of a description of fields, where only names are hidden."""
    return masked(
        answer, {name: how for name, how in mask.items() if how is Masking.DROP}
    )


def _hidden(value: Any, how: "Masking | Mask") -> Any:
    if not isinstance(how, Masking):
        return masked(value, how)
    if how is Masking.STARS:
        return _STARS if isinstance(value, str) and value else False
    if is_mapping(value):
        return {"id": value.get("id"), "display_name": ""}
    if is_sequence(value) and len(value) == _PAIR:
        return [value[0], ""]
    return value


def _first_answer(attempt: Attempt) -> str:
    """Answer what was answered when a request came first.

    Raises:
        OdooportError: There is no answer to give.
    """
    match attempt.state:
        case AttemptState.FINISHED if attempt.answer is None:
            raise AnswerLost(
                "This was done when it was first asked for under this idempotency key, "
                "but its answer was too large to be kept. Read the records."
            )
        case AttemptState.FINISHED:
            kept = json.loads(attempt.answer or "")
            if "lost" in kept:
                raise AnswerLost(kept["lost"])
            return str(kept["answer"])
        case AttemptState.RUNNING:
            seconds = max(1.0, attempt.retry_after)
            raise IdempotencyInFlight(
                "The request that came first under this idempotency key still runs. "
                f"Ask again under it in {seconds:.0f} s to get its answer.",
                seconds,
            )
        case AttemptState.MISMATCH:
            raise IdempotencyMismatch(
                "Another request came before under this idempotency key, so this one "
                "was not run. Give each request a key of its own, and send it again "
                "without any change."
            )
        case AttemptState.UNKNOWN:
            raise OutcomeUnknown(
                "This was begun when it was first asked for under this idempotency "
                "key, and never finished: it may or may not be done, and it is not run "
                "again. Read the records; if it is not done, send it under a new key."
            )
        case _:
            raise GatewayUnavailable(
                "Idempotency keys cannot be kept at the moment, so nothing was sent to "
                "Odoo. Ask again later; if that stays so, tell the administrator.",
                retry_after=1.0,
            )


def _trace(caller: Caller, call: Call, touched: Touched) -> _Trace:
    """Answer what is known of a call that is about to be judged."""
    written = dict.fromkeys(name for values in touched.values for name in values)
    return _Trace(
        caller,
        call,
        touched.operation,
        ids=touched.ids or (),
        fields=touched.fields or tuple(written),
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

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        """Allow every call; Odoo judges it."""
        del principal, odoo
        return Decision(True, "", "odoo-decides", call)


class Unlimited:
    """A ``RateLimiter`` without limits, for a program that is its own principal."""

    async def take(self, caller: Caller, cost: int = 1) -> Quota:
        """Allow it."""
        del caller, cost
        return _NO_LIMIT

    @asynccontextmanager
    async def slot(self, caller: Caller) -> AsyncGenerator[Quota]:
        """Allow it."""
        del caller
        yield _NO_LIMIT


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
    _known: type[OdooKnowledge] = _Known
