"""A customer that events are put into and taken out of, one by one, while time goes on.

Invariant: after any steps the walk stands exactly where `fold_all` over the same events at the same now
would: only the touched episode is folded again, all of them when an attribute that decides folds changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.episode import build, episode_key, fold
from services.scoring.domain.lens import grid_of
from services.scoring.domain.model import Model
from services.scoring.domain.policy import Policy
from services.scoring.domain.score import Summed, summed
from services.scoring.domain.state import State
from services.scoring.domain.types import Applied, Episode, EpisodeKey, Fold, Nano
from shared.events.times import Micros


class Raw(NamedTuple):
    """The three scores as they add up: points, points, log-odds, in 10⁻⁹; also while unknown."""

    health: Nano
    relationship: Nano
    risk: Nano


class Walk:
    """Time only goes on. Events are given counted already: each once, retracted ones left out."""

    def __init__(self, applied: Iterable[Applied], policy: Policy, model: Model, now: Micros) -> None:
        self._model = model
        self._now = now
        self._events = {one.event.id: one for one in applied}
        self._attributes = Attributes.of(one.event for one in self._events.values())
        self._members: dict[EpisodeKey, dict[str, Applied]] = {}
        for one in self._events.values():
            key = episode_key(one.event)
            if key is not None:
                self._members.setdefault(key, {})[one.event.id] = one
        self._episodes = {key: build(key, members.values()) for key, members in self._members.items()}
        self._live: dict[EpisodeKey, Fold] = {}
        self._settled: dict[EpisodeKey, Fold] = {}
        self._policy = policy
        self._state = State(grid_of(policy))
        self._summed: Summed | None = None
        self._earlier: Summed | None = None
        self._fold_everything()

    def advance(self, now: Micros) -> bool:
        """Let time pass; what no longer depends on it settles. False if it is that time already."""
        if now == self._now:
            return False
        self._now = now
        self._summed = None
        for key in list(self._live):
            self._fold(key)
        return True

    def put(self, one: Applied) -> None:
        """Add an event, or replace one of the same id."""
        if one.event.id in self._events:
            self.take(self._events[one.event.id])
        self._events[one.event.id] = one
        key = episode_key(one.event)
        if key is not None:
            self._members.setdefault(key, {})[one.event.id] = one
        self._changed(key, self._attributes.plus((one.event,)))

    def take(self, one: Applied) -> None:
        """Take an event out, as if it had never been."""
        del self._events[one.event.id]
        key = episode_key(one.event)
        if key is not None:
            del self._members[key][one.event.id]
        self._changed(key, Attributes.of(other.event for other in self._events.values()))

    def switch(self, policy: Policy, model: Model) -> bool:
        """Go on under another policy and model. False if they are those that hold."""
        if (policy.id, model.id) == (self._policy.id, self._model.id):
            return False
        folds_alike = policy.evidence.id == self._policy.evidence.id
        self._policy, self._model = policy, model
        self._summed = None
        if not folds_alike:
            self._fold_everything()
        return True

    @property
    def state(self) -> State:
        """Sums of what is settled."""
        return self._state

    @property
    def attributes(self) -> Attributes:
        return self._attributes

    def told(self) -> list[tuple[Episode, Fold]]:
        """Every episode with its fold, in the order of their keys."""
        folds = {**self._settled, **self._live}
        return [(self._episodes[key], folds[key]) for key in sorted(folds)]

    def summed(self) -> Summed:
        """What is in it, summed up now; worked out again only after something changed."""
        if self._summed is None:
            live, before = list(self._live.values()), self._earlier
            self._summed = self._earlier = summed(
                self._state, live, self._attributes, self._policy, self._model, self._now, before
            )
        return self._summed

    def raw(self) -> Raw:
        """The scores of what is in it, now."""
        whole = self.summed()
        return Raw(whole.health, whole.relationship, whole.log_odds)

    def _changed(self, key: EpisodeKey | None, attributes: Attributes) -> None:
        if key is not None:
            members = self._members[key]
            if members:
                self._episodes[key] = build(key, members.values())
            else:
                del self._members[key], self._episodes[key]
        alike = attributes is self._attributes or attributes.folds_alike(self._attributes)
        if attributes is not self._attributes:
            self._attributes = attributes
            self._summed = None
        if not alike:
            self._fold_everything()
        elif key is not None:
            self._fold(key)

    def _fold_everything(self) -> None:
        self._live.clear()
        self._settled.clear()
        self._summed = None
        self._state = State(grid_of(self._policy))
        for key in self._episodes:
            self._fold(key)

    def _fold(self, key: EpisodeKey) -> None:
        """Fold one episode again; what it was before leaves the state."""
        episode: Episode | None = self._episodes.get(key)
        settled = self._settled.get(key)
        before = settled or self._live.get(key)
        after = fold(episode, self._attributes, self._policy, self._now) if episode else None
        if after == before:
            return
        self._summed = None
        self._live.pop(key, None)
        if settled is not None:
            self._state.subtract(self._settled.pop(key))
        if after is not None and after.live:
            self._live[key] = after
        elif after is not None:
            self._settled[key] = after
            self._state.add(after)
