"""Working time: how long somebody waited, as people who keep office hours count it.

Exact in microseconds. Each working day counts its full length by the local wall clock; the shifts of
daylight saving time lie outside any sensible working hours, so wall clock and elapsed time agree there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from services.scoring.domain.policy import EvidencePolicy, Hours, Region
from shared.events.times import DAY, MINUTE, SECOND, Micros, from_micros

UTC_NAME: Final = "UTC"
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_QUARTER: Final = 15 * MINUTE
_FAR_DAYS: Final = 4000  # a promise is kept or broken within ten years


class UnknownZoneError(ValueError):
    """The text names no time zone of the pinned database."""


class Calendar(NamedTuple):
    """Whose working time is counted. `assumed`: nobody said where the customer is, so UTC is taken.

    `hours` None: around the clock. `holidays` are proleptic ordinals, ascending, of working weekdays alone.
    """

    time_zone: str
    hours: Hours | None
    holidays: Sequence[int] = ()
    assumed: bool = False


@lru_cache(maxsize=700)
def zone(name: str) -> ZoneInfo:
    """From the pinned package `tzdata`, never from the machine, whose database may be another."""
    try:
        *folders, last = name.split("/")
        with resources.files(".".join(["tzdata.zoneinfo", *folders])).joinpath(last).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError, ImportError, AttributeError) as error:
        raise UnknownZoneError("unknown time zone") from error


def calendar(
    policy: EvidencePolicy, region: str | None, time_zone: str | None, *, around_the_clock: bool = False
) -> Calendar:
    """The calendar in force for a customer: an own time zone, else the region's, else UTC, assumed."""
    known: Region | None = policy.region(region)
    name = time_zone if time_zone and _exists(time_zone) else (known.time_zone if known else None)
    holidays = policy.holidays.get(known.holidays, ()) if known and known.holidays else ()
    return Calendar(
        name or UTC_NAME, None if around_the_clock else policy.hours, holidays, assumed=name is None
    )


@lru_cache(maxsize=4096)
def _exists(name: str) -> bool:
    try:
        zone(name)
    except UnknownZoneError:
        return False
    return True


def working_us(calendar: Calendar, start: Micros, end: Micros) -> Micros:
    """Working time from `start` to `end`; 0 when the end is not later."""
    if end <= start:
        return 0
    if calendar.hours is None:
        return end - start
    return max(0, _position(calendar, calendar.hours, end) - _position(calendar, calendar.hours, start))


def after_working(calendar: Calendar, start: Micros, amount: Micros) -> Micros:
    """The first instant at which `amount` of working time has passed since `start`."""
    if calendar.hours is None or amount <= 0:
        return start + max(0, amount)
    hours = calendar.hours
    ordinal, local = _local(calendar, start)
    left = amount
    for day in range(ordinal, ordinal + _FAR_DAYS):
        if not _works(calendar, hours, day):
            continue
        begin = max(local, hours.start_min * MINUTE) if day == ordinal else hours.start_min * MINUTE
        room = max(0, hours.end_min * MINUTE - begin)
        if left <= room:
            return _instant(calendar, day, begin + left)
        left -= room
    return start + _FAR_DAYS * DAY


def is_working(calendar: Calendar, at: Micros) -> bool:
    """Whether `at` lies within working hours."""
    if calendar.hours is None:
        return True
    ordinal, local = _local(calendar, at)
    inside = calendar.hours.start_min * MINUTE <= local < calendar.hours.end_min * MINUTE
    return inside and _works(calendar, calendar.hours, ordinal)


def _local(calendar: Calendar, at: Micros) -> tuple[int, Micros]:
    """Proleptic ordinal of the local day, and the wall clock within it."""
    day, clock = divmod(at + _offset(calendar.time_zone, at // _QUARTER), DAY)
    return day + _EPOCH_ORDINAL, clock


def _instant(calendar: Calendar, ordinal: int, clock: Micros) -> Micros:
    """The inverse of `_local`, by two corrections with the offset in force."""
    naive = (ordinal - _EPOCH_ORDINAL) * DAY + clock
    at = naive
    for _ in range(2):
        at = naive - _offset(calendar.time_zone, at // _QUARTER)
    return at


@lru_cache(maxsize=1 << 16)
def _offset(time_zone: str, quarter: int) -> Micros:
    """Local time minus UTC; since 2000 every zone has changed its offset at a full quarter of an hour."""
    offset = from_micros(quarter * _QUARTER).astimezone(zone(time_zone)).utcoffset()
    return round(offset.total_seconds()) * SECOND if offset else 0


def _works(calendar: Calendar, hours: Hours, ordinal: int) -> bool:
    if (ordinal - 1) % 7 not in hours.weekdays:  # ordinal 1 was a Monday
        return False
    place = bisect_left(calendar.holidays, ordinal)
    return place >= len(calendar.holidays) or calendar.holidays[place] != ordinal


def _position(calendar: Calendar, hours: Hours, at: Micros) -> Micros:
    """Working time since the beginning of the calendar; differences of it are waits."""
    ordinal, clock = _local(calendar, at)
    length = (hours.end_min - hours.start_min) * MINUTE
    before = _working_days(hours, ordinal) - bisect_left(calendar.holidays, ordinal)
    within = 0
    if _works(calendar, hours, ordinal):
        within = min(max(clock - hours.start_min * MINUTE, 0), length)
    return before * length + within


def _working_days(hours: Hours, ordinal: int) -> int:
    """Days of a working weekday among the ordinals 1 … ordinal-1."""
    weeks, rest = divmod(ordinal - 1, 7)
    return weeks * len(hours.weekdays) + sum(1 for day in range(rest) if day in hours.weekdays)
