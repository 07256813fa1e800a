"""Deliveries as the real senders make them: shapes, headers and signatures, with invented content.

`sign(vendor, body, secret, at=…)` gives a `Request`, ready for an HTTP client; `tests.senders_bodies`
builds the bodies.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from services.ingest.domain.sender import Delivery
from tests.senders_bodies import zulu

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


def _cloudevents(raw: bytes, secret: str, _at: datetime, _delivery_id: str) -> dict[str, str]:
    form = "cloudevents-batch+json" if raw.lstrip().startswith(b"[") else "cloudevents+json"
    return {"Content-Type": f"application/{form}", "Authorization": f"Bearer {secret}"}


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
