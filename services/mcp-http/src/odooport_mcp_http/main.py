"""The command ``odooport-mcp-http``: MCP over HTTP, until a signal comes."""

import asyncio
import logging
import signal
import sys
from types import FrameType
from typing import NoReturn

import uvicorn

from odooport import OdooportError
from odooport_mcp_http.container import Container
from odooport_runtime.container import shutdown
from odooport_runtime.logging import configure_logging

_logger = logging.getLogger(__name__)

_GRACE_SECONDS = 10
"""How long calls that run when the signal comes may take to end."""


def main() -> None:
    """Serve MCP over HTTP until SIGINT or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    try:
        asyncio.run(_run(Container()))
    except OdooportError as error:
        sys.stderr.write(f"odooport-mcp-http: {error.message}\n")
        sys.exit(2)


async def _run(container: Container) -> None:
    settings = container.settings()
    configure_logging(settings.log_level)
    try:
        config = uvicorn.Config(
            container.app(),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,  # the gate's own line says more
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        listener = config.bind_socket()
        listener.listen(config.backlog)  # whoever reads the next line may connect
        host, port = listener.getsockname()[:2]
        _logger.info(
            "listening", extra={"host": host, "port": port, "files": settings.sources}
        )
        await uvicorn.Server(config).serve(sockets=[listener])
    finally:
        await shutdown(container)


def _leave(number: int, frame: FrameType | None) -> NoReturn:
    """End without an error: while it serves, the server takes the signals itself.

    It raises them again when it has ended, which must be no crash.
    """
    del number, frame
    sys.exit(0)


if __name__ == "__main__":
    main()
