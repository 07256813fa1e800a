"""One line for people about an event: what happened, in plain words, never longer than a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shared.events import Event
from shared.events import bodies as b

_LENGTH: Final = 140
_VERBS: Final = {
    "survey.sent": "Survey sent",
    "survey.unsubscribed": "Unsubscribed from surveys",
    "review.removed": "Review taken down",
    "purchase.made": "Purchase",
    "purchase.refunded": "Purchase refunded",
    "payment.failed": "Payment failed",
    "payment.recovered": "Payment recovered",
    "payment.disputed": "Payment disputed",
    "customer.linked": "Identifiers linked",
    "event.retracted": "Event retracted",
    "usage.observed": "Usage reported",
    "subscription.trial_started": "Trial started",
    "subscription.cancel_scheduled": "Cancellation scheduled",
    "subscription.cancel_revoked": "Cancellation revoked",
}
_SCALES: Final = {"nps": 10, "csat": 5, "ces": 7, "rating": 5}


def summary(event: Event) -> str:
    """`Ticket opened: Nobody can sign in`, `NPS 2 of 10: never again`, `Cancellation scheduled`."""
    body = event.body
    writer = _WRITERS.get(type(body))
    return _line(*(writer(event) if writer else (_plain(event), _detail(body))))


def _line(head: str, detail: object) -> str:
    words = " ".join(detail.split()) if isinstance(detail, str) else ""
    line = f"{head}: {words}" if words else head
    return line if len(line) <= _LENGTH else line[: _LENGTH - 1].rstrip() + "…"


def _plain(event: Event) -> str:
    return _VERBS.get(event.type) or f"{event.noun} {event.verb.replace('_', ' ')}".capitalize()


def _detail(body: b.Body) -> object:
    for name in ("subject", "title", "name", "comment", "text", "reason"):
        value = getattr(body, name, None)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _message(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.InteractionMessage)
    who = {"customer": "Customer wrote", "agent": "Agent replied", "bot": "Bot replied"}
    head = who.get(body.author, "Message") if body.public else "Internal note"
    # What colleagues tell each other is no part of the customer's story.
    return head, body.text if body.public else None


def _status(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.InteractionStatusChanged)
    reopened = body.status in ("open", "new") and body.previous == "solved"
    return f"{event.noun.capitalize()} {'reopened' if reopened else 'now ' + body.status}", None


def _handover(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.InteractionHandover)
    to = f" to {body.to}" if isinstance(body.to, str) else ""
    return f"{event.noun.capitalize()} handed over{to}", None


def _survey(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.SurveyAnswered)
    name = body.metric.upper() if body.metric in ("nps", "csat", "ces") else body.metric.capitalize()
    if isinstance(body.score, int | float):
        top = body.scale[1] if isinstance(body.scale, tuple) else _SCALES.get(body.metric)
        name = f"{name} {body.score:g}" + (f" of {top:g}" if top is not None else "")
    comment = body.comment if isinstance(body.comment, str) else body.reason
    return name, comment


def _review(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.ReviewPosted)
    score = f", {body.score:g} stars" if isinstance(body.score, int | float) else ""
    return f"Review on {body.site}{score}", body.text


def _mention(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.MentionMade)
    what = {"praise": "Praise", "complaint": "Complaint"}.get(str(body.stance), "Mention")
    return f"{what} on {body.where}" if body.public else f"{what} in private", body.text


def _subscription(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.SubscriptionEvent)
    comment = body.comment if isinstance(body.comment, str) else body.reason
    return _plain(event), comment if isinstance(comment, str) else body.plan


def _referral(event: Event) -> tuple[str, object]:
    came = event.verb == "converted"
    return ("A referral became a customer" if came else "Referred somebody"), None


def _touchpoint(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.Touchpoint)
    return f"Touchpoint {event.verb}", body.name


def _attempt(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.SelfserviceAttempted)
    how = {True: "Found help alone", False: "Looked for help in vain"}
    head = how[body.helped] if isinstance(body.helped, bool) else "Looked for help"
    return head, body.query if isinstance(body.query, str) else body.article


def _identified(_event: Event) -> tuple[str, object]:
    return "Customer details updated", None


def _council(event: Event) -> tuple[str, object]:
    body = event.body
    assert isinstance(body, b.CouncilActed)
    return "Council acted", body.action


_WRITERS: Final[dict[type[b.Body], Callable[[Event], tuple[str, object]]]] = {
    b.InteractionMessage: _message,
    b.InteractionStatusChanged: _status,
    b.InteractionHandover: _handover,
    b.SurveyAnswered: _survey,
    b.ReviewPosted: _review,
    b.MentionMade: _mention,
    b.SubscriptionEvent: _subscription,
    b.Referral: _referral,
    b.Touchpoint: _touchpoint,
    b.SelfserviceAttempted: _attempt,
    b.CustomerIdentified: _identified,
    b.CouncilActed: _council,
}
