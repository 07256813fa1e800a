"""Why a score moved between two readings: every change split by cause, exactly.

Start at t0 with what was known then. At t0, each by (time, id): (1) corrected and retracted events, (2)
late ones, which had happened by t0, (3) those that a merge brought or a split took, (4) the policy, (5) the
model. Then walk to t1: (6) advance to the next event's time, cause *time*; apply it, cause *new*; at the end
advance to t1. Neighbouring differences cancel, so the parts sum to the change exactly, they add up over any
cut of the interval, and the order in which events arrived does not enter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from services.scoring.domain.customer import effective
from services.scoring.domain.model import Model
from services.scoring.domain.numbers import NANO
from services.scoring.domain.policy import Policy
from services.scoring.domain.resumed import Resumed, WholePastError
from services.scoring.domain.revisions import key_of
from services.scoring.domain.types import Applied, Nano
from services.scoring.domain.walk import Raw, Walk
from shared.events.scores import Cause, CausePart, ScoreName
from shared.events.times import Micros


class Reading(NamedTuple):
    """With what a score was read."""

    policy: Policy
    model: Model


class Share(NamedTuple):
    """Points (of the risk: log-odds) in 10⁻⁹ that one cause moved one score."""

    score: ScoreName
    cause: Cause
    points: Nano
    events: tuple[str, ...] = ()


def causes(
    before: Sequence[Applied],
    after: Sequence[Applied],
    t0: Micros,
    t1: Micros,
    policy: Policy,
    model: Model,
    *,
    moved: Mapping[str, Cause] | None = None,
    was: Reading | None = None,
) -> tuple[CausePart, ...]:
    """`shares` in the shape that others read."""
    return published(shares(before, after, t0, t1, policy, model, moved=moved, was=was))


def published(found: Iterable[Share]) -> tuple[CausePart, ...]:
    """In the shape of the contract: n/10⁹."""
    return tuple(CausePart(one.score, one.cause, one.points / NANO, one.events) for one in found)


def shares(
    before: Iterable[Applied],
    after: Iterable[Applied],
    t0: Micros,
    t1: Micros,
    policy: Policy,
    model: Model,
    *,
    moved: Mapping[str, Cause] | None = None,
    was: Reading | None = None,
) -> tuple[Share, ...]:
    """What moved each score from `before` read at t0 to `after` read at t1 ≥ t0, none of them 0.

    `before` and `after` are the events known then and now. `moved` names events that came or went because
    customers were merged or split; `was` is what the first reading was made with, if not the same.
    """
    return walked(effective(before), effective(after), t0, t1, policy, model, moved=moved, was=was).shares


class Walked(NamedTuple):
    """What moved the scores, and the walk at its end: there stands all that is to be read at t1."""

    shares: tuple[Share, ...]
    end: Walk


def walked(
    before: Iterable[Applied],
    after: Iterable[Applied],
    t0: Micros,
    t1: Micros,
    policy: Policy,
    model: Model,
    *,
    moved: Mapping[str, Cause] | None = None,
    was: Reading | None = None,
) -> Walked:
    """`shares` of events that are counted already: each once, retracted ones left out, by (time, id)."""
    known = [one for one in before if one.event.at <= t0]
    then = was or Reading(policy, model)
    walk = Walk(known, then.policy, then.model, t0)
    return _to_the_end(walk, known, after, (t0, t1), Reading(policy, model), then, moved or {})


def gone_on(
    walk: Resumed,
    before: Iterable[Applied],
    after: Iterable[Applied],
    t0: Micros,
    t1: Micros,
    policy: Policy,
    model: Model,
) -> Walked | None:
    """`walked` from a walk that stands at t0, under the same policy, with `before` at hand.

    None where only the whole past will do.
    """
    same = Reading(policy, model)
    try:
        return _to_the_end(walk, before, after, (t0, t1), same, same, {})
    except WholePastError:
        return None


def _to_the_end(
    walk: Walk,
    before: Iterable[Applied],
    after: Iterable[Applied],
    span: tuple[Micros, Micros],
    reading: Reading,
    then: Reading,
    moved: Mapping[str, Cause],
) -> Walked:
    t0, t1 = span
    known = {one.event.id: one for one in before}
    wanted = {one.event.id: one for one in after if one.event.at <= t1}
    ledger = _Ledger(walk)
    for cause, old, new in _changes(known, wanted, t0, moved):
        ledger.swap(cause, old, new)
    ledger.switch("policy", reading.policy, then.model)
    ledger.switch("model", reading.policy, reading.model)
    for one in wanted.values():
        if one.event.at > t0:
            ledger.advance(one.event.at)
            ledger.swap("new", None, one)
    ledger.advance(t1)
    return Walked(ledger.shares(), walk)


Swap = tuple[Cause, Applied | None, Applied | None]


def _changes(
    known: Mapping[str, Applied], wanted: Mapping[str, Applied], t0: Micros, moved: Mapping[str, Cause]
) -> list[Swap]:
    """Cases 1 to 3, in this order, each by (time, id)."""
    changed = [
        event_id
        for event_id in known.keys() | wanted.keys()
        if known.get(event_id) != wanted.get(event_id)
        and (event_id in known or wanted[event_id].event.at <= t0)
    ]
    said = {(one.event.source, key_of(one.event)) for one in known.values()} if changed else set()
    ranked: list[tuple[tuple[int, Micros, str], Swap]] = []
    for event_id in changed:
        old, new = known.get(event_id), wanted.get(event_id)
        one = new or old
        if one is None:
            continue
        if event_id in moved:
            rank, cause = 2, moved[event_id]
        elif new is None:
            rank, cause = 0, _RETRACTED
        elif old is not None or (one.event.source, key_of(one.event)) in said:
            rank, cause = 0, _CORRECTED
        else:
            rank, cause = 1, _LATE
        ranked.append(((rank, one.event.at, event_id), (cause, old, new)))
    ranked.sort(key=lambda pair: pair[0])
    return [swap for _, swap in ranked]


_RETRACTED: Cause = "retracted"
_CORRECTED: Cause = "corrected"
_LATE: Cause = "late"


class _Ledger:
    """Walks, and books every difference under its cause."""

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._stands = walk.raw()
        self._booked: dict[tuple[Cause, tuple[str, ...]], Raw] = {}

    def swap(self, cause: Cause, old: Applied | None, new: Applied | None) -> None:
        if old is not None:
            self._walk.take(old)
        if new is not None:
            self._walk.put(new)
        one = new or old
        self._book(cause, (one.event.id,) if one else ())

    def switch(self, cause: Cause, policy: Policy, model: Model) -> None:
        if self._walk.switch(policy, model):
            self._book(cause, ())

    def advance(self, now: Micros) -> None:
        if self._walk.advance(now):
            self._book("time", ())

    def _book(self, cause: Cause, events: tuple[str, ...]) -> None:
        stands = self._walk.raw()
        if stands == self._stands:
            return
        before = self._booked.get((cause, events), Raw(0, 0, 0))
        moved = (b + now - then for b, now, then in zip(before, stands, self._stands, strict=True))
        self._booked[cause, events] = Raw(*moved)
        self._stands = stands

    def shares(self) -> tuple[Share, ...]:
        scores: tuple[ScoreName, ...] = ("health", "relationship", "risk")
        return tuple(
            Share(score, cause, points, events)
            for i, score in enumerate(scores)
            for (cause, events), raw in self._booked.items()
            if (points := raw[i])
        )
