"""The domain as the shell uses it: one policy, one model, and what they say of a customer's events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.scoring.domain.attributes import Attributes
from services.scoring.domain.causes import causes
from services.scoring.domain.customer import Customer, fold_all
from services.scoring.domain.episode import summary, waits
from services.scoring.domain.explain import explain
from services.scoring.domain.explanation import Explanation
from services.scoring.domain.forecast import next_check
from services.scoring.domain.model import Model
from services.scoring.domain.policy import Policy
from services.scoring.domain.score import Scores, score
from services.scoring.domain.types import Applied
from shared.events.scores import CausePart, Wait
from shared.events.times import Micros


@dataclass(frozen=True)
class Assessment:
    """A customer folded and read at one time."""

    customer: Customer
    scores: Scores
    now: Micros


@dataclass(frozen=True)
class Engine:
    """`generation` is the number under which policy and model are in force in the database."""

    policy: Policy
    model: Model
    generation: int

    def assess(self, applied: Sequence[Applied], now: Micros) -> Assessment:
        """Fold and score; exact for any `now`, past or future."""
        customer = fold_all(applied, self.policy, now)
        return Assessment(customer, self.score(customer, now), now)

    def score(self, customer: Customer, now: Micros) -> Scores:
        return score(customer.state, customer.live, customer.attributes, self.policy, self.model, now)

    def explain(self, customer: Customer, now: Micros) -> Explanation:
        return explain(customer, self.policy, self.model, now)

    def causes(
        self, before: Sequence[Applied], after: Sequence[Applied], t0: Micros, t1: Micros
    ) -> tuple[CausePart, ...]:
        """What moved the scores from `before` read at t0 to `after` read at t1."""
        return causes(before, after, t0, t1, self.policy, self.model)

    def waits(self, assessed: Assessment) -> tuple[Wait, ...]:
        """Where the customer waits for us, the earliest due first."""
        customer = assessed.customer
        found = [
            wait
            for episode in customer.live
            for wait in waits(episode, customer.attributes, self.policy, assessed.now)
        ]
        return tuple(sorted(found, key=lambda w: (w.due_at, w.event, w.kind)))

    def next_check(self, assessed: Assessment) -> Micros | None:
        """When to look again although nothing happens: a band may change, a wait may break its promise."""
        customer = assessed.customer
        return next_check(
            customer.state, customer.live, customer.attributes, self.policy, self.model, assessed.now
        )


__all__ = ["Assessment", "Attributes", "Engine", "summary"]
