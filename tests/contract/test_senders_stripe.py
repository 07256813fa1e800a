"""Stripe: what each event says of a subscription, a payment, a customer."""

from __future__ import annotations

from typing import Any

import pytest

from services.ingest.domain.sender import Bad, Verified
from services.ingest.senders import senders
from tests.contract.senders_table import NOW, config, deliver, fixture, told
from tests.senders_kit import SECRETS, sign

END = "2027-03-01T00:00:00Z"
TEAM = {
    "subscription": "sub_acme",
    "amount": 120000,
    "currency": "EUR",
    "interval": "year",
    "plan": "team",
    "seats": 10,
    "period_end": END,
}
WORTH = ("customer.identified", None, {"value": 120000, "currency": "EUR", "renewal_at": END})
RENEWED = {key: TEAM[key] for key in ("subscription", "amount", "currency", "period_end")}
Row = tuple[str, str | None, dict[str, Any]]

TOLD: dict[str, list[Row]] = {
    "subscription_created": [("subscription.started", None, TEAM), WORTH],
    "subscription_trial": [
        ("subscription.trial_started", None, {**TEAM, "trial_end": "2026-03-15T00:00:00Z"}),
        WORTH,
    ],
    "subscription_trial_converted": [("subscription.started", None, TEAM), WORTH],
    "subscription_expanded": [
        ("subscription.expanded", None, {**TEAM, "amount": 180000, "seats": 15, "previous_amount": 120000}),
        (*WORTH[:2], {**WORTH[2], "value": 180000}),
    ],
    "subscription_contracted": [
        ("subscription.contracted", None, {**TEAM, "amount": 48000, "seats": 4, "previous_amount": 120000}),
        (*WORTH[:2], {**WORTH[2], "value": 48000}),
    ],
    "subscription_to_monthly": [
        (
            "subscription.changed",
            None,
            {**TEAM, "amount": 10000, "interval": "month", "plan": "flex", "previous_amount": 120000},
        ),
        WORTH,
    ],
    "subscription_new_period": [WORTH],
    "subscription_cancel_scheduled": [
        (
            "subscription.cancel_scheduled",
            "customer",
            {**TEAM, "voluntary": True, "reason": "customer_service", "comment": "Too slow for us."},
        ),
        WORTH,
    ],
    "subscription_cancel_by_date": [
        ("subscription.cancel_scheduled", "customer", {**TEAM, "voluntary": True}),
        WORTH,
    ],
    "subscription_cancel_revoked": [("subscription.cancel_revoked", "customer", TEAM), WORTH],
    "subscription_paused": [("subscription.paused", None, TEAM), WORTH],
    "subscription_resumed": [("subscription.resumed", None, {"subscription": "sub_acme"})],
    "subscription_deleted": [
        (
            "subscription.cancelled",
            "customer",
            {
                **TEAM,
                "voluntary": True,
                "reason": "customer_service",
                "comment": "We were never called back.",
            },
        )
    ],
    "subscription_deleted_unpaid": [
        ("subscription.cancelled", None, {**TEAM, "voluntary": False, "reason": "payment_failed"})
    ],
    "invoice_renewed": [("subscription.renewed", "customer", RENEWED)],
    "invoice_recovered": [
        ("subscription.renewed", "customer", RENEWED),
        (
            "payment.recovered",
            None,
            {"invoice": "in_3", "attempt": 3, "amount": 120000, "currency": "EUR"},
        ),
    ],
    "invoice_one_off": [("purchase.made", "customer", {"order": "in_5", "amount": 9900, "currency": "EUR"})],
    "invoice_payment_failed": [
        ("payment.failed", None, {"invoice": "in_3", "attempt": 2, "amount": 120000, "currency": "EUR"})
    ],
    "checkout_payment": [("purchase.made", "customer", {"order": "pi_1", "amount": 4900, "currency": "EUR"})],
    "charge_refunded": [
        (
            "purchase.refunded",
            None,
            {"order": "pi_1", "refund": "ch_1-1900", "amount": 1000, "currency": "EUR"},
        )
    ],
    "customer_created": [("customer.identified", None, {"name": "Acme Works", "language": "de"})],
    "subscription_incomplete": [],
    "subscription_card_changed": [],
    "invoice_first": [],
    "customer_balance": [],
    "trial_will_end": [],
    "thin_event": [],
}


@pytest.mark.parametrize("name", TOLD)
def test_event_in_the_contracts_words(name: str) -> None:
    found = told("stripe", name)
    assert [(one["type"], one.get("actor"), one["body"]) for one in found] == TOLD[name]
    own = ("account:acme",) if name in ("subscription_created", "customer_created") else ()
    for one in found:
        assert one["time"] == "2026-03-01T09:30:00Z"
        assert one["identifiers"] == (*own, "desk.org:cus_acme")


def test_subscription_of_an_old_api_version() -> None:
    expanded, worth = told("stripe", "subscription_old_api")
    assert (expanded["type"], expanded["body"]["amount"]) == ("subscription.expanded", 15000)
    assert (expanded["body"]["previous_amount"], expanded["body"]["interval"]) == (10000, "3 month")
    assert (worth["body"]["value"], worth["body"]["renewal_at"]) == (60000, END)


def test_customers_are_persons_if_the_source_says_so() -> None:
    source = config("stripe", settings={"customers_are": "person"})
    (event,) = told("stripe", "customer_created", source)
    assert event["identifiers"] == ("email:billing@example.com", "desk.contact:cus_acme", "account:acme")


def test_dispute_knows_the_address_only() -> None:
    (event,) = told("stripe", "dispute_created")
    assert (event["type"], event["identifiers"]) == ("payment.disputed", ("email:robin@example.com",))
    assert event["body"] == {"invoice": "pi_1", "amount": 4900, "currency": "EUR"}


def test_value_is_left_alone_if_the_source_says_so() -> None:
    source = config("stripe", settings={"value_from": "none"})
    assert [event["type"] for event in told("stripe", "subscription_created", source)] == [
        "subscription.started"
    ]


def test_nobody_named_is_kept() -> None:
    body = fixture("stripe", "invoice_renewed")
    body["data"]["object"] |= {"customer": None, "customer_email": None}
    result = deliver("stripe", body)
    assert (result.rejected, result.reasons[0].code) == (1, "nobody")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ["/type", "/data/object", "/data/object/id"]),
        ({"type": "invoice.paid", "created": "soon"}, ["/created", "/data/object", "/data/object/id"]),
        ({"type": "invoice.paid", "data": {"object": {}}}, ["/data/object/id"]),
    ],
)
def test_every_reason_is_told(body: dict[str, Any], where: list[str]) -> None:
    assert [reason.where for reason in deliver("stripe", body).reasons] == where


@pytest.mark.parametrize(
    ("header", "good"),
    [
        ("{t},{v1}", True),
        ("{v1},{t}", True),
        ("{t},v1=" + "0" * 64 + ",{v1}", True),
        ("{t}, {v1}", True),
        ("{t},v0={hex}", False),
        ("{v1}", False),
        ("t=,{v1}", False),
        ("t=soon,{v1}", False),
        ("t=٣,{v1}", False),
        ("t=99999999999999999999999,{v1}", False),
        ("{t}", False),
        ("=,=,=", False),
    ],
)
def test_signature_header(header: str, good: bool) -> None:
    delivery = sign("stripe", b"{}", SECRETS["stripe"], at=NOW).delivery(NOW)
    stamp, v1, _ = delivery.headers["stripe-signature"].split(",")
    given = header.format(t=stamp, v1=v1, hex=v1.partition("=")[2])
    verdict = senders()["stripe"].verify(
        delivery._replace(headers={"stripe-signature": given}), config("stripe"), NOW
    )
    assert isinstance(verdict, Verified if good else Bad)
