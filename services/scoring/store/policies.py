"""Generations of the policy: what every row was last scored with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
CLOCK: Final = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
IN_FORCE: Final = f"{CLOCK}, (SELECT coalesce(max(generation), 0) FROM scoring.policy)"  # noqa: S608
"""First columns of the first statement once the lock is there: one that waited for the lock would still see
what was before the switch."""
_ADOPT = """
INSERT INTO scoring.policy (generation, policy, model, name, document) VALUES ($1, $2, $3, $4, $5)
"""


@asynccontextmanager
async def shared(conn: Conn) -> AsyncIterator[None]:
    """Step 0: a transaction that keeps the policy in force until it ends, begun in one round trip."""
    try:
        await conn.execute(f"BEGIN; SELECT pg_advisory_xact_lock_shared({LOCK})")
        yield
    except BaseException:
        if not conn.is_closed() and conn.is_in_transaction():
            await conn.execute("ROLLBACK")
        raise
    await conn.execute("COMMIT")


def check(in_force: int, generation: int) -> None:
    """Raises SupersededError unless the generation in force is the one given."""
    if in_force != generation:
        raise SupersededError(f"generation {in_force} is in force, this process knows {generation}")


async def current(conn: Conn, generation: int) -> Micros:
    """The time, if this generation is in force. Raises SupersededError."""
    row = await conn.fetchrow(f"SELECT {IN_FORCE}")
    assert row is not None
    check(row[1], generation)
    return int(row[0])


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
