"""The log: structlog on stderr, for the records of every library too.

The domain library writes plain ``logging`` records with ``extra=``; here they become
one line each, for people on a terminal and JSON otherwise.
"""

import logging
import sys
from typing import TextIO

import structlog

_QUIET = ("httpcore2", "httpx2", "mcp", "uvicorn.access", "uvicorn.error")
"""Loggers whose chatter our own lines say better; some of it tells addresses that are
nobody's business."""


def configure_logging(
    level: str = "info",
    *,
    stream: TextIO | None = None,
    is_tty: bool | None = None,
    worker: int | None = None,
) -> None:
    """Send every log record to one stream, in one form.

    For ``main`` modules alone. Calling it again replaces what was there.

    Args:
        level: The least serious level to show: debug, info, warning or error.
        stream: Where to write; stderr unless told.
        is_tty: Whether people read along; asks the stream unless told.
        worker: The number of this process among several; every line has it then.
    """
    out = sys.stderr if stream is None else stream
    human = out.isatty() if is_tty is None else is_tty
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    if worker is not None:
        shared.insert(0, _numbered(worker))
    if human:
        renderer: list[structlog.typing.Processor] = [
            # The default shows the local variables of a crash: secrets among them.
            structlog.dev.ConsoleRenderer(
                exception_formatter=structlog.dev.plain_traceback
            )
        ]
    else:
        renderer = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_colours,
                *renderer,
            ],
        )
    )
    # structlog's own default prints to stdout, which belongs to the stdio protocol.
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared[:-1],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _numbered(worker: int) -> structlog.typing.Processor:
    """Answer what puts the number of a worker into each line."""

    def add(
        logger: structlog.typing.WrappedLogger,
        name: str,
        event: structlog.typing.EventDict,
    ) -> structlog.typing.EventDict:
        del logger, name
        event["worker"] = worker
        return event

    return add


def _without_colours(
    logger: structlog.typing.WrappedLogger,
    name: str,
    event: structlog.typing.EventDict,
) -> structlog.typing.EventDict:
    """Drop uvicorn's second copy of a message, the one for its own colours."""
    del logger, name
    event.pop("color_message", None)
    return event
