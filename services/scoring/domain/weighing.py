"""Rows of evidence: `good = weight·x`, `bad = weight·λ·(1-x)`, in integers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.scoring.domain.numbers import mul
from services.scoring.domain.policy import EvidencePolicy, Micro
from services.scoring.domain.types import NANO, Evidence, Nano, Signal
from shared.events.times import Micros

_NANO_PER_MICRO: Final = 1000
_NANO_PER_HUNDREDTH: Final = 10_000_000


def nano(value: Micro) -> Nano:
    """A number of the policy in 10⁻⁹."""
    return value * _NANO_PER_MICRO


class Scale:
    """Weighs experience at one weight: x = 1 is the ideal, λ makes a loss heavier."""

    __slots__ = ("_loss", "weight")

    def __init__(self, policy: EvidencePolicy, weight: Micro) -> None:
        self.weight = nano(weight)
        self._loss = mul(self.weight, nano(policy.loss))

    def good(self, x: Nano) -> Nano:
        return mul(self.weight, x)

    def bad(self, x: Nano) -> Nano:
        return mul(self._loss, NANO - x)

    def row(self, signal: Signal, at: Micros, x: Nano, event: str) -> Evidence:
        return Evidence(signal, at, self.good(x), self.bad(x), event)


def mood(policy: EvidencePolicy, compound: int, at: Micros, event: str) -> Evidence | None:
    """A text that sounds like `compound`/100: good = max(0, c), bad = λ·max(0, -c); None if neutral."""
    if abs(compound) < policy.neutral_text:
        return None
    scale = Scale(policy, policy.masses.text)
    strength = min(abs(compound) * _NANO_PER_HUNDREDTH, NANO)
    if compound > 0:
        return Evidence(Signal.SENTIMENT, at, scale.good(strength), 0, event)
    return Evidence(Signal.SENTIMENT, at, 0, scale.bad(NANO - strength), event)


def told(rows: Iterable[Evidence | None]) -> tuple[Evidence, ...]:
    """Those that say anything, one per signal, time and event, in canonical order (at, event, signal)."""
    sums: dict[tuple[Micros, str, Signal, bool, str], tuple[Nano, Nano]] = {}
    for row in rows:
        if row and (row.good or row.bad):
            key = (row.at, row.event, row.signal, row.open, row.what)
            good, bad = sums.get(key, (0, 0))
            sums[key] = good + row.good, bad + row.bad
    return tuple(
        Evidence(signal, at, good, bad, event, is_open, what)
        for (at, event, signal, is_open, what), (good, bad) in sorted(sums.items())
    )
