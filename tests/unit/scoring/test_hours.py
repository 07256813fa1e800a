"""Working time: weekends, nights, holidays, time zones and their shifts."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.hours import (
    Calendar,
    UnknownZoneError,
    after_working,
    calendar,
    is_working,
    working_us,
    zone,
)
from services.scoring.domain.policy import Hours
from services.scoring.policy_files import shipped
from shared.events.times import DAY, HOUR, MINUTE, from_micros
from tests.unit.scoring.telling import at

OFFICE: Final = Hours(frozenset(range(5)), 9 * 60, 17 * 60)
UTC_OFFICE: Final = Calendar("UTC", OFFICE)
BERLIN: Final = calendar(shipped().evidence, "DACH", None)


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-03-04T09:00:00Z", "2026-03-04T10:30:00Z", 1.5),
        ("2026-03-04T08:00:00Z", "2026-03-04T18:00:00Z", 8),
        ("2026-03-04T17:00:00Z", "2026-03-05T09:00:00Z", 0),  # a night
        ("2026-03-06T16:00:00Z", "2026-03-09T10:00:00Z", 2),  # a weekend
        ("2026-03-07T09:00:00Z", "2026-03-08T17:00:00Z", 0),
        ("2026-03-02T00:00:00Z", "2026-03-16T00:00:00Z", 80),
        ("2026-03-04T12:00:00Z", "2026-03-04T12:00:00Z", 0),
        ("2026-03-04T12:00:00Z", "2026-03-04T10:00:00Z", 0),
    ],
)
def test_working_time(start: str, end: str, hours: float) -> None:
    assert working_us(UTC_OFFICE, at(start), at(end)) == int(hours * HOUR)


def test_any_three_days_hold_at_least_a_working_day() -> None:
    for hour in range(168):
        start = at("2026-03-02T00:30:00Z") + hour * HOUR
        assert working_us(UTC_OFFICE, start, start + 3 * DAY) >= 8 * HOUR


@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-01-07T08:00:00Z", "2026-01-07T09:00:00Z", 1),  # 9 to 10 in winter
        ("2026-07-08T06:30:00Z", "2026-07-08T07:30:00Z", 0.5),  # opens at 7 UTC in summer
        ("2026-03-27T15:00:00Z", "2026-03-30T08:00:00Z", 2),  # over the shift to summer time
        ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z", 0),  # a holiday
        ("2026-04-02T00:00:00Z", "2026-04-07T22:00:00Z", 16),  # Easter
    ],
)
def test_region(start: str, end: str, hours: float) -> None:
    assert working_us(BERLIN, at(start), at(end)) == int(hours * HOUR)


def test_around_the_clock_counts_every_minute() -> None:
    always = calendar(shipped().evidence, "DACH", None, around_the_clock=True)
    assert working_us(always, at("2026-03-07T00:00:00Z"), at("2026-03-08T00:00:00Z")) == DAY
    assert is_working(always, at("2026-03-07T03:00:00Z"))


@pytest.mark.parametrize(
    ("region", "own", "name", "assumed"),
    [
        ("DACH", None, "Europe/Berlin", False),
        ("uk-and ireland", None, "Europe/London", False),
        ("Atlantis", None, "UTC", True),
        (None, None, "UTC", True),
        ("DACH", "Asia/Tokyo", "Asia/Tokyo", False),
        ("DACH", "Europe/Nowhere", "Europe/Berlin", False),
        (None, "America/New_York", "America/New_York", False),
    ],
)
def test_whose_clock(region: str | None, own: str | None, name: str, assumed: bool) -> None:
    found = calendar(shipped().evidence, region, own)
    assert (found.time_zone, found.assumed) == (name, assumed)


@pytest.mark.parametrize(
    "name", ["Europe/Nowhere", "", "../zone.tab", "Europe", "zone.tab", "a\x00b", ".", "x" * 9000]
)
def test_unknown_zone(name: str) -> None:
    with pytest.raises(UnknownZoneError):
        zone(name)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-03-04T10:00:00Z", 2, "2026-03-04T12:00:00Z"),
        ("2026-03-04T16:00:00Z", 2, "2026-03-05T10:00:00Z"),
        ("2026-03-06T18:00:00Z", 8, "2026-03-09T17:00:00Z"),
        ("2026-03-07T12:00:00Z", 1, "2026-03-09T10:00:00Z"),
        ("2026-03-04T10:00:00Z", 0, "2026-03-04T10:00:00Z"),
    ],
)
def test_due(start: str, hours: int, due: str) -> None:
    assert from_micros(after_working(UTC_OFFICE, at(start), hours * HOUR)) == from_micros(at(due))


INSTANTS = st.integers(at("2025-01-01T00:00:00Z"), at("2027-12-31T00:00:00Z"))
CALENDARS = st.sampled_from(
    [
        UTC_OFFICE,
        BERLIN,
        calendar(shipped().evidence, "US West", None),
        calendar(shipped().evidence, None, "Asia/Kolkata"),
        calendar(shipped().evidence, "AU", None),
    ]
)


@given(CALENDARS, INSTANTS, INSTANTS, INSTANTS)
def test_waits_add_up(office: Calendar, a: int, b: int, c: int) -> None:
    first, middle, last = sorted((a, b, c))
    whole = working_us(office, first, last)
    assert working_us(office, first, middle) + working_us(office, middle, last) == whole
    assert 0 <= whole <= last - first


@given(CALENDARS, INSTANTS, st.integers(1, 200 * HOUR // MINUTE))
def test_due_is_the_first_instant_at_which_the_time_has_passed(
    office: Calendar, start: int, minutes: int
) -> None:
    due = after_working(office, start, minutes * MINUTE)
    assert working_us(office, start, due) == minutes * MINUTE
    assert working_us(office, start, due - 1) == minutes * MINUTE - 1
