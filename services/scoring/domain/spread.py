"""How uncertain the scores are: standard deviations in the scores' own units, 10⁻⁹.

A signal's mean is read as that of a beta distribution with N + κ pieces of evidence, so its variance is
m(1-m)/(N + κ + 1); signals are taken as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from services.scoring.domain.lens import Lens, Weighed
from services.scoring.domain.numbers import MICRO, NANO, mul, rdiv
from services.scoring.domain.parts import Mean, Part
from services.scoring.domain.types import Nano


def health_sd(found: Sequence[Mean], signals: Sequence[Weighed], lens: Lens) -> Nano:
    """100·√(Σ w²·m(1-m)/(N + κ + 1)), in points."""
    m0, unit = lens.policy.reading.m0 * 1000, lens.unit_slow
    variance = sum([one.variance for one in signals]) - sum([one.of.variance for one in found])
    for one, _, _, whole, above, _ in found:
        m = m0 + above
        variance += one.weight * one.weight * m * (NANO - m) * unit // (whole + unit)
    return isqrt(variance) // 10**10  # the root is in 10⁻¹²·10⁻⁹; with 100 points that is 10⁻¹⁹


def risk_sd(found: Sequence[Mean], signals: Sequence[Weighed], lens: Lens, risk: Nano) -> Nano:
    """p(1-p)·√(Σ θ²/(m(1-m)(N + κ + 1))): carried through the logistic function (delta method)."""
    m0, unit = lens.policy.reading.m0 * 1000, lens.unit_slow
    variance = sum([one.risk_variance for one in signals]) - sum([one.of.risk_variance for one in found])
    for one, _, _, whole, above, _ in found:
        inside = max((m0 + above) * (NANO - m0 - above), 1)
        # θ² in 10⁻¹² over m(1-m) in 10⁻¹⁸, times 10¹⁸ so that the root is in 10⁻⁹: 10²⁴.
        variance += one.theta * one.theta * 10**24 * unit // (inside * (whole + unit))
    return mul(mul(risk, NANO - risk), isqrt(variance))


def relationship_sd(parts: Sequence[Part], lens: Lens) -> Nano:
    """The same for the relationship, in points; tenure and cadence stand on all its evidence."""
    reading, kappa = lens.policy.reading.relationship, lens.policy.reading.kappa * 1000
    found = {part.signal: part for part in parts}
    variance = 0
    for signal, weight in reading.weights.items():
        part = found.get(signal)
        m, left = reading.m0 * 1000, NANO
        if part is not None and weight:
            m = min(max(m + rdiv(part.points * MICRO, 100 * weight), 0), NANO)
            left = NANO - part.coverage
        # 1/(N + κ + 1) = c/(κ + c) with c = κ/(N + κ) = 1 - coverage
        variance += weight * weight * m * (NANO - m) * left // (kappa + left)
    return isqrt(variance) // 10**4
