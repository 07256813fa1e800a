"""The net below every endpoint, and what is measured."""

from __future__ import annotations

from prometheus_client import REGISTRY
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from structlog.testing import capture_logs

from shared.runtime.problem import Problem
from shared.runtime.telemetry import TelemetryMiddleware
from tests.unit.runtime.asgi import call


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


def count(route: str, status: str) -> float:
    labels = {"method": "GET", "route": route, "status": status}
    return REGISTRY.get_sample_value("cxloop_http_request_seconds_count", labels) or 0


async def test_an_error_nobody_expected_is_answered_and_logged_without_data() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("ann@example.com")

    with capture_logs() as logs:
        answer = await call(TelemetryMiddleware(fail), query=b"q=ann@example.com")
    assert answer.status == 500
    assert answer.json()["type"] == "/problems/internal"
    assert b"ann" not in answer.body
    assert logs[0]["event"] == "request failed"
    assert "ann" not in str({k: v for entry in logs for k, v in entry.items() if k != "exc_info"})


async def test_a_problem_raised_by_a_middleware_is_answered_and_not_an_error() -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        raise Problem("conflict", "still running")

    with capture_logs() as logs:
        assert (await call(TelemetryMiddleware(refuse))).status == 409
    assert logs == []


async def test_requests_are_counted_by_route_and_never_by_id() -> None:
    app = TelemetryMiddleware(Starlette(routes=[Route("/customers/{id}", hello)]))
    before = count("/customers/{id}", "200")
    await call(app, path="/customers/secret-1")
    await call(app, path="/customers/secret-2")
    assert count("/customers/{id}", "200") == before + 2
    assert count("/customers/secret-1", "200") == 0


async def test_an_answer_that_had_begun_is_not_answered_again() -> None:
    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("midway")

    with capture_logs() as logs:
        answer = await call(TelemetryMiddleware(half))
    assert answer.status == 200
    assert logs[0]["log_level"] == "error"
