"""Chatwoot: conversations, messages, satisfaction answers, contacts.

Since 2026 deliveries are signed: `X-Chatwoot-Signature: sha256=` + hex HMAC-SHA256(secret,
"{timestamp}.{body}"), five minutes either way. Earlier releases sign nothing: make the source with
`"auth": "path"` or `"header"`. A satisfaction answer has no event of its own: it is an update of the
message that asked. Conversation ids count per Chatwoot account: one source per account.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import UNSET

from services.ingest.domain.build import make_event
from services.ingest.domain.parsing import mapping, need, read_json, text
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
)
from services.ingest.domain.signatures import any_matches, hmac_hex, outside_window
from services.ingest.senders import _chatwoot_conversations as conversations
from services.ingest.senders._chatwoot_conversations import Told, person
from services.ingest.senders._reading import unix_header
from shared.events import bodies as b

_SIGNATURE: Final = "x-chatwoot-signature"


def verify(delivery: Delivery, source: SourceConfig, now: datetime) -> Verdict:
    given = delivery.headers.get(_SIGNATURE)
    if not given:
        return Unsigned(_SIGNATURE)
    stamp = delivery.headers.get("x-chatwoot-timestamp", "")
    sent_at = unix_header(stamp)
    if sent_at is None:
        return Bad("X-Chatwoot-Timestamp is no Unix time in seconds")
    if late := outside_window(sent_at, now):
        return late
    signed = f"{stamp}.".encode() + delivery.body
    return any_matches([given.strip()], [f"sha256={hmac_hex(secret, signed)}" for secret in source.secrets])


def explode(delivery: Delivery, _source: SourceConfig) -> list[Element]:
    """Without a delivery's id, event, id and time of the update name it; else its content does."""
    value = read_json(delivery.body)
    if not isinstance(value, dict):
        raise Unreadable("", "one JSON object is expected")
    given = delivery.headers.get("x-chatwoot-delivery")
    parts = (text(value, "event"), text(value, "id"), text(value, "updated_at"))
    return [Element(value, given or (":".join(one for one in parts if one) if all(parts) else None))]


def normalise(element: Element, delivery: Delivery, source: SourceConfig) -> Outcome:
    value = element.value
    read = _READERS.get(need(value, "event"))
    if read is None:
        return Ignored("unknown event type")
    nested = mapping(value, "conversation")
    return read(Told(element, delivery, source, value, nested or value))


def _identified(told: Told) -> Outcome:
    need(told.value, "id")
    body = b.CustomerIdentified(name=text(told.value, "name") or UNSET)
    event = make_event(
        told.source,
        told.delivery,
        told.element,
        "customer.identified",
        body,
        identifiers=person(told.source, told.value),
    )
    return [event]


_READERS: Final[dict[str, Callable[[Told], Outcome]]] = {
    "conversation_created": conversations.opened,
    "conversation_status_changed": conversations.status,
    "conversation_updated": conversations.updated,
    "message_created": conversations.message,
    "message_updated": conversations.answered,
    "contact_created": _identified,
    "contact_updated": _identified,
}

SENDER: Final = Sender(
    vendor="chatwoot",
    verify=verify,
    explode=explode,
    normalise=normalise,
    auth=("signature", "path", "header", "basic"),
    setup=Setup(
        where="Settings > Integrations > Webhooks > Add new webhook",
        switch_on=tuple(_READERS),
        secret="shown at the webhook; releases before 2026 have none",  # noqa: S106 - says where it is
        notes=(
            "Releases that do not sign: make the source with auth path, and append its token to the URL.",
            "For links set settings.base_url, such as https://chat.example.com.",
        ),
    ),
)
