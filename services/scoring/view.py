"""A customer or an account folded at one time, ready to be read in every way. Pure.

An account is the addition of its people's folds, each under that person's own promise, and its own: so
state and folds of both are held alike, and what reads them need not know which it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.customer import fold_all
from services.scoring.domain.episode import fold, waits
from services.scoring.domain.explain import explain_summed
from services.scoring.domain.explanation import Explanation
from services.scoring.domain.forecast import Change, Course, check_of, forecast_of
from services.scoring.domain.lens import grid_of
from services.scoring.domain.model import Model
from services.scoring.domain.policy import Policy
from services.scoring.domain.score import Scores, Summed, read, summed
from services.scoring.domain.state import State
from services.scoring.domain.totals import beside
from services.scoring.domain.types import Applied, Episode, EpisodeKey, Fold
from services.scoring.domain.walk import Walk
from shared.events.scores import Contributions, Wait
from shared.events.times import Micros

_NO_EPISODE: Final = Episode(EpisodeKey("", "attributes", ""), ())


class Told(NamedTuple):
    """An episode, its fold, and whose promise it stands under."""

    episode: Episode
    fold: Fold
    promise: Attributes


class View:
    """`told` may lack settled episodes that are in the state: then it can be scored, not explained."""

    def __init__(
        self,
        state: State,
        told: Sequence[Told],
        attributes: Attributes,
        policy: Policy,
        model: Model,
        now: Micros,
        whole: Summed | None = None,
    ) -> None:
        self.state = state
        self.told = told
        self.attributes = attributes
        self.policy = policy
        self.model = model
        self.now = now
        self._whole = whole

    @cached_property
    def summed(self) -> Summed:
        """Worked out unless it was given."""
        if self._whole is not None:
            return self._whole
        folds = [one.fold for one in self.live]
        return summed(self.state, folds, self.attributes, self.policy, self.model, self.now)

    @property
    def live(self) -> list[Told]:
        return [one for one in self.told if one.fold.live]

    @cached_property
    def scores(self) -> Scores:
        return read(self.summed)

    @cached_property
    def explanation(self) -> Explanation:
        return explain_summed(self.summed, [one.fold for one in self.told], self.attributes)

    def contributions(self, top: int) -> Contributions:
        """`explanation.contributions(top)` without working out the rest of the explanation."""
        folds = [one.fold for one in self.told]
        return explain_summed(self.summed, folds, self.attributes, top).contributions(top)

    @property
    def waits(self) -> tuple[Wait, ...]:
        """Where somebody waits for us, the earliest due first."""
        found = [w for one in self.live for w in waits(one.episode, one.promise, self.policy, self.now)]
        return tuple(sorted(found, key=lambda w: (w.due_at, w.event, w.kind)))

    @property
    def next_check(self) -> Micros | None:
        """When to look again although nothing happens."""
        return check_of(self._course(), self.now)

    def forecast(self) -> dict[str, Change | None]:
        """The next change of each score's band if nothing happens."""
        return forecast_of(self._course(), self.now)

    def _course(self) -> Course:
        live = self.live

        def at(now: Micros) -> list[Fold]:
            return [fold(one.episode, one.promise, self.policy, now) for one in live]

        return Course(self.state, at, self.attributes, self.policy, self.model)


def at_end(walk: Walk, policy: Policy, model: Model, now: Micros, kept: Sequence[Fold] = ()) -> View:
    """Where a walk under this policy ended at `now`: the fold of all that is in it.

    `kept` are folds of settled episodes that are in its state, and of which it has no events.
    """
    told = [Told(episode, one, walk.attributes) for episode, one in walk.told()]
    told += [Told(_NO_EPISODE, one, walk.attributes) for one in kept]
    return View(walk.state, told, walk.attributes, policy, model, now, walk.summed())


def folded(
    own: Sequence[Applied], people: Sequence[Sequence[Applied]], policy: Policy, model: Model, now: Micros
) -> View:
    """Fold a customer's events, or an account's own and those of each of its people."""
    state = State(grid_of(policy))
    told: list[Told] = []
    attributes = Attributes.of(())
    for i, applied in enumerate((own, *people)):
        one = fold_all(applied, policy, now)
        attributes = one.attributes if i == 0 else attributes
        state.merge(one.state)
        told += [Told(e, one.folds[key], one.attributes) for key, e in one.episodes.items()]
        if i:
            # What a person's attributes say by themselves reaches the account; its own `score` reads.
            for loose in beside(one.attributes, policy, now):
                state.add(loose)
                told.append(Told(_NO_EPISODE, loose, one.attributes))
    return View(state, told, attributes, policy, model, now)
