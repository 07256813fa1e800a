"""Fold every customer anew from the log and compare with the row the service works with.

1. Row and log are read in one snapshot and scored at one time: they must agree to the last bit. So must the
   kept folds of settled episodes, from which the next event goes on.
2. A row that does not is marked as of an older policy. Reads then fold the log until the sweeper's slow lane
   has written the row anew: its version rises, the change is told quietly, and nobody is paged.
3. Rows that an older policy scored are in that lane already and are only counted.
Accounts are left out: they are sums of their people, made anew whenever one of these is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from services.scoring import past, policy_files, reads
from services.scoring.domain.folds import pack_fold
from services.scoring.domain.model import day_zero
from services.scoring.domain.numbers import NANO
from services.scoring.domain.score import Score
from services.scoring.engine import Engine
from services.scoring.past import Past
from services.scoring.reads import Subject
from services.scoring.store import episodes, events, identities, policies, reading
from services.scoring.store.reading import Packed
from services.scoring.store.types import Conn, Stored, episode_id
from services.scoring.view import View
from shared.db.engine import create_engine, driver

AT_ONCE: Final = 100
SCORES: Final = ("health", "relationship", "risk")
EPISODES: Final = "episodes"
FIRST: Final = "00000000-0000-0000-0000-000000000000"
_ROOTS = """
SELECT id::text FROM scoring.customer
WHERE id > $1::uuid AND merged_into IS NULL AND NOT organisation AND state IS NOT NULL ORDER BY id LIMIT $2
"""
_MARK = "UPDATE scoring.customer SET generation = 0 WHERE id = ANY($1::uuid[]) AND merged_into IS NULL"


class NotInForceError(Exception):
    """The policy given is not the one by which the database's rows were scored."""


class Difference(msgspec.Struct, frozen=True):
    """One score of one customer for which row and log disagree; None is unknown.

    `EPISODES` in place of a score: how many kept folds of episodes there are, and how many of them are right.
    """

    customer_id: str
    score: str
    row: float | None
    log: float | None


class Report(msgspec.Struct, frozen=True):
    """What a rebuild found. `older` rows wait for the slow lane and were not compared."""

    customers: int
    older: int
    differences: tuple[Difference, ...]
    marked: int


async def rebuild(
    database_url: str,
    policy_file: Path | None = None,
    *,
    only: str | None = None,
    mark: bool = True,
    told: Callable[[int], None] = lambda _: None,
) -> Report:
    """Compare all customers, or `only` one; `told` hears how many are done.

    With `mark` those that differ are folded anew by the running service. Raises PolicyError, NotInForceError.
    """
    pool = create_engine(database_url, 2, "cxloop-rebuild")
    try:
        seen, older, found = 0, 0, list[Difference]()
        async with driver(pool) as conn:
            engine = await _in_force(conn, policy_file or policy_files.SHIPPED)
            batch = [only] if only else await _roots(conn, FIRST)
            while batch:
                late, differences = await compare(conn, batch, engine)
                seen, older = seen + len(batch), older + late
                found += differences
                told(seen)
                batch = [] if only else await _roots(conn, batch[-1])
            differing = sorted({difference.customer_id for difference in found})
            if mark and differing:
                await conn.execute(_MARK, differing)
        return Report(seen, older, tuple(found), len(differing) if mark else 0)
    finally:
        await pool.dispose()


async def _in_force(conn: Conn, file: Path) -> Engine:
    """What the service scores by; never adopts, for the service would have to follow."""
    policy = policy_files.load(file)
    model = day_zero(policy)
    generations = await policies.all_generations(conn)
    if not generations or (generations[-1].policy, generations[-1].model) != (policy.id, model.id):
        raise NotInForceError(f"the policy {file.name} is not the one in force")
    return Engine(policy, model, generations[-1].number)


async def compare(conn: Conn, customers: list[str], engine: Engine) -> tuple[int, list[Difference]]:
    """How many of these wait for the slow lane, and where the others differ from the log (case 1).

    As many statements for all of them as for one.
    """
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        rows = await reading.packed(conn, customers)
        fresh = [row for row in rows if row.generation == engine.generation]
        live = await _live(conn, fresh)
        pasts = await _pasts(conn, fresh)
        folds = await episodes.folds(conn, {leaf: row for row, past in pasts.items() for leaf in past.leaves})
    found = list[Difference]()
    for row in fresh:
        at = reads.moment(row, None, None)
        kept = reads.unpacked(row, live.get(row.id, []), engine, at.as_of)
        log = Subject(pasts[row.id], []).view(engine, at)
        pairs = [(name, getattr(kept.scores, name), getattr(log.scores, name)) for name in SCORES]
        found += [Difference(row.id, name, _number(a), _number(b)) for name, a, b in pairs if a != b]
        there = folds.get(row.id, {})
        right = _right(there, log)
        if right < len(there):
            found.append(Difference(row.id, EPISODES, len(there), right))
    return len(rows) - len(fresh), found


def _right(there: Mapping[str, bytes], log: View) -> int:
    """How many of these kept folds are what the log gives."""
    settled = {episode_id(one.episode.key): one.fold for one in log.told if not one.fold.live}
    return sum(episode in settled and raw == pack_fold(settled[episode]) for episode, raw in there.items())


async def _live(conn: Conn, rows: Sequence[Packed]) -> dict[str, list[Stored]]:
    """Events of each customer's live episodes."""
    holder = {episode: row.id for row in rows for episode in row.live}
    found: dict[str, list[Stored]] = {}
    for stored in await events.of_episodes(conn, list(holder)) if holder else []:
        if stored.episode is not None:
            found.setdefault(holder[stored.episode], []).append(stored)
    return found


async def _pasts(conn: Conn, rows: Sequence[Packed]) -> dict[str, Past]:
    """Everything that was ever said of each customer."""
    leaves: dict[str, list[str]] = {row.id: [] for row in rows}
    for node in await identities.nodes(conn, list(leaves)):
        leaves[node.root].append(node.id)
    return dict(zip(leaves, await past.of_components(conn, list(leaves.values())), strict=True))


def _number(score: Score) -> float | None:
    return None if score.value is None else score.value / NANO


async def _roots(conn: Conn, after: str) -> list[str]:
    return [record[0] for record in await conn.fetch(_ROOTS, after, AT_ONCE)]
