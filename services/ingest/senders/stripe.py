"""Stripe: subscriptions, invoices, payments, refunds, disputes, customers.

The signature is `Stripe-Signature: t=…,v1=…[,v1=…]`, hex HMAC-SHA256(secret, "{t}.{body}"), with the
secret's text including `whsec_`; one v1 per active secret while one is rolled, five minutes either way.
Amounts are minor units as they come. A customer is an organisation unless the source's settings say
`"customers_are": "person"`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from services.ingest.domain.build import make_event
from services.ingest.domain.parsing import (
    dig,
    mapping,
    need,
    need_mapping,
    read_json,
    seconds,
    text,
)
from services.ingest.domain.sender import (
    Bad,
    Delivery,
    Element,
    Ignored,
    Outcome,
    Sender,
    Setup,
    SourceConfig,
    Unreadable,
    Unsigned,
    Verdict,
)
from services.ingest.domain.signatures import any_matches, hmac_hex, outside_window
from services.ingest.senders import _stripe_payments as payments
from services.ingest.senders import _stripe_subscriptions as subscriptions
from services.ingest.senders._reading import both, customer_of, guessed, prefixed, unix_header
from services.ingest.senders._stripe_subscriptions import Told
from shared.events import bodies as b

_SIGNATURE: Final = "stripe-signature"
_IDENTITY: Final = frozenset(("name", "email", "phone", "metadata", "preferred_locales"))
_STAGES: Final = {"purchase.made": "purchase", "subscription.started": "purchase"}


def verify(delivery: Delivery, source: SourceConfig, now: datetime) -> Verdict:
    header = delivery.headers.get(_SIGNATURE)
    if not header:
        return Unsigned(_SIGNATURE)
    pairs = [tuple(part.strip().partition("=")[::2]) for part in header.split(",")]
    stamp = next((value for name, value in pairs if name == "t"), "")
    sent_at = unix_header(stamp)
    if sent_at is None:
        return Bad("Stripe-Signature has no time t in seconds")
    if late := outside_window(sent_at, now):
        return late
    signed = f"{stamp}.".encode() + delivery.body
    given = [value for name, value in pairs if name == "v1"]
    return any_matches(given, [hmac_hex(secret, signed) for secret in source.secrets])


def explode(delivery: Delivery, _source: SourceConfig) -> list[Element]:
    value = read_json(delivery.body)
    if not isinstance(value, dict):
        raise Unreadable("", "one JSON object is expected")
    return [Element(value, text(value, "id"))]


class _Happened(NamedTuple):
    """What all events carry."""

    object: Mapping[str, Any]
    before: Mapping[str, Any]
    """`previous_attributes`: old values of what changed, and of nothing else."""
    id: str
    source: SourceConfig


def normalise(element: Element, delivery: Delivery, source: SourceConfig) -> Outcome:
    value = element.value
    if text(value, "object") == "v2.core.event":
        return Ignored("a thin event: choose snapshot payloads")
    kind = text(value, "type")
    if kind is not None and kind not in _READERS:
        return Ignored("unknown event type")
    (kind, at), (thing, key) = both(
        lambda: both(lambda: need(value, "type"), lambda: seconds(value, "created")),
        lambda: both(
            lambda: need_mapping(value, "data", "object"), lambda: need(value, "data", "object", "id")
        ),
    )
    happened = _Happened(thing, mapping(value, "data", "previous_attributes"), key, source)
    told = _READERS[kind](happened)
    if not told:
        return Ignored("nothing that a customer would notice")
    named, account = _who(happened, kind), text(thing, "metadata", "account_id")
    return [
        make_event(
            source,
            delivery,
            element,
            event_type,
            body,
            time=at,
            identifiers=named,
            account=account,
            actor=actor,
            stage=guessed(source, "stage", _STAGES.get(event_type, "")),
        )
        for event_type, body, actor in told
    ]


def _who(happened: _Happened, kind: str) -> list[str | None]:
    """The billing customer, the own ids in the metadata; e-mail only where a customer is a person.

    A company's billing address would otherwise turn what concerns the account into one person's story.
    A dispute names no customer: then the address is all there is.
    """
    thing, source = happened.object, happened.source
    customer = (
        happened.id
        if kind.startswith("customer.") and not kind.startswith("customer.subscription")
        else text(thing, "customer") or text(thing, "customer", "id")
    )
    billed = customer_of(source, customer)
    emails = (
        text(thing, "email"),
        text(thing, "customer_email"),
        text(thing, "customer_details", "email"),
        text(thing, "billing_details", "email"),
        text(thing, "evidence", "customer_email_address"),
    )
    email = next((one for one in emails if one), None)
    use_email = billed is None or source.settings.get("customers_are") == "person"
    return [
        prefixed("user", text(thing, "metadata", "user_id")),
        prefixed("email", email if use_email else None),
        prefixed("account", text(thing, "metadata", "account_id")),
        billed,
    ]


def _worth(happened: _Happened) -> list[Told]:
    """`settings.value_from: none` switches it off, for customers with several subscriptions."""
    if happened.source.settings.get("value_from") == "none":
        return []
    body = subscriptions.worth(happened.object)
    return [("customer.identified", body, None)] if body else []


def _subscription_created(happened: _Happened) -> list[Told]:
    told = subscriptions.created(happened.object, happened.id)
    return told + _worth(happened) if told else []


def _subscription_updated(happened: _Happened) -> list[Told]:
    told = subscriptions.updated(happened.object, happened.before, happened.id)
    new_period = any(name in happened.before for name in ("items", "plan", "quantity", "current_period_end"))
    return told + (_worth(happened) if told or new_period else [])


def _subscription_deleted(happened: _Happened) -> list[Told]:
    return subscriptions.deleted(happened.object, happened.id)


def _paused(verb: str) -> Callable[[_Happened], list[Told]]:
    def read(happened: _Happened) -> list[Told]:
        return [(f"subscription.{verb}", b.SubscriptionEvent(subscription=happened.id), None)]

    return read


def _customer(happened: _Happened) -> list[Told]:
    if happened.before and not _IDENTITY & set(happened.before):
        return []
    languages = dig(happened.object, "preferred_locales", 0)
    body = b.CustomerIdentified(
        name=text(happened.object, "name") or UNSET,
        language=languages if isinstance(languages, str) and languages else UNSET,
    )
    return [("customer.identified", body, None)]


_READERS: Final[Mapping[str, Callable[[_Happened], list[Told]]]] = {
    "customer.subscription.created": _subscription_created,
    "customer.subscription.updated": _subscription_updated,
    "customer.subscription.deleted": _subscription_deleted,
    "customer.subscription.paused": _paused("paused"),
    "customer.subscription.resumed": _paused("resumed"),
    "invoice.paid": lambda it: payments.invoice_paid(it.object, it.id),
    "invoice.payment_failed": lambda it: payments.payment_failed(it.object, it.id),
    "checkout.session.completed": lambda it: payments.checkout_completed(it.object, it.id),
    "checkout.session.async_payment_succeeded": lambda it: payments.checkout_completed(it.object, it.id),
    "charge.refunded": lambda it: payments.refunded(it.object, it.before, it.id),
    "charge.dispute.created": lambda it: payments.disputed(it.object, it.id),
    "customer.created": _customer,
    "customer.updated": _customer,
}


SENDER: Final = Sender(
    vendor="stripe",
    verify=verify,
    explode=explode,
    normalise=normalise,
    setup=Setup(
        where="Workbench > Webhooks > Add destination, payload style Snapshot",
        switch_on=tuple(_READERS),
        secret="Signing secret, on the destination's page, with its whsec_",  # noqa: S106 - says where it is
        notes=(
            'Set settings.customers_are to "person" if you sell to people; else a customer is a company.',
            "Put your own ids into metadata as user_id and account_id.",
            "settings.value_from none: do not take the yearly value from subscriptions.",
        ),
    ),
)
