"""ISO 8601 durations as steps of a calendar in a time zone. Pure."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from shared.events.times import Micros, to_micros

MOST: Final = 1000
_FORM: Final = re.compile(
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,6})S)?)?\Z"
)


class TooManyError(ValueError):
    """More than `MOST` points."""


class Stride(NamedTuple):
    """Months and days are steps of the calendar, the rest is a length."""

    months: int
    days: int
    seconds: int


def parse(text: str) -> Stride:
    """`P1D`, `PT6H`, `P1W`, `P1M`. Raises ValueError with the reason."""
    match = _FORM.match(text)
    if match is None:
        raise ValueError("not an ISO 8601 duration such as P1D, PT6H or P1M")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    stride = Stride(12 * years + months, 7 * weeks + days, 3600 * hours + 60 * minutes + seconds)
    if not any(stride):
        raise ValueError("a step is longer than nothing")
    return stride


def instants(begin: datetime, end: datetime, stride: Stride, zone: ZoneInfo) -> list[Micros]:
    """From `begin` on, up to and with `end`. Raises TooManyError.

    Each step is counted from the beginning, so the 31st does not become the 28th for ever, and a day of
    23 hours moves nothing.
    """
    local = begin.astimezone(zone)
    found: list[Micros] = []
    for count in range(MOST + 1):
        try:
            at = _step(local, stride, count).astimezone(UTC)
        except OverflowError:
            break
        if at > end:
            break
        if count == MOST:
            raise TooManyError
        found.append(to_micros(at))
    return found


def _step(local: datetime, stride: Stride, count: int) -> datetime:
    months = local.year * 12 + local.month - 1 + stride.months * count
    year, month = divmod(months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    stepped = local.replace(year=year, month=month + 1, day=day) + timedelta(days=stride.days * count)
    return stepped.astimezone(UTC) + timedelta(seconds=stride.seconds * count)
