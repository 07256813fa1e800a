"""Durable before 2xx: Kafka with acks=all, else the spool in PostgreSQL, else an error for a 503."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest import metrics
from services.ingest.domain.pipeline import Sealed
from services.ingest.store import spool
from services.ingest.store.reach import DatabaseAwayError, connection
from shared.bus.producer import Message, Producer
from shared.bus.topics import FEEDBACK
from shared.runtime.secrets import KeyHasher
from shared.runtime.tracing import current_traceparent, kafka_headers


class NotDurableError(Exception):
    """Neither Kafka nor the spool took the events in time. Some may still arrive: ids make that harmless."""


class Deadlines(NamedTuple):
    """Seconds for the bus and then for the spool; their sum stays below the senders' patience."""

    send_s: float
    spool_s: float


class Intake:
    """Makes events durable. One per process."""

    def __init__(
        self, producer: Producer, engine: AsyncEngine, hasher: KeyHasher, deadlines: Deadlines
    ) -> None:
        self._producer = producer
        self._engine = engine
        self._hasher = hasher
        self._deadlines = deadlines

    async def keep(self, events: Sequence[Sealed]) -> None:
        """Returns once every event is acknowledged or spooled. Raises NotDurableError."""
        headers = kafka_headers()
        messages = [
            Message(FEEDBACK, self._hasher.kafka_key(one.event), one.value, headers) for one in events
        ]
        await self.keep_messages(messages)

    async def keep_messages(self, messages: Sequence[Message]) -> None:
        """The same for messages that are ready, such as one that is replayed."""
        if not messages:
            return
        began = time.perf_counter()
        try:
            left = await self._send(messages)
            metrics.sent.inc(len(messages) - len(left))
            if left:
                await self._spool(left)
        finally:
            metrics.durable_seconds.observe(time.perf_counter() - began)

    async def _send(self, messages: Sequence[Message]) -> list[Message]:
        """Those that Kafka did not acknowledge in time. A bus known to be away fails them at once."""
        results = await self._producer.send_many(messages, self._deadlines.send_s)
        return [message for message, failed in zip(messages, results, strict=True) if failed is not None]

    async def _spool(self, messages: Sequence[Message]) -> None:
        traceparent = current_traceparent()
        rows = [spool.Spooled(one.topic, one.key, one.value, traceparent) for one in messages]
        try:
            async with connection(self._engine, self._deadlines.spool_s) as conn:
                await spool.add(conn, rows)
        except DatabaseAwayError as error:
            metrics.not_durable.inc()
            raise NotDurableError from error
        metrics.spooled.inc(len(rows))
