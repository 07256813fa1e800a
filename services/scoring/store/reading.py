"""What reads need of customers, without locks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from services.scoring.store import events
from services.scoring.store.types import Conn
from shared.events.times import Micros


class Packed(NamedTuple):
    """A root's row as packed at `scored_at`, the database's time of the reading, and the id asked by."""

    id: str
    organisation: bool
    account: str | None
    state: bytes | None
    attributes: bytes | None
    live: list[str]
    version: int
    generation: int
    scored_at: Micros
    identifiers: list[str]
    now: Micros
    asked: str


Raw = tuple[Any, ...]
"""A row of the log as `events.stored` takes it, not decoded yet."""

# One time for all rows of a statement: what is read at the same time is weighed alike.
_CLOCK = "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint"
_PACKED = f"""
SELECT r.id::text, r.organisation, r.account::text, r.state, r.attributes, r.live::text[], r.version,
  r.generation, r.scored_at, r.identifiers, {_CLOCK}, c.id::text
FROM scoring.customer AS c JOIN scoring.customer AS r ON r.id = coalesce(c.merged_into, c.id)
WHERE c.id = ANY($1::uuid[])
"""  # noqa: S608
_RAW = f"SELECT {events.COLUMNS} FROM scoring.event AS e WHERE e.episode = ANY($1::uuid[])"  # noqa: S608
_SETTLE = """
SELECT r.id FROM scoring.customer AS c JOIN scoring.customer AS r ON r.id = coalesce(c.merged_into, c.id)
WHERE c.id = $1::uuid FOR SHARE OF r
"""
_MEMBERS = """
SELECT id::text FROM scoring.customer WHERE account = ANY($1::uuid[]) AND merged_into IS NULL ORDER BY id
"""
_EVER = """
SELECT DISTINCT e.leaf::text FROM scoring.event AS e JOIN scoring.customer AS c ON c.id = e.leaf
WHERE e.organisation = ANY($1::uuid[]) AND NOT c.organisation
"""


async def packed(conn: Conn, ids: Collection[str]) -> list[Packed]:
    """Rows of the survivors of these ids; unknown ids are left out."""
    return [Packed(*row) for row in await conn.fetch(_PACKED, list(ids))]


async def of_live(conn: Conn, rows: Collection[Packed]) -> dict[str, list[Raw]]:
    """Events of the live episodes of these rows, by episode."""
    episodes = [episode for row in rows for episode in row.live]
    found: dict[str, list[Raw]] = {}
    if episodes:
        for record in await conn.fetch(_RAW, episodes):
            found.setdefault(record["episode"], []).append(tuple(record))
    return found


async def settle(conn: Conn, customer: str) -> None:
    """Wait for batches that hold the customer: what they write was known before now."""
    await conn.execute(_SETTLE, customer)


async def members(conn: Conn, leaves: Collection[str]) -> list[str]:
    """Roots of the people who belong to an organisation's leaves today."""
    return [row[0] for row in await conn.fetch(_MEMBERS, list(leaves))]


async def ever_named(conn: Conn, leaves: Collection[str]) -> list[str]:
    """Leaves of people of whom any event ever said that they belong to these organisations' leaves."""
    return [row[0] for row in await conn.fetch(_EVER, list(leaves))]
