"""Zendesk: what each event subscription and each trigger's delivery says in the contract's words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.senders_table import config, deliver, events, fixture, shown, told

OPENED, LATER = "2026-03-01T09:30:00.120000Z", "2026-03-01T11:00:00.120000Z"
WORDS = "Since this morning nothing can be exported."
MESSAGE = {"interaction": "5301", "message": "1772362800120", "public": True}
RATING = {
    "response": "ticket-5301",
    "metric": "csat",
    "question": "satisfaction",
    "scale": (0, 1),
    "better": "high",
    "about": "5301",
}


def ticket(kind: str, body: dict[str, Any], actor: str = "agent", **more: object) -> dict[str, Any]:
    """An event about the requester of the fixtures' ticket."""
    return {
        "type": kind,
        "time": LATER,
        "body": body,
        "identifiers": ("desk.user:9001", "desk.org:8001"),
        "stage": "support",
        "channel": "email",
        "actor": actor,
        **more,
    }


def trigger(kind: str, body: dict[str, Any], **more: object) -> dict[str, Any]:
    return {
        "type": kind,
        "time": "2026-03-01T11:00:00Z",
        "body": body,
        "identifiers": ("user:c-77", "email:robin@example.com", "desk.user:9001", "desk.org:8001"),
        "account": "acme",
        "stage": "support",
        "channel": "email",
        "language": "de",
        "url": "https://acme.zendesk.com/agent/tickets/5301",
        **more,
    }


def status(now: str, before: str) -> dict[str, Any]:
    return {"interaction": "5301", "status": now, "previous": before}


TOLD: dict[str, list[dict[str, Any]]] = {
    "ticket_created": [
        ticket(
            "ticket.opened",
            {
                "interaction": "5301",
                "subject": "Export broken",
                "text": WORDS,
                "priority": "normal",
                "tags": ("export",),
                "team": "6001",
            },
            "customer",
            time=OPENED,
            initiative="reactive",
            native={"via": "email", "status": "OPEN"},
        )
    ],
    "status_solved": [ticket("ticket.status", status("solved", "open"))],
    "status_reopened": [ticket("ticket.status", status("open", "solved"), "customer")],
    "status_archived": [ticket("ticket.status", status("closed", "closed"), "system")],
    "status_deleted": [ticket("ticket.removed", {"interaction": "5301", "reason": "deleted"})],
    "marked_as_spam": [ticket("ticket.removed", {"interaction": "5304", "reason": "spam"})],
    "comment_agent": [
        ticket(
            "ticket.message",
            {
                **MESSAGE,
                "author": "agent",
                "text": "We have found the cause and will repair it today.",
                "agent": "7001",
                "team": "6001",
            },
        )
    ],
    "comment_requester": [
        ticket(
            "ticket.message",
            {**MESSAGE, "author": "customer", "text": "Still the same. This is the third time I ask!"},
            "customer",
        )
    ],
    "comment_colleague": [
        ticket(
            "ticket.message",
            {
                **MESSAGE,
                "author": "customer",
                "text": "I see the same in our second office.",
                "author_identifiers": ("desk.user:9002",),
            },
            "customer",
        )
    ],
    "comment_private": [
        ticket(
            "ticket.message",
            {
                **MESSAGE,
                "public": False,
                "author": "agent",
                "text": "Asked the storage team.",
                "agent": "7002",
                "team": "6001",
            },
        )
    ],
    "comment_first": [],
    "priority_changed": [
        ticket(
            "ticket.updated",
            {"interaction": "5301", "subject": "Export broken", "priority": "urgent", "tags": ("export",)},
        )
    ],
    "tags_changed": [
        ticket(
            "ticket.updated",
            {
                "interaction": "5301",
                "subject": "Export broken",
                "priority": "normal",
                "tags": ("export", "outage"),
            },
        )
    ],
    "group_assignment_changed": [ticket("ticket.updated", {"interaction": "5301", "team": "6002"})],
    "agent_assignment_changed": [
        ticket("ticket.handover", {"interaction": "5301", "from": "7001", "to": "7002"})
    ],
    "agent_first_assigned": [ticket("ticket.handover", {"interaction": "5301", "to": "7001"}, "system")],
    "ticket_merged": [ticket("ticket.merged", {"interaction": "5301", "into": "5299"})],
    "csat_received": [
        ticket("survey.answered", {**RATING, "score": 0, "comment": "Three days for an answer."}, "customer")
    ],
    "ticket_created_thin": [
        {
            "type": "ticket.opened",
            "time": "2026-03-01T09:30:00Z",
            "body": {"interaction": "5303"},
            "identifiers": (),
            "stage": "support",
            "channel": "web",
            "native": {"via": "web", "status": "Open"},
        }
    ],
    "message_customer": [
        {
            "type": "chat.message",
            "time": "2026-03-01T11:00:00.254571Z",
            "body": {
                "interaction": "5310",
                "message": "67ab5f55155becd183e28400",
                "author": "customer",
                "public": True,
                "text": "Is anybody there?",
            },
            "identifiers": ("desk.user:9001",),
            "stage": "support",
            "channel": "messaging",
            "actor": "customer",
        }
    ],
    "user_created": [
        {
            "type": "customer.identified",
            "time": "2026-03-01T09:30:00Z",
            "body": {},
            "identifiers": ("user:c-77", "email:robin@example.com", "desk.user:9001", "desk.org:8001"),
        }
    ],
    "user_staff": [],
    "organization_created": [
        {
            "type": "customer.identified",
            "time": "2026-03-01T09:30:00Z",
            "body": {"name": "Acme Works"},
            "identifiers": ("account:acme", "desk.org:8001"),
        }
    ],
    "trigger_opened": [
        trigger(
            "ticket.opened",
            {
                "interaction": "5301",
                "subject": "Export broken",
                "text": WORDS,
                "priority": "high",
                "tags": ("export", "outage"),
            },
        ),
        trigger("customer.identified", {"name": "Robin Example"}),
    ],
    "trigger_status": [trigger("ticket.status", {"interaction": "5301", "status": "pending"})],
    "trigger_message": [
        trigger(
            "ticket.message",
            {
                "interaction": "5301",
                "message": "88001",
                "author": "agent",
                "public": True,
                "text": "We are on it.",
            },
            actor="agent",
        )
    ],
    "trigger_rated": [
        trigger("survey.answered", {**RATING, "score": 1, "comment": "Quick and kind."}, actor="customer")
    ],
    "trigger_offered": [],
}


@pytest.mark.parametrize("name", TOLD)
def test_event_in_the_contracts_words(name: str) -> None:
    assert told("zendesk", name) == TOLD[name]


def test_ticket_entered_with_its_outcome_has_a_status_too() -> None:
    opened, solved = told("zendesk", "ticket_created_solved")
    assert (opened["type"], opened["channel"], opened["actor"]) == ("ticket.opened", "phone", "agent")
    assert solved["body"] == {"interaction": "5302", "status": "solved"}


def test_answer_bot_is_a_bot_and_names_no_customer() -> None:
    (event,) = told("zendesk", "message_bot")
    assert (event["actor"], event["body"]["author"], event["identifiers"]) == ("bot", "bot", ())


def test_defaults_of_the_source_fill_what_zendesk_leaves_open() -> None:
    source = config("zendesk", defaults={"region": "EMEA", "stage": "purchase", "channel": "phone"})
    (event,) = told("zendesk", "ticket_created", source)
    assert (event["region"], event["stage"], event["channel"]) == ("EMEA", "purchase", "email")


def test_link_needs_the_base_url() -> None:
    source = config("zendesk", settings={"base_url": "https://acme.zendesk.com/"})
    (event,) = told("zendesk", "status_solved", source)
    assert event["url"] == "https://acme.zendesk.com/agent/tickets/5301"


def test_rating_again_revises_the_answer() -> None:
    first = fixture("zendesk", "csat_received")
    second = {**first, "id": "another", "event": {"satisfaction_score": {"score": "GOOD", "comment": None}}}
    (before,), (after,) = events(deliver("zendesk", first)), events(deliver("zendesk", second))
    assert before.id != after.id
    assert shown(after)["body"] == {**RATING, "score": 1}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"detail": {"status": "OPEN"}}, ["/detail/id"]),
        ({"detail": {}, "time": "yesterday"}, ["/detail/id", "/time"]),
        ({"time": "2026-03-04T00:00:00Z"}, ["/time"]),
        ({"type": "ticket", "event": None}, ["/"]),
        ({"event": {"current": "ON FIRE"}}, ["/event/current"]),
    ],
)
def test_unreadable_event_is_kept_with_every_reason(change: dict[str, Any], where: list[str]) -> None:
    result = deliver("zendesk", {**fixture("zendesk", "status_solved"), **change})
    assert (result.rejected, result.sealed, result.faults) == (1, (), 0)
    assert [reason.where or "/" for reason in result.reasons] == where


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"event": "ticket.exploded"}, ["/event"]),
        ({"event": "ticket.exploded", "ticket": {}}, ["/event", "/ticket/id"]),
        ({"event": "ticket.status", "ticket": {"id": "1", "status": "?"}}, ["/ticket/status"]),
        ({"event": "ticket.message"}, ["/comment/author"]),
    ],
)
def test_unreadable_trigger_is_kept_with_every_reason(change: dict[str, Any], where: list[str]) -> None:
    result = deliver("zendesk", {**fixture("zendesk", "trigger_opened"), **change})
    assert [reason.where for reason in result.reasons] == where


def test_quotation_mark_that_breaks_a_triggers_json_is_kept() -> None:
    result = deliver("zendesk", b'{"event": "ticket.opened", "ticket": {"title": "It said "no""}}')
    assert (result.rejected, result.faults, result.reasons[0].code) == (1, 0, "not_json")
