"""One batch, one transaction: claims, locks, scores, what is told of them, and how far we are.

1. What a batch says twice, or said before, takes effect once (claims).
2. Everything it touches is locked in one order (`locking`), then read, then folded in memory.
3. Log, links, customers, messages, rejections and offsets are written together or not at all.
4. A batch that others keep in motion, or that deadlocks, is halved. One that cannot be folded is bisected
   down to the event at fault, which is listed as refused in place of being applied.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import asyncpg
import structlog

from services.scoring import measures
from services.scoring.apart import LONG, apart
from services.scoring.claiming import take
from services.scoring.domain.identity import mention
from services.scoring.engine import Engine
from services.scoring.graph import Graph, Part, resolve
from services.scoring.intake import Intake, Message, Sense, gather
from services.scoring.locking import ContendedError, Ground, hold
from services.scoring.outcome import Outcome, Setting, outcome
from services.scoring.placing import Placed, place
from services.scoring.placing import target as target_of
from services.scoring.records import Code, Refused, refusal
from services.scoring.store import customers, episodes, events, identities, policies, progress, queues
from services.scoring.store.episodes import EpisodeRow
from services.scoring.store.events import Retraction
from services.scoring.store.policies import SupersededError
from services.scoring.store.types import Conn
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
    """One transaction."""
    async with conn.transaction():
        with measures.step("claim"):
            now = await policies.share(conn, context.engine.generation)
            taken = await take(conn, intake)
        told: list[OutboxRow] = [_rejection(r) for r in taken.refused]
        placed = [place(i) for i in taken.applied.values()]
        if placed:
            with measures.step("lock"):
                ground = await hold(conn, placed, now)
            with measures.step("fold"):
                graph = resolve(ground)
                outcomes = await outcomes_of(conn, ground, graph, context.engine)
            with measures.step("write"):
                await _write(conn, ground, graph, outcomes)
            told += [message for o in outcomes for message in o.messages]
        with measures.step("tell"):
            await outbox.add(conn, SCHEMA, told)
            await progress.write(conn, intake.offsets)
    return taken.tally


async def outcomes_of(
    conn: Conn, ground: Ground, graph: Graph, engine: Engine, *, quiet: bool = False
) -> list[Outcome]:
    """Fold every customer that is held."""
    setting = Setting(
        ground=ground,
        graph=graph,
        identifiers=await identities.identifiers(conn, list(ground.nodes)),
        accounts=await identities.roots(conn, _organisations(ground)),
        fresh=_by_part(ground, graph),
        quiet=quiet,
    )
    found = []
    for part in graph.parts:
        if len(part.after) >= LONG:
            found.append(await apart(conn, _folding(part, setting, engine)))
        else:
            found.append(outcome(part, setting, engine))
            await asyncio.sleep(0)  # requests are served between two customers
    return found


def _folding(part: Part, setting: Setting, engine: Engine) -> Callable[[], Outcome]:
    """Not a `partial`: who prints an error with its frames would print all events of a customer."""
    return lambda: outcome(part, setting, engine)


def _organisations(ground: Ground) -> set[str]:
    """Leaves of all organisations that the rows name."""
    named = (mention(row.event).organisation for row in [*ground.rows, *(p.row for p in ground.placed)])
    return {leaf for leaf in named if leaf}


def _by_part(ground: Ground, graph: Graph) -> dict[str, list[Placed]]:
    fresh: dict[str, list[Placed]] = {}
    for p in ground.placed:
        leaf = graph.owners.get(p.row.episode) if p.row.episode else p.row.leaf
        if leaf in graph.root_of:
            fresh.setdefault(graph.root_of[leaf], []).append(p)
    return fresh


async def _write(conn: Conn, ground: Ground, graph: Graph, outcomes: Sequence[Outcome]) -> None:
    moments = {o.row.id: o.row.scored_at for o in outcomes}

    def applied_at(placed: Placed) -> Micros:
        leaf = graph.owners.get(placed.row.episode) if placed.row.episode else placed.row.leaf
        return moments.get(graph.root_of.get(leaf or "", ""), ground.now)

    await events.insert(conn, [p.row._replace(applied_at=applied_at(p)) for p in ground.placed])
    pairs = [(p.event, target_of(p.event)) for p in ground.placed]
    undone = [Retraction(event.id, target, event.source) for event, target in pairs if target]
    if undone:
        await events.add_retractions(conn, undone)
    if ground.undoing:
        await events.attach(conn, ground.undoing)
    await identities.write_links(
        conn,
        [
            link._replace(applied_at=moments.get(graph.root_of.get(link.a, ""), link.applied_at))
            if link.applied_at == ground.now
            else link
            for link in graph.links
        ],
    )
    await episodes.write(conn, _moved(ground, graph))
    await write_outcomes(conn, ground, graph, outcomes)


async def write_outcomes(conn: Conn, ground: Ground, graph: Graph, outcomes: Sequence[Outcome]) -> None:
    """Customers' rows, whom they absorbed, and accounts to be rolled up."""
    nodes = ground.nodes
    moved = {leaf: root for leaf, root in graph.root_of.items() if root not in (leaf, nodes[leaf].root)}
    if moved:
        await customers.absorb(conn, moved)
    await customers.write(conn, [o.row for o in outcomes if not ground.nodes[o.row.id].organisation])
    await customers.write_own(conn, [o.row for o in outcomes if ground.nodes[o.row.id].organisation])
    await queues.add(conn, [dirty for o in outcomes for dirty in o.dirty])


def _moved(ground: Ground, graph: Graph) -> list[EpisodeRow]:
    """Episodes whose owner changed, or that are new."""
    found = []
    for episode, row in ground.held.items():
        now = row._replace(owner=graph.owners.get(episode), about=graph.abouts.get(episode))
        if now != row:
            found.append(now)
    return found


def _rejection(refused: Refused) -> OutboxRow:
    rejection = refused.rejection
    return OutboxRow(REJECTED_TOPIC, rejection.id.encode(), rejections.encode(rejection))
