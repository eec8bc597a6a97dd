"""The values that everything else talks about: calls, who makes them, what comes back.

All are frozen. Secrets never appear in a ``repr``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Any

from odooport.errors import InvalidRequest

DEFAULT_INSTANCE = "default"
"""The name of the only Odoo of a simple installation."""

DEFAULT_LIMIT = 80
"""How many records a search answers unless told; the page size of Odoo's own lists."""

type Json = bool | int | float | str | list[Json] | dict[str, Json] | None
"""Any JSON value."""

type Scalar = bool | int | float | str | None
"""A JSON value that holds no other."""

type Plain = Scalar | tuple[Scalar, ...]
"""A value that a context's further key may have."""

type Record = dict[str, Any]
"""One record as the doors show it: field name to clean value (see ``values``)."""


class Operation(StrEnum):
    """What a call does to records, in the words of Odoo's access rights.

    ``CALL`` is every public method that is none of the others: it may do anything.
    """

    READ = "read"
    WRITE = "write"
    CREATE = "create"
    UNLINK = "unlink"
    CALL = "call"


class Command(IntEnum):
    """The commands that change a one2many or many2many field.

    Source: ``odoo/fields.py``, class ``Command`` of Odoo 18. The constructors answer
    the list that goes over the wire.
    """

    CREATE = 0
    UPDATE = 1
    DELETE = 2
    UNLINK = 3
    LINK = 4
    CLEAR = 5
    SET = 6

    @classmethod
    def create(cls, values: Mapping[str, Any]) -> list[Any]:
        """Create a related record from values."""
        return [cls.CREATE.value, 0, dict(values)]

    @classmethod
    def update(cls, record_id: int, values: Mapping[str, Any]) -> list[Any]:
        """Write values on a related record."""
        return [cls.UPDATE.value, record_id, dict(values)]

    @classmethod
    def delete(cls, record_id: int) -> list[Any]:
        """Delete a related record from the database."""
        return [cls.DELETE.value, record_id, 0]

    @classmethod
    def unlink(cls, record_id: int) -> list[Any]:
        """Remove a related record from the field."""
        return [cls.UNLINK.value, record_id, 0]

    @classmethod
    def link(cls, record_id: int) -> list[Any]:
        """Add an existing record to the field."""
        return [cls.LINK.value, record_id, 0]

    @classmethod
    def clear(cls) -> list[Any]:
        """Remove every record from the field."""
        return [cls.CLEAR.value, 0, 0]

    @classmethod
    def set(cls, record_ids: Sequence[int]) -> list[Any]:
        """Replace the field's records with these."""
        return [cls.SET.value, 0, list(record_ids)]


@dataclass(frozen=True, slots=True)
class Context:
    """How Odoo shall look at one call.

    Without a language and a time zone Odoo uses English and UTC over RPC, whatever the
    user's own settings are (``odoo/api.py``, ``call_kw``).

    Attributes:
        lang: A language code that is active in the database, such as ``fr_FR``.
        tz: An IANA time zone name; it decides where days and months begin in groups.
        companies: The allowed companies; the first is the current one.
        active_test: False also finds archived records.
        extra: Further keys with their values, sorted; the policy lets through only
            those that a rule names. A list is a tuple here.
    """

    lang: str | None = None
    tz: str | None = None
    companies: tuple[int, ...] = ()
    active_test: bool | None = None
    extra: tuple[tuple[str, Plain], ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """Answer Odoo's context dictionary; empty settings are left out."""
        wire: dict[str, Any] = {}
        if self.lang is not None:
            wire["lang"] = self.lang
        if self.tz is not None:
            wire["tz"] = self.tz
        if self.companies:
            wire["allowed_company_ids"] = list(self.companies)
        if self.active_test is not None:
            wire["active_test"] = self.active_test
        for name, value in self.extra:
            wire[name] = [*value] if isinstance(value, tuple) else value
        return wire


@dataclass(frozen=True, slots=True)
class Call:
    """One ``execute_kw``: the policy judges it, the limiter prices it, Odoo runs it.

    Where ids, domain, fields and values lie in ``args`` and ``kwargs`` is known to
    ``signatures.touches`` alone.

    Attributes:
        model: The model's technical name, such as ``res.partner``.
        method: A public method of that model.
        args: Positional arguments; for methods on records, the ids come first.
        kwargs: Keyword arguments, without the context.
        context: The context to run in.
        instance: Which Odoo database.
    """

    model: str
    method: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    context: Context = Context()
    instance: str = DEFAULT_INSTANCE

    def __post_init__(self) -> None:
        if "context" in self.kwargs:
            raise InvalidRequest(
                "The context is not a keyword argument here: give lang, tz, company "
                "and active_test as the call's context."
            )

    def keywords(self) -> dict[str, Any]:
        """Answer the keyword arguments as Odoo takes them, the context included."""
        context = self.context.to_wire()
        return {**self.kwargs, "context": context} if context else dict(self.kwargs)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login of one Odoo database.

    Attributes:
        database: The database's name.
        login: The user's login.
        secret: The user's password or, better, an Odoo API key.
        instance: Which Odoo these belong to.
    """

    database: str
    login: str
    secret: str = field(repr=False)
    instance: str = DEFAULT_INSTANCE


@dataclass(frozen=True, slots=True)
class Session:
    """A login that Odoo accepted; each call carries it, gateways keep none.

    Attributes:
        database: The database's name.
        uid: The id of the ``res.users`` record.
        secret: What the login was proven with; Odoo asks for it with every call.
        instance: Which Odoo it belongs to.
    """

    database: str
    uid: int
    secret: str = field(repr=False)
    instance: str = DEFAULT_INSTANCE


@dataclass(frozen=True, slots=True)
class ServerVersion:
    """What an Odoo server says of itself.

    Attributes:
        text: The full version, such as ``18.0-20250702``.
        series: Major and minor version, such as ``(18, 0)``.
    """

    text: str
    series: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, once proven.

    Attributes:
        subject: A stable identifier: the API key's id, or the local user.
        name: What people call it.
        role: The name of the role that decides what it may do.
        credentials: The Odoo login that it acts as, per instance.
        max_rows: The most records that one answer may hold.
        rate_limit: A budget of its own, such as ``60/minute``, in place of the usual
            one.
        concurrency: How many calls it may have under way at once; None for as many as
            is usual.
    """

    subject: str
    name: str
    role: str
    credentials: Mapping[str, Credentials] = field(repr=False)
    max_rows: int = 1000
    rate_limit: str | None = None
    concurrency: int | None = None

    def credentials_for(self, instance: str) -> Credentials:
        """Answer the login for an instance.

        Raises:
            InvalidRequest: The principal has no login there. No other instance ever
                takes its place.
        """
        try:
            return self.credentials[instance]
        except KeyError:
            known = ", ".join(map(repr, sorted(self.credentials))) or "none"
            meant = (
                ", which is meant where none is named"
                if instance == DEFAULT_INSTANCE
                else ""
            )
            raise InvalidRequest(
                f"There is no instance {instance!r} here{meant}; name one that you may "
                f"use: {known}."
            ) from None


ANONYMOUS = Principal("anonymous", "anonymous", "none", MappingProxyType({}))
"""Who is asking before any key is proven; there is no such role, so it may nothing."""


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a budget after one call was counted.

    Attributes:
        allowed: Whether the call fits.
        limit: The whole budget of the window.
        remaining: What is left of it.
        reset_after: Seconds until the budget is whole again.
        retry_after: Seconds until the refused call fits; 0 when allowed.
        bucket: Whose budget it is: ``key``, ``role``, ``address`` or ``concurrency``;
            ``unknown`` where nobody could count.
        window: The length of the window in seconds; 0 where there is none.
    """

    allowed: bool
    limit: int
    remaining: int
    reset_after: float
    retry_after: float = 0.0
    bucket: str = "key"
    window: float = 0.0


@dataclass(slots=True)
class Meter:
    """What the calls of one request have used; the gate writes, the door reads.

    Attributes:
        quota: The tightest budget after the latest call; None before any was counted.
        sent: How many writes were sent to Odoo.
    """

    quota: Quota | None = None
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal at one door, in one request.

    Attributes:
        principal: Who is asking.
        door: The entrypoint: ``rest``, ``mcp-http``, ``mcp-stdio``, ``cli`` or
            ``python``.
        request_id: What the request is called in every log and audit line.
        address: The network address that the request came from, if any.
        deadline: When it must have its answer, in seconds of ``time.monotonic``; None
            if nobody minds how long it takes.
        meter: What its calls have used.
    """

    principal: Principal
    door: str
    request_id: str
    address: str | None = None
    deadline: float | None = None
    meter: Meter = field(default_factory=Meter, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why somebody was not let in.

    Attributes:
        reason: What to tell the caller.
        rule: What decided, for the audit.
        subject: The id of the key that was meant, if that is known to be right.
        retry_after: Seconds until it makes sense to try again, after too many failures;
            None if the refusal is about the key itself.
    """

    reason: str
    rule: str
    subject: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Requirement:
    """Records that a call names, and what must be true of each.

    Attributes:
        model: The model's technical name.
        ids: The records.
        domain: Odoo's search filter in its wire form.
    """

    model: str
    ids: tuple[int, ...]
    domain: tuple[Any, ...]


class Masking(StrEnum):
    """What happens to one field of an answer."""

    DROP = "drop"
    """It is taken out."""

    STARS = "stars"
    """A text becomes ``***``, any other value False; an empty one stays empty."""

    UNNAME = "unname"
    """A many2one keeps its id and loses the name."""


type Mask = Mapping[str, Masking | Mask]
"""What happens to the fields of an answer, and of the records inside it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says of one call.

    Attributes:
        allowed: Whether the call may run.
        reason: Why not, for the caller; empty when allowed.
        rule: Which rule decided, for the audit.
        call: What shall be sent in place of the call that was judged.
        require: What must be true, in Odoo, before it may be sent.
        mask: What happens to the fields of the answer, wherever they are in it.
        changes: Whether the audit keeps the records before and after a write.
    """

    allowed: bool
    reason: str
    rule: str
    call: Call
    require: tuple[Requirement, ...] = ()
    mask: Mask = field(default_factory=dict[str, Any])
    changes: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A record as a many2one shows it: its id and its display name."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the records that a search finds.

    Attributes:
        records: The records, in order.
        limit: The most records that this answer could hold.
        capped: Whether ``limit`` is smaller than what was asked for.
        has_more: Whether there are records after these.
        cursor: What to send to get the next page; None at the end.
        paging: How the next page is found: ``keyset`` is safe while others write,
            ``offset`` may repeat or miss records.
        total: How many records the search finds in all, if that was asked for.
        fingerprint: That of the model's fields, as the records were read by them.
    """

    records: list[Record]
    limit: int
    capped: bool
    has_more: bool
    cursor: str | None
    paging: str
    total: int | None = None
    fingerprint: str = ""
