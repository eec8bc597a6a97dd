"""Serving an app over HTTP until a signal comes, and stopping well then."""

import asyncio
import errno
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from odooport_runtime.draining import Drain
from odooport_runtime.front import CUT_OFF, DRAIN
from odooport_runtime.settings import Settings, SettingsError

_logger = logging.getLogger(__name__)

_BACKLOG = 2048

GRACE = 10.0
"""How many seconds what runs when the signal comes has to end, unless set otherwise."""

_LAST_SECONDS = 0.25
"""How long each last thing has: requests that are cancelled, for the answer that they
were given up; answers, to leave; and the app's own end."""

_TICK_SECONDS = 0.05
"""How often it is looked whether a second signal came."""

_LINGER_SECONDS = 30.0
"""How long the rest of an answer may wait for its reader where all else is done."""

_HEAD_BYTES = 32 * 1024
"""How much of a request's head may come before it is whole: the headers and the address
may have half of it each, which the front sees to."""

_JOINED_BYTES = 64 * 1024
"""How much of an answer is gathered before it is sent."""

HEAD_SECONDS = 10.0
"""How long the head of a request may take to become whole."""

type TlsFiles = tuple[Path, Path]
"""The PEM files with the certificate and with its key."""


def tls_files(settings: Settings) -> TlsFiles | None:
    """Answer what to serve TLS with; None for plain HTTP.

    Raises:
        SettingsError: One of both is missing, or they cannot be used.
    """
    match settings.tls_cert, settings.tls_key:
        case None, None:
            return None
        case None, _:
            raise SettingsError(
                "ODOOPORT_TLS_KEY is set and ODOOPORT_TLS_CERT is not: set both, or "
                "none to serve plain HTTP."
            )
        case _, None:
            raise SettingsError(
                "ODOOPORT_TLS_CERT is set and ODOOPORT_TLS_KEY is not: set both, or "
                "none to serve plain HTTP."
            )
        case cert, key:
            _tls_context((cert, key))
            return cert, key


def _tls_context(tls: TlsFiles) -> ssl.SSLContext:
    cert, key = tls
    for name, path in (("ODOOPORT_TLS_CERT", cert), ("ODOOPORT_TLS_KEY", key)):
        try:
            path.read_bytes()
        except OSError as exc:
            raise SettingsError(
                f"{name} names a file that cannot be read ({exc.strerror})."
            ) from exc
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, ValueError) as exc:
        raise SettingsError(
            "ODOOPORT_TLS_CERT and ODOOPORT_TLS_KEY cannot be used: they must be PEM "
            "files, the key must be that of the (first) certificate, and it must not "
            "be encrypted."
        ) from exc
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def check_workers(settings: Settings) -> None:
    """See whether so many workers would act as one.

    Raises:
        SettingsError: They would not; the message says what to set.
    """
    if settings.workers == 1:
        return
    if sys.platform == "win32":
        raise SettingsError(
            "ODOOPORT_WORKERS must be 1 on Windows, where processes cannot share a "
            "port well. Start several services behind a balancer."
        )
    if settings.redis_url is None:
        raise SettingsError(
            f"ODOOPORT_WORKERS is {settings.workers} and ODOOPORT_REDIS_URL is not "
            "set: each worker would count budgets and wrong keys for itself, and allow "
            "as much as all should together. Set ODOOPORT_REDIS_URL to a Redis, or "
            "ODOOPORT_WORKERS to 1."
        )


def listen(host: str, port: int) -> socket.socket:
    """Take a port, before anything else is set up.

    Args:
        host: The address or name to listen on.
        port: The port; 0 takes any that is free.

    Raises:
        SettingsError: It cannot be had; the message says why.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host,
            port,
            type=socket.SOCK_STREAM,
            proto=socket.IPPROTO_TCP,
            flags=socket.AI_PASSIVE,
        )[0]
        # asyncio turns Nagle's algorithm off only where the protocol is named; with it,
        # every answer would wait 40 ms for the client's delayed acknowledgement.
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise _cannot_listen(host, port, exc) from exc
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as exc:
        listener.close()
        raise _cannot_listen(host, port, exc) from exc
    return listener


def _cannot_listen(host: str, port: int, exc: OSError) -> SettingsError:
    if exc.errno == errno.EADDRINUSE:
        return SettingsError(
            f"Port {port} is in use by another program. Stop that one, or choose "
            "another port with ODOOPORT_PORT."
        )
    return SettingsError(
        f"Cannot listen on {host!r}, port {port} ({exc.strerror}). See "
        "ODOOPORT_HOST and ODOOPORT_PORT."
    )


def end_on_signals() -> None:
    """Make SIGINT and SIGTERM an end and no crash, from now on.

    While it serves, the server takes the signals itself, ends its calls and then raises
    the signal again: this is where it comes.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    del number, frame
    sys.exit(0)


class _Joining(asyncio.Transport):
    """A connection that sends together what is written in one step of the event loop.

    uvicorn writes the head and the body of an answer by themselves; each would be a
    call of the system and a packet.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._written = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take what is to be sent; much of it is sent at once."""
        if not self._written:
            self._loop.call_soon(self._flush)
        self._written += data
        if len(self._written) > _JOINED_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._written:
            written, self._written = self._written, bytearray()
            self._transport.write(written)

    def close(self) -> None:
        """Close the connection when everything is sent."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Drop the connection, with all that waits to be sent."""
        self._written.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Answer whether it is closed, or about to be."""
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        """Take nothing from the peer for now."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take what the peer sends again."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Answer what the connection knows, such as its peer's address."""
        return self._transport.get_extra_info(name, default)


class _Protocol(H11Protocol):
    """uvicorn's connection, which can be dropped whether or not its peer reads."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        state = {**app_state, CUT_OFF: self.cut_off}
        super().__init__(config, server_state, state, _loop)
        self.closed: asyncio.Future[None] = self.loop.create_future()
        self._head_is_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the head of a request, but not for ever."""
        plain = cast("asyncio.Transport", transport)  # what TCP has
        super().connection_made(_Joining(plain, self.loop))
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that has begun must become whole in time."""
        super().data_received(data)
        # Before the first request there is no cycle.
        if getattr(self.cycle, "response_complete", True):
            self._expect_head()
        elif self._head_is_due is not None:
            self._head_is_due.cancel()
            self._head_is_due = None

    def _expect_head(self) -> None:
        if self._head_is_due is None:
            self._head_is_due = self.loop.call_later(HEAD_SECONDS, self.cut_off)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is gone."""
        super().connection_lost(exc)
        if self._head_is_due is not None:
            self._head_is_due.cancel()
        if not self.closed.done():
            self.closed.set_result(None)

    def cut_off(self) -> None:
        """Drop the connection, with all that waits to be sent."""
        self.transport.abort()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; drop it if its peer does not even read the rest."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(_LINGER_SECONDS, self.cut_off)


class _Server(uvicorn.Server):
    """uvicorn's server, which lets running requests end and refuses new ones."""

    def __init__(self, config: uvicorn.Config, drain: Drain, grace: float) -> None:
        super().__init__(config)
        self._drain = drain
        self._grace = grace

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen; every request will know whether the service stops."""
        self.lifespan.state[DRAIN] = self._drain
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End well at the first signal, and at once at the second of any kind."""
        if self.should_exit:
            self.force_exit = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: uvicorn would close the door first, and then wait.

        New requests get an answer here until the last running one has ended.
        """
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._grace
        self._drain.stop()
        _logger.info("stopping", extra={"under_way": self._drain.under_way})

        def wait() -> float:
            """Answer how long to wait now before looking again; 0 for not at all."""
            left = 0.0 if self.force_exit else ends - loop.time()
            return min(_TICK_SECONDS, max(left, 0.0))

        while seconds := wait():
            if await self._drain.ended(seconds):
                break
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        # What is left now was not admitted by a front: refusals, and apps without one.
        tasks = self.server_state.tasks
        while tasks and (seconds := wait()):
            await asyncio.wait(list(tasks), timeout=seconds)
        given_up = len(tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(list(tasks), timeout=_LAST_SECONDS)
        await self._close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self.lifespan.shutdown()
        _logger.info("stopped", extra={"given_up": given_up})

    async def _close(self) -> None:
        """Let the last answers leave, and drop what nobody reads."""
        connections: list[_Protocol] = [
            connection
            for connection in self.server_state.connections
            if isinstance(connection, _Protocol)
        ]
        for connection in connections:
            connection.shutdown()
        if connections:
            leaving = [connection.closed for connection in connections]
            await asyncio.wait(leaving, timeout=_LAST_SECONDS)
        for connection in connections:
            connection.cut_off()


def server_of(
    app: ASGIApp,
    *,
    tls: TlsFiles | None = None,
    drain: Drain | None = None,
    grace: float = GRACE,
) -> uvicorn.Server:
    """Answer a server for an app, with the limits that every service has.

    Args:
        app: What to serve; its lifespan is run if it has one.
        tls: What to serve TLS with; see ``tls_files``.
        drain: Counts what is under way; one of its own unless told.
        grace: How many seconds running requests have to end when it stops.

    Raises:
        SettingsError: TLS cannot be served with these files.
    """
    context = None if tls is None else _tls_context(tls)

    def with_tls(
        config: uvicorn.Config, default: Callable[[], ssl.SSLContext]
    ) -> ssl.SSLContext:
        del config
        return context or default()

    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        h11_max_incomplete_event_size=_HEAD_BYTES,
        ssl_context_factory=None if context is None else with_tls,
        log_config=None,
        access_log=False,  # the app's own line has the request id
        server_header=False,
        proxy_headers=False,  # the front reads them, as far as they are to be believed
    )
    return _Server(config, drain or Drain(), grace)


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    tls: TlsFiles | None = None,
    files: Sequence[str] = (),
    drain: Drain | None = None,
    grace: float = GRACE,
    event: str = "listening",
) -> None:
    """Serve an app until SIGINT or SIGTERM; let running requests end.

    New ones are refused meanwhile. A second signal ends at once. Afterwards the signal
    is raised again, for the handler that was there before.

    Args:
        app: What to serve; its lifespan is run if it has one.
        listener: Where; see ``listen``.
        tls: What to serve TLS with; see ``tls_files``.
        files: The files that settings were read from, for the log.
        drain: Counts what is under way; one of its own unless told.
        grace: How many seconds running requests have to end.
        event: What the log calls it when it begins.

    Raises:
        SettingsError: TLS cannot be served with these files.
    """
    server = server_of(app, tls=tls, drain=drain, grace=grace)
    host, port = listener.getsockname()[:2]
    _logger.info(event, extra={"host": host, "port": port, "files": list(files)})
    await server.serve(sockets=[listener])
