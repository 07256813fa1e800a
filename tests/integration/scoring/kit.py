"""Events as scoring gets them, batches of them, and what the database says afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring import past, reads
from services.scoring.adoption import adopt
from services.scoring.batch import Context, absorb
from services.scoring.domain.score import Scores
from services.scoring.engine import Engine
from services.scoring.store import identities, reading
from services.scoring.store.types import Conn
from shared.bus.consumer import Record
from shared.db.engine import create_engine, driver
from shared.events import BODIES, Event, encode
from shared.events.ids import own_event_id
from shared.events.times import Micros

TOPIC = "cx.feedback.v1"
START = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=20)
"""Recent, so that the evidence still counts when the tests are run."""


def event(
    short: str,
    called: str,
    *identifiers: str,
    at: float = 0,
    recorded: float | None = None,
    source: str = "tool",
    **fields: object,
) -> Event:
    """An event named `called`, `at` hours after the start; what is no field of an event is of its body."""
    envelope = {f for f in Event.__struct_fields__ if f not in ("body", "id", "type", "time", "recorded")}
    body = {k.rstrip("_"): v for k, v in fields.items() if k not in envelope}
    return Event(
        id=own_event_id(source, called),
        source=source,
        type=short,
        time=START + timedelta(hours=at),
        recorded=START + timedelta(hours=at if recorded is None else recorded),
        identifiers=identifiers,
        body=msgspec.convert(body, BODIES[short]),
        **{k: cast(Any, v) for k, v in fields.items() if k in envelope},
    )


def retraction(name: str, of: str, at: float = 0, source: str = "tool") -> Event:
    return event("event.retracted", name, at=at, source=source, event=own_event_id(source, of))


def records(events: Iterable[Event], first: int = 0, partition: int = 0) -> list[Record]:
    """Events as the bus hands them out."""
    return [raw_record(encode(e), first + i, partition) for i, e in enumerate(events)]


def raw_record(value: bytes, offset: int, partition: int = 0) -> Record:
    return Record(TOPIC, partition, offset, 1_772_000_000_000, b"k", value)


@dataclass
class Room:
    """A database with scoring's schema, and the shipped policy."""

    pool: AsyncEngine
    engine: Engine

    async def fold(self, *events: Event, partition: int = 0, first: int = 0) -> dict[str, int]:
        """One batch."""
        return await self.fold_records(records(events, first, partition))

    async def fold_records(self, batch: Sequence[Record]) -> dict[str, int]:
        async with driver(self.pool) as conn:
            return dict(await absorb(conn, batch, Context(self.engine, lambda _: None)))

    async def root(self, identifier: str) -> str:
        async with driver(self.pool) as conn:
            found = await identities.lookup(conn, identifier)
        assert found is not None, identifier
        return found[1]

    async def row(self, identifier: str) -> reading.Packed:
        async with driver(self.pool) as conn:
            found = await identities.lookup(conn, identifier)
            assert found is not None, identifier
            return (await reading.packed(conn, [found[1]]))[0]

    async def score(
        self, identifier: str, as_of: Micros | None = None, known_at: Micros | None = None
    ) -> Scores:
        async with driver(self.pool) as conn:
            row = await self.row(identifier)
            return (await reads.view(conn, row, row.id, self.engine, as_of, known_at))[0].scores

    async def score_of(self, given: str, as_of: Micros, known_at: Micros) -> Scores:
        """By an id that was handed out, as known at a time."""
        async with driver(self.pool) as conn:
            [row] = await reading.packed(conn, [given])
            return (await reads.view(conn, row, given, self.engine, as_of, known_at))[0].scores

    async def linear(self, identifier: str) -> tuple[bytes, Scores]:
        """State and scores of the customer folded from empty, at the time of its row."""
        row = await self.row(identifier)
        async with driver(self.pool) as conn:
            whole = await _past(conn, row)
        view = self.engine.view(whole.applied(), row.scored_at)
        return view.state.pack(), view.scores

    async def query(self, sql: str, *arguments: object) -> list[Any]:
        async with driver(self.pool) as conn:
            return [tuple(row) for row in await conn.fetch(sql, *arguments)]


async def _past(conn: Conn, row: reading.Packed) -> past.Past:
    return await past.of_leaves(conn, [node.id for node in await past.component(conn, row.id, None)])


@asynccontextmanager
async def room(database_url: str, size: int = 6) -> AsyncIterator[Room]:
    pool = create_engine(database_url, size, "test-scoring")
    try:
        yield Room(pool, await adopt(pool, None))
    finally:
        await pool.dispose()


async def together(*work: Awaitable[object]) -> list[object]:
    async with asyncio.timeout(60):
        return list(await asyncio.gather(*work))
