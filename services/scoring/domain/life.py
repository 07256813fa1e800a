"""Signs of life: what the customer did of its own accord, and on which days."""

from __future__ import annotations

from typing import Final, NamedTuple

from services.scoring.domain.types import Episode
from shared.events import Event
from shared.events import bodies as b
from shared.events.times import DAY, Micros

_LANDMARK: Final = 946_684_800_000_000  # 2000-01-01T00:00:00Z
_OTHERS: Final = ("agent", "bot", "system")
_BY_DEED: Final = frozenset(
    (
        "selfservice.attempted",
        "survey.answered",
        "review.posted",
        "subscription.started",
        "subscription.trial_started",
        "subscription.renewed",
        "subscription.expanded",
        "subscription.contracted",
        "subscription.paused",
        "subscription.resumed",
        "subscription.cancel_scheduled",
        "subscription.cancel_revoked",
        "purchase.made",
        "payment.recovered",
        "referral.made",
        "mention.made",
        "touchpoint.held",
        "inquiry.noted",
        "feature.requested",
    )
)
"""Deeds of the customer, whichever tool reports them."""


class Life(NamedTuple):
    """First event at all, last sign of life, and the days (since 2000-01-01 UTC) with one."""

    first: Micros
    last: Micros | None
    days: tuple[int, ...]


def life(episode: Episode) -> Life:
    signs = [one.event.at for one in episode.events if is_sign(one.event)]
    days = sorted({(at - _LANDMARK) // DAY for at in signs})
    first = min(one.event.at for one in episode.events)
    return Life(first, max(signs, default=None), tuple(days))


def is_sign(event: Event) -> bool:
    """Whether the customer itself did this."""
    body = event.body
    if isinstance(body, b.InteractionMessage):
        return body.author == "customer"
    if isinstance(body, b.InteractionStatusChanged):
        return event.actor == "customer"
    if event.type.endswith(".opened"):
        by_them = event.actor not in _OTHERS and event.initiative != "proactive"
        return event.initiative == "reactive" or by_them
    if isinstance(body, b.UsageObserved):
        return body.active_users != 0 and body.count != 0
    return event.type in _BY_DEED
