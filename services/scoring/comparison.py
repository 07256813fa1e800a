"""Row and log of some customers, folded side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.scoring import past, reads
from services.scoring.domain.folds import pack_fold
from services.scoring.domain.numbers import NANO
from services.scoring.domain.score import Score
from services.scoring.engine import Engine
from services.scoring.past import Past
from services.scoring.reads import Subject
from services.scoring.store import episodes, events, identities, reading
from services.scoring.store.reading import Packed
from services.scoring.store.types import Conn, Stored, episode_id
from services.scoring.view import View

SCORES: Final = ("health", "relationship", "risk")
EPISODES: Final = "episodes"


class Difference(msgspec.Struct, frozen=True):
    """One score of one customer for which row and log disagree; None is unknown.

    `EPISODES` in place of a score: how many kept folds of episodes there are, and how many of them are right.
    """

    customer_id: str
    score: str
    row: float | None
    log: float | None


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
