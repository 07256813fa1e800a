"""Episodes: found by natural key, locked in order, owned by a leaf."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from services.scoring.domain.types import EpisodeKey
from services.scoring.store.types import Conn, printable
from shared.events.times import Micros


class EpisodeRow(NamedTuple):
    """`owner` is a leaf; `about` the episode whose owner counts while this one names nobody."""

    id: str
    owner: str | None
    about: str | None
    fold: bytes | None = None
    live: bool = False
    next_at: Micros | None = None


_ENSURE = """
INSERT INTO scoring.episode (id, source, kind, key)
SELECT new.id, new.source, new.kind, new.key
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS new(id, source, kind, key)
WHERE NOT EXISTS (SELECT FROM scoring.episode AS old WHERE old.id = new.id)
ORDER BY new.id
ON CONFLICT DO NOTHING
"""
_LOCK = """
SELECT id::text, owner::text, about::text, fold, live, next_at FROM scoring.episode
WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
"""
_AROUND = """
SELECT id::text FROM scoring.episode WHERE about = ANY($1::uuid[])
UNION
SELECT about::text FROM scoring.event WHERE episode = ANY($1::uuid[]) AND about IS NOT NULL
"""
_OWNED = """
SELECT id::text, owner::text, about::text, fold, live, next_at FROM scoring.episode
WHERE owner = ANY($1::uuid[])
"""
_WRITE = """
UPDATE scoring.episode AS e
SET owner = new.owner, about = new.about, fold = new.fold, live = new.live, next_at = new.next_at
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bytea[], $5::boolean[], $6::bigint[])
  AS new(id, owner, about, fold, live, next_at)
WHERE e.id = new.id
"""


async def ensure(conn: Conn, keys: Mapping[str, EpisodeKey]) -> None:
    """Create rows for episodes never heard of, sorted, so that everybody can lock them."""
    await conn.execute(
        _ENSURE,
        list(keys),
        [printable(key.source) for key in keys.values()],
        [printable(key.kind) for key in keys.values()],
        [printable(key.key) for key in keys.values()],
    )


async def lock(conn: Conn, ids: Collection[str]) -> dict[str, EpisodeRow]:
    """Lock rows by id, in order."""
    return {row[0]: EpisodeRow(*row) for row in await conn.fetch(_LOCK, list(ids))}


async def around(conn: Conn, ids: Collection[str]) -> set[str]:
    """Episodes that any event of these is or was about, and those that are about these."""
    return {row[0] for row in await conn.fetch(_AROUND, list(ids))}


async def owned(conn: Conn, leaves: Collection[str]) -> dict[str, EpisodeRow]:
    """Episodes of these leaves; stable while their customers are locked."""
    return {row[0]: EpisodeRow(*row) for row in await conn.fetch(_OWNED, list(leaves))}


async def write(conn: Conn, rows: Sequence[EpisodeRow]) -> None:
    columns = list(zip(*rows, strict=True))
    if columns:
        await conn.execute(_WRITE, *[list(column) for column in columns])
