"""Bodies as the real senders write them, with invented content: change the dictionary for other fields."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def zulu(at: datetime) -> str:
    """RFC 3339 in Z, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def zendesk_event(
    kind: str,
    ticket: str,
    at: datetime,
    *,
    requester: str = "9001",
    event: Json | None = None,
    detail: Json | None = None,
) -> Json:
    """An event subscription's `ticket.<kind>`; `detail` overrides fields of the ticket's snapshot."""
    return {
        "type": f"zen:event-type:ticket.{kind}",
        "account_id": 21740012,
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}{ticket}{at.isoformat()}{event}")),
        "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond:06d}123Z",
        "zendesk_event_version": "2022-11-06",
        "subject": f"zen:ticket:{ticket}",
        "detail": {
            "actor_id": requester,
            "assignee_id": "7001",
            "brand_id": "5001",
            "created_at": zulu(at),
            "custom_status": "4001",
            "description": "Since this morning nothing can be exported.",
            "external_id": None,
            "form_id": "3001",
            "group_id": "6001",
            "id": ticket,
            "is_public": True,
            "organization_id": "8001",
            "priority": "NORMAL",
            "requester_id": requester,
            "status": "OPEN",
            "subject": "Export broken",
            "submitter_id": requester,
            "tags": ["export"],
            "type": "INCIDENT",
            "updated_at": zulu(at),
            "via": {"channel": "email"},
            **(detail or {}),
        },
        "event": event or {},
    }


def zendesk_comment(
    ticket: str,
    at: datetime,
    text: str,
    *,
    author: str,
    staff: bool,
    public: bool = True,
    detail: Json | None = None,
) -> Json:
    """`ticket.comment_added`, by an agent (`staff`) or by somebody of the customer's."""
    comment = {
        "id": str(int(at.timestamp() * 1000)),
        "body": text,
        "is_public": public,
        "author": {"id": author, "is_staff": staff, "name": "Kim Example"},
    }
    event = {"comment": comment, "meta": {"sequence": {"id": "01J8W2", "position": 1, "total": 1}}}
    return zendesk_event(
        "comment_added", ticket, at, event=event, detail={"actor_id": author, **(detail or {})}
    )


def zendesk_status(
    ticket: str, at: datetime, previous: str, current: str, *, actor: str = "7001", detail: Json | None = None
) -> Json:
    """`ticket.status_changed`; the names are upper case, as in Zendesk's events."""
    event = {"previous": previous, "current": current}
    changed = {"status": current, "actor_id": actor, **(detail or {})}
    return zendesk_event("status_changed", ticket, at, event=event, detail=changed)


def zendesk_user(user: str, email: str, at: datetime, *, external_id: str = "") -> Json:
    """`user.created` of an end user: the event that ties the requester's id to an e-mail address."""
    detail = {
        "created_at": zulu(at),
        "email": email,
        "external_id": external_id,
        "default_group_id": "0",
        "id": user,
        "organization_id": "8001",
        "role": "end-user",
        "updated_at": zulu(at),
    }
    return {
        "type": "zen:event-type:user.created",
        "account_id": 21740012,
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"user{user}{at.isoformat()}")),
        "time": zulu(at),
        "zendesk_event_version": "2022-06-20",
        "subject": f"zen:user:{user}",
        "detail": detail,
        "event": {},
    }


def typeform_response(
    token: str,
    at: datetime,
    answers: list[Json],
    fields: list[Json],
    *,
    hidden: Json | None = None,
    event_id: str | None = None,
    partial: bool = False,
) -> Json:
    """A submitted form; `answers` and `fields` as `typeform_question` makes them."""
    return {
        "event_id": event_id
        or uuid.uuid5(uuid.NAMESPACE_OID, f"{token}{at.isoformat()}{partial}").hex.upper(),
        "event_type": "form_response_partial" if partial else "form_response",
        "form_response": {
            "form_id": "qT3nPs7x",
            "token": token,
            "landed_at": zulu(at),
            "submitted_at": "0001-01-01T00:00:00Z" if partial else zulu(at),
            "hidden": hidden or {},
            "calculated": {"score": 0},
            "definition": {"id": "qT3nPs7x", "title": "How are we doing?", "fields": fields, "endings": []},
            "answers": answers,
            "ending": {"id": "DefaultTyScreen", "ref": "default_tys"},
        },
    }


def typeform_question(
    kind: str, title: str, answer: Json, *, ref: str, properties: Json | None = None
) -> tuple[Json, Json]:
    """(field of the definition, answer): `answer` such as `{"type": "number", "number": 9}`."""
    field_id = uuid.uuid5(uuid.NAMESPACE_OID, ref).hex[:12]
    field = {"id": field_id, "ref": ref, "type": kind, "title": title, "properties": properties or {}}
    return field, {**answer, "field": {"id": field_id, "type": kind, "ref": ref}}


def typeform_nps(
    token: str, at: datetime, score: int, comment: str | None = None, *, hidden: Json | None = None
) -> Json:
    """One NPS answer, and the words that follow it."""
    asked = [
        typeform_question("nps", "Would you recommend us?", {"type": "number", "number": score}, ref="nps-1")
    ]
    if comment is not None:
        asked.append(typeform_question("long_text", "Why?", {"type": "text", "text": comment}, ref="why-1"))
    return typeform_response(token, at, [one[1] for one in asked], [one[0] for one in asked], hidden=hidden)


def cloudevent(kind: str, event_id: str, at: datetime, data: Json, *, source: str = "/tools/crm") -> Json:
    """A structured CloudEvent in the contract's words; `kind` such as `ticket.opened`."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": f"cxloop.{kind}.v1",
        "time": zulu(at),
        "datacontenttype": "application/json",
        "data": data,
    }


def stripe_event(kind: str, thing: Json, at: datetime, previous: Json | None = None) -> Json:
    """A snapshot event about `thing`; `previous` holds old values of what changed."""
    data: Json = {"object": thing} | ({"previous_attributes": previous} if previous is not None else {})
    name = uuid.uuid5(uuid.NAMESPACE_OID, f"{kind}{thing.get('id')}{at.isoformat()}").hex[:24]
    return {
        "id": f"evt_{name}",
        "object": "event",
        "api_version": "2026-04-22.dahlia",
        "created": int(at.timestamp()),
        "data": data,
        "livemode": True,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def stripe_items(
    amount: int, seats: int, end: datetime, *, interval: str = "year", price: str = "team"
) -> Json:
    """The `items` of a subscription: one price of `amount` minor units per seat and `interval`."""
    recurring = {"interval": interval, "interval_count": 1, "usage_type": "licensed"}
    item = {
        "id": f"si_{price}",
        "object": "subscription_item",
        "current_period_end": int(end.timestamp()),
        "quantity": seats,
        "price": {
            "id": f"price_{price}",
            "object": "price",
            "currency": "eur",
            "nickname": price,
            "recurring": recurring,
            "unit_amount": amount,
            "type": "recurring",
        },
    }
    return {"object": "list", "data": [item], "has_more": False, "total_count": 1}


def stripe_subscription(subscription: str, customer: str, items: Json, **fields: object) -> Json:
    """A subscription as events carry it since 2025: the period stands on its items."""
    return {
        "id": subscription,
        "object": "subscription",
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "currency": "eur",
        "customer": customer,
        "items": items,
        "metadata": {},
        "pause_collection": None,
        "status": "active",
        "trial_end": None,
        **fields,
    }


def stripe_invoice(invoice: str, customer: str, amount: int, end: datetime, **fields: object) -> Json:
    """A paid invoice of a subscription's new period; `fields` override."""
    line = {
        "id": f"il_{invoice}",
        "object": "line_item",
        "amount": amount,
        "period": {"start": 0, "end": int(end.timestamp())},
    }
    return {
        "id": invoice,
        "object": "invoice",
        "amount_due": amount,
        "amount_paid": amount,
        "attempt_count": 1,
        "billing_reason": "subscription_cycle",
        "currency": "eur",
        "customer": customer,
        "customer_email": "billing@example.com",
        "lines": {"object": "list", "data": [line], "has_more": False, "total_count": 1},
        "metadata": {},
        "parent": {
            "type": "subscription_details",
            "subscription_details": {"subscription": "sub_acme", "metadata": {}},
        },
        "status": "paid",
        **fields,
    }
