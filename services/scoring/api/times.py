"""`as_of` and `known_at` of a read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, NamedTuple

from fastapi import Depends, Query

from services.scoring.domain.decay import LANDMARK
from shared.events.times import Micros, to_micros
from shared.runtime.instants import Instant
from shared.runtime.problem import Problem, Where

LATEST = to_micros(datetime.fromisoformat("2100-01-01T00:00:00+00:00"))


class Times(NamedTuple):
    """Microseconds since 1970; None where the caller said nothing."""

    as_of: Micros | None
    known_at: Micros | None

    @property
    def pinned(self) -> bool:
        """Both given: the answer never changes."""
        return self.as_of is not None and self.known_at is not None


async def _times(
    as_of: Annotated[
        Instant | None, Query(description="The time to read at, past or future; absent: now.")
    ] = None,
    known_at: Annotated[
        Instant | None, Query(description="What was known by then; absent: all that is known now.")
    ] = None,
) -> Times:
    return Times(micros("?as_of", as_of), micros("?known_at", known_at))


def micros(where: str, instant: datetime | None) -> Micros | None:
    """An instant that can be read at. Raises Problem invalid_request."""
    if instant is None:
        return None
    at = to_micros(instant)
    if at < LANDMARK:
        raise Problem("invalid_request", "scores begin in 2000", [Where(where, "before 2000-01-01")])
    if at > LATEST:
        raise Problem("invalid_request", "too far ahead", [Where(where, "after 2100-01-01")])
    return at


AtTimes = Annotated[Times, Depends(_times)]
