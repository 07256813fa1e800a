"""Zendesk's ticket events: each carries a snapshot of the ticket (`detail`) and what happened (`event`)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Unpack

from msgspec import UNSET

from services.ingest.domain.build import Context, make_event
from services.ingest.domain.parsing import dig, flag, iso, mapping, need, plain_text, text, texts
from services.ingest.domain.sender import Delivery, Element, Ignored, Outcome, SourceConfig, Unreadable
from services.ingest.senders._reading import both, guessed, priority, scoped, web_url
from services.ingest.senders._zendesk_triggers import CHANNELS, STATUSES, answered
from shared.events import Body, Event
from shared.events import bodies as b
from shared.events import vocabulary as v

NOBODY: Final = ("0", "-1")
"""Ids that stand for no person or organisation."""
_SYSTEM: Final = "-1"
_SAME_MOMENT: Final = timedelta(seconds=3)
_TARGETS: Final = (("target_ticket_id",), ("target_ticket", "id"), ("target", "id"), ("merged_into",))


class Ticket(NamedTuple):
    """What all ticket events carry."""

    element: Element
    delivery: Delivery
    source: SourceConfig
    id: str
    at: datetime | None
    detail: dict[str, Any]
    happened: dict[str, Any]
    actor: v.Actor | None

    def event(self, event_type: str, body: Body, **more: Unpack[Context]) -> Event:
        detail, via = self.detail, (text(self.detail, "via", "channel") or "").lower()
        context: Context = {
            "channel": CHANNELS.get(via),
            "actor": self.actor,
            "url": ticket_url(self.source, self.id),
            "stage": guessed(self.source, "stage", "support"),
        }
        context.update(more)
        return make_event(
            self.source,
            self.delivery,
            self.element,
            event_type,
            body,
            time=self.at,
            identifiers=(
                scoped(self.source.user, text(detail, "requester_id"), NOBODY),
                scoped(self.source.org, text(detail, "organization_id"), NOBODY),
            ),
            **context,
        )


def read_ticket(element: Element, delivery: Delivery, source: SourceConfig) -> Ticket:
    value = element.value
    ticket_id, at = both(lambda: need(value, "detail", "id"), lambda: iso(value, "time"))
    detail = mapping(value, "detail")
    return Ticket(element, delivery, source, ticket_id, at, detail, mapping(value, "event"), _actor(detail))


def _actor(detail: dict[str, Any]) -> v.Actor | None:
    who = text(detail, "actor_id")
    if who is None:
        return None
    if who == _SYSTEM:
        return "system"
    return "customer" if who == text(detail, "requester_id") else "agent"


def ticket_url(source: SourceConfig, ticket_id: str) -> str | None:
    base = web_url(source.settings.get("base_url"))
    return f"{base.rstrip('/')}/agent/tickets/{ticket_id}" if base else None


def _fields(ticket: Ticket) -> dict[str, Any]:
    """Of the snapshot that every ticket event carries: what it says, absent where it says nothing."""
    detail = ticket.detail
    found = {"subject": text(detail, "subject"), "priority": priority(detail, "priority")}
    known = {key: one for key, one in found.items() if one}
    return {**known, "tags": texts(detail, "tags")} if isinstance(detail.get("tags"), list) else known


def _created(ticket: Ticket) -> list[Event]:
    detail, status = ticket.detail, STATUSES.get((text(ticket.detail, "status") or "").lower())
    native = {"via": text(detail, "via", "channel"), "status": text(detail, "status")}
    opened = ticket.event(
        "ticket.opened",
        b.InteractionOpened(
            interaction=ticket.id,
            text=plain_text(text(detail, "description")) or UNSET,
            team=text(detail, "group_id") or UNSET,
            **_fields(ticket),
        ),
        initiative="reactive" if ticket.actor == "customer" else None,
        native={key: one for key, one in native.items() if one} or None,
    )
    if status in (None, "new", "open"):
        return [opened]
    # Entered with its outcome, such as a call that was logged afterwards: no change of status follows.
    body = b.InteractionStatusChanged(interaction=ticket.id, status=status)
    return [opened, ticket.event("ticket.status", body)]


def _status_changed(ticket: Ticket) -> list[Event]:
    name = (text(ticket.happened, "current") or need(ticket.element.value, "detail", "status")).lower()
    if name in ("deleted", "scrubbed"):
        return _removed("deleted")(ticket)
    status = STATUSES.get(name)
    if status is None:
        raise Unreadable("/event/current", "unknown status", "unknown_value")
    previous = STATUSES.get((text(ticket.happened, "previous") or "").lower(), UNSET)
    return [
        ticket.event(
            "ticket.status",
            b.InteractionStatusChanged(interaction=ticket.id, status=status, previous=previous),
        )
    ]


def _comment_added(ticket: Ticket) -> Outcome:
    value, comment = ticket.element.value, mapping(ticket.happened, "comment")
    words = plain_text(text(comment, "body"))
    if _is_description(ticket, words):
        return Ignored("the first comment, told by ticket.created")
    requester, who = text(ticket.detail, "requester_id"), text(comment, "author", "id")
    public = flag(comment, "is_public")
    if public is None:
        raise Unreadable("/event/comment/is_public", "missing or no flag", "missing")
    author = _comment_author(flag(comment, "author", "is_staff"), who, requester)
    message = text(comment, "id") or ticket.element.dedupe or need(value, "event", "comment", "id")
    body = b.InteractionMessage(
        interaction=ticket.id,
        message=message,
        author=author,
        public=public,
        text=words or UNSET,
        agent=who if author == "agent" and who else UNSET,
        team=text(ticket.detail, "group_id") or UNSET if author == "agent" else UNSET,
        author_identifiers=(ticket.source.user(who),)
        if author == "customer" and who and who != requester
        else UNSET,
    )
    return [ticket.event("ticket.message", body, actor=author)]


def _comment_author(staff: bool | None, who: str | None, requester: str | None) -> v.Actor:
    """An agent who asks for help as a requester is the customer of that ticket."""
    if who == _SYSTEM:
        return "system"
    if who is not None and who == requester:
        return "customer"
    return "agent" if staff else "customer"


def _is_description(ticket: Ticket, words: str | None) -> bool:
    """Zendesk tells the words of a new ticket twice, as its description and as its first comment."""
    try:
        created = iso(ticket.detail, "created_at")
    except Unreadable:
        return False
    if words is None or created is None or ticket.at is None:
        return False
    return words == plain_text(text(ticket.detail, "description")) and ticket.at - created < _SAME_MOMENT


def _updated(ticket: Ticket) -> list[Event]:
    body = b.InteractionUpdated(interaction=ticket.id, **_fields(ticket))
    return [ticket.event("ticket.updated", body)]


def _group_changed(ticket: Ticket) -> list[Event]:
    team = text(ticket.happened, "current") or text(ticket.detail, "group_id")
    body = b.InteractionUpdated(interaction=ticket.id, team=team)
    return [ticket.event("ticket.updated", body)]


def _assigned(ticket: Ticket) -> list[Event]:
    body = b.InteractionHandover(
        interaction=ticket.id,
        from_=text(ticket.happened, "previous") or UNSET,
        to=text(ticket.happened, "current") or UNSET,
    )
    return [ticket.event("ticket.handover", body)]


def _merged(ticket: Ticket) -> list[Event]:
    into = next((one for path in _TARGETS if (one := text(ticket.happened, *path))), None)
    if into is None:
        raise Unreadable("/event", "the ticket that it was merged into is not named", "missing")
    return [ticket.event("ticket.merged", b.InteractionMerged(interaction=ticket.id, into=into))]


def _removed(reason: v.RemovalReason) -> Callable[[Ticket], list[Event]]:
    def read(ticket: Ticket) -> list[Event]:
        body = b.InteractionRemoved(interaction=ticket.id, reason=reason)
        return [ticket.event("ticket.removed", body)]

    return read


def _rated(ticket: Ticket) -> Outcome:
    told = dig(ticket.happened, "satisfaction_score") or dig(ticket.happened, "satisfaction_rating")
    body = answered(ticket.id, text(told, "score") or text(told), text(told, "comment"))
    if body is None:
        return Ignored("no rating yet")
    return [ticket.event("survey.answered", body, actor="customer")]


READERS: Final[dict[str, Callable[[Ticket], Outcome]]] = {
    "created": _created,
    "status_changed": _status_changed,
    "comment_added": _comment_added,
    "priority_changed": _updated,
    "subject_changed": _updated,
    "tags_changed": _updated,
    "organization_changed": _updated,
    "requester_changed": _updated,
    "undeleted": _updated,
    "group_assignment_changed": _group_changed,
    "agent_assignment_changed": _assigned,
    "merged": _merged,
    "marked_as_spam": _removed("spam"),
    "soft_deleted": _removed("deleted"),
    "permanently_deleted": _removed("deleted"),
    "csat_received": _rated,
}
