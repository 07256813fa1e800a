"""Partitions of the event table, made ahead.

By quarter, because reads by episode look into every partition's index: four a year stay few for decades.
What comes for a quarter that has no partition lies in the default one, harmlessly.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.store.types import Conn
from shared.db.engine import driver

log = structlog.get_logger()

AHEAD: Final = 3
LATER: Final = (
    asyncpg.DuplicateTableError,
    asyncpg.InvalidObjectDefinitionError,
    asyncpg.CheckViolationError,
    asyncpg.LockNotAvailableError,
)
"""Another replica was faster, a row came meanwhile, or the table is busy: the next look sees to it."""
_HAS = """
SELECT EXISTS (SELECT FROM scoring.event_default WHERE recorded >= $1 AND recorded < $2)
"""


class Maintenance:
    """Keeps partitions ahead of time."""

    def __init__(self, pool: AsyncEngine) -> None:
        self._pool = pool

    async def turn(self) -> int:
        async with driver(self._pool) as conn:
            await make_partitions(conn, datetime.now(UTC))
        return 0


async def make_partitions(conn: Conn, now: datetime) -> list[str]:
    """Make this quarter's partition and the next ones; returns the names of those that were missing."""
    made = []
    for ahead in range(AHEAD + 1):
        start, stop = quarter(now, ahead), quarter(now, ahead + 1)
        name = f"event_{start.year}q{(start.month + 2) // 3}"
        if await conn.fetchval("SELECT to_regclass($1)", f"scoring.{name}"):
            continue
        # Rows that came before the partition stay in the default one; the range then has none of its own.
        if await conn.fetchval(_HAS, start, stop):
            continue
        try:
            await conn.execute(
                f"CREATE TABLE scoring.{name} PARTITION OF scoring.event"
                f" FOR VALUES FROM ('{start:%Y-%m-%d}') TO ('{stop:%Y-%m-%d}')"
            )
        except (
            asyncpg.DuplicateTableError,
            asyncpg.InvalidObjectDefinitionError,
            asyncpg.CheckViolationError,
        ):
            continue  # another replica was faster, or a row came meanwhile
        except asyncpg.LockNotAvailableError:
            continue  # busy: the next look will do it
        made.append(name)
    if made:
        log.info("partitions made", names=made)
    return made


def quarter(now: datetime, ahead: int) -> datetime:
    """First instant of the quarter that lies `ahead` quarters after that of `now`."""
    count = now.year * 4 + (now.month - 1) // 3 + ahead
    return datetime(count // 4, count % 4 * 3 + 1, 1, tzinfo=UTC)
