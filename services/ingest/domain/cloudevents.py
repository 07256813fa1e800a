"""CloudEvents 1.0 over HTTP: which mode a request is in, and its events as plain objects.

Specification: CloudEvents 1.0.2, JSON event format, HTTP protocol binding.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

from services.ingest.domain.parsing import Json, read_json
from services.ingest.domain.sender import Unreadable
from services.ingest.domain.signatures import decode_base64

Mode = Literal["batch", "structured", "binary"]
MAX_EVENTS: Final = 500
_BATCH: Final = "application/cloudevents-batch"
_STRUCTURED: Final = "application/cloudevents"
_JSON: Final = re.compile(r"(?:application|text)/(?:json|[\w.+-]+\+json)\Z")
_CHARSETS: Final = frozenset(("", "utf-8", "utf8", "us-ascii"))
# A percent sign that begins no encoded byte is what careless senders write; it stands for itself.
_ENCODED: Final = re.compile(r"(?:%[0-9a-fA-F]{2})+")


class UnsupportedFormat(Exception):  # noqa: N818 - named like the HTTP status that it becomes (415)
    """A content type or character set that is not read here; the message says what is."""


def mode_of(content_type: str) -> Mode:
    """The mode, by content type and case-insensitively; the batch prefix first, as it begins the same."""
    lowered = content_type.strip().lower()
    if lowered.startswith(_BATCH):
        return "batch"
    return "structured" if lowered.startswith(_STRUCTURED) else "binary"


def read_request(headers: Mapping[str, str], body: bytes) -> tuple[Mode, list[Json]]:
    """Mode and events of a request, not yet checked one by one.

    Raises UnsupportedFormat (415), or Unreadable for a body that is no JSON or has more than 500 events.
    """
    content_type = headers.get("content-type", "")
    mode = mode_of(content_type)
    _check_media_type(mode, content_type)
    if mode == "binary":
        return mode, [_binary(headers, body)]
    value = read_json(body)
    if mode == "structured":
        return mode, [value]
    if not isinstance(value, list):
        raise Unreadable("", "a batch is a JSON array of events", "bad_batch")
    if len(value) > MAX_EVENTS:
        raise Unreadable("", f"more than {MAX_EVENTS} events in one batch", "too_many")
    return mode, value


def data_of(event: Mapping[str, Json]) -> Json:
    """`data`, or the JSON inside `data_base64`; None where there is neither. Raises Unreadable."""
    encoded = event.get("data_base64")
    if encoded is None:
        return event.get("data")
    if event.get("data") is not None:
        raise Unreadable("/data_base64", "stands beside data: send one of them", "bad_field")
    raw = decode_base64(encoded) if isinstance(encoded, str) else None
    if raw is None:
        raise Unreadable("/data_base64", "not base64", "bad_field")
    try:
        return read_json(raw)
    except Unreadable as error:
        raise Unreadable("/data_base64", error.reasons[0].why, "not_json") from None


def is_json(media_type: str) -> bool:
    """True for JSON media types; an absent `datacontenttype` means JSON too."""
    return _JSON.match(media_type.partition(";")[0].strip().lower()) is not None


def header_value(raw: str) -> str:
    """One header value of the binary mode: unquoted, then one round of percent-decoding as UTF-8.

    Raises ValueError for bytes that are not UTF-8.
    """
    value = raw.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return _ENCODED.sub(lambda found: unquote_to_bytes(found[0]).decode("utf-8"), value)


def _check_media_type(mode: Mode, content_type: str) -> None:
    essence, _, parameters = content_type.lower().partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]*)", parameters)
    if charset and charset[1] not in _CHARSETS:
        raise UnsupportedFormat("text is read as UTF-8 only")
    known = {"batch": (f"{_BATCH}+json",), "structured": (f"{_STRUCTURED}+json", _STRUCTURED)}
    if mode != "binary" and essence.strip() not in known[mode]:
        raise UnsupportedFormat(
            "events are read as application/cloudevents+json or application/cloudevents-batch+json"
        )


def _binary(headers: Mapping[str, str], body: bytes) -> dict[str, Json]:
    event: dict[str, Json] = {}
    for name, raw in headers.items():
        if not name.startswith("ce-"):
            continue
        try:
            # Servers hand header bytes over as Latin-1; older senders put plain UTF-8 there.
            event[name[3:]] = header_value(raw.encode("latin-1", "replace").decode("utf-8"))
        except ValueError:
            raise Unreadable(name, "not UTF-8 after percent-decoding", "bad_header") from None
    if "datacontenttype" in event:
        raise Unreadable("ce-datacontenttype", "in binary mode Content-Type says it", "bad_header")
    if "specversion" not in event:
        raise Unreadable(
            "ce-specversion",
            "missing: send the attributes as ce- headers, or the whole event as application/cloudevents+json",
            "missing",
        )
    content_type = headers.get("content-type", "")
    if content_type:
        event["datacontenttype"] = content_type
        if not is_json(content_type):
            raise UnsupportedFormat("the data of an event is read as application/json")
    if body:
        event["data"] = read_json(body)
    return event
