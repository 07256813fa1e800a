"""A delivery and how each vendor signs it."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from standardwebhooks import Webhook

Json = dict[str, Any]
DESK, CHAT, SURVEY, BILLING, CRM = "desk", "chat", "survey", "billing", "crm"
VENDORS: Final = {
    DESK: "zendesk",
    CHAT: "intercom",
    SURVEY: "typeform",
    BILLING: "stripe",
    CRM: "standard-webhooks",
}


@dataclass(frozen=True)
class Post:
    """One delivery to be: signed when it is sent, because some schemes sign the time of the attempt."""

    at: datetime
    source: str
    payload: Json
    key: str

    def signed(self, secret: str, now: datetime) -> tuple[dict[str, str], bytes]:
        """Headers and body of an attempt at `now`."""
        body = json.dumps(self.payload, separators=(",", ":"), ensure_ascii=False).encode()
        headers = {"content-type": "application/json"} | _SIGN[self.source](secret, body, now, self.key)
        return headers, body


def _mac(secret: bytes, message: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret, message, algorithm).digest()


def _sign_desk(secret: str, body: bytes, now: datetime, key: str) -> dict[str, str]:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "x-zendesk-webhook-signature-timestamp": stamp,
        "x-zendesk-webhook-signature": base64.b64encode(
            _mac(secret.encode(), stamp.encode() + body)
        ).decode(),
        "x-zendesk-webhook-invocation-id": key,
    }


def _sign_chat(secret: str, body: bytes, _now: datetime, _key: str) -> dict[str, str]:
    return {"x-hub-signature": "sha1=" + _mac(secret.encode(), body, "sha1").hex()}


def _sign_survey(secret: str, body: bytes, _now: datetime, _key: str) -> dict[str, str]:
    return {"typeform-signature": "sha256=" + base64.b64encode(_mac(secret.encode(), body)).decode()}


def _sign_billing(secret: str, body: bytes, now: datetime, _key: str) -> dict[str, str]:
    stamp = str(int(now.timestamp()))
    return {"stripe-signature": f"t={stamp},v1=" + _mac(secret.encode(), stamp.encode() + b"." + body).hex()}


def _sign_crm(secret: str, body: bytes, now: datetime, key: str) -> dict[str, str]:
    return {
        "content-type": "application/cloudevents+json",
        "webhook-id": key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(key, now, body.decode()),
    }


_SIGN: Final = {
    DESK: _sign_desk,
    CHAT: _sign_chat,
    SURVEY: _sign_survey,
    BILLING: _sign_billing,
    CRM: _sign_crm,
}
