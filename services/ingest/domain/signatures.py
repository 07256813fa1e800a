"""HMAC signatures, compared in constant time. Nothing here raises for whatever a stranger sends."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal

from services.ingest.domain.sender import Bad, Verdict, Verified

Algorithm = Literal["sha1", "sha256", "sha512"]
REPLAY_WINDOW: Final = timedelta(minutes=5)
"""Tolerance both ways of the reference libraries of Standard Webhooks and Stripe."""


def same(a: str | bytes, b: str | bytes) -> bool:
    """Equal, in time that does not tell how far."""
    left = a.encode("utf-8", "surrogatepass") if isinstance(a, str) else a
    right = b.encode("utf-8", "surrogatepass") if isinstance(b, str) else b
    return hmac.compare_digest(left, right)


def hmac_hex(secret: str | bytes, signed: bytes, algorithm: Algorithm = "sha256") -> str:
    """HMAC as lower-case hex; a text secret is used as its UTF-8 bytes."""
    return hmac.new(_key(secret), signed, getattr(hashlib, algorithm)).hexdigest()


def hmac_base64(secret: str | bytes, signed: bytes, algorithm: Algorithm = "sha256") -> str:
    """HMAC as standard base64 with padding; a text secret is used as its UTF-8 bytes."""
    return base64.b64encode(hmac.new(_key(secret), signed, getattr(hashlib, algorithm)).digest()).decode()


def decode_base64(text: str) -> bytes | None:
    """Bytes of standard or URL-safe base64, padded or not; None where it is neither."""
    unified = text.strip().replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(unified + "=" * (-len(unified) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def any_matches(given: Iterable[str], expected: Iterable[str]) -> Verdict:
    """Verified if one of the `given` signatures is one of the `expected` (one per active secret).

    Every pair is compared, so that the time does not tell which secret it was.
    """
    wanted = tuple(expected)
    hits = [same(signature, candidate) for signature in given for candidate in wanted]
    return Verified() if any(hits) else Bad("the signature fits none of the active secrets")


def outside_window(sent_at: datetime, now: datetime, window: timedelta = REPLAY_WINDOW) -> Bad | None:
    """Bad if the signed time lies further than `window` before or after `now`."""
    if abs(now - sent_at) <= window:
        return None
    return Bad(f"the signed time is more than {int(window.total_seconds())} s away from now")


def _key(secret: str | bytes) -> bytes:
    return secret.encode("utf-8", "surrogatepass") if isinstance(secret, str) else secret
