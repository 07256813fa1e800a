"""Signed deliveries of known people: tickets, and now and then a bad answer that wakes somebody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from services.demo.company import found, midnight
from services.demo.post import DESK, SURVEY
from services.demo.shapes import Ticket, own_answer, ticket_event
from tests.bench.load import http_request

ANSWERS = 20
"""One in so many is an answer."""


@dataclass(frozen=True)
class Delivery:
    """A request; `email` of who gave a bad answer."""

    request: bytes
    email: str | None = None


def deliveries(secrets: dict[str, str]) -> Iterator[Delivery]:
    """Without end; each of its own ticket or person. Signed when taken: windows of replay are short."""
    people = found(midnight(datetime.now(UTC))).people
    for number in count():
        now = datetime.now(UTC)
        if number % ANSWERS == 0:
            email = f"reader{number}@answers.example"
            post = own_answer(email, 1, "It breaks every morning and nobody answers.", now)
            headers, body = post.signed(secrets[SURVEY], now)
            yield Delivery(http_request(f"/v1/webhooks/{SURVEY}", headers, body), email)
        else:
            person = people[number % len(people)]
            ticket = Ticket(900_000 + number, person, now, "It does not start", "It stops after a minute.")
            post = ticket_event(ticket, "created", now, "NEW", {}, person.desk_user)
            headers, body = post.signed(secrets[DESK], now)
            yield Delivery(http_request(f"/v1/webhooks/{DESK}", headers, body))
