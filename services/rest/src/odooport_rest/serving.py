"""Serving an app over HTTP until a signal comes."""

import errno
import logging
import socket

import uvicorn
from starlette.types import ASGIApp

from odooport_runtime.settings import SettingsError

_logger = logging.getLogger(__name__)

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
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"Port {port} is in use by another program. Stop that one, or choose "
                "another port with ODOOPORT_PORT."
            ) from exc
        raise SettingsError(
            f"Cannot listen on {host!r}, port {port} ({exc.strerror}). See "
            "ODOOPORT_HOST and ODOOPORT_PORT."
        ) from exc


async def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve an app until SIGINT or SIGTERM; let running calls end.

    Afterwards the signal is raised again, for the handler that was there before.

    Args:
        app: What to serve; its lifespan is run if it has one.
        listener: Where; see ``listen``.
    """
    host, port = listener.getsockname()[:2]
    _logger.info("listening", extra={"host": host, "port": port})
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,  # the app's own line has the request id
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    await uvicorn.Server(config).serve(sockets=[listener])
