"""One pooled HTTP client for Odoo, which sends every request exactly once.

The wires hand it bytes and get bytes back. It alone knows whether a request had left
when something broke, so it alone decides between "not executed" and "nobody knows".
"""

import asyncio
import re
import socket
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, cast

import httpcore2
import httpx2

from odooport.deadlines import left
from odooport.errors import (
    GatewayError,
    GatewayProtocolError,
    GatewayUnavailable,
    InvalidRequest,
    OutcomeUnknown,
)
from odooport_adapters.connections import PooledTransport

_MIB = 1024 * 1024
_OK = 200

_HOST = re.compile(r"([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?|[0-9a-f]*:[0-9a-f:.]+")
"""A host name in ASCII, or an address; anything else breaks the resolver."""

_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Accept": "*/*",
        "Accept-Encoding": "gzip",
        "Connection": "keep-alive",
        "User-Agent": "odooport",
    }
)

_PATHS = 256
"""How many paths are kept parsed; the three older wires have six."""

_KEEP_ALIVE_SECONDS = 5.0
"""How long an idle connection is kept: less than any usual server keeps it."""

_TIMEOUTS = (TimeoutError, httpcore2.TimeoutException, httpx2.TimeoutException)
_BROKEN = (
    *(OSError, httpx2.HTTPError, httpx2.StreamError),
    *(httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException),
)
"""What our own transport raises, and what another one may."""

_NEVER_REACHED_ODOO = frozenset(
    {400, 401, 404, 405, 407, 411, 413, 414, 415, 417, 421, 426, 429, 431}
)
"""Client errors that are answered before a call is run, besides every redirect."""

_TRY_LATER = frozenset({429, 502, 503, 504})
_IS_DOWN = frozenset({502, 503, 504})
"""What a proxy answers when there is no Odoo behind it."""

_PATIENCE = 10.0
"""Whoever gives a request less time than these seconds learns nothing about Odoo from
its end."""

_BUSY_SECONDS = 1.0

_STATUS_HINTS: Mapping[int, str] = MappingProxyType(
    {
        401: "something in front of Odoo asks for a login of its own",
        403: "something in front of Odoo refuses this request",
        404: "there is no such service; check that the address is Odoo's own",
        405: "there is no such service; check that the address is Odoo's own",
        413: "the request is too large for it; send fewer records at a time",
        429: "it wants fewer requests; try again later",
        500: "Odoo or something in front of it crashed; its own log has the cause",
        502: "Odoo is down or starting behind it; try again later",
        503: "Odoo is down or starting behind it; try again later",
        504: "Odoo did not answer it in time; ask for less, or try again later",
    }
)

_CERTIFICATE_FAULTS: Mapping[int, str] = MappingProxyType(
    {
        9: "is not valid yet",
        10: "has expired",
        62: "is for another host name",
        64: "is for another address",
    }
)
"""OpenSSL's verification codes, as far as they deserve words of their own."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What one Odoo may cost us.

    Attributes:
        connections: The most connections at once; further calls wait for one.
        connect_seconds: How long connecting may take, and waiting for a free
            connection.
        read_seconds: How long Odoo may be silent; it is silent while it works.
        call_seconds: How long one call may take in all.
        answer_bytes: The largest answer that is read.
    """

    connections: int = 64
    connect_seconds: float = 10.0
    read_seconds: float = 120.0
    call_seconds: float = 150.0
    answer_bytes: int = 64 * _MIB


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer, whatever it says.

    Attributes:
        status: The HTTP status.
        is_data: Whether its content type is one that was asked for.
        body: What it holds; empty if it is no data.
        cookies: The values of its headers ``Set-Cookie``.
    """

    status: int
    is_data: bool
    body: bytes
    cookies: Sequence[str] = field(default=(), repr=False)


def tls_context(
    *, ca_bundle: Path | None = None, verify: bool = True
) -> ssl.SSLContext:
    """Make the TLS settings for an Odoo.

    Args:
        ca_bundle: A PEM file of the authorities to trust in place of the system's.
        verify: False accepts any certificate; only for tests on one's own machine.

    Raises:
        InvalidRequest: The bundle cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except OSError as exc:
        raise InvalidRequest(
            "The CA bundle cannot be read: give a file of certificates in PEM form."
        ) from exc
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class OdooHttp:
    """The pooled keep-alive client of one Odoo server.

    Use it as a context manager, or close it with ``aclose``. The environment (proxy
    variables, ``.netrc``) is not looked at, because only the settings may decide where
    a secret is sent. Cookies are dropped, because the calls of many users share the
    connections. Redirects are not followed: Odoo answers unknown paths with one to its
    login page.

    Args:
        address: The base address of Odoo, such as ``https://odoo.example.com``.
        limits: What a call may cost.
        tls: TLS settings, from ``tls_context``; the default verifies.
        transport: Send through this instead of the network: an application in the
            same process, or a test's own.

    Raises:
        InvalidRequest: The address is not one.
    """

    def __init__(
        self,
        address: str,
        *,
        limits: HttpLimits = HttpLimits(),
        tls: ssl.SSLContext | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._limits = limits
        self._on_network = transport is None
        self._address = _parse_address(address)
        if tls is None and self._address.scheme == "https":
            tls = tls_context()
        self._transport = transport or PooledTransport(
            tls if self._address.scheme == "https" else None,
            connections=limits.connections,
            keep_seconds=_KEEP_ALIVE_SECONDS,
        )
        self._is_closed = False
        self._urls = lru_cache(_PATHS)(self._url)  # parsing one takes a while
        self._timeout = httpx2.Timeout(
            limits.read_seconds,
            connect=limits.connect_seconds,
            pool=limits.connect_seconds,
        ).as_dict()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; calls that are under way fail."""
        self._is_closed = True
        await self._transport.aclose()

    async def post(
        self,
        path: str,
        body: bytes,
        content_type: str,
        *,
        accept: frozenset[str],
        writes: bool,
        cookies: str = "",
    ) -> HttpAnswer:
        """Send one request, once, and answer what Odoo answers.

        The pool underneath tries again only while it has no connection yet; it never
        sends a request a second time.

        Args:
            path: Where to, below the address, such as ``/jsonrpc``.
            body: What to send.
            content_type: What the body is.
            accept: The content types that Odoo's answers have on this wire.
            writes: Whether the call may change anything: then a lost answer is an
                ``OutcomeUnknown``.
            cookies: The value of the header ``Cookie``; none is sent unless given.

        Raises:
            GatewayUnavailable: Not sent, or not executed, or a read that may be
                repeated.
            OutcomeUnknown: A write was sent and its answer did not arrive.
            GatewayProtocolError: A read was answered by something that is no Odoo.
        """

        def judge(response: httpx2.Response) -> bool:
            _check_status(response.status_code, writes=writes)
            if not _is_data(response, accept):
                raise _page(writes=writes)
            return True

        headers = {"Content-Type": content_type}
        if cookies:
            headers["Cookie"] = cookies
        return await self._send(path, body, headers, judge, writes=writes)

    async def exchange(
        self,
        path: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        accept: frozenset[str],
        writes: bool,
    ) -> HttpAnswer:
        """Send one request, once, and answer whatever comes, for JSON-2.

        Args:
            path: Where to, below the address, such as ``/json/version``.
            body: What to post; None gets.
            headers: More headers.
            accept: The content types of answers whose body is to be read.
            writes: As for ``post``.

        Raises:
            GatewayError: As for ``post``, but not for a status or a page.
        """
        return await self._send(
            path,
            body,
            headers,
            lambda response: _is_data(response, accept),
            writes=writes,
        )

    async def _send(
        self,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        judge: Callable[[httpx2.Response], bool],
        *,
        writes: bool,
    ) -> HttpAnswer:
        if self._is_closed:
            raise GatewayUnavailable("The connection to Odoo is closed already.")
        allowed, rest = self._limits.call_seconds, left()
        seconds = allowed if rest is None else min(allowed, rest)
        if seconds <= 0:
            raise GatewayUnavailable(
                "The time that this request has is used up. Nothing was sent; ask for "
                "less, or give it more time."
            )
        is_long = seconds >= min(allowed, _PATIENCE)
        sent = not self._on_network  # nothing reports from another transport

        async def watch(event: str, _: Any) -> None:
            nonlocal sent
            sent = sent or event.endswith(".send_request_headers.started")

        request = httpx2.Request(
            "GET" if body is None else "POST",
            self._urls(path),
            content=body,
            headers={**_HEADERS, **headers},
            extensions={"timeout": self._timeout, "trace": watch},
        )
        try:
            async with asyncio.timeout(seconds):
                response = await self._transport.handle_async_request(request)
                try:
                    is_data = judge(response)
                    return HttpAnswer(
                        response.status_code,
                        is_data,
                        await self._read(response, writes=writes) if is_data else b"",
                        response.headers.get_list("Set-Cookie"),
                    )
                finally:
                    await response.aclose()
        except _BROKEN as exc:
            if not sent:
                error: GatewayError = _not_reached(exc)
            elif isinstance(exc, _TIMEOUTS):
                error = _lost("Odoo did not answer in time.", writes=writes)
                error.down = True
            else:
                error = _lost(
                    "The connection to Odoo broke before its answer was complete.",
                    writes=writes,
                )
                error.down = True
            if isinstance(exc, TimeoutError) and not is_long:
                error.down = False
            raise error from exc

    def _url(self, path: str) -> httpx2.URL:
        """Answer where a path below the address is."""
        base = self._address.raw_path.rstrip(b"/")
        return self._address.copy_with(raw_path=base + path.encode())

    async def _read(self, response: httpx2.Response, *, writes: bool) -> bytes:
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        try:
            body = _Body(encoding, self._limits.answer_bytes)
            async for raw in response.aiter_raw():
                body.add(raw)
            return body.whole()
        except (_BodyError, zlib.error) as exc:
            what = str(exc) if isinstance(exc, _BodyError) else _NO_GZIP
            raise unreadable(what, writes=writes) from exc


_NO_GZIP = "Odoo's answer is not the gzip data that it claims to be."


class _BodyError(Exception):
    """A body that is not taken; its text is one sentence for the caller."""


class _Body:
    """A body, unpacked as it comes and never larger than allowed.

    The HTTP client would unpack it as well, but without a bound: a few bytes can
    become gigabytes.
    """

    def __init__(self, encoding: str, most: int) -> None:
        if encoding not in ("identity", "gzip"):
            raise _BodyError(
                "Odoo's address answered in a compression that nobody asked for."
            )
        self._most = most
        self._left = most
        self._parts: list[bytes] = []
        self._gunzip = (
            zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
            if encoding == "gzip"
            else None
        )

    def add(self, raw: bytes) -> None:
        part = raw
        if self._gunzip is not None:
            part = self._gunzip.decompress(raw, self._left + 1)
        self._left -= len(part)
        if self._left < 0:
            raise _BodyError(
                f"Odoo's answer is larger than {self._most} bytes; ask for fewer "
                "records or fields at a time."
            )
        self._parts.append(part)

    def whole(self) -> bytes:
        if self._gunzip is not None and not self._gunzip.eof:
            raise _BodyError("Odoo's answer breaks off.")
        return b"".join(self._parts)


def unreadable(what: str, *, writes: bool) -> GatewayError:
    """Make the error for an answer that came and makes no sense.

    Args:
        what: One sentence about the answer.
        writes: Whether the call may have changed something.
    """
    if writes:
        return OutcomeUnknown(f"{what} {_UNKNOWN}")
    return GatewayProtocolError(what)


def not_executed(what: str, *, writes: bool) -> GatewayError:
    """Make the error for an answer that proves that Odoo did not run the call.

    Args:
        what: One sentence about the answer.
        writes: Whether the call would have changed something.
    """
    if writes:
        return GatewayUnavailable(f"{what} Nothing was done.")
    return GatewayProtocolError(what)


_UNKNOWN = "The call may or may not have been done: check before you ask for it again."


def _lost(what: str, *, writes: bool) -> GatewayError:
    if writes:
        return OutcomeUnknown(f"{what} {_UNKNOWN}")
    return GatewayUnavailable(f"{what} Try again, or ask for less.")


def _parse_address(address: str) -> httpx2.URL:
    wrong = InvalidRequest(
        "The address of Odoo must be like 'https://odoo.example.com': http or https, "
        "a host, no login and no query."
    )
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL as exc:
        raise wrong from exc
    if (
        url.scheme not in ("http", "https")
        or _HOST.fullmatch(url.raw_host.decode()) is None
        or url.userinfo
        or url.query
        or url.fragment
    ):
        raise wrong
    return url


def _check_status(status: int, *, writes: bool) -> None:
    if status == _OK:
        return
    error = _wrong_status(status, writes=writes)
    error.down = status in _IS_DOWN
    raise error


def _wrong_status(status: int, *, writes: bool) -> GatewayError:
    hint = _STATUS_HINTS.get(status, "that is not what Odoo answers to a call")
    if httpx2.codes.is_redirect(status):
        hint = "it redirects elsewhere; give the address that it leads to"
    what = f"Odoo's address answered with HTTP status {status}: {hint}."
    if writes and (httpx2.codes.is_redirect(status) or status in _NEVER_REACHED_ODOO):
        return not_executed(what, writes=writes)
    if not writes and status in _TRY_LATER:
        return GatewayUnavailable(what)
    return unreadable(what, writes=writes)


def refused(answer: HttpAnswer, *, writes: bool) -> GatewayError:
    """Make the error for an answer that is not one of Odoo's.

    Args:
        answer: What came.
        writes: Whether the call may have changed something.
    """
    try:
        _check_status(answer.status, writes=writes)
    except GatewayError as error:
        return error
    return _page(writes=writes)


def _is_data(response: httpx2.Response, accept: frozenset[str]) -> bool:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind in accept


def _page(*, writes: bool) -> GatewayError:
    return unreadable(
        "Odoo's address answered with a page and not with data; check that the "
        "address is Odoo's own, and what stands in front of it.",
        writes=writes,
    )


def _not_reached(exc: Exception) -> GatewayUnavailable:
    """Make the error for a request that never left."""
    if isinstance(exc, httpx2.PoolTimeout | httpcore2.PoolTimeout):
        return GatewayUnavailable(
            "All connections to Odoo are busy. Nothing was sent; try again later.",
            retry_after=_BUSY_SECONDS,
        )
    for cause in _causes(exc):
        if isinstance(cause, ssl.SSLCertVerificationError):
            fault = _CERTIFICATE_FAULTS.get(
                cause.verify_code, "comes from an authority that is not trusted here"
            )
            return GatewayUnavailable(
                f"Odoo's TLS certificate {fault}. Nothing was sent; correct the "
                "address or the certificate, or give a CA bundle to trust."
            )
        if isinstance(cause, ssl.SSLError):
            return GatewayUnavailable(
                "Odoo's address does not speak TLS as expected. Nothing was sent; "
                "check whether it is https or http, and the port."
            )
    error = GatewayUnavailable(_why_not_reached(exc))
    error.down = True
    return error


def _why_not_reached(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror):
            return (
                "The host name of Odoo's address is not known. Nothing was sent; "
                "check the address."
            )
        if isinstance(cause, ConnectionRefusedError):
            return (
                "Nothing listens at Odoo's address. Nothing was sent; check the "
                "address and the port, and whether Odoo runs."
            )
    if isinstance(error, _TIMEOUTS):
        return (
            "Odoo's address does not answer. Nothing was sent; check the address, "
            "and whether a firewall stands between."
        )
    return "Odoo cannot be reached. Nothing was sent; check the address and try again."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Answer an error and everything that led to it."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            group = cast("BaseExceptionGroup[BaseException]", error)  # of anything
            for part in group.exceptions:
                yield from _causes(part)
        error = error.__cause__ or error.__context__
