"""An explanation as a value, and in the shapes in which others read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from services.scoring.domain.numbers import NANO, logistic
from services.scoring.domain.rows import Row, condensed
from services.scoring.domain.score import Score
from services.scoring.domain.types import Nano
from shared.events import full_type
from shared.events import scores as wire
from shared.events.times import instant_text

MAX_ROWS: Final = 200
MAX_ROWS_TOLD: Final = 10
"""Rows of a signal in a message: who needs all of them asks for the explanation."""

LABELS: Final = {
    "responsiveness": "First replies",
    "resolution": "Time to a solution",
    "effort": "Effort asked of the customer",
    "satisfaction": "Satisfaction",
    "loyalty": "Loyalty (would recommend)",
    "sentiment": "Tone of the customer's words",
    "adherence": "Ideal experience kept",
    "proactive": "Proactive care",
    "adoption": "Use of the product",
    "tenure": "Time as a customer",
    "renewal": "Renewals",
    "purchase": "Repeat purchases",
    "advocacy": "Referrals and stories told",
    "breadth": "People and departments",
    "cadence": "Regular contact",
    "intent": "Signs of leaving",
    "trend": "Recent change",
    "renewal_date": "Renewal is near",
    "stated": "Leave announced",
}


class Explained(NamedTuple):
    """A signal's points and its events'; `signal` is a `Signal` or one of trend, renewal_date, stated."""

    signal: str
    points: Nano
    coverage: Nano
    rows: tuple[Row, ...]


class Why(NamedTuple):
    """One score: baseline + Σ points = `raw`. Of the risk in log-odds, `probability` beside it."""

    score: Score
    baseline: Nano
    raw: Nano
    unit: str
    signals: tuple[Explained, ...]


class Explanation(NamedTuple):
    """All three scores explained; `types` names the type of each event that occurs."""

    health: Why
    relationship: Why
    risk: Why
    types: Mapping[str, str]

    def published(self) -> dict[str, object]:
        """In the shape of the contract: n/10⁹, full event types, unknown values None."""
        return {name: self._why(getattr(self, name)) for name in ("health", "relationship", "risk")}

    def contributions(self, top: int = 5) -> wire.Contributions:
        """The signals with the largest absolute points per score, with their weightiest events."""
        return wire.Contributions(
            *(
                tuple(self._contribution(one) for one in largest(why.signals, top))
                for why in (self.health, self.relationship, self.risk)
            )
        )

    def _why(self, why: Why) -> dict[str, object]:
        shown: dict[str, object] = {
            "baseline": why.baseline / NANO,
            "value": why.raw / NANO if why.score.known else None,
            "unit": why.unit,
            "state": "known" if why.score.known else "unknown",
            "needs": list(why.score.needs),
        }
        if why.unit == "log_odds":
            shown["probability"] = why.score.raw / NANO if why.score.known else None
            shown["baseline_probability"] = logistic(why.baseline) / NANO
        shown["contributions"] = [self._signal(one) for one in why.signals]
        return shown

    def _signal(self, one: Explained) -> dict[str, object]:
        return {
            "signal": one.signal,
            "label": LABELS[one.signal],
            "points": one.points / NANO,
            "coverage": one.coverage / NANO,
            "events": [self._event(row) for row in condensed(one.rows, MAX_ROWS)],
        }

    def _event(self, row: Row) -> dict[str, object]:
        shown: dict[str, object] = {
            "id": row.event,
            "at": instant_text(row.at),
            "type": self._type(row),
            "points": row.points / NANO,
        }
        if row.open:
            shown["open"] = True
        if row.number > 1:
            shown["count"] = row.number
        return shown

    def _contribution(self, one: Explained) -> wire.Contribution:
        events = tuple(
            wire.EventPoints(
                id=row.event,
                at=instant_text(row.at),
                type=self._type(row),
                points=row.points / NANO,
                open=row.open,
                count=row.number,
            )
            for row in condensed(one.rows, MAX_ROWS_TOLD)
        )
        return wire.Contribution(
            one.signal, LABELS[one.signal], one.points / NANO, one.coverage / NANO, events
        )

    def _type(self, row: Row) -> str:
        return full_type(self.types[row.event]) if row.event in self.types else ""


class _Pointed(Protocol):
    @property
    def points(self) -> Nano: ...


Pointed = TypeVar("Pointed", bound=_Pointed)


def largest(parts: Sequence[Pointed], top: int) -> list[Pointed]:
    """Those with the largest absolute points, the first of equal ones before."""
    chosen = sorted(range(len(parts)), key=lambda i: (-abs(parts[i].points), i))[:top]
    return [parts[i] for i in chosen]
