"""Rejected deliveries: what was verified but not understood, with all reasons and the original bytes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg
import msgspec

from shared.events.rejections import Reason

State = Literal["pending", "replayed"]
By = Literal["ingest", "scoring"]


class Request(msgspec.Struct, frozen=True):
    """What beside the body was told: without anything that authenticates."""

    method: str
    path_and_query: str
    headers: dict[str, str]


class Rejected(NamedTuple):
    """One rejected delivery, or one event that scoring refused (`request` is None then)."""

    id: UUID
    source: str
    received_at: datetime
    reasons: tuple[Reason, ...]
    body: bytes
    by: By = "ingest"
    request: Request | None = None
    event_id: str | None = None
    state: State = "pending"
    replayed_at: datetime | None = None


_COLUMNS = "id, source, received_at, reasons, body, by, request, event_id, state, replayed_at"
_reasons = msgspec.json.Decoder(tuple[Reason, ...])
_request = msgspec.json.Decoder(Request)


async def add(conn: asyncpg.Connection, rows: Sequence[Rejected], told_at: Sequence[datetime]) -> None:
    """Keeps them, each once: the same again renews the reasons, and is pending again if it was replayed
    before `told_at` (one per row: when the refusal was made)."""
    await conn.execute(
        "INSERT INTO ingest.rejected (id, source, received_at, reasons, body, by, request, event_id, told_at)"
        " SELECT DISTINCT ON (id) * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bytea[],"
        "   $5::bytea[], $6::text[], $7::bytea[], $8::text[], $9::timestamptz[])"
        "   AS new(id, source, received_at, reasons, body, by, request, event_id, told_at)"
        " ORDER BY id, told_at DESC"
        " ON CONFLICT (id) DO UPDATE SET reasons = EXCLUDED.reasons, told_at = EXCLUDED.told_at,"
        "   state = 'pending', replayed_at = NULL"
        " WHERE rejected.told_at < EXCLUDED.told_at"
        "   AND (rejected.replayed_at IS NULL OR rejected.replayed_at < EXCLUDED.told_at)",
        [row.id for row in rows],
        [row.source for row in rows],
        [row.received_at for row in rows],
        [msgspec.json.encode(row.reasons) for row in rows],
        [row.body for row in rows],
        [row.by for row in rows],
        [None if row.request is None else msgspec.json.encode(row.request) for row in rows],
        [row.event_id for row in rows],
        list(told_at),
    )


async def page(
    conn: asyncpg.Connection,
    limit: int,
    before: tuple[datetime, UUID] | None,
    source: str | None,
    state: State | None,
) -> list[Rejected]:
    """At most `limit`, the latest first, beginning after the position `before`."""
    at, row_id = before or (None, None)
    rows = await conn.fetch(
        f"SELECT {_COLUMNS} FROM ingest.rejected"  # noqa: S608 - constants only
        " WHERE ($2::timestamptz IS NULL OR (received_at, id) < ($2, $3::uuid))"
        "   AND ($4::text IS NULL OR source = $4) AND ($5::text IS NULL OR state = $5)"
        " ORDER BY received_at DESC, id DESC LIMIT $1",
        limit,
        at,
        row_id,
        source,
        state,
    )
    return [_row(row) for row in rows]


async def get(conn: asyncpg.Connection, rejected_id: UUID) -> Rejected | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM ingest.rejected WHERE id = $1",  # noqa: S608 - constants only
        rejected_id,
    )
    return None if row is None else _row(row)


async def mark_replayed(conn: asyncpg.Connection, rejected_id: UUID, at: datetime) -> None:
    await conn.execute(
        "UPDATE ingest.rejected SET state = 'replayed', replayed_at = $2 WHERE id = $1", rejected_id, at
    )


async def renew_reasons(conn: asyncpg.Connection, rejected_id: UUID, reasons: Sequence[Reason]) -> None:
    """After a replay that failed again."""
    await conn.execute(
        "UPDATE ingest.rejected SET reasons = $2 WHERE id = $1", rejected_id, msgspec.json.encode(reasons)
    )


async def purge(conn: asyncpg.Connection, keep: timedelta, limit: int = 1000) -> int:
    """Deletes at most `limit` rows that were kept long enough; how many it were."""
    status = await conn.execute(
        "DELETE FROM ingest.rejected WHERE id IN"
        " (SELECT id FROM ingest.rejected WHERE stored_at < now() - $1::interval LIMIT $2)",
        keep,
        limit,
    )
    return int(status.rpartition(" ")[2])


def _row(row: asyncpg.Record) -> Rejected:
    return Rejected(
        id=UUID(str(row["id"])),
        source=row["source"],
        received_at=row["received_at"],
        reasons=_reasons.decode(row["reasons"]),
        body=row["body"],
        by=row["by"],
        request=None if row["request"] is None else _request.decode(row["request"]),
        event_id=row["event_id"],
        state=row["state"],
        replayed_at=row["replayed_at"],
    )
