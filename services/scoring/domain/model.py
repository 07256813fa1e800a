"""The weights of the detractor risk: the policy's expert prior until something is learned from own data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from services.scoring.domain.policy import Micro, Policy, digest
from services.scoring.domain.types import Signal


@dataclass(frozen=True)
class Model:
    """logit p = intercept + Σ θ·x, in log-odds of 10⁻⁶. `learned` is False for the policy's own numbers.

    `theta` is per signal of health, and positive: good evidence lowers the risk. `trend` is θ of
    fast − slow. The id is a hash of the content: every score names its model.
    """

    intercept: Micro
    theta: Mapping[Signal, Micro]
    trend: Micro
    learned: bool = False

    @cached_property
    def id(self) -> str:
        return digest(self)


def day_zero(policy: Policy) -> Model:
    """The model before any outcome is known: an expert's prior, shown as not yet learned from own data."""
    risk = policy.reading.risk
    return Model(risk.intercept, risk.theta, risk.trend)
