"""Why a score is what it is: rows per event that sum exactly to the signal, signals that sum to the score.

Rows of a signal stand in canonical order (at, id); points_i = R(cum_i) - R(cum_{i-1}), where R is the
signal's points at the cumulated sums, rounded once: exact, without a residual. Across signals this is the
exact Shapley value of the score; within one signal it is a share in proportion to what the event weighs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.customer import Customer
from services.scoring.domain.decay import LANDMARK
from services.scoring.domain.explanation import Explained, Explanation, Why, largest
from services.scoring.domain.lens import Lens
from services.scoring.domain.model import Model
from services.scoring.domain.numbers import rdiv
from services.scoring.domain.parts import Mean, Part, Shape, health_points
from services.scoring.domain.policy import Policy
from services.scoring.domain.rows import Row, Rows
from services.scoring.domain.score import Summed, read, summed
from services.scoring.domain.totals import Totals, beside
from services.scoring.domain.trend import trend_rows
from services.scoring.domain.types import Fold, Nano, Signal
from shared.events.times import Micros


def explain(customer: Customer, policy: Policy, model: Model, now: Micros) -> Explanation:
    """Explain a customer that was folded at `now` under the same policy."""
    folds = [customer.folds[key] for key in customer.episodes]
    live = [fold for fold in folds if fold.live]
    return explain_summed(
        summed(customer.state, live, customer.attributes, policy, model, now), folds, customer.attributes
    )


def explain_summed(
    whole: Summed, folds: Sequence[Fold], attributes: Attributes, top: int | None = None
) -> Explanation:
    """The same of what was summed up already; for an account `folds` are those of all its people.

    With `top`, only of so many parts of each score, those with the largest absolute points.
    """
    view, totals, sums = whole
    scores = read(whole)
    rows = Rows((*folds, *beside(attributes, view.policy, view.now)), view)
    first, last = _ends(folds)
    named = {
        "first": first,
        "last": last,
        "since": _fact(attributes, "since", view),
        "renewal": _fact(attributes, "renewal_at", view),
    }
    found = {mean.of.signal: mean for mean in sums.means}

    def shares(parts: Iterable[Part]) -> tuple[Explained, ...]:
        return tuple(
            Explained(part.name, part.points, part.coverage, _rows(part, rows, totals, view, found, named))
            for part in (parts if top is None else largest(list(parts), top))
        )

    return Explanation(
        Why(scores.health, sums.health_baseline, scores.health.raw, "points", shares(sums.health)),
        Why(
            scores.relationship,
            sums.relationship_baseline,
            scores.relationship.raw,
            "points",
            shares(sums.relationship),
        ),
        Why(scores.risk, sums.risk_baseline, scores.log_odds, "log_odds", shares(sums.risk)),
        _types(folds, rows, named),
    )


Named = tuple[Micros, str]


def _types(folds: Sequence[Fold], rows: Rows, named: Mapping[str, Named | None]) -> dict[str, str]:
    """Types of all events that rows may name; what belongs to no episode is an attribute somebody told."""
    loose = {event for _, event in filter(None, named.values())}
    loose |= {row.event for group in rows.of.values() for row in group}
    types = dict.fromkeys(loose, "customer.identified")
    for fold in folds:
        types.update(fold.types)
    return types


def _rows(
    part: Part,
    rows: Rows,
    totals: Totals,
    view: Lens,
    found: Mapping[Signal, Mean],
    named: Mapping[str, Named | None],
) -> tuple[Row, ...]:
    """The events of one part, by its shape."""
    m0 = view.policy.reading.m0
    if part.shape is Shape.LINEAR and part.signal:
        whole = found[part.signal].whole
        return rows.cumulated(part.signal, lambda g, b: health_points(part.weight, m0, g, b, whole))
    if part.shape is Shape.SHARES and part.signal:
        return rows.cumulated(part.signal, _in_proportion(part, *rows.sums(part.signal)))
    if part.shape is Shape.TREND:
        return trend_rows(rows, totals, view, found)
    if part.shape is Shape.STATED:
        return _equal(part.points, sorted((row.at, row.event) for row in totals.stated))
    if part.shape is Shape.FIRST:
        # Without an event of its own tenure comes from the attribute that says since when.
        earlier = named["since"] if _since_counts(totals, named) else None
        return _one(part.points, earlier or named["first"])
    return _one(part.points, named["last" if part.shape is Shape.LAST else "renewal"])


def _since_counts(totals: Totals, named: Mapping[str, Named | None]) -> bool:
    first = named["first"]
    return first is None or (totals.first is not None and totals.since == totals.first)


def _in_proportion(part: Part, good: int, bad: int) -> Callable[[int, int], Nano]:
    """The good share among good evidence, the bad one among bad: a good event never adds to the bad."""

    def at(cum_good: int, cum_bad: int) -> Nano:
        gain = rdiv(part.gain * cum_good, good) if good else 0
        return gain + (rdiv(part.loss * cum_bad, bad) if bad else 0)

    return at


def _equal(points: Nano, events: Sequence[Named]) -> tuple[Row, ...]:
    """Equal shares of equal statements."""
    n = len(events)
    return tuple(
        Row(at, event, rdiv(points * (i + 1), n) - rdiv(points * i, n), open=True)
        for i, (at, event) in enumerate(events)
    )


def _one(points: Nano, event: Named | None) -> tuple[Row, ...]:
    at, name = event or (LANDMARK, "")
    return (Row(at, name, points),)


def _fact(attributes: Attributes, field: str, view: Lens) -> Named | None:
    fact = attributes.fact(field, view.now)
    return (fact.at, fact.event) if fact else None


def _ends(folds: Sequence[Fold]) -> tuple[Named | None, Named | None]:
    """The events of the first and the last sign of life."""
    firsts = [(fold.first, fold.first_event or "") for fold in folds if fold.first is not None]
    lasts = [(fold.last, fold.last_event or "") for fold in folds if fold.last is not None]
    return min(firsts, default=None), max(lasts, default=None)
