"""The fold of the store: a customer as of any time, as known at any time, exactly.

`as_of` selects by effective time, `known_at` by when an event was applied. Identity links are a matter of
knowledge alone: `known_at` applies to them, `as_of` does not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from services.scoring.domain.identity import account, mention, owner
from services.scoring.domain.types import Applied
from services.scoring.effective import FOREVER, effective
from services.scoring.store import events, identities, reading
from services.scoring.store.identities import LinkRow, Node
from services.scoring.store.types import Conn, Stored
from shared.events.times import Micros


class Past(NamedTuple):
    """Every row of the log that may ever have been one customer's; `leaves` are the customer's nodes."""

    leaves: frozenset[str]
    rows: list[Stored]

    def at(self, as_of: Micros = FOREVER, known_at: Micros = FOREVER) -> list[Stored]:
        """Rows that count for the customer, by (time, id)."""
        counting = effective(self.rows, as_of, known_at)
        owners = _owners(counting)
        return [r for r in counting if (owners.get(r.episode) if r.episode else r.leaf) in self.leaves]

    def applied(self, as_of: Micros = FOREVER, known_at: Micros = FOREVER) -> list[Applied]:
        return [row.applied for row in self.at(as_of, known_at)]

    def account(self, known_at: Micros = FOREVER) -> str | None:
        """Leaf of the organisation that the person belongs to."""
        return account([mention(row.event) for row in self.at(known_at=known_at)])


def _owners(rows: list[Stored]) -> dict[str, str | None]:
    by_episode: dict[str, list[Stored]] = {}
    for row in rows:
        if row.episode is not None:
            by_episode.setdefault(row.episode, []).append(row)
    named = {e: owner([mention(r.event) for r in rs]) for e, rs in by_episode.items()}
    led = {e: next((r.about for r in reversed(rs) if r.about), None) for e, rs in by_episode.items()}
    return {e: leaf or named.get(led[e] or "") for e, leaf in named.items()}


async def of_leaves(conn: Conn, leaves: Collection[str]) -> Past:
    """The past of one component."""
    return (await of_components(conn, [leaves]))[0]


async def of_components(conn: Conn, components: Sequence[Collection[str]]) -> list[Past]:
    """The pasts of several components, in as many statements as of one."""
    part_of = {leaf: i for i, leaves in enumerate(components) for leaf in leaves}
    episodes = await events.candidates(conn, list(part_of))
    rows = await events.of_episodes(conn, episodes) + await events.loose(conn, list(part_of))
    parts = _parts_of_episodes(rows, part_of)
    found: list[list[Stored]] = [[] for _ in components]
    for row in rows:
        if row.episode is not None:
            for part in parts.get(row.episode, ()):
                found[part].append(row)
        elif row.leaf is not None and row.leaf in part_of:
            found[part_of[row.leaf]].append(row)
    return [Past(frozenset(leaves), rows) for leaves, rows in zip(components, found, strict=True)]


def _parts_of_episodes(rows: Sequence[Stored], part_of: Mapping[str, int]) -> dict[str, set[int]]:
    """Components that an episode may ever have belonged to: by its names, or by those of what it is about.

    Where an episode is about another, both are of the same parts, so that ownership can be told.
    """
    named: dict[str, set[int]] = {}
    for row in rows:
        if row.episode is not None and row.leaf is not None and row.leaf in part_of:
            named.setdefault(row.episode, set()).add(part_of[row.leaf])
    parts = {episode: set(found) for episode, found in named.items()}
    for row in rows:
        if row.episode is not None and row.about is not None:
            parts.setdefault(row.episode, set()).update(named.get(row.about, ()))
            parts.setdefault(row.about, set()).update(named.get(row.episode, ()))
    return parts


async def component(conn: Conn, leaf: str, known_at: Micros | None) -> list[Node]:
    """Nodes that were one customer with this leaf: today's for None, else by the links known then."""
    if known_at is None:
        root = (await identities.roots(conn, [leaf])).get(leaf)
        return await identities.nodes(conn, [root]) if root else []
    asked: set[str] = set()
    neighbours: dict[str, set[str]] = {}
    found = {leaf}
    while fresh := found - asked:
        # Whole customers of today at a time: a chain of links may have as many hops as it has names.
        today = await identities.roots(conn, fresh)
        around = fresh | {node.id for node in await identities.nodes(conn, set(today.values()))}
        for link in await identities.links(conn, around - asked):
            if stood(link, known_at):
                neighbours.setdefault(link.a, set()).add(link.b)
                neighbours.setdefault(link.b, set()).add(link.a)
        asked |= around
        found = _reached(leaf, neighbours)
    return [node for node in await identities.nodes(conn, found) if node.id in found]


def _reached(leaf: str, neighbours: Mapping[str, Collection[str]]) -> set[str]:
    found, open_ends = {leaf}, [leaf]
    while open_ends:
        further = neighbours.get(open_ends.pop(), ())
        open_ends += [end for end in further if end not in found]
        found.update(further)
    return found


def stood(link: LinkRow, known_at: Micros) -> bool:
    """Whether a link was known and not taken back at a time."""
    return link.applied_at <= known_at and (link.gone_at is None or link.gone_at > known_at)


async def people(conn: Conn, leaves: Collection[str], known_at: Micros | None) -> list[Past]:
    """Pasts of the people who belong to an organisation, today's or those known then."""
    if known_at is None:
        members = await reading.members(conn, leaves)
        groups: dict[str, list[str]] = {member: [] for member in members}
        for node in await identities.nodes(conn, members) if members else []:
            groups[node.root].append(node.id)
        return await of_components(conn, list(groups.values())) if groups else []
    found: list[Past] = []
    seen: set[str] = set()
    for leaf in sorted(await reading.ever_named(conn, leaves)):
        if leaf in seen:
            continue
        nodes = [node.id for node in await component(conn, leaf, known_at)]
        seen.update(nodes)
        past = await of_leaves(conn, nodes)
        if past.account(known_at) in leaves:
            found.append(past)
    return found
