"""Who customers are, what was planned with them, and what was undone."""

from __future__ import annotations

from msgspec import UNSET

from shared.events.bodies.base import Body, Key, Text, Whole


class Touchpoint(Body, frozen=True, omit_defaults=True):
    touchpoint_id: Key
    name: str
    due_at: Text = UNSET
    text: Text = UNSET
    by: Text = UNSET


class CustomerIdentified(Body, frozen=True, omit_defaults=True):
    """Attributes of a customer. `value` is the expected yearly revenue in minor units of `currency`."""

    name: Text = UNSET
    persona: Text = UNSET
    segment: Text = UNSET
    region: Text = UNSET
    language: Text = UNSET
    time_zone: Text = UNSET
    role: Text = UNSET
    owner: Text = UNSET
    value: Whole = UNSET
    currency: Text = UNSET
    renewal_at: Text = UNSET
    since: Text = UNSET
    left_at: Text = UNSET


class CustomerLinked(Body, frozen=True, omit_defaults=True):
    """All identifiers of the event are one customer."""

    reason: str


class EventRetracted(Body, frozen=True, omit_defaults=True):
    event: Key
    reason: Text = UNSET


class CouncilActed(Body, frozen=True, omit_defaults=True):
    alert: Key
    action: str
    by: str
    note: Text = UNSET
