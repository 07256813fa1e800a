"""Exact forward decay: a stored amount never changes, so sums commute, in integers to the bit.

Forward decay (Cormode, Shkapenyuk, Srivastava, Xu: "Forward decay", ICDE 2009) with g(n) = 2^(n/h):
with the landmark L, an amount of the time t is kept as amount · 2^((t - L)/h) and compared at the time
of reading with 2^((now - L)/h). The stored side is never scaled down; at reading the prior is scaled up.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from services.scoring.domain.numbers import MICRO, NANO, exp2_mantissa
from shared.events.times import DAY, HOUR, Micros

LANDMARK: Final[Micros] = 946_684_800_000_000
"""2000-01-01T00:00:00Z. Nothing older can be weighed."""


class TooEarlyError(ValueError):
    """An instant before 2000-01-01: forward decay starts there."""


def hour_of(at: Micros) -> int:
    """Full hours since 2000-01-01 UTC; decay starts at the full hour of an event.

    Earlier dates (a deadline that a sender wrote, no event) count from the landmark: they weigh next to
    nothing either way.
    """
    return max((at - LANDMARK) // HOUR, 0)


def hour_start(hour: int) -> Micros:
    """The inverse of `hour_of`: the first instant of the hour."""
    return LANDMARK + hour * HOUR


def day_start(day: int) -> Micros:
    """The first instant of a day counted since 2000-01-01 UTC."""
    return LANDMARK + day * DAY


@lru_cache(maxsize=32)
def mantissas(half_life_h: int) -> tuple[int, ...]:
    """2^(r/h) in 2⁻⁶⁰ for r = 0 … h-1 hours: the whole look-up table of one half-life."""
    return tuple(exp2_mantissa(r, half_life_h) for r in range(half_life_h))


def stored(nano: int, hour: int, half_life_h: int) -> int:
    """The integer that is summed up for `nano` (10⁻⁹ of weight) at the full hour `hour`.

    a = round(amount · 2^(r/h) · 2⁶⁰) << k with (k, r) = divmod(hour, h).
    """
    k, r = divmod(hour, half_life_h)
    return ((nano * mantissas(half_life_h)[r] + NANO // 2) // NANO) << k


@lru_cache(maxsize=4096)
def scale(now: Micros, half_life_h: int) -> int:
    """2^((now - L)/h) · 2⁶⁰: what an amount of 1 at this very instant would be stored as."""
    if now < LANDMARK:
        raise TooEarlyError("before 2000-01-01")
    period = half_life_h * HOUR
    k, r = divmod(now - LANDMARK, period)
    return exp2_mantissa(r, period) << k


def prior(kappa_micro: int, now: Micros, half_life_h: int) -> int:
    """K = round(κ · 2^((now - L)/h) · 2⁶⁰), the weight of the ideal's mean beside the stored sums."""
    return (kappa_micro * scale(now, half_life_h) + MICRO // 2) // MICRO
