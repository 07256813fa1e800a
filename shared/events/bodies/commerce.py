"""What customers buy, pay and use."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from shared.events.bodies.base import Body, Flag, Key, Number, Text, Whole


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


class UsageObserved(Body, frozen=True, omit_defaults=True):
    feature: Text = UNSET
    count: Number = UNSET
    from_: Text = msgspec.field(default=UNSET, name="from")
    to: Text = UNSET
    active_users: Whole = UNSET
    seats: Whole = UNSET
