"""One packed row per customer, and what lists filter and sort by beside it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from services.scoring.store.types import Conn
from services.scoring.store.writing import Write
from shared.events.times import Micros


class Held(NamedTuple):
    """A root's row as read under its lock. `scores` are the published ones of the last message.

    `account_event` last named the account, at `account_at`. Where `kept` is the version, these two, state and
    attributes and the folds of settled episodes may be gone on from.
    """

    id: str
    organisation: bool
    account: str | None
    scores: bytes | None
    version: int
    generation: int
    scored_at: Micros
    state: bytes | None
    attributes: bytes | None
    kept: int
    account_at: Micros | None
    account_event: str | None


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
    kept: int = -1
    account_at: Micros | None = None
    account_event: str | None = None


_HELD = """id::text, organisation, account::text, scores, version, generation, scored_at, state, attributes,
  kept, account_at, account_event::text"""
_LOCK = f"SELECT {_HELD} FROM scoring.customer WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"  # noqa: S608
_LOCK_ROOTS = f"""
SELECT {_HELD} FROM scoring.customer AS root
WHERE id IN (SELECT coalesce(merged_into, id) FROM scoring.customer WHERE id = ANY($1::uuid[]))
ORDER BY id FOR UPDATE OF root
"""  # noqa: S608
_READ = f"SELECT {_HELD} FROM scoring.customer WHERE id = ANY($1::uuid[])"  # noqa: S608
# Arrays of what an index has in order: the planner, who does not know how few, would read the table.
# Nothing is due of who was merged (`_ABSORB`); to say so would make indexes of everybody look as good.
_LOCK_DUE = f"""
SELECT {_HELD} FROM scoring.customer WHERE id = ANY(ARRAY(
  SELECT id FROM scoring.customer WHERE next_at <= $1 ORDER BY next_at LIMIT $2))
ORDER BY id FOR UPDATE SKIP LOCKED
"""  # noqa: S608
_LOCK_OLDER = f"""
SELECT {_HELD} FROM scoring.customer WHERE id = ANY(ARRAY(
  SELECT id FROM scoring.customer
  WHERE generation < $1 AND merged_into IS NULL AND NOT organisation
  ORDER BY organisation, generation LIMIT $2))
  AND generation < $1 ORDER BY id FOR UPDATE SKIP LOCKED
"""  # noqa: S608
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
    "kept": "bigint",
    "account_at": "bigint",
    "account_event": "uuid",
}
# unnest flattens arrays of arrays, so the three lists travel as texts in PostgreSQL's own array syntax.
_LISTS = {"live": "uuid[]", "identifiers": "text[]", "bands": "text[]"}
_FIELDS = CustomerRow._fields
_KEPT = ("account", "account_at", "account_event", "state", "attributes", "live", "kept")
_SUMS = tuple(f for f in _FIELDS if f not in _KEPT)


def _update(fields: tuple[str, ...], also: str = "") -> str:
    sets = ", ".join(f"{f} = new.{f}::{_LISTS[f]}" if f in _LISTS else f"{f} = new.{f}" for f in fields[1:])
    given = ", ".join(f"${i}::{_TYPES.get(f, 'text')}[]" for i, f in enumerate(fields, 1))
    return (
        f"UPDATE scoring.customer AS c SET {also}{sets}"  # noqa: S608 - names of columns
        f" FROM unnest({given}) AS new({', '.join(fields)}) WHERE c.id = new.id"
    )


_WRITE = _update(_FIELDS, "merged_into = NULL, ")
_OWN = ("id", "state", "attributes", "live", "identifiers")
_WRITE_SUMS = _update(_SUMS)
_WRITE_OWN = _update(_OWN, "merged_into = NULL, ")
_LOOK = """
UPDATE scoring.customer AS c SET next_at = new.next_at
FROM unnest($1::uuid[], $2::bigint[]) AS new(id, next_at) WHERE c.id = new.id
"""
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


async def lock_roots(conn: Conn, leaves: Collection[str]) -> dict[str, Held]:
    """`lock` the roots of these leaves, as they were a moment ago: look again whether they still are."""
    return {row[0]: Held(*row) for row in await conn.fetch(_LOCK_ROOTS, list(leaves))}


async def read(conn: Conn, roots: Collection[str]) -> dict[str, Held]:
    """Rows as they are, without a lock."""
    return {row[0]: Held(*row) for row in await conn.fetch(_READ, list(roots))}


async def lock_due(conn: Conn, now: Micros, limit: int) -> dict[str, Held]:
    """Lock roots whose next look is due, by id; those that somebody holds are left for the next time."""
    return {row[0]: Held(*row) for row in await conn.fetch(_LOCK_DUE, now, limit)}


async def lock_older(conn: Conn, generation: int, limit: int) -> dict[str, Held]:
    """Lock roots that an older policy scored."""
    return {row[0]: Held(*row) for row in await conn.fetch(_LOCK_OLDER, generation, limit)}


def writing(rows: Sequence[CustomerRow]) -> Write | None:
    """Roots of people; they must be locked, or leaves of a locked component."""
    return _writing(rows, _FIELDS, _WRITE)


def writing_own(rows: Sequence[CustomerRow]) -> Write | None:
    """What organisations' own events make; their sums and what was told of them stay."""
    return _writing(rows, _OWN, _WRITE_OWN)


async def look_again(conn: Conn, looks: dict[str, Micros | None]) -> None:
    """Set when rows that hardly moved are due next."""
    if looks:
        await conn.execute(_LOOK, list(looks), list(looks.values()))


def writing_account(rows: Sequence[CustomerRow]) -> Write | None:
    """Accounts' sums. State and live episodes stay those of their own events, as batches keep them."""
    return _writing(rows, _SUMS, _WRITE_SUMS)


def _writing(rows: Sequence[CustomerRow], fields: tuple[str, ...], statement: str) -> Write | None:
    if not rows:
        return None
    columns = {name: [getattr(row, name) for row in rows] for name in fields}
    columns |= {name: [_array(items) for items in columns[name]] for name in _LISTS if name in columns}
    return Write(statement, tuple(columns.values()))


def absorbing(root_of: dict[str, str]) -> Write | None:
    """Point leaves to the root of another leaf; their own scores end."""
    return Write(_ABSORB, (list(root_of), list(root_of.values()))) if root_of else None


def _array(items: Collection[str]) -> str:
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"
