"""The rows that scoring writes, merged by one `unnest` statement per table, and no scoring at all.

One message per customer and batch goes through the outbox. State, scores and messages are copies of real
ones, so that they have the size, and compress as, those of scoring.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import asyncpg
import msgspec

from shared.bus.topics import FEEDBACK
from shared.events.ids import leaf_id

NEWS_BYTES = 600
"""About what scoring notes per customer and batch for the account that the customer belongs to."""
Conn: TypeAlias = "asyncpg.Connection[Any]"
Row = tuple[Any, ...]

_SAMPLE = """
SELECT state, attributes, scores, name, region, persona, owner FROM scoring.customer
WHERE state IS NOT NULL AND NOT organisation ORDER BY octet_length(state), id
OFFSET (SELECT count(*) / 2 FROM scoring.customer WHERE state IS NOT NULL AND NOT organisation) LIMIT 1
"""
_CLAIM = """
INSERT INTO scoring.claim (event_id, recorded, at, outcome, digest)
SELECT id, recorded, at, 1, digest FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bytea[])
  AS new(id, recorded, at, digest) ON CONFLICT DO NOTHING RETURNING event_id::text
"""
_EVENT = """
INSERT INTO scoring.event (event_id, recorded, applied_at, at, type, episode, leaf, body)
SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::text[], $6::uuid[],
  $7::uuid[], $8::bytea[])
"""
_EPISODE = """
INSERT INTO scoring.episode (id, source, kind, key, owner)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[])
ON CONFLICT (id) DO UPDATE SET owner = excluded.owner
"""
_IDENTIFIER = """
INSERT INTO scoring.identifier (identifier, leaf) SELECT * FROM unnest($1::text[], $2::uuid[])
ON CONFLICT DO NOTHING
"""
_CUSTOMER = """
INSERT INTO scoring.customer AS c (id, identifiers, scored_at, next_at, organisation, born, rank, state,
  attributes, scores, version, generation, name, region, persona, owner, health, relationship, risk, bands)
SELECT id, ARRAY[identifier], scored_at, next_at, false, 0, 0, $5, $6, $7, 1, 1, $8, $9, $10, $11, scored_at,
  scored_at, scored_at, '{fair}' FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[])
  AS new(id, identifier, scored_at, next_at)
ON CONFLICT (id) DO UPDATE SET identifiers = excluded.identifiers, scored_at = excluded.scored_at,
  next_at = excluded.next_at, state = excluded.state, attributes = excluded.attributes,
  scores = excluded.scores, version = c.version + 1, name = excluded.name, region = excluded.region,
  persona = excluded.persona, owner = excluded.owner, health = excluded.health,
  relationship = excluded.relationship, risk = excluded.risk, bands = excluded.bands
"""
_OUTBOX = """
INSERT INTO scoring.outbox (lane, topic, key, body)
SELECT 0, 'cx.scores.v1', key, $2 FROM unnest($1::bytea[]) AS new(key) RETURNING id, key
"""
_ROLL_UP = """
INSERT INTO scoring.dirty_account (account, person, news) SELECT id, id, $2 FROM unnest($1::uuid[]) AS new(id)
"""
_TOLD = "DELETE FROM scoring.outbox WHERE lane = 0 AND id = ANY($1::bigint[])"
_PROGRESS = """
INSERT INTO scoring.progress AS p (topic, partition, next_offset)
SELECT $1, * FROM unnest($2::int[], $3::bigint[])
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = greatest(p.next_offset, excluded.next_offset)
"""


class Sample(NamedTuple):
    """What is written in place of scores, and the body of a message."""

    customer: Row
    message: bytes


class Seen(NamedTuple):
    """What the rows of one event need."""

    id: str
    type: str
    source: str
    time: datetime
    recorded: datetime
    episode: str | None
    identifiers: tuple[str, ...]
    leaf: str | None
    raw: bytes


class _Data(msgspec.Struct):
    body: dict[str, Any]
    identifiers: tuple[str, ...] = ()


class _Event(msgspec.Struct):
    id: str
    source: str
    type: str
    time: datetime
    recordedtime: datetime
    data: _Data


_decode = msgspec.json.Decoder(_Event).decode


async def sample(conn: Conn) -> Sample:
    row = await conn.fetchrow(_SAMPLE)
    assert row is not None, "nothing was scored in the template"
    return Sample(tuple(row), _message())


def _message() -> bytes:
    return Path(os.environ["BENCH_MESSAGE"]).read_bytes()


def seen(raw: bytes) -> Seen:
    event = _decode(raw)
    data = event.data
    interaction = data.body.get("interaction")
    named = data.identifiers
    leaf = leaf_id(named[0]) if named else None
    return Seen(
        event.id, event.type, event.source, event.time, event.recordedtime, interaction, named, leaf, raw
    )


def micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def episode_id(source: str, interaction: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, source + interaction))


async def merge(
    conn: Conn, raws: Sequence[bytes], offsets: Mapping[int, int], like: Sample
) -> list[tuple[int, bytes]]:
    """One transaction. What is to be told: (number in the outbox, key), each with `like.message`."""
    async with conn.transaction():
        events = {one.id: one for one in map(seen, raws)}
        rows = list(events.values())
        ours = await conn.fetch(
            _CLAIM,
            [r.id for r in rows],
            [micros(r.recorded) for r in rows],
            [micros(r.time) for r in rows],
            [hashlib.sha256(r.raw).digest()[:16] for r in rows],
        )
        told = await _write(conn, [events[row[0]] for row in ours], like) if ours else []
        await conn.execute(_PROGRESS, FEEDBACK, list(offsets), list(offsets.values()))
    return told


async def _write(conn: Conn, rows: Sequence[Seen], like: Sample) -> list[tuple[int, bytes]]:
    episodes = {
        episode_id(r.source, r.episode): (r.source, r.type, r.episode, r.leaf) for r in rows if r.episode
    }
    await conn.execute(
        _EVENT,
        [r.id for r in rows],
        [r.recorded for r in rows],
        [micros(r.recorded) for r in rows],
        [micros(r.time) for r in rows],
        [r.type for r in rows],
        [episode_id(r.source, r.episode) if r.episode else None for r in rows],
        [r.leaf for r in rows],
        [r.raw for r in rows],
    )
    if episodes:
        await conn.execute(_EPISODE, list(episodes), *map(list, zip(*episodes.values(), strict=True)))
    names = {name: leaf_id(name) for r in rows for name in r.identifiers}
    await conn.execute(_IDENTIFIER, list(names), list(names.values()))
    people = {r.leaf: (r.identifiers[0], micros(r.recorded)) for r in rows if r.leaf}
    at = [one[1] for one in people.values()]
    await conn.execute(_CUSTOMER, list(people), [one[0] for one in people.values()], at, at, *like.customer)
    await conn.execute(_ROLL_UP, list(people), like.message[:NEWS_BYTES])
    keys = [leaf.encode() for leaf in people]
    return [(row[0], row[1]) for row in await conn.fetch(_OUTBOX, keys, like.message)]


async def forget(conn: Conn, told: Sequence[tuple[int, bytes]]) -> None:
    """After the broker has them."""
    await conn.execute(_TOLD, [number for number, _ in told])
