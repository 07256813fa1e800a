"""What is fuzzed: every function that reads bytes of strangers, with what must hold for all of them.

A target takes bytes and returns; whatever it raises is a finding.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import yaml
from pydantic import ValidationError

from services.alerts.api.models import NewCouncil, NewEndpoint
from services.alerts.domain.retry import retry_after
from services.alerts.rule_files import RuleDocument
from services.ingest.api.events import read_events
from services.ingest.api.raw import unpacked
from services.ingest.domain.masking import mask
from services.ingest.domain.parsing import plain_text
from services.ingest.domain.pipeline import handshake_of, sort_delivery, verdict_of
from services.ingest.domain.sender import Bad, Delivery, Reply, SourceConfig, Unsigned, Verified
from services.ingest.domain.signatures import decode_base64
from services.ingest.domain.tokens import storable_headers, without_token
from services.ingest.senders import senders
from services.scoring.api import steps
from services.scoring.intake import gather
from services.scoring.policy_files import SHIPPED, PolicyError, load
from services.scoring.text import measure
from shared.bus.consumer import Record
from shared.events import EventError, codec, identifiers, rejections, scores, times
from shared.runtime.edge import check_json
from shared.runtime.pagination import decode_cursor, encode_cursor
from shared.runtime.problem import Problem

NOW: Final = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
LIMIT: Final = 64 * 1024
SECRETS: Final = ("a secret that nobody tells", "whsec_" + "QUJD" * 11, "whpk_" + "A" * 43 + "=")
Target = Callable[[bytes], None]
HEADERS: Final = (
    "content-type",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "stripe-signature",
    "x-hub-signature",
    "x-zendesk-webhook-signature",
    "x-zendesk-webhook-signature-timestamp",
    "x-zendesk-webhook-invocation-id",
    "x-chatwoot-signature",
    "x-chatwoot-timestamp",
    "x-chatwoot-delivery",
    "typeform-signature",
    "authorization",
    "x-api-key",
    "content-encoding",
    "ce-specversion",
    "ce-id",
    "ce-source",
    "ce-type",
    "ce-time",
)


def head_and_body(data: bytes) -> tuple[dict[str, str], bytes]:
    """Lines `n:value`, n an index into HEADERS, up to an empty line; the rest is the body."""
    head, _, body = data.partition(b"\n\n")
    found: dict[str, str] = {}
    for line in head.split(b"\n"):
        number, _, value = line.partition(b":")
        if number.isdigit() and len(number) < 4:
            found[HEADERS[int(number) % len(HEADERS)]] = value.decode("latin-1")
    return found, body


def _source(vendor: str, **more: Any) -> SourceConfig:  # noqa: ANN401 - fields of SourceConfig
    return SourceConfig("desk", vendor, SECRETS, **more)


def _fold(value: bytes) -> None:
    """What scoring does first with whatever lies on the topic."""
    gather([Record("cx.feedback.v1", 0, 0, 1_772_000_000_000, b"k", value)], lambda _event: None)


def reader(vendor: str, data: bytes) -> None:
    """explode and normalise: outcomes or reasons, never an adapter that breaks."""
    sender = senders()[vendor]
    for settings in ({}, {"customers_are": "person"}):
        source = _source(vendor, settings=settings)
        headers = {"content-type": "application/json", "webhook-id": "d-1"}
        if vendor == "cloudevents":
            headers["content-type"] = "application/cloudevents+json"
        delivery = Delivery("POST", "/v1/webhooks/desk", headers, data, NOW)
        found = sort_delivery(sender, delivery, source)
        assert found.faults == 0, found.reasons
        assert all(reason.why for reason in found.reasons)
        for one in found.sealed:
            assert codec.decode(one.value) == one.event
            _fold(one.value)
        assert isinstance(handshake_of(sender, delivery, source), Reply | None)


def verifier(vendor: str, data: bytes) -> None:
    """Never raises, and never believes what was not signed."""
    headers, body = head_and_body(data)
    sender = senders()[vendor]
    delivery = Delivery("POST", f"/v1/webhooks/desk/{body[:40].decode('latin-1')}", headers, body, NOW)
    verdict = sender.verify(delivery, _source(vendor), NOW)
    assert isinstance(verdict, Bad | Unsigned), verdict
    for auth in ("header", "basic", "path"):
        found = verdict_of(sender, delivery, _source(vendor, auth=auth), body)
        assert isinstance(found, Bad | Unsigned | Verified)
        assert not isinstance(found, Verified), auth
    sort_delivery(sender, delivery, _source(vendor))
    json.dumps(storable_headers(delivery))
    without_token(delivery.path_and_query)


def own_events(data: bytes) -> None:
    """Every mode of CloudEvents; what is sealed can be read by everybody downstream."""
    headers, body = head_and_body(data)
    for kind in (headers.get("content-type", ""), "application/cloudevents+json"):
        with contextlib.suppress(Problem):
            found = read_events({**headers, "content-type": kind}, body, NOW)
            msgspec.json.encode(found.counts())
            for one in found.good:
                assert codec.decode(one.value) == one.event
                _fold(one.value)


def event_codec(data: bytes) -> None:
    """`decode` raises EventError alone, and encoding loses nothing."""
    with contextlib.suppress(EventError):
        event = codec.decode(data)
        assert codec.decode(codec.encode(event)) == event
    _fold(data)


def rejection(data: bytes) -> None:
    with contextlib.suppress(msgspec.MsgspecError):
        assert rejections.decode(rejections.encode(found := rejections.decode(data))) == found


def score_change(data: bytes) -> None:
    with contextlib.suppress(msgspec.MsgspecError, ValueError):
        assert scores.decode(scores.encode(found := scores.decode(data))) == found


def cursor(data: bytes) -> None:
    """A cursor or a Problem; and everything that is a position comes back."""
    for text in (data.decode("latin-1"), data.decode("utf-8", "replace")):
        with contextlib.suppress(Problem):
            position = decode_cursor(text)
            assert decode_cursor(encode_cursor(position)) == position


def retry_header(data: bytes) -> None:
    asked = retry_after(data.decode("latin-1"), NOW)
    assert asked is None or 0 <= asked < 1e12, asked


def identifier(data: bytes) -> None:
    """Normalising twice changes nothing."""
    with contextlib.suppress(identifiers.IdentifierError):
        found = identifiers.normalise(_text(data))
        assert identifiers.normalise(found) == found
        found.encode()
        identifiers.strength(found)


def _text(data: bytes) -> str:
    """Lone surrogates included, as JSON lets them through."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def instant(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with contextlib.suppress(ValueError):
        at = times.parse_instant(text)
        assert times.from_micros(times.to_micros(at)) == at
        times.format_instant(at)
    with contextlib.suppress(ValueError):
        stride = steps.parse(text)
        with contextlib.suppress(steps.TooManyError):
            steps.instants(NOW, NOW.replace(year=2030), stride, ZoneInfo("Europe/Berlin"))


def free_text(data: bytes) -> None:
    """Texts of customers: markup away, secrets away, in time that grows with the text alone."""
    text = data.decode("utf-8", "replace")
    mask(text)
    mask(plain_text(text) or "")
    measure(text, "en")
    decode_base64(text)


def packing(data: bytes) -> None:
    for encoding in ("gzip", "x-gzip", "deflate", ""):
        with contextlib.suppress(Problem):
            assert len(unpacked(data, {"content-encoding": encoding}, LIMIT)) <= max(LIMIT, len(data))


def json_body(data: bytes) -> None:
    with contextlib.suppress(Problem):
        check_json(data)


def rule(data: bytes) -> None:
    """Rule documents, councils and endpoints, as they come over HTTP or in a file."""
    value = _yaml(data)
    for kind in (RuleDocument, NewCouncil, NewEndpoint):
        with contextlib.suppress(ValidationError):
            found = kind.model_validate(value)
            found.model_dump_json()
            if isinstance(found, RuleDocument):
                found.build()


def policy(data: bytes) -> None:
    """A policy file, read as the service reads it: a policy, or a PolicyError that says where."""
    mine = _policies() / "mine.yaml"
    mine.write_bytes(data)
    with contextlib.suppress(PolicyError):
        load(mine)


@cache
def _policies() -> Path:
    """A folder with what the shipped policy refers to."""
    folder = Path(mkdtemp(prefix="cxloop-fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    shutil.copytree(SHIPPED.parent, folder, dirs_exist_ok=True)
    return folder


def _yaml(data: bytes) -> object:
    try:
        return yaml.safe_load(data.decode("utf-8", "replace"))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


VENDORS: Final = tuple(sorted(senders()))
TARGETS: Final[Mapping[str, Target]] = {
    **{f"read-{vendor}": partial(reader, vendor) for vendor in VENDORS},
    **{f"verify-{vendor}": partial(verifier, vendor) for vendor in VENDORS},
    "own-events": own_events,
    "event-codec": event_codec,
    "rejection": rejection,
    "score-change": score_change,
    "cursor": cursor,
    "retry-after": retry_header,
    "identifier": identifier,
    "instant": instant,
    "free-text": free_text,
    "packing": packing,
    "json-body": json_body,
    "rule": rule,
    "policy": policy,
}
