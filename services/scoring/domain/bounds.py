"""Bounds of the three scores over an interval in which nothing happens.

m rises in G and falls in B, settled sums fall with time and the loss of an open wait grows, so the
masses at the two ends of an interval bound every mass, and with it every score, in between:

1. settled sums lie between those at the end and those at the start;
2. what is open lies between that at the start and that at the end (a live fold must keep its form);
3. tenure grows, cadence falls, the nearness of the renewal grows: their ends are their bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.lens import Lens, Weighed
from services.scoring.domain.numbers import MICRO, NANO, ONE, logistic, logit
from services.scoring.domain.parts import (
    MASSES,
    Shape,
    health_points,
    log_share,
    mass_shares,
    mean,
    trend_points,
)
from services.scoring.domain.score import Scores, Summed, Sums, read, sums_of
from services.scoring.domain.state import CELLS, FAST, INDEX, State
from services.scoring.domain.totals import Totals, open_cells
from services.scoring.domain.types import Fold, Nano, Signal

_SLACK = 2
"""Added outward to every bound, in 10⁻⁹ a part: masses are rounded down to 2⁻⁶⁰, points to 10⁻⁹."""


class Range(NamedTuple):
    low: int
    high: int


class End(NamedTuple):
    """One end of an interval: the masses as fixed point 2⁻⁶⁰, settled and open apart, and the scores."""

    settled: list[int]
    opened: list[int]
    totals: Totals
    lens: Lens
    sums: Sums
    scores: Scores


def end(state: State, live: Sequence[Fold], attributes: Attributes, lens: Lens) -> End:
    """All that the bounds need of one instant."""
    totals = Totals(state, live, attributes, lens)
    opened = open_cells((row for fold in live for row in fold.evidence), lens)
    units, sums = _units(lens), sums_of(totals, lens)
    return End(
        [(cell - open_) * ONE // unit for cell, open_, unit in zip(totals.cells, opened, units, strict=True)],
        [open_ * ONE // unit for open_, unit in zip(opened, units, strict=True)],
        totals,
        lens,
        sums,
        read(Summed(lens, totals, sums)),
    )


def health_bounds(start: End, stop: End) -> Range:
    m0, k, masses = start.lens.policy.reading.m0, _kappa(start), _masses(start, stop)
    low = high = start.sums.health_baseline
    for one in _signals(start):
        good, bad = masses[one.cell], masses[one.cell + 1]
        low += health_points(one.weight, m0, good.low, bad.high, good.low + bad.high + k) - _SLACK
        high += health_points(one.weight, m0, good.high, bad.low, good.high + bad.low + k) + _SLACK
    return Range(low, high)


def relationship_bounds(start: End, stop: End) -> Range:
    masses, low = _masses(start, stop), start.sums.relationship_baseline
    high = low
    for signal in MASSES:
        good, bad = masses[INDEX[signal]], masses[INDEX[signal] + 1]
        low += sum(mass_shares(signal, good.low, bad.high, ONE, start.lens)) - _SLACK
        high += sum(mass_shares(signal, good.high, bad.low, ONE, start.lens)) + _SLACK
    for signal in (Signal.TENURE, Signal.CADENCE):
        ends = [
            sum(part.points for part in one.sums.relationship if part.signal is signal)
            for one in (start, stop)
        ]
        low += min(ends)
        high += max(ends)
    return Range(low, high)


def risk_bounds(start: End, stop: End) -> Range:
    """Of the probability. Better masses lower the log-odds, except for `trend`, which is bounded apart."""
    m0, k, masses = start.lens.policy.reading.m0, _kappa(start), _masses(start, stop)
    trend = start.lens.model.trend
    low = high = start.lens.model.intercept * 1000
    for one in _signals(start):
        good, bad = masses[one.cell], masses[one.cell + 1]
        low += log_share(one.theta, bad.low, k, MICRO - m0) - log_share(one.theta, good.high, k, m0) - _SLACK
        high += log_share(one.theta, bad.high, k, MICRO - m0) - log_share(one.theta, good.low, k, m0) + _SLACK
        slow = _mean(m0, k, good, bad)
        fast = _mean(m0, k, masses[one.cell + FAST], masses[one.cell + FAST + 1])
        changes = [trend_points(trend, one.weight, a, b) for a in slow for b in fast]
        low += min(changes) - _SLACK
        high += max(changes) + _SLACK
    nearness = [sum(p.points for p in e.sums.risk if p.shape is Shape.RENEWAL_DATE) for e in (start, stop)]
    intent = masses[INDEX[Signal.INTENT] + 1]
    low += min(nearness) + intent.low * NANO // ONE - _SLACK
    high += max(nearness) + intent.high * NANO // ONE + _SLACK
    if start.totals.stated:
        floor = logit(start.lens.policy.reading.risk.cancel_floor * 1000)
        low, high = max(low, floor), max(high, floor)
    return Range(logistic(low) - _SLACK, logistic(high) + _SLACK)


def _signals(one: End) -> tuple[Weighed, ...]:
    i = INDEX[Signal.ADOPTION]
    used = one.totals.cells[i] or one.totals.cells[i + 1]
    return one.lens.health_usage if used else one.lens.health


def _kappa(one: End) -> int:
    return one.lens.policy.reading.kappa * ONE // MICRO


def _mean(m0: int, k: int, good: Range, bad: Range) -> tuple[Nano, Nano]:
    return (
        mean(m0, good.low, bad.high, good.low + bad.high + k),
        mean(m0, good.high, bad.low, good.high + bad.low + k),
    )


def _masses(start: End, stop: End) -> list[Range]:
    """Least and greatest of every cell between two ends, rounded outward."""
    ranges = []
    for i in range(CELLS):
        settled = (start.settled[i], stop.settled[i])
        opened = (start.opened[i], stop.opened[i])
        ranges.append(Range(max(min(settled) + min(opened) - 1, 0), max(settled) + max(opened) + 2))
    return ranges


def _units(lens: Lens) -> list[int]:
    units = []
    for i in range(CELLS):
        slow = lens.grid.slow[i >> 2]
        unit = lens.unit_slow if slow == lens.grid.health_evidence else lens.unit_relationship
        units.append(lens.unit_fast if i & FAST else unit)
    return units
