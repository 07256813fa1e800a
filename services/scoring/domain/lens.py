"""What a reading needs of policy, model and now, worked out once per batch.

The prior's weight K depends on now and the half-life only, so it is the same for all customers of a batch.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from services.scoring.domain.decay import prior, scale
from services.scoring.domain.model import Model
from services.scoring.domain.numbers import MICRO, NANO, rdiv
from services.scoring.domain.policy import HEALTH, RELATIONSHIP, Policy
from services.scoring.domain.state import INDEX, Grid
from services.scoring.domain.types import Signal
from shared.events.times import Micros

_KEPT: Final = 64
_grids: Final[dict[str, Grid]] = {}
_weights: Final[dict[tuple[str, str], tuple[tuple[Weighed, ...], tuple[Weighed, ...]]]] = {}
_lenses: Final[OrderedDict[tuple[str, str, Micros], Lens]] = OrderedDict()


class Weighed(NamedTuple):
    """A signal of health: where its sums lie, its weight in 10⁻¹², its θ in 10⁻⁶.

    The variances are what it adds to those of health (10⁻⁴²) and of the log-odds (10⁻¹⁸) without evidence.
    """

    signal: Signal
    name: str
    cell: int
    weight: int
    theta: int
    variance: int
    risk_variance: int


class Lens:
    """Factors of one (policy, model, now); `unit_*` is what 1.0 at `now` is stored as, `k_*` the prior."""

    def __init__(self, policy: Policy, model: Model, now: Micros) -> None:
        reading, evidence = policy.reading, policy.evidence
        self.policy = policy
        self.model = model
        self.now = now
        self.grid = grid_of(policy)
        self.unit_slow = scale(now, evidence.slow_h)
        self.unit_fast = scale(now, evidence.fast_h)
        self.unit_relationship = scale(now, evidence.relationship_h)
        self.k_slow = prior(reading.kappa, now, evidence.slow_h)
        self.k_fast = prior(reading.kappa, now, evidence.fast_h)
        self.k_relationship = prior(reading.kappa, now, evidence.relationship_h)
        self.health, self.health_usage = _weighed_of(policy, model)
        self.relationship_baseline, self.risk_baseline = _baselines(policy, model)


def _baselines(policy: Policy, model: Model) -> tuple[int, int]:
    """Of relationship in points, of risk in log-odds, both in 10⁻⁹."""
    relationship = policy.reading.relationship
    return rdiv(sum(relationship.weights.values()) * relationship.m0, 10), model.intercept * 1000


def lens(policy: Policy, model: Model, now: Micros) -> Lens:
    """The lens of these three, kept for the next customer of the batch."""
    key = (policy.id, model.id, now)
    found = _lenses.get(key)
    if found is None:
        found = _lenses[key] = Lens(policy, model, now)
        if len(_lenses) > _KEPT:
            _lenses.popitem(last=False)
    return found


def grid_of(policy: Policy) -> Grid:
    """The half-lives of a policy by position in `Signal`; health alone also keeps the fast ones."""
    evidence = policy.evidence
    grid = _grids.get(evidence.id)
    if grid is None:
        grid = _grids[evidence.id] = Grid(
            slow=tuple(evidence.relationship_h if s in RELATIONSHIP else evidence.slow_h for s in Signal),
            fast=tuple(evidence.fast_h if s in HEALTH else 0 for s in Signal),
            health_evidence=evidence.slow_h,
            relationship_evidence=evidence.relationship_h,
            recent_days=evidence.slow_h,
            usual_days=evidence.relationship_h,
        )
    return grid


def _weighed_of(policy: Policy, model: Model) -> tuple[tuple[Weighed, ...], tuple[Weighed, ...]]:
    """Without and with usage; the same for every now."""
    key = (policy.id, model.id)
    found = _weights.get(key)
    if found is None:
        found = _weights[key] = (_weigh(policy, model, usage=False), _weigh(policy, model, usage=True))
    return found


def _weigh(policy: Policy, model: Model, usage: bool) -> tuple[Weighed, ...]:
    """Weights that sum to 1: where usage is sent, adoption takes its share of all the others."""
    share = policy.reading.adoption_weight if usage else 0
    given = {s: policy.reading.weights.get(s, 0) * (MICRO - share) for s in HEALTH}
    given[Signal.ADOPTION] = share * MICRO
    m0, left = policy.reading.m0 * 1000, NANO
    total = policy.reading.kappa * 1000 + left
    return tuple(
        Weighed(
            signal,
            signal.value,
            INDEX[signal],
            weight,
            theta := model.theta.get(signal, 0),
            weight * weight * m0 * (NANO - m0) * left // total,
            theta * theta * 10**24 * left // (m0 * (NANO - m0) * total),
        )
        for signal, weight in given.items()
    )
