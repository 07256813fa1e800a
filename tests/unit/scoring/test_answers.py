"""Survey answers, reviews and mentions: scales, directions, revisions, words."""

from __future__ import annotations

from typing import Any

import pytest

from services.scoring.domain.answers import answer_x
from services.scoring.domain.episode import episode_key, superseded
from services.scoring.domain.numbers import NANO
from services.scoring.domain.types import Signal
from shared.events.ids import leaf_id
from tests.unit.scoring.telling import Teller, episode_of, rows_of

SURVEY = 2_000_000_000
LOSS = SURVEY * 5 // 2
TEXT = 2_500_000_000


@pytest.mark.parametrize(
    ("metric", "score", "scale", "better", "x"),
    [
        ("nps", 0, None, None, 0),
        ("nps", 10, None, None, NANO),
        ("nps", 7, (0, 10), None, 700_000_000),
        ("csat", 5, None, None, NANO),
        ("csat", 1, (1, 5), None, 0),
        ("csat", 4, (1, 7), None, 500_000_000),
        ("csat", 80, (0, 100), None, 800_000_000),
        ("rating", 4.5, (0, 5), None, 900_000_000),
        ("rating", 3.3, (0, 10), None, 330_000_000),
        ("thumbs", 1, None, None, NANO),
        ("thumbs", 0, None, None, 0),
        ("ces", 7, None, None, NANO),
        ("ces", 2, (1, 7), "low", 833_333_333),
        ("csat", 2, (1, 3), "low", 500_000_000),
        ("nps", 11, None, None, None),
        ("csat", 0, None, None, None),
        ("csat", 3, (3, 3), None, None),
        ("csat", 3, (5, 1), None, None),
        ("csat", None, None, None, None),
        ("csat", float("nan"), None, None, None),
        ("csat", float("inf"), None, None, None),
        ("csat", True, None, None, None),
        ("text", 3, None, None, None),
    ],
)
def test_scales(metric: str, score: Any, scale: Any, better: str | None, x: int | None) -> None:  # noqa: ANN401
    assert answer_x(metric, score, scale, better) == x


@pytest.mark.parametrize(
    ("wording", "x"),
    [
        ("The company made it easy for me to handle my issue", NANO),
        ("How much effort did you have to put in?", 0),
        ("How difficult was it to get help?", 0),
        (None, NANO),
    ],
)
def test_the_wording_decides_the_direction_of_effort(wording: str | None, x: int) -> None:
    assert answer_x("ces", 7, None, None, wording) == x
    assert answer_x("ces", 7, None, "high", wording) == NANO
    assert answer_x("csat", 5, None, None, wording) == NANO


@pytest.mark.parametrize(
    ("metric", "signal"),
    [
        ("nps", Signal.LOYALTY),
        ("csat", Signal.SATISFACTION),
        ("rating", Signal.SATISFACTION),
        ("thumbs", Signal.SATISFACTION),
        ("ces", Signal.EFFORT),
    ],
)
def test_signal_of_a_metric(metric: str, signal: Signal) -> None:
    tell = Teller()
    tell.say("survey.answered", 1, response="r", metric=metric, score=1)
    folded = tell.fold()
    assert [row.signal for row in folded.evidence] == [signal]
    assert folded.respondents == (leaf_id("user:ann"),)
    assert not folded.live


def test_weights_of_an_answer() -> None:
    tell = Teller()
    tell.say("survey.answered", 1, response="r", metric="nps", score=8)
    row = tell.fold().evidence[0]
    assert (row.good, row.bad) == (SURVEY * 8 // 10, LOSS * 2 // 10)


def test_a_comment_is_heard_beside_the_score_and_without_one() -> None:
    tell = Teller()
    tell.say("survey.answered", 1, response="r", metric="nps", score=2, comment="awful", mood=-50)
    assert [row.signal for row in tell.fold().evidence] == [Signal.LOYALTY, Signal.SENTIMENT]
    alone = Teller()
    alone.say("survey.answered", 1, response="r", metric="text", comment="lovely", mood=50)
    row = alone.fold().evidence[0]
    assert (row.signal, row.good, row.bad) == (Signal.SENTIMENT, TEXT // 2, 0)


def test_two_metrics_of_one_response_are_two_episodes() -> None:
    tell = Teller()
    first = tell.say("survey.answered", 1, response="r", metric="nps", score=2)
    second = tell.say("survey.answered", 1, response="r", metric="csat", score=2)
    third = tell.say("survey.answered", 1, response="r", question="q", metric="csat", score=2)
    assert len({episode_key(one.event) for one in (first, second, third)}) == 3


def test_the_last_revision_counts_and_keeps_what_it_does_not_speak_of() -> None:
    tell = Teller()
    tell.say("survey.answered", 3, response="r", metric="nps", score=2, comment="awful", mood=-50)
    tell.say("survey.answered", 1, response="r", metric="nps", score=9)
    rows = {row.signal: row for row in tell.fold().evidence}
    assert rows[Signal.LOYALTY].event == "e001"
    assert rows[Signal.LOYALTY].good == SURVEY * 9 // 10
    assert rows[Signal.SENTIMENT].event == "e000"
    assert superseded(episode_of(tell.events)) == frozenset()  # the first one's comment still holds


def test_a_higher_revision_wins_over_a_later_time() -> None:
    tell = Teller()
    tell.say("survey.answered", 3, response="r", metric="nps", score=9, revision=1)
    tell.say("survey.answered", 1, response="r", metric="nps", score=2)
    assert tell.fold().evidence[0].event == "e000"
    assert superseded(episode_of(tell.events)) == {"e001"}


def test_null_removes() -> None:
    tell = Teller()
    tell.say("survey.answered", 3, response="r", metric="nps", score=2, comment="awful", mood=-50)
    tell.say("survey.answered", 1, response="r", metric="nps", score=None, comment=None)
    assert tell.fold().evidence == ()
    assert superseded(episode_of(tell.events)) == {"e000"}


def test_the_respondent_is_who_wrote() -> None:
    tell = Teller(person="account:acme")
    tell.say("survey.answered", 1, response="r", metric="nps", score=9)
    assert tell.fold().respondents == ()
    tell.say(
        "survey.answered",
        1,
        response="r",
        metric="nps",
        author_identifiers=("account:acme", "email:b@x.example"),
    )
    assert tell.fold().respondents == (leaf_id("email:b@x.example"),)


def test_reviews_are_satisfaction_and_a_story() -> None:
    for stars, good, bad in ((5, NANO, 0), (1, 0, NANO), (3, 0, 0), (4, NANO // 2, 0)):
        tell = Teller()
        tell.say("review.posted", 1, review="v", site="example.com", score=stars, text="…")
        folded = tell.fold()
        assert len(rows_of(folded, Signal.SATISFACTION)) == 1
        assert [(r.good, r.bad) for r in rows_of(folded, Signal.ADVOCACY)] == (
            [(good, bad)] if good or bad else []
        )


def test_a_review_taken_down_says_nothing_until_it_is_posted_again() -> None:
    tell = Teller()
    tell.say("review.posted", 3, review="v", site="example.com", score=1)
    tell.say("review.removed", 2, review="v")
    assert tell.fold().evidence == ()
    tell.say("review.posted", 1, review="v", site="example.com", score=5)
    assert tell.fold().evidence


@pytest.mark.parametrize(
    ("public", "stance", "good", "bad"),
    [
        (True, "praise", NANO // 2, 0),
        (True, "complaint", 0, NANO // 2),
        (True, "neutral", 0, 0),
        (True, None, 0, 0),
        (False, "complaint", 0, 0),
    ],
)
def test_mentions(public: bool, stance: str | None, good: int, bad: int) -> None:
    tell = Teller()
    tell.say(
        "mention.made", 1, mention="m", where="a forum", public=public, stance=stance, text="…", mood=-30
    )
    folded = tell.fold()
    assert [(r.good, r.bad) for r in rows_of(folded, Signal.ADVOCACY)] == (
        [(good, bad)] if good or bad else []
    )
    assert len(rows_of(folded, Signal.SENTIMENT)) == 1
