"""Bodies of the chat tools, Intercom and Chatwoot, with invented content."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

Json = dict[str, Any]


def intercom_notification(topic: str, item: Json, at: datetime) -> Json:
    """A notification of `topic` about the thing as it is after the event."""
    seconds = int(at.timestamp())
    name = uuid.uuid5(uuid.NAMESPACE_OID, f"{topic}{item.get('id')}{seconds}")
    return {
        "type": "notification_event",
        "app_id": "q7w3r1ty",
        "data": {"type": "notification_event_data", "item": item},
        "links": {},
        "id": f"notif_{name}",
        "topic": topic,
        "delivery_status": "pending",
        "delivery_attempts": 1,
        "delivered_at": 0,
        "first_sent_at": seconds,
        "created_at": seconds,
        "self": None,
    }


def intercom_conversation(conversation: str, html: str, at: datetime, *parts: Json, **fields: object) -> Json:
    """A conversation that a user began with `html`; `parts` are the new ones (`intercom_part`)."""
    author = {"type": "user", "id": "66f1c0de", "name": "Robin Example", "email": "robin@example.com"}
    source = {"type": "conversation", "id": "m1", "subject": "", "body": html, "author": author}
    contact = {"type": "contact", "id": "66f1c0de", "external_id": "c-77"}
    return {
        "type": "conversation",
        "id": conversation,
        "created_at": int(at.timestamp()),
        "updated_at": int(at.timestamp()),
        "source": {**source, "attachments": [], "delivered_as": "customer_initiated"},
        "contacts": {"type": "contact.list", "contacts": [contact]},
        "conversation_parts": {
            "type": "conversation_part.list",
            "conversation_parts": list(parts),
            "total_count": len(parts),
        },
        "open": True,
        "state": "open",
        "snoozed_until": None,
        "priority": "not_priority",
        "conversation_rating": None,
        "tags": {"type": "tag.list", "tags": []},
        **fields,
    }


def intercom_part(
    part: str, kind: str, author: str, html: str | None, at: datetime, **fields: object
) -> Json:
    """The new part of a conversation; `author` is user, lead, admin or bot."""
    who = "66f1c0de" if author in ("user", "lead") else "4401"
    return {
        "type": "conversation_part",
        "id": part,
        "part_type": kind,
        "body": html,
        "created_at": int(at.timestamp()),
        "assigned_to": None,
        "author": {"type": author, "id": who, "name": "Somebody"},
        "attachments": [],
        **fields,
    }


def chatwoot_conversation(conversation: int, at: datetime, status: str = "open", **fields: object) -> Json:
    """A conversation as it stands in every delivery: alone, or inside a message's."""
    sender = {
        "id": 41,
        "name": "Robin Example",
        "email": "robin@example.com",
        "identifier": "c-77",
        "phone_number": "+4930123456",
        "type": "contact",
    }
    return {
        "additional_attributes": {},
        "channel": "Channel::WebWidget",
        "can_reply": True,
        "id": conversation,
        "inbox_id": 3,
        "labels": [],
        "messages": [],
        "meta": {"sender": sender, "assignee": None, "team": None, "hmac_verified": False},
        "priority": None,
        "snoozed_until": None,
        "status": status,
        "timestamp": int(at.timestamp()),
        "created_at": int(at.timestamp()),
        "updated_at": at.timestamp(),
        "waiting_since": int(at.timestamp()),
        **fields,
    }


def chatwoot_event(event: str, conversation: Json, changed: list[Json] | None = None) -> Json:
    """`conversation_created`, `_updated` or `_status_changed`: the conversation itself, at the top."""
    account = {"id": 1, "name": "Example Ltd"}
    return {**conversation, "account": account, "event": event} | (
        {"changed_attributes": changed} if changed else {}
    )


def chatwoot_message(
    message: int,
    conversation: Json,
    kind: str,
    content: str,
    at: datetime,
    *,
    event: str = "message_created",
    **fields: object,
) -> Json:
    """`message_created` or `message_updated`; `kind` is incoming, outgoing or template."""
    contact = conversation["meta"]["sender"]
    agent = {"id": 7, "name": "Kim Example", "email": "kim@example.com", "type": "user"}
    return {
        "account": {"id": 1, "name": "Example Ltd"},
        "additional_attributes": {},
        "content_attributes": {},
        "content_type": "text",
        "content": content,
        "conversation": conversation,
        "created_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "id": message,
        "inbox": {"id": 3, "name": "Website"},
        "message_type": kind,
        "private": False,
        "sender": contact if kind == "incoming" else agent if kind == "outgoing" else None,
        "source_id": None,
        "event": event,
        **fields,
    }


def chatwoot_rating(message: int, conversation: Json, rating: int, words: str, at: datetime) -> Json:
    """The answer to the satisfaction question: an update of the message that asked."""
    said = {"rating": rating, "feedback_message": words}
    return chatwoot_message(
        message,
        conversation,
        "template",
        "Please rate the conversation",
        at,
        event="message_updated",
        content_type="input_csat",
        content_attributes={"submitted_values": {"csat_survey_response": said}},
        updated_at=at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
