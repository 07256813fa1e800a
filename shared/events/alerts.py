"""Messages on `cx.alerts.v1` and outgoing deliveries: an alert as it stands after a change."""

from __future__ import annotations

from typing import Literal

import msgspec

from shared.events.scores import Contribution

AlertState = Literal[
    "open",
    "acknowledged",
    "assigned",
    "acted",
    "verifying",
    "verified",
    "unconfirmed",
    "snoozed",
    "dismissed",
    "cleared",
    "merged",
]
Severity = Literal["low", "medium", "high", "urgent"]
Driver = Literal["experience", "renewal", "silence", "advocacy"]
"""What an alert is about: a customer has at most one open alert for each."""
AlertVerb = Literal[
    "opened",
    "acknowledged",
    "assigned",
    "updated",
    "acted",
    "escalated",
    "snoozed",
    "dismissed",
    "cleared",
    "verified",
    "unconfirmed",
    "reopened",
]


class ReasonEvent(msgspec.Struct, frozen=True):
    """One of the customer's own events behind the alert, in the customer's own words."""

    id: str
    at: str
    type: str
    summary: str | None = None
    text: str | None = None
    url: str | None = None
    points: float | None = None


class Reason(msgspec.Struct, frozen=True):
    text: str
    contributions: tuple[Contribution, ...] = ()
    events: tuple[ReasonEvent, ...] = ()


class Levels(msgspec.Struct, frozen=True):
    """Published values, null while unknown."""

    health: float | None = None
    relationship: float | None = None
    risk: float | None = None


class BeforeAfter(msgspec.Struct, frozen=True):
    before: Levels
    after: Levels


class AlertCustomer(msgspec.Struct, frozen=True):
    identifiers: tuple[str, ...] = ()
    name: str | None = None
    account: str | None = None
    region: str | None = None
    persona: str | None = None
    value: int | None = None
    currency: str | None = None
    renewal_at: str | None = None


class HistoryEntry(msgspec.Struct, frozen=True):
    at: str
    by: str
    what: str
    note: str | None = None


class Alert(msgspec.Struct, frozen=True):
    """`version` rises with every change; receivers ignore lower ones."""

    id: str
    rule: str
    customer_id: str | None
    account_id: str | None
    council: str
    state: AlertState
    severity: Severity
    title: str
    url: str | None
    opened_at: str
    owner: str | None
    due_at: str | None
    reason: Reason
    suggestion: str
    scores: BeforeAfter
    customer: AlertCustomer
    history: tuple[HistoryEntry, ...]
    version: int
    rules: tuple[str, ...] = ()
    """Every rule that fired for it, the gravest first; `rule` is the first of them."""
    driver: Driver = "experience"
    merged_into: str | None = None
