"""Stripe's subscriptions: what changed is told by `previous_attributes`, which has old values only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from services.ingest.domain.parsing import flag, items, mapping, plain_text, seconds, text, whole
from shared.events import Body
from shared.events import bodies as b
from shared.events import vocabulary as v
from shared.events.times import format_instant

_PER_YEAR: Final = {"day": 365, "week": 52, "month": 12, "year": 1}
_INVOLUNTARY: Final = ("payment_failed", "payment_disputed")
_NOT_YET: Final = ("incomplete", "incomplete_expired")

Told = tuple[str, Body, v.Actor | None]
"""Event type, body, and whose doing it was."""


class Price(NamedTuple):
    """What a subscription costs per `interval`, in minor units; None: not told."""

    amount: int | None = None
    interval: str | None = None
    per_year: int | None = None
    plan: str | None = None
    seats: int | None = None

    @property
    def yearly(self) -> Fraction | None:
        if self.amount is None or self.per_year is None:
            return None
        return Fraction(self.amount) * self.per_year


def price_of(subscription: Mapping[str, Any]) -> Price:
    """The sum over the items; older API versions have one `plan` and `quantity` on the subscription."""
    lines = [one for one in items(subscription, "items", "data") if isinstance(one, dict)]
    if not lines and isinstance(subscription.get("plan"), dict):
        lines = [{"plan": subscription["plan"], "quantity": subscription.get("quantity")}]
    if not lines:
        return Price()
    parts = [_line(one) for one in lines]
    known = [amount for amount, _ in parts if amount is not None]
    amount = sum(known) if len(known) == len(parts) else None
    recurring = mapping(lines[0], "price", "recurring") or mapping(lines[0], "plan")
    interval, every = text(recurring, "interval"), whole(recurring, "interval_count") or 1
    per_year = _PER_YEAR.get(interval or "")
    name = text(lines[0], "price", "nickname") or text(lines[0], "plan", "nickname")
    return Price(
        amount=amount,
        interval=interval if every == 1 or interval is None else f"{every} {interval}",
        per_year=per_year // every if per_year and every > 0 and per_year % every == 0 else None,
        plan=name or text(lines[0], "price", "id") or text(lines[0], "plan", "id"),
        seats=parts[0][1] if len(parts) == 1 else None,
    )


def _line(line: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """(amount, quantity) of one item; the amount is None for tiered and metered prices."""
    quantity = whole(line, "quantity")
    unit = whole(line, "price", "unit_amount")
    unit = whole(line, "plan", "amount") if unit is None else unit
    return (None if unit is None else unit * (1 if quantity is None else quantity)), quantity


def period_end(subscription: Mapping[str, Any]) -> datetime | None:
    """On the items since 2025, on the subscription before."""
    ends = [seconds(one, "current_period_end") for one in items(subscription, "items", "data")]
    return max((one for one in ends if one), default=None) or seconds(subscription, "current_period_end")


def created(subscription: Mapping[str, Any], key: str) -> list[Told]:
    status = text(subscription, "status")
    if status in _NOT_YET:
        return []
    verb = "trial_started" if status == "trialing" else "started"
    return [(f"subscription.{verb}", _body(subscription, key), None)]


def deleted(subscription: Mapping[str, Any], key: str) -> list[Told]:
    details = mapping(subscription, "cancellation_details")
    cause = text(details, "reason")
    wanted = None if cause is None else cause not in _INVOLUNTARY
    body = _body(
        subscription,
        key,
        voluntary=UNSET if wanted is None else wanted,
        reason=text(details, "feedback") or cause or UNSET,
        comment=plain_text(text(details, "comment")) or UNSET,
    )
    return [("subscription.cancelled", body, "customer" if wanted else None)]


def updated(subscription: Mapping[str, Any], before: Mapping[str, Any], key: str) -> list[Told]:
    """What a customer would call a change; nothing for a new period, a default card or other fields."""
    return [
        *_by_status(subscription, before, key),
        *_by_cancellation(subscription, before, key),
        *_by_price(subscription, before, key),
    ]


def _by_status(subscription: Mapping[str, Any], before: Mapping[str, Any], key: str) -> list[Told]:
    now, was = text(subscription, "status"), text(before, "status")
    verb = None
    if "status" in before and now != was:
        if now == "trialing":
            verb = "trial_started"
        elif now == "active" and (was == "trialing" or was in _NOT_YET):
            verb = "started"
        elif now == "paused":
            verb = "paused"
        elif was == "paused":
            verb = "resumed"
    if verb is None and "pause_collection" in before:
        verb = "paused" if isinstance(subscription.get("pause_collection"), dict) else "resumed"
    return [(f"subscription.{verb}", _body(subscription, key), None)] if verb else []


def _by_cancellation(subscription: Mapping[str, Any], before: Mapping[str, Any], key: str) -> list[Told]:
    """Scheduled by the flag, or by a date (`cancel_at`), which is how newer billing modes do it."""
    if "cancel_at_period_end" not in before and "cancel_at" not in before:
        return []
    ends_now = (
        bool(flag(subscription, "cancel_at_period_end")) or whole(subscription, "cancel_at") is not None
    )
    flag_before = before.get("cancel_at_period_end", subscription.get("cancel_at_period_end"))
    date_before = before.get("cancel_at", subscription.get("cancel_at"))
    ended_before = flag_before is True or date_before is not None
    if ends_now == ended_before:
        return []
    details = mapping(subscription, "cancellation_details")
    if not ends_now:
        return [("subscription.cancel_revoked", _body(subscription, key), "customer")]
    ends_at = seconds(subscription, "cancel_at") or period_end(subscription)
    body = _body(
        subscription,
        key,
        period_end=format_instant(ends_at) if ends_at else UNSET,
        voluntary=text(details, "reason") not in _INVOLUNTARY,
        reason=text(details, "feedback") or text(details, "reason") or UNSET,
        comment=plain_text(text(details, "comment")) or UNSET,
    )
    return [("subscription.cancel_scheduled", body, "customer")]


def _by_price(subscription: Mapping[str, Any], before: Mapping[str, Any], key: str) -> list[Told]:
    old_fields = {name: before[name] for name in ("items", "plan", "quantity") if name in before}
    if not old_fields:
        return []
    base = {name: subscription.get(name) for name in ("items", "plan", "quantity")}
    if "items" not in old_fields:
        base.pop("items")
    now, was = price_of(subscription), price_of(base | old_fields)
    if now[:4] == was[:4] and now.seats == was.seats:
        return []
    verb = "changed"
    if now.yearly is not None and was.yearly is not None and now.yearly != was.yearly:
        verb = "expanded" if now.yearly > was.yearly else "contracted"
    body = _body(subscription, key, previous_amount=UNSET if was.amount is None else was.amount)
    return [(f"subscription.{verb}", body, None)]


def _body(subscription: Mapping[str, Any], key: str, **more: Any) -> b.SubscriptionEvent:  # noqa: ANN401
    price, until = price_of(subscription), period_end(subscription)
    trial_end = seconds(subscription, "trial_end")
    currency = text(subscription, "currency")
    fields: dict[str, Any] = {
        "amount": price.amount,
        "currency": currency.upper() if currency else None,
        "interval": price.interval,
        "plan": price.plan,
        "seats": price.seats,
        "period_end": format_instant(until) if until else None,
        "trial_end": format_instant(trial_end) if trial_end else None,
    }
    known = {name: one for name, one in fields.items() if one is not None}
    return b.SubscriptionEvent(subscription=key, **(known | more))


def worth(subscription: Mapping[str, Any]) -> b.CustomerIdentified | None:
    """The expected yearly revenue and the day of renewal, as a customer's attributes; None if not told."""
    price, until, currency = price_of(subscription), period_end(subscription), text(subscription, "currency")
    if price.yearly is None or currency is None:
        return None
    return b.CustomerIdentified(
        value=round(price.yearly),
        currency=currency.upper(),
        renewal_at=format_instant(until) if until else UNSET,
    )
