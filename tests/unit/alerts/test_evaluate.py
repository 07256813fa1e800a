"""Decision tables: what rules say, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.alerts.domain.evaluate import evaluate, remember
from services.alerts.domain.outcomes import FRESH, Fired, History, Quiet, Silent
from services.alerts.domain.track import Track
from services.alerts.domain.view import View
from shared.events.scores import ScoreChange
from shared.events.times import DAY, HOUR, MINUTE
from tests.unit.alerts.builders import NOW, answer, cause, change, event, scores
from tests.unit.alerts.saying import RULES, said

LOW, HIGH = scores(risk=0.3), scores(risk=0.65)
OLD = NOW - 30 * DAY


NEWS = event("e1")
STALE = event("e1", when=OLD, recorded=NOW)


@pytest.mark.parametrize(
    ("message", "history", "expected"),
    [
        (change(after=scores(risk=None)), FRESH, Quiet.UNKNOWN),
        (change(after=scores(risk=0.9, evidence=1.9)), FRESH, Quiet.THIN),
        (change(after=scores(risk=0.45)), FRESH, Quiet.BEYOND_EXIT),
        (change(after=scores(risk=0.59)), FRESH, Quiet.BETWEEN),
        (change(before=LOW, after=HIGH, events=(NEWS,)), History(armed=False), Quiet.ALREADY_TOLD),
        (change(before=LOW, after=HIGH, events=(NEWS,)), History(last_fired=NOW - 13 * DAY), Quiet.COOLING),
        (change(before=LOW, after=HIGH, events=(NEWS,)), History(last_fired=NOW - 15 * DAY), Fired.CROSSED),
        (change(before=LOW, after=HIGH, events=(NEWS,)), FRESH, Fired.CROSSED),
        (change(before=None, after=HIGH, events=(NEWS,)), FRESH, Fired.CROSSED),
        (change(before=LOW, after=scores(risk=0.6, evidence=2.0), events=(NEWS,)), FRESH, Fired.CROSSED),
        (
            change(before=LOW, after=HIGH, events=(NEWS,), causes=(cause("new", 1.5, "risk", "e1"),)),
            FRESH,
            Fired.CROSSED,
        ),
        (change(before=LOW, after=HIGH, causes=(cause("time", 1.5),)), FRESH, Quiet.DWELLING),
        (
            change(before=LOW, after=HIGH, causes=(cause("time", 1.5),)),
            History(pending_since=NOW - 2 * HOUR),
            Fired.LASTED,
        ),
        (
            change(before=LOW, after=HIGH, causes=(cause("time", 1.5),)),
            History(pending_since=NOW - HOUR),
            Quiet.DWELLING,
        ),
        (change(before=LOW, after=HIGH, events=(STALE,)), FRESH, Quiet.STALE),
        (
            change(before=LOW, after=HIGH, events=(STALE,), causes=(cause("late", 1.5, "risk", "e1"),)),
            FRESH,
            Quiet.STALE,
        ),
        (change(before=LOW, after=HIGH, causes=(cause("policy", 1.5),)), FRESH, Quiet.POLICY_ONLY),
        (change(before=LOW, after=HIGH, causes=(cause("model", 1.5),)), FRESH, Quiet.POLICY_ONLY),
        (change(before=LOW, after=HIGH, events=(NEWS,), quiet=True), FRESH, Quiet.REBUILD),
        (
            change(before=HIGH, after=HIGH, events=(NEWS,), causes=(cause("new", -0.2, "risk", "e1"),)),
            FRESH,
            Quiet.NOT_RISING,
        ),
        (
            change(before=LOW, after=HIGH, causes=(cause("merge", 1.5),)),
            FRESH,
            Quiet.NOT_RISING,
        ),
        (change(before=LOW, after=HIGH, events=(NEWS,), customer=None), FRESH, Quiet.OTHER_SUBJECT),
    ],
)
def test_detractor_risk(message: ScoreChange, history: History, expected: Fired | Quiet) -> None:
    assert said("detractor-risk", message, history).reason is expected


def test_a_dwell_says_when_to_look_again() -> None:
    message = change(before=LOW, after=HIGH, causes=(cause("time", 1.5),))
    outcome = said("detractor-risk", message)
    assert outcome == Silent(Quiet.DWELLING, NOW + 2 * HOUR)
    history = remember(RULES["detractor-risk"], FRESH, outcome, View(message), NOW)
    assert history.pending_since == NOW
    later = said("detractor-risk", message, history, clock=True, now=NOW + 2 * HOUR)
    assert later.reason is Fired.LASTED


def test_a_dwell_survives_a_policy_change_in_between() -> None:
    rule = RULES["detractor-risk"]
    dwelling = History(pending_since=NOW, next_at=NOW + 2 * HOUR)
    message = change(before=HIGH, after=HIGH, causes=(cause("policy", 0.1),))
    kept = remember(rule, dwelling, said("detractor-risk", message), View(message), NOW + MINUTE)
    assert (kept.pending_since, kept.next_at) == (NOW, NOW + 2 * HOUR)


def test_a_level_is_told_again_only_after_the_exit() -> None:
    rule, history = RULES["detractor-risk"], FRESH
    heard = []
    later = NOW
    for risk in (0.65, 0.5, 0.65, 0.44, 0.65):
        later += 20 * DAY
        message = change(before=LOW, after=scores(risk), events=(event("e", when=later),))
        outcome = said("detractor-risk", message, history, now=later)
        history = remember(rule, history, outcome, View(message), later)
        heard.append(outcome.reason)
    expected = [Fired.CROSSED, Quiet.BETWEEN, Quiet.ALREADY_TOLD, Quiet.BEYOND_EXIT, Fired.CROSSED]
    assert heard == expected


@pytest.mark.parametrize(
    ("given", "history", "expected"),
    [
        (answer("a", 6), FRESH, Fired.ANSWERED),
        (answer("a", 7), FRESH, Quiet.NOTHING_NEW),
        (answer("a", 2, "csat"), FRESH, Fired.ANSWERED),
        (answer("a", 3, "csat"), FRESH, Quiet.NOTHING_NEW),
        (answer("a", 1, "rating"), FRESH, Quiet.NOTHING_NEW),
        (answer("a", 6, x=None), FRESH, Fired.ANSWERED),
        (answer("a", 2, "csat", x=None, scale=None), FRESH, Fired.ANSWERED),
        (answer("a", 0, score=None, x=None), FRESH, Quiet.NOTHING_NEW),
        (answer("a", 2, when=NOW - 8 * DAY, recorded=NOW), FRESH, Quiet.STALE),
        (answer("a", 2, when=NOW - 6 * DAY, recorded=NOW), FRESH, Fired.ANSWERED),
        (answer("a", 2), History(told=("a",)), Quiet.ALREADY_TOLD),
        (answer("b", 1, first=False, replaces=("a",)), History(told=("a",)), Quiet.ALREADY_TOLD),
        (answer("b", 1, first=False, key="k"), History(told=("k", "a")), Quiet.ALREADY_TOLD),
        (answer("b", 1, first=False, key="k"), FRESH, Fired.ANSWERED),
        (event("e"), FRESH, Quiet.NOTHING_NEW),
    ],
)
def test_detractor_answer(given: object, history: History, expected: Fired | Quiet) -> None:
    assert said("detractor-answer", change(events=(given,)), history).reason is expected


FELL: Track = ((NOW - 3 * DAY, 80.0), (NOW, 64.0))


@pytest.mark.parametrize(
    ("track", "message", "history", "expected"),
    [
        (FELL, change(after=scores(health=64.0), events=(NEWS,)), FRESH, Fired.FELL),
        (
            FELL,
            change(after=scores(health=64.0), causes=(cause("time", -16.0, "health"),)),
            FRESH,
            Fired.FELL,
        ),
        (
            FELL,
            change(after=scores(health=64.0), causes=(cause("policy", -16.0, "health"),)),
            FRESH,
            Quiet.POLICY_ONLY,
        ),
        (FELL, change(after=scores(health=64.0), events=(STALE,)), FRESH, Quiet.STALE),
        (FELL, change(after=scores(health=64.0), events=(NEWS,)), History(armed=False), Quiet.ALREADY_TOLD),
        (
            FELL,
            change(after=scores(health=64.0), events=(NEWS,)),
            History(last_fired=NOW - DAY),
            Quiet.COOLING,
        ),
        (((NOW - 3 * DAY, 78.0), (NOW, 64.0)), change(events=(NEWS,)), FRESH, Quiet.BETWEEN),
        (((NOW - 3 * DAY, 70.0), (NOW, 64.0)), change(events=(NEWS,)), FRESH, Quiet.BEYOND_EXIT),
        (((NOW - 8 * DAY, 90.0), (NOW, 64.0)), change(events=(NEWS,)), FRESH, Quiet.BEYOND_EXIT),
        ((), change(after=scores(health=None), events=(NEWS,)), FRESH, Quiet.UNKNOWN),
    ],
)
def test_sudden_fall(track: Track, message: ScoreChange, history: History, expected: Fired | Quiet) -> None:
    assert said("sudden-fall", message, history, track=track).reason is expected


CANCEL = event("c", "subscription.cancel_scheduled", key="s1")


@pytest.mark.parametrize(
    ("events", "history", "expected"),
    [
        ((CANCEL,), FRESH, Fired.HAPPENED),
        ((event("r", "subscription.renewed"),), FRESH, Quiet.NOTHING_NEW),
        (
            (CANCEL, event("u", "subscription.cancel_revoked", NOW + HOUR, key="s1")),
            FRESH,
            Quiet.ALREADY_OVER,
        ),
        ((CANCEL, event("u", "subscription.cancel_revoked", NOW - HOUR, key="s1")), FRESH, Fired.HAPPENED),
        ((CANCEL, event("u", "subscription.cancel_revoked", NOW + HOUR, key="s2")), FRESH, Fired.HAPPENED),
        ((CANCEL,), History(ended=(("s1", NOW + HOUR),)), Quiet.ALREADY_OVER),
        ((CANCEL,), History(told=("s1", "c")), Quiet.ALREADY_TOLD),
        ((event("c", "subscription.cancel_scheduled", OLD, NOW),), FRESH, Quiet.STALE),
    ],
)
def test_cancel_scheduled(events: tuple[object, ...], history: History, expected: Fired | Quiet) -> None:
    assert said("cancel-scheduled", change(events=events), history).reason is expected


def test_a_cancellation_of_an_account_counts_too() -> None:
    assert said("cancel-scheduled", change(customer=None, events=(CANCEL,))).reason is Fired.HAPPENED


def test_a_cancellation_of_a_person_is_not_told_for_the_account_too() -> None:
    theirs = change(customer=None, events=(event("c", "subscription.cancel_scheduled", customer="c-1"),))
    assert said("cancel-scheduled", theirs).reason is Quiet.NOTHING_NEW


def test_an_undoing_is_remembered_for_what_comes_late() -> None:
    message = change(events=(event("u", "subscription.cancel_revoked", NOW + HOUR, key="s1"),))
    rule = RULES["cancel-scheduled"]
    history = remember(rule, FRESH, said("cancel-scheduled", message), View(message), NOW)
    assert history.ended == (("s1", NOW + HOUR),)


def test_a_rule_that_is_off_says_so() -> None:
    view = View(change(events=(answer(),)))
    rule = replace(RULES["detractor-answer"], enabled=False)
    assert evaluate(rule, None, view, FRESH, NOW) == Silent(Quiet.DISABLED)


def test_news_within_a_cooldown_are_passed_over() -> None:
    message = change(events=(event("r", "referral.made"),))
    assert said("advocate", message, History(last_fired=NOW - DAY)).reason is Quiet.COOLING
    assert said("advocate", message, History(last_fired=NOW - 31 * DAY)).reason is Fired.HAPPENED


def test_two_histories_of_one_customer() -> None:
    one = History(armed=False, last_fired=NOW - DAY, told=("a",), next_at=NOW + HOUR)
    two = History(pending_since=NOW, last_fired=NOW - HOUR, told=("b",), ended=(("s", NOW),), next_at=NOW)
    both = one.merged(two)
    assert (both.armed, both.last_fired, both.next_at) == (False, NOW - HOUR, NOW)
    assert set(both.told) == {"a", "b"}
    assert both.ended == (("s", NOW),)
