"""Deterministic ids: the same thing told twice has the same id, on every machine."""

from __future__ import annotations

import hashlib
import uuid
from typing import Final

_EVENT: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/event").bytes
_LEAF: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/leaf").bytes
_VARIANT: Final = {f"{digit:x}": f"{digit & 0x3 | 0x8:x}" for digit in range(16)}


def _uuid5(namespace: bytes, *parts: str) -> str:
    """RFC 9562, 5.5, by its arithmetic: the standard library's object of it costs more than the hash."""
    # Lengths keep ("a", "bc") and ("ab", "c") apart.
    name = "".join([f"{len(part)}:{part}" for part in parts])
    digest = hashlib.sha1(namespace + name.encode(), usedforsecurity=False).hexdigest()
    variant = _VARIANT[digest[16]]
    return f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}"


def own_event_id(source: str, sender_id: str) -> str:
    """Id of an event that an own tool sent as a CloudEvent: (`source`, `id`) name it by the standard."""
    return _uuid5(_EVENT, source, sender_id)


def webhook_event_id(source: str, delivery: str, event_type: str, natural_key: tuple[str, ...]) -> str:
    """Id of an event that came out of a webhook delivery.

    `delivery` is the sender's stable delivery id, else a hash of the canonical element. Type and natural
    key tell several events out of one delivery apart.
    """
    return _uuid5(_EVENT, source, delivery, event_type, *natural_key)


def leaf_id(identifier: str) -> str:
    """The immutable node of one normalised identifier in the identity graph."""
    return _uuid5(_LEAF, identifier)
