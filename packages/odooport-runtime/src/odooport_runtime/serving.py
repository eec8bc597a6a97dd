"""Serving an app over HTTP until a signal comes."""

import errno
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import uvicorn
from starlette.types import ASGIApp

from odooport_runtime.settings import SettingsError

_logger = logging.getLogger(__name__)

_BACKLOG = 2048

_GRACE_SECONDS = 10
"""How long calls that run when the signal comes may take to end."""


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


async def serve(
    app: ASGIApp, listener: socket.socket, *, files: Sequence[str] = ()
) -> None:
    """Serve an app until SIGINT or SIGTERM; let running calls end.

    Afterwards the signal is raised again, for the handler that was there before.

    Args:
        app: What to serve; its lifespan is run if it has one.
        listener: Where; see ``listen``.
        files: The files that settings were read from, for the log.
    """
    host, port = listener.getsockname()[:2]
    _logger.info("listening", extra={"host": host, "port": port, "files": list(files)})
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # the app's own line has the request id
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    await _Server(config).serve(sockets=[listener])
