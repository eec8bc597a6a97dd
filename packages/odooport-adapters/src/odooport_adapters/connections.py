"""The connections to an Odoo: httpcore2's pool, over plain sockets where that serves.

A threaded Odoo closes the connection after every answer, so every call connects anew.
For plain HTTP the pool stands on the event loop's own socket calls, which cost less
than its usual backend. HTTPS keeps the usual one.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from typing import Any, cast

import httpcore2
import httpx2

_JOIN = 64 * 1024
"""What is written goes out together up to this size, bytes."""


class PooledTransport(httpx2.AsyncBaseTransport):
    """Sends through a pool of kept connections; its errors are httpcore2's own.

    Args:
        tls: TLS settings; None for plain HTTP.
        connections: The most connections at once.
        keep_seconds: How long an idle connection is kept.
    """

    def __init__(
        self, tls: ssl.SSLContext | None, *, connections: int, keep_seconds: float
    ) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            keepalive_expiry=keep_seconds,
            network_backend=PlainBackend() if tls is None else None,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; see ``httpx2.AsyncBaseTransport``."""
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore2.Request(
                request.method,
                httpcore2.URL(
                    scheme=url.raw_scheme,
                    host=url.raw_host,
                    port=url.port,
                    target=url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Body(answer)
        )

    async def aclose(self) -> None:
        """Close every connection; calls that are under way fail."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    """The body of an answer, as it comes."""

    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._answer.aiter_stream():
            yield part

    async def aclose(self) -> None:
        await self._answer.aclose()


class PlainBackend(httpcore2.AsyncNetworkBackend):
    """Connects over the event loop's own socket calls.

    A name with several addresses is left to the usual backend, which tries them side by
    side.
    """

    def __init__(self) -> None:
        self._usual = cast(  # checkers see what stands in for it without anyio
            "httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend()
        )

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect; see ``httpcore2.AsyncNetworkBackend``."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                found = await _addresses(loop, host, port)
                if len(found) == 1:
                    ((family, address),) = found
                    return await _connected(loop, family, address)
        except TimeoutError as exc:
            raise httpcore2.ConnectTimeout from exc
        except OSError as exc:
            raise httpcore2.ConnectError(str(exc)) from exc
        return await self._usual.connect_tcp(
            host, port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect; see ``httpcore2.AsyncNetworkBackend``."""
        return await self._usual.connect_unix_socket(path, timeout, socket_options)

    async def sleep(self, seconds: float) -> None:
        """Wait; see ``httpcore2.AsyncNetworkBackend``."""
        await self._usual.sleep(seconds)


async def _addresses(
    loop: asyncio.AbstractEventLoop, host: str, port: int
) -> list[tuple[socket.AddressFamily, Any]]:
    """Answer where a host is, each address once."""
    try:  # an address is read at once, and only a name needs the resolver's thread
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    except socket.gaierror:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((family, address) for family, *_, address in found))


async def _connected(
    loop: asyncio.AbstractEventLoop, family: socket.AddressFamily, address: Any
) -> "_PlainStream":
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(connection, address)
    except BaseException:  # cancelled, too: nobody else has this socket yet
        connection.close()
        raise
    return _PlainStream(loop, connection)


class _PlainStream(httpcore2.AsyncNetworkStream):
    """A connection that sends what was written when its answer is waited for.

    So the head and the body of a request leave together, in one packet if they fit.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, connection: socket.socket
    ) -> None:
        self._loop = loop
        self._connection = connection
        self._written = bytearray()
        self._is_busy = False
        self._is_closed = False

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's
    ) -> bytes:
        """Answer what has come, or wait for something to come."""
        if self._written:
            # whoever hangs up early may have answered before
            with suppress(httpcore2.WriteError):
                await self._send(timeout)
        try:
            return await self._run(
                self._loop.sock_recv(self._connection, max_bytes), timeout
            )
        except TimeoutError as exc:
            raise httpcore2.ReadTimeout from exc
        except OSError as exc:
            raise httpcore2.ReadError(str(exc)) from exc

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore2's
    ) -> None:
        """Take what is to be sent, and send it if it is much."""
        self._written += buffer
        if len(self._written) > _JOIN:
            await self._send(timeout)

    async def _send(self, seconds: float | None) -> None:
        data, self._written = self._written, bytearray()
        try:
            await self._run(self._loop.sock_sendall(self._connection, data), seconds)
        except TimeoutError as exc:
            raise httpcore2.WriteTimeout from exc
        except OSError as exc:
            raise httpcore2.WriteError(str(exc)) from exc

    async def _run[T](self, work: Awaitable[T], seconds: float | None) -> T:
        self._is_busy = True
        try:
            async with asyncio.timeout(seconds):
                return await work
        finally:
            self._is_busy = False
            if self._is_closed:
                self._connection.close()

    async def aclose(self) -> None:
        """Close the connection, and wake whoever waits for it."""
        self._is_closed = True
        if not self._is_busy:
            self._connection.close()
            return
        # closing it now would leave the loop waiting for it for ever
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def get_extra_info(self, info: str) -> Any:
        """Answer whether the other side has spoken unasked, or hung up."""
        if info != "is_readable":
            return None
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True  # it is broken, as the next read would tell
        return True
