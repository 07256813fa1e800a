"""From the topic to committed scores, on a real Kafka: replicas, repetitions, a database set back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.scoring.batch import Context
from services.scoring.consumer import Folder
from shared.bus.consumer import ConsumerLoop
from shared.bus.producer import Message, Producer
from shared.bus.topics import FEEDBACK, ensure_topics
from shared.events import Event, encode
from tests.integration.scoring.kit import Room, event, together
from tests.integration.scoring.test_batch import ANN, ANN_ID, BOB, check_linear, story

DEADLINE_S = 90.0


@pytest.fixture
async def producer(kafka: str) -> AsyncIterator[Producer]:
    await ensure_topics(kafka)
    made = Producer(kafka, "test-scoring")
    assert await made.start()
    yield made
    await made.aclose()


async def send(producer: Producer, events: list[Event]) -> None:
    """To different partitions, also for one customer: no order is promised."""
    messages = [Message(FEEDBACK, str(i).encode(), encode(e)) for i, e in enumerate(events)]
    assert await producer.send_many(messages, 20) == [None] * len(messages)


async def eventually(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await look():
            await asyncio.sleep(0.1)


@asynccontextmanager
async def replica(scoring: Room, kafka: str, group: str) -> AsyncIterator[Folder]:
    folder = Folder(scoring.pool, Context(scoring.engine, lambda _: None), lambda: None)
    loop = ConsumerLoop(kafka, group, [FEEDBACK], folder.handle, max_records=20)
    task = asyncio.create_task(loop.run())
    try:
        yield folder
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=20)


async def test_two_replicas_shuffled_and_doubled(
    scoring: Room, kafka: str, producer: Producer, unique: Callable[[str], str]
) -> None:
    told = story() * 2
    random.Random(3).shuffle(told)
    ids = {e.id for e in told}

    async def all_in() -> bool:
        found = await scoring.query("SELECT event_id::text FROM scoring.event")
        return ids <= {row[0] for row in found}

    group = unique("scoring")
    async with replica(scoring, kafka, group):
        await send(producer, told[:15])
        async with replica(scoring, kafka, group):
            await send(producer, told[15:])
            await eventually(all_in)
    await check_linear(scoring, ANN, BOB)
    assert await scoring.root(ANN) == await scoring.root(ANN_ID)


async def test_a_database_that_was_set_back_is_filled_again(
    scoring: Room, kafka: str, producer: Producer, unique: Callable[[str], str]
) -> None:
    group, who = unique("scoring"), f"user:{unique('u')}"
    answer: dict[str, Any] = {"metric": "nps", "score": 3}
    events = [event("survey.answered", unique("a"), who, at=i, response=str(i), **answer) for i in range(9)]

    async def count(wanted: int) -> bool:
        rows = await scoring.query(
            "SELECT count(DISTINCT event_id) FROM scoring.event WHERE event_id = ANY($1::uuid[])",
            [e.id for e in events],
        )
        return bool(rows[0][0] >= wanted)

    async with replica(scoring, kafka, group):
        await send(producer, events[:8])
        await eventually(lambda: count(8))
    before = (await scoring.row(who)).state
    tables = "claim, event, episode, identifier, link, retraction, customer, dirty_account, outbox, progress"
    await scoring.query("TRUNCATE " + ", ".join(f"scoring.{name}" for name in tables.split(", ")))
    async with replica(scoring, kafka, group):
        await send(producer, events[8:])
        await eventually(lambda: count(9))
        await eventually(lambda: _grown(scoring, who, before))
    await check_linear(scoring, who)


async def _grown(scoring: Room, who: str, before: bytes | None) -> bool:
    if not await scoring.query("SELECT FROM scoring.identifier WHERE identifier = $1", who):
        return False
    return (await scoring.row(who)).state != before


async def test_a_batch_that_is_cut_off_leaves_nothing_behind(scoring: Room) -> None:
    """Cancelled at any moment, a batch is undone as a whole; told again, it is as if it came once."""
    dice = random.Random(5)
    for _ in range(12):
        task = asyncio.create_task(scoring.fold(*story()))
        await asyncio.wait({task}, timeout=dice.random() * 0.05)
        task.cancel()
        await asyncio.wait({task}, timeout=30)
        claims = await scoring.query("SELECT count(*) FROM scoring.claim WHERE outcome = 1")
        events = await scoring.query("SELECT count(*) FROM scoring.event")
        assert claims == events
    await together(*(scoring.fold(*story(), partition=i) for i in range(3)))
    assert await scoring.query("SELECT count(*) FROM scoring.event") == [(len(story()),)]
    await check_linear(scoring, ANN, BOB)


async def test_progress_follows_a_log_that_began_anew(scoring: Room) -> None:
    """A topic was made again. Else a database that is set back later would seem to know all of it."""
    await scoring.fold(event("ticket.opened", "old", "user:ann", interaction="1"), first=500)
    await scoring.fold(event("ticket.opened", "new", "user:ann", interaction="2"), first=0)
    assert await scoring.query("SELECT next_offset FROM scoring.progress") == [(1,)]
