"""What the consumer loop notices by itself: a database set back, batches that fail, a group that lost it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from shared.bus import watch
from shared.bus.consumer import Batch, ConsumerLoop, Limits
from shared.bus.watch import Watch
from tests.integration.bus_kit import TEN, Taken, fill, make_topic, producer_of, running
from tests.integration.waiting import until

Unique = Callable[[str], str]
QUICK = Limits(backoff_min_s=0.01, backoff_max_s=0.05)


@pytest.fixture
async def topic(kafka: str, unique: Unique) -> str:
    """A topic of one partition with ten records."""
    name = unique("topic")
    await make_topic(kafka, name)
    async with producer_of(kafka) as producer:
        await fill(producer, name, TEN)
    return name


async def test_a_database_set_back_is_noticed_though_nothing_comes(
    kafka: str, topic: str, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No batch shows a gap on a quiet partition, so the loop asks by itself."""
    monkeypatch.setattr("shared.bus.consumer.ASK_EVERY_S", 0.2)
    name, progress = (topic, 0), 0

    async def take(batch: Batch) -> None:
        nonlocal progress
        progress = batch.next_offsets[name]

    async def where(partitions: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        return {name: progress} if name in partitions else {}

    taken = Taken(take)
    async with running(ConsumerLoop(kafka, unique("group"), [topic], taken, progress=where)):
        await until(lambda: len(taken.values) == 10)
        progress = 4
        await until(lambda: progress == 10)
    assert taken.values == TEN + TEN[4:]


async def test_that_every_batch_fails_is_known_until_one_is_handled(
    kafka: str, topic: str, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that fails is no stalled consumer, but somebody should look at it all the same."""
    monkeypatch.setattr("shared.bus.consumer.FAILING_S", 0.3)
    mended = asyncio.Event()

    async def fail(_: Batch) -> None:
        if not mended.is_set():
            raise RuntimeError("some data of a customer")

    loop = ConsumerLoop(kafka, unique("group"), [topic], Taken(fail), limits=QUICK)
    async with running(loop):
        await until(lambda: loop.failing is not None)
        assert str(loop.failing).endswith(": RuntimeError")
        mended.set()
        await until(lambda: loop.failing is None)


class Outsider:
    """A client that owns nothing."""

    def assignment(self) -> set[TopicPartition]:
        return set()


async def test_who_owns_nothing_of_a_group_without_members_is_stalled(
    kafka: str, topic: str, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was expelled and never joined again; who owns nothing beside others that do is only one too many."""
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 0.1)
    group = unique("group")
    spare, lonely = Watch(kafka, group, [topic], 0.5), Watch(kafka, unique("group"), [topic], 0.5)
    taken = Taken()
    async with running(ConsumerLoop(kafka, group, [topic], taken)):
        await until(lambda: taken.values == TEN)
        looks = [asyncio.create_task(one.run(cast(Any, Outsider()))) for one in (spare, lonely)]
        await until(lambda: lonely.stalled)
        assert not spare.stalled
        for look in looks:
            look.cancel()
        await asyncio.wait(looks)
