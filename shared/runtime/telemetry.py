"""The outermost middleware: time and status of every request, and the net below every endpoint."""

from __future__ import annotations

import time

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.errors import to_problem
from shared.runtime.metrics import histogram
from shared.runtime.problem import ProblemCode

log = structlog.get_logger()

SLOW_S = 1.0
_requests = histogram(
    "http_request_seconds", "Time to the beginning of an answer.", ("method", "route", "status")
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class TelemetryMiddleware:
    """Pure ASGI. Logs failures and slow answers only, by route, never with query strings or bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._series: dict[tuple[str, str, int], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        answered: float | None = None
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status, answered
            if message["type"] == "http.response.start":
                status, answered = message["status"], time.perf_counter()
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            problem = to_problem(error)
            if problem.code is ProblemCode.internal:
                log.error("request failed", method=scope["method"], route=_route(scope), exc_info=error)
            if status == 0:
                await problem(scope, receive, watch)
        finally:
            self._observe(scope, status, (answered or time.perf_counter()) - started)

    def _observe(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        key = (method, _route(scope), status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _requests.labels(method, key[1], str(status))
        series.observe(seconds)
        if seconds > SLOW_S or status >= ProblemCode.internal.status:
            log.warning("slow or failed request", method=method, route=key[1], status=status, seconds=seconds)


def _route(scope: Scope) -> str:
    """The template of the route, so that no id becomes a label."""
    return getattr(scope.get("route"), "path", "none")
