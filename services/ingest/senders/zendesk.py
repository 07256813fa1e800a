"""Zendesk: event subscriptions (fixed JSON) and webhooks connected to triggers (our template).

The signature is base64(HMAC-SHA256(secret, timestamp + body)). Zendesk states no replay window and
repeats late, so an old time is accepted; a time ahead of now is not, since no honest clock signs it.
Events carry ids only; e-mail addresses come with `user.*` events or with a trigger's template.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import UNSET

from services.ingest.domain.build import make_event
from services.ingest.domain.parsing import iso, need, plain_text, read_json, text
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
from services.ingest.domain.signatures import REPLAY_WINDOW, any_matches, hmac_base64
from services.ingest.senders._reading import both, guessed, prefixed, scoped
from services.ingest.senders._zendesk_tickets import NOBODY, READERS, read_ticket, ticket_url
from services.ingest.senders._zendesk_triggers import TEMPLATE, read_trigger
from shared.events import bodies as b
from shared.events import vocabulary as v

_PREFIX: Final = "zen:event-type:"
_SIGNATURE: Final = "x-zendesk-webhook-signature"
_INVOCATION: Final = "x-zendesk-webhook-invocation-id"


def verify(delivery: Delivery, source: SourceConfig, now: datetime) -> Verdict:
    given = delivery.headers.get(_SIGNATURE)
    if not given:
        return Unsigned(_SIGNATURE)
    stamp = delivery.headers.get(f"{_SIGNATURE}-timestamp", "")
    try:
        sent_at = iso(stamp)
    except Unreadable:
        sent_at = None
    if sent_at is None:
        return Bad("the signature's timestamp is missing or no ISO 8601 instant")
    if sent_at > now + REPLAY_WINDOW:
        return Bad("the signature's timestamp lies ahead of now")
    signed = stamp.encode("utf-8", "surrogatepass") + delivery.body
    return any_matches([given.strip()], [hmac_base64(secret, signed) for secret in source.secrets])


def explode(delivery: Delivery, _source: SourceConfig) -> list[Element]:
    value = read_json(delivery.body)
    if not isinstance(value, dict):
        raise Unreadable("", "one JSON object is expected")
    invocation = delivery.headers.get(_INVOCATION)
    is_event = (text(value, "type") or "").startswith(_PREFIX)
    return [Element(value, (text(value, "id") if is_event else None) or invocation or None)]


def normalise(element: Element, delivery: Delivery, source: SourceConfig) -> Outcome:
    value = element.value
    name = text(value, "type") or ""
    if not name.startswith(_PREFIX):
        if text(value, "event") is None:
            raise Unreadable("", "neither an event subscription nor the trigger template", "unknown_shape")
        return read_trigger(element, delivery, source)
    domain, _, verb = name.removeprefix(_PREFIX).partition(".")
    match domain:
        case "ticket":
            read = READERS.get(verb)
            return read(read_ticket(element, delivery, source)) if read else Ignored("unknown event type")
        case "messaging_ticket":
            return _messaging(element, delivery, source, verb)
        case "user":
            return _user(element, delivery, source, verb)
        case "organization":
            return _organisation(element, delivery, source, verb)
    return Ignored("unknown event type")


def _messaging(element: Element, delivery: Delivery, source: SourceConfig, verb: str) -> Outcome:
    if verb != "message_added":
        return Ignored("unknown event type")
    value = element.value
    (interaction, at), message = both(
        lambda: both(lambda: need(value, "detail", "id"), lambda: iso(value, "time")),
        lambda: text(value, "event", "message", "id") or element.dedupe or need(value, "id"),
    )
    who = text(value, "event", "actor", "id")
    author = _messaging_author(text(value, "event", "actor", "type"), who)
    body = b.InteractionMessage(
        interaction=interaction,
        message=message,
        author=author,
        public=True,
        text=plain_text(text(value, "event", "message", "body")) or UNSET,
        agent=who if author == "agent" and who else UNSET,
    )
    event = make_event(
        source,
        delivery,
        element,
        "chat.message",
        body,
        time=at,
        identifiers=(scoped(source.user, who, NOBODY),) if author == "customer" else (),
        actor=author,
        channel="messaging",
        stage=guessed(source, "stage", "support"),
        url=ticket_url(source, interaction),
    )
    return [event]


def _messaging_author(kind: str | None, who: str | None) -> v.Actor:
    """Zendesk's own answer bot signs as `zd:answerBot` of type system."""
    if kind == "agent":
        return "agent"
    if kind == "end_user":
        return "customer"
    return "bot" if kind == "bot" or (who or "").startswith("zd:") else "system"


def _user(element: Element, delivery: Delivery, source: SourceConfig, verb: str) -> Outcome:
    value = element.value
    if verb in ("deleted", "merged"):
        return Ignored("says nothing about what a customer experienced")
    user_id, at = both(lambda: need(value, "detail", "id"), lambda: iso(value, "time"))
    if text(value, "detail", "role") != "end-user":
        return Ignored("staff")
    name = text(value, "event", "current") if verb == "name_changed" else text(value, "detail", "name")
    named = (
        prefixed("user", text(value, "detail", "external_id")),
        prefixed("email", text(value, "detail", "email")),
        source.user(user_id),
        scoped(source.org, text(value, "detail", "organization_id"), NOBODY),
    )
    body = b.CustomerIdentified(name=name or UNSET)
    return [make_event(source, delivery, element, "customer.identified", body, time=at, identifiers=named)]


def _organisation(element: Element, delivery: Delivery, source: SourceConfig, verb: str) -> Outcome:
    value = element.value
    if verb not in ("created", "name_changed", "external_id_changed"):
        return Ignored("unknown event type")
    org_id, at = both(lambda: need(value, "detail", "id"), lambda: iso(value, "time"))
    name = text(value, "event", "current") if verb == "name_changed" else text(value, "detail", "name")
    named = (prefixed("account", text(value, "detail", "external_id")), source.org(org_id))
    body = b.CustomerIdentified(name=name or UNSET)
    return [make_event(source, delivery, element, "customer.identified", body, time=at, identifiers=named)]


SENDER: Final = Sender(
    vendor="zendesk",
    verify=verify,
    explode=explode,
    normalise=normalise,
    auth=("signature", "header", "basic", "path"),
    setup=Setup(
        where="Admin Center > Apps and integrations > Actions and webhooks > Create webhook",
        switch_on=(
            "Ticket created",
            "Ticket status changed",
            "Ticket comment added",
            "Ticket priority changed",
            "Ticket tags changed",
            "Ticket agent assignment changed",
            "Ticket merged",
            "Ticket CSAT received",
            "Messaging ticket message added",
            "User created",
        ),
        secret="Reveal secret, on the webhook's own page",  # noqa: S106 - says where it is
        notes=(
            "Events carry the requester's id only; user events add the e-mail address.",
            "For links set settings.base_url, such as https://yours.zendesk.com.",
            "A webhook connected to triggers sends this body (JSON, POST), one trigger per value of event:",
            TEMPLATE,
        ),
    ),
)
