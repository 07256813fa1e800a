"""Causes of a change, case by case."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.scoring.domain.causes import Reading, Share, causes, shares
from services.scoring.domain.model import Model, day_zero
from services.scoring.domain.types import Applied
from services.scoring.policy_files import shipped
from shared.events.scores import Cause
from shared.events.times import HOUR, Micros, to_micros
from tests.unit.scoring.telling import NOW, Teller, at

POLICY = shipped()
MODEL = day_zero(POLICY)
T1: Micros = to_micros(NOW)
T0: Micros = T1 - 10 * HOUR


def answer(tell: Teller, ago: float, name: str, score: int = 1, **fields: Any) -> Applied:  # noqa: ANN401
    return tell.say(
        "survey.answered",
        ago,
        id=name,
        response=str(fields.pop("response", name)),
        metric="nps",
        score=score,
        scale=(0, 10),
        **fields,
    )


def found(before: list[Applied], after: list[Applied], **moved: Cause) -> set[tuple[Cause, tuple[str, ...]]]:
    got = shares(before, after, T0, T1, POLICY, MODEL, moved=moved)
    return {(one.cause, one.events) for one in got if one.score == "health" and one.cause != "time"}


def test_new_late_and_time() -> None:
    tell = Teller()
    old, late, new = answer(tell, 50, "old"), answer(tell, 20, "late"), answer(tell, 5, "new")
    assert found([old], [old, late, new]) == {("late", ("late",)), ("new", ("new",))}
    passing = shares([old], [old], T0, T1, POLICY, MODEL)
    assert {one.cause for one in passing} == {"time"}
    assert {one.score for one in passing} == {"health", "relationship", "risk"}


def test_a_revision_is_a_correction_and_a_missing_event_was_retracted() -> None:
    tell = Teller()
    first = answer(tell, 50, "first", response="r")
    revised = answer(tell, 30, "revised", 9, response="r", revision=1)
    gone = answer(tell, 40, "gone")
    assert found([first, gone], [first, revised]) == {
        ("corrected", ("revised",)),
        ("retracted", ("gone",)),
    }


def test_the_same_event_heard_otherwise_is_a_correction() -> None:
    tell = Teller()
    one = tell.say("survey.answered", 50, id="t", response="r", metric="text", comment="!", mood=-80)
    kinder = tell.say("survey.answered", 50, id="t", response="r", metric="text", comment="!", mood=80)
    assert found([one], [kinder]) == {("corrected", ("t",))}


def test_merge_and_split() -> None:
    tell = Teller()
    ours, theirs = answer(tell, 50, "ours"), answer(tell, 40, "theirs", 9)
    assert found([ours], [ours, theirs], theirs="merge") == {("merge", ("theirs",))}
    assert found([ours, theirs], [ours], theirs="split") == {("split", ("theirs",))}


def test_policy_and_model_have_their_own_share() -> None:
    tell = Teller()
    one = answer(tell, 50, "one")
    other = Model(MODEL.intercept + 500_000, MODEL.theta, MODEL.trend, learned=True)
    got = shares([one], [one], T0, T0, POLICY, other, was=Reading(POLICY, MODEL))
    assert got == (Share("risk", "model", 500_000_000),)
    assert causes([one], [one], T0, T0, POLICY, other, was=Reading(POLICY, MODEL))[0].points == 0.5


def test_waiting_moves_by_time_alone() -> None:
    tell = Teller()
    opened = tell.say("ticket.opened", 100, id="open", interaction="t", actor="customer")
    got = {(one.score, one.cause): one.points for one in shares([opened], [opened], T0, T1, POLICY, MODEL)}
    assert got["health", "time"] < 0 < got["risk", "time"]


def test_nothing_moves_without_time_and_events() -> None:
    tell = Teller()
    one = answer(tell, 50, "one")
    assert shares([one], [one], T0, T0, POLICY, MODEL) == ()


def test_what_has_not_happened_by_then_does_not_count() -> None:
    tell = Teller()
    future = answer(tell, -5, "future")
    assert at((NOW + timedelta(hours=5)).isoformat()) == future.event.at
    assert found([], [future]) == set()
