"""What is sent: a structured CloudEvent with the alert in it, below 20 kB."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any, Final

from services.alerts.domain.alert import Alert, instant, published
from services.alerts.domain.words import shorten
from shared.events import alerts as wire
from shared.events.times import Micros

SOURCE: Final = "/alerts"
MAX_BYTES: Final = 19_500
"""Standard Webhooks asks for less than 20 kB; the rest is for whoever wraps it."""
_IDS: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/alert-event")

Encode = Callable[[wire.Alert], dict[str, Any]]


def event_id(alert: Alert, what: str) -> str:
    return str(uuid.uuid5(_IDS, f"{alert.id}/{alert.version}/{what}"))


def delivery_id(endpoint: str, event: str) -> str:
    """`webhook-id`: one event to one receiver, over all attempts."""
    return f"msg_{uuid.uuid5(_IDS, f'{endpoint}/{event}').hex}"


def envelope(kind: str, event: str, at: Micros, subject: str | None, data: dict[str, Any]) -> bytes:
    """A structured CloudEvent 1.0, JSON in UTF-8."""
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": event,
        "source": SOURCE,
        "type": kind,
        "time": instant(at),
        "datacontenttype": "application/json",
    }
    if subject is not None:
        document["subject"] = subject
    document["data"] = data
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate of a careless sender must not keep an alert from being told.
    return text.encode("utf-8", "replace")


def told(alert: Alert, what: wire.AlertVerb, at: Micros, detail: str, encode: Encode) -> bytes:
    """The body for receivers: `full`, or `reference` without names and words."""
    data = encode(published(alert))
    if detail == "reference":
        data = without_words(data)
    kind, event = f"cxloop.alert.{what}.v1", event_id(alert, what)
    for limit, rows, lines in ((500, 3, 50), (300, 2, 20), (160, 1, 10), (80, 0, 5), (40, 0, 2)):
        body = envelope(kind, event, at, alert.id, shrunk(data, limit, rows, lines))
        if len(body) < MAX_BYTES:
            return body
    return envelope(kind, event, at, alert.id, shrunk(without_words(data), 40, 0, 1))


def shrunk(data: dict[str, Any], limit: int, rows: int, lines: int) -> dict[str, Any]:
    """Texts of at most `limit` characters, `rows` events per contribution, the last `lines` of history."""
    short: dict[str, Any] = _shortened(data, limit)
    reason = dict(short["reason"])
    reason["contributions"] = [c | {"events": c["events"][:rows]} for c in reason["contributions"]]
    customer = short["customer"] | {"identifiers": short["customer"]["identifiers"][:lines]}
    return short | {"reason": reason, "history": short["history"][-lines:], "customer": customer}


def _shortened(value: Any, limit: int) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        return shorten(value, max(limit, 100))
    if isinstance(value, dict):
        words = ("text", "summary", "note")
        return {
            k: shorten(v, limit) if k in words and isinstance(v, str) else _shortened(v, limit)
            for k, v in value.items()
        }
    if isinstance(value, list | tuple):
        return [_shortened(item, limit) for item in value]
    return value


def without_words(data: dict[str, Any]) -> dict[str, Any]:
    """Ids, numbers and states alone: nothing that names or quotes a person."""
    reason = data["reason"]
    return data | {
        "title": data["rule"],
        "owner": None,
        "reason": {
            "text": "",
            "contributions": reason["contributions"],
            "events": [e | {"text": None, "summary": None, "url": None} for e in reason["events"]],
        },
        "customer": {
            "identifiers": [],
            "name": None,
            "account": None,
            "region": data["customer"]["region"],
            "persona": data["customer"]["persona"],
            "value": data["customer"]["value"],
            "currency": data["customer"]["currency"],
            "renewal_at": data["customer"]["renewal_at"],
        },
        "history": [h | {"by": "", "note": None} for h in data["history"]],
    }
