"""Accounts that wait to be rolled up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.scoring.store.types import Conn


class Dirty(NamedTuple):
    """An account whose sum is out of date. `events`: what was applied, as packed for the message."""

    account: str
    person: str
    events: bytes


_ADD = """
INSERT INTO scoring.dirty_account (account, person, events)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[])
"""
_TAKE = """
DELETE FROM scoring.dirty_account WHERE id IN (
  SELECT id FROM scoring.dirty_account ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING account::text, person::text, events
"""


async def add(conn: Conn, rows: Sequence[Dirty]) -> None:
    """A queue without unique key: two batches that touch one account never wait for each other."""
    if rows:
        await conn.execute(
            _ADD, [r.account for r in rows], [r.person for r in rows], [r.events for r in rows]
        )


async def take(conn: Conn, limit: int) -> list[Dirty]:
    """Take the oldest off the queue; they come back if the transaction fails."""
    return [Dirty(*row) for row in await conn.fetch(_TAKE, limit)]
