"""Carries the outbox of one schema to the bus.

Invariant: between its reading and its deletion a row belongs to one relay, because its lane's advisory
lock is held by the one session that reads, and that deletes. So within a lane rows leave in order.
 1. Ownership: as many lanes as are free, up to a fair share of those relays that are there.
 2. Look: rows of own lanes above a floor (what lies below was sent; its dead index entries make a look
    from zero slow). Every FULL_LOOK_S from zero: ids are given out before commit, so a row can appear
    below the floor.
 3. Send, in order; delete what was acknowledged. What was not stays, and is sent again: readers drop
    messages whose version is lower than the one they have.
 4. A row the bus refuses for good is parked: its lane goes on, a gauge shows it.
A session that is lost loses its locks; the relay begins again with another. So does the session of a relay
that was paused: what it still sends when it wakes up is older than what its successor sent, see 3.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Final, Protocol

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.bus.errors import BusUnavailable, RecordTooLarge
from shared.bus.producer import Message, Result
from shared.db.engine import driver
from shared.db.outbox import LANES, PARKED, decode_headers
from shared.runtime.errors import is_unavailable
from shared.runtime.metrics import counter, gauge

log = structlog.get_logger()

BATCH: Final = 500
POLL_S: Final = 0.1
"""For rows that another process wrote into a lane of ours; own writers wake us."""
FULL_LOOK_S: Final = 3.0
SHARE_EVERY_S: Final = 2.0
MEASURE_EVERY_S: Final = 5.0
RETRY_S: Final = 1.0
SILENT_S: Final = 15.0
"""A relay that says nothing for so long is paused, or its machine is gone without a word: the server ends its
session, and others take its lanes. Far beyond the deadline of a send, the longest silence of one at work."""
COUNT_AT_MOST: Final = 100_000

_backlog = gauge("outbox_rows", "Rows that wait, counted up to 100,000.", ("schema",))
_age = gauge("outbox_oldest_seconds", "Age of the oldest row that waits.", ("schema",))
_parked = gauge("outbox_parked_rows", "Rows the bus refuses for good.", ("schema",))
_relayed = counter("outbox_relayed", "Rows acknowledged by the bus.", ("schema",))
_lanes_held = gauge("outbox_lanes", "Lanes this process owns.", ("schema",))


class Sender(Protocol):
    """What the relay needs of the producer."""

    async def send_many(self, messages: Sequence[Message], deadline_s: float = ...) -> list[Result]:
        """In order; None where acknowledged."""


class Relay:
    """One per process and schema; `run` it as a background task."""

    def __init__(self, engine: AsyncEngine, schema: str, producer: Sender, lanes: int = LANES) -> None:
        if not schema.isidentifier():
            raise ValueError("a schema's name is an identifier")
        self._engine = engine
        self._schema = schema
        self._producer = producer
        self._lanes = lanes
        self._class = zlib.crc32(f"outbox {schema}".encode()) - 2**31  # a lock's first half is an int4
        self._mine: set[int] = set()
        self._floor = 0
        self._woken = asyncio.Event()
        self._due: dict[str, float] = {}

    def wake(self) -> None:
        """After a commit that added rows."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; survives the loss of the database and of the bus."""
        while True:
            try:
                async with driver(self._engine) as connection:
                    try:
                        await self._serve(connection)
                    finally:
                        self._give_all_up(connection)
            except Exception as error:
                if not is_unavailable(error):
                    raise
                log.warning("outbox relay lost its connection", schema=self._schema, exc_info=error)
            await asyncio.sleep(RETRY_S)

    def _give_all_up(self, connection: asyncpg.Connection) -> None:
        """Closing the session frees its locks at once, whatever state it is in."""
        self._mine.clear()
        _lanes_held.labels(self._schema).set(0)
        self._due.clear()
        connection.terminate()

    async def _serve(self, connection: asyncpg.Connection) -> None:
        await connection.execute(f"SET idle_session_timeout = {int(SILENT_S * 1000)}")
        await connection.execute("SELECT pg_advisory_lock_shared($1, -1)", self._class)  # says: I am here
        while True:
            if self._is_due("share", SHARE_EVERY_S):
                await self._share(connection)
            if self._is_due("measure", MEASURE_EVERY_S):
                await self._measure(connection)
            if self._is_due("full look", FULL_LOOK_S):
                self._floor = 0
            self._woken.clear()
            sent, refused = await self._carry(connection)
            if refused:
                await asyncio.sleep(RETRY_S)
            elif sent < BATCH:
                await self._pause()

    def _is_due(self, what: str, every_s: float) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _share(self, connection: asyncpg.Connection) -> None:
        """1: gives lanes up beyond the fair share, takes free ones up to it. Nothing is in flight here."""
        relays = await connection.fetchval(
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = ($1::bigint & 4294967295)::oid AND objid = 4294967295 AND objsubid = 2",
            self._class,
        )
        fair = -(-self._lanes // max(1, relays))
        for lane in sorted(self._mine)[fair:]:
            await connection.execute("SELECT pg_advisory_unlock($1, $2)", self._class, lane)
            self._mine.discard(lane)
        for lane in range(self._lanes):
            if len(self._mine) >= fair:
                break
            if lane not in self._mine and await connection.fetchval(
                "SELECT pg_try_advisory_lock($1, $2)", self._class, lane
            ):
                self._mine.add(lane)
                self._floor = 0
        _lanes_held.labels(self._schema).set(len(self._mine))

    async def _carry(self, connection: asyncpg.Connection) -> tuple[int, bool]:
        """2 to 4, once. Rows gone from the outbox, and whether the bus did not take some."""
        rows = await connection.fetch(
            f"SELECT lane, id, topic, key, body, headers FROM {self._schema}.outbox"  # noqa: S608
            " WHERE lane = ANY($1::smallint[]) AND id > $2 ORDER BY id LIMIT $3",
            sorted(self._mine),
            self._floor,
            BATCH,
        )
        if not rows:
            return 0, False
        results = await self._producer.send_many(
            [Message(r["topic"], r["key"], r["body"], decode_headers(r["headers"])) for r in rows]
        )
        pairs = list(zip(rows, results, strict=True))
        await self._delete(connection, [row for row, result in pairs if result is None])
        for row, result in pairs:
            if isinstance(result, RecordTooLarge):
                await self._park(connection, row, result)
        refused = any(isinstance(result, BusUnavailable) for result in results)
        self._floor = 0 if refused else rows[-1]["id"]
        return len(rows), refused

    async def _delete(self, connection: asyncpg.Connection, rows: Sequence[asyncpg.Record]) -> None:
        await connection.execute(
            f"DELETE FROM {self._schema}.outbox o"  # noqa: S608
            " USING unnest($1::smallint[], $2::bigint[]) AS gone (lane, id)"
            " WHERE o.lane = gone.lane AND o.id = gone.id",
            [row["lane"] for row in rows],
            [row["id"] for row in rows],
        )
        _relayed.labels(self._schema).inc(len(rows))

    async def _park(self, connection: asyncpg.Connection, row: asyncpg.Record, why: RecordTooLarge) -> None:
        log.error("outbox row refused for good, parked", schema=self._schema, id=row["id"], why=str(why))
        await connection.execute(
            f"UPDATE {self._schema}.outbox SET lane = $3 WHERE lane = $1 AND id = $2",  # noqa: S608
            row["lane"],
            row["id"],
            PARKED,
        )

    async def _measure(self, connection: asyncpg.Connection) -> None:
        row = await connection.fetchrow(
            "SELECT count(*) FILTER (WHERE lane <> $1) AS waiting,"  # noqa: S608
            " count(*) FILTER (WHERE lane = $1) AS parked,"
            " coalesce(extract(epoch FROM now() - min(added_at) FILTER (WHERE lane <> $1)), 0)::float8 AS age"
            f" FROM (SELECT lane, added_at FROM {self._schema}.outbox LIMIT $2) AS seen",
            PARKED,
            COUNT_AT_MOST,
        )
        assert row is not None, "an aggregate has one row"
        _backlog.labels(self._schema).set(row["waiting"])
        _parked.labels(self._schema).set(row["parked"])
        _age.labels(self._schema).set(row["age"])
