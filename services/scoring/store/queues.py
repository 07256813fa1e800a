"""Accounts that wait to be rolled up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from services.scoring.store.types import Conn
from services.scoring.store.writing import Write, write
from shared.events.scores import AppliedEvent


class News(msgspec.Struct, frozen=True):
    """What made a sum out of date, for the account's message."""

    events: tuple[AppliedEvent, ...] = ()
    merged_from: tuple[str, ...] = ()
    split_from: str | None = None


class Dirty(NamedTuple):
    """An account whose sum is out of date, because of a person or of its own events. `news` is packed."""

    account: str
    person: str
    news: bytes = b"{}"


def pack(news: News) -> bytes:
    return msgspec.json.encode(news)


def unpack(raw: bytes) -> News:
    """The inverse of `pack`."""
    return _news.decode(raw)


_news = msgspec.json.Decoder(News)


_ADD = """
INSERT INTO scoring.dirty_account (account, person, news)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[])
"""
_NEXT = "SELECT account::text FROM scoring.dirty_account ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
_TAKE = """
DELETE FROM scoring.dirty_account WHERE id = ANY(ARRAY(
  SELECT id FROM scoring.dirty_account WHERE account = $1::uuid ORDER BY id LIMIT 2000
  FOR UPDATE SKIP LOCKED))
RETURNING account::text, person::text, news
"""
# Ordered as the index is, and an array: the planner has no reason to read the table instead.
_AGED = """
UPDATE scoring.customer SET generation = $1 WHERE id = ANY(ARRAY(
  SELECT id FROM scoring.customer
  WHERE generation < $1 AND merged_into IS NULL AND organisation AND version > 0
  ORDER BY organisation, generation LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING id::text
"""


def adding(rows: Sequence[Dirty]) -> Write | None:
    """A queue without unique key: two batches that touch one account never wait for each other."""
    return Write(_ADD, tuple(list(column) for column in zip(*rows, strict=True))) if rows else None


async def take(conn: Conn) -> list[Dirty]:
    """Take the entries of the account that waits longest off the queue.

    They come back if the transaction fails. What another replica holds is left to it.
    """
    account = await conn.fetchval(_NEXT)
    return [Dirty(*row) for row in await conn.fetch(_TAKE, account)] if account else []


async def add_older(conn: Conn, generation: int, limit: int) -> int:
    """Put accounts that an older policy scored into the queue; returns how many."""
    rows = [Dirty(row[0], row[0]) for row in await conn.fetch(_AGED, generation, limit)]
    await write(conn, [adding(rows)])
    return len(rows)
