"""Serving MCP over stdin and stdout until stdin closes or a signal comes."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

from odooport import Credentials, Gate, OdooportError
from odooport.model import DEFAULT_INSTANCE
from odooport_mcp_stdio.container import Container
from odooport_runtime.container import shutdown
from odooport_runtime.draining import Drain
from odooport_runtime.logging import configure_logging

_LAST_SECONDS = 0.5
"""How long calls that are given up may take to be cancelled."""

_LEAVING_SECONDS = 0.1
"""How long the last answer has to get from the tool to stdout."""

_TICK_SECONDS = 0.05
"""How often it is looked whether a second signal came, or the client went away."""

_logger = logging.getLogger(__name__)


async def serve(container: Container) -> None:
    """Serve until stdin closes, or SIGINT or SIGTERM.

    Odoo takes a quarter of a second to check a password. It does so while the rest of
    this process is loaded.

    At a signal running calls may end, and new ones are refused; a second signal ends at
    once. When stdin closes, running calls are cancelled: nobody is left to read what
    they answer, and clients kill a server that does not end soon. The audit keeps of a
    write that was sent that its outcome is not known.
    """
    settings = container.settings()
    configure_logging(settings.log_level)
    login = asyncio.create_task(_log_in(container.gate(), container.credentials()))
    server = await asyncio.to_thread(container.server)
    gc.freeze()
    gc.enable()
    _logger.info("serving", extra={"role": settings.role, "files": settings.sources})
    signals: list[int] = []
    told = asyncio.Event()

    def note(number: int) -> None:
        signals.append(number)
        told.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: the client just ends us
            asyncio.get_running_loop().add_signal_handler(number, note, number)
    serving = asyncio.create_task(server.run_stdio_async())
    waiting = asyncio.create_task(told.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if signals:
            await _drain(
                container.drain(),
                settings.grace,
                lambda: len(signals) > 1 or serving.done(),
            )
            serving.cancel()
            await asyncio.wait({serving}, timeout=_LAST_SECONDS)
    finally:
        waiting.cancel()
        login.cancel()
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


async def _log_in(gate: Gate, logins: Mapping[str, Credentials]) -> None:
    """Log in before anybody asks; the first request waits for it, or logs in anew."""
    if (login := logins.get(DEFAULT_INSTANCE)) is None:
        return  # whoever has named instances alone asks for one of them
    try:
        await gate.sessions.get(login)
    except OdooportError as error:  # whoever asks is told
        _logger.info("not logged in yet", extra={"code": error.code})


async def _drain(drain: Drain, grace: float, over: Callable[[], bool]) -> None:
    """Let running calls end, until it is over or their time is up."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + grace
    drain.stop()
    _logger.info("stopping", extra={"under_way": drain.under_way})
    if drain.under_way:
        while not over() and (left := ends - loop.time()) > 0:
            if await drain.ended(min(_TICK_SECONDS, left)):
                await asyncio.sleep(_LEAVING_SECONDS)
                break
    _logger.info("stopped", extra={"given_up": drain.under_way})
