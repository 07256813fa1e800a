"""Values that the rooms of the scoring domain hand to each other."""

from __future__ import annotations

from collections.abc import Hashable
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from shared.events import Event
from shared.events.times import Micros

Nano = int
"""Exact number in 10⁻⁹ of its unit: points, log-odds, probability, evidence."""
NANO: Nano = 1_000_000_000


class Signal(StrEnum):
    """What is measured; the order is the canonical order of explanations."""

    RESPONSIVENESS = "responsiveness"
    RESOLUTION = "resolution"
    EFFORT = "effort"
    SATISFACTION = "satisfaction"
    LOYALTY = "loyalty"
    SENTIMENT = "sentiment"
    ADHERENCE = "adherence"
    PROACTIVE = "proactive"
    ADOPTION = "adoption"
    TENURE = "tenure"
    RENEWAL = "renewal"
    PURCHASE = "purchase"
    ADVOCACY = "advocacy"
    BREADTH = "breadth"
    CADENCE = "cadence"
    # Signs that move the risk alone: stated intent, payments, contraction, a champion who left.
    INTENT = "intent"


class TextFeature(NamedTuple):
    """How a text sounded, in 1/100 from -100 to 100, and which model said so; stored with the event."""

    compound: int
    model: str


class Applied(NamedTuple):
    """An event as the store holds it, with what was measured on its text."""

    event: Event
    text: TextFeature | None = None


class EpisodeKey(NamedTuple):
    """One thing that happened with the customer: a ticket, an answer, an order, a subscription."""

    source: str
    kind: str
    key: str


class _Episode(NamedTuple):
    key: EpisodeKey
    events: tuple[Applied, ...]


class Episode(_Episode):
    """The set of its events in canonical order (time, id); retracted ones are not in it."""

    @cached_property
    def memory(self) -> dict[Hashable, Any]:
        """What was read of the events already, for the next fold at another time. No part of its value."""
        return {}


class Evidence(NamedTuple):
    """What one event says on one signal, in nano units of weight.

    `good` = weight·x, `bad` = weight·λ·(1-x). It decays from the full hour of `at` on; while `open`
    (the customer still waits) it does not decay at all.
    """

    signal: Signal
    at: Micros
    good: Nano
    bad: Nano
    event: str
    open: bool = False
    what: str = ""
    """Of INTENT alone: which one (`cancel_scheduled`, `payment_failed`, …); its `bad` is in log-odds,
    its `good` 0. An open `cancel_scheduled` lifts the risk to the policy's floor until it is revoked."""


class Fold(NamedTuple):
    """All that one episode contributes at one `now`.

    `live`: the fold depends on now, so it is evaluated again at each read and never summed up; otherwise
    it is settled. `next_at`: when a live fold changes its form (a deadline, giving up), if known. `days`: the
    day number since 2000-01-01 UTC of each of the customer's own signs of life. `weighs_at`: the time at
    which the episode counts as one piece of evidence, health and relationship apart, None if it does not.
    `respondents`: identifiers' leaves that answered a survey in it. `first_event` and `last_event` are the
    events of `first` and `last`; `types` has the type of each event that is named here.
    """

    evidence: tuple[Evidence, ...]
    live: bool = False
    next_at: Micros | None = None
    first: Micros | None = None
    last: Micros | None = None
    days: tuple[int, ...] = ()
    health_at: Micros | None = None
    relationship_at: Micros | None = None
    respondents: tuple[str, ...] = ()
    first_event: str | None = None
    last_event: str | None = None
    types: tuple[tuple[str, str], ...] = ()
