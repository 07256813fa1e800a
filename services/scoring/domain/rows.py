"""Evidence in rows: per signal in canonical order, with the amounts that the sums were made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from services.scoring.domain.decay import hour_of
from services.scoring.domain.lens import Lens
from services.scoring.domain.state import FAST, INDEX, Grid, add_evidence, amount
from services.scoring.domain.totals import open_cells
from services.scoring.domain.types import Evidence, Fold, Nano, Signal
from shared.events.times import Micros


class Row(NamedTuple):
    """Points of one event in one signal. `number` > 1: so many events in one row, named by the weightiest."""

    at: Micros
    event: str
    points: Nano
    open: bool = False
    number: int = 1


class Amounts(NamedTuple):
    """Stored amounts of one event in one signal: slow good and bad, fast good and bad."""

    at: Micros
    event: str
    open: bool
    slow_good: int
    slow_bad: int
    fast_good: int
    fast_bad: int


class Rows:
    """All evidence of a customer by signal, ordered by (at, id); equal (at, id) are one row."""

    def __init__(self, folds: Iterable[Fold], lens: Lens) -> None:
        by_signal: dict[Signal, list[Evidence]] = {}
        for fold in folds:
            for row in fold.evidence:
                by_signal.setdefault(row.signal, []).append(row)
        self.of = {signal: _amounts(signal, rows, lens) for signal, rows in by_signal.items()}

    def sums(self, signal: Signal) -> tuple[int, int]:
        """Slow good and bad of a signal, as in the state with its live episodes."""
        rows = self.of.get(signal, [])
        return sum(row.slow_good for row in rows), sum(row.slow_bad for row in rows)

    def cumulated(self, signal: Signal, points: Callable[[int, int], Nano]) -> tuple[Row, ...]:
        """points_i = R(cum_i) - R(cum_{i-1}) for R = `points` of the cumulated slow sums."""
        told, good, bad, before = [], 0, 0, 0
        for row in self.of.get(signal, []):
            good += row.slow_good
            bad += row.slow_bad
            after = points(good, bad)
            told.append(Row(row.at, row.event, after - before, row.open))
            before = after
        return tuple(told)


def condensed(rows: Sequence[Row], limit: int) -> tuple[Row, ...]:
    """At most `limit` rows: the weightiest in canonical order, then all the others as one row."""
    if len(rows) <= limit:
        return tuple(rows)
    ranked = sorted(range(len(rows)), key=lambda i: (-abs(rows[i].points), i))
    kept = set(ranked[: limit - 1])
    rest = [rows[i] for i in ranked[limit - 1 :]]
    together = rest[0]._replace(
        points=sum(row.points for row in rest),
        open=all(row.open for row in rest),
        number=sum(row.number for row in rest),
    )
    return (*(row for i, row in enumerate(rows) if i in kept), together)


def _amounts(signal: Signal, rows: list[Evidence], lens: Lens) -> list[Amounts]:
    rows.sort(key=_place)
    return [
        _amount(signal, at, event, list(group), lens)
        for (at, event), group in groupby(rows, key=lambda row: (row.at, row.event))
    ]


def _place(row: Evidence) -> tuple[Micros, str]:
    return row.at, row.event


def _amount(signal: Signal, at: Micros, event: str, group: list[Evidence], lens: Lens) -> Amounts:
    if len(group) == 1 and not group[0].open:  # nearly always
        return _settled(group[0], lens.grid)
    cells = open_cells(group, lens)
    add_evidence(cells, [row for row in group if not row.open], lens.grid)
    i = INDEX[signal]
    waits = any(row.open for row in group)
    return Amounts(at, event, waits, cells[i], cells[i + 1], cells[i + FAST], cells[i + FAST + 1])


def _settled(row: Evidence, grid: Grid) -> Amounts:
    """What `add_evidence` adds to the four sums of the row's signal."""
    signal, at, good, bad, event, *_ = row
    i, hour = INDEX[signal] >> 2, hour_of(at)
    slow, fast = grid.slow[i], grid.fast[i]
    return Amounts(
        at,
        event,
        False,
        amount(good, hour, slow) if good and slow else 0,
        amount(bad, hour, slow) if bad and slow else 0,
        amount(good, hour, fast) if good and fast else 0,
        amount(bad, hour, fast) if bad and fast else 0,
    )
