"""Stories told in events: short words for tests of the scoring domain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.customer import fold_all
from services.scoring.domain.episode import build, episode_key, fold
from services.scoring.domain.model import day_zero
from services.scoring.domain.policy import Policy
from services.scoring.domain.score import Scores, score
from services.scoring.domain.types import Applied, Episode, Evidence, Fold, Signal, TextFeature
from services.scoring.policy_files import shipped
from shared.events import BODIES, Event
from shared.events.bodies import Body
from shared.events.times import Micros, parse_instant, to_micros

__all__ = ["NOW", "Teller", "at", "fold_of", "rows_of", "scores_of", "shipped"]

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
_ENVELOPE = frozenset(Event.__struct_fields__) - {"source", "type", "time", "body"}


def at(text: str) -> Micros:
    """`2026-03-04T09:30:00Z` in microseconds."""
    return to_micros(parse_instant(text))


class Teller:
    """Tells events, hours before `now`; ids count up in the order of telling."""

    def __init__(self, now: datetime = NOW, person: str = "user:ann", source: str = "/sources/desk") -> None:
        self.now = now
        self.person = person
        self.source = source
        self.events: list[Applied] = []

    def say(self, kind: str, ago_h: float, /, mood: int | None = None, **fields: Any) -> Applied:  # noqa: ANN401
        """An event of type `kind` with the fields of its body and envelope; remembered and given back."""
        body_type: type[Body] = BODIES[kind]
        time = self.now - timedelta(hours=ago_h)
        beside = [k for k in fields if k in _ENVELOPE and k not in body_type.__struct_fields__]
        envelope = {k: fields.pop(k) for k in beside}
        event = Event(
            id=envelope.pop("id", None) or f"e{len(self.events):03d}",
            source=self.source,
            type=kind,
            time=time,
            body=body_type(**fields),
            **{"recorded": time, "identifiers": (self.person,), **envelope},
        )
        one = Applied(event, None if mood is None else TextFeature(mood, "test"))
        self.events.append(one)
        return one

    def fold(self, policy: Policy | None = None, now: datetime | None = None) -> Fold:
        """The fold of all that was told, which must be one episode."""
        return fold_of(self.events, policy, now or self.now)

    def scores(self, now: datetime | None = None) -> Scores:
        return scores_of(self.events, now or self.now)


def episode_of(told: Sequence[Applied]) -> Episode:
    keys = {key for one in told if (key := episode_key(one.event))}
    assert len(keys) == 1, keys
    return build(keys.pop(), [one for one in told if episode_key(one.event)])


def fold_of(told: Sequence[Applied], policy: Policy | None = None, now: datetime = NOW) -> Fold:
    attributes = Attributes.of(one.event for one in told)
    return fold(episode_of(told), attributes, policy or shipped(), to_micros(now))


def rows_of(folded: Fold, signal: Signal) -> list[Evidence]:
    return [row for row in folded.evidence if row.signal == signal]


def scores_of(told: Sequence[Applied], now: datetime = NOW) -> Scores:
    policy = shipped()
    known = [one for one in told if one.event.at <= to_micros(now)]
    customer = fold_all(known, policy, to_micros(now))
    return score(customer.state, customer.live, customer.attributes, policy, day_zero(policy), to_micros(now))
