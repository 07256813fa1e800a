"""The domain as the shell uses it: one policy and one model, and what they make of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.scoring.domain.causes import causes, published, walked
from services.scoring.domain.model import Model
from services.scoring.domain.policy import Policy
from services.scoring.domain.types import Applied
from services.scoring.view import View, at_end, folded
from shared.events.scores import Cause, CausePart
from shared.events.times import Micros


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
