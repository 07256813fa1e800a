"""Accounts are rolled up by a loop of their own, from the queue that batches fill.

So a batch never waits for the row of an account that a thousand people share. One turn, one transaction:
1. take the entries of one account off the queue; they come back if the transaction fails;
2. add up its own events and those of its people, without any lock: what is committed meanwhile has an
   entry of its own;
3. lock the account's row for as long as it takes to write, unless somebody wrote it since 2: then begin
   again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring import measures, messages, past
from services.scoring.apart import LONG, apart
from services.scoring.batch import SCHEMA
from services.scoring.domain.numbers import NANO
from services.scoring.engine import Engine
from services.scoring.outcome import SCORES_TOPIC, published_scores
from services.scoring.precedence import Precedence
from services.scoring.reads import Moment, Subject
from services.scoring.rows import customer_row
from services.scoring.store import customers, identities, policies, queues
from services.scoring.store.customers import CustomerRow, Held
from services.scoring.store.queues import Dirty, News
from services.scoring.store.types import Conn
from services.scoring.store.writing import Write, write
from services.scoring.view import View
from shared.db import outbox
from shared.db.engine import driver
from shared.db.outbox import OutboxRow
from shared.events import scores as published
from shared.events.identifiers import strength
from shared.events.scores import AppliedEvent, CausePart, ScoreChange, ScoreName
from shared.events.times import Micros

SCORES: Final[tuple[ScoreName, ...]] = ("health", "relationship", "risk")


class MovedError(Exception):
    """Somebody wrote the account between reading and locking it."""


class Accounts:
    """Rolls accounts up. `told` is called after commits that wrote messages."""

    def __init__(
        self,
        pool: AsyncEngine,
        engine: Engine,
        told: Callable[[], None],
        precedence: Precedence | None = None,
    ) -> None:
        self._precedence = precedence or Precedence()
        self._pool = pool
        self._engine = engine
        self._told = told

    async def turn(self) -> int:
        """One account; returns how many were rolled up."""
        try:
            async with driver(self._pool) as conn:
                count = await roll_up(conn, self._engine, self._precedence)
        except MovedError:
            return 1
        if count:
            self._told()
        return count


async def roll_up(conn: Conn, engine: Engine, precedence: Precedence | None = None) -> int:
    """One turn, which lets batches go first. Raises MovedError."""
    async with policies.shared(conn):
        now = await policies.current(conn, engine.generation)
        dirty = await queues.take(conn)
        if not dirty:
            return 0
        root = (await identities.roots(conn, [dirty[0].account]))[dirty[0].account]
        held = (await customers.read(conn, [root]))[root]
        row, message = await _rolled(conn, held, dirty, engine, now, precedence or Precedence())
        locked = (await customers.lock(conn, [root])).get(root)
        again = await identities.roots(conn, [root])
        if locked is None or locked.version != held.version or again[root] != root:
            raise MovedError
        await write(conn, [customers.writing_account([row]), Write(*outbox.adding(SCHEMA, [message]))])
    measures.RESCORED.labels("account").inc()
    return 1


async def _rolled(
    conn: Conn,
    held: Held,
    entries: Sequence[Dirty],
    engine: Engine,
    now: Micros,
    precedence: Precedence,
) -> tuple[CustomerRow, OutboxRow]:
    nodes = [node.id for node in await past.component(conn, held.id, None)]
    subject = Subject(await past.of_leaves(conn, nodes), await past.people(conn, nodes, None))
    named = sorted((await identities.identifiers(conn, nodes)).values(), key=lambda i: (strength(i), i))
    size = sum(len(one.rows) for one in (subject.own, *subject.people))

    def work() -> tuple[CustomerRow, OutboxRow]:
        return _sum(held, subject, entries, engine, now, named)

    await precedence.gap()
    return await apart(conn, work) if size >= LONG else work()


def _sum(
    held: Held, subject: Subject, entries: Sequence[Dirty], engine: Engine, now: Micros, named: list[str]
) -> tuple[CustomerRow, OutboxRow]:
    known = [max(row.event.at, row.applied_at) for row in subject.rows()]
    t = max([now, held.scored_at, *known])
    view = subject.view(engine, Moment(t, t))
    row = customer_row(held.id, view, engine, held, named, None)
    row = row._replace(next_at=view.next_check)
    news = [queues.unpack(entry.news) for entry in entries]
    applied = _events(news)
    before = published_scores(held)
    change = ScoreChange(
        account_id=held.id,
        before=before or published.NOTHING_KNOWN,
        events=applied,
        leaves=messages.leaves(subject.own.leaves),
        causes=causes(engine, subject, held.scored_at, t, [e.id for e in applied]) if before else (),
        merged_from=tuple(sorted({m for one in news for m in one.merged_from} - {held.id})),
        split_from=next((one.split_from for one in news if one.split_from), None),
        quiet=held.version > 0 and held.generation < engine.generation,
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


def _events(news: Sequence[News]) -> tuple[AppliedEvent, ...]:
    """The events of all entries, each once, by time."""
    found = {e.id: e for one in news for e in one.events}
    return tuple(sorted(found.values(), key=lambda e: (e.time, e.id))[-messages.MAX_EVENTS :])
