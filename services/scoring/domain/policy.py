"""The policy: every number that is somebody's judgement, in two parts with an id each.

*Evidence* (promises, hours, weights, λ, half-lives) decides what events say: a change of it folds again.
*Reading* (weights of the signals, m0, κ, θ, bands, minimum evidence) decides how sums are read: a change
of it does not. Ids are hashes of the content, so equal policies have equal ids on every machine.

Decimals are integers of 10⁻⁶ (`Micro`), durations are microseconds of working time unless named otherwise.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from functools import cached_property
from typing import Final

from services.scoring.domain.types import Signal
from shared.events.times import Micros

Micro = int
"""Exact number in 10⁻⁶."""

DEFAULT_PERSONA: Final = "default"

HEALTH: Final = (
    Signal.RESPONSIVENESS,
    Signal.RESOLUTION,
    Signal.EFFORT,
    Signal.SATISFACTION,
    Signal.LOYALTY,
    Signal.SENTIMENT,
    Signal.ADHERENCE,
    Signal.PROACTIVE,
    Signal.ADOPTION,
)
"""Signals of health, in canonical order. Adoption counts only where usage is sent."""
RELATIONSHIP: Final = (
    Signal.TENURE,
    Signal.RENEWAL,
    Signal.PURCHASE,
    Signal.ADVOCACY,
    Signal.BREADTH,
    Signal.CADENCE,
)


@dataclass(frozen=True)
class Promise:
    """The ideal experience of one persona.

    `first_reply` and `solution` are working time; `first_reply_on` overrides the first by channel.
    `unwilling` are channels that the persona does not want to use; `contacts` and `handovers` are how many
    of each it accepts; `bots`: whether a bot may answer it.
    """

    first_reply: Micros
    solution: Micros
    first_reply_on: Mapping[str, Micros]
    unwilling: frozenset[str]
    contacts: int
    handovers: int
    bots: bool


@dataclass(frozen=True)
class Urgency:
    """What a priority does to a promise: a factor, and whether the clock also runs at night."""

    factor: Micro
    around_the_clock: bool = False


@dataclass(frozen=True)
class Region:
    """A region of the company: where its clock stands, and whose holidays it keeps (None: nobody's)."""

    time_zone: str
    holidays: str | None = None


@dataclass(frozen=True)
class Hours:
    """Working hours of a day in minutes from midnight, local time; Monday is 0."""

    weekdays: frozenset[int]
    start_min: int
    end_min: int


@dataclass(frozen=True)
class Masses:
    """How much one piece of evidence weighs: health signals first, then gains and losses of relationship."""

    interaction: Micro
    survey: Micro
    text: Micro
    touchpoint: Micro
    usage: Micro
    selfservice: Micro
    renewed: Micro
    expanded: Micro
    contracted: Micro
    cancel_scheduled: Micro
    cancelled: Micro
    lapsed: Micro
    purchased: Micro
    refunded: Micro
    referral_new: Micro
    referral_unsaid: Micro
    referral_existing: Micro
    referral_converted: Micro
    review: Micro
    mention: Micro


@dataclass(frozen=True)
class Intents:
    """Log-odds that a stated or observed intent adds to the detractor risk."""

    cancel_scheduled: Micro
    cancelled: Micro
    contracted: Micro
    paused: Micro
    payment_failed: Micro
    payment_disputed: Micro
    usage_falling: Micro
    champion_left: Micro


@dataclass(frozen=True)
class EvidencePolicy:
    """What events say. `loss` is λ: how much heavier a loss weighs than a gain."""

    loss: Micro
    slow_h: int
    fast_h: int
    relationship_h: int
    give_up: Micros
    contact_gap: Micros
    neutral_text: int
    usage_falling_below: Micro
    masses: Masses
    intents: Intents
    champions: frozenset[str]
    hours: Hours
    urgencies: Mapping[str, Urgency]
    personas: Mapping[str, Promise]
    regions: Mapping[str, Region]
    holidays: Mapping[str, tuple[int, ...]]
    """Name of a calendar → proleptic ordinals of its holidays on working weekdays, ascending."""

    @cached_property
    def id(self) -> str:
        return digest(self)

    def promise(self, persona: str | None) -> Promise:
        """Of the persona by that name, however it is written; unknown and None have the default's."""
        return self.personas.get(folded(persona or DEFAULT_PERSONA), self.personas[DEFAULT_PERSONA])

    def region(self, name: str | None) -> Region | None:
        return self.regions.get(folded(name)) if name else None


@dataclass(frozen=True)
class Band:
    """`name` holds for values from `start` on, up to the next band's start; in the score's own unit."""

    name: str
    start: Micro


@dataclass(frozen=True)
class RelationshipReading:
    """`mass_scale` is s_p per signal; `dormancy_days`: how long after a sign of life tenure still grows."""

    weights: Mapping[Signal, Micro]
    m0: Micro
    tau_days: int
    mass_scale: Mapping[Signal, Micro]
    dormancy_days: int
    unknown_days: int


@dataclass(frozen=True)
class RiskReading:
    """`theta` in log-odds per unit of a signal's x; `trend` is θ of fast − slow.

    `renewal_near` log-odds are added at the renewal, none `renewal_days` before it, linear in between.
    """

    intercept: Micro
    theta: Mapping[Signal, Micro]
    trend: Micro
    cancel_floor: Micro
    renewal_near: Micro
    renewal_days: int
    horizon_days: int


@dataclass(frozen=True)
class ReadingPolicy:
    """How sums are read."""

    kappa: Micro
    m0: Micro
    minimum_evidence: Micro
    weights: Mapping[Signal, Micro]
    adoption_weight: Micro
    relationship: RelationshipReading
    risk: RiskReading
    health_bands: tuple[Band, ...]
    relationship_bands: tuple[Band, ...]
    risk_bands: tuple[Band, ...]

    @cached_property
    def id(self) -> str:
        return digest(self)


@dataclass(frozen=True)
class Policy:
    """A named pair of both parts. `id` does not depend on the name."""

    name: str
    evidence: EvidencePolicy
    reading: ReadingPolicy

    @cached_property
    def id(self) -> str:
        return digest((self.evidence.id, self.reading.id))


def folded(name: str) -> str:
    """A persona's or region's name as it is compared: `Decision-Maker` = `decision maker`."""
    return " ".join(name.replace("-", " ").replace("_", " ").split()).casefold()


def digest(content: object) -> str:
    """16 hex digits of SHA-256 over the content in canonical form."""
    text = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted((_plain(item) for item in value), key=repr)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
