"""Intercom's conversations and tickets, which share their ids. A ticket's state has names of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Unpack

from msgspec import UNSET

from services.ingest.domain.build import Context, make_event
from services.ingest.domain.parsing import (
    dig,
    flag,
    items,
    mapping,
    need,
    number,
    plain_text,
    seconds,
    text,
)
from services.ingest.domain.sender import Delivery, Element, Ignored, Outcome, SourceConfig, Unreadable
from services.ingest.senders._reading import both, guessed, prefixed, scoped, web_url
from shared.events import Body, Event
from shared.events import bodies as b
from shared.events import vocabulary as v
from shared.events.times import format_instant

_CHANNELS: Final[dict[str, v.Channel]] = {
    "conversation": "chat",
    "email": "email",
    "facebook": "social",
    "instagram": "social",
    "twitter": "social",
    "whatsapp": "messaging",
    "sms": "messaging",
    "phone_call": "phone",
    "phone_switch": "phone",
}
_STATES: Final[dict[str, v.InteractionStatus]] = {
    "submitted": "new",
    "in_progress": "open",
    "waiting_on_customer": "pending",
    "resolved": "solved",
}
_AUTHORS: Final[dict[str, v.Actor]] = {
    "user": "customer",
    "lead": "customer",
    "contact": "customer",
    "visitor": "customer",
    "admin": "agent",
    "team": "agent",
    "bot": "bot",
    "operator": "bot",
    "workflow": "bot",
}


class Told(NamedTuple):
    """What all notifications have. `item` is the conversation, ticket, contact or company as it is now."""

    element: Element
    delivery: Delivery
    source: SourceConfig
    item: Mapping[str, Any]
    at: datetime | None

    @property
    def noun(self) -> str:
        is_ticket = text(self.item, "type") == "ticket"
        return "ticket" if is_ticket or self.channel == "email" else "chat"

    @property
    def channel(self) -> v.Channel | None:
        return _CHANNELS.get((text(self.item, "source", "type") or text(self.item, "channel") or "").lower())

    @property
    def id(self) -> str:
        return need(self.item, "id")

    def event(self, what: str, body: Body, by: v.Actor | None, **more: Unpack[Context]) -> Event:
        fallback = "chat" if self.noun == "chat" else ""
        context: Context = {
            "channel": self.channel or guessed(self.source, "channel", fallback),
            "stage": guessed(self.source, "stage", "support"),
            "url": self._url(),
        }
        context.update(more)
        if by:
            context["actor"] = by
        return make_event(
            self.source,
            self.delivery,
            self.element,
            what if "." in what else f"{self.noun}.{what}",
            body,
            time=self.at,
            identifiers=(*_customer(self), *_company(self)),
            **context,
        )

    def _url(self) -> str | None:
        app = text(self.element.value, "app_id")
        shown = web_url(text(self.item, "links", "conversation_web"))
        made = f"https://app.intercom.com/a/apps/{app}/conversations/{self.id}" if app else None
        return shown or made


def person(source: SourceConfig, contact: object) -> list[str | None]:
    """A contact's identifiers. A lead's `user_id` is made up by Intercom, a user's is the company's own."""
    kind = text(contact, "role") or text(contact, "type")
    own = text(contact, "external_id") or text(contact, "user_id")
    return [
        prefixed("user", own if kind != "lead" else None),
        prefixed("email", text(contact, "email")),
        scoped(source.person, text(contact, "id")),
    ]


def _customer(told: Told) -> list[str | None]:
    """From the contacts of today's notifications or the user of earlier ones; the first contact asked."""
    contact = dig(told.item, "contacts", "contacts", 0) or dig(told.item, "contacts", 0)
    found = person(told.source, contact) if contact else person(told.source, mapping(told.item, "user"))
    author = mapping(told.item, "source", "author")
    if _AUTHORS.get(text(author, "type") or "") != "customer":
        return found
    same = contact is None or text(author, "id") in (None, text(contact, "id"))
    return [*found, prefixed("email", text(author, "email"))] if same else found


def _company(told: Told) -> list[str | None]:
    return [scoped(told.source.org, text(told.item, "company_id") or text(told.item, "company", "id"))]


def _parts(told: Told) -> list[dict[str, Any]]:
    """The new parts; their list is wrapped in an object of the same name."""
    for name in ("conversation_parts", "ticket_parts"):
        found = items(told.item, name, name) or items(told.item, name)
        if found:
            return [one for one in found if isinstance(one, dict)]
    return []


def opened(told: Told) -> Outcome:
    attributes = mapping(told.item, "ticket_attributes")
    begun = mapping(told.item, "source") or mapping(told.item, "conversation_message")
    subject = text(attributes, "_default_title_") or plain_text(text(begun, "subject"))
    words = text(attributes, "_default_description_") or text(begun, "body")
    tags = tuple(one for tag in items(told.item, "tags", "tags") if (one := text(tag, "name")))
    body = b.InteractionOpened(
        interaction=told.id,
        subject=subject or UNSET,
        text=plain_text(words) or UNSET,
        priority=_priority(told) or UNSET,
        tags=tags or UNSET,
        team=text(told.item, "team_assignee_id") or UNSET,
    )
    author = _AUTHORS.get(text(begun, "author", "type") or "", "customer")
    reactive: v.Initiative = "reactive" if author == "customer" else "proactive"
    return [told.event("opened", body, author, initiative=reactive)]


def begun_by_us(told: Told) -> Outcome:
    """An agent wrote first: nobody waits for us."""
    begun = mapping(told.item, "source") or mapping(told.item, "conversation_message")
    body = b.InteractionOpened(
        interaction=told.id,
        subject=plain_text(text(begun, "subject")) or UNSET,
        text=plain_text(text(begun, "body")) or UNSET,
    )
    return [told.event("opened", body, "agent", initiative="proactive")]


def _priority(told: Told) -> v.Priority | None:
    return "high" if text(told.item, "priority") == "priority" else None


def updated(told: Told) -> Outcome:
    body = b.InteractionUpdated(interaction=told.id, priority=_priority(told) or "normal")
    return [told.event("updated", body, None)]


def replied(told: Told) -> Outcome:
    """One message per part. A customer's reply opens what was closed, without a topic of its own."""
    events = [_message(told, part) for part in _parts(told)]
    if not events:
        raise Unreadable("/data/item/conversation_parts", "the new part is missing", "missing")
    if events[-1].actor == "customer" and _is_open(told):
        body = b.InteractionStatusChanged(interaction=told.id, status="open")
        events.append(told.event("status", body, "customer"))
    return events


def _is_open(told: Told) -> bool:
    return text(told.item, "state") == "open" or flag(told.item, "open") is True


def _message(told: Told, part: dict[str, Any]) -> Event:
    interaction, message = both(lambda: told.id, lambda: need(part, "id"))
    author = _AUTHORS.get(text(part, "author", "type") or "", "system")
    writer, customer = text(part, "author", "id"), _customer_id(told)
    other = author == "customer" and customer is not None and writer not in (None, customer)
    body = b.InteractionMessage(
        interaction=interaction,
        message=message,
        author=author,
        public=text(part, "part_type") != "note" and not _is_note(told),
        text=plain_text(text(part, "body")) or UNSET,
        agent=writer or UNSET if author == "agent" else UNSET,
        author_identifiers=tuple(one for one in person(told.source, part["author"]) if one)
        if other
        else UNSET,
    )
    return told.event("message", body, author)


def _is_note(told: Told) -> bool:
    return (text(told.element.value, "topic") or "").endswith((".noted", ".note.created"))


def _customer_id(told: Told) -> str | None:
    return text(told.item, "contacts", "contacts", 0, "id") or text(told.item, "user", "id")


def became(status: v.InteractionStatus) -> Callable[[Told], Outcome]:
    """A change of status by an agent; words that came with it are a message before it."""

    def read(told: Told) -> Outcome:
        spoken = [part for part in _parts(told) if plain_text(text(part, "body"))]
        until = seconds(told.item, "snoozed_until") if status == "hold" else None
        body = b.InteractionStatusChanged(
            interaction=told.id, status=status, until=format_instant(until) if until else UNSET
        )
        by = _AUTHORS.get(text(dig(_parts(told), 0), "author", "type") or "", "agent")
        return [*(_message(told, part) for part in spoken), told.event("status", body, by)]

    return read


def assigned(told: Told) -> Outcome:
    part = mapping(_parts(told), 0)
    to = text(part, "assigned_to", "id") or text(part, "assigned_to")
    to = to or text(told.item, "assignee", "id") or text(told.item, "admin_assignee_id")
    if to is None:
        return Ignored("assigned to nobody")
    body = b.InteractionHandover(interaction=told.id, to=to)
    return [told.event("handover", body, "agent")]


def state_changed(told: Told) -> Outcome:
    """`ticket.state.updated`, which also comes where nothing changed."""
    now, was = _state(told.item.get("ticket_state")), None
    for part in _parts(told):
        now = _state(part.get("ticket_state")) or now
        was = _state(part.get("previous_ticket_state")) or was
    if now is None:
        raise Unreadable("/data/item/ticket_state", "missing or unknown state", "unknown_value")
    if now == was:
        return Ignored("the state did not change")
    status, previous = _STATES[now], _STATES[was] if was else UNSET
    body = b.InteractionStatusChanged(interaction=told.id, status=status, previous=previous)
    return [told.event("status", body, None)]


def _state(found: object) -> str | None:
    name = text(found, "category") if isinstance(found, dict) else text(found)
    return name if name in _STATES else None


def removed(told: Told) -> Outcome:
    return [told.event("removed", b.InteractionRemoved(interaction=told.id, reason="deleted"), None)]


def rated(told: Told) -> Outcome:
    """1 to 5; the remark may follow in a notification of its own and revises the answer."""
    rating = mapping(told.item, "conversation_rating") or mapping(told.item, "ticket_rating")
    interaction, score = both(lambda: told.id, lambda: _score(rating))
    body = b.SurveyAnswered(
        response=f"rating-{interaction}",
        question="rating",
        metric="csat",
        score=score,
        scale=(1, 5),
        better="high",
        comment=plain_text(text(rating, "remark")) or UNSET,
        about=interaction,
    )
    return [told.event("survey.answered", body, "customer")]


def _score(rating: dict[str, Any]) -> int | float:
    score = number(rating, "rating")
    if score is None or not 1 <= score <= 5:
        raise Unreadable(
            "/data/item/conversation_rating/rating", "a number from 1 to 5 is expected", "bad_field"
        )
    return score
