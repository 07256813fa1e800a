"""Identifiers, their leaves, the links between leaves, and the roots of components."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from services.scoring.store.types import Conn
from shared.events.times import Micros


class NewLeaf(NamedTuple):
    """A leaf that is perhaps new; `rank` orders those of one batch."""

    identifier: str
    leaf: str
    organisation: bool
    rank: int


class Node(NamedTuple):
    """A leaf with its place in the identity graph."""

    id: str
    organisation: bool
    born: Micros
    rank: int
    root: str


class LinkRow(NamedTuple):
    event_id: str
    a: str
    b: str
    applied_at: Micros
    gone_at: Micros | None


_IDENTIFIERS = """
INSERT INTO scoring.identifier (identifier, leaf)
SELECT new.identifier, new.leaf FROM unnest($1::text[], $2::uuid[]) AS new(identifier, leaf)
WHERE NOT EXISTS (SELECT FROM scoring.identifier AS old WHERE old.identifier = new.identifier)
ORDER BY new.identifier COLLATE "C"
ON CONFLICT DO NOTHING
"""
_LEAVES = """
INSERT INTO scoring.customer (id, organisation, born, rank)
SELECT new.id, new.organisation, $4, new.rank
FROM unnest($1::uuid[], $2::boolean[], $3::integer[]) AS new(id, organisation, rank)
WHERE NOT EXISTS (SELECT FROM scoring.customer AS old WHERE old.id = new.id)
ORDER BY new.id
ON CONFLICT DO NOTHING
"""
_ROOTS = """
SELECT id::text, coalesce(merged_into, id)::text FROM scoring.customer WHERE id = ANY($1::uuid[])
"""
_NODES = """
SELECT id::text, organisation, born, rank, coalesce(merged_into, id)::text FROM scoring.customer
WHERE id = ANY($1::uuid[]) OR merged_into = ANY($1::uuid[])
"""
_LINKS = """
SELECT event_id::text, a::text, b::text, applied_at, gone_at FROM scoring.link
WHERE a = ANY($1::uuid[]) OR b = ANY($1::uuid[])
"""
_ADD_LINKS = """
INSERT INTO scoring.link (event_id, a, b, applied_at, gone_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[])
ON CONFLICT (event_id, a, b) DO UPDATE SET gone_at = excluded.gone_at
"""
_NAMES = "SELECT leaf::text, identifier FROM scoring.identifier WHERE leaf = ANY($1::uuid[])"

_LOOKUP = """
SELECT c.organisation, coalesce(c.merged_into, c.id)::text FROM scoring.identifier AS i
JOIN scoring.customer AS c ON c.id = i.leaf WHERE i.identifier = $1
"""


async def ensure(conn: Conn, leaves: Sequence[NewLeaf], now: Micros) -> None:
    """Create what is missing, in sorted order; a leaf once made never changes."""
    await conn.execute(_IDENTIFIERS, [n.identifier for n in leaves], [n.leaf for n in leaves])
    await conn.execute(
        _LEAVES, [n.leaf for n in leaves], [n.organisation for n in leaves], [n.rank for n in leaves], now
    )


async def roots(conn: Conn, leaves: Collection[str]) -> dict[str, str]:
    """Leaf → its root as a fresh statement sees it."""
    return {row[0]: row[1] for row in await conn.fetch(_ROOTS, list(leaves))}


async def nodes(conn: Conn, of_roots: Collection[str]) -> list[Node]:
    """All leaves of the components with these roots."""
    return [Node(*row) for row in await conn.fetch(_NODES, list(of_roots))]


async def links(conn: Conn, leaves: Collection[str]) -> list[LinkRow]:
    """Links that touch any of the leaves, also those that are gone."""
    return [LinkRow(*row) for row in await conn.fetch(_LINKS, list(leaves))]


async def write_links(conn: Conn, rows: Iterable[LinkRow]) -> None:
    """Add links, or set when one went."""
    columns = list(zip(*rows, strict=True))
    if columns:
        await conn.execute(_ADD_LINKS, *[list(column) for column in columns])


async def identifiers(conn: Conn, leaves: Collection[str]) -> dict[str, str]:
    """Leaf → the identifier it stands for."""
    return {row[0]: row[1] for row in await conn.fetch(_NAMES, list(leaves))}


async def lookup(conn: Conn, identifier: str) -> tuple[bool, str] | None:
    """(names an organisation, root) of a normalised identifier; None if it was never seen."""
    row = await conn.fetchrow(_LOOKUP, identifier)
    return (row[0], row[1]) if row else None
