"""Forward decay: what is stored never changes, and reads back as the amount times 2^(-age/h)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.decay import (
    LANDMARK,
    TooEarlyError,
    day_start,
    hour_of,
    hour_start,
    mantissas,
    prior,
    scale,
    stored,
)
from services.scoring.domain.numbers import NANO, ONE, exp2_neg, rdiv
from shared.events.times import DAY, HOUR

HALF_LIVES = st.sampled_from([24, 336, 2160, 17520])
HOURS = st.integers(0, 60 * 8766)


@given(st.integers(0, 10 * NANO), HOURS, st.integers(0, 20 * 8766), HALF_LIVES)
def test_reads_back_decayed(nano: int, hour: int, age: int, half_life: int) -> None:
    unit = scale(hour_start(hour + age), half_life)
    read = rdiv(stored(nano, hour, half_life) * NANO, unit)
    assert abs(read - rdiv(nano * exp2_neg(age, half_life), NANO)) <= 6


@given(st.integers(0, 10 * NANO), HOURS, HALF_LIVES)
def test_a_half_life_later_counts_exactly_twice(nano: int, hour: int, half_life: int) -> None:
    assert stored(nano, hour + half_life, half_life) == 2 * stored(nano, hour, half_life)


def test_decay_starts_at_the_full_hour() -> None:
    assert hour_of(LANDMARK + 5 * HOUR + 59 * 60_000_000) == 5
    assert hour_start(5) == LANDMARK + 5 * HOUR
    assert day_start(3) == LANDMARK + 3 * DAY


def test_deadlines_before_the_landmark_count_from_it() -> None:
    assert hour_of(LANDMARK - 400 * DAY) == 0


def test_nothing_is_read_before_the_landmark() -> None:
    with pytest.raises(TooEarlyError):
        scale(LANDMARK - 1, 24)


def test_table_and_prior() -> None:
    assert mantissas(24)[0] == ONE
    assert len(mantissas(24)) == 24
    assert all(a < b < 2 * ONE for a, b in zip(mantissas(24), mantissas(24)[1:], strict=False))
    assert prior(2_000_000, LANDMARK, 24) == 2 * ONE
    assert prior(500_000, LANDMARK + 24 * HOUR, 24) == ONE
