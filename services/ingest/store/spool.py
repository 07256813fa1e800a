"""The spool: messages that Kafka did not take in time, durable in PostgreSQL until it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import asyncpg

DRAINER_LOCK: Final = "cxloop ingest drainer"
SILENT_S: Final = 30.0
"""A drainer that says nothing for so long is paused: the server ends its session, and another one drains.
Far beyond the deadline of a send."""


class Spooled(NamedTuple):
    """A message as it will stand on its topic."""

    topic: str
    key: bytes
    value: bytes
    traceparent: str | None = None


async def add(conn: asyncpg.Connection, messages: Sequence[Spooled]) -> None:
    """All of them in one statement, so all or none."""
    await conn.execute(
        "INSERT INTO ingest.spool (topic, key, value, traceparent)"
        " SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[])",
        [one.topic for one in messages],
        [one.key for one in messages],
        [one.value for one in messages],
        [one.traceparent for one in messages],
    )


async def oldest(conn: asyncpg.Connection, limit: int, max_bytes: int) -> tuple[list[int], list[Spooled]]:
    """Ids and messages, oldest first: at least one, then as many as fit into `max_bytes`."""
    rows = await conn.fetch(
        "SELECT s.id, s.topic, s.key, s.value, s.traceparent FROM ("
        "  SELECT id, sum(octet_length(value)) OVER (ORDER BY id) - octet_length(value) AS before"
        "  FROM (SELECT id, value FROM ingest.spool ORDER BY id LIMIT $1) first"
        ") fitting JOIN ingest.spool s USING (id) WHERE before < $2 ORDER BY s.id",
        limit,
        max_bytes,
    )
    return [row["id"] for row in rows], [
        Spooled(row["topic"], row["key"], row["value"], row["traceparent"]) for row in rows
    ]


async def remove(conn: asyncpg.Connection, ids: Sequence[int]) -> None:
    """Forgets what Kafka has acknowledged."""
    await conn.execute("DELETE FROM ingest.spool WHERE id = ANY($1::bigint[])", list(ids))


async def is_empty(conn: asyncpg.Connection) -> bool:
    """True when nothing waits; costs the same however much does."""
    return not await conn.fetchval("SELECT EXISTS (SELECT FROM ingest.spool)")


async def backlog(conn: asyncpg.Connection) -> tuple[int, float]:
    """Messages that wait, and the age of the oldest in seconds (0 when none)."""
    row = await conn.fetchrow(
        "SELECT count(*) AS n, coalesce(extract(epoch FROM now() - min(spooled_at)), 0)::float8 AS age"
        " FROM ingest.spool"
    )
    return (row["n"], row["age"]) if row else (0, 0.0)


async def try_lock(conn: asyncpg.Connection) -> bool:
    """One drainer at a time, over all replicas; the lock ends with the connection."""
    await conn.execute(f"SET idle_session_timeout = {int(SILENT_S * 1000)}")
    if await conn.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", DRAINER_LOCK):
        return True
    await conn.execute("RESET idle_session_timeout")
    return False


async def unlock(conn: asyncpg.Connection) -> None:
    """Lets another replica drain."""
    await conn.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", DRAINER_LOCK)
    await conn.execute("RESET idle_session_timeout")  # it may lie in the pool for as long as it likes
