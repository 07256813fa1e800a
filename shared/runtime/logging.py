"""Logs: one JSON object (or line of text) per event on standard error; never personal data.

Exceptions are logged as type and places in the code. Their messages are left out unless they come from
the operating system or from Kafka, because a driver's message quotes the row it failed on.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from shared.runtime.tracing import current_traceparent

MAX_FRAMES = 12
_QUIET = {"asyncio": logging.WARNING, "sqlalchemy": logging.WARNING, "alembic": logging.WARNING}
_QUIET |= {"aiokafka": logging.WARNING, "uvicorn.access": logging.CRITICAL, "httpx": logging.WARNING}
# These write addresses and headers of receivers when they are asked to debug.
_QUIET |= dict.fromkeys(("httpcore", "requests", "urllib3"), logging.WARNING)
_QUIET["apprise"] = logging.CRITICAL  # quotes a URL that it cannot read, token and all


def configure_logging(
    service: str,
    level: str = "info",
    fmt: Literal["json", "text"] = "json",
    stream: TextIO | None = None,
) -> None:
    """Once per process; libraries that use the standard library's logging come out the same way."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _add_context(service),
        describe_exception,
    ]
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if fmt == "json"
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_no_traceback)
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _add_context(service: str) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        traceparent = current_traceparent()
        if traceparent:
            event["trace"] = traceparent.split("-")[1]
        return event

    return add


def describe_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """`exc_info` as `error`, `sqlstate` and `frames`; a text message only where it names no customer."""
    info = event.pop("exc_info", None)
    if not info:
        return event
    error = (
        info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else sys.exc_info()[1]
    )
    if error is not None:
        event.update(summary_of(error))
    return event


def summary_of(error: BaseException) -> dict[str, Any]:
    """What may be logged of an exception."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    summary: dict[str, Any] = {
        "error": f"{type(error).__module__}.{type(error).__qualname__}",
        "frames": [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if sqlstate := getattr(error, "sqlstate", None):
        summary["sqlstate"] = sqlstate
    if isinstance(error, OSError):
        summary["why"] = error.strerror or type(error).__name__
    elif type(error).__module__.startswith(("aiokafka.", "shared.bus.", "shared.parts.")):
        summary["why"] = str(error)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        summary["because"] = f"{type(cause).__module__}.{type(cause).__qualname__}"
    return summary


def _no_traceback(_: TextIO, __: object) -> None:
    """Tracebacks never reach the text renderer; see `describe_exception`."""
