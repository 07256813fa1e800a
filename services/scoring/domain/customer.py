"""The linear reference: all that follows from a set of events, folded from empty.

The shell keeps the same thing incrementally; that both agree to the bit is law 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.episode import build, episode_key, fold
from services.scoring.domain.lens import grid_of
from services.scoring.domain.policy import Policy
from services.scoring.domain.state import State
from services.scoring.domain.types import Applied, Episode, EpisodeKey, Fold
from shared.events import Event
from shared.events.bodies import EventRetracted
from shared.events.ids import own_event_id
from shared.events.times import Micros


class Customer(NamedTuple):
    """A customer folded at one now: settled episodes are in `state`, live ones wait to be read."""

    state: State
    live: tuple[Episode, ...]
    attributes: Attributes
    episodes: Mapping[EpisodeKey, Episode]
    folds: Mapping[EpisodeKey, Fold]


def fold_all(applied: Iterable[Applied], policy: Policy, now: Micros) -> Customer:
    """The fold of one customer's events, in any order and however often each occurs.

    Retracted events are left out, whether the retraction comes before or after its target. Which events
    belong to the customer, and which have happened by now, is the caller's to choose.
    """
    counted = effective(applied)
    attributes = Attributes.of(one.event for one in counted)
    episodes = episodes_of(counted)
    folds = {key: fold(episode, attributes, policy, now) for key, episode in episodes.items()}
    state = State(grid_of(policy))
    for one in folds.values():
        if not one.live:
            state.add(one)
    live = tuple(episode for key, episode in episodes.items() if folds[key].live)
    return Customer(state, live, attributes, episodes, folds)


def episodes_of(applied: Iterable[Applied]) -> dict[EpisodeKey, Episode]:
    """Episodes in the order of their keys; events that make none are left out."""
    groups: dict[EpisodeKey, list[Applied]] = {}
    for one in applied:
        key = episode_key(one.event)
        if key is not None:
            groups.setdefault(key, []).append(one)
    return {key: build(key, groups[key]) for key in sorted(groups)}


def effective(applied: Iterable[Applied]) -> list[Applied]:
    """Events that count, each once, by (time, id); retractions themselves say nothing more.

    Of several tellings of one id the one with the earliest effective time counts: the later ones were
    told again without a sender's time.
    """
    told: dict[str, Applied] = {}
    for one in applied:
        other = told.get(one.event.id)
        if other is None or _receipt(one.event) < _receipt(other.event):
            told[one.event.id] = one
    gone = retracted(one.event for one in told.values())
    kept = (
        one
        for one in told.values()
        if one.event.id not in gone and not isinstance(one.event.body, EventRetracted)
    )
    return sorted(kept, key=lambda one: (one.event.at, one.event.id))


def retracted(events: Iterable[Event]) -> frozenset[str]:
    """Ids that are taken back by an event of the same source.

    A retraction names its target by our id or by the sender's. It may itself be retracted; of a circle of
    retractions none stands.
    """
    known = {event.id: event for event in events}
    undoing: dict[str, list[str]] = {}
    for event in known.values():
        if isinstance(event.body, EventRetracted):
            for target in {event.body.event, own_event_id(event.source, event.body.event)}:
                if target in known and known[target].source == event.source:
                    undoing.setdefault(target, []).append(event.id)
    return frozenset(target for target in undoing if _undone(target, undoing, ()))


def _undone(event: str, undoing: Mapping[str, list[str]], asked: tuple[str, ...]) -> bool:
    if event in asked:
        return True
    return any(not _undone(one, undoing, (*asked, event)) for one in undoing.get(event, ()))


def _receipt(event: Event) -> tuple[Micros, object]:
    return event.at, event.recorded
