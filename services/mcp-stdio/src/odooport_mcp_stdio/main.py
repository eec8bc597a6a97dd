"""The command ``odooport-mcp-stdio``: MCP for the program that started it."""

import asyncio
import logging
import os
import signal
import sys
from contextlib import suppress

from odooport import OdooportError
from odooport_mcp_stdio.container import Container
from odooport_runtime.container import shutdown
from odooport_runtime.logging import configure_logging

_GRACE_SECONDS = 0.5
"""How long calls that run when a signal comes may take to be cancelled."""

_logger = logging.getLogger(__name__)


def main() -> None:
    """Serve MCP over stdin and stdout until stdin closes, or SIGINT or SIGTERM."""
    try:
        asyncio.run(_run(Container()))
    except OdooportError as error:
        sys.stderr.write(f"odooport-mcp-stdio: {error.message}\n")
        sys.exit(2)


async def _run(container: Container) -> None:
    settings = container.settings()
    configure_logging(settings.log_level)
    server = container.server()
    _logger.info("serving", extra={"role": settings.role, "files": settings.sources})
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: the client just ends us
            asyncio.get_running_loop().add_signal_handler(number, told.set)
    serving = asyncio.create_task(server.run_stdio_async())
    waiting = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if told.is_set():
            serving.cancel()
            await asyncio.wait({serving}, timeout=_GRACE_SECONDS)
    finally:
        waiting.cancel()
        await shutdown(container)
    if not serving.done():
        # A thread still waits for a line on stdin, and nothing can wake it.
        logging.shutdown()
        os._exit(0)
    try:
        await serving
    except* BrokenPipeError:
        # The client is gone; nobody is there to read an answer.
        _logger.info("the client went away")


if __name__ == "__main__":
    main()
