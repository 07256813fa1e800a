"""Stripe's money: invoices, one-off purchases, refunds, disputes. Amounts are minor units as they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from services.ingest.domain.parsing import dig, items, seconds, text, whole
from services.ingest.senders._stripe_subscriptions import Told
from shared.events import bodies as b
from shared.events.times import format_instant


def _money(thing: Mapping[str, Any], name: str) -> dict[str, Any]:
    amount, currency = whole(thing, name), text(thing, "currency")
    fields = {"amount": amount, "currency": currency.upper() if currency else None}
    return {key: value for key, value in fields.items() if value is not None}


def _subscription_of(invoice: Mapping[str, Any]) -> str | None:
    """Under `parent` since 2025, on the invoice before, on its lines in between."""
    lines = items(invoice, "lines", "data")
    return (
        text(invoice, "parent", "subscription_details", "subscription")
        or text(invoice, "subscription")
        or next((one for line in lines if (one := text(line, "subscription"))), None)
    )


def invoice_paid(invoice: Mapping[str, Any], key: str) -> list[Told]:
    money = _money(invoice, "amount_paid")
    told: list[Told] = []
    reason, subscription = text(invoice, "billing_reason"), _subscription_of(invoice)
    attempts = whole(invoice, "attempt_count")
    if reason == "subscription_cycle" and subscription:
        ends = [seconds(line, "period", "end") for line in items(invoice, "lines", "data")]
        until = max((one for one in ends if one), default=None)
        body = b.SubscriptionEvent(
            subscription=subscription, period_end=format_instant(until) if until else UNSET, **money
        )
        told.append(("subscription.renewed", body, "customer"))
    elif reason in (None, "manual") and subscription is None:
        told.append(("purchase.made", b.PurchaseMade(order=key, **money), "customer"))
    if attempts is not None and attempts > 1:
        recovered = b.PaymentEvent(invoice=key, attempt=attempts, **money)
        told.append(("payment.recovered", recovered, None))
    return told


def payment_failed(invoice: Mapping[str, Any], key: str) -> list[Told]:
    attempt = whole(invoice, "attempt_count")
    body = b.PaymentEvent(
        invoice=key,
        attempt=UNSET if attempt is None else attempt,
        **_money(invoice, "amount_due"),
    )
    return [("payment.failed", body, None)]


def checkout_completed(session: Mapping[str, Any], key: str) -> list[Told]:
    """A one-off purchase; its order is the invoice where there is one, so that it counts once."""
    if text(session, "mode") != "payment" or text(session, "payment_status") == "unpaid":
        return []
    order = text(session, "invoice") or text(session, "payment_intent") or key
    body = b.PurchaseMade(order=order, **_money(session, "amount_total"))
    return [("purchase.made", body, "customer")]


def refunded(charge: Mapping[str, Any], before: Mapping[str, Any], key: str) -> list[Told]:
    """The amount of this refund: the charge carries the sum of all, `previous_attributes` the sum before."""
    money, sum_before = _money(charge, "amount_refunded"), whole(before, "amount_refunded") or 0
    sum_of_all = money.get("amount")
    refund = text(dig(charge, "refunds", "data", 0), "id")
    body = b.PurchaseRefunded(
        order=text(charge, "invoice") or text(charge, "payment_intent") or key,
        refund=refund or f"{key}-{sum_of_all or 0}",
        **(money | ({"amount": sum_of_all - sum_before} if sum_of_all is not None else {})),
    )
    return [("purchase.refunded", body, None)]


def disputed(dispute: Mapping[str, Any], key: str) -> list[Told]:
    paid = text(dispute, "payment_intent") or text(dispute, "charge") or key
    return [("payment.disputed", b.PaymentEvent(invoice=paid, **_money(dispute, "amount")), "customer")]
