"""Rules: when a change of a customer's scores deserves somebody's attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from shared.events.alerts import Driver, Severity
from shared.events.scores import ScoreName
from shared.events.times import DAY, Micros

SEVERITIES: Final[tuple[Severity, ...]] = ("low", "medium", "high", "urgent")
STALE_AFTER: Final[Micros] = 7 * DAY
"""What we learn of later than this is history being loaded, not news: it pages nobody."""


@dataclass(frozen=True, slots=True)
class Level:
    """A score beyond `entry`; told again only after it was back at `exit`.

    Risk is bad above, health and relationship below. On time alone the level has to last `dwell`; an
    event of the customer's counts at once.
    """

    score: ScoreName
    entry: float
    exit: float
    min_evidence: float = 0.0
    dwell: Micros = 0


@dataclass(frozen=True, slots=True)
class Fall:
    """A score that fell by `points` within `within`; over when the fall is less than `exit_points`."""

    score: ScoreName
    points: float
    exit_points: float
    within: Micros


@dataclass(frozen=True, slots=True)
class Answer:
    """A survey answer at or below the limit of its metric, on the ideal's scale (0 worst, 1 best)."""

    limits: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of one of `types`; undone by one of `undone_by` about the same thing."""

    types: tuple[str, ...]
    undone_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PromiseBroken:
    """A customer waits beyond what was promised; any one of the three reasons makes it matter."""

    personas: tuple[str, ...] = ()
    top_value_share: float | None = None
    priorities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RenewalNear:
    """The renewal is due within `within` while risk is at `risk` or above, or nobody knows it."""

    within: Micros
    risk: float


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing heard for `factor` times the customer's own usual gap, and for `at_least`."""

    factor: float
    at_least: Micros


Condition = Level | Fall | Answer | Happened | PromiseBroken | RenewalNear | Silence
Subject = Literal["customer", "account"]


@dataclass(frozen=True, slots=True)
class Rule:
    """`cooldown`: least time between two firings for one customer."""

    id: str
    title: str
    suggestion: str
    driver: Driver
    severity: Severity
    when: Condition
    cooldown: Micros = 0
    subjects: tuple[Subject, ...] = ("customer",)
    enabled: bool = True


def gravity(severity: Severity) -> int:
    """Rank, larger is graver."""
    return SEVERITIES.index(severity)
