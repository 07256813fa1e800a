"""Intercom: conversations, tickets, ratings, contacts, companies.

The signature is `X-Hub-Signature: sha1=` + hex HMAC-SHA1(client secret, body); it covers no time, so
there is no replay window. A notification's `data.item` is the thing as it is now, with the new part
alone in a list that is named twice (`conversation_parts.conversation_parts`). Bodies are HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import UNSET

from services.ingest.domain.build import make_event
from services.ingest.domain.parsing import dig, mapping, need, need_mapping, read_json, seconds, text
from services.ingest.domain.sender import (
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
from services.ingest.domain.signatures import any_matches, hmac_hex
from services.ingest.senders import _intercom_conversations as conversations
from services.ingest.senders._intercom_conversations import Told, person
from services.ingest.senders._reading import both, prefixed, scoped
from shared.events import bodies as b

_SIGNATURE: Final = "x-hub-signature"


def verify(delivery: Delivery, source: SourceConfig, _now: datetime) -> Verdict:
    given = delivery.headers.get(_SIGNATURE)
    if not given:
        return Unsigned(_SIGNATURE)
    expected = [f"sha1={hmac_hex(secret, delivery.body, 'sha1')}" for secret in source.secrets]
    return any_matches([given.strip()], expected)


def explode(delivery: Delivery, _source: SourceConfig) -> list[Element]:
    value = read_json(delivery.body)
    if not isinstance(value, dict):
        raise Unreadable("", "one JSON object is expected")
    return [Element(value, text(value, "id"))]


def normalise(element: Element, delivery: Delivery, source: SourceConfig) -> Outcome:
    value = element.value
    topic = text(value, "topic")
    if topic is not None and topic not in _READERS:
        return Ignored("a test of the connection" if topic == "ping" else "unknown event type")
    (topic, at), item = both(
        lambda: both(lambda: need(value, "topic"), lambda: seconds(value, "created_at")),
        lambda: need_mapping(value, "data", "item"),
    )
    # ticket.closed nests the ticket since API 2.15; the other topics do not.
    nested = mapping(item, "ticket")
    return _READERS[topic](Told(element, delivery, source, nested or item, at))


def _contact(told: Told) -> Outcome:
    contact_id = need(told.item, "id")
    company = dig(told.item, "companies", "data", 0) or dig(told.item, "companies", "companies", 0)
    named = [
        *person(told.source, told.item),
        prefixed("phone", text(told.item, "phone")),
        scoped(told.source.person, contact_id),
        scoped(told.source.org, text(company, "id")),
        prefixed("account", text(company, "company_id")),
    ]
    body = b.CustomerIdentified(
        name=text(told.item, "name") or UNSET,
        language=text(told.item, "language_override") or text(told.item, "browser_language") or UNSET,
    )
    event = make_event(
        told.source,
        told.delivery,
        told.element,
        "customer.identified",
        body,
        time=told.at,
        identifiers=named,
    )
    return [event]


def _company(told: Told) -> Outcome:
    named = (prefixed("account", text(told.item, "company_id")), told.source.org(need(told.item, "id")))
    body = b.CustomerIdentified(name=text(told.item, "name") or UNSET)
    event = make_event(
        told.source,
        told.delivery,
        told.element,
        "customer.identified",
        body,
        time=told.at,
        identifiers=named,
    )
    return [event]


_READERS: Final[dict[str, Callable[[Told], Outcome]]] = {
    "conversation.user.created": conversations.opened,
    "conversation.user.replied": conversations.replied,
    "conversation.admin.single.created": conversations.begun_by_us,
    "conversation.admin.replied": conversations.replied,
    "conversation.admin.noted": conversations.replied,
    "conversation.operator.replied": conversations.replied,
    "conversation.admin.closed": conversations.became("solved"),
    "conversation.admin.opened": conversations.became("open"),
    "conversation.admin.open.assigned": conversations.assigned,
    "conversation.admin.assigned": conversations.assigned,
    "conversation.admin.snoozed": conversations.became("hold"),
    "conversation.admin.unsnoozed": conversations.became("open"),
    "conversation.priority.updated": conversations.updated,
    "conversation.deleted": conversations.removed,
    "conversation.rating.added": conversations.rated,
    "conversation.rating.remarked": conversations.rated,
    "ticket.created": conversations.opened,
    "ticket.state.updated": conversations.state_changed,
    "ticket.closed": conversations.became("solved"),
    "ticket.resolved": conversations.became("solved"),
    "ticket.contact.replied": conversations.replied,
    "ticket.admin.replied": conversations.replied,
    "ticket.note.created": conversations.replied,
    "ticket.admin.assigned": conversations.assigned,
    "ticket.rating.provided": conversations.rated,
    "contact.user.created": _contact,
    "contact.user.updated": _contact,
    "contact.lead.created": _contact,
    "contact.lead.updated": _contact,
    "contact.lead.signed_up": _contact,
    "contact.email.updated": _contact,
    "contact.created": _contact,
    "contact.updated": _contact,
    "user.created": _contact,
    "user.email.updated": _contact,
    "company.created": _company,
    "company.updated": _company,
}

SENDER: Final = Sender(
    vendor="intercom",
    verify=verify,
    explode=explode,
    normalise=normalise,
    setup=Setup(
        where="Developer Hub > your app > Webhooks > endpoint URL",
        switch_on=tuple(_READERS),
        secret="Client secret, on the app's page Basic information",  # noqa: S106 - says where it is
        notes=("Only users have your own id (external_id); leads are known by Intercom's id and e-mail.",),
    ),
)
