"""Intercom and Chatwoot: what each notification says in the contract's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.ingest.domain.sender import Bad, Unsigned, Verified
from services.ingest.senders import senders
from tests.contract.senders_table import NOW, config, deliver, events, fixture, shown, told
from tests.senders_chat import chatwoot_conversation, chatwoot_rating
from tests.senders_kit import SECRETS, sign

OPENED, LATER, EXACT = "2026-03-01T09:30:00Z", "2026-03-01T11:00:00Z", "2026-03-01T11:00:00.250000Z"
Row = tuple[str, str | None, dict[str, Any]]


def message(which: str, by: str, words: str, **more: Any) -> Row:  # noqa: ANN401 - fields of the body
    """A message of Intercom's fixtures."""
    body = {"interaction": "2100", "message": which, "author": by, "public": True, "text": words} | more
    return ("chat.message", by, body)


def status(now: str, by: str | None = "agent", **more: str) -> Row:
    return ("chat.status", by, {"interaction": "2100", "status": now, **more})


INTERCOM: dict[str, list[Row]] = {
    "opened": [
        (
            "chat.opened",
            "customer",
            {
                "interaction": "2100",
                "text": "The export fails & we are blocked.",
                "priority": "high",
                "tags": ("export",),
            },
        )
    ],
    "user_replied": [message("p1", "customer", "Still broken."), status("open", "customer")],
    "colleague_replied": [
        message(
            "p2",
            "customer",
            "Me too.",
            author_identifiers=("email:sam@example.com", "desk.contact:66f1beef"),
        ),
        status("open", "customer"),
    ],
    "admin_replied": [message("p3", "agent", "We repair it today.", agent="4401")],
    "admin_noted": [message("p4", "agent", "Ask storage.", agent="4401", public=False)],
    "bot_replied": [message("p5", "bot", "Have you read our help?")],
    "admin_closed": [status("solved")],
    "admin_closed_with_words": [message("p7", "agent", "Done.", agent="4401"), status("solved")],
    "admin_snoozed": [status("hold", until="2026-03-03T09:00:00Z")],
    "admin_opened": [status("open")],
    "admin_assigned": [("chat.handover", "agent", {"interaction": "2100", "to": "4402"})],
    "admin_began": [
        (
            "chat.opened",
            "agent",
            {"interaction": "2100", "subject": "Your renewal", "text": "May I call you?"},
        )
    ],
    "rating_added": [
        (
            "survey.answered",
            "customer",
            {
                "response": "rating-2100",
                "question": "rating",
                "metric": "csat",
                "score": 1,
                "scale": (1, 5),
                "better": "high",
                "comment": "Slow.",
                "about": "2100",
            },
        )
    ],
    "deleted": [("chat.removed", None, {"interaction": "2100", "reason": "deleted"})],
    "ticket_created": [
        (
            "ticket.opened",
            "customer",
            {"interaction": "2200", "subject": "Export broken", "text": "Nothing works."},
        )
    ],
    "ticket_waiting": [
        ("ticket.status", None, {"interaction": "2200", "status": "pending", "previous": "open"})
    ],
    "ticket_closed_nested": [("ticket.status", "agent", {"interaction": "2200", "status": "solved"})],
    "contact_created": [("customer.identified", None, {"name": "Robin Example", "language": "de"})],
    "lead_created": [("customer.identified", None, {})],
    "company_created": [("customer.identified", None, {"name": "Acme Works"})],
    "unassigned": [],
    "ticket_no_change": [],
    "ping": [],
    "other_topic": [],
}


@pytest.mark.parametrize("name", INTERCOM)
def test_intercom(name: str) -> None:
    found = told("intercom", name)
    assert [(one["type"], one.get("actor"), one["body"]) for one in found] == INTERCOM[name]
    for one in found:
        assert one["time"] in (OPENED, LATER)


@pytest.mark.parametrize(
    ("name", "identifiers"),
    [
        ("opened", ("user:c-77", "email:robin@example.com", "desk.contact:66f1c0de")),
        ("opened_by_lead_old_api", ("desk.contact:66f1c0de",)),
        ("ticket_created", ("user:c-77", "desk.contact:66f1c0de", "desk.org:64ab01")),
        ("lead_created", ("desk.contact:66f1lead",)),
        ("company_created", ("account:acme", "desk.org:64ab01")),
    ],
)
def test_intercom_names_people_by_what_is_theirs(name: str, identifiers: tuple[str, ...]) -> None:
    assert told("intercom", name)[0]["identifiers"] == identifiers


def test_intercom_what_we_began_is_proactive() -> None:
    assert told("intercom", "admin_began")[0]["initiative"] == "proactive"
    assert told("intercom", "opened")[0]["initiative"] == "reactive"


def test_intercom_reply_to_what_stays_closed_opens_nothing() -> None:
    body = fixture("intercom", "user_replied")
    body["data"]["item"] |= {"open": False, "state": "closed"}
    assert [event.type for event in events(deliver("intercom", body))] == ["chat.message"]


@pytest.mark.parametrize(
    ("name", "change", "where"),
    [
        ("user_replied", {"conversation_parts": None}, ["/data/item/conversation_parts"]),
        ("opened", {"id": None}, ["/id"]),
        ("rating_added", {"conversation_rating": {"rating": 7}}, ["/data/item/conversation_rating/rating"]),
        (
            "rating_added",
            {"id": "", "conversation_rating": 5},
            ["/id", "/data/item/conversation_rating/rating"],
        ),
    ],
)
def test_intercom_tells_every_reason(name: str, change: dict[str, Any], where: list[str]) -> None:
    body = fixture("intercom", name)
    body["data"]["item"] |= change
    assert [reason.where for reason in deliver("intercom", body).reasons] == where


def in_chatwoot(what: str, by: str | None, body: dict[str, Any]) -> Row:
    return (what, by, {"interaction": "12", **body})


RATING = {
    "response": "message-508",
    "question": "csat",
    "survey": "csat",
    "metric": "csat",
    "score": 2,
    "scale": (1, 5),
    "better": "high",
    "comment": "Took long.",
    "about": "12",
}
CHATWOOT: dict[str, list[Row]] = {
    "conversation_created": [
        in_chatwoot("chat.opened", "customer", {"priority": "urgent", "tags": ("export",)})
    ],
    "conversation_created_email": [in_chatwoot("ticket.opened", None, {"subject": "Export broken"})],
    "first_message": [
        in_chatwoot("chat.updated", "customer", {"text": "The export fails since this morning."})
    ],
    "message_incoming": [
        in_chatwoot(
            "chat.message",
            "customer",
            {"message": "502", "author": "customer", "public": True, "text": "Hello?"},
        )
    ],
    "message_old_time": [
        in_chatwoot(
            "chat.message",
            "customer",
            {"message": "506", "author": "customer", "public": True, "text": "Hello??"},
        )
    ],
    "message_outgoing": [
        in_chatwoot(
            "chat.message",
            "agent",
            {"message": "503", "author": "agent", "public": True, "text": "We are on it.", "agent": "7"},
        )
    ],
    "message_private": [
        in_chatwoot(
            "chat.message",
            "agent",
            {"message": "504", "author": "agent", "public": False, "text": "Ask storage.", "agent": "7"},
        )
    ],
    "message_bot": [
        in_chatwoot(
            "chat.message", "bot", {"message": "505", "author": "bot", "public": True, "text": "I am a bot."}
        )
    ],
    "csat_asked": [("survey.sent", "bot", {"survey": "csat", "response": "message-508", "metric": "csat"})],
    "csat_answered": [("survey.answered", "customer", RATING)],
    "status_resolved": [in_chatwoot("chat.status", None, {"status": "solved", "previous": "open"})],
    "status_snoozed": [in_chatwoot("chat.status", None, {"status": "hold", "until": "2026-03-03T09:00:00Z"})],
    "status_pending": [in_chatwoot("chat.status", None, {"status": "pending"})],
    "assignee_changed": [in_chatwoot("chat.handover", None, {"from": "7", "to": "8"})],
    "labels_changed": [in_chatwoot("chat.updated", None, {"tags": ("export", "outage")})],
    "contact_created": [("customer.identified", None, {"name": "Robin Example"})],
    "message_activity": [],
    "message_edited": [],
    "updated_otherwise": [],
    "typing": [],
}


@pytest.mark.parametrize("name", CHATWOOT)
def test_chatwoot(name: str) -> None:
    found = told("chatwoot", name)
    assert [(one["type"], one.get("actor"), one["body"]) for one in found] == CHATWOOT[name]
    for one in found:
        assert one["identifiers"] == (
            "user:c-77",
            "email:robin@example.com",
            "phone:+4930123456",
            "desk.contact:41",
        )
        assert one["time"] in (OPENED, LATER, EXACT, "2026-03-02T10:00:00Z")


def test_chatwoot_answer_changed_later_wins() -> None:
    conversation = chatwoot_conversation(12, datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    later = datetime(2026, 3, 1, 18, 0, tzinfo=UTC)
    (first,) = events(deliver("chatwoot", fixture("chatwoot", "csat_answered")))
    (second,) = events(deliver("chatwoot", chatwoot_rating(508, conversation, 5, "All good now.", later)))
    assert first.id != second.id
    assert second.revision > first.revision
    assert shown(second)["body"] == {**RATING, "score": 5, "comment": "All good now."}


def test_chatwoot_links_into_the_tool() -> None:
    source = config("chatwoot", settings={"base_url": "https://chat.example.com"})
    (event,) = told("chatwoot", "message_outgoing", source)
    assert event["url"] == "https://chat.example.com/app/accounts/1/conversations/12"


@pytest.mark.parametrize(
    ("name", "change", "where"),
    [
        ("message_incoming", {"id": None}, ["/id"]),
        ("message_incoming", {"id": None, "created_at": "soon"}, ["/created_at", "/id"]),
        ("status_resolved", {"status": "melted"}, ["/status"]),
        ("conversation_created", {"event": None}, ["/event"]),
        ("contact_created", {"id": " "}, ["/id"]),
    ],
)
def test_chatwoot_tells_every_reason(name: str, change: dict[str, Any], where: list[str]) -> None:
    result = deliver("chatwoot", fixture("chatwoot", name) | change)
    assert [reason.where for reason in result.reasons] == where


@pytest.mark.parametrize("vendor", ["intercom", "chatwoot"])
def test_release_that_does_not_sign(vendor: str) -> None:
    delivery = sign(vendor, b"{}", SECRETS[vendor], at=NOW).delivery(NOW)
    bare = {name: value for name, value in delivery.headers.items() if "signature" not in name}
    verdict = senders()[vendor].verify(delivery._replace(headers=bare), config(vendor), NOW)
    assert isinstance(verdict, Unsigned)


@pytest.mark.parametrize(
    ("header", "good"),
    [("sha1={}", True), (" sha1={} ", True), ("sha256={}", False), ("{}", False), ("sha1=", False)],
)
def test_intercom_signature_header(header: str, good: bool) -> None:
    delivery = sign("intercom", b"{}", SECRETS["intercom"], at=NOW).delivery(NOW)
    digest = delivery.headers["x-hub-signature"].partition("=")[2]
    changed = delivery._replace(headers={"x-hub-signature": header.format(digest)})
    verdict = senders()["intercom"].verify(changed, config("intercom"), NOW)
    assert isinstance(verdict, Verified if good else Bad)
