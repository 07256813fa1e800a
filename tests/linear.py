"""What the scores of a set of events must be: identity and folds by the definition, from the set alone."""

from __future__ import annotations

from collections.abc import Iterable

from services.scoring.domain.customer import effective
from services.scoring.domain.identity import Leaf, components, links, mention, names, owner
from services.scoring.domain.types import Applied, EpisodeKey
from services.scoring.placing import place
from services.scoring.records import Incoming
from shared.events import Event, encode
from shared.events.ids import leaf_id


def linear(told: Iterable[Applied]) -> tuple[dict[str, str], dict[str, list[Applied]]]:
    """Leaf → component (named by its least leaf), component → its events; from the set of events alone."""
    applied = list(told)
    counting = effective(applied)
    named = {leaf_id(i) for one in applied for i in names(one.event).all}
    pairs = [pair for one in counting for pair in links(names(one.event))]
    part_of = components((Leaf(leaf, 0, 0) for leaf in named), pairs)
    episodes: dict[EpisodeKey, list[Event]] = {}
    abouts: dict[EpisodeKey, EpisodeKey] = {}
    for one in counting:
        placed = place(Incoming(one.event, encode(one.event), b"", None))
        if placed.key:
            episodes.setdefault(placed.key, []).append(one.event)
            if placed.about_key:
                abouts[placed.key] = placed.about_key
    owners = {key: owner(mention(e) for e in events) for key, events in episodes.items()}
    found: dict[str, list[Applied]] = {part: [] for part in part_of.values()}
    for one in counting:
        placed = place(Incoming(one.event, encode(one.event), b"", None))
        leaf = placed.row.leaf
        if placed.key:
            leaf = owners[placed.key] or owners.get(abouts.get(placed.key, placed.key))
        if leaf:
            found[part_of[leaf]].append(one)
    return part_of, found
