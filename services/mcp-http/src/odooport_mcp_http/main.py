"""The command ``odooport-mcp-http``: MCP over HTTP, until a signal comes."""

import asyncio
import socket
import sys

from odooport import OdooportError
from odooport_mcp_http.container import Container
from odooport_runtime.container import shutdown
from odooport_runtime.logging import configure_logging
from odooport_runtime.serving import (
    check_workers,
    end_on_signals,
    listen,
    serve,
    tls_files,
)
from odooport_runtime.settings import Settings


def main() -> None:
    """Serve MCP over HTTP until SIGINT or SIGTERM."""
    end_on_signals()
    try:
        container = Container()
        settings = container.settings()
        check_workers(settings)
        configure_logging(settings.log_level)
        if settings.workers == 1:
            asyncio.run(_run(container))
        else:
            _supervise(container)
    except OdooportError as error:
        _complain(error)


def _complain(error: OdooportError) -> None:
    sys.stderr.write(f"odooport-mcp-http: {error.message}\n")
    sys.exit(2)


async def _run(container: Container, shared: socket.socket | None = None) -> None:
    """Serve; a worker does at what it shares with others."""
    settings = container.settings()
    try:
        tls = tls_files(settings)
        with shared or listen(settings.host, settings.port) as listener:
            await serve(
                container.app(),
                listener,
                tls=tls,
                files=settings.sources,
                drain=container.drain(),
                grace=settings.grace,
                event="serving" if shared else "listening",
            )
    finally:
        await shutdown(container)


def _supervise(container: Container) -> None:
    from odooport_runtime.workers import supervise  # few services need it

    asyncio.run(_check(container))
    settings = container.settings()
    with listen(settings.host, settings.port) as listener:
        supervise(_work, settings, listener)


async def _check(container: Container) -> None:
    """Build all of it, so that what is wrong is said once, and not by each worker."""
    try:
        tls_files(container.settings())
        container.app()
    finally:
        await shutdown(container)


def _work(settings: Settings, listener: socket.socket, number: int) -> None:
    """Serve as one of several processes."""
    end_on_signals()
    configure_logging(settings.log_level, worker=number)
    try:
        container = Container(settings=settings)
        asyncio.run(_run(container, listener))
    except OdooportError as error:
        _complain(error)


if __name__ == "__main__":
    main()
