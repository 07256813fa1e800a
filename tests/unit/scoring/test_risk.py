"""What moves the risk alone: stated intent and its floor, the renewal's nearness, a champion who left."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.scoring.domain.numbers import NANO, logit
from tests.unit.scoring.telling import NOW, Teller

WEEK_H = 7 * 24.0


def _content(tell: Teller) -> None:
    """Two good answers, so that the risk is known and low."""
    tell.say("survey.answered", 30, response="c", metric="csat", score=5, scale=(1, 5))
    tell.say("survey.answered", 20, response="n", metric="nps", score=10, scale=(0, 10))


def test_scheduled_cancellation_lifts_the_risk_until_it_is_revoked() -> None:
    tell = Teller()
    _content(tell)
    before = tell.scores()
    assert before.risk.known and before.risk.raw < NANO // 5
    tell.say("subscription.cancel_scheduled", 10, subscription="s", period_end="2026-12-01T00:00:00Z")
    stated = tell.scores()
    assert stated.risk.raw == 900_000_000
    assert stated.log_odds == logit(900_000_000)
    assert tell.scores(NOW + timedelta(days=100)).risk.raw >= 900_000_000
    tell.say("subscription.cancel_revoked", 1, subscription="s")
    revoked = tell.scores()
    assert revoked.risk.raw < NANO // 3


def test_a_grave_risk_is_not_lowered_to_the_floor() -> None:
    tell = Teller()
    for n in range(9):
        tell.say("survey.answered", 5, response=f"n{n}", metric="nps", score=0, scale=(0, 10))
        tell.say("survey.answered", 5, response=f"c{n}", metric="csat", score=1, scale=(1, 5))
    before = tell.scores().risk.raw
    assert before > 900_000_000
    tell.say("subscription.cancel_scheduled", 1, subscription="s")
    assert tell.scores().risk.raw > before


def test_failed_payment_counts_until_it_is_recovered() -> None:
    tell = Teller()
    _content(tell)
    before = tell.scores()
    tell.say("payment.failed", 5, invoice="i", attempt=1)
    failed = tell.scores()
    assert failed.log_odds - before.log_odds == 700_000_000
    tell.say("payment.recovered", 1, invoice="i")
    assert tell.scores().log_odds == before.log_odds


def test_the_nearer_the_renewal_the_higher() -> None:
    tell = Teller()
    _content(tell)
    far = tell.scores().log_odds
    tell.say("customer.identified", 40, renewal_at=(NOW + timedelta(days=45)).isoformat())
    assert tell.scores().log_odds - far == 150_000_000
    after = NOW + timedelta(days=46)
    quiet = Teller()
    _content(quiet)
    assert tell.scores(after).log_odds == quiet.scores(after).log_odds


def test_a_champion_who_left() -> None:
    tell = Teller()
    _content(tell)
    before = tell.scores().log_odds
    tell.say("customer.identified", 40, role="champion", left_at=NOW.isoformat())
    assert tell.scores().log_odds - before == 800_000_000
    earlier = NOW - timedelta(minutes=1)
    quiet = Teller()
    _content(quiet)
    assert tell.scores(earlier).log_odds == quiet.scores(earlier).log_odds


@pytest.mark.parametrize("metric", ["nps", "csat"])
def test_a_good_answer_never_raises_and_a_bad_one_never_lowers_the_risk(metric: str) -> None:
    best = {"nps": 10, "csat": 5}[metric]
    worst = {"nps": 0, "csat": 1}[metric]
    scale = {"nps": (0, 10), "csat": (1, 5)}[metric]
    base = Teller()
    _content(base)
    base.say("survey.answered", 3, response="x", metric="nps", score=4, scale=(0, 10))
    before = base.scores().risk.raw
    for score, sign in ((best, -1), (worst, 1)):
        tell = Teller()
        tell.events = list(base.events)
        tell.say("survey.answered", 1, response="y", metric=metric, score=score, scale=scale)
        assert sign * (tell.scores().risk.raw - before) > 0
