"""Who is whom after a batch: components, and which rows belong to which, before and after. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from services.scoring.domain.identity import Leaf, components, links
from services.scoring.effective import retracted
from services.scoring.locking import Ground, owners_after
from services.scoring.placing import Placed
from services.scoring.store.identities import LinkRow, Node
from services.scoring.store.types import Stored
from shared.events.scores import Cause
from shared.events.times import Micros


class Part(NamedTuple):
    """One customer after the batch: `before` are the rows that were its root's, `after` those it has now.

    `moved` are known events that came from, or went to, another customer.
    """

    root: str
    organisation: bool
    nodes: list[Node]
    before: list[Stored]
    after: list[Stored]
    sources: frozenset[str]
    merged_from: tuple[str, ...]
    split_from: str | None
    moved: Mapping[str, Cause]


class Graph(NamedTuple):
    """`links` are those to be written: new ones, and old ones that went or came back."""

    parts: list[Part]
    root_of: dict[str, str]
    owners: dict[str, str | None]
    abouts: dict[str, str | None]
    links: list[LinkRow]


def resolve(ground: Ground) -> Graph:
    """Components and ownership once this batch's events, links and retractions are in."""
    fresh = [p.row for p in ground.placed] + ground.undoing
    universe = [*ground.rows, *fresh, *(r for rows in ground.targets.values() for r in rows)]
    gone = retracted({row.id: row for row in universe}.values())
    seen = {row.id for row in universe}
    current = _links(ground, gone, seen)
    root_of = components(
        (Leaf(n.id, n.born, n.rank) for n in ground.nodes.values()),
        ((link.a, link.b) for link in current if link.gone_at is None),
    )
    locked = [row for row in ground.rows if row.episode in ground.held]
    owners, abouts = owners_after(ground.held, locked, ground.placed, ground.undoing)
    after = {**ground.owners, **owners}
    parts = _parts(ground, root_of, after, fresh)
    old = {(link.event_id, link.a, link.b): link for link in ground.links}
    changed = [link for link in current if old.get((link.event_id, link.a, link.b)) != link]
    return Graph(parts, root_of, after, abouts, changed)


def _links(ground: Ground, gone: frozenset[str], seen: set[str]) -> list[LinkRow]:
    """Every link of the leaves held, with what this batch says about it.

    The link of an event that is not among the rows read stays as it is: its event's retraction would be.
    """
    new = [
        LinkRow(p.event.id, a, b, ground.now, None) for p in ground.placed for a, b in sorted(links(p.names))
    ]
    known = {(link.event_id, link.a, link.b): link for link in new}
    known |= {(link.event_id, link.a, link.b): link for link in ground.links}
    found = []
    for link in known.values():
        if link.event_id in gone:
            link = link._replace(gone_at=ground.now if link.gone_at is None else link.gone_at)
        elif link.event_id in seen:
            link = link._replace(gone_at=None)
        found.append(link)
    return found


def _parts(
    ground: Ground, root_of: dict[str, str], after: dict[str, str | None], fresh: list[Stored]
) -> list[Part]:
    had: dict[str, list[Stored]] = {}
    has: dict[str, list[Stored]] = {}
    sources: dict[str, set[str]] = {}
    owned: set[str] = set()
    for row in ground.rows:
        old = ground.owners.get(row.episode) if row.episode else row.leaf
        new = after.get(row.episode) if row.episode else row.leaf
        if old in ground.nodes:
            had.setdefault(ground.nodes[old].root, []).append(row)
            owned.add(row.id)
        if new in root_of:
            has.setdefault(root_of[new], []).append(row)
            if old in ground.nodes:
                sources.setdefault(root_of[new], set()).add(ground.nodes[old].root)
    for row in fresh:
        new = after.get(row.episode) if row.episode else row.leaf
        if new in root_of:
            has.setdefault(root_of[new], []).append(row)
    members: dict[str, list[Node]] = {}
    for leaf, root in root_of.items():
        members.setdefault(root, []).append(ground.nodes[leaf])
    return [
        _part(ground, root, members[root], had.get(root, []), has.get(root, []), sources.get(root, ()), owned)
        for root in sorted(members)
    ]


def _part(
    ground: Ground,
    root: str,
    nodes: list[Node],
    before: list[Stored],
    after: list[Stored],
    sources: Iterable[str],
    others: Container[str],
) -> Part:
    old_roots = {node.root for node in nodes}
    merged = sorted(r for r in old_roots - {root} if r in {n.id for n in nodes} and ground.roots[r].version)
    parted = ground.nodes[root].root
    kept, had = {row.id for row in after}, {row.id for row in before}
    moved: dict[str, Cause] = {row.id: "split" for row in before if row.id not in kept}
    came: Cause = "split" if parted != root else "merge"
    moved |= {row.id: came for row in after if row.id not in had and row.id in others}
    return Part(
        root=root,
        organisation=ground.nodes[root].organisation,
        nodes=nodes,
        before=before if parted == root else [],
        after=after,
        sources=frozenset(sources) | old_roots,
        merged_from=tuple(merged),
        split_from=parted if parted != root else None,
        moved=moved,
    )


def moment(ground: Ground, part: Part, placed: Iterable[Placed]) -> Micros:
    """t of a customer: now, but never before what was said of it, and never before its events."""
    scored = [ground.roots[source].scored_at for source in part.sources]
    told = [p.event.at for p in placed]
    return max([ground.now, *scored, *told])
