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
_NEXT = "SELECT account::text FROM scoring.dirty_account ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
_TAKE = """
DELETE FROM scoring.dirty_account WHERE id IN (
  SELECT id FROM scoring.dirty_account WHERE account = $1::uuid ORDER BY id LIMIT 2000
  FOR UPDATE SKIP LOCKED)
RETURNING account::text, person::text, events
"""
_AGED = """
UPDATE scoring.customer SET generation = $1 WHERE id IN (
  SELECT id FROM scoring.customer
  WHERE generation < $1 AND merged_into IS NULL AND organisation AND version > 0
  ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
RETURNING id::text
"""


async def add(conn: Conn, rows: Sequence[Dirty]) -> None:
    """A queue without unique key: two batches that touch one account never wait for each other."""
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await conn.execute(_ADD, *columns)


async def take(conn: Conn) -> list[Dirty]:
    """Take the entries of the account that waits longest off the queue.

    They come back if the transaction fails. What another replica holds is left to it.
    """
    account = await conn.fetchval(_NEXT)
    return [Dirty(*row) for row in await conn.fetch(_TAKE, account)] if account else []


async def add_older(conn: Conn, generation: int, limit: int) -> int:
    """Put accounts that an older policy scored into the queue; returns how many."""
    rows = [Dirty(row[0], row[0], b"[]") for row in await conn.fetch(_AGED, generation, limit)]
    await add(conn, rows)
    return len(rows)
