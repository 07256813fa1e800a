"""Instants: timezone-aware UTC `datetime` at the wall, integer microseconds since 1970 inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

Micros = int
"""Microseconds since 1970-01-01T00:00:00Z."""

_NO_INSTANT = "not an RFC 3339 instant such as 2026-01-31T09:30:00Z"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

SECOND: Micros = 1_000_000
MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE
DAY: Micros = 24 * HOUR


def to_micros(instant: datetime) -> Micros:
    """Exact; raises TypeError for a naive datetime, because its zone would have to be guessed."""
    return (instant - EPOCH) // _MICROSECOND


def from_micros(at: Micros) -> datetime:
    """The inverse of `to_micros`; raises OverflowError outside the years 1 to 9999."""
    return EPOCH + timedelta(microseconds=at)


@lru_cache(maxsize=8192)
def instant_text(at: Micros) -> str:
    """`format_instant` of microseconds; one batch writes the same few instants many times."""
    return format_instant(from_micros(at))


def parse_instant(text: str) -> datetime:
    """RFC 3339 with an offset → UTC, truncated to microseconds. Raises ValueError with the reason."""
    if len(text) < 20 or text[10] not in "Tt ":
        raise ValueError(_NO_INSTANT)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(_NO_INSTANT) from None  # the library's own reason quotes the text
    if instant.tzinfo is None:
        raise ValueError("no offset: write Z or +01:00 at the end")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("outside the years 1 to 9999") from error


def format_instant(instant: datetime) -> str:
    """UTC with Z; fractions only where there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
