"""Summaries for people, the customer's own words, and how they sound."""

from __future__ import annotations

from typing import Any

import pytest

from services.scoring.domain.summaries import summary
from services.scoring.domain.texts import own_words
from services.scoring.text import MODEL, feature, measure
from shared.events import BODIES
from tests.unit.scoring.telling import Teller

CASES: list[tuple[str, dict[str, Any], str]] = [
    ("ticket.opened", {"interaction": "t", "subject": "Cannot\n sign in"}, "Ticket opened: Cannot sign in"),
    ("chat.opened", {"interaction": "t", "text": "Hello"}, "Chat opened: Hello"),
    (
        "ticket.message",
        {"interaction": "t", "message": "m", "author": "customer", "public": True, "text": "Still broken"},
        "Customer wrote: Still broken",
    ),
    (
        "ticket.message",
        {"interaction": "t", "message": "m", "author": "agent", "public": False, "text": "a secret"},
        "Internal note",
    ),
    ("ticket.status", {"interaction": "t", "status": "pending"}, "Ticket now pending"),
    ("ticket.status", {"interaction": "t", "status": "open", "previous": "solved"}, "Ticket reopened"),
    ("chat.handover", {"interaction": "t", "to": "Billing"}, "Chat handed over to Billing"),
    (
        "survey.answered",
        {"response": "r", "metric": "nps", "score": 2, "comment": "never again"},
        "NPS 2 of 10: never again",
    ),
    ("survey.answered", {"response": "r", "metric": "csat", "score": 4.5, "scale": (1, 7)}, "CSAT 4.5 of 7"),
    ("survey.answered", {"response": "r", "metric": "text", "comment": "fine"}, "Text: fine"),
    ("review.posted", {"review": "v", "site": "example.com", "score": 5}, "Review on example.com, 5 stars"),
    (
        "mention.made",
        {"mention": "m", "where": "a forum", "public": True, "stance": "complaint"},
        "Complaint on a forum",
    ),
    (
        "subscription.cancel_scheduled",
        {"subscription": "s", "comment": "too slow"},
        "Cancellation scheduled: too slow",
    ),
    ("subscription.renewed", {"subscription": "s"}, "Subscription renewed"),
    ("payment.failed", {"invoice": "i"}, "Payment failed"),
    (
        "touchpoint.held",
        {"touchpoint_id": "q", "name": "Quarterly review"},
        "Touchpoint held: Quarterly review",
    ),
    (
        "selfservice.attempted",
        {"attempt": "a", "helped": False, "query": "SSO"},
        "Looked for help in vain: SSO",
    ),
    ("referral.converted", {"referral": "r"}, "A referral became a customer"),
    ("customer.identified", {"name": "Ann"}, "Customer details updated"),
    ("council.acted", {"alert": "a", "action": "called", "by": "bob"}, "Council acted: called"),
]


@pytest.mark.parametrize(("kind", "fields", "line"), CASES)
def test_summary(kind: str, fields: dict[str, Any], line: str) -> None:
    assert summary(Teller().say(kind, 1, **fields).event) == line


def test_a_summary_fits_on_a_line() -> None:
    long = summary(Teller().say("ticket.opened", 1, interaction="t", subject="word " * 99).event)
    assert len(long) <= 140 and long.endswith("…")


def test_every_type_has_a_summary() -> None:
    needed: dict[str, Any] = {
        "interaction": "t",
        "message": "m",
        "author": "customer",
        "public": True,
        "status": "open",
        "into": "u",
        "reason": "spam",
        "attempt": "a",
        "survey": "s",
        "response": "r",
        "metric": "nps",
        "review": "v",
        "site": "x",
        "subscription": "s",
        "order": "o",
        "invoice": "i",
        "referral": "r",
        "mention": "m",
        "where": "w",
        "touchpoint_id": "p",
        "name": "n",
        "inquiry": "i",
        "text": "t",
        "by": "b",
        "request": "r",
        "event": "e",
        "alert": "a",
        "action": "c",
    }
    for kind, body in BODIES.items():
        required = [
            f for f, d in zip(body.__struct_fields__[::-1], body.__struct_defaults__[::-1], strict=False) if d
        ]
        fields = {f: needed[f] for f in body.__struct_fields__ if f not in required and f in needed}
        assert summary(Teller().say(kind, 1, **fields).event), kind


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("ticket.opened", {"interaction": "t", "subject": "a", "text": "b"}, "a\nb"),
        ("ticket.opened", {"interaction": "t", "subject": "a", "actor": "agent"}, None),
        (
            "ticket.message",
            {"interaction": "t", "message": "m", "author": "agent", "public": True, "text": "x"},
            None,
        ),
        (
            "ticket.message",
            {"interaction": "t", "message": "m", "author": "customer", "public": True, "text": "x"},
            "x",
        ),
        ("survey.answered", {"response": "r", "metric": "nps", "comment": "c", "reason": "d"}, "c\nd"),
        ("survey.answered", {"response": "r", "metric": "nps", "comment": "  "}, None),
        ("subscription.cancelled", {"subscription": "s", "comment": "c"}, "c"),
        ("inquiry.noted", {"inquiry": "i", "text": "seen at work", "by": "b"}, None),
        ("payment.failed", {"invoice": "i"}, None),
    ],
)
def test_own_words(kind: str, fields: dict[str, Any], words: str | None) -> None:
    assert own_words(Teller().say(kind, 1, **fields).event) == words


@pytest.mark.parametrize(
    ("words", "low", "high"),
    [
        ("This is unacceptable. We are losing customers every hour.", -100, -30),
        ("Terrible", -100, -30),
        ("still broken!!", -100, -30),
        ("Great, thanks, that was really helpful", 50, 100),
        ("The invoice lists three seats.", -4, 4),
        ("bad " * 20_000, -100, -90),
    ],
)
def test_english_is_measured(words: str, low: int, high: int) -> None:
    found = measure(words)
    assert found is not None and low <= found.compound <= high
    assert found.model == MODEL


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("Das ist eine schreckliche Katastrophe, niemand antwortet", None),
        ("Nunca más, esto es horrible", None),
        ("die, help", "de-DE"),
    ],
)
def test_other_languages_are_not(words: str, language: str | None) -> None:
    assert measure(words, language) is None


def test_feature_of_an_event() -> None:
    tell = Teller()
    spoken = tell.say("survey.answered", 1, response="r", metric="nps", comment="awful", language="en-GB")
    found = feature(spoken.event)
    assert found is not None and found.compound < 0
    assert feature(tell.say("payment.failed", 1, invoice="i").event) is None
