"""The three scores as sums of parts: one per signal, exact, in 10⁻⁹ of the score's unit.

health       = 100·Σ w·m,  m = (G + m0·K)/(G + B + K), so a part is 100·w·(G(1-m0) - B·m0)/(G + B + K)
relationship = 100·Σ w·v,  v = m0 + (1-m0)(1-2^(-s⁺/s_p)) - m0(1-2^(-s⁻/s_p)) on decayed gains and losses
logit risk   = b - Σ θ·(ln(1 + G/(κ·m0)) - ln(1 + B/(κ·(1-m0)))) + changing + intent + renewal

A part has a good and a bad share, each of which its events share in proportion; only health and `trend`
are linear in both at once. A signal without evidence has no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from services.scoring.domain.lens import Lens, Weighed
from services.scoring.domain.numbers import MICRO, NANO, ONE, exp2_neg_raw, ln_raw, logit, rdiv
from services.scoring.domain.state import FAST, INDEX, SLOW
from services.scoring.domain.totals import Totals
from services.scoring.domain.types import Nano, Signal
from shared.events.times import DAY

_WEIGHT = 10**7
"""100 points · w in 10⁻¹² · m0 in 10⁻⁶ → 10⁻⁹: 10² · 10⁹ / 10¹⁸."""
MASSES = (Signal.RENEWAL, Signal.PURCHASE, Signal.ADVOCACY, Signal.BREADTH)


class Shape(StrEnum):
    """How a part is shared among its events."""

    LINEAR = "linear"
    SHARES = "shares"
    TREND = "trend"
    FIRST = "first"
    LAST = "last"
    RENEWAL_DATE = "renewal_date"
    STATED = "stated"


class Part(NamedTuple):
    """Points of one signal. `gain` and `loss` are its two shares where it has any; `weight` in 10⁻¹²."""

    name: str
    shape: Shape
    points: Nano
    coverage: Nano
    signal: Signal | None = None
    gain: Nano = 0
    loss: Nano = 0
    weight: int = 0


class Mean(NamedTuple):
    """A signal of health with evidence: its sums, D = G + B + K, m - m0 and coverage N/(N + κ)."""

    of: Weighed
    good: int
    bad: int
    whole: int
    above: Nano
    coverage: Nano


def signals(totals: Totals, lens: Lens) -> tuple[Weighed, ...]:
    """Of health: adoption counts for customers whose usage is sent."""
    i = INDEX[Signal.ADOPTION]
    return lens.health_usage if totals.cells[i] or totals.cells[i + 1] else lens.health


def mean(m0: int, good: int, bad: int, whole: int) -> Nano:
    """m - m0 in 10⁻⁹, with the whole D = G + B + K fixed: linear in G and B."""
    return rdiv((good * (MICRO - m0) - bad * m0) * 1000, whole)


def health_points(weight: int, m0: int, good: int, bad: int, whole: int) -> Nano:
    """100·w·(G(1-m0) - B·m0)/D with the whole D = G + B + K fixed: linear in G and B."""
    return rdiv(weight * (good * (MICRO - m0) - bad * m0), _WEIGHT * whole)


class Seen(NamedTuple):
    """A signal of health with evidence, and all that is read of its four `cells` through one lens."""

    cells: list[int]
    mean: Mean
    health: Part
    risk: Part
    trend: Nano


def seen(totals: Totals, lens: Lens, earlier: Mapping[str, Seen]) -> dict[str, Seen]:
    """By name, in canonical order; a signal without evidence is left out.

    What was seen `earlier` through the same lens holds for every signal whose sums have not moved since.
    """
    cells, found = totals.cells, {}
    for one in signals(totals, lens):
        i = one.cell
        if cells[i] or cells[i + 1]:
            mine, known = cells[i : i + 4], earlier.get(one.name)
            same = known is not None and known.cells == mine and known.mean.of is one
            found[one.name] = known if known and same else _seen(one, mine, totals, lens)
    return found


def _seen(one: Weighed, cells: list[int], totals: Totals, lens: Lens) -> Seen:
    m0, k = lens.policy.reading.m0, lens.k_slow
    good, bad = cells[SLOW], cells[SLOW + 1]
    whole = good + bad + k
    above, coverage = mean(m0, good, bad, whole), rdiv((good + bad) * NANO, whole)
    points = health_points(one.weight, m0, good, bad, whole)
    gain = -log_share(one.theta, good, k, m0) if good else 0
    loss = log_share(one.theta, bad, k, MICRO - m0) if bad else 0
    fast_good, fast_bad = fast_sums(one.cell, totals, lens)
    fast = mean(m0, fast_good, fast_bad, fast_good + fast_bad + lens.k_fast)
    return Seen(
        cells,
        Mean(one, good, bad, whole, above, coverage),
        Part(one.name, Shape.LINEAR, points, coverage, one.signal, weight=one.weight),
        Part(one.name, Shape.SHARES, gain + loss, coverage, one.signal, gain, loss),
        trend_points(lens.model.trend, one.weight, above, fast),
    )


def relationship_parts(totals: Totals, lens: Lens) -> list[Part]:
    """In canonical order; tenure and cadence are read from the signs of life."""
    k, cells = lens.k_relationship, totals.cells
    parts = []
    seen = rdiv(totals.relationship * NANO, totals.relationship + k)
    if totals.first is not None:
        parts.append(_tenure(totals, lens, seen))
    for signal in MASSES:
        i = INDEX[signal]
        if cells[i] or cells[i + 1]:
            parts.append(_mass(signal, cells[i], cells[i + 1], lens))
    if totals.usual:
        parts.append(_cadence(totals, lens, seen))
    return parts


def _tenure(totals: Totals, lens: Lens, seen: Nano) -> Part:
    reading = lens.policy.reading.relationship
    age = totals.tenure(reading.dormancy_days, lens.now) or 0
    grown = ONE - exp2_neg_raw(age, reading.tau_days * DAY)
    points = _points(reading.weights[Signal.TENURE] * (MICRO - reading.m0), grown)
    return Part(Signal.TENURE.value, Shape.FIRST, points, seen, Signal.TENURE, gain=points)


def mass_shares(signal: Signal, good: int, bad: int, unit: int, lens: Lens) -> tuple[Nano, Nano]:
    """Points of decayed gains and of losses; `unit` is what a mass of 1 is written as in `good` and `bad`."""
    reading = lens.policy.reading.relationship
    per, weight = unit * reading.mass_scale[signal], reading.weights[signal]
    gain = _points(weight * (MICRO - reading.m0), ONE - exp2_neg_raw(good * MICRO, per)) if good else 0
    loss = -_points(weight * reading.m0, ONE - exp2_neg_raw(bad * MICRO, per)) if bad else 0
    return gain, loss


def _mass(signal: Signal, good: int, bad: int, lens: Lens) -> Part:
    gain, loss = mass_shares(signal, good, bad, lens.unit_relationship, lens)
    coverage = rdiv((good + bad) * NANO, good + bad + lens.k_relationship)
    return Part(signal.value, Shape.SHARES, gain + loss, coverage, signal, gain, loss)


def _cadence(totals: Totals, lens: Lens, seen: Nano) -> Part:
    """c = min(1, s_90·h_730/(s_730·h_90)) on active days; what is missing to 1 is a loss."""
    reading, grid = lens.policy.reading.relationship, lens.grid
    recent = totals.recent * lens.unit_relationship * grid.usual_days
    usual = totals.usual * lens.unit_slow * grid.recent_days
    missing = rdiv((usual - recent) * ONE, usual) if recent < usual else 0
    loss = -_points(reading.weights[Signal.CADENCE] * reading.m0, missing)
    return Part(Signal.CADENCE.value, Shape.LAST, loss, seen, Signal.CADENCE, loss=loss)


def _points(weight: int, share: int) -> Nano:
    """100·w·share in 10⁻⁹ for w in 10⁻¹² (weight · m0) and a share in 2⁻⁶⁰."""
    return rdiv(weight * share, 10 * ONE)


def fast_sums(i: int, totals: Totals, lens: Lens) -> tuple[int, int]:
    """Fast good and bad of the cell i. What weighs less than 2⁻⁶⁴ weighs exactly 0, by rule."""
    good, bad = totals.cells[i + FAST], totals.cells[i + FAST + 1]
    if (good + bad).bit_length() + 64 < lens.unit_fast.bit_length():
        return 0, 0
    return good, bad


def trend_points(theta: int, weight: int, slow: Nano, fast: Nano) -> Nano:
    """θ·w·(slow - fast) in log-odds, θ in 10⁻⁶, w in 10⁻¹²: getting better lowers the risk."""
    return rdiv(theta * weight * (slow - fast), 10**18)


def log_share(theta: int, sum_: int, k: int, mean_micro: int) -> Nano:
    """θ·ln(1 + sum/(κ·mean)) in 10⁻⁹."""
    base = k * mean_micro
    return rdiv(theta * ln_raw(base + sum_ * MICRO, base) * 1000, ONE)


def risk_parts(found: Iterable[Seen], totals: Totals, lens: Lens) -> list[Part]:
    """In log-odds, in canonical order; a stated leave lifts the sum to the policy's floor."""
    parts, trend = [], 0
    for one in found:
        parts.append(one.risk)
        trend += one.trend
    if trend:
        parts.append(Part("trend", Shape.TREND, trend, NANO))
    parts.extend(_intent(totals, lens))
    parts.extend(_renewal(lens, totals.renewal_in))
    parts.extend(_floor(totals, lens, parts))
    return parts


def _intent(totals: Totals, lens: Lens) -> list[Part]:
    """Stated and observed intent is kept in log-odds already, so it is simply the decayed sum."""
    bad = totals.cells[INDEX[Signal.INTENT] + 1]
    if not bad:
        return []
    loss = rdiv(bad * NANO, lens.unit_slow)
    return [Part(Signal.INTENT.value, Shape.SHARES, loss, NANO, Signal.INTENT, loss=loss)]


def _floor(totals: Totals, lens: Lens, parts: Iterable[Part]) -> list[Part]:
    if not totals.stated:
        return []
    others = sum(part.points for part in parts)
    lift = logit(lens.policy.reading.risk.cancel_floor * 1000) - lens.model.intercept * 1000 - others
    if lift <= 0:
        return []
    return [Part("stated", Shape.STATED, lift, NANO, Signal.INTENT, loss=lift)]


def _renewal(lens: Lens, renewal_in: int | None) -> list[Part]:
    risk = lens.policy.reading.risk
    window = risk.renewal_days * DAY
    if renewal_in is None or not 0 <= renewal_in < window:
        return []
    points = rdiv(risk.renewal_near * 1000 * (window - renewal_in), window)
    return [Part("renewal_date", Shape.RENEWAL_DATE, points, NANO)] if points else []
