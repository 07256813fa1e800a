"""Score messages in, alerts out: one transaction per batch, a constant number of statements."""

from __future__ import annotations

import asyncpg
import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts import metrics
from services.alerts.domain.batch import apply, subject_of, subjects_of
from services.alerts.domain.lifecycle import Told
from services.alerts.domain.view import micros
from services.alerts.store import memory, progress
from services.alerts.writing import Writer
from shared.bus.batches import Partition
from shared.bus.consumer import Batch, Record, SeekTo
from shared.db.engine import driver
from shared.events import scores
from shared.events.codec import PREFIX, SUFFIX
from shared.runtime.errors import is_unavailable

log = structlog.get_logger()


class Unreadable(ValueError):  # noqa: N818 - a finding about a message
    """The record is no score message of this version; the message says why, without its data."""


def read(record: Record) -> scores.ScoreChange:
    """Raises Unreadable: kept aside, so that one poisonous message stops nobody."""
    try:
        change = scores.decode(record.value)
        instants = [change.at, *(t for e in change.events for t in (e.time, e.recorded))]
        instants += [t for w in change.waits for t in (w.since, w.due_at)]
        instants += [change.renewal_at] if change.renewal_at else []
        for instant in instants:
            micros(instant)
        # What UTF-8 cannot hold (a lone surrogate) could not be kept either.
        msgspec.json.encode(change)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise Unreadable(type(error).__name__ + ": " + _why(error)) from None
    if not subject_of(change):
        raise Unreadable("neither customer_id nor account_id")
    return short_types(change)


def short_types(change: scores.ScoreChange) -> scores.ScoreChange:
    """Types of events in their short form, whichever came."""
    if not any(event.type.startswith(PREFIX) for event in change.events):
        return change
    events = tuple(
        msgspec.structs.replace(event, type=event.type.removeprefix(PREFIX).removesuffix(SUFFIX))
        for event in change.events
    )
    return msgspec.structs.replace(change, events=events)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, msgspec.MsgspecError) else "a value cannot be read"


class ScoreConsumer:
    """`handle` is what the consumer loop calls; it raises when nothing was committed."""

    def __init__(self, engine: AsyncEngine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer

    async def handle(self, batch: Batch) -> None:
        """1. all in one transaction     2. the database is away, or offsets are missing: again later
        3. something in it cannot be applied: halves, down to the one record, which is kept aside
        """
        try:
            await self._transaction(batch)  # 1
        except SeekTo:  # 2
            raise
        except Exception as error:
            if is_unavailable(error):  # 2
                raise
            log.error("batch cannot be applied", records=len(batch.records), exc_info=error)
            await self._bisect(batch, error)  # 3

    async def progress(self, partitions: list[Partition]) -> dict[Partition, int]:
        """How far the database is, for the loop to compare."""
        async with driver(self._engine) as connection:
            return await progress.read(connection, partitions)

    async def _bisect(self, batch: Batch, error: Exception) -> None:
        records = batch.records
        if len(records) > 1:
            half = len(records) // 2
            for part in (records[:half], records[half:]):
                await self.handle(Batch(part, batch.floors))
            return
        metrics.rejected.inc()
        async with driver(self._engine) as connection, connection.transaction():
            await progress.reject(connection, [(records[0], f"could not be applied: {type(error).__name__}")])
            await progress.advance(connection, batch.next_offsets)

    async def _transaction(self, batch: Batch) -> None:
        async with driver(self._engine) as connection, connection.transaction():
            told = await self.step(connection, batch)
        if told:
            self._writer.wake()

    async def step(self, connection: asyncpg.Connection, batch: Batch) -> bool:
        """Everything of one batch, in the caller's transaction. True when somebody is to be told.

        1. offsets beyond what the database has seen: back there first (a failover lost commits)
        2. unreadable messages are kept aside     3. the rest, message by message, against memories
        """
        behind = await progress.behind(connection, batch.first_offsets, batch.floors)
        if behind:  # 1
            raise SeekTo(behind)
        changes, faults = _sorted_out(batch.records)
        await progress.reject(connection, faults)  # 2
        news: list[Told] = []
        if changes:  # 3
            news = await self._apply(connection, changes)
        await progress.advance(connection, batch.next_offsets)
        return bool(news)

    async def _apply(self, connection: asyncpg.Connection, changes: list[scores.ScoreChange]) -> list[Told]:
        book = await self._writer.book(connection)
        subjects = subjects_of(changes)
        known = await memory.known(connection, subjects)
        subjects |= {target for target in known.values() if target is not None}
        parted = {change.split_from for change in changes if change.split_from is not None}
        before, now = await memory.load(connection, subjects, parted, known)
        after = dict(before)
        news: list[Told] = []
        for change in changes:
            if change.version <= after[subject_of(change)].version:
                metrics.dropped.inc()
                continue
            news += apply(after, change, book, now)
        await self._writer.write(connection, before, after, news, book, now)
        return news


def _sorted_out(records: tuple[Record, ...]) -> tuple[list[scores.ScoreChange], list[tuple[Record, str]]]:
    changes, faults = [], []
    for record in records:
        try:
            changes.append(read(record))
        except Unreadable as error:
            log.warning("score message kept aside", partition=record.partition, offset=record.offset)
            metrics.rejected.inc()
            faults.append((record, str(error)))
    return changes, faults
