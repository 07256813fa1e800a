"""The rows of `fast - slow`: which events make the last two weeks differ from the last quarter."""

from __future__ import annotations

from collections.abc import Mapping

from services.scoring.domain.lens import Lens
from services.scoring.domain.parts import Mean, fast_sums, mean, trend_points
from services.scoring.domain.rows import Amounts, Row, Rows
from services.scoring.domain.totals import Totals
from services.scoring.domain.types import Nano, Signal
from shared.events.times import Micros


def trend_rows(rows: Rows, totals: Totals, lens: Lens, found: Mapping[Signal, Mean]) -> tuple[Row, ...]:
    """Linear per signal, so exact; what an event adds in several signals is one row."""
    together: dict[tuple[Micros, str], Row] = {}
    for signal, one in found.items():
        for row in _of_signal(rows.of.get(signal, []), one, totals, lens):
            key = (row.at, row.event)
            other = together.get(key)
            together[key] = (
                row
                if other is None
                else row._replace(points=row.points + other.points, open=row.open or other.open)
            )
    return tuple(together[key] for key in sorted(together))


def _of_signal(amounts: list[Amounts], one: Mean, totals: Totals, lens: Lens) -> list[Row]:
    m0, theta = lens.policy.reading.m0, lens.model.trend
    fast_good, fast_bad = fast_sums(one.of.cell, totals, lens)
    whole = fast_good + fast_bad + lens.k_fast
    counts = bool(fast_good or fast_bad)
    good = bad = quick_good = quick_bad = 0
    before: Nano = 0
    told = []
    for row in amounts:
        good += row.slow_good
        bad += row.slow_bad
        if counts:
            quick_good += row.fast_good
            quick_bad += row.fast_bad
        after = trend_points(
            theta, one.of.weight, mean(m0, good, bad, one.whole), mean(m0, quick_good, quick_bad, whole)
        )
        told.append(Row(row.at, row.event, after - before, row.open))
        before = after
    return told
