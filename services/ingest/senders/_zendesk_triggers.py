"""Zendesk's second kind of webhook: a trigger or automation sends the body that its admin wrote.

There is no event type and no event id in it, so the template carries a literal `event`, and the id is
the delivery's header. Zendesk puts texts in as they are, so a quotation mark can break the JSON: such a
delivery is kept in `rejected`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, cast

from msgspec import UNSET

from services.ingest.domain.build import Context, fingerprint, make_event
from services.ingest.domain.parsing import dig, flag, iso, number, plain_text, text
from services.ingest.domain.sender import Delivery, Element, Ignored, Outcome, SourceConfig, Unreadable
from services.ingest.senders._reading import both, guessed, prefixed, priority, scoped, web_url
from shared.events import Body
from shared.events import bodies as b
from shared.events import vocabulary as v

STATUSES: Final[dict[str, v.InteractionStatus]] = {
    "new": "new",
    "open": "open",
    "pending": "pending",
    "hold": "hold",
    "on-hold": "hold",
    "solved": "solved",
    "closed": "closed",
    "archived": "closed",
}
CHANNELS: Final[dict[str, v.Channel]] = {
    "email": "email",
    "mail": "email",
    "web": "web",
    "web_form": "web",
    "web form": "web",
    "web_widget": "web",
    "help_center": "web",
    "web_service": "api",
    "web service": "api",
    "api": "api",
    "chat": "chat",
    "native_messaging": "messaging",
    "messaging": "messaging",
    "whatsapp": "messaging",
    "sms": "messaging",
    "line": "messaging",
    "telegram": "messaging",
    "phone": "phone",
    "voice": "phone",
    "phone_call_inbound": "phone",
    "phone_call_outbound": "phone",
    "voicemail": "phone",
    "twitter": "social",
    "twitter_dm": "social",
    "facebook": "social",
    "mobile": "in_app",
    "mobile_sdk": "in_app",
}

TEMPLATE: Final = """\
{
  "event": "ticket.opened | ticket.status | ticket.message | ticket.updated | ticket.rated",
  "ticket": {
    "id": "{{ticket.id}}", "title": "{{ticket.title}}", "description": "{{ticket.description}}",
    "status": "{{ticket.status}}", "priority": "{{ticket.priority}}", "tags": "{{ticket.tags}}",
    "via": "{{ticket.via}}", "url": "{{ticket.url}}",
    "updated_at": "{{ticket.updated_at_with_timestamp}}"
  },
  "requester": {
    "id": "{{ticket.requester.id}}", "email": "{{ticket.requester.email}}",
    "name": "{{ticket.requester.name}}", "language": "{{ticket.requester.language}}",
    "external_id": "{{ticket.requester.external_id}}"
  },
  "organization": {
    "id": "{{ticket.organization.id}}", "external_id": "{{ticket.organization.external_id}}"
  },
  "comment": {
    "id": "{{ticket.latest_comment.id}}", "text": "{{ticket.latest_comment.value}}",
    "author": "customer | agent", "public": "{{ticket.latest_comment.is_public}}"
  },
  "satisfaction": {
    "current_rating": "{{satisfaction.current_rating}}",
    "current_comment": "{{satisfaction.current_comment}}"
  }
}"""


def read_trigger(element: Element, delivery: Delivery, source: SourceConfig) -> Outcome:
    """Canonical events of one delivery that follows the template."""
    value = element.value
    kind, ticket_id = both(lambda: _kind(value), lambda: _need_ticket(value))
    body = _BODIES[kind](value, ticket_id, element)
    if isinstance(body, Ignored):
        return body
    author = body.author if isinstance(body, b.InteractionMessage) else None
    context: Context = {
        "account": at(value, "organization", "external_id"),
        "channel": CHANNELS.get((at(value, "ticket", "via") or "").lower()),
        "language": _language(at(value, "requester", "language")),
        "actor": "customer" if kind == "ticket.rated" else author,
        "url": web_url(at(value, "ticket", "url")),
        "stage": guessed(source, "stage", "support"),
    }
    named = (
        prefixed("user", at(value, "requester", "external_id")),
        prefixed("email", at(value, "requester", "email")),
        scoped(source.user, at(value, "requester", "id"), ("0",)),
        scoped(source.org, at(value, "organization", "id"), ("0",)),
    )
    told: list[tuple[str, Body]] = [("survey.answered" if kind == "ticket.rated" else kind, body)]
    name = at(value, "requester", "name")
    if kind == "ticket.opened" and name:
        told.append(("customer.identified", b.CustomerIdentified(name=name)))
    when = _changed_at(value)
    return [
        make_event(source, delivery, element, what, one, time=when, identifiers=named, **context)
        for what, one in told
    ]


def at(value: object, group: str, name: str) -> str | None:
    """`{"ticket": {"id": …}}` or, as some admins write it, `{"ticket.id": …}`."""
    return text(value, group, name) or text(value, f"{group}.{name}")


def answered(ticket_id: str, rating: str | None, comment: str | None) -> b.SurveyAnswered | None:
    """The ticket's rating: good or bad as 1 or 0 of [0, 1], a number as 1 to 5; None where none is given.

    The response is the ticket: rating it again revises the answer.
    """
    word, stars = (rating or "").lower(), number(rating)
    if stars is not None and 1 <= stars <= 5:
        score, scale = stars, (1, 5)
    elif word.startswith(("good", "bad")):
        score, scale = int(word.startswith("good")), (0, 1)
    else:
        return None
    return b.SurveyAnswered(
        response=f"ticket-{ticket_id}",
        question="satisfaction",
        metric="csat",
        score=score,
        scale=scale,
        better="high",
        comment=plain_text(comment) or UNSET,
        about=ticket_id,
    )


def _kind(value: object) -> str:
    kind = text(value, "event") or ""
    if kind not in _BODIES:
        raise Unreadable("/event", f"one of {', '.join(_BODIES)} is expected", "unknown_value")
    return kind


def _need_ticket(value: object) -> str:
    found = at(value, "ticket", "id")
    if found is None:
        raise Unreadable("/ticket/id", "missing, blank or no text", "missing")
    return found


def _changed_at(value: object) -> datetime | None:
    """The placeholder's form depends on the account's settings: what is no instant means the receipt."""
    try:
        return iso(at(value, "ticket", "updated_at"))
    except Unreadable:
        return None


def _language(name: str | None) -> str | None:
    """A locale such as `en-US`; the placeholder gives names such as "English" too, which say nothing."""
    return name if name and name.split("-")[0].isalpha() and len(name.split("-")[0]) in (2, 3) else None


def _fields(value: object) -> dict[str, Any]:
    found: dict[str, Any] = {
        "subject": at(value, "ticket", "title"),
        "priority": priority(at(value, "ticket", "priority")),
        "tags": tuple((at(value, "ticket", "tags") or "").replace(",", " ").split()),
    }
    return {key: one for key, one in found.items() if one}


def _opened(value: object, ticket_id: str, _element: Element) -> Body:
    words = plain_text(at(value, "ticket", "description"))
    return b.InteractionOpened(interaction=ticket_id, text=words or UNSET, **_fields(value))


def _updated(value: object, ticket_id: str, _element: Element) -> Body:
    return b.InteractionUpdated(interaction=ticket_id, **_fields(value))


def _status(value: object, ticket_id: str, _element: Element) -> Body:
    status = STATUSES.get((at(value, "ticket", "status") or "").lower())
    if status is None:
        raise Unreadable("/ticket/status", "missing or unknown status", "unknown_value")
    return b.InteractionStatusChanged(interaction=ticket_id, status=status)


def _message(value: object, ticket_id: str, element: Element) -> Body:
    author = at(value, "comment", "author")
    if author not in ("customer", "agent", "bot", "system"):
        raise Unreadable("/comment/author", "customer or agent is expected, as a literal", "unknown_value")
    told = flag(value, "comment", "public")
    public = told if told is not None else (at(value, "comment", "public") or "true").lower() != "false"
    return b.InteractionMessage(
        interaction=ticket_id,
        message=at(value, "comment", "id") or element.dedupe or fingerprint(dig(value)),
        author=cast("v.Actor", author),
        public=public,
        text=plain_text(at(value, "comment", "text")) or UNSET,
    )


def _rated(value: object, ticket_id: str, _element: Element) -> Body | Ignored:
    rating, comment = (
        at(value, "satisfaction", "current_rating"),
        at(value, "satisfaction", "current_comment"),
    )
    return answered(ticket_id, rating, comment) or Ignored("no rating yet")


_BODIES: Final = {
    "ticket.opened": _opened,
    "ticket.status": _status,
    "ticket.message": _message,
    "ticket.updated": _updated,
    "ticket.rated": _rated,
}
