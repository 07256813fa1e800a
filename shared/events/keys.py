"""Natural keys: which events speak of the same thing, and which of them revise one another."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET

from shared.events import bodies as b
from shared.events.times import format_instant

NaturalKey = tuple[str, ...]
"""Kind first, then ids of the sender; scoped by the event's source."""


def natural_key(event_type: str, body: b.Body, time: datetime, event_id: str) -> NaturalKey:
    """The key under which a later event revises an earlier one, per source.

    interaction (message: + message; status and handover: + time); survey: response + question + metric;
    review; subscription (renewed: + period_end); order (refunded: + refund); invoice + attempt; attempt,
    referral, mention, touchpoint, inquiry, request: their id; everything else: the event id.
    """
    match body:
        case b.InteractionMessage():
            return ("interaction", body.interaction, "message", body.message)
        case b.InteractionStatusChanged():
            return ("interaction", body.interaction, "status", format_instant(time))
        case b.InteractionHandover():
            return ("interaction", body.interaction, "handover", format_instant(time))
        case b.InteractionOpened() | b.InteractionMerged() | b.InteractionRemoved():
            return ("interaction", body.interaction)
        case b.SurveyAnswered():
            return ("survey", body.response, _text(body.question), body.metric)
        case b.SubscriptionEvent() if event_type == "subscription.renewed":
            return ("subscription", body.subscription, "renewed", _text(body.period_end))
        case b.PurchaseRefunded():
            return ("order", body.order, "refund", _text(body.refund))
        case b.PaymentEvent():
            return ("invoice", body.invoice, _text(body.attempt))
    return _by_id(body) or ("event", event_id)


def _by_id(body: b.Body) -> NaturalKey | None:
    match body:
        case b.SubscriptionEvent():
            return ("subscription", body.subscription)
        case b.ReviewPosted() | b.ReviewRemoved():
            return ("review", body.review)
        case b.PurchaseMade():
            return ("order", body.order)
        case b.SelfserviceAttempted():
            return ("attempt", body.attempt)
        case b.Referral():
            return ("referral", body.referral)
        case b.MentionMade():
            return ("mention", body.mention)
        case b.Touchpoint():
            return ("touchpoint", body.touchpoint_id)
        case b.InquiryNoted():
            return ("inquiry", body.inquiry)
        case b.FeatureEvent():
            return ("request", body.request)
    return None


def _text(value: object) -> str:
    return "" if value is UNSET or value is None else str(value)
