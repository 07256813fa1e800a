"""From a signed webhook to a verified closure, seen from outside, on embedded parts and distributed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.demo.company import Person, found, midnight
from services.demo.history import AGENT
from services.demo.post import Post
from services.demo.shapes import Ticket, comment, survey_answer, ticket_event
from tests.e2e.loop import Json, Loop, ago, eventually
from tests.e2e.receivers import Hook, Mailbox

ANGRY = "This is terrible. Three days and no answer, I am very disappointed and angry."


def waiting_ticket(person: Person, number: int) -> list[Post]:
    """Opened, answered, solved and reopened twice; then three days of silence and an angry comment."""
    opened = ago(days=5)
    ticket = Ticket(number, person, opened, "Nobody can sign in", "It blocks the team.", priority="HIGH")
    posts = [ticket_event(ticket, "created", opened, "NEW", {}, person.desk_user)]
    at = opened + timedelta(hours=1)
    reply = comment("We are looking into it.", AGENT, True, f"{number}1")
    posts.append(ticket_event(ticket, "comment_added", at, "OPEN", reply, AGENT))
    for _ in range(2):
        at += timedelta(hours=8)
        change = {"current": "SOLVED", "previous": "OPEN"}
        posts.append(ticket_event(ticket, "status_changed", at, "SOLVED", change, AGENT))
        at += timedelta(hours=8)
        change = {"current": "OPEN", "previous": "SOLVED"}
        posts.append(ticket_event(ticket, "status_changed", at, "OPEN", change, person.desk_user))
    angry = comment(ANGRY, person.desk_user, False, f"{number}2")
    posts.append(ticket_event(ticket, "comment_added", ago(hours=2), "OPEN", angry, person.desk_user))
    return posts


def link(loop: Loop, person: Person) -> None:
    names = [f"email:{person.email}", f"desk.user:{person.desk_user}"]
    body = {"name": person.name, "persona": "decision_maker", "region": "DACH"}
    loop.event("customer.identified", names, body, ago(days=90))


@pytest.fixture
def person(unique: Callable[[str], str]) -> Person:
    """A customer whom no other test knows."""
    company = found(midnight(datetime.now(UTC)))
    number = int(unique("")[1:8], 16)
    someone = company.people[0]
    return Person(number, "Ada Elm", f"ada.{number}@elm.example", "decision_maker", someone.account, 0.5, 1.0)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_webhook_to_verified_closure(loop: Loop, hook: Hook, mailbox: Mailbox, person: Person) -> None:
    link(loop, person)
    for post in waiting_ticket(person, person.number):
        loop.deliver(post)
    answer = survey_answer(person, datetime.now(UTC), "nps", 2, "Slow and frustrating.", None)
    (first, *_) = loop.deliver(answer)
    loop.applied(first)
    customer = loop.customer(f"email:{person.email}")
    assert loop.customer(f"desk.user:{person.desk_user}") == customer

    alert = eventually(lambda: the_alert(loop, customer), "one alert in the customer's own words")
    told = eventually(lambda: told_of(hook, alert["id"]), "the webhook")
    assert told[0]["type"] == "cxloop.alert.opened.v1"
    eventually(lambda: [m for m in mailbox.mails if person.name in m or alert["id"] in m] or None, "the mail")
    close_the_loop(loop, hook, person, customer, alert)


def the_alert(loop: Loop, customer: str) -> Json | None:
    """The one alert, once the last of the rules that fired has given its reason."""
    alerts = loop.open_alerts(customer, state="open")
    assert len(alerts) <= 1
    words = str([alert["reason"]["events"] for alert in alerts])
    return alerts[0] if "terrible" in words or "frustrating" in words else None


def told_of(hook: Hook, alert: str) -> list[Json] | None:
    return [told for told in hook.alerts() if told["data"]["id"] == alert] or None


def close_the_loop(loop: Loop, hook: Hook, person: Person, customer: str, alert: Json) -> None:
    """acknowledge, assign, act, resolve; the score does not rise by that; a later good answer verifies."""
    before = loop.score(customer)
    loop.step(alert["id"], "acknowledge")
    loop.step(alert["id"], "assign", to="mira")
    acted = loop.step(alert["id"], "act", action="call", note="Apologised and fixed it.")
    resolved = loop.step(alert["id"], "resolve")
    assert (acted["state"], resolved["state"]) == ("acted", "verifying")
    time.sleep(1.1)  # the sender's clock counts whole seconds, and the answer must lie after the act
    (good, *_) = loop.deliver(survey_answer(person, datetime.now(UTC), "nps", 9, "Great, thank you!", None))
    assert loop.score(customer)["health"]["value"] <= before["health"]["value"] + 1 or loop.applied(good)
    verified = eventually(lambda: in_state(loop, alert["id"], "verified"), "verified")
    assert verified["history"][0]["what"] == "opened"
    eventually(lambda: has_type(hook, alert["id"], "cxloop.alert.verified.v1"), "told that it was verified")


def in_state(loop: Loop, alert: str, state: str) -> Json | None:
    now = loop.get(f"{loop.alerts}/v1/alerts/{alert}")
    return now if now["state"] == state else None


def has_type(hook: Hook, alert: str, kind: str) -> bool:
    return kind in [told["type"] for told in told_of(hook, alert) or []]


def test_a_webhook_is_a_readable_score_within_a_second(loop: Loop, person: Person) -> None:
    link(loop, person)
    took = []
    for n in range(5):
        answer = survey_answer(person, ago(seconds=10 - n), "nps", 8, None, None)
        start = time.monotonic()
        (event, *_) = loop.deliver(answer)
        loop.applied(event)
        took.append(time.monotonic() - start)
    assert sorted(took)[2] < 1.0, took
