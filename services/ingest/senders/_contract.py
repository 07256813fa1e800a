"""CloudEvents in the contract's own words that come by webhook: the standards' senders share this."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from services.ingest.domain.build import fingerprint
from services.ingest.domain.cloudevents import UnsupportedFormat, is_json, read_request
from services.ingest.domain.own import Identity, read_event
from services.ingest.domain.parsing import dig, text
from services.ingest.domain.sender import (
    BadElement,
    Delivery,
    Element,
    Ignored,
    Outcome,
    SourceConfig,
    Unreadable,
)
from shared.events import Event
from shared.events.ids import own_event_id
from shared.events.rejections import Reason

OURS: Final = "cxloop."
_DEFAULTED: Final = (
    "account",
    "stage",
    "touchpoint",
    "channel",
    "region",
    "language",
    "persona",
    "area",
    "initiative",
)


def cloud_elements(delivery: Delivery) -> list[Element]:
    """The CloudEvents of a delivery in whatever mode. Raises Unreadable."""
    try:
        _mode, found = read_request(delivery.headers, delivery.body)
    except UnsupportedFormat as error:
        raise Unreadable("content-type", str(error), "unsupported_format") from None
    return [Element(one, pair_of(one)) for one in found]


def pair_of(value: object) -> str | None:
    """(`source`, `id`) of a CloudEvent as one text: the standard's test for duplicates, never `id` alone."""
    source, event_id = dig(value, "source"), dig(value, "id")
    if isinstance(source, str) and isinstance(event_id, str) and source.strip() and event_id.strip():
        return f"{source} {event_id}"
    return None


def read_cloudevent(element: Element, delivery: Delivery, source: SourceConfig) -> Outcome:
    """One CloudEvent → the canonical event. Types of others are ignored, ours are checked strictly."""
    value = element.value
    kind = text(value, "type")
    if isinstance(value, dict) and kind is not None and not kind.startswith(OURS):
        return Ignored("unknown event type")
    reasons = _attributes(value)
    return told(value if isinstance(value, dict) else {}, element, delivery, source, reasons)


def told(
    value: Mapping[str, Any],
    element: Element,
    delivery: Delivery,
    source: SourceConfig,
    before: list[Reason],
) -> Outcome:
    """`type`, `time` and `data` as the event that `element.dedupe` names in this source."""
    sender_id = element.dedupe or fingerprint(element.value)
    identity = Identity(source.uri, own_event_id(source.uri, sender_id), element.dedupe)
    read = read_event(_undoing(value), identity, delivery.received_at, before)
    return BadElement(read.reasons) if read.event is None else [_defaulted(read.event, source)]


def _attributes(value: object) -> list[Reason]:
    if not isinstance(value, dict):
        return [Reason("bad_event", "", "an event is a JSON object")]
    reasons = [
        Reason("missing", f"/{name}", "missing, blank or no text")
        for name in ("id", "source")
        if not isinstance(value.get(name), str) or not value[name].strip()
    ]
    if value.get("specversion") != "1.0":
        reasons.append(Reason("bad_field", "/specversion", 'must be the text "1.0"'))
    media_type = value.get("datacontenttype")
    if media_type is not None and not (isinstance(media_type, str) and is_json(media_type)):
        reasons.append(Reason("bad_field", "/datacontenttype", "the data is read as application/json"))
    return reasons


def _undoing(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A retraction names the event by the sender's id: it becomes the pair by which we know that event."""
    event, source = dig(value, "data", "body", "event"), dig(value, "source")
    if text(value, "type") != "cxloop.event.retracted.v1" or not isinstance(source, str):
        return value
    if not isinstance(event, str) or _is_ours(event):
        return value
    body = {**value["data"]["body"], "event": f"{source} {event}"}
    return {**value, "data": {**value["data"], "body": body}}


def _is_ours(event: str) -> bool:
    try:
        return uuid.UUID(event).version == 5
    except ValueError:
        return False


def _defaulted(event: Event, source: SourceConfig) -> Event:
    absent = {
        name: source.defaults[name]
        for name in _DEFAULTED
        if source.defaults.get(name) and getattr(event, name) is None
    }
    return msgspec.structs.replace(event, **absent) if absent else event
