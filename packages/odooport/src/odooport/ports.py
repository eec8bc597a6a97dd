"""The ports: what the domain library needs from the outside, in its own words.

Guards answer values and do not raise; only the gate and the use cases turn a refusal
into an error. Every method says what it does when the far side is gone.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from odooport.catalogue import MethodInfo
from odooport.model import (
    Call,
    Caller,
    Credentials,
    Decision,
    Operation,
    Principal,
    Quota,
    Record,
    Refusal,
    ServerVersion,
    Session,
)
from odooport.schema import ModelSchema


class OdooGateway(Protocol):
    """An Odoo server, over some wire or in memory.

    Stateless: each call carries its session, so no call can borrow another's login.
    Nothing is ever sent twice. Values pass through as Odoo speaks them: False for
    empty, ``[id, name]`` for a many2one.
    """

    async def version(self, instance: str) -> ServerVersion:
        """Answer what the server says of itself; needs no login.

        Raises:
            GatewayError: The server cannot be reached, or is no Odoo.
        """
        ...

    async def authenticate(self, credentials: Credentials) -> Session:
        """Log in.

        Raises:
            AuthenticationFailed: Odoo refused the login, or has no such database.
            GatewayError: The server cannot be reached, or is no Odoo.
        """
        ...

    async def execute(self, session: Session, call: Call) -> Any:
        """Run one method and answer what it returned; None if it returned nothing.

        Raises:
            AuthenticationFailed: The session is not valid any more; nothing was done.
            InvalidRequest: The wire cannot carry a value, or the model has no such
                method; nothing was done.
            GatewayError: See the error tree. After ``OutcomeUnknown`` the call may
                have been executed; after every other error but ``AnswerLost`` it
                has not.
        """
        ...

    async def methods(
        self, session: Session, model: str
    ) -> Sequence[MethodInfo] | None:
        """Answer what the server itself tells of a model's public methods.

        None where it tells nothing: an Odoo 18 has no such documentation, an Odoo 19
        shows it to the members of one group only, and to nobody who may not read the
        model.

        Raises:
            AuthenticationFailed: The session is not valid any more.
            GatewayError: The server cannot be reached, or what it tells is not
                readable.
        """
        ...


class OdooKnowledge(Protocol):
    """What a policy may ask about the Odoo behind a call, as the call's own user.

    What it answers is kept, so asking is cheap the second time.
    """

    async def schema(self, model: str) -> ModelSchema:
        """Answer what a model looks like to the Odoo user, nothing hidden.

        Raises:
            OdooportError: There is no such model, or Odoo cannot be asked.
        """
        ...

    async def uid(self) -> int:
        """Answer the id of the Odoo user.

        Raises:
            OdooportError: Odoo refuses the login, or cannot be asked.
        """
        ...


class AuthPolicy(Protocol):
    """Who is it, and may they?"""

    async def authenticate(
        self, token: str, address: str | None
    ) -> Principal | Refusal:
        """Answer whose token this is, or why it lets nobody in.

        Args:
            token: What the caller presented, as it came.
            address: The network address that it came from.
        """
        ...

    async def authorize(
        self, principal: Principal, call: Call, odoo: OdooKnowledge
    ) -> Decision:
        """Judge one call; what no rule allows is denied.

        Args:
            principal: Who asks.
            call: What for.
            odoo: Tells what the call's paths and values mean, where that matters.

        Raises:
            OdooportError: What it asked ``odoo`` could not be answered; the call must
                not run.
        """
        ...


class RateLimiter(Protocol):
    """Counts calls against budgets, in one atomic step."""

    async def take(self, caller: Caller, cost: int = 1) -> Quota:
        """Take ``cost`` from every budget that the caller draws on; never sleeps.

        The answer is that of the tightest budget. A refused call takes nothing. A cost
        above a whole budget takes all of it. When the store is gone, the answer is a
        refusal unless it is set otherwise.
        """
        ...

    def slot(self, caller: Caller) -> AbstractAsyncContextManager[Quota]:
        """Hold one of the caller's places for calls under way; never waits for one.

        The answer says whether there was one. It is given back at the end, whatever
        happens.
        """
        ...


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One call, as the audit records it, or a request that never became one.

    Attributes:
        caller: Who asked, where, in which request; ``ANONYMOUS`` if nobody was proven.
        outcome: ``begun`` before a write is sent; then ``ok`` or an error's code.
        call: What was asked for; None where that was not understood.
        operation: What the call does to records.
        ids: The records that it names; empty when it names none.
        fields: The fields that it names, read or written.
        reason: What refused it, if something did.
        rule: Which rule of the policy decided.
        milliseconds: How long it took; None before it ended.
        before: The records before a write, where a rule asks for it.
        after: The records after it.
    """

    caller: Caller
    outcome: str
    call: Call | None = None
    operation: Operation | None = None
    ids: Sequence[int] = ()
    fields: Sequence[str] = ()
    reason: str | None = None
    rule: str | None = None
    milliseconds: float | None = None
    before: Sequence[Record] | None = None
    after: Sequence[Record] | None = None


class AuditLog(Protocol):
    """Keeps what was done, by whom."""

    async def record(self, event: AuditEvent) -> bool:
        """Keep one event; that of a write is on disk when this returns.

        Answers False when it could not be kept.
        """
        ...


class AttemptState(StrEnum):
    """What is known of the request that an idempotency key stands for."""

    BEGUN = "begun"
    """Nothing was, until now: the claim is ours, and it may run."""

    RUNNING = "running"
    """Somebody else runs it at this moment."""

    FINISHED = "finished"
    """It ran to its end."""

    UNKNOWN = "unknown"
    """It was begun and never finished: it may or may not be done."""

    MISMATCH = "mismatch"
    """The key stands for another request."""

    UNAVAILABLE = "unavailable"
    """The store cannot tell; nothing may run."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a store answers to somebody who wants to run a request under a key.

    Attributes:
        state: What is known of it.
        answer: The first answer, where it has finished; None if that was too large to
            be kept.
        retry_after: Seconds until it makes sense to ask again.
    """

    state: AttemptState
    answer: str | None = None
    retry_after: float = 0.0


class IdempotencyStore(Protocol):
    """Remembers for 24 hours which requests were made under which key.

    What it holds survives the end of the process, however that comes about. A subject
    is a principal's; the same key of two principals are two keys.
    """

    async def begin(self, subject: str, key: str, fingerprint: str) -> Attempt:
        """Claim a key for a request, in one atomic step.

        Of many who ask at once, one is answered ``BEGUN``; the claim then survives.

        Args:
            subject: Whose key it is.
            key: The key, as the caller chose it.
            fingerprint: What tells this request from another.
        """
        ...

    async def finish(self, subject: str, key: str, answer: str) -> bool:
        """Keep the answer of a request that was begun; False if that cannot be."""
        ...

    async def release(self, subject: str, key: str) -> None:
        """Make a key free again: what was begun under it has done nothing."""
        ...

    async def abandon(self, subject: str, key: str) -> None:
        """Keep that nobody will know what became of a request that was begun."""
        ...
