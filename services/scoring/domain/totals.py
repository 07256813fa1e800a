"""What is read: the settled sums of a state plus the folds of its live episodes, at one now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.decay import LANDMARK, day_start, hour_of, hour_start
from services.scoring.domain.lens import Lens
from services.scoring.domain.numbers import NANO
from services.scoring.domain.policy import Policy
from services.scoring.domain.relations import champion_left
from services.scoring.domain.state import CELLS, FAST, INDEX, State, add_evidence, amount
from services.scoring.domain.types import Evidence, Fold, Signal
from shared.events.times import DAY, Micros, to_micros

CANCEL_SCHEDULED = "cancel_scheduled"


class Totals:
    """Sums and marks of a customer, ready to be read through one lens. The state itself is left as it is.

    `stated` are open statements that the customer will leave; `first` and `last` bound its signs of life,
    `first` not after the attribute `since`. `renewal_in`: microseconds to the known renewal, None if none.
    """

    __slots__ = (
        "cells",
        "first",
        "health",
        "health_last",
        "last",
        "recent",
        "relationship",
        "relationship_last",
        "renewal_in",
        "respondents",
        "since",
        "stated",
        "usual",
    )

    def __init__(self, state: State, live: Sequence[Fold], attributes: Attributes, lens: Lens) -> None:
        self.cells = state.cells
        self.health = state.health
        self.relationship = state.relationship
        self.recent = state.recent
        self.usual = state.usual
        self.stated: tuple[Evidence, ...] = ()
        self.respondents = len(state.respondents)
        self.first = hour_start(min(state.firsts)) if state.firsts else None
        self.last = day_start(max(state.days) + 1) if state.days else None
        self.health_last = hour_start(max(state.health_marks)) if state.health_marks else None
        self.relationship_last = (
            hour_start(max(state.relationship_marks)) if state.relationship_marks else None
        )
        folds = [*live, *beside(attributes, lens.policy, lens.now)]
        if folds:
            self._overlay(state, folds, lens)
        self.since: Micros | None = None
        since = instant(attributes.at("since", lens.now))
        if since is not None and since <= lens.now:
            self.since = max(since, LANDMARK)
            self.first = self.since if self.first is None else min(self.since, self.first)
        renewal = instant(attributes.at("renewal_at", lens.now))
        self.renewal_in = None if renewal is None or renewal < lens.now else renewal - lens.now

    def _overlay(self, state: State, live: Sequence[Fold], lens: Lens) -> None:
        self.cells = list(state.cells)
        days: set[int] = set()
        leaves: set[str] = set()
        for fold in live:
            add_evidence(self.cells, (row for row in fold.evidence if not row.open), lens.grid)
            days.update(fold.days)
            leaves.update(fold.respondents)
            self._marks(fold, lens)
        rows = [row for fold in live for row in fold.evidence if row.open]
        self.cells = [a + b for a, b in zip(self.cells, open_cells(rows, lens), strict=True)]
        self.stated = tuple(r for r in rows if r.signal is Signal.INTENT and r.what == CANCEL_SCHEDULED)
        for day in days.difference(state.days):
            self.recent += amount(NANO, 24 * day, lens.grid.recent_days)
            self.usual += amount(NANO, 24 * day, lens.grid.usual_days)
            self.last = max(self.last or 0, day_start(day + 1))
        self.respondents += len(leaves.difference(state.respondents))

    def _marks(self, fold: Fold, lens: Lens) -> None:
        if fold.health_at is not None:
            hour = hour_of(fold.health_at)
            self.health += amount(NANO, hour, lens.grid.health_evidence)
            self.health_last = max(self.health_last or 0, hour_start(hour))
        if fold.relationship_at is not None:
            hour = hour_of(fold.relationship_at)
            self.relationship += amount(NANO, hour, lens.grid.relationship_evidence)
            self.relationship_last = max(self.relationship_last or 0, hour_start(hour))
        if fold.first is not None:
            first = hour_start(hour_of(fold.first))
            self.first = first if self.first is None else min(self.first, first)

    def tenure(self, dormancy_days: int, now: Micros) -> Micros | None:
        """How long the customer has been one, until dormancy after the last sign of life; None: never."""
        if self.first is None:
            return None
        end = min(now, (self.first if self.last is None else self.last) + dormancy_days * DAY)
        return max(end - self.first, 0)


def beside(attributes: Attributes, policy: Policy, now: Micros) -> tuple[Fold, ...]:
    """What a customer's attributes say by themselves: a champion who left belongs to no episode."""
    row = champion_left(attributes, policy.evidence, now)
    return (Fold((row,)),) if row else ()


def instant(value: str | int | None) -> Micros | None:
    """A date or an instant of ISO 8601 (without offset: UTC); None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return to_micros(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def open_cells(rows: Iterable[Evidence], lens: Lens) -> list[int]:
    """Sums of what is open: while the customer waits, the loss stands as if it had happened just now."""
    cells = [0] * CELLS
    for row in rows:
        if row.open:
            i = INDEX[row.signal]
            for cell, nano in ((i, row.good), (i + 1, row.bad)):
                slow, fast = undecayed(row.signal, nano, lens)
                cells[cell] += slow
                cells[cell + FAST] += fast
    return cells


def undecayed(signal: Signal, nano: int, lens: Lens) -> tuple[int, int]:
    """Slow and fast stored amount of `nano` at this very instant."""
    i = INDEX[signal] >> 2
    slow = lens.unit_slow if lens.grid.slow[i] == lens.grid.health_evidence else lens.unit_relationship
    return nano * slow // NANO, nano * lens.unit_fast // NANO if lens.grid.fast[i] else 0
