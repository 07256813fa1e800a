"""The shape of policy files as people write them; their JSON schema is made from these types."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from shared.events.vocabulary import Channel, Priority

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Days = Annotated[int, Meta(ge=1)]
Duration = Annotated[
    str, Meta(pattern=r"^[0-9]+(s|m|h|d)$", description="working time: 60s, 5m, 8h; d is 24 h")
]
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-4]):[0-5][0-9]$", description="local time, HH:MM")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
HealthSignal = Literal[
    "responsiveness",
    "resolution",
    "effort",
    "satisfaction",
    "loyalty",
    "sentiment",
    "adherence",
    "proactive",
]
RiskSignal = HealthSignal | Literal["adoption"]
RelationshipSignal = Literal["tenure", "renewal", "purchase", "advocacy", "breadth", "cadence"]
MassSignal = Literal["renewal", "purchase", "advocacy", "breadth"]


class Document(Struct, frozen=True, forbid_unknown_fields=True):
    """A mistyped line is an error, never a default."""


class PersonaDocument(Document, frozen=True, forbid_unknown_fields=True):
    """What one persona is promised. What is absent is as in the persona `default`."""

    first_reply: Duration | None = None
    solution: Duration | None = None
    first_reply_on: dict[Channel, Duration] | None = None
    unwilling: tuple[Channel, ...] | None = None
    contacts: Count | None = None
    handovers: Count | None = None
    bots: bool | None = None


class RegionDocument(Document, frozen=True, forbid_unknown_fields=True):
    time_zone: str
    holidays: str | None = None


class HalfLives(Document, frozen=True, forbid_unknown_fields=True):
    slow: Days
    fast: Days
    relationship: Days


class HoursDocument(Document, frozen=True, forbid_unknown_fields=True):
    weekdays: tuple[Weekday, ...]
    start: Clock
    end: Clock


class UrgencyDocument(Document, frozen=True, forbid_unknown_fields=True):
    factor: Positive
    around_the_clock: bool = False


class MassesDocument(Document, frozen=True, forbid_unknown_fields=True):
    """Weights of evidence. Losses are written as positive numbers, too."""

    interaction: Positive
    survey: Positive
    text: Positive
    touchpoint: Positive
    usage: Positive
    selfservice: Positive
    renewed: NotNegative
    expanded: NotNegative
    contracted: NotNegative
    cancel_scheduled: NotNegative
    cancelled: NotNegative
    lapsed: NotNegative
    purchased: NotNegative
    refunded: NotNegative
    referral_new: NotNegative
    referral_unsaid: NotNegative
    referral_existing: NotNegative
    referral_converted: NotNegative
    review: NotNegative
    mention: NotNegative


class IntentsDocument(Document, frozen=True, forbid_unknown_fields=True):
    """Log-odds added to the risk."""

    cancel_scheduled: NotNegative
    cancelled: NotNegative
    contracted: NotNegative
    paused: NotNegative
    payment_failed: NotNegative
    payment_disputed: NotNegative
    usage_falling: NotNegative
    champion_left: NotNegative


class EvidenceDocument(Document, frozen=True, forbid_unknown_fields=True):
    loss: Positive
    half_life_days: HalfLives
    give_up_days: Days
    contact_gap_hours: NotNegative
    neutral_text: Share
    usage_falling_below: Share
    hours: HoursDocument
    priorities: dict[Priority, UrgencyDocument]
    masses: MassesDocument
    intents: IntentsDocument
    champions: tuple[str, ...]


class HealthDocument(Document, frozen=True, forbid_unknown_fields=True):
    m0: Share
    weights: dict[HealthSignal, Share]
    adoption: Share
    bands: dict[str, NotNegative]


class RelationshipDocument(Document, frozen=True, forbid_unknown_fields=True):
    m0: Share
    weights: dict[RelationshipSignal, Share]
    tau_days: Days
    mass_scale: dict[MassSignal, Positive]
    dormancy_days: Days
    unknown_days: Count
    bands: dict[str, NotNegative]


class RiskDocument(Document, frozen=True, forbid_unknown_fields=True):
    intercept: float
    theta: dict[RiskSignal, NotNegative]
    trend: NotNegative
    cancel_floor: Share
    renewal_near: NotNegative
    renewal_days: Days
    horizon_days: Days
    bands: dict[str, Share]


class ReadingDocument(Document, frozen=True, forbid_unknown_fields=True):
    kappa: Positive
    minimum_evidence: Positive
    health: HealthDocument
    relationship: RelationshipDocument
    risk: RiskDocument


class PolicyDocument(Document, frozen=True, forbid_unknown_fields=True):
    """A policy file. `personas` and `regions` are names of files beside it."""

    name: str
    personas: str
    regions: str
    evidence: EvidenceDocument
    reading: ReadingDocument


PersonasDocument = dict[str, PersonaDocument]
RegionsDocument = dict[str, RegionDocument]


def schema() -> dict[str, object]:
    """JSON schema of the three kinds of files, as one document with `$defs`."""
    kinds = {"policy": PolicyDocument, "personas": PersonasDocument, "regions": RegionsDocument}
    heads, definitions = msgspec.json.schema_components(kinds.values(), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Files of a scoring policy",
        "$defs": {**definitions, **dict(zip((f"{kind}-file" for kind in kinds), heads, strict=True))},
    }
