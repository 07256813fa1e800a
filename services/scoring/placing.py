"""Where an event belongs before anything is looked up: episode, names, what it is about or undoes. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Final, NamedTuple

from services.scoring.domain.episode import episode_key
from services.scoring.domain.identity import Names, links, names
from services.scoring.domain.types import Applied, EpisodeKey
from services.scoring.records import Incoming
from services.scoring.store.identities import NewLeaf
from services.scoring.store.types import Stored, episode_id
from shared.events import Event
from shared.events import bodies as b
from shared.events.identifiers import is_organisation
from shared.events.ids import leaf_id

INTERACTION: Final = "interaction"


class Placed(NamedTuple):
    """`about` is the interaction that leads an event without names to somebody."""

    row: Stored
    names: Names
    key: EpisodeKey | None
    about_key: EpisodeKey | None

    @property
    def event(self) -> Event:
        return self.row.event


def place(incoming: Incoming) -> Placed:
    event = incoming.event
    named = names(event)
    key = episode_key(event)
    about = about_key(event)
    row = Stored(
        applied=Applied(event, incoming.text),
        applied_at=0,  # given under the customer's lock
        episode=episode_id(key) if key else None,
        leaf=named.leaf,
        about=episode_id(about) if about else None,
        target=target(event),
    )
    if row.target is not None:
        # A retraction says nothing about anybody: it lies where its target lies.
        return Placed(row._replace(episode=None, leaf=None), Names((), ()), None, None)
    return Placed(row, named, key, about)


def about_key(event: Event) -> EpisodeKey | None:
    """The interaction that a survey's answer speaks of."""
    about = getattr(event.body, "about", None)
    if isinstance(about, b.Reference):
        # A webhook's source may be named by its id alone.
        whole = "/" in about.source or about.source == event.source
        source = about.source if whole else f"/sources/{about.source}"
        return EpisodeKey(source, INTERACTION, about.id)
    if isinstance(about, str) and about:
        return EpisodeKey(event.source, INTERACTION, about)
    return None


def target(event: Event) -> str | None:
    """Id of the event that this one undoes."""
    if not isinstance(event.body, b.EventRetracted):
        return None
    try:
        return str(uuid.UUID(event.body.event))
    except ValueError:
        return None


def new_leaves(placed: Iterable[Placed]) -> list[NewLeaf]:
    """Every identifier named, once; `rank` in order of receipt, then strength."""
    found: dict[str, NewLeaf] = {}
    for p in sorted(placed, key=lambda p: (p.event.recorded, p.event.id)):
        for identifier in p.names.all:
            if identifier not in found:
                found[identifier] = NewLeaf(
                    identifier, leaf_id(identifier), is_organisation(identifier), len(found)
                )
    return list(found.values())


def leaves_to_hold(placed: Placed) -> set[str]:
    """Leaves whose customers must be locked for this event.

    Everybody it names as the same, and whom it is about; an organisation that is only named as the
    employer of a person is not: its sum is rolled up later, and its many people would wait for each other.
    """
    held = {leaf for pair in links(placed.names) for leaf in pair}
    if placed.names.leaf:
        held.add(placed.names.leaf)
    return held
