"""Deliveries as the real senders make them: shapes, headers and signatures, with invented content.

`sign(vendor, body, secret, at=…)` gives a `Request`, ready for an HTTP client. The functions below it
build bodies; whoever needs another field changes the dictionary that they give.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from services.ingest.domain.sender import Delivery

Json = dict[str, Any]
SECRETS: Final[Mapping[str, str]] = {
    "zendesk": "dGhlIGZpcnN0IHNlY3JldCBvZiB6ZW5kZXNr",
    "intercom": "2f6c1f0e-9a51-4cf6-8f0b-55d1f0a0c1aa",
    "chatwoot": "b3VyLWNoYXR3b290LXNlY3JldA",
    "typeform": "a-typeform-secret",
    "stripe": "whsec_5c1e0a9b8d7f6e5d4c3b2a19",
    "standard-webhooks": "whsec_" + base64.b64encode(b"thirty-two bytes of our own key!").decode(),
    "cloudevents": "a-bearer-token-of-the-tool",
}
"""A secret per vendor, in the form in which that vendor gives them out."""


class Request(NamedTuple):
    """What goes over the wire to `POST /v1/webhooks/{source}`."""

    method: str
    headers: dict[str, str]
    body: bytes

    def delivery(self, received_at: datetime, source: str = "source") -> Delivery:
        """The same as the service's core sees it."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Delivery(self.method, f"/v1/webhooks/{source}", headers, self.body, received_at)


def sign(
    vendor: str,
    body: object,
    secret: str,
    *,
    at: datetime,
    delivery_id: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """The request that `vendor` sends with this body (bytes, or a value that becomes JSON) at `at`."""
    raw = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
    given = delivery_id or str(uuid.uuid5(uuid.NAMESPACE_OID, raw.hex()))
    made = _HEADERS[vendor](raw, secret, at, given)
    return Request("POST", {"Content-Type": "application/json", **made, **(headers or {})}, raw)


def _zendesk(raw: bytes, secret: str, at: datetime, delivery_id: str) -> dict[str, str]:
    stamp = zulu(at)
    return {
        "User-Agent": "Zendesk Webhook",
        "X-Zendesk-Account-Id": "21740012",
        "X-Zendesk-Webhook-Id": "01J8W0QK9Z5T6M2V7R3B1C4D5E",
        "X-Zendesk-Webhook-Invocation-Id": delivery_id,
        "X-Zendesk-Webhook-Signature": _b64(secret.encode(), stamp.encode() + raw),
        "X-Zendesk-Webhook-Signature-Timestamp": stamp,
    }


def _intercom(raw: bytes, secret: str, _at: datetime, _delivery_id: str) -> dict[str, str]:
    return {"X-Hub-Signature": f"sha1={hmac.new(secret.encode(), raw, hashlib.sha1).hexdigest()}"}


def _chatwoot(raw: bytes, secret: str, at: datetime, delivery_id: str) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    return {
        "X-Chatwoot-Delivery": delivery_id,
        "X-Chatwoot-Timestamp": stamp,
        "X-Chatwoot-Signature": f"sha256={_hex(secret.encode(), stamp.encode() + b'.' + raw)}",
    }


def _typeform(raw: bytes, secret: str, _at: datetime, _delivery_id: str) -> dict[str, str]:
    return {"User-Agent": "Typeform Webhooks", "Typeform-Signature": f"sha256={_b64(secret.encode(), raw)}"}


def _stripe(raw: bytes, secret: str, at: datetime, _delivery_id: str) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    signature = _hex(secret.encode(), stamp.encode() + b"." + raw)
    return {"User-Agent": "Stripe/1.0", "Stripe-Signature": f"t={stamp},v1={signature},v0={'0' * 64}"}


def _standard(raw: bytes, secret: str, at: datetime, delivery_id: str) -> dict[str, str]:
    key, stamp = base64.b64decode(secret.removeprefix("whsec_")), str(int(at.timestamp()))
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{_b64(key, f'{delivery_id}.{stamp}.'.encode() + raw)}",
    }


def _cloudevents(_raw: bytes, secret: str, _at: datetime, _delivery_id: str) -> dict[str, str]:
    return {"Content-Type": "application/cloudevents+json", "Authorization": f"Bearer {secret}"}


_HEADERS: Final[Mapping[str, Callable[[bytes, str, datetime, str], dict[str, str]]]] = {
    "zendesk": _zendesk,
    "intercom": _intercom,
    "chatwoot": _chatwoot,
    "typeform": _typeform,
    "stripe": _stripe,
    "standard-webhooks": _standard,
    "cloudevents": _cloudevents,
}


def _b64(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _hex(key: bytes, signed: bytes) -> str:
    return hmac.new(key, signed, hashlib.sha256).hexdigest()


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
