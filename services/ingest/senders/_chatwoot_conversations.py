"""Chatwoot's conversations and messages. A conversation is a part of a message's delivery."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Unpack

from msgspec import UNSET

from services.ingest.domain.build import Context, make_event
from services.ingest.domain.parsing import (
    dig,
    flag,
    iso,
    items,
    mapping,
    need,
    number,
    plain_text,
    pointer,
    seconds,
    text,
    texts,
)
from services.ingest.domain.sender import Delivery, Element, Ignored, Outcome, SourceConfig, Unreadable
from services.ingest.senders._reading import both, guessed, prefixed, priority, scoped, web_url
from shared.events import Body, Event
from shared.events import bodies as b
from shared.events import vocabulary as v
from shared.events.times import format_instant

_STATUSES: Final[dict[str, v.InteractionStatus]] = {
    "open": "open",
    "pending": "pending",
    "snoozed": "hold",
    "resolved": "solved",
}
_CHANNELS: Final[dict[str, v.Channel]] = {
    "Channel::WebWidget": "chat",
    "Channel::Email": "email",
    "Channel::Api": "api",
    "Channel::Whatsapp": "messaging",
    "Channel::Telegram": "messaging",
    "Channel::Line": "messaging",
    "Channel::Sms": "messaging",
    "Channel::TwilioSms": "messaging",
    "Channel::FacebookPage": "social",
    "Channel::Instagram": "social",
    "Channel::TwitterProfile": "social",
    "Channel::Voice": "phone",
}
# Text in webhooks, numbers where messages are nested.
_KINDS: Final = {"0": "incoming", "1": "outgoing", "2": "activity", "3": "template"}
_SAME_MOMENT: Final = timedelta(seconds=2)


class Told(NamedTuple):
    """What all events have; `conversation` is the whole delivery or a part of it."""

    element: Element
    delivery: Delivery
    source: SourceConfig
    value: dict[str, Any]
    conversation: dict[str, Any]

    @property
    def channel(self) -> v.Channel | None:
        return _CHANNELS.get(text(self.conversation, "channel") or "")

    @property
    def noun(self) -> str:
        return "ticket" if self.channel == "email" else "chat"

    @property
    def id(self) -> str:
        return text(self.conversation, "id") or need(self.value, "conversation", "id")

    def event(self, what: str, body: Body, at: datetime | None, **more: Unpack[Context]) -> Event:
        context: Context = {
            "channel": self.channel,
            "stage": guessed(self.source, "stage", "support"),
            "url": _url(self),
        }
        context.update(more)
        return make_event(
            self.source,
            self.delivery,
            self.element,
            what if "." in what else f"{self.noun}.{what}",
            body,
            time=at,
            identifiers=person(self.source, _contact(self)),
            **context,
        )


def _contact(told: Told) -> dict[str, Any]:
    """The customer of the conversation; of a message the sender, where the conversation names nobody."""
    found = mapping(told.conversation, "meta", "sender")
    if found or not dig(told.value, "sender"):
        return found
    sender = mapping(told.value, "sender")
    return {} if _kind(told.value) != "incoming" else sender


def person(source: SourceConfig, contact: dict[str, Any]) -> list[str | None]:
    return [
        prefixed("user", text(contact, "identifier")),
        prefixed("email", text(contact, "email")),
        prefixed("phone", text(contact, "phone_number")),
        scoped(source.person, text(contact, "id")),
    ]


def _url(told: Told) -> str | None:
    base, account = web_url(told.source.settings.get("base_url")), text(told.value, "account", "id")
    if not base or not account:
        return None
    return f"{base.rstrip('/')}/app/accounts/{account}/conversations/{told.id}"


def _when(value: object, *path: str) -> datetime | None:
    """Chatwoot writes seconds (whole or not), ISO 8601, and `2026-03-01 09:30:00 UTC`."""
    found = dig(value, *path)
    if isinstance(found, str) and number(found) is None:
        try:
            return iso(found.replace(" UTC", "+00:00"))
        except Unreadable:
            raise Unreadable(pointer(*path), "no instant", "bad_time") from None
    return seconds(value, *path)


def _kind(message: object) -> str:
    found = text(message, "message_type") or ""
    return _KINDS.get(found, found)


def _fields(conversation: dict[str, Any]) -> dict[str, Any]:
    labels, level = texts(conversation, "labels"), priority(conversation, "priority")
    return ({"tags": labels} if labels else {}) | ({"priority": level} if level else {})


def opened(told: Told) -> Outcome:
    """Without words: the first message is told by `message_created`."""
    interaction, at = both(lambda: told.id, lambda: _when(told.conversation, "created_at"))
    body = b.InteractionOpened(
        interaction=interaction,
        subject=text(told.conversation, "additional_attributes", "mail_subject") or UNSET,
        team=text(told.conversation, "meta", "team", "id") or UNSET,
        **_fields(told.conversation),
    )
    first = dig(told.conversation, "messages", 0)
    by_customer = _kind(first) == "incoming"
    actor: v.Actor | None = "customer" if by_customer else None
    return [told.event("opened", body, at, actor=actor, initiative="reactive" if by_customer else None)]


def _changes(value: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`changed_attributes` is a list of one-entry objects."""
    found: dict[str, dict[str, Any]] = {}
    for entry in items(value, "changed_attributes") or [value.get("changed_attributes")]:
        if isinstance(entry, dict):
            found |= {str(name): change for name, change in entry.items() if isinstance(change, dict)}
    return found


def status(told: Told) -> Outcome:
    (interaction, at), name = both(
        lambda: both(lambda: told.id, lambda: _when(told.conversation, "updated_at")),
        lambda: need(told.conversation, "status"),
    )
    status = _STATUSES.get(name)
    if status is None:
        raise Unreadable("/status", "unknown status", "unknown_value")
    previous = text(_changes(told.value).get("status"), "previous_value")
    until = _when(told.conversation, "snoozed_until") if status == "hold" else None
    body = b.InteractionStatusChanged(
        interaction=interaction,
        status=status,
        previous=_STATUSES.get(previous or "", UNSET),
        until=format_instant(until) if until else UNSET,
    )
    return [told.event("status", body, at)]


def updated(told: Told) -> Outcome:
    """A new assignee is a hand-over; the status has an event of its own."""
    interaction, at = both(lambda: told.id, lambda: _when(told.conversation, "updated_at"))
    changes, events = _changes(told.value), list[Event]()
    if "assignee_id" in changes:
        body = b.InteractionHandover(
            interaction=interaction,
            from_=text(changes["assignee_id"], "previous_value") or UNSET,
            to=text(changes["assignee_id"], "current_value") or UNSET,
        )
        events.append(told.event("handover", body, at))
    fields = _fields(told.conversation)
    if fields and changes.keys() & {"priority", "label_list", "labels", "cached_label_list"}:
        body_of_update = b.InteractionUpdated(interaction=interaction, **fields)
        events.append(told.event("updated", body_of_update, at))
    return events or Ignored("nothing that a customer would notice")


def message(told: Told) -> Outcome:
    kind = _kind(told.value)
    if kind not in ("incoming", "outgoing", "template"):
        return Ignored("no message of a person or a bot")
    (interaction, at), message = both(
        lambda: both(lambda: told.id, lambda: _when(told.value, "created_at")),
        lambda: need(told.value, "id"),
    )
    if text(told.value, "content_type") == "input_csat":
        asked = b.SurveyNotice(survey="csat", response=f"message-{message}", metric="csat")
        return [told.event("survey.sent", asked, at, actor="bot")]
    author = _author(kind, text(told.value, "sender", "type"))
    words = plain_text(text(told.value, "content"))
    if author == "customer" and _is_first(told, at):
        begun = b.InteractionUpdated(interaction=interaction, text=words or UNSET)
        return [told.event("updated", begun, at, actor=author)]
    writer = mapping(told.value, "sender")
    customer = text(told.conversation, "meta", "sender", "id")
    other = author == "customer" and customer is not None and text(writer, "id") != customer
    body = b.InteractionMessage(
        interaction=interaction,
        message=message,
        author=author,
        public=flag(told.value, "private") is not True,
        text=words or UNSET,
        agent=text(writer, "id") or UNSET if author == "agent" else UNSET,
        author_identifiers=tuple(one for one in person(told.source, writer) if one) if other else UNSET,
    )
    return [told.event("message", body, at, actor=author)]


def _is_first(told: Told, at: datetime | None) -> bool:
    """The message that began the conversation: its words are the opening's, not a second contact."""
    began = _when(told.conversation, "created_at")
    return told.conversation is not told.value and bool(at and began and abs(at - began) <= _SAME_MOMENT)


def _author(kind: str, sender: str | None) -> v.Actor:
    if kind == "incoming":
        return "customer"
    return "agent" if kind == "outgoing" and (sender or "").lower() == "user" else "bot"


def answered(told: Told) -> Outcome:
    """1 to 5; the customer may change it for 14 days: the time of the update decides which one counts."""
    said = mapping(told.value, "content_attributes", "submitted_values", "csat_survey_response")
    if text(told.value, "content_type") != "input_csat" or not said:
        return Ignored("an edited message")
    (interaction, at), (message, score) = both(
        lambda: both(lambda: told.id, lambda: _when(told.value, "updated_at")),
        lambda: both(lambda: need(told.value, "id"), lambda: _rating(said)),
    )
    body = b.SurveyAnswered(
        response=f"message-{message}",
        question="csat",
        survey="csat",
        metric="csat",
        score=score,
        scale=(1, 5),
        better="high",
        comment=plain_text(text(said, "feedback_message")) or UNSET,
        about=interaction,
    )
    revision = int(at.timestamp()) if at else 0
    return [told.event("survey.answered", body, at, actor="customer", revision=revision)]


def _rating(said: dict[str, Any]) -> int | float:
    score = number(said, "rating")
    if score is None or not 1 <= score <= 5:
        where = "/content_attributes/submitted_values/csat_survey_response/rating"
        raise Unreadable(where, "a number from 1 to 5 is expected", "bad_field")
    return score
