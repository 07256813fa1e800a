"""Changes of the scores as they became known, each split by cause. Pure.

A step lies between two moments at which something was applied. It goes from what was known and read at the
first to what was known and read at the second, so steps join without a gap, and their causes add up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from services.scoring.accounts import causes as account_causes
from services.scoring.domain.decay import LANDMARK
from services.scoring.domain.numbers import NANO
from services.scoring.domain.score import Scores
from services.scoring.engine import Engine
from services.scoring.reads import Moment, Subject
from shared.events.scores import CausePart
from shared.events.times import Micros

SCORES = ("health", "relationship", "risk")


class Step(NamedTuple):
    """`changes`: per score that moved, its values before and after (None: unknown) and its causes."""

    at: Micros
    changes: list[dict[str, Any]]


def steps(subject: Subject, engine: Engine, until: Micros, score: str | None) -> Iterator[Step]:
    """Steps that end at or before `until`, the newest first; the first one by time alone, up to `until`."""
    known = sorted({row.applied_at for one in (subject.own, *subject.people) for row in one.rows})
    moments = [at for at in known if at <= until]
    if moments and moments[-1] < until:
        moments.append(until)
    for i in range(len(moments) - 1, -1, -1):
        since = moments[i - 1] if i else None
        changes = _changes(subject, engine, since, moments[i], score)
        if changes:
            yield Step(moments[i], changes)


def _changes(
    subject: Subject, engine: Engine, since: Micros | None, until: Micros, score: str | None
) -> list[dict[str, Any]]:
    parts = _causes(subject, engine, since, until)
    before = subject.view(engine, Moment(since, since)).scores if since is not None else None
    after = subject.view(engine, Moment(until, until)).scores
    return [
        {
            "score": name,
            "before": _value(before, name),
            "after": _value(after, name),
            "causes": [
                {"cause": p.cause, "points": p.points, "events": list(p.events)}
                for p in parts
                if p.score == name
            ],
        }
        for name in SCORES
        if score in (None, name) and any(part.score == name for part in parts)
    ]


def _causes(subject: Subject, engine: Engine, since: Micros | None, until: Micros) -> tuple[CausePart, ...]:
    now = Moment(until, until)
    if subject.people:
        known = {row.id for row in subject.rows(*Moment(since, since))} if since is not None else set()
        fresh = [row.id for row in subject.rows(*now) if row.id not in known]
        return account_causes(engine, subject, LANDMARK if since is None else since, until, fresh)
    before = [] if since is None else subject.applied(Moment(since, since))
    return engine.causes(before, subject.applied(now), LANDMARK if since is None else since, until)


def _value(scores: Scores | None, name: str) -> float | None:
    value = getattr(scores, name).value if scores else None
    return None if value is None else value / NANO
