"""Generations of the policy: what every row was last scored with."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from services.scoring.store.types import Conn
from shared.events.times import Micros

LOCK: Final = 7_203_911_554_120_101
"""Advisory lock: shared by everybody who scores, exclusive for the switch of the policy."""


class Generation(NamedTuple):
    number: int
    policy: str
    model: str


class Adopted(NamedTuple):
    """A policy with its files, as JSON, and when it came into force."""

    number: int
    policy: str
    model: str
    name: str
    document: bytes
    adopted_at: datetime


class SupersededError(Exception):
    """Another process has adopted a newer policy: this one must start anew with it."""


_LATEST = "SELECT generation, policy, model FROM scoring.policy ORDER BY generation DESC LIMIT 1"
_ALL = "SELECT generation, policy, model, name, document, adopted_at FROM scoring.policy ORDER BY generation"
_CLOCK = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
_IN_FORCE = f"SELECT {_CLOCK}, (SELECT coalesce(max(generation), 0) FROM scoring.policy)"  # noqa: S608
_ADOPT = """
INSERT INTO scoring.policy (generation, policy, model, name, document) VALUES ($1, $2, $3, $4, $5)
"""


async def share(conn: Conn, generation: int) -> Micros:
    """Step 0 of every transaction that scores: keep the policy in force until it ends.

    Returns the time. Raises SupersededError.
    """
    await conn.execute("SELECT pg_advisory_xact_lock_shared($1)", LOCK)
    # A statement of its own: one that waited for the lock would still see what was before the switch.
    row = await conn.fetchrow(_IN_FORCE)
    assert row is not None
    if row[1] != generation:
        raise SupersededError(f"generation {row[1]} is in force, this process knows {generation}")
    return int(row[0])


async def clock(conn: Conn) -> Micros:
    """The database's time now, microseconds since 1970."""
    return int(await conn.fetchval(f"SELECT {_CLOCK}"))


async def all_generations(conn: Conn) -> list[Adopted]:
    """Every policy that was ever in force, the oldest first."""
    return [Adopted(*row) for row in await conn.fetch(_ALL)]


async def adopt(conn: Conn, policy: str, model: str, name: str, document: bytes) -> Generation:
    """Put a policy in force unless it is; waits until nobody is scoring."""
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        row = await conn.fetchrow(_LATEST)
        if row is not None and (row[1], row[2]) == (policy, model):
            return Generation(*row)
        number = row[0] + 1 if row else 1
        await conn.execute(_ADOPT, number, policy, model, name, document)
        return Generation(number, policy, model)
