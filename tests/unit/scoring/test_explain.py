"""Explanations: what each event gets, and how they are told."""

from __future__ import annotations

import msgspec

from services.scoring.domain.customer import fold_all
from services.scoring.domain.explain import explain
from services.scoring.domain.explanation import LABELS, Explained, Explanation, Why
from services.scoring.domain.model import day_zero
from services.scoring.domain.numbers import NANO
from services.scoring.domain.rows import Row, condensed
from services.scoring.domain.types import Signal
from services.scoring.policy_files import shipped
from shared.events.times import to_micros
from tests.unit.scoring.telling import NOW, Teller

POLICY = shipped()
MODEL = day_zero(POLICY)


def explained(tell: Teller) -> Explanation:
    now = to_micros(tell.now)
    return explain(fold_all(tell.events, POLICY, now), POLICY, MODEL, now)


def of(why: Why, signal: str) -> Explained:
    return next(one for one in why.signals if one.signal == signal)


def _answers() -> Teller:
    tell = Teller()
    tell.say("survey.answered", 50, id="good", response="a", metric="nps", score=10, scale=(0, 10))
    tell.say("survey.answered", 20, id="bad", response="b", metric="nps", score=1, scale=(0, 10))
    return tell


def test_every_event_has_its_points() -> None:
    rows = of(explained(_answers()).health, "loyalty").rows
    assert [row.event for row in rows] == ["good", "bad"]
    assert rows[0].points > 0 > rows[1].points


def test_a_good_answer_lowers_the_risk_and_a_bad_one_raises_it() -> None:
    rows = of(explained(_answers()).risk, "loyalty").rows
    assert rows[0].points < 0 < rows[1].points


def test_an_open_wait_is_marked_and_points_to_what_began_it() -> None:
    tell = Teller()
    tell.say("ticket.opened", 200, id="open", interaction="t", actor="customer")
    (row,) = of(explained(tell).health, "responsiveness").rows
    assert (row.event, row.open) == ("open", True)
    assert row.points < 0
    shown = explained(tell).published()["health"]
    assert isinstance(shown, dict)
    event = shown["contributions"][0]["events"][0]
    assert event["open"] is True
    assert event["type"] == "cxloop.ticket.opened.v1"


def test_tenure_belongs_to_the_first_event_and_cadence_to_the_last() -> None:
    tell = Teller()
    tell.say("survey.answered", 24 * 900, id="first", response="a", metric="nps", score=8, scale=(0, 10))
    tell.say("survey.answered", 24 * 400, id="last", response="b", metric="nps", score=8, scale=(0, 10))
    relationship = explained(tell).relationship
    assert [row.event for row in of(relationship, "tenure").rows] == ["first"]
    (row,) = of(relationship, "cadence").rows
    assert row.event == "last" and row.points < 0


def test_since_names_who_said_it() -> None:
    tell = _answers()
    tell.say("customer.identified", 1, id="told", since="2020-01-01T00:00:00Z")
    explanation = explained(tell)
    (row,) = of(explanation.relationship, "tenure").rows
    assert row.event == "told"
    assert explanation.types["told"] == "customer.identified"


def test_the_floor_names_the_announcement() -> None:
    tell = _answers()
    tell.say("subscription.cancel_scheduled", 3, id="leave", subscription="s")
    risk = explained(tell).risk
    assert [row.event for row in of(risk, "stated").rows] == ["leave"]
    assert risk.raw == risk.baseline + sum(one.points for one in risk.signals)


def test_shown_as_decimals_that_add_up_with_the_probability_beside() -> None:
    shown = explained(_answers()).published()
    for name in ("health", "relationship", "risk"):
        why = shown[name]
        assert isinstance(why, dict)
        nano = [round(one["points"] * NANO) for one in why["contributions"]]
        for one, points in zip(why["contributions"], nano, strict=True):
            assert sum(round(event["points"] * NANO) for event in one["events"]) == points
        if why["value"] is not None:
            assert round(why["baseline"] * NANO) + sum(nano) == round(why["value"] * NANO)
    risk = shown["risk"]
    assert isinstance(risk, dict)
    assert risk["unit"] == "log_odds" and 0 < risk["probability"] < 1
    assert risk["baseline_probability"] == 0.268941421
    assert msgspec.json.encode(shown)


def test_unknown_is_shown_as_unknown_with_its_facts() -> None:
    tell = Teller()
    tell.say("survey.answered", 5, response="a", metric="nps", score=0, scale=(0, 10))
    health = explained(tell).published()["health"]
    assert isinstance(health, dict)
    assert health["value"] is None and health["state"] == "unknown" and health["needs"]
    assert health["contributions"]


def test_the_largest_five_go_out_with_the_change() -> None:
    tell = _answers()
    for n in range(30):
        tell.say("survey.answered", 60 + n, response=f"c{n}", metric="csat", score=1 + n % 5, scale=(1, 5))
    contributions = explained(tell).contributions(top=1)
    (largest,) = contributions.health
    assert largest.signal == "satisfaction"
    assert len(largest.events) == 10 and largest.events[-1].count == 21
    assert sum(round(e.points * NANO) for e in largest.events) == round(largest.points * NANO)


def test_rows_beyond_the_limit_are_one_row_with_a_count() -> None:
    rows = [Row(n, f"e{n}", (-1) ** n * n) for n in range(300)]
    kept = condensed(rows, 200)
    assert len(kept) == 200
    assert kept[-1].number == 101
    assert sum(row.points for row in kept) == sum(row.points for row in rows)
    assert [row.at for row in kept[:-1]] == sorted(row.at for row in kept[:-1])
    assert condensed(rows[:200], 200) == tuple(rows[:200])


def test_every_signal_has_a_name_for_people() -> None:
    assert {signal.value for signal in Signal} <= LABELS.keys()
    assert NOW.tzinfo is not None
