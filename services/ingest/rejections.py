"""Rejected deliveries of our own and events that scoring refused, in one list for people."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.store import rejected as store
from services.ingest.store.reach import DatabaseAwayError, connection
from shared.bus.consumer import Batch, Record
from shared.events import rejections
from shared.events.rejections import Reason
from shared.events.times import parse_instant

log = structlog.get_logger()

KEEP_DEADLINE_S: Final = 1.2
BATCH_DEADLINE_S: Final = 20.0
PURGE_EVERY_S: Final = 3600.0
PURGE_BATCH: Final = 1000
_IDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/rejection")


class RejectedBook:
    """Writes the list; reads go through the store."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def keep(self, row: store.Rejected) -> None:
        """Durable on return; the same delivery again renews its row. Raises DatabaseAwayError."""
        async with connection(self._engine, KEEP_DEADLINE_S) as conn:
            await store.add(conn, [row], [row.received_at])

    async def handle(self, batch: Batch) -> None:
        """A batch of `cx.rejected.v1`: each refusal once, however often it is told.

        Raises DatabaseAwayError; nothing is committed then and the batch comes again.
        """
        rows = [_row(record) for record in batch.records]
        async with connection(self._engine, BATCH_DEADLINE_S) as conn:
            await store.add(conn, rows, [_told_at(record) for record in batch.records])
        log.info("refusals of scoring listed", count=len(rows))

    async def purge_forever(self, keep: timedelta) -> None:
        """Deletes what was kept long enough, every hour."""
        while True:
            try:
                await self._purge(keep)
            except DatabaseAwayError:
                log.warning("rejected deliveries not purged; the database is away")
            await asyncio.sleep(PURGE_EVERY_S)

    async def _purge(self, keep: timedelta) -> None:
        gone = PURGE_BATCH
        while gone == PURGE_BATCH:
            async with connection(self._engine, BATCH_DEADLINE_S) as conn:
                gone = await store.purge(conn, keep, PURGE_BATCH)


def _told_at(record: Record) -> datetime:
    return datetime.fromtimestamp(record.timestamp / 1000, UTC)


def _row(record: Record) -> store.Rejected:
    """The refusal; a message that is none is listed itself, so that nothing is lost."""
    try:
        told = rejections.decode(record.value or b"")
        received_at = parse_instant(told.received_at)
        if "\x00" in told.source + (told.event_id or ""):
            raise ValueError("a text that no column holds")
    except (msgspec.MsgspecError, ValueError):
        reasons: Sequence[Reason] = (Reason("unreadable", "", "a message that is no rejection"),)
        return store.Rejected(
            id=uuid.uuid5(_IDS, hashlib.sha256(record.value or b"").hexdigest()),
            source=record.topic,
            received_at=_told_at(record),
            reasons=tuple(reasons),
            body=record.value or b"",
            by="scoring",
        )
    return store.Rejected(
        id=_uuid(told.id),
        source=told.source,
        received_at=received_at,
        reasons=told.reasons,
        body=told.body,
        by="scoring",
        event_id=told.event_id,
    )


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.uuid5(_IDS, text)
