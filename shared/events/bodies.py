"""Bodies of every event type, as frozen structs.

An optional field is `UNSET` when the sender said nothing and `None` when the sender says that it is
to be removed (a revision with `null`): the two are told apart, because unknown is never invented.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.events import vocabulary as v

Key = Annotated[str, Meta(min_length=1, max_length=512)]
"""An id of the sender's: part of a natural key, so never empty."""
Text = str | None | UnsetType
Number = int | float | None | UnsetType
Whole = int | None | UnsetType
Flag = bool | None | UnsetType
Texts = tuple[str, ...] | None | UnsetType
PriorityField = v.Priority | None | UnsetType


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A thing of another source: `{"source", "id"}`. A bare text means the event's own source."""

    source: str
    id: str


Ref = str | Reference | None | UnsetType


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """Base of all bodies; unknown fields are tolerated on read."""


class Promises(Body, frozen=True, omit_defaults=True):
    """What this one customer was told: instants, RFC 3339."""

    first_response_at: Text = UNSET
    solution_at: Text = UNSET


class InteractionOpened(Body, frozen=True, omit_defaults=True):
    interaction: Key
    subject: Text = UNSET
    text: Text = UNSET
    priority: PriorityField = UNSET
    tags: Texts = UNSET
    team: Text = UNSET
    follows: Ref = UNSET
    promises: Promises | None | UnsetType = UNSET
    author_identifiers: Texts = UNSET


class InteractionUpdated(InteractionOpened, frozen=True, omit_defaults=True):
    """Any field of the opening again; what is absent stays as it was."""


class InteractionMessage(Body, frozen=True, omit_defaults=True):
    interaction: Key
    message: Key
    author: v.Actor
    public: bool
    text: Text = UNSET
    agent: Text = UNSET
    team: Text = UNSET
    author_identifiers: Texts = UNSET


class InteractionStatusChanged(Body, frozen=True, omit_defaults=True):
    interaction: Key
    status: v.InteractionStatus
    previous: v.InteractionStatus | None | UnsetType = UNSET
    until: Text = UNSET
    waited_s: Number = UNSET
    answered: Flag = UNSET


class InteractionHandover(Body, frozen=True, omit_defaults=True):
    interaction: Key
    from_: Text = msgspec.field(default=UNSET, name="from")
    to: Text = UNSET
    reason: v.HandoverReason | None | UnsetType = UNSET


class InteractionMerged(Body, frozen=True, omit_defaults=True):
    interaction: Key
    into: Key | Reference


class InteractionRemoved(Body, frozen=True, omit_defaults=True):
    interaction: Key
    reason: v.RemovalReason


class SelfserviceAttempted(Body, frozen=True, omit_defaults=True):
    attempt: Key
    query: Text = UNSET
    article: Text = UNSET
    helped: Flag = UNSET


class SurveyNotice(Body, frozen=True, omit_defaults=True):
    """A survey was sent, or its receiver unsubscribed."""

    survey: str
    response: Text = UNSET
    metric: v.Metric | None | UnsetType = UNSET


class SurveyAnswered(Body, frozen=True, omit_defaults=True):
    """One question of one response. `scale` is [min, max] of the native `score`."""

    response: Key
    metric: v.Metric
    question: Text = UNSET
    wording: Text = UNSET
    survey: Text = UNSET
    score: Number = UNSET
    scale: tuple[int | float, int | float] | None | UnsetType = UNSET
    better: v.Better | None | UnsetType = UNSET
    comment: Text = UNSET
    reason: Text = UNSET
    choices: Texts = UNSET
    complete: Flag = UNSET
    about: Ref = UNSET
    author_identifiers: Texts = UNSET


class ReviewPosted(Body, frozen=True, omit_defaults=True):
    review: Key
    site: str
    score: Number = UNSET
    scale: tuple[int | float, int | float] | None | UnsetType = UNSET
    text: Text = UNSET
    author_identifiers: Texts = UNSET


class ReviewRemoved(Body, frozen=True, omit_defaults=True):
    review: Key
    site: Text = UNSET


class SubscriptionEvent(Body, frozen=True, omit_defaults=True):
    """Amounts in minor units of `currency`; `period_end`, `trial_end` are instants."""

    subscription: Key
    amount: Whole = UNSET
    currency: Text = UNSET
    interval: Text = UNSET
    plan: Text = UNSET
    seats: Whole = UNSET
    previous_amount: Whole = UNSET
    period_end: Text = UNSET
    trial_end: Text = UNSET
    voluntary: Flag = UNSET
    reason: Text = UNSET
    comment: Text = UNSET
    referred_by: Text = UNSET


class PurchaseMade(Body, frozen=True, omit_defaults=True):
    order: Key
    amount: Whole = UNSET
    currency: Text = UNSET
    reason: Text = UNSET


class PurchaseRefunded(PurchaseMade, frozen=True, omit_defaults=True):
    refund: Text = UNSET


class PaymentEvent(Body, frozen=True, omit_defaults=True):
    invoice: Key
    attempt: Key | int | None | UnsetType = UNSET
    amount: Whole = UNSET
    currency: Text = UNSET


class Referral(Body, frozen=True, omit_defaults=True):
    referral: Key
    referred: Text = UNSET
    existing_customer: Flag = UNSET


class MentionMade(Body, frozen=True, omit_defaults=True):
    mention: Key
    where: str
    public: bool
    stance: v.Stance | None | UnsetType = UNSET
    text: Text = UNSET
    author_identifiers: Texts = UNSET


class Touchpoint(Body, frozen=True, omit_defaults=True):
    touchpoint_id: Key
    name: str
    due_at: Text = UNSET
    text: Text = UNSET
    by: Text = UNSET


class InquiryNoted(Body, frozen=True, omit_defaults=True):
    inquiry: Key
    text: str
    by: str


class FeatureEvent(Body, frozen=True, omit_defaults=True):
    request: Key
    title: Text = UNSET
    text: Text = UNSET
    status: Text = UNSET


class UsageObserved(Body, frozen=True, omit_defaults=True):
    feature: Text = UNSET
    count: Number = UNSET
    from_: Text = msgspec.field(default=UNSET, name="from")
    to: Text = UNSET
    active_users: Whole = UNSET
    seats: Whole = UNSET


class CustomerIdentified(Body, frozen=True, omit_defaults=True):
    """Attributes of a customer. `value` is the expected yearly revenue in minor units of `currency`."""

    name: Text = UNSET
    persona: Text = UNSET
    segment: Text = UNSET
    region: Text = UNSET
    language: Text = UNSET
    time_zone: Text = UNSET
    role: Text = UNSET
    owner: Text = UNSET
    value: Whole = UNSET
    currency: Text = UNSET
    renewal_at: Text = UNSET
    since: Text = UNSET
    left_at: Text = UNSET


class CustomerLinked(Body, frozen=True, omit_defaults=True):
    """All identifiers of the event are one customer."""

    reason: str


class EventRetracted(Body, frozen=True, omit_defaults=True):
    event: Key
    reason: Text = UNSET


class CouncilActed(Body, frozen=True, omit_defaults=True):
    alert: Key
    action: str
    by: str
    note: Text = UNSET


_INTERACTION: dict[str, type[Body]] = {
    "opened": InteractionOpened,
    "updated": InteractionUpdated,
    "message": InteractionMessage,
    "status": InteractionStatusChanged,
    "handover": InteractionHandover,
    "merged": InteractionMerged,
    "removed": InteractionRemoved,
}
_SUBSCRIPTION_VERBS = (
    "started trial_started renewed changed expanded contracted paused resumed"
    " cancel_scheduled cancel_revoked cancelled"
).split()

BODIES: dict[str, type[Body]] = {
    **{f"ticket.{verb}": body for verb, body in _INTERACTION.items()},
    **{f"chat.{verb}": body for verb, body in _INTERACTION.items()},
    **{f"call.{verb}": body for verb, body in _INTERACTION.items() if verb not in ("message", "merged")},
    "call.note": InteractionMessage,
    "selfservice.attempted": SelfserviceAttempted,
    "survey.sent": SurveyNotice,
    "survey.unsubscribed": SurveyNotice,
    "survey.answered": SurveyAnswered,
    "review.posted": ReviewPosted,
    "review.removed": ReviewRemoved,
    **{f"subscription.{verb}": SubscriptionEvent for verb in _SUBSCRIPTION_VERBS},
    "purchase.made": PurchaseMade,
    "purchase.refunded": PurchaseRefunded,
    "payment.failed": PaymentEvent,
    "payment.recovered": PaymentEvent,
    "payment.disputed": PaymentEvent,
    "referral.made": Referral,
    "referral.converted": Referral,
    "mention.made": MentionMade,
    "touchpoint.planned": Touchpoint,
    "touchpoint.held": Touchpoint,
    "touchpoint.missed": Touchpoint,
    "inquiry.noted": InquiryNoted,
    "feature.requested": FeatureEvent,
    "feature.updated": FeatureEvent,
    "usage.observed": UsageObserved,
    "customer.identified": CustomerIdentified,
    "customer.linked": CustomerLinked,
    "event.retracted": EventRetracted,
    "council.acted": CouncilActed,
}
"""Short event type (`noun.verb`) → its body."""
