"""A walk that goes on from what is kept of a customer, with the events of some episodes only."""

from __future__ import annotations

from collections.abc import Iterable

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.episode import build, episode_key, fold
from services.scoring.domain.model import Model
from services.scoring.domain.policy import Policy
from services.scoring.domain.state import State
from services.scoring.domain.types import Applied, EpisodeKey
from services.scoring.domain.walk import Walk
from shared.events.times import Micros


class WholePastError(Exception):
    """This step needs events that are not at hand."""


class Resumed(Walk):
    """Invariant: as long as it raises nothing it stands where the walk over all events would.

    `state` holds the settled episodes, those at hand included, and becomes the walk's own; `attributes` say
    what all events said. Taking events out, or folding every episode anew, raises WholePastError.
    """

    def __init__(
        self,
        state: State,
        attributes: Attributes,
        at_hand: Iterable[Applied],
        policy: Policy,
        model: Model,
        now: Micros,
    ) -> None:
        self._model, self._now, self._policy = model, now, policy
        self._events = {one.event.id: one for one in at_hand}
        self._attributes = attributes
        self._members: dict[EpisodeKey, dict[str, Applied]] = {}
        for one in self._events.values():
            key = episode_key(one.event)
            if key is not None:
                self._members.setdefault(key, {})[one.event.id] = one
        self._episodes = {key: build(key, members.values()) for key, members in self._members.items()}
        self._live, self._settled = {}, {}
        self._summed = self._earlier = None
        self._state = state
        for key, episode in self._episodes.items():
            found = fold(episode, attributes, policy, now)
            (self._live if found.live else self._settled)[key] = found

    def take(self, one: Applied) -> None:  # noqa: ARG002
        raise WholePastError

    def _fold_everything(self) -> None:
        raise WholePastError
