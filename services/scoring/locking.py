"""Steps 2 to 5 of a batch: everything it touches, locked in one order, so that no two batches deadlock.

Order: identifiers, episodes, root customers, each sorted by id. Between looking and locking somebody else
may merge a customer or move an episode; so after locking the roots a fresh statement looks again, and if
more is touched than is held, all locks since the savepoint are let go and the larger set is taken.
(A join with FOR UPDATE would hand back the dead row of a merge.)
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from services.scoring import undoings
from services.scoring.domain.identity import Mention, mention, names, owner
from services.scoring.domain.types import EpisodeKey
from services.scoring.effective import effective
from services.scoring.placing import Placed, leaves_to_hold, new_leaves
from services.scoring.store import customers, episodes, events, identities, policies
from services.scoring.store.customers import Held
from services.scoring.store.episodes import EpisodeRow
from services.scoring.store.identities import LinkRow, Node
from services.scoring.store.types import Conn, Stored, episode_id
from shared.events.ids import leaf_id
from shared.events.times import Micros

ROUNDS: Final = 3


class ContendedError(Exception):
    """Others kept moving what this batch touches: try again with a smaller one."""


class Ground(NamedTuple):
    """Everything a batch may change, held until its transaction ends.

    `owners` is who owned each episode before, `rows` what the store holds of all episodes and customers
    held, `placed` the batch's own events with retractions laid where their targets are. `episodes` are all
    that belong to the customers held, `held` those that are themselves locked.
    """

    now: Micros
    placed: list[Placed]
    targets: dict[str, list[Stored]]
    undoing: list[Stored]
    episodes: dict[str, EpisodeRow]
    held: dict[str, EpisodeRow]
    owners: dict[str, str | None]
    nodes: dict[str, Node]
    roots: dict[str, Held]
    links: list[LinkRow]
    rows: list[Stored]


class _Episodes(NamedTuple):
    rows: dict[str, EpisodeRow]
    stored: list[Stored]
    owners: dict[str, str | None]


async def hold(conn: Conn, placed: Sequence[Placed], now: Micros) -> Ground:
    """Lock what these events touch and read it. Raises ContendedError."""
    leaves = new_leaves(placed)
    if leaves:
        await identities.ensure(conn, leaves, now)
    settled, targets, undoing = await undoings.lay(conn, placed)
    await episodes.ensure(conn, _keys(settled))
    wanted = _touched(settled, undoing) | {p.row.about for p in settled if p.row.about}
    held_leaves = _leaves(settled, targets, undoing)
    for _ in range(ROUNDS):
        savepoint = conn.transaction()
        await savepoint.start()
        ground = await _round(conn, settled, targets, undoing, wanted, held_leaves)
        if isinstance(ground, Ground):
            await savepoint.commit()
            return ground
        await savepoint.rollback()
        wanted |= ground
    raise ContendedError


async def _round(
    conn: Conn,
    placed: list[Placed],
    targets: dict[str, list[Stored]],
    undoing: list[Stored],
    wanted: set[str],
    leaves: set[str],
) -> Ground | set[str]:
    """One attempt; a set is what else has to be locked (empty: only the customers moved)."""
    touched = _touched(placed, undoing)
    wanted |= await episodes.around(conn, touched)
    rows = await episodes.lock(conn, wanted)
    grown = (await episodes.around(conn, touched)) - wanted
    if grown:
        return grown
    stored = await events.of_episodes(conn, wanted)
    owners = {e: row.owner for e, row in rows.items()}
    after, _ = owners_after(rows, stored, placed, undoing)
    all_leaves = leaves | {leaf for o in (owners, after) for leaf in o.values() if leaf}
    root_of = await identities.roots(conn, all_leaves)
    locked = await customers.lock(conn, set(root_of.values()))
    now = await policies.clock(conn)
    again = await identities.roots(conn, all_leaves)
    if not locked.keys() >= set(again.values()):
        return set()
    return await _read(conn, now, placed, targets, undoing, _Episodes(rows, stored, owners), locked)


async def ground_of(conn: Conn, locked: dict[str, Held]) -> Ground:
    """The ground of roots that are locked already, without any event."""
    now = await policies.clock(conn)
    return await _read(conn, now, [], {}, [], _Episodes({}, [], {}), locked)


async def _read(
    conn: Conn,
    now: Micros,
    placed: list[Placed],
    targets: dict[str, list[Stored]],
    undoing: list[Stored],
    held: _Episodes,
    locked: dict[str, Held],
) -> Ground:
    """All that the store holds of the locked customers. Stable: who would change it needs their locks."""
    nodes = {n.id: n for n in await identities.nodes(conn, list(locked))}
    known = await identities.links(conn, list(nodes))
    owned = await episodes.owned(conn, list(nodes))
    others = owned.keys() - held.rows.keys()
    rows = held.stored + await events.of_episodes(conn, others) + await events.loose(conn, list(nodes))
    return Ground(
        now=now,
        placed=placed,
        targets=targets,
        undoing=undoing,
        episodes={**owned, **held.rows},
        held=held.rows,
        owners={**{e: row.owner for e, row in owned.items()}, **held.owners},
        nodes=nodes,
        roots={root: row for root, row in locked.items() if nodes[root].root == root},
        links=known,
        rows=rows,
    )


def owners_after(
    rows: dict[str, EpisodeRow], stored: Sequence[Stored], placed: Sequence[Placed], undoing: Sequence[Stored]
) -> tuple[dict[str, str | None], dict[str, str | None]]:
    """(owner, what it is about) of each locked episode once the batch is in.

    1. Whom the episode's own events name. 2. Else, the owner of the interaction that it is about.
    3. An episode locked only because another one is about it keeps its owner.
    """
    touched = _touched(placed, undoing)
    by_episode: dict[str, list[Stored]] = {}
    for row in [*stored, *(p.row for p in placed), *undoing]:
        if row.episode is not None:
            by_episode.setdefault(row.episode, []).append(row)
    about = {e: abouts(by_episode.get(e, ())) if e in touched else row.about for e, row in rows.items()}
    named: dict[str, str | None] = {}
    for episode, held in rows.items():
        if episode in touched or about[episode] in touched:
            named[episode] = owner(mentions(by_episode.get(episode, ())))
        else:
            named[episode] = held.owner
    return {e: leaf or named.get(about[e] or "") for e, leaf in named.items()}, about


def abouts(rows: Collection[Stored]) -> str | None:
    """The interaction that an episode is about, by its latest event that says so."""
    saying = [r for r in effective(rows) if r.about is not None]
    return saying[-1].about if saying else None


def mentions(rows: Collection[Stored]) -> list[Mention]:
    return [mention(row.event) for row in effective(rows)]


def _keys(placed: Sequence[Placed]) -> dict[str, EpisodeKey]:
    keys = [key for p in placed for key in (p.key, p.about_key) if key is not None]
    return {episode_id(key): key for key in keys}


def _touched(placed: Sequence[Placed], undoing: Sequence[Stored]) -> set[str]:
    rows = [*(p.row for p in placed), *undoing]
    return {row.episode for row in rows if row.episode is not None}


def _leaves(
    placed: Sequence[Placed], targets: dict[str, list[Stored]], undoing: Sequence[Stored]
) -> set[str]:
    """Leaves to hold for the events themselves and for what is undone."""
    held = {leaf for p in placed for leaf in leaves_to_hold(p)}
    for row in [*(r for rows in targets.values() for r in rows), *undoing]:
        held |= {leaf_id(i) for i in names(row.event).all}
        if row.leaf:
            held.add(row.leaf)
    return held
