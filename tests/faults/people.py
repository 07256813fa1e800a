"""Customers of one row of the failure table, and what their help desk, surveys and CRM tell about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from services.demo.company import Account, Person, found, midnight
from services.demo.history import AGENT
from services.demo.post import Json, Post
from services.demo.shapes import Ticket, comment, own_event, survey_answer, ticket_event

ANGRY = "This is terrible. Three days and no answer, I am very disappointed and angry."
SOURCES = {"desk": "zendesk", "survey": "typeform", "crm": "standard-webhooks"}


@dataclass(frozen=True)
class Step:
    """One delivery to be, whom it is about, and whether it is a bad answer that must raise an alert."""

    person: Person
    post: Post
    bad: bool = False


def people(first: int, count: int) -> list[Person]:
    """Customers of one firm of their own; `first` is a number that nobody else uses, nor those after it."""
    account = _account(first)
    return [
        Person(first + n, f"Ada {first + n}", f"ada.{first + n}@elm.example", "admin", account, 0.5, 1.0)
        for n in range(count)
    ]


def _account(number: int) -> Account:
    some = found(midnight(datetime.now(UTC))).accounts[0]
    return replace(some, key=f"elm-{number}", desk_org=str(9_000_000_000_000 + number))


def story(everybody: list[Person]) -> Iterator[Step]:
    """For ever, one delivery after the other, customer by customer: tickets that are opened, commented and
    solved, answers good and bad. In every round another third of the customers gives a bad answer."""
    for person in everybody:
        names = [f"email:{person.email}", f"desk.user:{person.desk_user}"]
        yield Step(person, own_event("customer.identified", _now(), names, {"name": person.name}))
    turn = 0
    while True:
        yield from _round(everybody, turn)
        turn += 1


def _round(everybody: list[Person], turn: int) -> Iterator[Step]:
    opened = _now()
    tickets = [
        Ticket(person.number * 1000 + turn, person, opened, "Nobody can sign in", "It blocks us.")
        for person in everybody
    ]
    for ticket in tickets:
        yield _told(ticket, "created", "NEW", {}, ticket.person.desk_user)
    for ticket in tickets:
        text = comment("It still does not work.", ticket.person.desk_user, False, f"{ticket.number}1")
        yield _told(ticket, "comment_added", "NEW", text, ticket.person.desk_user)
    for place, person in enumerate(everybody):
        bad = place % 3 == turn % 3
        words = ANGRY if bad else "Fine."
        yield Step(person, survey_answer(person, _now(), "nps", 2 if bad else 8, words, None), bad)
    for ticket in tickets:
        text = comment("We are looking into it.", AGENT, True, f"{ticket.number}2")
        yield _told(ticket, "comment_added", "OPEN", text, AGENT)
    for ticket in tickets:
        change = {"current": "SOLVED", "previous": "OPEN"}
        yield _told(ticket, "status_changed", "SOLVED", change, AGENT)
    for ticket in tickets:
        answer = survey_answer(ticket.person, _now(), "csat", 4, None, str(ticket.number))
        yield Step(ticket.person, answer)


def _told(ticket: Ticket, kind: str, status: str, event: Json, actor: str) -> Step:
    return Step(ticket.person, ticket_event(ticket, kind, _now(), status, event, actor))


def _now() -> datetime:
    return datetime.now(UTC)
