"""Customers of shapes that nobody plans for: very many events, very many names, cycles of merges.

CXLOOP_SOAK=1 asks for the sizes that the guarantees name.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from shared.bus.topics import MAX_REQUEST_BYTES
from shared.events import Event
from tests.integration.scoring.kit import Room, event, retraction, room
from tests.integration.scoring.test_batch import check_linear

pytestmark = pytest.mark.timeout(3 * 3600 if os.environ.get("CXLOOP_SOAK") else 600)
SOAK = bool(os.environ.get("CXLOOP_SOAK"))
EVENTS = 200_000 if SOAK else 3_000
OPEN = 20_000 if SOAK else 3_000
BUSY = "user:busy"
NAMES = 50_000 if SOAK else 2_000


@pytest.fixture
async def scoring(own_database_url: str) -> AsyncIterator[Room]:
    async with room(own_database_url) as made:
        yield made


def answer(name: str, who: str, at: float = 0, **more: Any) -> Event:  # noqa: ANN401 - fields of a body
    given: dict[str, Any] = {"response": name, "metric": "nps", "score": 3}
    return event("survey.answered", name, who, at=at, **given | more)


async def fold(scoring: Room, events: Sequence[Event], size: int, first: int = 0) -> None:
    """In batches of `size`, as one partition tells them."""
    for start in range(0, len(events), size):
        await scoring.fold(*events[start : start + size], first=first + start)


async def cost_of(scoring: Room, events: Sequence[Event], first: int) -> tuple[float, float]:
    """Milliseconds of CPU here and of time, for each event that comes alone."""
    cpu, wall = time.process_time(), time.monotonic()
    await fold(scoring, events, 1, first)
    each = 1000 / len(events)
    return (time.process_time() - cpu) * each, (time.monotonic() - wall) * each


async def largest_message(scoring: Room) -> int:
    rows = await scoring.query("SELECT coalesce(max(length(body)), 0) FROM scoring.outbox")
    return int(rows[0][0])


def left_open(dice: random.Random, count: int) -> list[Event]:
    """Tickets that nobody ever solves, with their messages in no order: the worst there is."""
    tickets = [
        event("ticket.opened", f"t{i}", BUSY, at=i / 200, interaction=f"{i}") for i in range(count // 10)
    ]
    told = [
        event(
            "ticket.message",
            f"m{i}",
            at=i / 2000,
            interaction=f"{i % len(tickets)}",
            message=f"{i}",
            author="customer" if i % 2 else "agent",
            public=True,
        )
        for i in range(count - len(tickets))
    ]
    dice.shuffle(told)
    return tickets + told


def worked_off(_: random.Random, count: int) -> list[Event]:
    """Years of tickets, each of ten events and then solved."""
    return [ticket_step(*divmod(i, 10), at=i / 2000) for i in range(count)]


def ticket_step(ticket: int, step: int, at: float) -> Event:
    name, of = f"w{ticket}-{step}", f"{ticket}"
    if step == 0:
        return event("ticket.opened", name, BUSY, at=at, interaction=of)
    if step == 9:
        return event("ticket.status", name, at=at, interaction=of, status="solved", previous="open")
    author = "customer" if step % 2 == 0 else "agent"
    return event("ticket.message", name, at=at, interaction=of, message=f"{step}", author=author, public=True)


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "count"), [(left_open, OPEN), (worked_off, EVENTS)])
async def test_a_customer_with_very_many_events(
    scoring: Room, shape: Callable[[random.Random, int], list[Event]], count: int
) -> None:
    events, few = shape(random.Random(1), count), count // 10
    costs = []
    for start, end in ((0, few), (few, count)):
        await fold(scoring, events[start:end], 500, start)
        late = [answer(f"a{end}-{i}", BUSY, at=400 + i) for i in range(4)]
        costs.append(await cost_of(scoring, late, count + end))
    assert await scoring.query("SELECT count(*) FROM scoring.event") == [(count + 8,)]
    await check_linear(scoring, BUSY)
    assert await largest_message(scoring) < MAX_REQUEST_BYTES
    sys.stdout.write(
        f"\n{shape.__name__}: a further event of a customer with {few} events: {costs[0][0]:.1f} ms CPU"
        f" ({costs[0][1]:.1f} ms), with {count}: {costs[1][0]:.1f} ms CPU ({costs[1][1]:.1f} ms)\n"
    )


@pytest.mark.slow
async def test_very_many_names_become_one(scoring: Room) -> None:
    """Each event says of twenty names that they are one; each shares a name with the next."""
    dice = random.Random(2)
    names = [f"email:n{i}@example.com" for i in range(NAMES)]
    links = [
        event("customer.linked", f"l{i}", *names[start : start + 20], at=1 + i / 1000, reason="import")
        for i, start in enumerate(range(0, NAMES, 19))
    ]
    told = [answer(f"a{i}", dice.choice(names), at=i / 100, score=i % 11) for i in range(NAMES // 10)]
    events = told + links
    dice.shuffle(events)
    began = time.monotonic()
    await fold(scoring, events, 500)
    took = time.monotonic() - began
    assert await scoring.query("SELECT count(*) FROM scoring.customer WHERE merged_into IS NULL") == [(1,)]
    roots = {await scoring.root(name) for name in dice.sample(names, 50)}
    assert roots == {await scoring.root(names[0])}
    await check_linear(scoring, names[0], names[-1])
    costs = await cost_of(scoring, [answer(f"z{i}", dice.choice(names), at=90) for i in range(5)], 100_000)
    largest = await largest_message(scoring)
    sys.stdout.write(
        f"\n{NAMES} names of {len(events)} events became one in {took:.1f} s; a further event costs"
        f" {costs[0]:.1f} ms CPU ({costs[1]:.1f} ms); the largest message has {largest} bytes\n"
    )
    assert largest < MAX_REQUEST_BYTES


CUTS = ((3,), (1, 2), (2, 1), (1, 1, 1))
WAYS = list(itertools.product(itertools.permutations(range(3)), CUTS))


async def in_a_way(scoring: Room, events: Sequence[Event], way: tuple[Sequence[int], Sequence[int]]) -> None:
    """The events in an order, cut into batches."""
    order, cuts = way
    ordered = [events[i] for i in order]
    for size in cuts:
        await scoring.fold(*ordered[:size])
        ordered = ordered[size:]


async def test_a_cycle_of_links_in_all_orders_and_batches(scoring: Room) -> None:
    """a = b, b = c, c = a: one customer; without one of the three still one; without two, two."""
    for number, way in enumerate(WAYS):
        a, b, c = (f"user:{name}{number}" for name in "abc")
        pairs = [(a, b), (b, c), (c, a)]
        links = [
            event("customer.linked", f"{number}-{i}", *pair, at=5, reason="cycle")
            for i, pair in enumerate(pairs)
        ]
        if number % 2:
            await scoring.fold(*(answer(f"{who}-1", who, at=1, score=i) for i, who in enumerate((a, b, c))))
        await in_a_way(scoring, links, way)
        if not number % 2:
            await scoring.fold(*(answer(f"{who}-1", who, at=1, score=i) for i, who in enumerate((a, b, c))))
        assert len({await scoring.root(who) for who in (a, b, c)}) == 1, way
        await check_linear(scoring, a)
        await scoring.fold(retraction(f"x{number}-0", f"{number}-0", at=6))
        assert len({await scoring.root(who) for who in (a, b, c)}) == 1, way
        await scoring.fold(retraction(f"x{number}-1", f"{number}-1", at=7))
        assert await scoring.root(a) == await scoring.root(c) != await scoring.root(b), way
        await check_linear(scoring, a, b, c)


async def test_a_cycle_of_merged_tickets_in_all_orders_and_batches(scoring: Room) -> None:
    """Ticket 1 into 2, 2 into 3, 3 into 1: nonsense that a help desk can send, and nobody's scores hang."""
    states = set()
    for number, way in enumerate(WAYS):
        who = f"user:m{number}"
        tickets = [f"{number}-{i}" for i in range(3)]
        merges = [
            event(
                "ticket.merged", f"g{number}-{i}", who, at=5 + i, interaction=one, into=tickets[(i + 1) % 3]
            )
            for i, one in enumerate(tickets)
        ]
        opened = [
            event("ticket.opened", f"o{number}-{i}", who, at=i, interaction=one)
            for i, one in enumerate(tickets)
        ]
        if number % 2:
            await scoring.fold(*opened)
        await in_a_way(scoring, merges, way)
        if not number % 2:
            await scoring.fold(*opened)
        await check_linear(scoring, who)
        states.add((await scoring.row(who)).state)
    assert len(states) == 1, "the same state, whatever came first"
