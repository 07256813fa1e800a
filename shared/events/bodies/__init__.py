"""Bodies of every event type, as frozen structs, and the table of them."""

from __future__ import annotations

from shared.events.bodies.base import Body, Reference
from shared.events.bodies.commerce import (
    PaymentEvent,
    PurchaseMade,
    PurchaseRefunded,
    SubscriptionEvent,
    UsageObserved,
)
from shared.events.bodies.interactions import (
    InteractionHandover,
    InteractionMerged,
    InteractionMessage,
    InteractionOpened,
    InteractionRemoved,
    InteractionStatusChanged,
    InteractionUpdated,
    Promises,
    SelfserviceAttempted,
)
from shared.events.bodies.relations import (
    CouncilActed,
    CustomerIdentified,
    CustomerLinked,
    EventRetracted,
    Touchpoint,
)
from shared.events.bodies.voices import (
    FeatureEvent,
    InquiryNoted,
    MentionMade,
    Referral,
    ReviewPosted,
    ReviewRemoved,
    SurveyAnswered,
    SurveyNotice,
)

__all__ = [
    "BODIES",
    "Body",
    "CouncilActed",
    "CustomerIdentified",
    "CustomerLinked",
    "EventRetracted",
    "FeatureEvent",
    "InquiryNoted",
    "InteractionHandover",
    "InteractionMerged",
    "InteractionMessage",
    "InteractionOpened",
    "InteractionRemoved",
    "InteractionStatusChanged",
    "InteractionUpdated",
    "MentionMade",
    "PaymentEvent",
    "Promises",
    "PurchaseMade",
    "PurchaseRefunded",
    "Reference",
    "Referral",
    "ReviewPosted",
    "ReviewRemoved",
    "SelfserviceAttempted",
    "SubscriptionEvent",
    "SurveyAnswered",
    "SurveyNotice",
    "Touchpoint",
    "UsageObserved",
]

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
