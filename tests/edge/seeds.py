"""Where fuzzing begins: real payloads, one good input per format, and what earlier runs found."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from services.alerts.rule_files import SHIPPED as RULES
from services.scoring.policy_files import SHIPPED as POLICY
from shared.events import scores
from shared.runtime.pagination import CursorValue, encode_cursor
from tests.contract.senders_table import all_fixtures, fixture
from tests.edge.fuzz_targets import HEADERS, NOW
from tests.senders_kit import SECRETS, sign
from tests.unit.alerts.builders import answer, change
from tests.unit.alerts.builders import scores as levels

CORPUS: Final = Path(__file__).parent / "corpus"
_LINES: Final[Mapping[str, tuple[str, ...]]] = {
    "retry-after": (
        "120",
        "Wed, 21 Oct 2026 07:28:00 GMT",
        "Wed, 21 Oct 2026 07:28:00 +2460",
        "-1",
        "1e9",
        "٣",
    ),
    "identifier": ("email:Ann@Example.com", "phone:+49 30 123456", "user:7", "desk.org:1", "account: x "),
    "instant": ("2026-01-31T09:30:00Z", "2026-01-31t09:30:00.123456789+14:00", "P1M", "P1Y2M3W4DT5H6M7S"),
    "free-text": (
        "<p>Card 4111 1111 1111 1111, key sk_live_abcdef0123456789 &amp; more</p>",
        "<style>x</style><!-- no --><b>It &lt;broke&#x41;",
        "Authorization: Bearer eyJhbGciOi.J9.abc password=hunter2",
    ),
    "rejection": ('{"id":"1","source":"/s","received_at":"2026","reasons":[],"body":"e30="}',),
}


def kept(target: str) -> list[bytes]:
    """Inputs of earlier runs that reached something new, or broke something; one per line, base64."""
    path = CORPUS / f"{target}.txt"
    return [base64.b64decode(line) for line in path.read_text().split()] if path.exists() else []


def seeds(target: str) -> list[bytes]:
    """Good inputs of a target."""
    kind, _, vendor = target.partition("-")
    if kind == "read" and vendor in SECRETS:
        return [_dumped(fixture(vendor, name)) for one, name in all_fixtures() if one == vendor]
    if kind == "verify" and vendor in SECRETS:
        return [_signed(vendor)]
    if target in ("event-codec", "json-body"):
        return [
            _dumped({**one, "recordedtime": "2026-03-02T10:00:00Z"})
            for one in _own()
            if isinstance(one, dict)
        ]
    if target == "own-events":
        return [b"0:application/cloudevents+json\n\n" + _dumped(one) for one in _own()] + [_binary_mode()]
    if target == "cursor":
        position: dict[str, CursorValue] = {
            "at": datetime(2026, 1, 1, tzinfo=UTC).isoformat(),
            "id": "7",
            "skip": 3,
            "known": None,
        }
        return [encode_cursor(position).encode()]
    if target == "score-change":
        return [scores.encode(change(1, levels(0.2), levels(0.7), "c", events=(answer("a", 2),)))]
    if target == "packing":
        return [gzip.compress(b'{"a":1}'), gzip.compress(b"0" * 100_000)]
    if target == "rule":
        council = {"id": "c", "sponsor": "a@b", "members": ["Bob"], "scope": {"region": ["x"]}}
        endpoint = {"id": "e", "kind": "webhook", "url": "https://example.com:8/h?a=b", "councils": ["c"]}
        return [path.read_bytes() for path in RULES.glob("*.yaml")] + [_dumped(council), _dumped(endpoint)]
    if target == "policy":
        return [POLICY.read_bytes()]
    return [line.encode() for line in _LINES[target]]


def _own() -> list[object]:
    return [fixture("cloudevents", name) for vendor, name in all_fixtures() if vendor == "cloudevents"]


def _dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _headed(headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{HEADERS.index(name)}:{value}" for name, value in headers.items() if name in HEADERS]
    return "\n".join(lines).encode() + b"\n\n" + body


def _signed(vendor: str) -> bytes:
    request = sign(vendor, b'{"any":"thing"}', SECRETS[vendor], at=NOW)
    return _headed({name.lower(): value for name, value in request.headers.items()}, request.body)


def _binary_mode() -> bytes:
    attributes = {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/crm",
        "ce-type": "cxloop.survey.answered.v1",
        "ce-time": "2026-03-01T09:30:00Z",
    }
    body = {"response": "1", "metric": "nps", "score": 3}
    return _headed(attributes, _dumped({"identifiers": ["email:a@example.com"], "body": body}))
