"""What happens because time passes: dwells, promises, snoozes, service levels, deadlines."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.domain.lifecycle import Told
from services.alerts.domain.tick import tick
from services.alerts.store import memory
from services.alerts.writing import Writer, clock
from shared.db.engine import driver
from shared.events.times import Micros
from shared.runtime.errors import is_unavailable

log = structlog.get_logger()

EVERY_S: Final = 1.0
BATCH: Final = 100
RETRY_S: Final = 2.0


class Timers:
    """One per process; replicas share the work, each takes customers that nobody else has locked."""

    def __init__(self, engine: AsyncEngine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer

    async def run(self) -> None:
        """Until cancelled; survives the loss of the database."""
        while True:
            try:
                more = await self.turn()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("timers wait for the database", exc_info=error)
                await asyncio.sleep(RETRY_S)
                continue
            if not more:
                await asyncio.sleep(EVERY_S)

    async def turn(self) -> bool:
        """One transaction. True when there may be more to do at once."""
        async with driver(self._engine) as connection, connection.transaction():
            count, news = await self.step(connection, await clock(connection))
        if news:
            self._writer.wake()
        return count >= BATCH

    async def step(self, connection: asyncpg.Connection, now: Micros) -> tuple[int, list[Told]]:
        """Everything that is due at `now`, at most BATCH customers; how many, and what is told."""
        subjects = await memory.due(connection, now, BATCH)
        if not subjects:
            return 0, []
        book = await self._writer.book(connection)
        before = await memory.load(connection, subjects)
        after, news = dict(before), []
        for subject in subjects:
            after[subject], told = tick(before[subject], book, now)
            news += told
        await self._writer.write(connection, before, after, news, book, now)
        return len(subjects), news
