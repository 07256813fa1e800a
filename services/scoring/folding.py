"""Step 3 of a batch: every customer held, folded, and what is to be written of it.

Most go on from what is kept of them. Of those that cannot the whole past is read first, of all at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from services.scoring.apart import LONG, apart
from services.scoring.engine import Engine
from services.scoring.graph import Graph, Part, resolve
from services.scoring.locking import Ground, complete
from services.scoring.outcome import Outcome, Setting, outcome
from services.scoring.placing import Placed
from services.scoring.store import customers, episodes, queues
from services.scoring.store.episodes import EpisodeRow
from services.scoring.store.types import Conn
from services.scoring.store.writing import Write
from shared.db.outbox import OutboxRow


class Folded(NamedTuple):
    """What was read, who is whom now, and what became of every customer."""

    ground: Ground
    graph: Graph
    outcomes: list[Outcome]

    @property
    def messages(self) -> list[OutboxRow]:
        return [message for one in self.outcomes for message in one.messages]

    def writes(self) -> list[Write | None]:
        """Customers' rows, whom they absorbed, their episodes, and accounts to be rolled up."""
        nodes = self.ground.nodes
        moved = {
            leaf: root for leaf, root in self.graph.root_of.items() if root not in (leaf, nodes[leaf].root)
        }
        return [
            customers.absorbing(moved),
            customers.writing([o.row for o in self.outcomes if not nodes[o.row.id].organisation]),
            customers.writing_own([o.row for o in self.outcomes if nodes[o.row.id].organisation]),
            episodes.writing(self._episodes()),
            queues.adding([dirty for o in self.outcomes for dirty in o.dirty]),
        ]

    def _episodes(self) -> list[EpisodeRow]:
        """Episodes that are new, or whose owner or fold changed; nobody's are not folded."""
        folds = {episode: fold for o in self.outcomes for episode, fold in o.folds.items()}
        found = []
        for episode, row in self.ground.episodes.items():
            owner = self.graph.owners.get(episode)
            about = self.graph.abouts.get(episode, row.about)
            fold = folds.get(episode, row.fold) if owner else None
            now = EpisodeRow(episode, owner, about, fold)
            if now != row:
                found.append(now)
        return found


async def folded(
    conn: Conn,
    ground: Ground,
    engine: Engine,
    *,
    earlier: frozenset[str] = frozenset(),
    quiet: bool = False,
) -> Folded:
    """Fold every customer that is held. `earlier`: events of the batch that were applied before."""
    graph = resolve(ground)
    setting = _setting(ground, graph, earlier, quiet)
    found = {part.root: await _outcome(conn, part, setting, engine) for part in graph.parts}
    lacking = {node.root for part in graph.parts if found[part.root] is None for node in part.nodes}
    if lacking:
        ground = await complete(conn, ground, lacking)
        graph = resolve(ground)
        setting = _setting(ground, graph, earlier, quiet)
        for part in graph.parts:
            if found[part.root] is None:
                found[part.root] = await _outcome(conn, part, setting, engine)
    outcomes = [one for part in graph.parts if (one := found[part.root]) is not None]
    assert len(outcomes) == len(graph.parts), "of a whole past there is always an outcome"
    return Folded(ground, graph, outcomes)


async def _outcome(conn: Conn, part: Part, setting: Setting, engine: Engine) -> Outcome | None:
    if len(part.after) + len(setting.episodes.get(part.root, ())) >= LONG:
        return await apart(conn, _folding(part, setting, engine))
    await asyncio.sleep(0)  # requests are served between two customers
    return outcome(part, setting, engine)


def _folding(part: Part, setting: Setting, engine: Engine) -> Callable[[], Outcome | None]:
    """Not a `partial`: who prints an error with its frames would print all events of a customer."""
    return lambda: outcome(part, setting, engine)


def _setting(ground: Ground, graph: Graph, earlier: frozenset[str], quiet: bool) -> Setting:
    fresh: dict[str, list[Placed]] = {}
    for p in ground.placed:
        leaf = graph.owners.get(p.row.episode) if p.row.episode else p.row.leaf
        if leaf in graph.root_of:
            fresh.setdefault(graph.root_of[leaf], []).append(p)
    of: dict[str, list[EpisodeRow]] = {}
    for row in ground.episodes.values():
        owner = graph.owners.get(row.id)
        if owner in graph.root_of:
            of.setdefault(graph.root_of[owner], []).append(row)
    left = frozenset(node.root for node in ground.nodes.values() if graph.root_of[node.id] != node.root)
    return Setting(ground, graph, fresh, of, left, earlier, quiet)
