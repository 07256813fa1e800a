"""Signed deliveries of known people: tickets on their way, and now and then a bad answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

from services.demo.company import Person, found, midnight
from services.demo.history import AGENT
from services.demo.post import DESK, SURVEY, Post
from services.demo.shapes import Ticket, comment, own_answer, ticket_event
from tests.bench.load import http_request

ANSWERS = 20
"""One in so many is an answer."""


@dataclass(frozen=True)
class Delivery:
    """A request; `email` of who gave a bad answer."""

    request: bytes
    email: str | None = None


def deliveries(secrets: dict[str, str]) -> Iterator[Delivery]:
    """Without end. Signed when taken: windows of replay are short.

    Everybody has one ticket after the other, each opened, answered and solved: a help desk at work. Where
    tickets only ever opened, customers would have more that wait the longer it lasts, and cost more.
    """
    people = found(midnight(datetime.now(UTC))).people
    for number in count():
        now = datetime.now(UTC)
        if number % ANSWERS == 0:
            email = f"reader{number}@answers.example"
            post = own_answer(email, 1, "It breaks every morning and nobody answers.", now)
            headers, body = post.signed(secrets[SURVEY], now)
            yield Delivery(http_request(f"/v1/webhooks/{SURVEY}", headers, body), email)
        else:
            visit, who = divmod(number, len(people))
            headers, body = _step(people[who], who, visit, now).signed(secrets[DESK], now)
            yield Delivery(http_request(f"/v1/webhooks/{DESK}", headers, body))


def _step(person: Person, who: int, visit: int, now: datetime) -> Post:
    """What happens to somebody's ticket at this visit: opened, answered, solved, and the next one."""
    which, step = divmod(visit, 3)
    number = 900_000 + 1_000 * which + who
    ticket = Ticket(number, person, now, "It does not start", "It stops after a minute.")
    if step == 0:
        return ticket_event(ticket, "created", now, "NEW", {}, person.desk_user)
    if step == 1:
        reply = comment("Please update, that mends it.", AGENT, True, f"{number}1")
        return ticket_event(ticket, "comment_added", now, "OPEN", reply, AGENT)
    change = {"current": "SOLVED", "previous": "OPEN"}
    return ticket_event(ticket, "status_changed", now, "SOLVED", change, AGENT)
