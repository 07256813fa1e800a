"""Writes down what became of attempts: one statement for all that ended meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts.store import deliveries, setup
from services.alerts.store.deliveries import Conclusion
from shared.db.engine import driver
from shared.runtime.errors import is_unavailable

log = structlog.get_logger()

RETRY_S: Final = 1.0
MOST: Final = 200
GATHER_S: Final = 0.02
"""What ends within this time is written together; no slot waits for it."""


class Concluder:
    """`written` is called for each conclusion, once it is durable or cannot be written at all.

    While the database is away conclusions wait here, and with them their lanes' slots.
    """

    def __init__(self, engine: AsyncEngine, written: Callable[[Conclusion], None]) -> None:
        self._engine = engine
        self._written = written
        self._waiting: list[Conclusion] = []
        self._woken = asyncio.Event()

    def add(self, conclusion: Conclusion) -> None:
        self._waiting.append(conclusion)
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._woken.wait()
            await asyncio.sleep(GATHER_S)
            try:
                await self.flush()
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("what became of deliveries waits for the database", exc_info=error)
                await asyncio.sleep(RETRY_S)

    async def flush(self) -> None:
        """Everything that waits."""
        self._woken.clear()
        while self._waiting:
            part = self._waiting[:MOST]
            try:
                await self._write(part)
            except Exception as error:
                if is_unavailable(error):
                    self._woken.set()
                    raise
                await self._one_by_one(part)
            del self._waiting[: len(part)]
            for conclusion in part:
                self._written(conclusion)

    async def _one_by_one(self, part: Sequence[Conclusion]) -> None:
        """One of them cannot be written: it is tried again after its lease, the others are not."""
        for conclusion in part:
            try:
                await self._write([conclusion])
            except Exception as error:
                if is_unavailable(error):
                    raise
                log.error("delivery not concluded", delivery=conclusion.claimed.id, exc_info=error)

    async def _write(self, part: Sequence[Conclusion]) -> None:
        gone = sorted({c.claimed.lane for c in part if c.following and c.following.disable})
        async with driver(self._engine) as connection:
            if not gone:
                await deliveries.finish(connection, part)  # one statement needs no transaction around it
                return
            async with connection.transaction():
                await deliveries.finish(connection, part)
                for endpoint in gone:
                    await setup.disable_endpoint(connection, endpoint, "the receiver answered 410")
