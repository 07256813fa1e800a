"""Topics and producer on a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from shared.bus.errors import BusUnavailable, RecordTooLarge, TopicMismatch
from shared.bus.producer import Message, Producer
from shared.bus.topics import MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, TopicSpec, ensure_topics
from tests.integration.bus_kit import everything, fill, make_topic, producer_of
from tests.integration.waiting import until

Unique = Callable[[str], str]
NOBODY = "127.0.0.1:9"
BIG = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}


async def test_topics_are_made_once_and_checked_ever_after(kafka: str, unique: Unique) -> None:
    specs = [TopicSpec(unique("topic"), 4, 7), TopicSpec(unique("topic"), 2, 30)]
    await asyncio.gather(*(ensure_topics(kafka, specs, 30) for _ in range(3)))
    with capture_logs() as logs:
        await ensure_topics(kafka, specs, 30)
    assert logs == []
    async with producer_of(kafka) as producer:
        await fill(producer, specs[0].name, [b"x" * (MAX_REQUEST_BYTES - 1024)])


async def test_a_topic_that_is_too_weak_is_refused_by_name(kafka: str, unique: Unique) -> None:
    name = unique("topic")
    await make_topic(kafka, name, 2, {"retention.ms": "1000"})
    with pytest.raises(TopicMismatch) as caught:
        await ensure_topics(kafka, [TopicSpec(name, 4, 7)], 30)
    assert name in str(caught.value)
    assert "partitions" in str(caught.value)
    assert "retention.ms" in str(caught.value)


async def test_without_a_broker_there_is_one_warning_and_an_end(unique: Unique) -> None:
    with capture_logs() as logs, pytest.raises(BusUnavailable, match="within 1 s"):
        await ensure_topics(NOBODY, [TopicSpec(unique("topic"), 1, 7)], deadline=1.2)
    assert [entry["event"] for entry in logs] == ["topics not ready, trying again"]


async def test_what_was_acknowledged_is_there_in_order(kafka: str, unique: Unique) -> None:
    topic = unique("topic")
    await make_topic(kafka, topic)
    values = [b"%d" % n for n in range(1500)]
    async with producer_of(kafka) as producer:
        assert producer.healthy
        await fill(producer, topic, values)
        await producer.send(topic, b"k", b"last", [("traceparent", b"x")])
    assert await everything(kafka, topic) == [*values, b"last"]


async def test_no_more_than_the_cap_is_in_the_client(kafka: str, unique: Unique) -> None:
    topic = unique("topic")
    await make_topic(kafka, topic)
    producer = Producer(kafka, "test", cap=8)
    assert await producer.start()
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            assert producer._life is not None
            most = max(most, producer._life.in_flight)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    try:
        await asyncio.gather(*(producer.send(topic, b"%d" % n, b"v") for n in range(300)))
    finally:
        watching.cancel()
        await producer.aclose()
    assert 0 < most <= 8
    assert len(await everything(kafka, topic)) == 300


async def test_a_record_too_large_harms_nobody_else(kafka: str, unique: Unique) -> None:
    topic = unique("topic")
    await make_topic(kafka, topic, settings=BIG)
    async with producer_of(kafka) as producer:
        results = await producer.send_many(
            [
                Message(topic, b"k", b"1"),
                Message(topic, b"k", b"x" * MAX_REQUEST_BYTES),
                Message(topic, b"k", b"2"),
            ]
        )
        assert [type(result) for result in results] == [type(None), RecordTooLarge, type(None)]
        with pytest.raises(RecordTooLarge):
            await producer.send(topic, b"k", b"x" * (MAX_REQUEST_BYTES + 1))
    assert await everything(kafka, topic) == [b"1", b"2"]


async def test_a_topic_that_takes_less_than_we_send_poisons_one_client_only(
    kafka: str, unique: Unique
) -> None:
    """The broker's refusal costs a sequence number: with the same client that partition is lost for good."""
    topic = unique("topic")
    await make_topic(kafka, topic, settings={"max.message.bytes": "2000"})
    async with producer_of(kafka) as producer:
        await producer.send(topic, b"k", b"before")
        with capture_logs() as logs:
            with pytest.raises(BusUnavailable):
                await producer.send(topic, b"k", b"x" * 5000)
            await until(lambda: any(e["event"].startswith("producer given up") for e in logs))
        await until(lambda: _sends(producer, topic))
        assert producer.healthy
    assert set(await everything(kafka, topic)) == {b"before", b"after"}


async def test_without_a_broker_sends_fail_at_once_and_closing_does_not_hang() -> None:
    producer = Producer(NOBODY, "test")
    assert not await producer.start(wait_s=0.3)
    assert not producer.healthy
    async with asyncio.timeout(2):
        with pytest.raises(BusUnavailable):
            await producer.send("t", b"k", b"v", deadline_s=60)
        results = await producer.send_many([Message("t", b"k", b"v")] * 3, deadline_s=60)
        assert [type(result) for result in results] == [BusUnavailable] * 3
        await producer.aclose()


async def test_a_caller_that_gives_up_does_not_free_the_slot(kafka: str, unique: Unique) -> None:
    """The record may still arrive, so it still counts."""
    topic = unique("topic")
    await make_topic(kafka, topic)
    async with producer_of(kafka) as producer:
        await producer.send(topic, b"k", b"warm")
        sending = asyncio.create_task(producer.send(topic, b"k", b"given up"))
        assert producer._life is not None
        life = producer._life
        while not life.in_flight:
            await asyncio.sleep(0)
        sending.cancel()
        assert life.in_flight == 1
        await until(lambda: not life.in_flight)
    assert await everything(kafka, topic) == [b"warm", b"given up"]


async def _sends(producer: Producer, topic: str) -> bool:
    try:
        await producer.send(topic, b"k", b"after")
    except BusUnavailable:
        return False
    return True
