"""Rows of the failure table: scoring dies at every statement; see `countdown` for how, and what it proves."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.accounts import Accounts
from services.scoring.adoption import adopt
from services.scoring.batch import Context
from services.scoring.consumer import Folder
from services.scoring.engine import Engine
from services.scoring.sweeper import Sweeper
from shared.bus.batches import Batch
from shared.db.engine import driver
from shared.events import Event
from tests.faults import verdict
from tests.faults.countdown import Countdown, Step, countdown, dies_everywhere, lives, pool
from tests.faults.world import SOAK
from tests.integration.scoring.kit import event, raw_record, records, retraction

MOST_DEATHS = 200
"""More than any step here has messages."""


class Ground:
    """A database behind a countdown, and all that was told to it."""

    def __init__(self, proxy: Countdown, database_url: str, engine: Engine) -> None:
        self.proxy = proxy
        self.database_url = database_url
        self.engine = engine
        self.told: set[str] = set()

    def folding(self, batch: Batch) -> Step:
        async def step(pool: AsyncEngine) -> None:
            await Folder(pool, Context(self.engine, lambda _: None), lambda: None).handle(batch)

        return step

    async def execute(self, statement: str) -> None:
        async with pool(self.database_url) as engine, driver(engine) as conn:
            await conn.execute(statement)

    def batch(self, number: int, events: list[Event], *, junk: bool = False) -> Batch:
        """On a partition of its own."""
        self.told |= {one.id for one in events}
        found = records(events, partition=number)
        if junk:
            found.append(raw_record(b"junk of %d" % number, len(found), number))
        return Batch(tuple(found))

    async def count(self, query: str, *arguments: object) -> int:
        async with pool(self.database_url) as engine, driver(engine) as conn:
            return int(await conn.fetchval(query, *arguments))

    async def as_told(self) -> None:
        """Counted once, and the state is the linear fold of the log."""
        told = list(self.told)
        query = "SELECT count(*) FROM scoring.event WHERE event_id = ANY($1::uuid[])"
        assert await self.count(query, told) == len(told)
        await asyncio.to_thread(verdict.state_is_the_fold_of_the_log, self.database_url, told, 30)


@pytest.fixture
async def ground(own_database_url: str) -> AsyncIterator[Ground]:
    async with countdown(own_database_url) as proxy, pool(own_database_url) as engine:
        yield Ground(proxy, own_database_url, await adopt(engine, None))


def before(n: int) -> list[Event]:
    """Two customers who do not know of each other."""
    ann, other = f"user:u{n}", f"email:u{n}@example.com"
    return [
        event("ticket.opened", f"t{n}", ann, at=1, interaction=f"{n}", account=f"firm{n % 3}"),
        event("survey.answered", f"a{n}", other, at=2, response=f"{n}", metric="nps", score=9),
        event("survey.answered", f"b{n}", other, at=3, response=f"b{n}", metric="nps", score=1),
    ]


def batch_of(n: int) -> list[Event]:
    """They turn out to be one; an answer is taken back; a newcomer; something is said twice."""
    ann, other = f"user:u{n}", f"email:u{n}@example.com"
    public: dict[str, Any] = {"message": "1", "author": "agent", "public": True}
    message = event("ticket.message", f"m{n}", at=4, interaction=f"{n}", **public)
    csat: dict[str, Any] = {"response": f"c{n}", "metric": "csat", "score": 2, "scale": [1, 5]}
    return [
        event("customer.identified", f"i{n}", ann, other, at=5, name="Ann", account=f"firm{n % 3}"),
        message,
        message,
        retraction(f"x{n}", f"b{n}", at=6),
        event("survey.answered", f"c{n}", f"user:v{n}", at=7, **csat),
    ]


SCORES = "SELECT count(*) FROM scoring.outbox WHERE topic = 'cx.scores.v1'"
REJECTED = "SELECT count(DISTINCT key) FROM scoring.outbox WHERE topic = 'cx.rejected.v1'"


async def test_scoring_dies_at_every_statement_of_a_batch(ground: Ground) -> None:
    """Of each batch every customer is told once; a refusal may be told twice, under the same id."""
    start = [one for n in range(2 * MOST_DEATHS) for one in before(n)]
    await lives(ground.proxy, ground.folding(ground.batch(0, start)))
    already = await ground.count(SCORES)

    async def step_of(number: int) -> Step:
        return ground.folding(ground.batch(number, batch_of(number), junk=True))

    await lives(ground.proxy, await step_of(1))
    usual = await ground.count(SCORES) - already
    deaths = await dies_everywhere(ground.proxy, step_of, both=SOAK, first=2)
    said(f"scoring died {deaths} times in a batch")
    assert deaths > 20
    assert await ground.count(SCORES) == already + usual * (deaths + 2)
    assert await ground.count(REJECTED) == deaths + 2
    await ground.as_told()


@pytest.mark.parametrize("loop", ["accounts", "sweeper"])
async def test_what_happens_without_an_event_dies_at_every_statement(ground: Ground, loop: str) -> None:
    start = [one for n in range(MOST_DEATHS) for one in before(n)]
    await lives(ground.proxy, ground.folding(ground.batch(0, start)))

    async def turn(pool: AsyncEngine) -> None:
        if loop == "accounts":
            await Accounts(pool, ground.engine, lambda: None).turn()
        else:
            await Sweeper(pool, ground.engine, 5, lambda: None).turn()

    async def step_of(number: int) -> Step:
        await ground.execute("UPDATE scoring.customer SET next_at = 0 WHERE state IS NOT NULL")
        await lives(ground.proxy, ground.folding(ground.batch(1, [solved(number)])))
        return turn

    deaths = await dies_everywhere(ground.proxy, step_of, both=SOAK)
    said(f"{loop} died {deaths} times in a turn")
    assert deaths > 5
    await ground.as_told()


def solved(n: int) -> Event:
    """So that there is an account to be rolled up."""
    return event("ticket.status", f"s{n}", f"user:u{n}", at=8, interaction=f"{n}", status="solved")


def said(what: str) -> None:
    sys.stdout.write(f"\n{what}\n")
