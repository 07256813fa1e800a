"""The log of applied events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import asyncpg

from services.scoring.domain.identity import names
from services.scoring.domain.types import Applied, TextFeature
from services.scoring.store.types import Conn, Stored
from services.scoring.store.writing import Write
from shared.events import decode, encode
from shared.events.times import Micros

COLUMNS = "e.body, e.applied_at, e.episode::text, e.leaf::text, e.about::text, e.target::text, e.compound" + (
    ", e.text_model"
)


def within(select: str, size: str, tables: str) -> str:
    """A statement that ends after the row with which more than $2 bytes are read; its last column tells how
    many it is so far. The lengths of packed values are known without unpacking them."""
    return f"""
    SELECT * FROM (
      SELECT {select}, {size} AS size, sum({size}) OVER (ROWS UNBOUNDED PRECEDING) AS so_far FROM {tables}
    ) AS found WHERE $2::bigint IS NULL OR so_far - size <= $2
    """  # noqa: S608


_SIZE = "octet_length(e.body)"
_OF_EPISODES = within(COLUMNS, _SIZE, "scoring.event AS e WHERE e.episode = ANY($1::uuid[])")
_LOOSE = within(COLUMNS, _SIZE, "scoring.event AS e WHERE e.leaf = ANY($1::uuid[]) AND e.episode IS NULL")
_BY_ID = f"SELECT {COLUMNS} FROM scoring.event AS e WHERE e.event_id = ANY($1::uuid[])"  # noqa: S608
_OWNER = "SELECT owner::text FROM scoring.episode WHERE id = $1::uuid"
_CANDIDATES = """
WITH own AS (SELECT DISTINCT episode FROM scoring.event WHERE leaf = ANY($1::uuid[]) AND episode IS NOT NULL)
SELECT episode::text FROM own
UNION SELECT DISTINCT episode::text FROM scoring.event
WHERE about = ANY(SELECT episode FROM own) AND episode IS NOT NULL
"""
_INSERT = """
INSERT INTO scoring.event
  (event_id, recorded, applied_at, at, type, episode, leaf, organisation, about, target, body, compound,
   text_model)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::text[], $6::uuid[],
  $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], $11::bytea[], $12::smallint[], $13::text[])
"""
_RETRACTIONS = """
INSERT INTO scoring.retraction (event_id, target, source)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[]) ON CONFLICT DO NOTHING
"""
_RETRACTING = """
WITH RECURSIVE undoing AS (
  SELECT event_id, target, source FROM scoring.retraction WHERE target = ANY($1::uuid[])
  UNION
  SELECT r.event_id, r.target, r.source
  FROM scoring.retraction AS r JOIN undoing AS u ON r.target = u.event_id
)
SELECT event_id::text, target::text, source FROM undoing
"""
_ATTACH = """
UPDATE scoring.event AS e SET episode = new.episode, leaf = new.leaf, target = new.target
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) AS new(event_id, episode, leaf, target)
WHERE e.event_id = new.event_id
"""
ROOM_BYTES: Final = 16 * 1024 * 1024
"""Decoded they take about three times that."""


class Retraction(NamedTuple):
    event_id: str
    target: str
    source: str


class TooMuchError(Exception):
    """More events would be read at once than there is room for in memory: try again with fewer customers."""


def room(count: int) -> int | None:
    """Bytes that may be read at once for `count` customers or events; one of them takes what it needs."""
    return ROOM_BYTES if count > 1 else None


async def of_episodes(conn: Conn, episodes: Collection[str], most: int | None = None) -> list[Stored]:
    """Raises TooMuchError beyond `most` bytes."""
    rows = fitting(await conn.fetch(_OF_EPISODES, list(episodes), most), most)
    return [stored(*row[:-2]) for row in rows]


async def loose(conn: Conn, leaves: Collection[str], most: int | None = None) -> list[Stored]:
    """Events of these leaves that belong to no episode: attributes, links, actions. Raises TooMuchError."""
    return [stored(*row[:-2]) for row in fitting(await conn.fetch(_LOOSE, list(leaves), most), most)]


def fitting(rows: Sequence[asyncpg.Record], most: int | None) -> Sequence[asyncpg.Record]:
    """Rows of a statement `within`, if they are all there is. Raises TooMuchError."""
    if rows and most is not None and rows[-1]["so_far"] > most:
        raise TooMuchError
    return rows


async def by_id(conn: Conn, ids: Collection[str]) -> list[Stored]:
    return [stored(*row) for row in await conn.fetch(_BY_ID, list(ids))]


async def episode_owner(conn: Conn, episode: str) -> str | None:
    """Leaf to whom an episode belongs today."""
    found: str | None = await conn.fetchval(_OWNER, episode)
    return found


async def candidates(conn: Conn, leaves: Collection[str]) -> list[str]:
    """Episodes that at any time may have belonged to these leaves."""
    return [row[0] for row in await conn.fetch(_CANDIDATES, list(leaves))]


def inserting(rows: Sequence[Stored]) -> Write:
    return Write(
        _INSERT,
        (
            [r.id for r in rows],
            [r.event.recorded for r in rows],
            [r.applied_at for r in rows],
            [r.event.at for r in rows],
            [r.event.type for r in rows],
            [r.episode for r in rows],
            [r.leaf for r in rows],
            [names(r.event).organisation for r in rows],
            [r.about for r in rows],
            [r.target for r in rows],
            [encode(r.event) for r in rows],
            [r.applied.text.compound if r.applied.text else None for r in rows],
            [r.applied.text.model if r.applied.text else None for r in rows],
        ),
    )


def adding_retractions(rows: Sequence[Retraction]) -> Write | None:
    columns = tuple(list(column) for column in zip(*rows, strict=True))
    return Write(_RETRACTIONS, columns) if columns else None


async def retracting(conn: Conn, targets: Collection[str]) -> list[Retraction]:
    """Retractions that are known of these events, and retractions of those."""
    return [Retraction(*row) for row in await conn.fetch(_RETRACTING, list(targets))]


def attaching(placed: Sequence[Stored]) -> Write | None:
    """Put retractions that came before their target where the target is."""
    columns = tuple(
        list(column) for column in zip(*((p.id, p.episode, p.leaf, p.target) for p in placed), strict=True)
    )
    return Write(_ATTACH, columns) if columns else None


def stored(
    body: bytes,
    applied_at: Micros,
    episode: str | None,
    leaf: str | None,
    about: str | None,
    target: str | None,
    compound: int | None,
    model: str,
) -> Stored:
    """A row of `COLUMNS`."""
    text = None if compound is None else TextFeature(compound, model)
    return Stored(Applied(decode(body), text), applied_at, episode, leaf, about, target)
