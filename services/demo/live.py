"""Live traffic: a trickle of ordinary deliveries, and one customer who is won back by a council."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

import httpx

from services.demo import words
from services.demo.client import DemoError, Services, State, deliver
from services.demo.company import Company, Person
from services.demo.history import AGENT
from services.demo.post import Post
from services.demo.shapes import Ticket, comment, survey_answer, ticket_event
from services.demo.stories import won_back

PAUSE_S: Final = 6.0
ALERT_DEADLINE_S: Final = 60.0
COUNCIL: Final = "demo council"


async def win_back(client: httpx.AsyncClient, services: Services, state: State, company: Company) -> None:
    """A bad answer, the council acts, a good answer follows: the loop, closed before one's eyes."""
    if state.won_back:
        return
    person = won_back(company)
    await deliver(client, services, state, _answer(person, 3, words.BITTER[1]))
    alert = await _alert_of(client, services, person)
    if alert is None:
        raise DemoError("no alert came after a detractor's answer; see `cxloop doctor`")
    url = f"{services.alerts}/v1/alerts/{alert['id']}"
    steps: tuple[tuple[str, dict[str, str]], ...] = (
        ("acknowledge", {"note": "I know them, I will call."}),
        ("assign", {"to": person.account.owner}),
        ("act", {"action": "call", "note": "Apologised; a named engineer answers them from now on."}),
        ("resolve", {"note": "They sounded relieved. Now it is for them to say."}),
    )
    for step, body in steps:
        answer = await client.post(f"{url}/{step}", json={"by": COUNCIL, **body})
        if answer.is_error:
            raise DemoError(f"the step {step} was refused ({answer.status_code}): {answer.text[:300]}")
    await asyncio.sleep(1.5)  # the customer's answer must lie after the act, to the second
    await deliver(client, services, state, _answer(person, 9, words.PRAISE[2]))
    state.won_back = True
    state.save()


def _answer(person: Person, score: int, text: str) -> Post:
    return survey_answer(person, datetime.now(UTC), "nps", score, text, None)


async def _alert_of(client: httpx.AsyncClient, services: Services, person: Person) -> dict[str, Any] | None:
    until = asyncio.get_running_loop().time() + ALERT_DEADLINE_S
    while asyncio.get_running_loop().time() < until:
        customer = await find(client, services, f"email:{person.email}")
        if customer:
            params = {"customer_id": customer, "state": "open"}
            answer = await client.get(f"{services.alerts}/v1/alerts", params=params)
            if answer.is_success and answer.json()["items"]:
                return dict(answer.json()["items"][0])
        await asyncio.sleep(0.5)
    return None


async def find(client: httpx.AsyncClient, services: Services, identifier: str) -> str | None:
    """The customer's id, or None while nobody is known by that identifier."""
    answer = await client.get(f"{services.scoring}/v1/lookup", params={"identifier": identifier})
    return str(answer.json()["customer_id"]) if answer.is_success else None


async def trickle(company: Company, seed: int) -> AsyncIterator[Post]:
    """For ever: a ticket opens, is answered, is solved; now and then somebody answers a survey."""
    rng = Random(seed)  # noqa: S311 - a reproducible story, no secret
    number = int(datetime.now(UTC).timestamp())
    busy = [p for p in company.people if p.activity]
    while True:
        number += 1
        person = rng.choice(busy)
        for post in _scene(person, number, rng):
            yield post
            await asyncio.sleep(PAUSE_S * (0.5 + rng.random()))


def _scene(person: Person, number: int, rng: Random) -> list[Post]:
    now = datetime.now(UTC)
    if rng.random() < 0.3:
        score = min(10, max(0, round(rng.gauss(3 + 8 * person.temper, 1.2))))
        said = rng.choice(words.PRAISE if score >= 9 else words.NEUTRAL if score >= 7 else words.BITTER)
        return [survey_answer(person, now, "nps", score, said, None)]
    subject, theme = rng.choice(words.SUBJECTS)
    ticket = Ticket(number, person, now, subject, rng.choice(words.OPENING), tags=(theme,))
    posts = [ticket_event(ticket, "created", now, "NEW", {}, person.desk_user)]
    if rng.random() < 0.8:
        at = now + timedelta(seconds=1)
        reply = comment(rng.choice(words.REPLY), AGENT, True, f"{number}1")
        posts.append(ticket_event(ticket, "comment_added", at, "OPEN", reply, AGENT))
        change = {"current": "SOLVED", "previous": "OPEN"}
        at += timedelta(seconds=1)
        posts.append(ticket_event(ticket, "status_changed", at, "SOLVED", change, AGENT))
    return posts
