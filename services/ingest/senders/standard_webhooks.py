"""Standard Webhooks 1.0.0: signed deliveries of own tools, a CloudEvent or `{type, timestamp, data}`.

Signed is `{webhook-id}.{webhook-timestamp}.{body}`. `v1` is HMAC-SHA256 with the key behind `whsec_`
(base64), `v1a` is Ed25519 with a public key behind `whpk_`. The header lists one signature per active
key; the id stays over retries, the time is that of the attempt, at most five minutes away either way.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.ingest.domain.cloudevents import mode_of
from services.ingest.domain.parsing import read_json, text
from services.ingest.domain.sender import (
    Bad,
    Delivery,
    Element,
    Ignored,
    Outcome,
    Sender,
    Setup,
    SourceConfig,
    Unreadable,
    Unsigned,
    Verdict,
    Verified,
)
from services.ingest.domain.signatures import any_matches, decode_base64, hmac_base64, outside_window
from services.ingest.senders._contract import OURS, cloud_elements, pair_of, read_cloudevent, told
from services.ingest.senders._reading import unix_header
from shared.events import BODIES, full_type

_ID: Final = "webhook-id"
_TIME: Final = "webhook-timestamp"
_SIGNATURE: Final = "webhook-signature"


def verify(delivery: Delivery, source: SourceConfig, now: datetime) -> Verdict:
    for name in (_ID, _TIME, _SIGNATURE):
        if not delivery.headers.get(name):
            return Unsigned(name)
    stamp = delivery.headers[_TIME]
    sent_at = unix_header(stamp)
    if sent_at is None:
        return Bad("webhook-timestamp is no Unix time in seconds")
    if late := outside_window(sent_at, now):
        return late
    head = f"{delivery.headers[_ID]}.{stamp}.".encode("utf-8", "surrogatepass")
    signed = head + delivery.body
    given = [tuple(one.split(",", 1)) for one in delivery.headers[_SIGNATURE].split() if "," in one]
    expected = [hmac_base64(key, signed) for secret in source.secrets if (key := _shared_key(secret))]
    verdict = any_matches([one[1] for one in given if one[0] == "v1"], expected)
    if isinstance(verdict, Verified):
        return verdict
    public = [found for secret in source.secrets if (found := _public_key(secret))]
    asymmetric = [one[1] for one in given if one[0] == "v1a"]
    fits = any(_fits(public_key, one, signed) for public_key in public for one in asymmetric)
    return Verified() if fits else verdict


def _shared_key(secret: str) -> bytes | None:
    return None if secret.startswith("whpk_") else decode_base64(secret.removeprefix("whsec_")) or None


def _public_key(secret: str) -> Ed25519PublicKey | None:
    raw = decode_base64(secret.removeprefix("whpk_")) if secret.startswith("whpk_") else None
    return Ed25519PublicKey.from_public_bytes(raw) if raw is not None and len(raw) == 32 else None


def _fits(key: Ed25519PublicKey, signature: str, signed: bytes) -> bool:
    try:
        key.verify(decode_base64(signature) or b"", signed)
    except InvalidSignature:
        return False
    return True


def explode(delivery: Delivery, _source: SourceConfig) -> list[Element]:
    if mode_of(delivery.headers.get("content-type", "")) != "binary" or "ce-specversion" in delivery.headers:
        return cloud_elements(delivery)
    value = read_json(delivery.body)
    if not isinstance(value, dict):
        raise Unreadable("", "one JSON object is expected")
    is_cloudevent = "specversion" in value
    return [Element(value, pair_of(value) if is_cloudevent else delivery.headers.get(_ID) or None)]


def normalise(element: Element, delivery: Delivery, source: SourceConfig) -> Outcome:
    value = element.value
    if not isinstance(value, dict) or "specversion" in value:
        return read_cloudevent(element, delivery, source)
    kind = text(value, "type")
    kind = full_type(kind) if kind in BODIES else kind
    if kind is not None and not kind.startswith(OURS):
        return Ignored("unknown event type")
    event = {"type": kind, "time": value.get("timestamp"), "data": value.get("data")}
    return told(event, element, delivery, source, [])


SENDER: Final = Sender(
    vendor="standard-webhooks",
    verify=verify,
    explode=explode,
    normalise=normalise,
    auth=("signature", "header", "path", "basic"),
    setup=Setup(
        where="your own tool, with any library of Standard Webhooks",
        switch_on=("cxloop.*.v1",),
        secret="whsec_ and a key of 24 to 64 bytes in base64, the same on both sides",  # noqa: S106
        notes=(
            "The body is a CloudEvent, or {type, timestamp, data} with the contract's type and data.",
            "Keys for Ed25519 (v1a) are given as whpk_ and the public key.",
        ),
    ),
)
