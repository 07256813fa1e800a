"""A score change as rules look at it: what is new in it, and what moved a score."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from services.alerts.domain.rules import STALE_AFTER
from shared.events.scores import AppliedEvent, CausePart, Score, ScoreChange, ScoreName, Scores
from shared.events.times import Micros, parse_instant, to_micros

JUDGEMENT: Final = frozenset({"policy", "model"})
IDENTITY: Final = frozenset({"merge", "split"})
OURS: Final = frozenset({"council.acted", "customer.identified", "customer.linked", "survey.sent"})
"""Events that are no experience of the customer's: they never make a rule fire."""


class Push(StrEnum):
    """What drove a score in the bad direction."""

    EVENT = "event"
    TIME = "time"
    STALE = "stale"
    POLICY = "policy"
    NOTHING = "nothing"


def micros(instant: str) -> Micros:
    """Instants of messages are RFC 3339 texts."""
    return to_micros(parse_instant(instant))


def is_stale(event: AppliedEvent) -> bool:
    """Learned more than a week after it happened: a back-fill of history."""
    return micros(event.recorded) - micros(event.time) > STALE_AFTER


def value_of(scores: Scores | None, name: ScoreName) -> float | None:
    score = score_of(scores, name)
    return score.value if score is not None and score.state == "known" else None


def score_of(scores: Scores | None, name: ScoreName) -> Score | None:
    if scores is None:
        return None
    match name:
        case "health":
            return scores.health
        case "relationship":
            return scores.relationship
        case "risk":
            return scores.risk


def worse(name: ScoreName, points: float) -> float:
    """Points in the bad direction: risk rises, the other two fall."""
    return points if name == "risk" else -points


@dataclass(frozen=True, slots=True)
class View:
    """The customer after a change. A look by the clock has no `events` and no causes.

    `track`: (instant, health) of the last days, newest last, free of what policy and identity moved.
    `top_value`: expected yearly revenue from which on a customer is among the most valuable.
    `recent`: the customer's last events, those of the change among them, oldest first.
    """

    change: ScoreChange
    track: tuple[tuple[Micros, float], ...] = ()
    top_value: int | None = None
    recent: tuple[AppliedEvent, ...] = ()
    by_clock: bool = False
    fresh: tuple[AppliedEvent, ...] = field(init=False)
    stale: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        events = self.events
        object.__setattr__(self, "fresh", tuple(e for e in events if e.type not in OURS and not is_stale(e)))
        object.__setattr__(self, "stale", frozenset(e.id for e in events if is_stale(e)))

    @property
    def events(self) -> tuple[AppliedEvent, ...]:
        """The subject's own news: what a person did is told in the person's message, not in the account's."""
        return () if self.by_clock else tuple(e for e in self.change.events if e.customer is None)

    @property
    def policy_only(self) -> bool:
        """Only a judgement of ours changed, nothing in the customer's life."""
        causes = {part.cause for part in self.change.causes}
        return not self.by_clock and not self.change.events and bool(causes) and causes <= JUDGEMENT

    def push(self, name: ScoreName) -> Push:
        """What made the score worse, the customer's fresh events first.

        Parts without a list of events count as fresh when the message brings any fresh event.
        """
        if self.by_clock:
            return Push.NOTHING
        parts = [part for part in self.change.causes if part.score == name]
        if not parts:
            return Push.EVENT if self.fresh else Push.STALE if self.stale else Push.NOTHING
        if sum_worse(name, (p for p in parts if self._is_news(p))) > 0:
            return Push.EVENT
        if sum_worse(name, (p for p in parts if p.cause == "time")) > 0:
            return Push.TIME
        if self.stale:
            return Push.STALE
        return Push.POLICY if any(p.cause in JUDGEMENT for p in parts) else Push.NOTHING

    def _is_news(self, part: CausePart) -> bool:
        if part.cause == "time" or part.cause in JUDGEMENT | IDENTITY:
            return False
        return bool(self.fresh) and not (part.events and self.stale.issuperset(part.events))

    def unearned(self, name: ScoreName) -> float:
        """Points of the change that neither fresh events nor waiting explain."""
        parts = (p for p in self.change.causes if p.score == name and p.cause != "time")
        return sum(p.points for p in parts if not self._is_news(p))


def sum_worse(name: ScoreName, parts: Iterable[CausePart]) -> float:
    return sum(worse(name, part.points) for part in parts)
