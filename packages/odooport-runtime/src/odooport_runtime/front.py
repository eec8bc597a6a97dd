"""What stands before both HTTP doors: who may come at all, and how much he may send.

``Front`` goes around a door, or once around several. It names the request, finds out
where it comes from, refuses foreign networks, hosts and pages, and too large a head or
body, marks every answer, writes the log line, and answers a crash. A door asks
``let_in`` for its caller and reads the body after that: nobody's body is read before
the key is known.
"""

import asyncio
import ipaddress
import logging
import math
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import accumulate
from types import MappingProxyType
from typing import Any, Self

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from odooport import (
    AuthenticationFailed,
    Caller,
    Gate,
    GatewayUnavailable,
    InvalidRequest,
    OdooportError,
    PermissionDenied,
)
from odooport.changes import visible
from odooport.model import ANONYMOUS, Quota
from odooport_runtime import problems
from odooport_runtime.draining import Drain
from odooport_runtime.settings import Network, Settings, SettingsError
from odooport_runtime.transport import is_loopback

MAX_BODY = 4 * 1024 * 1024
"""The most bytes that a request's body may have, unless set otherwise."""

MAX_HEAD = 16 * 1024
"""The most bytes that all headers of a request may have together, and its address."""

MAX_HEADERS = 100
"""The most headers that a request may have."""

MAX_DEPTH = 64
"""How many lists and objects of a JSON body may lie in each other."""

MAX_REQUESTS = 1_000
"""How many requests may be under way in one process."""

DRAIN = "odooport.drain"
"""Where a server that drains keeps its ``Drain`` in the state of each request."""

CUT_OFF = "odooport.cut_off"
"""Where a server keeps, in the state of each request, what drops its connection."""

LOOPBACK_NAMES = ("127.0.0.1", "::1", "localhost")
"""What a machine calls itself; these names are served everywhere."""

_logger = logging.getLogger(__name__)

_CHUNK = 64 * 1024
"""How much of an answer is handed to the server at once. What the server has is beyond
our reach, so it gets the next part only when the reader has taken most of this one."""

_STALLED_SECONDS = 30.0
"""How long a reader may take for one part of an answer."""

_BUSY_SECONDS = 1.0
"""When whoever finds no place may ask again."""

_ALIVE = "/health"
"""What is answered whatever else is under way."""

_WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104  this reads, and binds nothing
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:@/?#\[\]\\]+)(?::(\d{1,5}))?")
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d{1,5})?|(\d+\.\d+\.\d+\.\d+):\d{1,5}")
_ORIGIN = re.compile(r"https?://[^\s/?#@]+")
_WAIT = re.compile(r'wait[ \t]*=[ \t]*("?)([0-9]{1,9})\1[ \t]*(?:;.*)?', re.IGNORECASE)
_PREFERS_WAIT = re.compile(r"wait[ \t]*(?:[=;]|$)", re.IGNORECASE)
_PORTS: Mapping[str, str] = MappingProxyType({"http": "80", "https": "443"})

_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_BETWEEN = ord("\\")
"""The character between the brackets: from it ``[`` is one down and ``]`` one up."""

_MARKS: Mapping[str, str] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
)
"""The headers of every answer that does not set them itself."""

_HSTS = "max-age=31536000"

_CORS_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_CORS_TAKEN = (
    "Authorization",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Mcp-Method",
    "Mcp-Name",
    "Mcp-Protocol-Version",
    "Mcp-Session-Id",
    "Prefer",
    "Schema-Fingerprint",
    "X-Request-Id",
)
_CORS_SHOWN = (
    "Allow",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Schema-Fingerprint",
    "WWW-Authenticate",
    "X-Request-Id",
)

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class BodyTooLarge(InvalidRequest):
    """The body has more bytes than a request may have."""

    code = "payload_too_large"


class HeadTooLarge(InvalidRequest):
    """The headers, or the address, are too many or too long."""

    code = "headers_too_large"


class _Misdirected(PermissionDenied):
    """The request is for a host that is not served here."""


class _Unreadable(InvalidRequest):
    """Something before the body cannot be read."""


_STATUS: Mapping[type[OdooportError], HTTPStatus] = MappingProxyType(
    {
        _Misdirected: HTTPStatus.MISDIRECTED_REQUEST,
        _Unreadable: HTTPStatus.BAD_REQUEST,
    }
)
"""The status of an error where it is not that of its kind."""


@dataclass(frozen=True, slots=True)
class FrontRules:
    """Who may come at all, and how much he may send.

    Attributes:
        host: The address that is listened on.
        hosts: The host names that may be asked for, besides those of the loopback and
            ``host``. A page that tricks a browser into taking our address for its own
            still sends its own name.
        networks: Where callers may come from; empty for anywhere.
        trusted_proxies: Whose X-Forwarded-For is believed.
        cors_origins: The origins whose pages may call from a browser.
        max_body: The most bytes that a body may have.
        tls: Whether TLS is served here.
        deadline: The most seconds that a request may take; None for any.
        most_requests: How many requests may be under way in this process.
        stalled: The most seconds that a reader may take for a part of an answer.
    """

    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    trusted_proxies: tuple[Network, ...] = ()
    cors_origins: tuple[str, ...] = ()
    max_body: int = MAX_BODY
    tls: bool = False
    deadline: float | None = None
    most_requests: int = MAX_REQUESTS
    stalled: float = _STALLED_SECONDS

    def __post_init__(self) -> None:
        for origin in self.cors_origins:
            if _ORIGIN.fullmatch(origin) is None:
                raise SettingsError(
                    f"ODOOPORT_CORS_ORIGINS: {origin!r} is no origin. Write each as "
                    "scheme, name and port, such as https://shop.example.com."
                )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Answer what the settings say.

        Raises:
            SettingsError: An origin is none.
        """
        return cls(
            host=settings.host,
            hosts=settings.hosts,
            networks=settings.networks,
            trusted_proxies=settings.trusted_proxies,
            cors_origins=tuple(
                origin.rstrip("/").lower() for origin in settings.cors_origins
            ),
            max_body=settings.max_body,
            tls=settings.tls_cert is not None,
            deadline=settings.deadline,
        )


ON_LOOPBACK = FrontRules()
"""The rules of a service that only programs on the same machine reach."""


class Front:
    """An ASGI middleware around one door, or around several.

    In ``scope["state"]`` it keeps ``request_id`` and ``deadline``, and a door keeps
    ``caller`` there; in ``scope["client"]`` stands where the request really comes from.
    Whoever goes away before he has his answer is not worked for any longer.

    Args:
        app: What it surrounds.
        gate: Keeps in the audit what is refused.
        rules: Who may come, and how much he may send.
        door: What the door is called in every log and audit line.
        doors: The names of other doors, by the path that they are at.
        new_id: Makes a request id where none came that can be used.
        clock: Answers the time in seconds; never goes back.
    """

    def __init__(
        self,
        app: ASGIApp,
        gate: Gate,
        *,
        rules: FrontRules,
        door: str,
        new_id: Callable[[], str],
        clock: Callable[[], float],
        doors: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._gate = gate
        self._rules = rules
        self._door = door
        self._doors = doors
        self._new_id = new_id
        self._clock = clock
        self._under_way = 0
        own = () if rules.host in _WILDCARDS else (rules.host,)
        names = (*LOOPBACK_NAMES, *own, *rules.hosts)
        self._names = frozenset(name.strip("[]").lower() for name in names)
        self._by_any_address = not (rules.hosts or is_loopback(rules.host))
        self._marks = {
            **_MARKS,
            **({"Strict-Transport-Security": _HSTS} if rules.tls else {}),
        }
        self._app: ASGIApp = app
        if rules.cors_origins:
            self._app = CORSMiddleware(
                app,
                allow_origins=rules.cors_origins,
                allow_methods=_CORS_METHODS,
                allow_headers=_CORS_TAKEN,
                expose_headers=_CORS_SHOWN,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self._clock()
        headers = Headers(scope=scope)
        request_id = self._request_id(headers)
        deadline, applied = self._deadline(headers)
        state: dict[str, Any] = {
            **scope.get("state", {}),
            "request_id": request_id,
            "deadline": deadline,
        }
        scope = {**scope, "state": state}
        door = self._doors.get(scope["path"], self._door)
        line = _Line(
            receive,
            send,
            most=self._rules.max_body,
            stalled=self._rules.stalled,
            deadline=deadline,
            cut_off=state.get(CUT_OFF),
        )
        status: int | None = None

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                marked = MutableHeaders(scope=message)
                self._mark(marked, state)
                if applied is not None:
                    marked["Preference-Applied"] = applied
            await line.send(message)

        with ExitStack() as stack:
            stack.callback(line.end)
            try:
                try:
                    scope["client"] = self._client(scope, headers)
                    self._check(scope, headers)
                    stack.enter_context(self._place(scope))
                except OdooportError as error:
                    refusal = await self._refuse(error, scope, door)
                    await refusal(scope, receive, send_marked)
                else:
                    if not _has_body(scope, headers):
                        line.listen()
                    await self._app(scope, line.receive, send_marked)
            except asyncio.CancelledError:
                if line.dropped():
                    return
                if status is None:
                    gone = _given_up(state.get("caller"), request_id)
                    await gone(scope, receive, send_marked)
                raise
            except Exception as error:  # the last place before the server
                if line.left and isinstance(error, ClientDisconnect):
                    return
                crash = problems.answer_crash(error, request_id=request_id)
                if status is not None:
                    raise
                await crash(scope, receive, send_marked)
            finally:
                _logger.info(
                    "request",
                    extra={
                        "request_id": request_id,
                        "door": door,
                        "http_method": scope["method"],
                        "path": visible(scope["path"]).replace("\n", "\\n"),
                        "status": status,
                        "milliseconds": round((self._clock() - began) * 1000, 2),
                        **({"left": True} if line.left else {}),
                    },
                )

    def _deadline(self, headers: Headers) -> tuple[float | None, str | None]:
        """Answer until when a request must have its answer, and what to say of that.

        A caller may prefer to wait for less time than he may take (RFC 7240, 4.3).
        What he prefers that makes no sense is as if he had not said it (section 2).
        """
        most, wait = self._rules.deadline, _wait(headers)
        # Not the clock of the log: everybody who looks at deadlines looks at this one.
        now = time.monotonic()
        if wait is not None and (most is None or wait <= most):
            return now + wait, f"wait={wait}"
        return (None if most is None else now + most), None

    @contextmanager
    def _place(self, scope: Scope) -> Generator[None]:
        """Keep a place for a request for as long as it runs.

        Raises:
            GatewayUnavailable: There is none, or the service is stopping.
        """
        if scope["path"] == _ALIVE:
            yield
            return
        if self._under_way >= self._rules.most_requests:
            raise GatewayUnavailable(
                "Too many requests are under way here, so nothing was done; ask again "
                "in a second.",
                retry_after=_BUSY_SECONDS,
            )
        drain = scope["state"].get(DRAIN)
        with ExitStack() as stack:
            if isinstance(drain, Drain):
                stack.enter_context(drain.admit())
            self._under_way += 1
            try:
                yield
            finally:
                self._under_way -= 1

    def _request_id(self, headers: Headers) -> str:
        given = headers.get("x-request-id", "")
        return given if _REQUEST_ID.fullmatch(given) else self._new_id()

    def _mark(self, headers: MutableHeaders, state: Mapping[str, object]) -> None:
        headers["X-Request-Id"] = str(state["request_id"])
        for name, value in self._marks.items():
            headers.setdefault(name, value)
        drain = state.get(DRAIN)
        if isinstance(drain, Drain) and drain.stopping:
            headers["Connection"] = "close"
        caller = state.get("caller")
        if isinstance(caller, Caller) and caller.meter.quota is not None:
            for name, value in budget(caller.meter.quota).items():
                headers[name] = value

    async def _refuse(self, error: OdooportError, scope: Scope, door: str) -> Response:
        request_id = scope["state"]["request_id"]
        if not isinstance(error, GatewayUnavailable):  # that tells of us, not of him
            caller = Caller(ANONYMOUS, door, request_id, address_of(scope))
            await self._gate.note(caller, error, rule="front")
        return problems.answer_error(
            error, request_id=request_id, status=_STATUS.get(type(error))
        )

    def _client(self, scope: Scope, headers: Headers) -> tuple[str, int] | None:
        """Answer where a request comes from.

        Raises:
            InvalidRequest: A trusted proxy says something that is no address.
        """
        peer = scope.get("client")
        if peer is None:
            return None
        address = _address(peer[0])
        port = peer[1] or 0
        if not _is_in(address, self._rules.trusted_proxies):
            return (str(address or peer[0]), port)
        lines = headers.getlist("x-forwarded-for")
        if not lines:
            return (str(address), port)
        # Each proxy appends whom it saw: only from the right is every entry vouched for
        # by one that is trusted.
        for entry in reversed(",".join(lines).split(",")):
            forwarded = _address(_without_port(entry.strip(" \t")))
            if forwarded is None:
                # Nobody knows any more who it is; taking the proxy for the caller
                # would let him in wherever the proxy may come in.
                raise _Unreadable(
                    f"X-Forwarded-For holds {entry.strip()[:64]!r}, which is no IP "
                    "address. The proxy in front must append the address that it saw."
                )
            address = forwarded
            if not _is_in(address, self._rules.trusted_proxies):
                break
        return (str(address), 0)

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Refuse what is no request for us, whoever sent it.

        Raises:
            OdooportError: Why.
        """
        _check_head(scope)
        rules = self._rules
        client = scope["client"]
        address = None if client is None else _address(client[0])
        if rules.networks and not _is_in(address, rules.networks):
            raise PermissionDenied(
                "Your network address is not let in here. An administrator can add "
                "its network to ODOOPORT_NETWORKS."
            )
        hosts = headers.getlist("host")
        name, port = _name_and_port(hosts[0] if len(hosts) == 1 else "")
        if not self._serves(name):
            shown = ", ".join(hosts)
            raise _Misdirected(
                f"The host name {shown[:300]!r} is not served here; ask for one of "
                f"{', '.join(sorted(self._names))}. An administrator can add a name to "
                "ODOOPORT_HOSTS."
            )
        origin = headers.get("origin")
        if origin is not None and not self._knows(origin, name, port):
            raise PermissionDenied(
                f"Pages from {origin[:300]!r} may not use this service from a browser. "
                "Call it from a program, or let an administrator add the origin to "
                "ODOOPORT_CORS_ORIGINS."
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > rules.max_body:
            raise _too_large(rules.max_body)

    def _serves(self, name: str) -> bool:
        """Answer whether a host name may be asked for.

        A bare address passes where this service may be reached by any: no page can
        make a browser send one that is not its own.
        """
        if name in self._names:
            return True
        address = _address(name)
        return address is not None and (self._by_any_address or address.is_loopback)

    def _knows(self, origin: str, name: str, port: str | None) -> bool:
        """Answer whether a page is our own, or one that may call us."""
        if origin in self._rules.cors_origins:
            return True
        scheme, _, place = origin.partition("://")
        usual = _PORTS.get(scheme)
        its_name, its_port = _name_and_port(place)
        return (
            usual is not None
            and its_name == name
            and (its_port or usual) == (port or usual)
        )


async def let_in(gate: Gate, request: Request, door: str) -> Caller:
    """Answer the caller whose key a request brings; it is kept with the request.

    Args:
        gate: Knows the keys.
        request: What came through a ``Front``.
        door: What the door is called.

    Raises:
        AuthenticationFailed: There is no key, or it lets nobody in.
        RateLimited: Too many keys from there were wrong.
    """
    caller = await gate.authenticate(
        bearer_of(request.headers),
        door=door,
        request_id=request.state.request_id,
        address=address_of(request.scope),
    )
    caller = replace(caller, deadline=request.state.deadline)
    request.state.caller = caller
    return caller


def bearer_of(headers: Headers) -> str:
    """Answer the key that a request brings.

    Raises:
        AuthenticationFailed: There is none, or more than one.
    """
    given = headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not token.strip():
        raise AuthenticationFailed(
            "Send an API key as 'Authorization: Bearer odp_...'. "
            "'odooport keys create' makes one."
        )
    return token.strip()


def asker(scope: Scope, door: str) -> Caller:
    """Answer who sent a request, as far as that is proven, for the audit.

    Args:
        scope: What came through a ``Front``.
        door: What the door is called.
    """
    state = scope["state"]
    caller = state.get("caller")
    if isinstance(caller, Caller):
        return caller
    return Caller(ANONYMOUS, door, state["request_id"], address_of(scope))


def address_of(scope: Scope) -> str | None:
    """Answer the network address that a request comes from, if it has one."""
    client = scope.get("client")
    return None if client is None else str(client[0])


def budget(quota: Quota) -> Mapping[str, str]:
    """Answer the headers that tell of a budget; none where there is no limit.

    Their form is that of draft-ietf-httpapi-ratelimit-headers-11: a name, how much
    there is in how many seconds, how much is left and in how many seconds there is
    more.
    """
    if quota.limit <= 0:
        return {}
    window = f";w={math.ceil(quota.window)}" if quota.window else ""
    unit = ';qu="concurrent-requests"' if quota.bucket == "concurrency" else ""
    wait = quota.reset_after if quota.allowed else max(1.0, quota.retry_after)
    left, seconds = max(0, quota.remaining), math.ceil(wait)
    return {
        "RateLimit-Policy": f'"{quota.bucket}";q={quota.limit}{window}{unit}',
        "RateLimit": f'"{quota.bucket}";r={left};t={seconds}',
    }


def check_depth(body: bytes) -> None:
    """Refuse a JSON body whose lists and objects lie too deep in each other.

    It is asked before anything parses the body, and much cheaper than that.

    Args:
        body: The whole body, in UTF-8.

    Raises:
        InvalidRequest: It is too deep, or in another encoding, where quotation marks
            would not be seen as such.
    """
    if 0 in body:
        raise InvalidRequest("The body is no JSON in UTF-8: it holds a zero byte.")
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRINGS.sub(b"", body).translate(_BRACKETS, _NO_BRACKETS)
    if max(accumulate(map(_BETWEEN.__sub__, brackets)), default=0) > MAX_DEPTH:
        raise InvalidRequest(
            f"The JSON of the body is nested deeper than {MAX_DEPTH} lists and objects."
        )


def _check_head(scope: Scope) -> None:
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if size > MAX_HEAD or len(headers) > MAX_HEADERS:
        raise HeadTooLarge(
            f"A request may have at most {MAX_HEADERS} headers of {MAX_HEAD} bytes "
            "together."
        )
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_HEAD:
        raise HeadTooLarge(
            f"An address may have at most {MAX_HEAD} bytes. Send what makes it long "
            "as a body to .../search."
        )


class _Line:
    """The connection of one request: all that comes and goes passes through here.

    It must be made by the task that serves the request: that is cancelled when the
    caller goes away.

    Args:
        receive: Answers what the caller sends; nobody else may ask it.
        send: Sends to him.
        most: The most bytes that a body may have.
        stalled: The most seconds that he may take for a part of his answer.
        deadline: The time, in seconds of the monotonic clock, at which his request
            ends; None for no end.
        cut_off: Drops the connection, where the server offers that.

    Attributes:
        left: Whether he went away, or was cut off, before he had his whole answer.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        *,
        most: int,
        stalled: float,
        deadline: float | None,
        cut_off: Callable[[], None] | None,
    ) -> None:
        self._receive = receive
        self._send = send
        self._most = most
        self._stalled = stalled
        self._deadline = deadline
        self._cut_off = cut_off
        self._task = asyncio.current_task()
        self._listening: asyncio.Task[None] | None = None
        self._body: bytes | None = None
        self._given = False
        self._gone = asyncio.Event()
        self._answered = False
        self.left = False

    def listen(self) -> None:
        """Hear from now on whether the caller goes away: his body is there."""
        self._body = self._body or b""
        self._listening = asyncio.create_task(self._listen())

    def end(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()

    def dropped(self) -> bool:
        """Answer whether the task is cancelled because the caller left, and only so.

        It is as if it had not been cancelled, then.
        """
        return self.left and self._task is not None and self._task.uncancel() == 0

    async def receive(self) -> Message:
        """Answer the body as one, once it is known to be fit; then that he left.

        Raises:
            InvalidRequest: The body is too large, or too deep.
        """
        if self._given:
            await self._gone.wait()
            return {"type": "http.disconnect"}
        if self._body is None:
            left = None if self._deadline is None else self._deadline - time.monotonic()
            try:
                async with asyncio.timeout(left):
                    body = await self._whole()
            except TimeoutError as exc:
                raise InvalidRequest(
                    "The body did not come in the time that the request has, so "
                    "nothing was done. Send it faster, or less of it."
                ) from exc
            if body is None:
                self.left = self._given = True
                self._gone.set()
                return {"type": "http.disconnect"}
            check_depth(body)
            self._body = body
            self.listen()
        self._given = True
        body, self._body = self._body, b""
        return {"type": "http.request", "body": body, "more_body": False}

    async def _whole(self) -> bytes | None:
        """Answer the body; None if the caller goes away before it is whole."""
        size, chunks = 0, list[bytes]()
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                return None
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > self._most:
                raise _too_large(self._most)
            if not message.get("more_body", False):
                return b"".join(chunks)

    async def _listen(self) -> None:
        # What else comes is not of this request. A server that says so again and again
        # may not hold up the rest.
        while (  # noqa: ASYNC110  it waits in receive, and only gives way in between
            await self._receive()
        )["type"] == "http.request":
            await asyncio.sleep(0)
        self._leave()

    def _leave(self) -> None:
        self._gone.set()
        if not (self._answered or self.left):
            self.left = True
            if self._task is not None:
                self._task.cancel()

    async def send(self, message: Message) -> None:
        """Send a message to the caller, as fast as he takes it."""
        body = message.get("body", b"")
        more = message.get("more_body", False)
        if message["type"] != "http.response.body" or len(body) <= _CHUNK:
            await self._part(
                message, message["type"] == "http.response.body" and not more
            )
            return
        view = memoryview(body)
        for start in range(0, len(body), _CHUNK):
            last = start + _CHUNK >= len(body) and not more
            part = bytes(view[start : start + _CHUNK])
            await self._part(
                {"type": "http.response.body", "body": part, "more_body": not last},
                last,
            )

    async def _part(self, message: Message, last: bool) -> None:
        if self.left:
            return
        # The server says that the caller left as soon as he has everything, too.
        self._answered = last
        try:
            async with asyncio.timeout(self._stalled):
                await self._send(message)
        except TimeoutError:
            _logger.warning("a reader takes nothing and is cut off")
            self._answered = False
            if self._cut_off is not None:
                self._cut_off()
                await asyncio.sleep(0)  # the server takes note of it first
            self._leave()


def _has_body(scope: Scope, headers: Headers) -> bool:
    """Answer whether a body comes, or may come."""
    return (
        not scope.get("http_version", "").startswith("1.")
        or "transfer-encoding" in headers
        or headers.get("content-length", "0") != "0"
    )


def _wait(headers: Headers) -> int | None:
    """Answer how many seconds a caller prefers to wait; None if he does not say."""
    for preference in ",".join(headers.getlist("prefer")).split(","):
        text = preference.strip(" \t")
        if _PREFERS_WAIT.match(text):
            match = _WAIT.fullmatch(text)
            return None if match is None else int(match[2]) or None  # the first counts
    return None


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"A body may have at most {most} bytes. Split it into several requests."
    )


def _given_up(caller: object, request_id: str) -> Response:
    """Answer a request that is cancelled: the service ends and cannot wait longer."""
    if not (isinstance(caller, Caller) and caller.meter.sent):
        return problems.answer(
            "gateway_unavailable",
            "The service is stopping and could not wait for Odoo; nothing was changed. "
            "Ask again later.",
            request_id=request_id,
        )
    return problems.answer(
        "outcome_unknown",
        "The service is stopping and could not wait for Odoo: what you sent may or may "
        "not be done. Read the records before you send it again.",
        request_id=request_id,
    )


def _address(text: str) -> Address | None:
    """Answer an IP address in its plainest form, or None if the text is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    # A zone only means something on the machine that wrote it.
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))


def _is_in(address: Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


def _without_port(entry: str) -> str:
    """Answer an entry of X-Forwarded-For without the port that some proxies add."""
    match = _WITH_PORT.fullmatch(entry)
    return entry if match is None else match[1] or match[2]


def _name_and_port(place: str) -> tuple[str, str | None]:
    """Answer the name and the port in a Host header; an empty name if it is none."""
    match = _HOST.fullmatch(place)
    return ("", None) if match is None else (match[1].strip("[]").lower(), match[2])
