"""The client's log stays readable."""

from __future__ import annotations

import logging

import pytest

from shared.bus import quiet


def line(number: int) -> logging.LogRecord:
    return logging.LogRecord("aiokafka.x", logging.ERROR, "x.py", number, "no leader %s", ("t",), None)


def test_few_lines_of_one_place_and_then_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("shared.bus.quiet.time.monotonic", lambda: now[0])
    limit = quiet.RateLimit(per_window=3, window_s=10)
    assert [limit.filter(line(1)) for _ in range(1000)].count(True) == 3
    assert limit.filter(line(2)), "another place of the code has a budget of its own"
    now[0] += 10
    later = line(1)
    assert limit.filter(later)
    assert later.getMessage() == "no leader t (and 997 more of these)"


def test_every_logger_of_the_client_is_limited_once() -> None:
    quiet.quiet_client()
    quiet.quiet_client()
    limited = logging.getLogger("aiokafka.producer.sender")
    assert sum(isinstance(f, quiet.RateLimit) for f in limited.filters) == 1
