"""Who an event is about: identity nodes, the links between them, and the components they form.

A *leaf* is the node of one normalised identifier. People and organisations are apart: an event that names
several identifiers of a person says that they are one person, and likewise for an organisation. A customer
is a connected component; taking a link away parts it again. No order of arrival enters: components are a
function of the set of links.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from shared.events import Event
from shared.events.identifiers import is_organisation, ordered
from shared.events.ids import leaf_id as leaf_id_of
from shared.events.times import Micros

leaf_id = lru_cache(maxsize=32_768)(leaf_id_of)
"""Each event of a customer names the same few identifiers."""


class Names(NamedTuple):
    """Normalised identifiers that one event gives, strongest first."""

    people: tuple[str, ...]
    organisations: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return self.people + self.organisations

    @property
    def person(self) -> str | None:
        """Leaf of the strongest identifier of the person."""
        return leaf_id(self.people[0]) if self.people else None

    @property
    def organisation(self) -> str | None:
        """Leaf of the strongest identifier of the organisation; the company's own id first."""
        return leaf_id(self.organisations[0]) if self.organisations else None

    @property
    def leaf(self) -> str | None:
        """Whom the event is about: a person, else an organisation, else nobody."""
        return self.person or self.organisation


class Leaf(NamedTuple):
    """`born` and `rank` say which of several leaves was recorded first; both never change."""

    id: str
    born: Micros
    rank: int


class Mention(NamedTuple):
    """What ownership needs of an event: who it is about, and when."""

    at: Micros
    event: str
    person: str | None
    organisation: str | None


def names(event: Event) -> Names:
    return _names(event.identifiers, event.account)


@lru_cache(maxsize=32_768)
def _names(identifiers: tuple[str, ...], of_account: str | None) -> Names:
    given = ordered(identifiers)
    organisations = [i for i in given if is_organisation(i)]
    if of_account:
        organisations.insert(0, f"account:{of_account}")
    return Names(
        people=tuple(i for i in given if not is_organisation(i)),
        organisations=tuple(dict.fromkeys(organisations)),
    )


def mention(event: Event) -> Mention:
    named = names(event)
    return Mention(event.at, event.id, named.person, named.organisation)


def links(named: Names) -> tuple[tuple[str, str], ...]:
    """Pairs of leaves that one event declares to be the same: a star around the strongest of each kind."""
    return tuple(
        (leaf_id(group[0]), leaf_id(other))
        for group in (named.people, named.organisations)
        for other in group[1:]
    )


def owner(mentions: Iterable[Mention]) -> str | None:
    """Leaf to whom an episode belongs: the person that its latest event naming one names, by (time, id).

    An organisation owns it only while no event of the episode names a person: a ticket does not leave its
    requester because an agent's tool knows the company alone.
    """
    said = list(mentions)
    return _latest(said, "person") or _latest(said, "organisation")


def account(mentions: Iterable[Mention]) -> str | None:
    """Leaf of the organisation that a person belongs to: the latest of the person's events that says so."""
    return _latest(mentions, "organisation")


def _latest(mentions: Iterable[Mention], field: str) -> str | None:
    saying = [m for m in mentions if getattr(m, field) is not None]
    latest = max(saying, key=lambda m: (m.at, m.event), default=None)
    return getattr(latest, field, None)


def components(leaves: Iterable[Leaf], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Leaf → root of its component: the one recorded first. Links to unknown leaves are left out."""
    known = {leaf.id: leaf for leaf in leaves}
    parent = {leaf: leaf for leaf in known}
    for a, b in pairs:
        if a in known and b in known:
            _join(parent, known, a, b)
    return {leaf: _find(parent, leaf) for leaf in known}


def _join(parent: dict[str, str], known: Mapping[str, Leaf], a: str, b: str) -> None:
    first, second = sorted((_find(parent, a), _find(parent, b)), key=lambda r: _age(known[r]))
    parent[second] = first


def _age(leaf: Leaf) -> tuple[Micros, int, str]:
    return leaf.born, leaf.rank, leaf.id


def _find(parent: dict[str, str], leaf: str) -> str:
    while parent[leaf] != leaf:
        parent[leaf] = parent[parent[leaf]]
        leaf = parent[leaf]
    return leaf
