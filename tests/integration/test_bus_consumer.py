"""The consumer loop on a real Kafka: one test for each thing the client does that we must survive."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from shared.bus import watch
from shared.bus.consumer import Batch, ConsumerLoop, Limits, SeekTo
from shared.bus.errors import ConsumerLost, ConsumerStalled
from tests.integration.bus_kit import (
    TEN,
    Open,
    Taken,
    committed,
    fill,
    forget_before,
    make_topic,
    producer_of,
    running,
)
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


async def test_a_new_group_begins_at_the_beginning_and_commits_what_is_done(
    kafka: str, topic: str, unique: Unique
) -> None:
    """The client's own default would be the end of the log."""
    group, taken = unique("group"), Taken()
    async with running(ConsumerLoop(kafka, group, [topic], taken)):
        await until(lambda: len(taken.values) == 10)
        await until(lambda: _is(committed(kafka, group), {0: 10}))
    assert taken.values == TEN
    assert taken.batches[0].records[0].key == b"k"


async def test_the_next_process_goes_on_where_the_last_one_was(
    kafka: str, topic: str, unique: Unique
) -> None:
    group, first, second = unique("group"), Taken(), Taken()
    async with running(ConsumerLoop(kafka, group, [topic], first)):
        await until(lambda: _is(committed(kafka, group), {0: 10}))
    async with producer_of(kafka) as producer:
        await fill(producer, topic, [b"new"])
    async with running(ConsumerLoop(kafka, group, [topic], second)):
        await until(lambda: bool(second.values))
    assert second.values == [b"new"]


async def test_batches_are_bounded_by_count_and_by_bytes(kafka: str, unique: Unique) -> None:
    topic, taken = unique("topic"), Taken()
    await make_topic(kafka, topic)
    async with producer_of(kafka) as producer:
        await fill(producer, topic, [b"x" * 1000] * 100 + [b"y" * 9000] + [b"z"] * 50)
    loop = ConsumerLoop(kafka, unique("group"), [topic], taken, max_records=20, max_bytes=5000)
    async with running(loop):
        await until(lambda: len(taken.values) == 151)
    sizes = [sum(record.size for record in batch.records) for batch in taken.batches]
    assert max(len(batch.records) for batch in taken.batches) <= 20
    assert all(
        size <= 5000 or len(batch.records) == 1 for size, batch in zip(sizes, taken.batches, strict=True)
    )


async def test_a_handler_that_raises_gets_the_same_records_again(
    kafka: str, topic: str, unique: Unique
) -> None:
    group, tries = unique("group"), 0

    async def fail_twice(_: Batch) -> None:
        nonlocal tries
        tries += 1
        if tries <= 2:
            assert await committed(kafka, group) in ({}, {0: -1})
            raise RuntimeError("database away")

    taken = Taken(fail_twice)
    with capture_logs() as logs:
        async with running(ConsumerLoop(kafka, group, [topic], taken, limits=QUICK)):
            await until(lambda: _is(committed(kafka, group), {0: 10}))
    assert taken.values == TEN
    assert {batch.records[0].offset for batch in taken.batches} == {0}
    assert [e["failures"] for e in logs if e["event"].startswith("batch failed")] == [1, 2]


async def test_a_handler_that_hangs_is_a_handler_that_failed(kafka: str, topic: str, unique: Unique) -> None:
    tries = 0

    async def hang_once(_: Batch) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            await asyncio.Event().wait()

    taken = Taken(hang_once)
    limits = Limits(handle_s=0.2, backoff_min_s=0.01, backoff_max_s=0.05)
    async with running(ConsumerLoop(kafka, unique("group"), [topic], taken, limits=limits)):
        await until(lambda: taken.values == TEN)


async def test_only_what_was_done_is_committed_when_a_later_part_fails(
    kafka: str, topic: str, unique: Unique
) -> None:
    """A bare commit would confirm everything the poll handed out."""
    group = unique("group")

    async def refuse_from_five(batch: Batch) -> None:
        if batch.records[0].offset >= 5:
            raise RuntimeError("not yet")

    limits = Limits(max_bytes=5 * 2, backoff_min_s=0.01, backoff_max_s=0.05)
    taken = Taken(refuse_from_five)
    async with running(ConsumerLoop(kafka, group, [topic], taken, limits=limits)):
        await until(lambda: len([b for b in taken.batches if b.records[0].offset == 5]) >= 2)
        assert await committed(kafka, group) == {0: 5}
    assert taken.values == TEN[:5]


async def test_cancelling_neither_commits_nor_repeats(kafka: str, topic: str, unique: Unique) -> None:
    group, inside = unique("group"), asyncio.Event()

    async def wait(_: Batch) -> None:
        inside.set()
        await asyncio.Event().wait()

    taken = Taken(wait)
    loop = asyncio.create_task(ConsumerLoop(kafka, group, [topic], taken).run())
    await asyncio.wait_for(inside.wait(), 30)
    loop.cancel()
    await asyncio.wait({loop}, timeout=15)
    assert loop.cancelled()
    assert len(taken.batches) == 1
    assert await committed(kafka, group) in ({}, {0: -1})


async def test_the_database_is_the_truth_about_offsets(kafka: str, topic: str, unique: Unique) -> None:
    """After a failover the database may be behind Kafka's copy: the handler steps back to it."""
    group, behind = unique("group"), Taken()
    async with running(ConsumerLoop(kafka, group, [topic], behind)):
        await until(lambda: _is(committed(kafka, group), {0: 10}))
    async with producer_of(kafka) as producer:
        await fill(producer, topic, [b"10"])
    progress = 4

    async def follow(batch: Batch) -> None:
        nonlocal progress
        if batch.records[0].offset > progress:
            raise SeekTo({(topic, 0): progress})
        progress = batch.next_offsets[(topic, 0)]

    taken = Taken(follow)
    async with running(ConsumerLoop(kafka, group, [topic], taken)):
        await until(lambda: progress == 11)
    assert taken.values == [b"%d" % n for n in range(4, 11)]


async def test_what_retention_has_deleted_is_not_asked_for_in_circles(
    kafka: str, topic: str, unique: Unique
) -> None:
    await forget_before(kafka, topic, 6)
    sought = 0

    async def want_all(batch: Batch) -> None:
        nonlocal sought
        first = batch.records[0].offset
        if first > batch.floors.get((topic, 0), 0):
            sought += 1
            raise SeekTo({(topic, 0): 0})

    taken = Taken(want_all)
    with capture_logs() as logs:
        async with running(ConsumerLoop(kafka, unique("group"), [topic], taken)):
            await until(lambda: taken.values == TEN[6:])
    assert sought == 1
    assert [e["log_level"] for e in logs if e["event"] == "records lost to retention"] == ["error"]


async def test_a_rebalance_in_the_middle_of_a_batch_loses_nothing_and_crashes_nobody(
    kafka: str, unique: Unique
) -> None:
    """The client rebalances in the background; the commit afterwards is refused."""
    topic, group = unique("topic"), unique("group")
    await make_topic(kafka, topic, 4)
    async with producer_of(kafka) as producer:
        for n in range(40):
            await producer.send(topic, b"%d" % n, b"%d" % n)
    inside, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: Batch) -> None:
        inside.set()
        await go_on.wait()

    first, second = Taken(wait), Taken()
    one = Open(kafka, group, [topic], first, max_records=7)
    two = Open(kafka, group, [topic], second)
    async with running(one):
        await asyncio.wait_for(inside.wait(), 30)
        assert one.client is not None
        owned = one.client.assignment()
        async with running(two):
            await until(lambda: one.client is not None and one.client.assignment() < owned)
            go_on.set()
            await until(lambda: {*first.values, *second.values} == {b"%d" % n for n in range(40)})
    assert second.values


async def test_more_replicas_than_partitions_stand_by(kafka: str, topic: str, unique: Unique) -> None:
    """An empty set of partitions, splatted, would mean all of them."""
    group, takers = unique("group"), [Taken(), Taken()]
    async with running(ConsumerLoop(kafka, group, [topic], takers[0])):
        async with running(ConsumerLoop(kafka, group, [topic], takers[1])):
            await until(lambda: _is(committed(kafka, group), {0: 10}))
        async with producer_of(kafka) as producer:
            await fill(producer, topic, [b"new"])
        await until(lambda: b"new" in takers[0].values)
    assert sorted(set(takers[0].values + takers[1].values)) == [*TEN, b"new"]


async def test_a_partition_that_stands_still_ends_the_process(
    kafka: str, topic: str, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any sign from the client: seen from outside, by a second connection."""
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 0.1)
    taken = Taken()
    loop = Open(kafka, unique("group"), [topic], taken, limits=Limits(stall_s=1.0))
    task = asyncio.create_task(loop.run())
    await until(lambda: len(taken.values) == 10)
    assert loop.client is not None
    loop.client.pause(TopicPartition(topic, 0))  # what a stuck fetcher looks like from outside
    async with producer_of(kafka) as producer:
        await fill(producer, topic, [b"never"])
    with pytest.raises(ConsumerStalled, match=f"{topic}/0"):
        await asyncio.wait_for(task, 30)
    assert loop.stalled
    assert loop.lag == 1


async def test_a_failing_handler_is_no_stalled_consumer(
    kafka: str, topic: str, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_EVERY_S", 0.05)

    async def fail(_: Batch) -> None:
        raise RuntimeError("database away")

    taken = Taken(fail)
    limits = Limits(stall_s=2.0, backoff_min_s=0.05, backoff_max_s=0.1)
    loop = ConsumerLoop(kafka, unique("group"), [topic], taken, limits=limits)
    with capture_logs():
        async with running(loop):
            await until(lambda: loop.lag == 10 and len(taken.batches) > 6)
            assert not loop.stalled


async def test_a_dead_coordination_task_ends_the_process(kafka: str, topic: str, unique: Unique) -> None:
    """It raises at every poll, for ever."""
    taken = Taken()
    loop = Open(kafka, unique("group"), [topic], taken)
    task = asyncio.create_task(loop.run())
    await until(lambda: len(taken.values) == 10)
    assert loop.client is not None

    async def die() -> None:
        raise KeyError("a bug of the client")

    coordinator = loop.client._coordinator
    coordinator._coordination_task.cancel()
    coordinator._coordination_task = asyncio.create_task(die())
    with pytest.raises(ConsumerLost, match="broken"):
        await asyncio.wait_for(task, 30)


async def _is(value: Awaitable[object], wanted: object) -> bool:
    return await value == wanted
