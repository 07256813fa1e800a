"""The domain as the shell uses it: one policy and one model, and what they make of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.causes import causes, gone_on, published, walked
from services.scoring.domain.model import Model
from services.scoring.domain.policy import Policy
from services.scoring.domain.resumed import Resumed
from services.scoring.domain.state import State
from services.scoring.domain.types import Applied, Fold
from services.scoring.view import View, at_end, folded
from shared.events.scores import Cause, CausePart
from shared.events.times import Micros


class Kept(NamedTuple):
    """What a customer's rows keep of it, as scored at `at`: sums and folds under one policy.

    `state` holds all settled episodes and is used up; `settled` are the folds of those of which no event is
    at hand.
    """

    state: State
    attributes: Attributes
    settled: Sequence[Fold]
    at: Micros


@dataclass(frozen=True)
class Engine:
    """`generation` is the number under which policy and model are in force in the database."""

    policy: Policy
    model: Model
    generation: int

    def view(self, own: Sequence[Applied], now: Micros, people: Sequence[Sequence[Applied]] = ()) -> View:
        """Fold; exact for any `now`, past or future."""
        return folded(own, people, self.policy, self.model, now)

    def walk(
        self,
        before: Sequence[Applied],
        after: Sequence[Applied],
        t0: Micros,
        t1: Micros,
        moved: Mapping[str, Cause],
    ) -> tuple[View, tuple[CausePart, ...]]:
        """`view` of `after` at t1 and `causes` in one pass; of events that are counted already."""
        shares, end = walked(before, after, t0, t1, self.policy, self.model, moved=moved)
        return at_end(end, self.policy, self.model, t1), published(shares)

    def go_on(
        self, kept: Kept, before: Sequence[Applied], after: Sequence[Applied], now: Micros
    ) -> tuple[View, tuple[CausePart, ...]] | None:
        """`walk` from what is kept. `before` are the events of the episodes at hand, all live ones among
        them; `after` has new ones, too. None where only the whole past will do.
        """
        walk = Resumed(kept.state, kept.attributes, before, self.policy, self.model, kept.at)
        found = gone_on(walk, before, after, kept.at, now, self.policy, self.model)
        if found is None:
            return None
        return at_end(found.end, self.policy, self.model, now, kept.settled), published(found.shares)

    def causes(
        self,
        before: Sequence[Applied],
        after: Sequence[Applied],
        t0: Micros,
        t1: Micros,
        moved: Mapping[str, Cause] | None = None,
    ) -> tuple[CausePart, ...]:
        """What moved the scores from `before` read at t0 to `after` read at t1.

        `moved` names events that came or went by a merge or a split.
        """
        return causes(before, after, t0, t1, self.policy, self.model, moved=moved)
