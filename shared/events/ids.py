"""Deterministic ids: the same thing told twice has the same id, on every machine."""

from __future__ import annotations

import uuid
from typing import Final

_EVENT: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/event")
_LEAF: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cxloop.example/ids/leaf")


def _uuid5(namespace: uuid.UUID, *parts: str) -> str:
    # Lengths keep ("a", "bc") and ("ab", "c") apart.
    return str(uuid.uuid5(namespace, "".join(f"{len(part)}:{part}" for part in parts)))


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
