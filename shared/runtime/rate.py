"""A token bucket as one number: the generic cell rate algorithm (ITU-T I.371, annex A).

A bucket is the instant at which it will be full again. Nothing refills it and nothing has to be stored for
one that is full, so a bucket costs a float and a call two comparisons.
"""

from __future__ import annotations

from typing import Final, NamedTuple

GRAIN_S: Final = 1e-6
"""Sums of intervals are off by less than this, so the last call of a burst is not lost to rounding."""


class Rate(NamedTuple):
    """`interval_s` seconds per call in the long run; `slack_s`: how far a burst may run ahead of that."""

    interval_s: float
    slack_s: float

    @classmethod
    def of(cls, per_s: float, burst: float) -> Rate:
        """`per_s` calls a second for ever, and `burst` (at least 1) at once."""
        return cls(1.0 / per_s, (max(burst, 1.0) - 1.0) / per_s)


class Taken(NamedTuple):
    """The bucket afterwards, and the seconds until a call would pass (0: this one did)."""

    full_at: float
    wait_s: float


def take(full_at: float, now: float, rate: Rate) -> Taken:
    """One call out of a bucket. `full_at` is -inf, or anything past, for a full one.

    A refused call changes nothing: whoever goes on calling is not kept out the longer for it.
    """
    wait_s = full_at - now - rate.slack_s
    if wait_s > GRAIN_S:
        return Taken(full_at, wait_s)
    return Taken((full_at if full_at > now else now) + rate.interval_s, 0.0)
