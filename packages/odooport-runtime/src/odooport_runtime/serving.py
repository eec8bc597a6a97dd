"""Serving an app over HTTP until a signal comes."""

import errno
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import uvicorn
from starlette.types import ASGIApp

from odooport_runtime.settings import Settings, SettingsError

_logger = logging.getLogger(__name__)

_BACKLOG = 2048

_GRACE_SECONDS = 10
"""How long calls that run when the signal comes may take to end."""

_HEAD_BYTES = 32 * 1024
"""How much of a request's head may come before it is whole: the headers and the address
may have half of it each, which the front sees to."""

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


class _Server(uvicorn.Server):
    """uvicorn's server, which also says when it begins to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _logger.info("stopping")
        await super().shutdown(sockets)


def server_of(app: ASGIApp, *, tls: TlsFiles | None = None) -> uvicorn.Server:
    """Answer a server for an app, with the limits that every service has.

    Args:
        app: What to serve; its lifespan is run if it has one.
        tls: What to serve TLS with; see ``tls_files``.

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
        http="h11",
        ws="none",
        h11_max_incomplete_event_size=_HEAD_BYTES,
        ssl_context_factory=None if context is None else with_tls,
        log_config=None,
        access_log=False,  # the app's own line has the request id
        server_header=False,
        proxy_headers=False,  # the front reads them, as far as they are to be believed
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return _Server(config)


async def serve(
    app: ASGIApp,
    listener: socket.socket,
    *,
    tls: TlsFiles | None = None,
    files: Sequence[str] = (),
) -> None:
    """Serve an app until SIGINT or SIGTERM; let running calls end.

    Afterwards the signal is raised again, for the handler that was there before.

    Args:
        app: What to serve; its lifespan is run if it has one.
        listener: Where; see ``listen``.
        tls: What to serve TLS with; see ``tls_files``.
        files: The files that settings were read from, for the log.

    Raises:
        SettingsError: TLS cannot be served with these files.
    """
    server = server_of(app, tls=tls)
    host, port = listener.getsockname()[:2]
    _logger.info("listening", extra={"host": host, "port": port, "files": list(files)})
    await server.serve(sockets=[listener])
