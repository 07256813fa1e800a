"""When a delivery is tried again: a table of outcomes, a schedule, and what the receiver asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

SCHEDULE_S: Final = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Pauses before each attempt: 0, 5 s, 5 min, 30 min, 2, 5, 10, 14, 20, 24 h; three days and three hours in
all. More than any outage that somebody should sleep through, less than any alert stays worth telling."""
JITTER: Final = 0.1
MAX_RETRY_AFTER_S: Final = 86_400
"""No receiver may put us off for longer than the longest pause of the schedule."""


class Outcome(StrEnum):
    """What became of an attempt."""

    DELIVERED = "delivered"
    HTTP_ERROR = "http_error"
    REDIRECT = "redirect"
    GONE = "gone"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    REJECTED = "rejected"
    NOT_CONFIGURED = "not_configured"
    FAILED = "failed"


PERMANENT: Final = frozenset({Outcome.GONE, Outcome.REJECTED})
"""Trying again cannot help: the receiver said so."""


@dataclass(frozen=True, slots=True)
class Result:
    """`detail` is for people: no secrets, no personal data. `retry_after_s` as asked for."""

    outcome: Outcome
    status: int | None = None
    detail: str | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """`state` of the delivery; `wait_s` until the next attempt; `disable` the endpoint."""

    state: str
    wait_s: float = 0.0
    disable: bool = False


def after(result: Result, attempts: int, jitter_0_1: float) -> Next:
    """What follows the `attempts`-th attempt.

    1. delivered     2. gone: the endpoint is disabled     3. refused for good, or the schedule is used up
    4. again, after the schedule's pause with up to 10 % jitter, or later where the receiver asks for it
    """
    if result.outcome is Outcome.DELIVERED:  # 1
        return Next("delivered")
    if result.outcome is Outcome.GONE:  # 2
        return Next("dead", disable=True)
    if result.outcome in PERMANENT or attempts >= len(SCHEDULE_S):  # 3
        return Next("dead")
    pause = SCHEDULE_S[attempts] * (1 + JITTER * jitter_0_1)
    asked = min(max(result.retry_after_s or 0.0, 0.0), MAX_RETRY_AFTER_S)
    return Next("pending", max(pause, asked))  # 4


def status_outcome(status: int) -> Outcome:
    """2xx succeeds, 410 says never again, 3xx is never followed and fails like all the rest."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if 300 <= status < 400:
        return Outcome.REDIRECT
    return Outcome.GONE if status == 410 else Outcome.HTTP_ERROR


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds from `Retry-After`, given as a number or as an HTTP date; None where it is neither."""
    text = (header or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(min(int(text[:12]), MAX_RETRY_AFTER_S))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, (at - now).total_seconds())
