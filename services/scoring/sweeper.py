"""Scores move by time alone; the sweeper looks again when a customer's next look is due.

One turn is a batch without events: due roots are locked by id (skipping those a batch or another replica
holds), folded anew, and told where it matters. A customer that hardly moved keeps what was last told of
it, so that small steps add up to one that is told.
1. Told: a band or a state changed, a promise broke, or a score moved by a point since the last message.
2. Rows of an older policy: in the slow lane, told quietly, so that they page nobody.
3. Accounts that are due are put into the queue of accounts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring import measures
from services.scoring.batch import SCHEMA, outcomes_of, write_outcomes
from services.scoring.engine import Engine
from services.scoring.graph import resolve
from services.scoring.locking import ground_of
from services.scoring.outcome import Outcome, published_scores
from services.scoring.store import customers, policies, queues
from services.scoring.store.customers import Held
from services.scoring.store.queues import Dirty
from services.scoring.store.types import Conn
from shared.db import outbox
from shared.db.engine import driver
from shared.events.scores import Score, Scores

POINT: Final = {"health": 1.0, "relationship": 1.0, "risk": 0.01}
"""What counts as moved, in the score's own unit."""


class Sweeper:
    """Looks until cancelled. `told` is called after commits that wrote messages."""

    def __init__(
        self, pool: AsyncEngine, engine: Engine, every_s: float, at_once: int, told: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._every_s = every_s
        self._at_once = at_once
        self._told = told

    async def run(self) -> None:
        while True:
            async with driver(self._pool) as conn:
                due = await sweep(conn, self._engine, self._at_once)
                old = 0 if due else await rescore(conn, self._engine, self._at_once)
            self._told()
            if not due and not old:
                await asyncio.sleep(self._every_s)


async def sweep(conn: Conn, engine: Engine, limit: int) -> int:
    """Look at customers that are due; returns how many there were."""
    async with conn.transaction():
        now = await policies.share(conn, engine.generation)
        held = await customers.lock_due(conn, now, limit)
        await _look(conn, held, engine, quiet=False)
    measures.RESCORED.labels("time").inc(len(held))
    return len(held)


async def rescore(conn: Conn, engine: Engine, limit: int) -> int:
    """Bring customers that an older policy scored up to date; returns how many there were."""
    async with conn.transaction():
        await policies.share(conn, engine.generation)
        held = await customers.lock_older(conn, engine.generation, limit)
        await _look(conn, held, engine, quiet=True)
    measures.RESCORED.labels("policy").inc(len(held))
    return len(held)


async def _look(conn: Conn, held: dict[str, Held], engine: Engine, *, quiet: bool) -> None:
    if not held:
        return
    ground = await ground_of(conn, held)
    graph = resolve(ground)
    found = await outcomes_of(conn, ground, graph, engine, quiet=quiet)
    kept = [one if quiet or matters(one, held.get(one.row.id)) else _silent(one, held) for one in found]
    await write_outcomes(conn, ground, graph, kept)
    await queues.add(conn, [Dirty(h.id, h.id, b"[]") for h in held.values() if h.organisation])
    await outbox.add(conn, SCHEMA, [message for one in kept for message in one.messages])


def matters(outcome: Outcome, held: Held | None) -> bool:
    """Case 1."""
    before = published_scores(held)
    if before is None or outcome.broken:
        return True
    after = msgspec.json.decode(outcome.row.scores or b"", type=Scores)
    return any(_moved(name, getattr(before, name), getattr(after, name)) for name in POINT)


def _moved(name: str, before: Score, after: Score) -> bool:
    if (before.band, before.state) != (after.band, after.state):
        return True
    if before.value is None or after.value is None:
        return False
    return abs(after.value - before.value) >= POINT[name]


def _silent(outcome: Outcome, held: dict[str, Held]) -> Outcome:
    """The row as folded now, with what was last told kept to be told from."""
    before = held[outcome.row.id]
    row = outcome.row._replace(scores=before.scores, version=before.version, scored_at=before.scored_at)
    return outcome._replace(row=row, messages=[], dirty=[])
