"""Accounts are rolled up by a loop of their own, from the queue that batches fill.

So a batch never waits for the row of an account that a thousand people share. One turn, one transaction:
1. take entries off the queue; they come back if the transaction fails;
2. lock the accounts' roots, by id;
3. add up their own events and those of their people, write the scores, tell them.
A change that comes during a turn has its own entry and is seen in the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring import measures, messages, past
from services.scoring.batch import SCHEMA
from services.scoring.domain.numbers import NANO
from services.scoring.effective import FOREVER
from services.scoring.engine import Engine
from services.scoring.outcome import SCORES_TOPIC, published_scores
from services.scoring.reads import Moment, Subject
from services.scoring.rows import customer_row
from services.scoring.store import customers, identities, policies, queues
from services.scoring.store.customers import CustomerRow, Held
from services.scoring.store.queues import Dirty
from services.scoring.store.types import Conn
from services.scoring.view import View
from shared.db import outbox
from shared.db.engine import driver
from shared.db.outbox import OutboxRow
from shared.events import scores as published
from shared.events.identifiers import strength
from shared.events.scores import AppliedEvent, CausePart, ScoreChange, ScoreName
from shared.events.times import Micros

log = structlog.get_logger()

TAKE: Final = 200
SCORES: Final[tuple[ScoreName, ...]] = ("health", "relationship", "risk")


class Accounts:
    """Rolls accounts up until cancelled. `told` is called after commits that wrote messages."""

    def __init__(self, pool: AsyncEngine, engine: Engine, every_s: float, told: Callable[[], None]) -> None:
        self._pool = pool
        self._engine = engine
        self._every_s = every_s
        self._told = told

    async def run(self) -> None:
        while True:
            async with driver(self._pool) as conn:
                count = await roll_up(conn, self._engine)
            if count:
                self._told()
            else:
                await asyncio.sleep(self._every_s)


async def roll_up(conn: Conn, engine: Engine) -> int:
    """One turn; returns how many accounts were rolled up."""
    async with conn.transaction():
        await policies.share(conn, engine.generation)
        dirty = await queues.take(conn, TAKE)
        if not dirty:
            return 0
        root_of = await identities.roots(conn, {d.account for d in dirty})
        locked = await customers.lock(conn, set(root_of.values()))
        now = await policies.clock(conn)
        again = await identities.roots(conn, {d.account for d in dirty})
        waiting = {root: [d for d in dirty if again.get(d.account) == root] for root in locked}
        # What was merged between looking and locking goes back into the queue, for the next turn.
        await queues.add(conn, [d for d in dirty if again.get(d.account) not in locked])
        found = [
            await _rolled(conn, locked[root], entries, engine, now)
            for root, entries in waiting.items()
            if entries
        ]
        await customers.write_account(conn, [row for row, _ in found])
        await outbox.add(conn, SCHEMA, [message for _, message in found])
    measures.RESCORED.labels("account").inc(len(found))
    return len(found)


async def _rolled(
    conn: Conn, held: Held, entries: Sequence[Dirty], engine: Engine, now: Micros
) -> tuple[CustomerRow, OutboxRow]:
    nodes = [node.id for node in await past.component(conn, held.id, None)]
    subject = Subject(await past.of_leaves(conn, nodes), await past.people(conn, nodes, None))
    applied = _events(entries)
    t = max(now, held.scored_at, *(row.event.at for row in subject.rows()), 0)
    view = subject.view(engine, Moment(t, FOREVER))
    await asyncio.sleep(0)
    named = sorted((await identities.identifiers(conn, nodes)).values(), key=lambda i: (strength(i), i))
    row = customer_row(held.id, view, engine, held, named, None)
    before = published_scores(held)
    change = ScoreChange(
        account_id=held.id,
        before=before,
        events=applied,
        leaves=tuple(sorted(nodes)),
        causes=causes(engine, subject, held.scored_at or t, t, [e.id for e in applied]) if before else (),
        **messages.common(view, row),
    )
    return row, OutboxRow(SCORES_TOPIC, held.id.encode(), published.encode(change))


def causes(
    engine: Engine, subject: Subject, since: Micros, until: Micros, events: Sequence[str]
) -> tuple[CausePart, ...]:
    """What moved an account: time, then all that became known. Both parts sum to the change exactly.

    Finer parts would need one walk over all people, each under an own promise; the people's messages
    have theirs.
    """
    then = subject.view(engine, Moment(since, since))
    waited = subject.view(engine, Moment(until, since))
    now = subject.view(engine, Moment(until, until))
    found = []
    for name, a, b, c in zip(SCORES, _raw(then), _raw(waited), _raw(now), strict=True):
        if b != a:
            found.append(CausePart(name, "time", (b - a) / NANO))
        if c != b:
            found.append(CausePart(name, "new", (c - b) / NANO, tuple(events)))
    return tuple(found)


def _raw(view: View) -> tuple[int, int, int]:
    """Points before they are hidden as unknown; of the risk log-odds, where contributions add up."""
    scores = view.scores
    return scores.health.raw, scores.relationship.raw, scores.log_odds


def _events(entries: Sequence[Dirty]) -> tuple[AppliedEvent, ...]:
    """The events of all entries, each once, by time."""
    found = {e.id: e for d in entries for e in _decoder.decode(d.events)}
    return tuple(sorted(found.values(), key=lambda e: (e.time, e.id))[-messages.MAX_EVENTS :])


_decoder: Final = msgspec.json.Decoder(tuple[AppliedEvent, ...])
