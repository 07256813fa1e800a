"""Statements of a batch that do several things at once: it waits for each way to the database and back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from services.scoring.domain.types import EpisodeKey
from services.scoring.store.episodes import AROUND
from services.scoring.store.identities import LinkRow, NewLeaf, Node
from services.scoring.store.policies import CLOCK
from services.scoring.store.types import Conn, printable
from shared.events.times import Micros

# Each insert counts the one before, so that they are done, and wait for others, in this order.
_ENSURE = f"""
WITH named AS (
  INSERT INTO scoring.identifier (identifier, leaf)
  SELECT new.identifier, new.leaf FROM unnest($1::text[], $2::uuid[]) AS new(identifier, leaf)
  WHERE NOT EXISTS (SELECT FROM scoring.identifier AS old WHERE old.identifier = new.identifier)
  ORDER BY new.identifier COLLATE "C"
  ON CONFLICT DO NOTHING RETURNING 1
), born AS (
  INSERT INTO scoring.customer (id, organisation, born, rank)
  SELECT new.id, new.organisation, $5, new.rank
  FROM unnest($2::uuid[], $3::boolean[], $4::integer[]) AS new(id, organisation, rank)
  WHERE (SELECT count(*) FROM named) >= 0
    AND NOT EXISTS (SELECT FROM scoring.customer AS old WHERE old.id = new.id)
  ORDER BY new.id
  ON CONFLICT DO NOTHING RETURNING 1
), begun AS (
  INSERT INTO scoring.episode (id, source, kind, key)
  SELECT new.id, new.source, new.kind, new.key
  FROM unnest($6::uuid[], $7::text[], $8::text[], $9::text[]) AS new(id, source, kind, key)
  WHERE (SELECT count(*) FROM born) >= 0
    AND NOT EXISTS (SELECT FROM scoring.episode AS old WHERE old.id = new.id)
  ORDER BY new.id
  ON CONFLICT DO NOTHING RETURNING 1
)
SELECT (SELECT count(*) FROM begun), ARRAY({AROUND.format("$10")}),
  EXISTS (SELECT FROM scoring.retraction WHERE target = ANY($11::uuid[]))
"""  # noqa: S608
# Arrays of ids, no joins: the planner, who cannot know how few nodes there are, would read all links.
_LOOK = f"""
WITH node AS MATERIALIZED (
  SELECT id, organisation, born, rank, coalesce(merged_into, id) AS root FROM scoring.customer
  WHERE id = ANY($2::uuid[]) OR merged_into = ANY($2::uuid[])
)
SELECT {CLOCK},
  ARRAY(SELECT ROW(id::text, coalesce(merged_into, id)::text) FROM scoring.customer
    WHERE id = ANY($1::uuid[])),
  ARRAY(SELECT ROW(id::text, organisation, born, rank, root::text) FROM node),
  ARRAY(SELECT ROW(event_id::text, a::text, b::text, applied_at, gone_at) FROM (
    SELECT * FROM scoring.link WHERE a = ANY(ARRAY(SELECT id FROM node))
    UNION SELECT * FROM scoring.link WHERE b = ANY(ARRAY(SELECT id FROM node))) AS found),
  ARRAY(SELECT ROW(leaf::text, identifier) FROM scoring.identifier
    WHERE leaf = ANY(ARRAY(SELECT id FROM node))),
  ARRAY({AROUND.format("$3")})
"""  # noqa: S608


class Ensured(NamedTuple):
    """`begun`: how many episodes were made; `around`: those that are about episodes touched, or that these
    are about; `undone`: whether a retraction of any of the events had come before."""

    begun: int
    around: set[str]
    undone: bool


class Look(NamedTuple):
    """`root_of` the leaves asked for; `nodes` of the components of the roots asked for, their links, also
    those that are gone, and the identifier of each node."""

    now: Micros
    root_of: dict[str, str]
    nodes: dict[str, Node]
    links: list[LinkRow]
    identifiers: dict[str, str]
    around: set[str]


async def ensure(
    conn: Conn,
    leaves: Sequence[NewLeaf],
    keys: Mapping[str, EpisodeKey],
    touched: Collection[str],
    own: Collection[str],
    now: Micros,
) -> Ensured:
    """Create identifiers, leaves and episodes never heard of, each sorted; what was made once never changes.

    `touched` are episodes, `own` the batch's events.
    """
    row = await conn.fetchrow(
        _ENSURE,
        [n.identifier for n in leaves],
        [n.leaf for n in leaves],
        [n.organisation for n in leaves],
        [n.rank for n in leaves],
        now,
        list(keys),
        [printable(key.source) for key in keys.values()],
        [printable(key.kind) for key in keys.values()],
        [printable(key.key) for key in keys.values()],
        list(touched),
        list(own),
    )
    assert row is not None
    return Ensured(row[0], set(row[1]), row[2])


async def look(conn: Conn, leaves: Collection[str], roots: Collection[str], touched: Collection[str]) -> Look:
    """As a fresh statement sees it: once the roots are locked, nobody else changes any of it."""
    row = await conn.fetchrow(_LOOK, list(leaves), list(roots), list(touched))
    assert row is not None
    now, root_of, nodes, links, identifiers, around = row
    return Look(
        now,
        dict(root_of),
        {node[0]: Node(*node) for node in nodes},
        [LinkRow(*link) for link in links],
        dict(identifiers),
        set(around),
    )
