"""The command ``odooport-rest``: the REST API over your Odoo, until a signal comes."""

import asyncio
import logging
import signal
import sys
from types import FrameType
from typing import NoReturn

from odooport import OdooportError
from odooport_rest.container import Container
from odooport_rest.serving import listen, serve
from odooport_runtime.container import shutdown
from odooport_runtime.logging import configure_logging

_logger = logging.getLogger(__name__)


def main() -> None:
    """Serve the REST API until SIGINT or SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    try:
        asyncio.run(_run(Container()))
    except OdooportError as error:
        sys.exit(f"odooport-rest: {error.message}")


async def _run(container: Container) -> None:
    settings = container.settings()
    configure_logging(settings.log_level)
    if settings.sources:
        _logger.info("settings read", extra={"files": settings.sources})
    try:
        with listen(settings.host, settings.port) as listener:
            await serve(container.app(), listener)
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
