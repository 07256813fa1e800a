"""Identifiers, their leaves, the links between leaves, and the roots of components."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from services.scoring.store.types import Conn
from services.scoring.store.writing import Write
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


async def roots(conn: Conn, leaves: Collection[str]) -> dict[str, str]:
    """Leaf → its root as a fresh statement sees it."""
    return {row[0]: row[1] for row in await conn.fetch(_ROOTS, list(leaves))}


async def nodes(conn: Conn, of_roots: Collection[str]) -> list[Node]:
    """All leaves of the components with these roots."""
    return [Node(*row) for row in await conn.fetch(_NODES, list(of_roots))]


async def links(conn: Conn, leaves: Collection[str]) -> list[LinkRow]:
    """Links that touch any of the leaves, also those that are gone."""
    return [LinkRow(*row) for row in await conn.fetch(_LINKS, list(leaves))]


def writing_links(rows: Iterable[LinkRow]) -> Write | None:
    """Add links, or set when one went."""
    columns = tuple(list(column) for column in zip(*rows, strict=True))
    return Write(_ADD_LINKS, columns) if columns else None


async def identifiers(conn: Conn, leaves: Collection[str]) -> dict[str, str]:
    """Leaf → the identifier it stands for."""
    return {row[0]: row[1] for row in await conn.fetch(_NAMES, list(leaves))}


async def lookup(conn: Conn, identifier: str) -> tuple[bool, str] | None:
    """(names an organisation, root) of a normalised identifier; None if it was never seen."""
    row = await conn.fetchrow(_LOOKUP, identifier)
    return (row[0], row[1]) if row else None
