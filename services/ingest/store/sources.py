"""Configured sources. Every change counts `source_generation` up, by which replicas notice it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec

from services.ingest.domain.sender import Auth


class SourceRow(NamedTuple):
    """A source as stored; the secrets are encrypted."""

    id: str
    vendor: str
    auth: Auth
    secrets: tuple[bytes, ...]
    defaults: dict[str, str]
    settings: dict[str, str]
    created_at: datetime
    updated_at: datetime


_COLUMNS = "id, vendor, auth, secrets, defaults::text, settings::text, created_at, updated_at"
_COUNT_UP = "UPDATE ingest.source_generation SET n = n + 1"


async def generation(conn: asyncpg.Connection) -> int:
    """Rises with every committed change of any source."""
    return int(await conn.fetchval("SELECT n FROM ingest.source_generation"))


async def read_all(conn: asyncpg.Connection) -> tuple[int, list[SourceRow]]:
    """Generation and all sources, of one snapshot."""
    rows = await conn.fetch(
        f"SELECT (SELECT n FROM ingest.source_generation) AS n, {_COLUMNS}"  # noqa: S608 - constants only
        " FROM (SELECT 1) one LEFT JOIN ingest.source ON true ORDER BY id"
    )
    return rows[0]["n"], [_row(row) for row in rows if row["id"] is not None]


async def get(conn: asyncpg.Connection, source_id: str) -> SourceRow | None:
    row = await conn.fetchrow(
        f"SELECT {_COLUMNS} FROM ingest.source WHERE id = $1",  # noqa: S608 - constants only
        source_id,
    )
    return None if row is None else _row(row)


async def insert(conn: asyncpg.Connection, source: SourceRow) -> bool:
    """False when the id is taken."""
    async with conn.transaction():
        done = await conn.fetchval(
            "INSERT INTO ingest.source"
            " (id, vendor, auth, secrets, defaults, settings, created_at, updated_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING RETURNING id",
            *source[:3],
            list(source.secrets),
            msgspec.json.encode(source.defaults).decode(),
            msgspec.json.encode(source.settings).decode(),
            source.created_at,
            source.updated_at,
        )
        await conn.execute(_COUNT_UP)
    return done is not None


async def update(conn: asyncpg.Connection, source: SourceRow) -> bool:
    """Replaces everything but id, vendor and `created_at`; False when there is no such source."""
    async with conn.transaction():
        done = await conn.fetchval(
            "UPDATE ingest.source SET auth = $2, secrets = $3, defaults = $4, settings = $5, updated_at = $6"
            " WHERE id = $1 RETURNING id",
            source.id,
            source.auth,
            list(source.secrets),
            msgspec.json.encode(source.defaults).decode(),
            msgspec.json.encode(source.settings).decode(),
            source.updated_at,
        )
        await conn.execute(_COUNT_UP)
    return done is not None


async def delete(conn: asyncpg.Connection, source_id: str) -> bool:
    """False when there is no such source."""
    async with conn.transaction():
        done = await conn.fetchval("DELETE FROM ingest.source WHERE id = $1 RETURNING id", source_id)
        await conn.execute(_COUNT_UP)
    return done is not None


def _row(row: asyncpg.Record) -> SourceRow:
    return SourceRow(
        id=row["id"],
        vendor=row["vendor"],
        auth=row["auth"],
        secrets=tuple(row["secrets"]),
        defaults=msgspec.json.decode(row["defaults"], type=dict[str, str]),
        settings=msgspec.json.decode(row["settings"], type=dict[str, str]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
