"""Payloads as the vendors put them on the wire: keys, nesting, types and time formats are theirs."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime

from services.demo.company import Account, Person
from services.demo.post import BILLING, CHAT, CRM, DESK, SURVEY, Json, Post


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _id(*parts: object) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, "/".join(map(str, parts))))


@dataclass(frozen=True)
class Ticket:
    number: int
    person: Person
    opened: datetime
    subject: str
    text: str
    priority: str = "NORMAL"
    tags: tuple[str, ...] = ()
    via: str = "web_service"


def ticket_event(ticket: Ticket, kind: str, at: datetime, status: str, event: Json, actor: str) -> Post:
    """A help-desk event subscription's message; `kind` such as `status_changed`."""
    key = _id("desk", ticket.number, kind, at, json.dumps(event, sort_keys=True))
    return Post(
        at=at,
        source=DESK,
        key=key,
        payload={
            "account_id": 22129848,
            "detail": {
                "actor_id": actor,
                "assignee_id": None,
                "brand_id": "8447346621310",
                "created_at": _iso(ticket.opened),
                "custom_status": "8447320465790",
                "description": ticket.text,
                "external_id": None,
                "form_id": "8646151517822",
                "group_id": "8447320466430",
                "id": str(ticket.number),
                "is_public": True,
                "organization_id": ticket.person.account.desk_org,
                "priority": ticket.priority,
                "requester_id": ticket.person.desk_user,
                "status": status,
                "subject": ticket.subject,
                "submitter_id": ticket.person.desk_user,
                "tags": list(ticket.tags),
                "type": "PROBLEM",
                "updated_at": _iso(at),
                "via": {"channel": ticket.via},
            },
            "event": event,
            "id": key,
            "subject": f"zen:ticket:{ticket.number}",
            "time": at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z",
            "type": f"zen:event-type:ticket.{kind}",
            "zendesk_event_version": "2022-11-06",
        },
    )


def comment(text: str, author: str, staff: bool, number: str) -> Json:
    return {
        "comment": {
            "author": {"id": author, "is_staff": staff, "name": "Support" if staff else "Customer"},
            "body": text,
            "id": number,
            "is_public": True,
        }
    }


def chat_event(topic: str, conversation: str, person: Person, at: datetime, item: Json) -> Post:
    """An Intercom notification about one conversation; `item` adds or replaces fields of it."""
    stamp = int(at.timestamp())
    notification = "notif_" + _id("chat", topic, conversation, stamp)
    return Post(
        at=at,
        source=CHAT,
        key=notification,
        payload={
            "type": "notification_event",
            "app_id": "i6wc9ipe",
            "data": {
                "type": "notification_event_data",
                "item": {
                    "type": "conversation",
                    "id": conversation,
                    "created_at": stamp,
                    "updated_at": stamp,
                    "contacts": {
                        "type": "contact.list",
                        "contacts": [{"type": "contact", "id": person.chat_user, "external_id": person.user}],
                    },
                    "user": {
                        "type": "user",
                        "id": person.chat_user,
                        "user_id": person.user,
                        "name": person.name,
                        "email": person.email,
                    },
                    "conversation_parts": {"type": "conversation_part.list", "conversation_parts": []},
                    "tags": {"type": "tag.list", "tags": []},
                    **item,
                },
            },
            "links": {},
            "id": notification,
            "topic": topic,
            "delivery_status": "pending",
            "delivery_attempts": 1,
            "delivered_at": 0,
            "first_sent_at": stamp,
            "created_at": stamp,
            "self": None,
        },
    )


def chat_part(number: str, at: datetime, author: str, kind: str, text: str | None) -> Json:
    stamp = int(at.timestamp())
    part: Json = {
        "type": "conversation_part",
        "id": number,
        "part_type": kind,
        "body": f"<p>{text}</p>" if text else None,
        "created_at": stamp,
        "updated_at": stamp,
        "notified_at": stamp,
        "author": {"type": author, "id": "1957471"},
        "attachments": [],
    }
    return {"conversation_parts": {"type": "conversation_part.list", "conversation_parts": [part]}}


def survey_answer(
    person: Person, at: datetime, metric: str, score: int, words: str | None, ticket: str | None
) -> Post:
    """A person's answer to the loyalty question (`nps`) or to the question after a ticket (`csat`)."""
    hidden = {"email": person.email} | ({"ticket": ticket} if ticket else {})
    return _response(hidden, at, metric, score, words)


def own_answer(email: str, score: int, words: str | None, at: datetime) -> Post:
    """The newcomer's own answer to the loyalty question."""
    return _response({"email": email}, at, "nps", score, words)


def _response(hidden: dict[str, str], at: datetime, metric: str, score: int, words: str | None) -> Post:
    """A Typeform response with one scored question and, if there are words, one open question."""
    token = hashlib.sha256(f"{hidden}/{metric}/{at}".encode()).hexdigest()[:32]
    kind = "nps" if metric == "nps" else "rating"
    steps = {} if kind == "nps" else {"steps": 5}
    title = (
        "How likely are you to recommend us?" if kind == "nps" else "How satisfied are you with our answer?"
    )
    fields: list[Json] = [
        {"id": f"{metric}Field01", "ref": metric, "type": kind, "title": title, "properties": steps}
    ]
    answers: list[Json] = [
        {"type": "number", "number": score, "field": {"id": f"{metric}Field01", "type": kind, "ref": metric}}
    ]
    if words:
        fields.append(
            {"id": "whyField0001", "ref": "why", "type": "long_text", "title": "Why?", "properties": {}}
        )
        answers.append(
            {
                "type": "text",
                "text": words,
                "field": {"id": "whyField0001", "type": "long_text", "ref": "why"},
            }
        )
    form = "nPsForm1" if kind == "nps" else "cSatForm"
    return Post(
        at=at,
        source=SURVEY,
        key=token,
        payload={
            "event_id": token[:26].upper(),
            "event_type": "form_response",
            "form_response": {
                "form_id": form,
                "token": token,
                "landed_at": _iso(at),
                "submitted_at": _iso(at),
                "hidden": hidden,
                "definition": {"id": form, "title": title, "fields": fields},
                "answers": answers,
            },
        },
    )


def billing_event(kind: str, at: datetime, thing: Json, previous: Json | None = None) -> Post:
    """A Stripe event about `thing`; `previous` holds the old values of what changed."""
    key = "evt_" + _id("billing", kind, thing["id"], at).replace("-", "")[:24]
    data: Json = {"object": thing} | ({"previous_attributes": previous} if previous else {})
    return Post(
        at=at,
        source=BILLING,
        key=key,
        payload={
            "id": key,
            "object": "event",
            "api_version": "2026-04-22.dahlia",
            "created": int(at.timestamp()),
            "data": data,
            "livemode": True,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        },
    )


def subscription(account: Account, ends: datetime, **more: object) -> Json:
    """A yearly subscription; the period's end stands on its item, as in current API versions."""
    price = {"unit_amount": account.value, "currency": "eur", "recurring": {"interval": "year"}}
    return {
        "id": f"sub_{account.billing_id[4:]}",
        "object": "subscription",
        "cancel_at_period_end": False,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "currency": "eur",
        "customer": account.billing_id,
        "items": {
            "object": "list",
            "data": [
                {
                    "id": f"si_{account.billing_id[4:]}",
                    "object": "subscription_item",
                    "current_period_end": int(ends.timestamp()),
                    "price": price,
                    "plan": {"id": "team", "amount": account.value, "currency": "eur", "interval": "year"},
                    "quantity": 1,
                }
            ],
        },
        "status": "active",
        **more,
    }


def invoice(account: Account, at: datetime, ends: datetime, **more: object) -> Json:
    return {
        "id": "in_" + _id(account.key, at).replace("-", "")[:24],
        "object": "invoice",
        "amount_due": account.value,
        "amount_paid": account.value,
        "attempt_count": 1,
        "billing_reason": "subscription_cycle",
        "currency": "eur",
        "customer": account.billing_id,
        "subscription": f"sub_{account.billing_id[4:]}",
        "lines": {"object": "list", "data": [{"period": {"end": int(ends.timestamp())}}]},
        **more,
    }


def own_event(kind: str, at: datetime, identifiers: list[str], body: Json, **data: object) -> Post:
    """A CloudEvent of the company's own CRM, sent as a Standard Webhook."""
    key = "msg_" + _id("crm", kind, at, json.dumps([identifiers, body], sort_keys=True)).replace("-", "")
    return Post(
        at=at,
        source=CRM,
        key=key,
        payload={
            "specversion": "1.0",
            "id": key,
            "source": "/demo/crm",
            "type": f"cxloop.{kind}.v1",
            "time": _iso(at),
            "data": {"identifiers": identifiers, **data, "body": body},
        },
    )
