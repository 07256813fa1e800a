"""Stories to find in the demo company: each is a handful of recent deliveries. Pure and seeded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from services.demo import words
from services.demo.company import Company, Person
from services.demo.history import AGENT, ticket_story
from services.demo.post import Post
from services.demo.shapes import (
    Ticket,
    billing_event,
    comment,
    own_event,
    subscription,
    survey_answer,
    ticket_event,
)

OUTAGE_DAYS_AGO = 10


def stories(company: Company, now: datetime) -> list[Post]:
    """All of them, oldest first; none lies after `now`."""
    rng = Random(company.seed + 2)  # noqa: S311 - a reproducible story, no secret
    signers = [p for p in company.people if p.persona == "decision_maker"]
    by_value = sorted(signers, key=lambda p: (-p.account.value, p.number))
    posts = [
        *_outage(company, rng),
        *_about_to_leave(by_value[0], now),
        *_never_answered(by_value[1], now),
        *_never_answered(by_value[6], now - timedelta(hours=5)),
        *_advocate(by_value[2], now),
        *_recent_answers(by_value[8:12], now, rng),
    ]
    return sorted((p for p in posts if p.at <= now), key=lambda p: (p.at, p.key))


def won_back(company: Company) -> Person:
    """The customer whom a council wins back in front of the newcomer's eyes (`services.demo.live`)."""
    signers = [p for p in company.people if p.persona == "decision_maker"]
    return sorted(signers, key=lambda p: (-p.account.value, p.number))[4]


def _outage(company: Company, rng: Random) -> Iterator[Post]:
    """One morning nobody of one region could sign in; half of those who wrote are still cross."""
    start = company.today - timedelta(days=OUTAGE_DAYS_AGO) + timedelta(hours=8)
    hit = [p for p in company.people if p.account.region == "DACH" and p.activity][:24]
    for n, person in enumerate(hit):
        opened = start + timedelta(minutes=3 * n)
        yield from ticket_story(person, opened, 90_000 + n, company, rng, tags=("outage", "login"))


def _about_to_leave(person: Person, now: datetime) -> Iterator[Post]:
    """The largest customer went quiet, used less and less, and scheduled the cancellation this morning."""
    account = person.account
    for week, active in enumerate((40, 38, 31, 22, 14, 6)):
        at = now - timedelta(days=7 * (6 - week))
        body = {"feature": "workspace", "active_users": active, "seats": 45}
        yield own_event("usage.observed", at, [f"user:{person.user}"], body, account=account.key)
    yield survey_answer(person, now - timedelta(days=62), "nps", 6, words.BITTER[1], None)
    thing = subscription(
        account,
        account.renewal_at,
        cancel_at_period_end=True,
        cancellation_details={
            "comment": "Nobody answers us any more.",
            "feedback": "customer_service",
            "reason": "cancellation_requested",
        },
    )
    at = now - timedelta(hours=2)
    yield billing_event("customer.subscription.updated", at, thing, {"cancel_at_period_end": False})
    body = {"subscription": thing["id"], "voluntary": True, "comment": "Nobody answers us any more."}
    yield own_event(
        "subscription.cancel_scheduled",
        at,
        [f"user:{person.user}"],
        body,
        account=account.key,
        actor="customer",
    )


def _never_answered(person: Person, now: datetime) -> Iterator[Post]:
    """Reopened twice, never answered since; then an angry comment and two bad scores."""
    opened = now - timedelta(days=6)
    number = 91_000 + person.number
    ticket = Ticket(number, person, opened, *_login(), priority="HIGH", tags=("login",))
    yield ticket_event(ticket, "created", opened, "NEW", {}, person.desk_user)
    reply = comment(words.REPLY[0], AGENT, True, f"{number}1")
    yield ticket_event(ticket, "comment_added", opened + timedelta(hours=9), "OPEN", reply, AGENT)
    at = opened + timedelta(hours=10)
    for _ in range(2):
        change = {"current": "SOLVED", "previous": "OPEN"}
        yield ticket_event(ticket, "status_changed", at, "SOLVED", change, AGENT)
        at += timedelta(hours=15)
        change = {"current": "OPEN", "previous": "SOLVED"}
        yield ticket_event(ticket, "status_changed", at, "OPEN", change, person.desk_user)
        at += timedelta(hours=8)
    angry = comment(words.ANGRY[0], person.desk_user, False, f"{number}2")
    yield ticket_event(ticket, "comment_added", now - timedelta(days=2), "OPEN", angry, person.desk_user)
    yield survey_answer(person, now - timedelta(hours=20), "csat", 1, words.ANGRY[1], str(number))
    yield survey_answer(person, now - timedelta(hours=3), "nps", 2, words.BITTER[0], None)


def _login() -> tuple[str, str]:
    return "Nobody of our team can sign in", "Since Monday nobody can work. This blocks forty people."


def _advocate(person: Person, now: datetime) -> Iterator[Post]:
    """Delighted, and telling others: a story worth a thank-you."""
    yield survey_answer(person, now - timedelta(days=20), "nps", 10, words.PRAISE[1], None)
    for n in (15, 4):
        body = {"referral": f"ref-{person.number}-{n}", "existing_customer": False}
        at = now - timedelta(days=n)
        yield own_event("referral.made", at, [f"user:{person.user}"], body, actor="customer")
    body = {"mention": f"post-{person.number}", "where": "a trade forum", "public": True, "stance": "praise"}
    yield own_event("mention.made", now - timedelta(days=2), [f"user:{person.user}"], body, actor="customer")


def _recent_answers(people: list[Person], now: datetime, rng: Random) -> Iterator[Post]:
    """A few detractors of this week, as every week has them."""
    for n, person in enumerate(people):
        at = now - timedelta(days=1 + n, hours=rng.randint(0, 5))
        yield survey_answer(person, at, "nps", rng.choice((3, 4, 5)), rng.choice(words.BITTER), None)
