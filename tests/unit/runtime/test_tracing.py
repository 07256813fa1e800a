"""Trace context: in by header, out by header."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from starlette.types import Receive, Scope, Send

from shared.runtime.tracing import TraceMiddleware, current_traceparent, kafka_headers, use_headers
from tests.unit.runtime.asgi import call

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def show(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": (current_traceparent() or "").encode()})


def test_outside_of_any_trace_there_is_none() -> None:
    assert current_traceparent() is None
    assert kafka_headers() == []


def test_a_batch_goes_on_with_the_trace_of_its_record() -> None:
    with use_headers([("other", b"x"), ("traceparent", PARENT.encode())]):
        (header,) = kafka_headers()
        name, value = header
        assert name == "traceparent"
        version, trace_id, span_id, flags = value.decode().split("-")
        assert (version, trace_id, flags) == ("00", PARENT[3:35], "01")
        assert span_id != PARENT[36:52]
    assert current_traceparent() is None


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"x",
        b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        PARENT.upper().encode(),
        PARENT.encode() + b"-x",
        b"\xff" * 55,
    ],
)
def test_a_malformed_parent_starts_a_new_trace(junk: bytes) -> None:
    with use_headers([("traceparent", junk)]):
        current = current_traceparent()
        assert current is not None
        assert len(current) == 55
        assert current[3:35] != PARENT[3:35]


async def test_requests_come_under_the_callers_trace() -> None:
    app = TraceMiddleware(show)
    assert (await call(app, headers={"traceparent": PARENT})).body[3:35] == PARENT[3:35].encode()
    assert len((await call(app)).body) == 55


def test_an_active_span_of_opentelemetry_wins() -> None:
    context = trace.SpanContext(1, 2, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        assert current_traceparent() == f"00-{1:032x}-{2:016x}-01"
