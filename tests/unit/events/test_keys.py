"""Natural keys as the contract lists them."""

from datetime import UTC, datetime

import pytest

from shared.events import bodies as b
from shared.events import natural_key

T = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)

CASES: list[tuple[str, b.Body, tuple[str, ...]]] = [
    ("ticket.opened", b.InteractionOpened(interaction="1"), ("interaction", "1")),
    ("chat.updated", b.InteractionUpdated(interaction="1"), ("interaction", "1")),
    ("ticket.merged", b.InteractionMerged(interaction="1", into="2"), ("interaction", "1")),
    (
        "call.note",
        b.InteractionMessage(interaction="1", message="m", author="agent", public=False),
        ("interaction", "1", "message", "m"),
    ),
    (
        "ticket.status",
        b.InteractionStatusChanged(interaction="1", status="open"),
        ("interaction", "1", "status", "2026-03-01T09:30:00Z"),
    ),
    (
        "ticket.handover",
        b.InteractionHandover(interaction="1"),
        ("interaction", "1", "handover", "2026-03-01T09:30:00Z"),
    ),
    ("survey.answered", b.SurveyAnswered(response="r", metric="nps"), ("survey", "r", "", "nps")),
    (
        "survey.answered",
        b.SurveyAnswered(response="r", question="q", metric="csat"),
        ("survey", "r", "q", "csat"),
    ),
    ("survey.sent", b.SurveyNotice(survey="s"), ("event", "e")),
    ("review.removed", b.ReviewRemoved(review="v"), ("review", "v")),
    ("subscription.started", b.SubscriptionEvent(subscription="s"), ("subscription", "s")),
    (
        "subscription.renewed",
        b.SubscriptionEvent(subscription="s", period_end="2027-01-01T00:00:00Z"),
        ("subscription", "s", "renewed", "2027-01-01T00:00:00Z"),
    ),
    ("purchase.refunded", b.PurchaseRefunded(order="o", refund="f"), ("order", "o", "refund", "f")),
    ("payment.failed", b.PaymentEvent(invoice="i", attempt=2), ("invoice", "i", "2")),
    ("usage.observed", b.UsageObserved(count=3), ("event", "e")),
    ("customer.identified", b.CustomerIdentified(name="Ann"), ("event", "e")),
]


@pytest.mark.parametrize(("event_type", "body", "key"), CASES)
def test_natural_key(event_type: str, body: b.Body, key: tuple[str, ...]) -> None:
    assert natural_key(event_type, body, T, "e") == key
