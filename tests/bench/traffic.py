"""Canonical events of many demo companies: their vendors' payloads, read by ingest's own functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from services.demo.company import PEOPLE, Account, Company, Person, found, midnight
from services.demo.history import history
from services.demo.post import BILLING, CRM, VENDORS, Post
from services.ingest.domain.pipeline import sort_delivery
from services.ingest.domain.sender import Delivery, SourceConfig
from services.ingest.senders import senders
from shared.events import Event

STREAM_DAYS = 45
KNOWN_DAYS = 75
BILLED_DAYS = 400
_KEPT_DAYS = {CRM: 100_000, BILLING: BILLED_DAYS}
_SOURCES = {source: SourceConfig(source, vendor) for source, vendor in VENDORS.items()}


class Traffic(NamedTuple):
    """`known` is what everybody's story began with, `stream` what comes now; both by time."""

    known: list[Event]
    stream: list[Event]
    customers: int


def traffic(customers: int) -> Traffic:
    """Companies of 412 people each until there are `customers`.

    Known are all profiles and accounts, and the contacts of the weeks before the stream; the stream is the
    traffic of the last 45 days, of all companies in one order of time.
    """
    today = midnight(datetime.now(UTC))
    known: list[Post] = []
    stream: list[Post] = []
    companies = max(1, round(customers / PEOPLE))
    for number in range(companies):
        for post in history(_apart(found(today, 7 + number), number)):
            age = today - post.at
            if age < timedelta(days=STREAM_DAYS):
                stream.append(post)
            elif age < timedelta(days=_KEPT_DAYS.get(post.source, KNOWN_DAYS)):
                known.append(post)
    return Traffic(_events(known), _events(stream), companies * PEOPLE)


def _apart(company: Company, number: int) -> Company:
    """The same company with names of its own, so that many fit into one database."""
    accounts = {a.key: _account(a, number) for a in company.accounts}
    people = tuple(_person(p, accounts[p.account.key], number) for p in company.people)
    return replace(company, accounts=tuple(accounts.values()), people=people)


def _account(account: Account, number: int) -> Account:
    return replace(
        account,
        key=f"{account.key}-{number}",
        billing_id=f"{account.billing_id}{number}",
        desk_org=str(int(account.desk_org) + 1000 * number),
    )


def _person(person: Person, account: Account, number: int) -> Person:
    email = f"{person.email.partition('@')[0]}@{account.key}.example"
    return replace(person, number=person.number + 1000 * number, email=email, account=account)


def _events(posts: Iterable[Post]) -> list[Event]:
    return [event for post in sorted(posts, key=lambda p: (p.at, p.key)) for event in _read(post)]


def _read(post: Post) -> list[Event]:
    """As if the delivery had come at once."""
    source = _SOURCES[post.source]
    headers, body = post.signed("whsec_" + "QUFB" * 8, post.at)
    delivery = Delivery("POST", f"/v1/webhooks/{post.source}", headers, body, post.at)
    return [one.event for one in sort_delivery(senders()[source.vendor], delivery, source).sealed]
