"""When to look again, and when a band changes by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from services.scoring.domain.customer import fold_all
from services.scoring.domain.forecast import Change, forecast, next_check
from services.scoring.domain.model import day_zero
from services.scoring.policy_files import shipped
from shared.events.times import DAY, HOUR, MINUTE, Micros, to_micros
from tests.unit.scoring.telling import NOW, Teller

POLICY = shipped()
MODEL = day_zero(POLICY)


def changes(tell: Teller, now: datetime = NOW) -> dict[str, Change | None]:
    at = to_micros(now)
    c = fold_all(tell.events, POLICY, at)
    return forecast(c.state, c.live, c.attributes, POLICY, MODEL, at)


def look(tell: Teller, now: datetime = NOW) -> Micros | None:
    at = to_micros(now)
    c = fold_all(tell.events, POLICY, at)
    found = next_check(c.state, c.live, c.attributes, POLICY, MODEL, at)
    return None if found is None else found - at


def _answers(tell: Teller, many: int, score: int = 10) -> None:
    for n in range(many):
        tell.say("survey.answered", n + 1, response=f"r{n}", metric="nps", score=score, scale=(0, 10))


def test_nobody_needs_a_look() -> None:
    assert look(Teller()) is None
    assert set(changes(Teller()).values()) == {None}


def test_evidence_runs_out_on_a_day_that_is_known() -> None:
    """h·log2(E/minimum): three answers are 1.5 after one half-life."""
    tell = Teller()
    _answers(tell, 3)
    change = changes(tell)["health"]
    assert change and change.after == "unknown"
    expected = to_micros(NOW) + 90 * DAY
    assert abs(change.at - expected) < 4 * HOUR


def test_settled_customers_are_left_alone_for_long() -> None:
    tell = Teller()
    _answers(tell, 8, score=7)
    assert look(tell) in (7 * DAY, 30 * DAY)


def test_a_waiting_customer_is_looked_at_when_the_promise_breaks() -> None:
    tell = Teller()
    tell.say("ticket.opened", 1, interaction="t", actor="customer")
    span = look(tell)
    assert span is not None and span <= 2 * DAY


def test_a_ticket_that_waits_will_change_the_band() -> None:
    tell = Teller()
    _answers(tell, 3, score=6)
    tell.say("ticket.opened", 1, interaction="t", actor="customer")
    change = changes(tell)["health"]
    assert change and (change.before, change.after) == ("good", "fair")
    before = tell.scores(NOW + timedelta(microseconds=change.at - to_micros(NOW) - MINUTE))
    after = tell.scores(NOW + timedelta(microseconds=change.at - to_micros(NOW)))
    assert (before.health.band, after.health.band) == ("good", "fair")


def test_the_first_90_days_end_by_themselves() -> None:
    tell = Teller()
    for n in range(4):
        tell.say("subscription.started", 24 * (40 - n), subscription=f"s{n}")
    change = changes(tell)["relationship"]
    assert change and change.before == "unknown"
    assert abs(change.at - (to_micros(NOW) + 50 * DAY)) <= 2 * HOUR
