"""Scores move by time alone; the sweeper looks again when a customer's next look is due.

One turn: due roots are locked by id (skipping those a batch or another replica holds) and read from their
packed rows, which is cheap. Where it matters they are folded anew and told, as a batch without events is.
1. It matters if a band or a state changed, a promise broke, or a score moved by a point since the last
   message. A customer that hardly moved keeps what was last told of it, so that small steps add up.
2. Customers of an older policy: in the slow lane, told quietly, so that they page nobody.
3. Accounts that are due, or of an older policy, are put into the queue of accounts.
Where the customers of a turn have more live events than there is room for, the next turns take fewer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring import measures, reads
from services.scoring.batch import SCHEMA
from services.scoring.engine import Engine
from services.scoring.folding import folded
from services.scoring.locking import ground_of
from services.scoring.outcome import published_scores
from services.scoring.precedence import Precedence
from services.scoring.store import customers, events, policies, queues, reading
from services.scoring.store.customers import Held
from services.scoring.store.events import TooMuchError
from services.scoring.store.queues import Dirty
from services.scoring.store.types import Conn, Stored
from services.scoring.store.writing import Write, write
from services.scoring.view import View
from shared.db import outbox
from shared.db.engine import driver
from shared.events.scores import Score
from shared.events.times import Micros, instant_text

POINT: Final = {"health": 1.0, "relationship": 1.0, "risk": 0.01}
"""What counts as moved, in the score's own unit."""


class Sweeper:
    """`told` is called after commits that wrote messages."""

    def __init__(
        self,
        pool: AsyncEngine,
        engine: Engine,
        at_once: int,
        told: Callable[[], None],
        precedence: Precedence | None = None,
    ) -> None:
        self._precedence = precedence or Precedence()
        self._pool = pool
        self._engine = engine
        self._most = self._at_once = at_once
        self._told = told

    async def turn(self) -> int:
        """Look at what is due, else bring some of an older policy up to date."""
        await self._precedence.gap()
        try:
            async with driver(self._pool) as conn:
                done = await sweep(conn, self._engine, self._at_once)
                if not done:
                    done = await rescore(conn, self._engine, self._at_once)
        except TooMuchError:
            self._at_once = max(1, self._at_once // 2)
            return 1
        self._at_once = min(self._most, self._at_once * 2)
        if done:
            self._told()
        return done


async def sweep(conn: Conn, engine: Engine, limit: int) -> int:
    """Look at customers that are due; returns how many there were."""
    async with policies.shared(conn):
        now = await policies.current(conn, engine.generation)
        held = await customers.lock_due(conn, now, limit)
        if not held:
            return 0
        people = {i: one for i, one in held.items() if not one.organisation}
        moved, looks = await _look(conn, people, engine)
        await _tell(conn, {i: people[i] for i in moved}, engine, quiet=False)
        accounts = [i for i, one in held.items() if one.organisation]
        await write(conn, [queues.adding([Dirty(i, i) for i in accounts])])
        await customers.look_again(conn, looks | dict.fromkeys(accounts))
    measures.RESCORED.labels("time").inc(len(held))
    return len(held)


async def rescore(conn: Conn, engine: Engine, limit: int) -> int:
    """Bring what an older policy scored up to date; returns how many there were."""
    async with policies.shared(conn):
        await policies.current(conn, engine.generation)
        held = await customers.lock_older(conn, engine.generation, limit)
        await _tell(conn, held, engine, quiet=True)
        accounts = 0 if held else await queues.add_older(conn, engine.generation, limit)
    measures.RESCORED.labels("policy").inc(len(held) + accounts)
    return len(held) + accounts


async def _look(
    conn: Conn, held: dict[str, Held], engine: Engine
) -> tuple[list[str], dict[str, Micros | None]]:
    """(who has to be told of, when to look again at all of them), from packed rows."""
    moved: list[str] = []
    looks: dict[str, Micros | None] = {}
    packed = await reading.packed(conn, held)
    wanted = {episode for row in packed for episode in row.live}
    live: dict[str | None, list[Stored]] = {}
    for one in await events.of_episodes(conn, wanted, events.room(len(packed))):
        live.setdefault(one.episode, []).append(one)
    for row in packed:
        if row.generation != engine.generation or row.state is None:
            looks[row.id] = None  # the slow lane sees to it
            continue
        own = [one for episode in row.live for one in live.get(episode, ())]
        view = reads.unpacked(row, own, engine, max(row.now, row.scored_at))
        looks[row.id] = view.next_check
        if matters(view, held[row.id]):
            moved.append(row.id)
        await asyncio.sleep(0)  # requests are served between two customers
    return moved, looks


async def _tell(conn: Conn, held: dict[str, Held], engine: Engine, *, quiet: bool) -> None:
    if not held:
        return
    done = await folded(conn, await ground_of(conn, held), engine, quiet=quiet)
    told = Write(*outbox.adding(SCHEMA, done.messages)) if done.messages else None
    await write(conn, [*done.writes(), told])


def matters(view: View, held: Held) -> bool:
    """Case 1."""
    before = published_scores(held)
    if before is None:
        return True
    after = view.scores.published()
    if any(_moved(name, getattr(before, name), getattr(after, name)) for name in POINT):
        return True
    since = instant_text(held.scored_at)
    return any(wait.broken and wait.due_at > since for wait in view.waits)


def _moved(name: str, before: Score, after: Score) -> bool:
    if (before.band, before.state) != (after.band, after.state):
        return True
    if before.value is None or after.value is None:
        return False
    return abs(after.value - before.value) >= POINT[name]
