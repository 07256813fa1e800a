"""When a delivery is tried again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.alerts.domain.retry import SCHEDULE_S, Next, Outcome, Result, after, retry_after, status_outcome

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("result", "attempts", "expected"),
    [
        (Result(Outcome.DELIVERED, 204), 1, Next("delivered")),
        (Result(Outcome.GONE, 410), 1, Next("dead", disable=True)),
        (Result(Outcome.REJECTED, 550), 1, Next("dead")),
        (Result(Outcome.HTTP_ERROR, 500), 1, Next("pending", 5.0)),
        (Result(Outcome.REDIRECT, 302), 2, Next("pending", 300.0)),
        (Result(Outcome.TIMEOUT), 3, Next("pending", 1800.0)),
        (Result(Outcome.REFUSED), 4, Next("pending", 7200.0)),
        (Result(Outcome.UNREACHABLE), 9, Next("pending", 86400.0)),
        (Result(Outcome.UNREACHABLE), 10, Next("dead")),
        (Result(Outcome.NOT_CONFIGURED), 1, Next("pending", 5.0)),
        (Result(Outcome.HTTP_ERROR, 503, retry_after_s=120), 1, Next("pending", 120.0)),
        (Result(Outcome.HTTP_ERROR, 503, retry_after_s=1), 2, Next("pending", 300.0)),
        (Result(Outcome.HTTP_ERROR, 503, retry_after_s=10**9), 1, Next("pending", 86400.0)),
        (Result(Outcome.HTTP_ERROR, 503, retry_after_s=-5), 1, Next("pending", 5.0)),
    ],
)
def test_what_follows(result: Result, attempts: int, expected: Next) -> None:
    assert after(result, attempts, 0.0) == expected


def test_jitter_is_a_tenth_at_most_and_only_later() -> None:
    failed = Result(Outcome.HTTP_ERROR, 500)
    assert after(failed, 2, 1.0).wait_s == pytest.approx(330.0)
    assert sum(SCHEDULE_S) == 272_105


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Outcome.DELIVERED),
        (204, Outcome.DELIVERED),
        (299, Outcome.DELIVERED),
        (301, Outcome.REDIRECT),
        (308, Outcome.REDIRECT),
        (400, Outcome.HTTP_ERROR),
        (404, Outcome.HTTP_ERROR),
        (410, Outcome.GONE),
        (429, Outcome.HTTP_ERROR),
        (500, Outcome.HTTP_ERROR),
        (199, Outcome.HTTP_ERROR),
    ],
)
def test_status(status: int, expected: Outcome) -> None:
    assert status_outcome(status) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("999999999999999999", 86400.0),
        ("-1", None),
        ("soon", None),
        ("١٢", None),
        ("Mon, 02 Mar 2026 10:01:30 GMT", 90.0),
        ("Mon, 02 Mar 2026 09:00:00 GMT", 0.0),
        ("Mon, 99 Mar 2026 09:00:00 GMT", None),
        ("Mon, 02 Mar 99999999999 09:00:00 GMT", None),
        ("Mon, 02 Mar 2026 09:00:00 +99999999999999999999", None),
    ],
)
def test_retry_after_in_both_forms(header: str | None, expected: float | None) -> None:
    assert retry_after(header, AT) == expected
