"""W3C trace context, carried from a request through event headers to the batch that handles it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace
from starlette.types import ASGIApp, Receive, Scope, Send

HEADER: Final = "traceparent"
_SHAPE: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")
_current: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)


def current_traceparent() -> str | None:
    """The trace in whose name the code runs: an OpenTelemetry span when one is active, else the header
    that came in; None outside of any."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
    return _current.get()


def kafka_headers() -> list[tuple[str, bytes]]:
    """Headers for a record written now."""
    traceparent = current_traceparent()
    return [(HEADER, traceparent.encode())] if traceparent else []


@contextmanager
def use_headers(headers: Iterable[tuple[str, bytes]]) -> Iterator[None]:
    """Inside, the trace is the one the headers name (a new one when they name none)."""
    given = next((value for name, value in headers if name == HEADER), None)
    token = _current.set(_child(given))
    try:
        yield
    finally:
        _current.reset(token)


def _child(parent: bytes | None) -> str:
    """A span of our own below `parent`; a malformed or missing parent starts a trace (W3C, 3.2.2)."""
    if parent is not None and _SHAPE.match(parent):
        return f"{parent[:36].decode()}{os.urandom(8).hex()}{parent[-3:].decode()}"
    drawn = os.urandom(24).hex()
    return f"00-{drawn[:32]}-{drawn[32:]}-00"


class TraceMiddleware:
    """Pure ASGI: puts every request under the caller's trace, or under a new one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            parent = None
            for name, value in scope["headers"]:
                if name == b"traceparent":
                    parent = value
            _current.set(_child(parent))
        await self._app(scope, receive, send)
