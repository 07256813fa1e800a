"""One packed row per customer, and what lists filter and sort by beside it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from services.scoring.store.types import Conn
from shared.events.times import Micros


class Held(NamedTuple):
    """A root's row as read under its lock. `scores` are the published ones of the last message."""

    id: str
    organisation: bool
    account: str | None
    scores: bytes | None
    version: int
    generation: int
    scored_at: Micros


class CustomerRow(NamedTuple):
    """All that is written of a root; the order is that of `_WRITE`."""

    id: str
    account: str | None
    state: bytes
    attributes: bytes
    live: list[str]
    scores: bytes | None
    version: int
    generation: int
    scored_at: Micros
    next_at: Micros | None
    identifiers: list[str]
    name: str | None
    region: str | None
    persona: str | None
    owner: str | None
    value: int | None
    currency: str | None
    renewal_at: str | None
    health: int | None
    relationship: int | None
    risk: int | None
    bands: list[str]
    value_at_risk: int | None


_HELD = "id::text, organisation, account::text, scores, version, generation, scored_at"
_LOCK = f"SELECT {_HELD} FROM scoring.customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"  # noqa: S608
_TYPES = {
    "id": "uuid",
    "account": "uuid",
    "state": "bytea",
    "attributes": "bytea",
    "live": "text",
    "scores": "bytea",
    "version": "bigint",
    "generation": "bigint",
    "scored_at": "bigint",
    "next_at": "bigint",
    "identifiers": "text",
    "value": "bigint",
    "health": "bigint",
    "relationship": "bigint",
    "risk": "bigint",
    "bands": "text",
    "value_at_risk": "bigint",
}
# unnest flattens arrays of arrays, so the three lists travel as texts in PostgreSQL's own array syntax.
_LISTS = {"live": "uuid[]", "identifiers": "text[]", "bands": "text[]"}
_FIELDS = CustomerRow._fields
_WRITE = (
    "UPDATE scoring.customer AS c SET merged_into = NULL, "  # noqa: S608
    + ", ".join(
        f"{name} = new.{name}::{_LISTS[name]}" if name in _LISTS else f"{name} = new.{name}"
        for name in _FIELDS[1:]
    )
    + " FROM unnest("
    + ", ".join(f"${i}::{_TYPES.get(name, 'text')}[]" for i, name in enumerate(_FIELDS, 1))
    + f") AS new({', '.join(_FIELDS)}) WHERE c.id = new.id"
)
_ABSORB = """
UPDATE scoring.customer AS c
SET merged_into = new.root, state = NULL, attributes = NULL, scores = NULL, next_at = NULL, account = NULL,
  live = '{}', identifiers = '{}', bands = '{}', name = NULL, region = NULL, persona = NULL, owner = NULL,
  value = NULL, currency = NULL, renewal_at = NULL, health = NULL, relationship = NULL, risk = NULL,
  value_at_risk = NULL
FROM unnest($1::uuid[], $2::uuid[]) AS new(id, root) WHERE c.id = new.id
"""


async def lock(conn: Conn, roots: Collection[str]) -> dict[str, Held]:
    """Lock rows by id, in order. A row that was merged meanwhile is handed back as it is: re-read roots."""
    return {row[0]: Held(*row) for row in await conn.fetch(_LOCK, list(roots))}


async def write(conn: Conn, rows: Sequence[CustomerRow]) -> None:
    """Write roots; they must be locked, or leaves of a locked component."""
    if not rows:
        return
    columns = {name: [getattr(row, name) for row in rows] for name in _FIELDS}
    for name in _LISTS:
        columns[name] = [_array(items) for items in columns[name]]
    await conn.execute(_WRITE, *columns.values())


async def absorb(conn: Conn, root_of: dict[str, str]) -> None:
    """Point leaves to the root of another leaf; their own scores end."""
    await conn.execute(_ABSORB, list(root_of), list(root_of.values()))


def _array(items: Collection[str]) -> str:
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"
