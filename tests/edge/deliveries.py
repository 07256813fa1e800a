"""Hostile deliveries and events to ingest: from bytes that are nothing to a signed payload gone wrong."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from urllib.parse import quote, quote_from_bytes

from tests.contract.senders_table import all_fixtures, fixture
from tests.edge import junk
from tests.edge.request import Hostile
from tests.senders_bodies import zulu
from tests.senders_kit import SECRETS, sign

TOKEN: Final = "a-token-of-edge-tests-0123456789"
PAYLOADS: Final = tuple((vendor, fixture(vendor, name)) for vendor, name in all_fixtures())
TYPES: Final = (
    b"application/json",
    b"application/cloudevents+json",
    b"application/cloudevents-batch+json; charset=utf-8",
    b"application/cloudevents+avro",
    b"application/json; charset=utf-16",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
    b"text/plain",
    b"",
    b";;;",
    b"application/json" * 200,
    b"\xff\xfe/\x80",
)
NAMES: Final = (
    b"content-type",
    b"content-length",
    b"content-encoding",
    b"transfer-encoding",
    b"expect",
    b"host",
    b"authorization",
    b"idempotency-key",
    b"traceparent",
    b"cookie",
    b"ce-id",
    b"ce-type",
    b"ce-specversion",
    b"ce-time",
    b"ce-source",
    b"webhook-id",
    b"webhook-timestamp",
    b"webhook-signature",
    b"stripe-signature",
    b"x-hub-signature",
    b"x-zendesk-webhook-signature-timestamp",
    b"x-chatwoot-signature",
    b"typeform-signature",
    b"webhook-request-origin",
    b"x-forwarded-for",
    b"x-http-method-override",
    b"range",
    b"if-match",
)
METHODS: Final = (
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "BREW",
    "post",
)


class Source(NamedTuple):
    """A source of the tests: how it authenticates, and by what."""

    id: str
    vendor: str
    auth: str
    secret: str


SOURCES: Final = (
    *(Source(f"edge-{v}", v, "header" if v == "cloudevents" else "signature", s) for v, s in SECRETS.items()),
    Source("edge-by-header", "zendesk", "header", TOKEN),
    Source("edge-by-basic", "chatwoot", "basic", f"user:{TOKEN}"),
    Source("edge-by-path", "typeform", "path", TOKEN),
)


def delivery(rng: random.Random, key: str) -> Hostile:
    """One hostile request to `/v1/webhooks/…` or `/v1/events`; `key` may publish events."""
    if rng.random() < 0.25:
        return _spoiled(rng, _event(rng, key))
    return _spoiled(rng, _webhook(rng))


def _body(rng: random.Random, payload: Any) -> bytes:  # noqa: ANN401 - JSON
    """Mostly near to what is real, so that readers are reached; else anything."""
    chance = rng.random()
    if chance < 0.05:
        return junk.encoded(rng, payload)
    if chance < 0.65:
        return junk.encoded(rng, junk.mutated(rng, payload))
    if chance < 0.85:
        return junk.broken(rng, junk.encoded(rng, payload))
    if chance < 0.9:
        return junk.encoded(rng, junk.value(rng))
    if chance < 0.901:
        return b'"' + b"x" * rng.choice((1024 * 1024 - 2, 1024 * 1024, 1_200_000)) + b'"'
    if chance < 0.91:
        return junk.deep(rng)
    return rng.randbytes(rng.choice((0, 1, 3, 30, 900)))


def _webhook(rng: random.Random) -> Hostile:
    source = rng.choice(SOURCES)
    payload = rng.choice(PAYLOADS)[1] if rng.random() < 0.05 else _payload_of(rng, source.vendor)
    body = _body(rng, payload)
    path = f"/v1/webhooks/{source.id}".encode()
    headers: dict[bytes, bytes] = {b"content-type": b"application/json"}
    if source.auth == "signature" or source.vendor == "cloudevents":
        at = datetime.now(UTC) + timedelta(seconds=rng.choice((0, 0, 0, 0, -200, -4000, 4000)))
        secret = source.secret if rng.random() < 0.9 else "QUJD" * 8
        given = "d-" + str(rng.randrange(1000)) if rng.random() < 0.95 else ascii(junk.text(rng))[:2000]
        signed = sign(source.vendor, body, secret, at=at, delivery_id=given)
        headers |= {name.lower().encode(): text.encode("latin-1") for name, text in signed.headers.items()}
    elif source.auth == "header":
        headers[b"authorization"] = f"Bearer {source.secret}".encode()
    elif source.auth == "basic":
        headers[b"authorization"] = b"Basic " + rng.choice((b"dXNlcjp4", b"====", b"\xff"))
    else:
        path += b"/" + source.secret.encode()
    return Hostile("POST", path, tuple(headers.items()), body)


def _payload_of(rng: random.Random, vendor: str) -> Any:  # noqa: ANN401 - JSON
    return rng.choice([payload for name, payload in PAYLOADS if name == vendor])


def _event(rng: random.Random, key: str) -> Hostile:
    headers: dict[bytes, bytes] = {b"authorization": f"Bearer {key}".encode()}
    payload = _payload_of(rng, "cloudevents")
    if isinstance(payload, dict):
        payload = {**payload, "time": zulu(datetime.now(UTC)), "id": str(rng.randrange(10_000))}
    if rng.random() < 0.4 and isinstance(payload, dict):
        for name, text in payload.items():
            if name != "data":
                told = quote(str(text)).encode() if rng.random() < 0.9 else _header_bytes(rng)
                headers[f"ce-{name}".encode()] = told
        headers[b"content-type"] = b"application/json"
        payload = payload.get("data")
    else:
        batch = isinstance(payload, list)
        headers[b"content-type"] = b"application/cloudevents" + (b"-batch" if batch else b"") + b"+json"
    query = (
        b"?dry_run=" + rng.choice((b"1", b"0", b"", b"%27", b"1&dry_run=0")) if rng.random() < 0.3 else b""
    )
    return Hostile("POST", b"/v1/events" + query, tuple(headers.items()), _body(rng, payload))


def _spoiled(rng: random.Random, request: Hostile) -> Hostile:
    """Perhaps another method, address, header, packing, or an end before the end."""
    if rng.random() < 0.05:
        request = request._replace(method=rng.choice(METHODS))
    if rng.random() < 0.05:
        request = request._replace(target=target(rng, request.target))
    if rng.random() < 0.2:
        request = request._replace(headers=headers_of(rng, request.headers))
    if rng.random() < 0.08:
        body, packing = junk.packed(rng, request.body)
        request = request._replace(body=body, headers=(*request.headers, (b"content-encoding", packing)))
    if rng.random() < 0.1:
        request = request._replace(pieces=rng.choice((2, 7, 64)))
    if rng.random() < 0.02:
        request = request._replace(whole=False)
    return request


def headers_of(
    rng: random.Random, headers: tuple[tuple[bytes, bytes], ...]
) -> tuple[tuple[bytes, bytes], ...]:
    """Headers with some doubled, dropped, made up or changed."""
    found = list(headers)
    for _ in range(rng.choice((1, 1, 2, 40))):
        match rng.randrange(4):
            case 0 if found:
                found.append((rng.choice(found)[0], _header_bytes(rng)))
            case 1 if found:
                del found[rng.randrange(len(found))]
            case 2:
                found.append((b"content-type", rng.choice(TYPES)))
            case _:
                found.append((rng.choice(NAMES), _header_bytes(rng)))
    return tuple(found)


def _header_bytes(rng: random.Random) -> bytes:
    """Whatever a server lets through: any byte but NUL, CR and LF."""
    if rng.random() < 0.3:
        raw = rng.randbytes(rng.choice((0, 1, 8, 200, 6000)))
    elif rng.random() < 0.5:
        raw = rng.choice(
            (b"t=,v1=", b"v1,", b"sha256=", b"9" * 400, b"-1", b"v1a,AAAA", b"1_0", b"%f0%9f", b"gzip,")
        )
    else:
        raw = junk.text(rng).encode("utf-8", "surrogatepass")
    return raw.translate(None, b"\x00\r\n")


def target(rng: random.Random, usual: bytes) -> bytes:
    """A path and query that nobody asked for."""
    noise = quote_from_bytes(junk.text(rng).encode("utf-8", "surrogatepass")).encode()
    choices = (
        usual + b"/" + noise,
        usual + b"?" + noise + b"=" + noise,
        usual + b"?token=" + noise + b"&" * 500,
        usual + b"%00",
        usual.upper(),
        b"/" + usual,
        usual + b"/../../v1/sources",
        b"/v1/webhooks/" + noise,
        b"/v1/webhooks/",
        b"/v1/webhooks/%c0%ae%c0%ae/%ed%a0%80",
        b"/v1/" + noise,
        b"/" + b"a" * 8000,
        b"*",
        b"/metrics",
        b"/livez",
        b"/openapi.json",
        b"/%2e%2e/%2e%2e/etc/passwd",
    )
    return rng.choice(choices)
