"""The token bucket that is one number, against a bucket that counts tokens."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.rate import Rate, take

FULL = float("-inf")


def test_a_burst_and_then_the_rate() -> None:
    rate, full_at = Rate.of(per_s=2, burst=3), FULL
    waits = []
    for now in (0.0, 0.0, 0.0, 0.0, 0.25, 0.5, 0.5, 100.0, 100.0, 100.0, 100.0):
        full_at, wait_s = take(full_at, now, rate)
        waits.append(wait_s)
    assert waits == [0, 0, 0, 0.5, 0.25, 0, 0.5, 0, 0, 0, 0.5]


def test_a_refused_call_costs_nothing_and_its_wait_is_exact() -> None:
    rate = Rate.of(per_s=1, burst=1)
    full_at, _ = take(FULL, 10.0, rate)
    for _ in range(1000):
        full_at, wait_s = take(full_at, 10.5, rate)
        assert wait_s == 0.5
    assert take(full_at, 11.0, rate).wait_s == 0


def test_a_clock_that_goes_back_gives_nothing_away_and_takes_nothing() -> None:
    rate = Rate.of(per_s=1, burst=2)
    full_at = take(take(FULL, 10.0, rate).full_at, 10.0, rate).full_at
    assert take(full_at, 5.0, rate) == (full_at, 6.0)
    assert take(full_at, 11.0, rate).wait_s == 0


@pytest.mark.parametrize("burst", [0, 0.5, 1])
def test_the_smallest_burst_is_one(burst: float) -> None:
    rate = Rate.of(1, burst)
    full_at, wait_s = take(FULL, 0.0, rate)
    assert wait_s == 0
    assert take(full_at, 0.5, rate).wait_s == 0.5


@given(
    per_s=st.sampled_from([1, 2, 4, 8]),
    burst=st.integers(1, 20),
    steps=st.lists(st.integers(0, 64), min_size=1, max_size=200),
)
def test_it_is_a_bucket_of_tokens(per_s: int, burst: int, steps: list[int]) -> None:
    """Times and rates are dyadic, so floats are exact and the comparison is too."""
    rate, full_at = Rate.of(per_s, burst), FULL
    tokens, now = Fraction(burst), Fraction(0)
    for step in steps:
        passed = Fraction(step, 64)
        now += passed
        tokens = min(Fraction(burst), tokens + passed * per_s)
        full_at, wait_s = take(full_at, float(now), rate)
        if tokens >= 1:
            assert wait_s == 0
            tokens -= 1
        else:
            assert Fraction(wait_s) == (1 - tokens) / per_s
