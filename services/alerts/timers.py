"""What happens because time passes: dwells, promises, snoozes, service levels, deadlines."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.lifecycle import Told
from services.alerts.domain.tick import tick
from services.alerts.store import deliveries, memory, progress
from services.alerts.writing import Writer, clock
from shared.db.engine import driver
from shared.events.times import HOUR, Micros
from shared.runtime.errors import is_unavailable

log = structlog.get_logger()

EVERY_S: Final = 1.0
BATCH: Final = 100
RETRY_S: Final = 2.0
PUT_OFF_US: Final[Micros] = HOUR
PURGE_EVERY_S: Final = 3600.0
REJECTED_DAYS: Final = 30


class Timers:
    """One per process; replicas share the work, each takes customers that nobody else has locked."""

    def __init__(self, engine: AsyncEngine, writer: Writer, kept_days: int = 90) -> None:
        self._engine = engine
        self._writer = writer
        self._kept_days = kept_days
        self._purge_at = 0.0

    async def run(self) -> None:
        """Until cancelled; survives the loss of the database, and a customer it cannot work on."""
        while True:
            try:
                more = await self._work()
                await self._purge()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("timers wait for the database", exc_info=error)
                await asyncio.sleep(RETRY_S)
                continue
            if not more:
                await asyncio.sleep(EVERY_S)

    async def _work(self) -> bool:
        """All that is due; where that fails one by one, and the one that fails is put off for an hour."""
        for limit in (BATCH, 1):
            try:
                return await self.turn(limit)
            except Exception as error:
                if is_unavailable(error):
                    raise
                log.error("timers failed", customers=limit, exc_info=error)
        async with driver(self._engine) as connection, connection.transaction():
            await memory.put_off(connection, await clock(connection), PUT_OFF_US)
        return True

    async def _purge(self) -> None:
        """What was told long ago is forgotten; unread messages after a month."""
        now = asyncio.get_running_loop().time()
        if now < self._purge_at:
            return
        self._purge_at = now + PURGE_EVERY_S
        async with driver(self._engine) as connection:
            await deliveries.purge(connection, self._kept_days)
            await progress.purge(connection, REJECTED_DAYS)

    async def turn(self, limit: int = BATCH) -> bool:
        """One transaction. True when there may be more to do at once."""
        async with driver(self._engine) as connection, connection.transaction():
            count, news = await self.step(connection, await clock(connection), limit)
        if news:
            self._writer.wake()
        return count >= limit

    async def step(
        self, connection: asyncpg.Connection, now: Micros, limit: int = BATCH
    ) -> tuple[int, list[Told]]:
        """Everything that is due at `now`, at most `limit` customers; how many, and what is told."""
        subjects = await memory.due(connection, now, limit)
        if not subjects:
            return 0, []
        book = await self._writer.book(connection)
        before, _ = await memory.load(connection, subjects, known=subjects)
        after, news = dict(before), []
        for subject in subjects:
            after[subject], told = tick(before[subject], book, now)
            news += told
        await self._writer.write(connection, before, after, news, book, now)
        return len(subjects), news
