"""Episodes: which one an event belongs to, what one says, and its fold.

An episode is the set of its events. All functions here depend on that set alone, never on the order in
which the events came or on how often; `now` decides only what still waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from services.scoring.domain import answers, commerce, interaction_evidence, relations, revisions
from services.scoring.domain.attributes import Attributes
from services.scoring.domain.commerce import Outcome
from services.scoring.domain.identity import names
from services.scoring.domain.life import life
from services.scoring.domain.policy import HEALTH, RELATIONSHIP, EvidencePolicy, Policy
from services.scoring.domain.summaries import summary
from services.scoring.domain.types import Applied, Episode, EpisodeKey, Evidence, Fold
from services.scoring.domain.weighing import told
from shared.events import Event, encode
from shared.events import bodies as b
from shared.events.identifiers import is_organisation, ordered
from shared.events.ids import leaf_id
from shared.events.scores import Wait
from shared.events.times import Micros

__all__ = ["build", "episode_key", "evidence", "fold", "summary", "superseded", "waits"]

INTERACTION: Final = "interaction"
USAGE: Final = "usage"
_HEALTH: Final = frozenset(HEALTH)
_RELATIONSHIP: Final = frozenset(RELATIONSHIP)


def episode_key(event: Event) -> EpisodeKey | None:
    """None for what is no episode: attributes, links, retractions, council actions, surveys sent."""
    kind, *ids = revisions.key_of(event)
    if isinstance(event.body, b.UsageObserved):
        leaf = names(event).leaf
        quarter = f"{event.time.year}Q{(event.time.month + 2) // 3}"
        return EpisodeKey(event.source, USAGE, f"{leaf}:{quarter}") if leaf else None
    if kind not in _OUTCOMES:
        return None
    # A survey's key has several parts; of the others the first names the episode, the rest what revises.
    key = json.dumps(ids, ensure_ascii=False) if kind == "survey" else ids[0]
    return EpisodeKey(event.source, kind, key)


def build(key: EpisodeKey, applied: Iterable[Applied]) -> Episode:
    """The episode of these events, each once, in canonical order; the caller has left out retracted ones."""
    return Episode(key, revisions.canonical(applied))


def evidence(episode: Episode, attributes: Attributes, policy: Policy, now: Micros) -> list[Evidence]:
    """What the episode says at `now`, in canonical order."""
    return list(fold(episode, attributes, policy, now).evidence)


class _Known(NamedTuple):
    """A fold that is the same at every now from `since` on, before `until`, with what it was made of."""

    events: tuple[Applied, ...]
    since: Micros
    until: Micros | None
    fold: Fold

    def holds(self, events: tuple[Applied, ...], now: Micros) -> bool:
        ended = self.until is not None and now >= self.until
        return self.since <= now and not ended and self.events == events


_KEPT: Final = 24_000_000
_EACH: Final = 1_000
"""Bytes: of one generation of the memory, and of an event beside what it says."""


class _Memory:
    """The folds used last, of at most twice `_KEPT` bytes of events, however many or long these are.

    A customer is folded several times in a batch, and a busy one in many. Two generations: a full one becomes
    the old one, whose folds are kept for those who ask again, and its size is forgotten with it.
    """

    def __init__(self) -> None:
        self._young: dict[tuple[object, ...], _Known] = {}
        self._old: dict[tuple[object, ...], _Known] = {}
        self._size = 0

    def get(self, key: tuple[object, ...]) -> _Known | None:
        found = self._young.get(key)
        if found is None and (found := self._old.pop(key, None)) is not None:
            self.put(key, found)
        return found

    def put(self, key: tuple[object, ...], known: _Known) -> None:
        size = sum([_EACH + len(encode(one.event)) for one in known.events]) + _EACH
        if size > _KEPT:
            return
        if self._size + size > _KEPT:
            self._young, self._old, self._size = {}, self._young, 0
        self._young[key] = known
        self._size += size


_remembered: Final = _Memory()


def fold(episode: Episode, attributes: Attributes, policy: Policy, now: Micros) -> Fold:
    """All that the episode contributes at `now`. Empty for one without events, and for a removed one.

    Settled folds, and live ones that are steady, are remembered by all they depend on, so remembering changes
    no result.
    """
    key = (
        policy.evidence.id,
        attributes.courses,
        episode.key,
        tuple([one.event.id for one in episode.events]),
    )
    known = _remembered.get(key)
    if known is not None and known.holds(episode.events, now):
        return known.fold
    found, steady = _fold(episode, attributes, policy, now)
    if steady or not found.live:
        until = found.next_at if found.live else None
        _remembered.put(key, _Known(episode.events, now, until, found))
    return found


def _fold(episode: Episode, attributes: Attributes, policy: Policy, now: Micros) -> tuple[Fold, bool]:
    """The fold, and whether it is steady: nothing in it stands at `now`."""
    if not episode.events or _is_removed(episode):
        return Fold(()), False
    outcome = _OUTCOMES[episode.key.kind](episode, attributes, policy.evidence, now)
    rows = told(outcome.rows)
    lived = episode.memory.get("life") or episode.memory.setdefault("life", life(episode))
    related = [row.at for row in rows if row.signal in _RELATIONSHIP]
    first, last = _event(episode, lived.first), _event(episode, lived.last)
    named = {row.event for row in rows} | {first, last}
    found = Fold(
        evidence=rows,
        live=outcome.live,
        next_at=outcome.next_at,
        first=lived.first,
        last=lived.last,
        days=lived.days,
        health_at=_latest(now if row.open else row.at for row in rows if row.signal in _HEALTH),
        relationship_at=_latest([*related, *([] if lived.last is None else [lived.last])]),
        respondents=_respondents(episode),
        first_event=first,
        last_event=last,
        types=tuple([(one.event.id, one.event.type) for one in episode.events if one.event.id in named]),
    )
    return found, outcome.steady and not any(row.open for row in rows)


def waits(episode: Episode, attributes: Attributes, policy: Policy, now: Micros) -> list[Wait]:
    """Where the customer waits for us in this episode; empty for all that are no interactions."""
    if episode.key.kind != INTERACTION or not episode.events:
        return []
    return interaction_evidence.waits(interaction_evidence.read(episode, attributes, policy.evidence, now))


def superseded(episode: Episode) -> frozenset[str]:
    """Ids of events whose statement a later revision of the same type and natural key replaces wholly."""
    return revisions.superseded(episode.events)


def _event(episode: Episode, at: Micros | None) -> str | None:
    """The event of that time; where none is (a date told by another), the episode's first one."""
    if at is None:
        return None
    names = [one.event.id for one in episode.events if one.event.at == at]
    return min(names) if names else episode.events[0].event.id


def _latest(times: Iterable[Micros]) -> Micros | None:
    return max(times, default=None)


def _is_removed(episode: Episode) -> bool:
    return any(isinstance(one.event.body, b.InteractionRemoved) for one in episode.events)


def _respondents(episode: Episode) -> tuple[str, ...]:
    """The node of who answered a survey, by the last event that names anybody."""
    if episode.key.kind != "survey":
        return ()
    for one in reversed(episode.events):
        authors = getattr(one.event.body, "author_identifiers", None)
        named = authors if isinstance(authors, tuple) else one.event.identifiers
        people = [i for i in ordered(named) if not is_organisation(i)]
        if people:
            return (leaf_id(people[0]),)
    return ()


Kind = Callable[[Episode, Attributes, EvidencePolicy, Micros], Outcome]


def _interaction(episode: Episode, attributes: Attributes, policy: EvidencePolicy, now: Micros) -> Outcome:
    read = interaction_evidence.read(episode, attributes, policy, now)
    rows = tuple(interaction_evidence.evidence(read))
    next_at, steady = interaction_evidence.course(read)
    return Outcome(rows, next_at, read.live, steady)


def _settled(rows: Callable[[Episode, EvidencePolicy], Iterable[Evidence]]) -> Kind:
    """A kind whose evidence never depends on now."""
    return lambda episode, _attributes, policy, _now: Outcome(tuple(rows(episode, policy)))


def _timed(outcome: Callable[[Episode, EvidencePolicy, Micros], Outcome]) -> Kind:
    return lambda episode, _attributes, policy, now: outcome(episode, policy, now)


def _silent(_episode: Episode, _policy: EvidencePolicy) -> Iterator[Evidence]:
    """A sign of life that says nothing on how the customer fares."""
    yield from ()


_OUTCOMES: Final[dict[str, Kind]] = {
    INTERACTION: _interaction,
    "survey": _settled(answers.survey),
    "review": _settled(answers.review),
    "mention": _settled(answers.mention),
    "subscription": _timed(commerce.subscription),
    "invoice": _timed(commerce.invoice),
    "order": _settled(commerce.order),
    "referral": _settled(relations.referral),
    "touchpoint": _timed(relations.touchpoint),
    "attempt": _settled(relations.attempt),
    "inquiry": _settled(_silent),
    "request": _settled(_silent),
    USAGE: _settled(relations.usage),
}
