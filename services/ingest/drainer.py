"""Moves the spool to Kafka once it is back: one drainer over all replicas, oldest first.

A message is deleted only after its acknowledgement, so it may be sent twice; its event id makes that
harmless. No order towards events that went directly is promised, and none is needed.
"""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest import metrics
from services.ingest.store import spool
from services.ingest.store.reach import DatabaseAwayError, connection
from shared.bus.producer import Message, Producer

log = structlog.get_logger()

POLL_S: Final = 1.0
MEASURE_S: Final = 5.0
BATCH: Final = 500
BATCH_BYTES: Final = 8 * 1024 * 1024
SEND_DEADLINE_S: Final = 10.0
ROUND_DEADLINE_S: Final = 60.0


class Drainer:
    """`run` is a task for the life of the process."""

    def __init__(self, engine: AsyncEngine, producer: Producer) -> None:
        self._engine = engine
        self._producer = producer

    async def run(self) -> None:
        """For ever: looks into the spool every second, and on while there is something to move."""
        clock = asyncio.get_running_loop().time
        measured_at = float("-inf")
        while True:
            try:
                if clock() - measured_at >= MEASURE_S:
                    measured_at = clock()
                    await self._measure()
                moved = await self.drain_once()
            except DatabaseAwayError:
                moved = 0
            if not moved:
                await asyncio.sleep(POLL_S)

    async def drain_once(self) -> int:
        """One batch. 0 when there is nothing, another replica drains, or Kafka takes nothing."""
        async with connection(self._engine, ROUND_DEADLINE_S) as conn:
            if await spool.is_empty(conn) or not await spool.try_lock(conn):
                return 0
            try:
                return await self._move(conn)
            finally:
                if not conn.is_closed():
                    await spool.unlock(conn)

    async def _measure(self) -> None:
        async with connection(self._engine, ROUND_DEADLINE_S) as conn:
            waiting, age_s = await spool.backlog(conn)
        metrics.spool_waiting.set(waiting)
        metrics.spool_age.set(age_s)

    async def _move(self, conn: asyncpg.Connection) -> int:
        ids, messages = await spool.oldest(conn, BATCH, BATCH_BYTES)
        results = await self._producer.send_many([_message(one) for one in messages], SEND_DEADLINE_S)
        sent = [row_id for row_id, failed in zip(ids, results, strict=True) if failed is None]
        if sent:
            await spool.remove(conn, sent)
            metrics.drained.inc(len(sent))
            log.info("spool drained", messages=len(sent), left=len(ids) - len(sent))
        return len(sent)


def _message(one: spool.Spooled) -> Message:
    headers = [("traceparent", one.traceparent.encode())] if one.traceparent else []
    return Message(one.topic, one.key, one.value, headers)
