"""Eighteen ordinary months: profiles, subscriptions, tickets, chats, answers. Pure and seeded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from services.demo import words
from services.demo.company import HISTORY_DAYS, REGIONS, Account, Company, Person
from services.demo.post import Post
from services.demo.shapes import (
    Ticket,
    billing_event,
    chat_event,
    chat_part,
    comment,
    invoice,
    own_event,
    subscription,
    survey_answer,
    ticket_event,
)

AGENT = "8447388090494"
SLOW_REGION = "Iberia"
SLOW_DAYS = 90


def history(company: Company) -> list[Post]:
    """Every delivery of the company's past, oldest first; the same company gives the same list."""
    rng = Random(company.seed + 1)  # noqa: S311 - a reproducible story, no secret
    posts = [post for account in company.accounts for post in _account(account, company)]
    for person in company.people:
        posts.append(profile(person, company))
        posts.extend(_support(person, company, rng))
        posts.extend(_loyalty(person, company, rng))
    return sorted((p for p in posts if p.at < company.today), key=lambda p: (p.at, p.key))


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def profile(person: Person, company: Company) -> Post:
    """What the CRM knows of a person; its identifiers link the tools' ids."""
    zone, language = REGIONS[person.account.region]
    return own_event(
        "customer.identified",
        max(person.account.since, company.today - timedelta(days=HISTORY_DAYS)),
        [f"user:{person.user}", f"email:{person.email}", f"desk.user:{person.desk_user}"],
        {
            "name": person.name,
            "persona": person.persona,
            "region": person.account.region,
            "time_zone": zone,
            "language": language,
            "owner": person.account.owner,
            "since": _instant(person.account.since),
            **(_worth(person.account) if person.persona == "decision_maker" else {}),
        },
        account=person.account.key,
        region=person.account.region,
    )


def _worth(account: Account) -> dict[str, object]:
    return {"value": account.value, "currency": "EUR", "renewal_at": _instant(account.renewal_at)}


def _account(account: Account, company: Company) -> Iterator[Post]:
    names = [f"account:{account.key}", f"billing.org:{account.billing_id}", f"desk.org:{account.desk_org}"]
    body = {"name": account.name, "region": account.region, "owner": account.owner, **_worth(account)}
    yield own_event("customer.identified", account.since, names, body, account=account.key)
    year = timedelta(days=365)
    start = account.since
    yield billing_event("customer.subscription.created", start, subscription(account, start + year))
    while start + year < company.today:
        start += year
        yield billing_event("invoice.paid", start, invoice(account, start, start + year))


def _support(person: Person, company: Company, rng: Random) -> Iterator[Post]:
    start = max(person.account.since, company.today - timedelta(days=HISTORY_DAYS))
    day = start + timedelta(days=rng.random() * 40)
    number = 0
    while person.activity and day < company.today - timedelta(days=2):
        number += 1
        opened = at_work(day, rng)
        if rng.random() < 0.55:
            yield from ticket_story(person, opened, 5000 + person.number * 60 + number, company, rng)
        else:
            yield from _chat_story(person, opened, f"213{person.number:04d}{number:03d}", rng)
        day += timedelta(days=rng.expovariate(person.activity * _growth(day, company) / 30) + 1)


def _growth(day: datetime, company: Company) -> float:
    """The company grows: contacts are five times as frequent now as 18 months ago."""
    passed = 1 - (company.today - day).days / HISTORY_DAYS
    return 0.4 + 1.6 * max(passed, 0.0) ** 2


def at_work(day: datetime, rng: Random) -> datetime:
    """Some time of a working day in Europe, UTC."""
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return day.replace(hour=rng.randint(8, 15), minute=rng.randint(0, 59), second=rng.randint(0, 59))


def _reply_hours(person: Person, opened: datetime, company: Company, rng: Random) -> float:
    slow = person.account.region == SLOW_REGION and (company.today - opened).days < SLOW_DAYS
    return min(rng.lognormvariate(0.6, 0.8) * (9 if slow else 1), 90.0)


def ticket_story(
    person: Person, opened: datetime, number: int, company: Company, rng: Random, tags: tuple[str, ...] = ()
) -> Iterator[Post]:
    """A ticket from opening to solved, now and then reopened, with the answer to a short survey."""
    subject, theme = rng.choice(words.SUBJECTS)
    ticket = Ticket(number, person, opened, subject, rng.choice(words.OPENING), tags=(theme, *tags))
    yield ticket_event(ticket, "created", opened, "NEW", {}, person.desk_user)
    hours = _reply_hours(person, opened, company, rng)
    replied = opened + timedelta(hours=hours)
    reply = comment(rng.choice(words.REPLY), AGENT, True, f"{number}1")
    yield ticket_event(ticket, "comment_added", replied, "OPEN", reply, AGENT)
    solved = replied + timedelta(hours=rng.random() * 6 + hours / 2)
    yield ticket_event(
        ticket, "status_changed", solved, "SOLVED", {"current": "SOLVED", "previous": "OPEN"}, AGENT
    )
    unhappy = hours > 20 or rng.random() > person.temper + 0.25
    if unhappy and rng.random() < 0.5:
        again = solved + timedelta(hours=rng.randint(2, 20))
        words_ = comment(rng.choice(words.ANGRY), person.desk_user, False, f"{number}2")
        yield ticket_event(ticket, "comment_added", again, "OPEN", words_, person.desk_user)
        change = {"current": "OPEN", "previous": "SOLVED"}
        yield ticket_event(ticket, "status_changed", again, "OPEN", change, person.desk_user)
        solved = again + timedelta(hours=rng.randint(4, 30))
        change = {"current": "SOLVED", "previous": "OPEN"}
        yield ticket_event(ticket, "status_changed", solved, "SOLVED", change, AGENT)
    if rng.random() < 0.35:
        score = rng.choice((1, 2, 2, 3)) if unhappy else rng.choice((4, 5, 5, 5))
        said = rng.choice(words.BITTER if unhappy else words.THANKS) if rng.random() < 0.5 else None
        yield survey_answer(person, solved + timedelta(hours=3), "csat", score, said, str(number))


def _chat_story(person: Person, opened: datetime, conversation: str, rng: Random) -> Iterator[Post]:
    first = {
        "conversation_message": {
            "type": "conversation_message",
            "id": f"{conversation}0",
            "subject": "",
            "body": f"<p>{rng.choice(words.OPENING)}</p>",
            "author": {"type": "user", "id": person.chat_user},
        },
        "open": True,
        "state": "open",
    }
    yield chat_event("conversation.user.created", conversation, person, opened, first)
    replied = opened + timedelta(seconds=rng.randint(30, 900))
    part = chat_part(f"{conversation}1", replied, "admin", "comment", rng.choice(words.REPLY))
    yield chat_event("conversation.admin.replied", conversation, person, replied, {"open": True, **part})
    closed = replied + timedelta(minutes=rng.randint(3, 40))
    part = chat_part(f"{conversation}2", closed, "admin", "close", None)
    yield chat_event(
        "conversation.admin.closed", conversation, person, closed, {"open": False, "state": "closed", **part}
    )


def _loyalty(person: Person, company: Company, rng: Random) -> Iterator[Post]:
    day = max(person.account.since, company.today - timedelta(days=HISTORY_DAYS)) + timedelta(
        days=rng.randint(20, 180)
    )
    while day < company.today - timedelta(days=12):
        if rng.random() < 0.32:
            score = min(10, max(0, round(rng.gauss(2.5 + 8 * person.temper, 1.4))))
            yield survey_answer(person, at_work(day, rng), "nps", score, _said(score, rng), None)
            if score >= 9 and rng.random() < 0.2:
                yield own_event(
                    "referral.made",
                    day + timedelta(days=5),
                    [f"user:{person.user}"],
                    {"referral": f"ref-{person.number}-{day:%y%m%d}", "existing_customer": False},
                    actor="customer",
                )
        day += timedelta(days=120)


def _said(score: int, rng: Random) -> str | None:
    if rng.random() < 0.4:
        return None
    return rng.choice(words.PRAISE if score >= 9 else words.NEUTRAL if score >= 7 else words.BITTER)
