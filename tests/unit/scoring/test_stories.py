"""The stories that the shipped policy promises, whatever the hour of the week at which they are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from services.scoring.domain.numbers import NANO
from services.scoring.domain.score import Scores
from tests.unit.scoring.telling import Teller

MONDAY = datetime(2026, 11, 16, 0, 30, tzinfo=UTC)
WEEK = [MONDAY + timedelta(hours=hour) for hour in range(168)]
SOME_HOURS = WEEK[::7]
YEAR_H = 365 * 24.0

Reopenings = tuple[tuple[float, float], tuple[float, float]]
SPREAD: Reopenings = ((60, 50), (40, 30))
EARLY: Reopenings = ((71, 70), (69, 68))
LATE: Reopenings = ((10, 9), (8, 7))
SHORT: Reopenings = ((48, 47.9), (24, 23.9))


def _points(value: int) -> float:
    return value / NANO


def _badly_treated(now: datetime, reopened: Reopenings, mood: int) -> Scores:
    tell = Teller(now)
    tell.say("ticket.opened", 72, interaction="t", subject="Cannot sign in", actor="customer")
    for solved, again in reopened:
        tell.say("ticket.status", solved, interaction="t", status="solved", actor="agent")
        tell.say("ticket.status", again, interaction="t", status="open", actor="customer")
    tell.say(
        "ticket.message", 2, interaction="t", message="m", author="customer", public=True, text="!", mood=mood
    )
    tell.say("survey.answered", 1, response="r", metric="csat", score=1, scale=(1, 5))
    tell.say("survey.answered", 0.5, response="n", metric="nps", score=2, scale=(0, 10))
    return tell.scores()


@pytest.mark.parametrize("reopened", [SPREAD, EARLY, LATE, SHORT], ids=["spread", "early", "late", "short"])
def test_never_answered_reopened_twice_angry_and_two_bad_answers(reopened: Reopenings) -> None:
    for now in WEEK:
        scores = _badly_treated(now, reopened, mood=-45)
        assert _points(scores.health.value or 0) < 40, now
        assert scores.health.known
        assert _points(scores.risk.value or 0) >= 0.6, now
        assert scores.risk.band == "high"


@pytest.mark.parametrize("answers", [1, 3])
def test_three_tickets_within_the_promise_and_good_answers(answers: int) -> None:
    for now in SOME_HOURS:
        tell = Teller(now)
        for n in range(3):
            _solved_ticket(tell, 24 * (30 - 8 * n), n, csat=5 if n < answers else None)
        tell.say("survey.answered", 2, response="n", metric="nps", score=10, scale=(0, 10))
        scores = tell.scores()
        assert _points(scores.health.value or 0) > 75, now
        assert _points(scores.risk.value if scores.risk.value is not None else NANO) <= 0.2, now


def _solved_ticket(tell: Teller, ago: float, n: int, csat: int | None) -> None:
    tell.say("ticket.opened", ago, interaction=f"t{n}", actor="customer")
    tell.say("ticket.message", ago - 1, interaction=f"t{n}", message="m", author="agent", public=True)
    tell.say("ticket.status", ago - 3, interaction=f"t{n}", status="solved", actor="agent")
    if csat:
        tell.say("survey.answered", ago - 4, response=f"r{n}", metric="csat", score=csat, scale=(1, 5))


def _loyal(now: datetime, before: int) -> Teller:
    tell = Teller(now)
    ends = [(now - timedelta(days=365 * years - 10)).isoformat() for years in range(4, -1, -1)]
    tell.say("subscription.started", 5 * YEAR_H, subscription="s", period_end=ends[0])
    for n, end in enumerate(ends[1:]):
        tell.say("subscription.renewed", (4 - n) * YEAR_H - 240, subscription="s", period_end=end)
    for n in (1, 2):
        tell.say("referral.made", n * YEAR_H, referral=f"r{n}", existing_customer=False)
    for n in range(before):
        _solved_ticket(tell, 24 * (90 - 20 * n), n, csat=5)
    return tell


@pytest.mark.parametrize("before", [2, 4])
def test_one_bad_ticket_hurts_health_but_not_five_years(before: int) -> None:
    for now in SOME_HOURS:
        tell = _loyal(now, before)
        ahead = tell.scores()
        tell.say("ticket.opened", 24 * 8, interaction="bad", actor="customer")
        tell.say("ticket.status", 24 * 2, interaction="bad", status="solved", actor="agent")
        tell.say("ticket.status", 24, interaction="bad", status="open", actor="customer")
        tell.say("survey.answered", 1, response="bad", metric="csat", score=1, scale=(1, 5))
        after = tell.scores()
        assert ahead.health.known and ahead.relationship.known and after.relationship.known
        assert _points(ahead.health.raw - after.health.raw) > 10, now
        assert _points(ahead.relationship.raw - after.relationship.raw) < 5, now
        assert after.relationship.band in ("good", "excellent"), now


def test_one_answer_and_nothing_else_is_unknown() -> None:
    tell = Teller()
    tell.say("survey.answered", 1, response="r", metric="nps", score=2, comment="Never again", mood=-30)
    for one in tell.scores().published().health, tell.scores().published().risk:
        assert (one.value, one.band, one.state) == (None, None, "unknown")
        assert one.needs
    relationship = tell.scores().published().relationship
    assert (relationship.value, relationship.band, relationship.state) == (None, None, "unknown")


def test_the_silent_fade_to_the_mean_then_to_unknown() -> None:
    tell = Teller(MONDAY)
    for n in range(3):
        _solved_ticket(tell, 24 * (30 - 8 * n), n, csat=5)
    fresh = tell.scores()
    year, five = (tell.scores(MONDAY + timedelta(days=365 * years)) for years in (1, 5))
    assert fresh.health.known
    for later in year, five:
        assert later.health.evidence * 3 < fresh.health.evidence
        assert not later.health.known and later.health.value is None
    assert abs(_points(year.health.raw) - 65) < abs(_points(fresh.health.raw) - 65)
    assert abs(_points(five.health.raw) - 65) < 0.1
    assert not five.relationship.known


def _waiting() -> Iterator[Scores]:
    tell = Teller(MONDAY)
    for n in range(2):
        _solved_ticket(tell, 24 * (20 - 8 * n), n, csat=5)
    tell.say("ticket.opened", 0, interaction="open", actor="customer")
    for hours in range(24 * 21):
        yield tell.scores(MONDAY + timedelta(hours=hours))


def test_an_open_ticket_gets_worse_by_the_hour() -> None:
    course = list(_waiting())
    for before, after in pairwise(course):
        assert after.health.raw <= before.health.raw
        assert after.risk.raw >= before.risk.raw
    assert _points(course[0].health.raw - course[24 * 4].health.raw) > 4
    assert course[24 * 4].risk.raw > course[0].risk.raw
    assert course[24 * 4].health.known and course[24 * 4].risk.known
