"""One batch, one transaction: claims, locks, scores, what is told of them, and how far we are.

1. What a batch says twice, or said before, takes effect once (claims).
2. Everything it touches is locked in one order (`locking`), then read, then folded in memory.
3. Log, links, customers, messages, rejections and offsets are written together or not at all.
4. A batch that others keep in motion, that deadlocks, or that would read more than there is room for, is
   halved. One that cannot be folded is bisected down to the event at fault, which is listed as refused in
   place of being applied.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from typing import Final, NamedTuple

import asyncpg
import structlog

from services.scoring import measures
from services.scoring.claiming import take
from services.scoring.engine import Engine
from services.scoring.folding import Folded, folded
from services.scoring.intake import Intake, Message, Sense, gather
from services.scoring.locking import ROUNDS, ContendedError, GrownError, hold
from services.scoring.placing import Placed, place
from services.scoring.placing import target as target_of
from services.scoring.records import Code, Refused, refusal
from services.scoring.store import events, identities, policies, progress
from services.scoring.store.events import Retraction, TooMuchError
from services.scoring.store.policies import SupersededError
from services.scoring.store.types import Conn
from services.scoring.store.writing import Write, write
from shared.db import outbox
from shared.db.outbox import OutboxRow
from shared.events import rejections
from shared.events.times import EPOCH, Micros
from shared.runtime.errors import is_unavailable

log = structlog.get_logger()

REJECTED_TOPIC: Final = "cx.rejected.v1"
SCHEMA: Final = "scoring"

HALVED: Final = (
    ContendedError,
    TooMuchError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
"""Errors that a smaller batch is likely not to have."""


class Context(NamedTuple):
    """What every batch needs: how to score, and how a text sounds."""

    engine: Engine
    sense: Sense


async def absorb(conn: Conn, messages: Sequence[Message], context: Context) -> Tally[str]:
    """Fold messages in, in as few transactions as it takes. Returns how many events had which outcome.

    Raises what the database raises when it is away: then nothing of the failing part is committed.
    """
    try:
        return await fold_in(conn, gather(messages, context.sense), context)
    except HALVED:
        if len(messages) == 1:
            raise
    except Exception as error:
        if not is_poison(error):
            raise
        if len(messages) == 1:
            log.error("an event cannot be folded, listed as refused", exc_info=error)
            return await fold_in(conn, _refused(messages[0]), context)
    measures.HALVED.inc()
    middle = len(messages) // 2
    return await absorb(conn, messages[:middle], context) + await absorb(conn, messages[middle:], context)


def is_poison(error: Exception) -> bool:
    """Whether an error lies in what was read, so that a part of the batch has it and the rest has not.

    1. Not what is away, contended or superseded; nor a process without memory: all of the batch is repeated.
    2. Of what PostgreSQL says only that a value cannot be held. 3. Whatever else code of ours raises.
    """
    if isinstance(error, (SupersededError, MemoryError)) or is_unavailable(error):  # 1
        return False
    if isinstance(error, asyncpg.PostgresError):  # 2
        return isinstance(error, asyncpg.DataError)
    return True  # 3


def _refused(message: Message) -> Intake:
    raw = message.value or b""
    why = "it cannot be folded into its customer's scores"
    refused = refusal(raw, EPOCH, Code.REFUSED, "/", why)
    return Intake({}, [refused], 0, {(message.topic, message.partition): message.offset + 1})


async def fold_in(conn: Conn, intake: Intake, context: Context) -> Tally[str]:
    """One transaction, begun again where others moved what it touches."""
    around: frozenset[str] = frozenset()
    for _ in range(ROUNDS):
        try:
            return await _fold_in(conn, intake, context, around)
        except GrownError as grown:
            around = grown.around
    raise ContendedError


async def _fold_in(conn: Conn, intake: Intake, context: Context, around: frozenset[str]) -> Tally[str]:
    async with policies.shared(conn):
        with measures.step("claim"):
            taken = await take(conn, intake, context.engine.generation)
        told: list[OutboxRow] = [_rejection(r) for r in taken.refused]
        placed = [place(i) for i in taken.applied.values()]
        writes: list[Write | None] = [progress.writing(intake.offsets)]
        if placed:
            with measures.step("lock"):
                ground = await hold(conn, placed, taken.now, around, events.room(len(placed)))
            with measures.step("fold"):
                done = await folded(conn, ground, context.engine, earlier=taken.earlier)
            writes += [*_of_events(done), *done.writes()]
            told += done.messages
        if told:
            writes.append(Write(*outbox.adding(SCHEMA, told)))
        with measures.step("write"):
            await write(conn, writes)
    return taken.tally


def _of_events(done: Folded) -> list[Write | None]:
    """The log, and what links and retractions say, as of the moment of the customer they are of."""
    ground, graph = done.ground, done.graph
    moments = {o.row.id: o.row.scored_at for o in done.outcomes}

    def applied_at(placed: Placed) -> Micros:
        leaf = graph.owners.get(placed.row.episode) if placed.row.episode else placed.row.leaf
        return moments.get(graph.root_of.get(leaf or "", ""), ground.now)

    pairs = [(p.event, target_of(p.event)) for p in ground.placed]
    links = [
        link._replace(applied_at=moments.get(graph.root_of.get(link.a, ""), link.applied_at))
        if link.applied_at == ground.now
        else link
        for link in graph.links
    ]
    return [
        events.inserting([p.row._replace(applied_at=applied_at(p)) for p in ground.placed]),
        events.adding_retractions([Retraction(e.id, undone, e.source) for e, undone in pairs if undone]),
        events.attaching(ground.undoing),
        identities.writing_links(links),
    ]


def _rejection(refused: Refused) -> OutboxRow:
    rejection = refused.rejection
    return OutboxRow(REJECTED_TOPIC, rejection.id.encode(), rejections.encode(rejection))
