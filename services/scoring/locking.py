"""Steps 2 to 5 of a batch: everything it touches, locked in one order, so that no two batches deadlock.

Order: identifiers, episodes, root customers, each sorted by id. Between looking and locking somebody else
may merge a customer or move an episode; so after locking the roots a fresh statement looks again, and if
more is touched than is held, the transaction is undone and begun again with the larger set.
(A join with FOR UPDATE would hand back the dead row of a merge.)

What is read of the customers held is what a batch usually needs: the events of episodes that it touches or
that are live, and the kept folds of the others. `complete` reads the rest where that will not do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from services.scoring import undoings
from services.scoring.domain.identity import Mention, mention, names, owner
from services.scoring.domain.types import EpisodeKey
from services.scoring.effective import effective
from services.scoring.placing import Placed, leaves_to_hold, new_leaves
from services.scoring.store import customers, episodes, events, ground, identities
from services.scoring.store.customers import Held
from services.scoring.store.episodes import EpisodeRow
from services.scoring.store.ground import Look
from services.scoring.store.identities import LinkRow, Node
from services.scoring.store.types import Conn, Stored, episode_id
from services.scoring.undoings import Laid
from shared.events.ids import leaf_id
from shared.events.times import Micros

ROUNDS: Final = 3


class ContendedError(Exception):
    """Others kept moving what this batch touches: try again with a smaller one."""


class GrownError(Exception):
    """More is touched than is held: begin again, with these episodes beside one's own."""

    def __init__(self, around: Collection[str]) -> None:
        self.around = frozenset(around)


class Ground(NamedTuple):
    """Everything a batch may change, held until its transaction ends.

    `owners` is who owned each episode before, `placed` the batch's own events with retractions laid where
    their targets are. `episodes` are all that belong to the customers held, `held` those that are themselves
    locked. `rows` is what the store holds of these, and of the others that have no kept fold; of the roots in
    `whole`, all there is. `root_of` names the roots of organisations, too. At most `most` bytes are read at
    once.
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
    identifiers: dict[str, str]
    root_of: dict[str, str]
    most: int | None = None
    whole: frozenset[str] = frozenset()


class _Held(NamedTuple):
    rows: dict[str, EpisodeRow]
    stored: list[Stored]

    @property
    def owners(self) -> dict[str, str | None]:
        return {e: row.owner for e, row in self.rows.items()}


async def hold(
    conn: Conn, placed: Sequence[Placed], now: Micros, more: frozenset[str], most: int | None
) -> Ground:
    """Lock what these events touch, and `more` episodes, and read it. Raises GrownError, TooMuchError."""
    keys = _keys(placed)
    ensured = await ground.ensure(
        conn, new_leaves(placed), keys, _touched(placed, ()), [p.event.id for p in placed], now
    )
    laid = await undoings.lay(conn, placed, undone=ensured.undone)
    touched = _touched(laid.placed, laid.undoing)
    wanted = touched | {p.row.about for p in laid.placed if p.row.about} | ensured.around | more
    new = ensured.begun == len(keys) and wanted <= keys.keys()
    held = await _episodes(conn, wanted, most, new=new)
    after, _ = owners_after(held.rows, held.stored, laid.placed, laid.undoing)
    leaves = _leaves(laid) | {leaf for o in (held.owners, after) for leaf in o.values() if leaf}
    locked = await customers.lock_roots(conn, leaves)
    seen = await ground.look(conn, leaves | _organisations(laid.placed, locked), locked, touched)
    if seen.around - wanted or {seen.root_of[leaf] for leaf in leaves & seen.root_of.keys()} - locked.keys():
        raise GrownError(wanted | seen.around)
    return await _read(conn, seen, laid, held, locked, most)


async def ground_of(conn: Conn, locked: dict[str, Held]) -> Ground:
    """The ground of roots that are locked already, without any event. Raises TooMuchError."""
    seen = await ground.look(conn, _organisations((), locked), locked, ())
    return await _read(conn, seen, Laid([], {}, []), _Held({}, []), locked, events.room(len(locked)))


async def complete(conn: Conn, held: Ground, roots: Collection[str]) -> Ground:
    """With the whole past of these customers as they were and will be, given by their roots.

    Raises TooMuchError.
    """
    nodes = [node.id for node in held.nodes.values() if node.root in roots]
    settled = {
        e for e, row in held.episodes.items() if row.fold is not None and held.owners[e] in held.nodes
    } - held.held.keys()
    missing = [e for e in settled if held.nodes[held.owners[e] or ""].root in roots]
    rows = await events.of_episodes(conn, missing, held.most) + await events.loose(conn, nodes, held.most)
    named = {leaf for row in rows if (leaf := names(row.event).organisation)} - held.root_of.keys()
    root_of = held.root_of | (await identities.roots(conn, named) if named else {})
    return held._replace(rows=[*held.rows, *rows], root_of=root_of, whole=held.whole | frozenset(roots))


async def _episodes(conn: Conn, wanted: Collection[str], most: int | None, *, new: bool) -> _Held:
    """Lock and read. Of those made by this batch there is nothing to read, and nobody else sees them."""
    if new:
        return _Held({e: EpisodeRow(e, None, None) for e in sorted(wanted)}, [])
    return _Held(await episodes.lock(conn, wanted), await events.of_episodes(conn, wanted, most))


async def _read(
    conn: Conn, seen: Look, laid: Laid, held: _Held, locked: dict[str, Held], most: int | None
) -> Ground:
    """What the store holds of the locked customers. Stable: who would change it needs their locks."""
    owned, rows = await episodes.owned(conn, list(seen.nodes), list(held.rows), most)
    return Ground(
        now=seen.now,
        placed=laid.placed,
        targets=laid.targets,
        undoing=laid.undoing,
        episodes={**owned, **held.rows},
        held=held.rows,
        owners={**{e: row.owner for e, row in owned.items()}, **held.owners},
        nodes=seen.nodes,
        roots={root: row for root, row in locked.items() if seen.nodes[root].root == root},
        links=seen.links,
        rows=held.stored + rows,
        identifiers=seen.identifiers,
        root_of=seen.root_of,
        most=most,
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


def _organisations(placed: Iterable[Placed], locked: dict[str, Held]) -> set[str]:
    """Leaves of organisations to which the customers belonged, or that the batch names."""
    named = {p.names.organisation for p in placed} | {row.account for row in locked.values()}
    return {leaf for leaf in named if leaf}


def _leaves(laid: Laid) -> set[str]:
    """Leaves to hold for the events themselves and for what is undone."""
    held = {leaf for p in laid.placed for leaf in leaves_to_hold(p)}
    for row in [*(r for rows in laid.targets.values() for r in rows), *laid.undoing]:
        held |= {leaf_id(i) for i in names(row.event).all}
        if row.leaf:
            held.add(row.leaf)
    return held
