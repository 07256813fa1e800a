"""What customers say when they are asked, and in public: survey answers, reviews, mentions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from services.scoring.domain.numbers import mul, rdiv
from services.scoring.domain.policy import EvidencePolicy
from services.scoring.domain.revisions import Thing
from services.scoring.domain.texts import last_words, own_words
from services.scoring.domain.types import NANO, Episode, Evidence, Nano, Signal
from services.scoring.domain.weighing import Scale, mood, nano

SCALES: Final = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7), "rating": (1, 5), "thumbs": (0, 1)}
"""What a metric is answered on where the sender does not say."""
_SIGNALS: Final = {
    "nps": Signal.LOYALTY,
    "csat": Signal.SATISFACTION,
    "rating": Signal.SATISFACTION,
    "thumbs": Signal.SATISFACTION,
    "ces": Signal.EFFORT,
}
_ASKS_FOR_EFFORT: Final = re.compile(
    r"how (much effort|difficult|hard)|wie (viel aufwand|schwierig|schwer)|cuánto esfuerzo|quel effort",
    re.IGNORECASE,
)
"""Wordings of a CES question in which a high number means much effort."""


def answer_x(
    metric: str, score: object, scale: object = None, better: object = None, wording: object = None
) -> Nano | None:
    """A score on the ideal's scale, 0 worst to 1 best; None if it is no number on its scale.

    NPS/10; (score - min)/(max - min) for all others; `better` low, or the wording of a CES question,
    turns it round.
    """
    default = SCALES.get(metric)
    low, high = scale if isinstance(scale, tuple | list) and len(scale) == 2 else default or (None, None)
    bounds = (_number(score), _number(low), _number(high))
    if None in bounds:
        return None
    value, bottom, top = (Fraction(one) for one in bounds if one is not None)
    if not bottom <= value <= top or bottom == top:
        return None
    x = (value - bottom) / (top - bottom)
    if better == "low" or (better is None and metric == "ces" and _asks_for_effort(wording)):
        x = 1 - x
    return rdiv(x.numerator * NANO, x.denominator)


def _number(value: object) -> Fraction | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A float stands for the decimal that was written; nan and inf for nothing.
    return Fraction(repr(value)) if abs(value) < 1e15 else None


def _asks_for_effort(wording: object) -> bool:
    return isinstance(wording, str) and _ASKS_FOR_EFFORT.search(wording) is not None


def survey(episode: Episode, policy: EvidencePolicy) -> Iterator[Evidence]:
    """One question of one response, as it stands after all revisions."""
    answer = Thing(episode.events)
    metric = str(answer.get("metric"))
    by = answer.by("score")
    x = answer_x(metric, *(answer.get(name) for name in ("score", "scale", "better", "wording")))
    if by and x is not None and metric in _SIGNALS:
        scale = Scale(policy, policy.masses.survey)
        yield scale.row(_SIGNALS[metric], by.event.at, x, by.event.id)
    yield from _words(answer, policy)


def review(episode: Episode, policy: EvidencePolicy) -> Iterator[Evidence]:
    """Stars are satisfaction; above the middle also a story told, below it one that warns others."""
    if _removed(episode):
        return
    posted = Thing(episode.events)
    by = posted.by("score")
    x = answer_x("rating", posted.get("score"), posted.get("scale"))
    if by and x is not None:
        at, event = by.event.at, by.event.id
        yield Scale(policy, policy.masses.survey).row(Signal.SATISFACTION, at, x, event)
        told = 2 * x - NANO
        weight = nano(policy.masses.review)
        yield Evidence(Signal.ADVOCACY, at, mul(weight, max(told, 0)), mul(weight, max(-told, 0)), event)
    yield from _words(posted, policy)


def _removed(episode: Episode) -> bool:
    """By the last event in time: a review may be taken down and posted again."""
    return episode.events[-1].event.verb == "removed"


def mention(episode: Episode, policy: EvidencePolicy) -> Iterator[Evidence]:
    """Public praise and complaints are stories told; in private they only show the mood."""
    said = Thing(episode.events)
    by = said.by("stance")
    stance = said.get("stance")
    if by and said.get("public") is True and stance in ("praise", "complaint"):
        weight = nano(policy.masses.mention)
        good, bad = (weight, 0) if stance == "praise" else (0, weight)
        yield Evidence(Signal.ADVOCACY, by.event.at, good, bad, by.event.id)
    yield from _words(said, policy)


def _words(thing: Thing, policy: EvidencePolicy) -> Iterator[Evidence]:
    latest = last_words(thing.versions)
    if latest and latest.text and own_words(latest.event):
        row = mood(policy, latest.text.compound, latest.event.at, latest.event.id)
        if row:
            yield row
