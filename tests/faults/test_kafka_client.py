"""Producer and consumer while their broker is frozen, killed, stopped: real faults, from outside.

A broker of this module's own, so that no other test feels it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from shared.bus.consumer import Batch, ConsumerLoop, Limits
from shared.bus.errors import BusUnavailable
from shared.bus.producer import Producer
from shared.bus.topics import TopicSpec, ensure_topics
from shared.parts import Kafka
from tests.faults.senders import Senders
from tests.integration.bus_kit import everything, make_topic, producer_of, running
from tests.integration.waiting import until

Unique = Callable[[str], str]
LIMITS = Limits(backoff_min_s=0.05, backoff_max_s=0.5)
AWAY_S = 5.0
"""Longer than the producer waits before it gives its client up."""


@pytest.fixture(scope="module")
def own_kafka(parts_dir: Path) -> Iterator[Kafka]:
    broker = Kafka(parts_dir / "kafka-faults")
    broker.start()
    yield broker
    broker.resume()
    broker.close()


@pytest.fixture
def broker(own_kafka: Kafka) -> Iterator[Kafka]:
    """Running and awake at the beginning and at the end."""
    yield own_kafka
    own_kafka.resume()
    if not own_kafka.pid:
        own_kafka.start()


def freeze(broker: Kafka) -> None:
    broker.freeze()


def kill(broker: Kafka) -> None:
    broker.kill()


def stop(broker: Kafka) -> None:
    broker.stop()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [freeze, kill, stop])
async def test_nothing_acknowledged_is_lost_and_sending_goes_on_afterwards(
    broker: Kafka, unique: Unique, fault: Callable[[Kafka], None], caplog: pytest.LogCaptureFixture
) -> None:
    """After a clean stop the client by itself would write ten thousand lines a second, and never recover."""
    topic = unique("topic")
    await make_topic(broker.bootstrap, topic, 3)
    caplog.set_level(logging.WARNING)
    async with producer_of(broker.bootstrap) as producer:
        senders = Senders(producer, topic)
        async with senders.running():
            await senders.more()
            await asyncio.to_thread(fault, broker)
            await until(lambda: not producer.healthy)
            began = time.process_time()
            await asyncio.sleep(AWAY_S)
            spent = (time.process_time() - began) / AWAY_S
            assert senders.refused > 0
            longest_s = senders.longest_s
            bring_back(broker)
            await senders.more()
            await until(lambda: producer.healthy)
    found = set(await everything(broker.bootstrap, topic))
    assert senders.acknowledged <= found
    assert longest_s < 3.0, "a call outlived its deadline"
    assert spent < 0.5, "the client spins while nobody leads"
    assert len([record for record in caplog.records if record.name.startswith("aiokafka")]) < 100


def bring_back(broker: Kafka) -> None:
    if broker.pid:
        broker.resume()
    else:
        broker.start()


async def test_a_short_hiccup_is_only_felt_as_delay(broker: Kafka, unique: Unique) -> None:
    topic = unique("topic")
    await make_topic(broker.bootstrap, topic)
    async with producer_of(broker.bootstrap) as producer:
        await producer.send(topic, b"k", b"1")
        broker.freeze()
        sending = asyncio.create_task(producer.send(topic, b"k", b"2"))
        await asyncio.sleep(0.5)
        broker.resume()
        await sending
    assert await everything(broker.bootstrap, topic) == [b"1", b"2"]


async def test_while_the_bus_is_known_to_be_away_calls_fail_at_once(broker: Kafka, unique: Unique) -> None:
    topic = unique("topic")
    await make_topic(broker.bootstrap, topic)
    async with producer_of(broker.bootstrap) as producer:
        await producer.send(topic, b"k", b"1")
        broker.freeze()
        with pytest.raises(BusUnavailable):
            await producer.send(topic, b"k", b"2", deadline_s=10)
        began = time.monotonic()
        for _ in range(50):
            with suppress(BusUnavailable):
                await producer.send(topic, b"k", b"3", deadline_s=10)
        assert time.monotonic() - began < 1.0
        broker.resume()
        await until(lambda: _sends(producer, topic))


async def test_closing_does_not_wait_for_a_broker_that_is_gone(broker: Kafka, unique: Unique) -> None:
    topic = unique("topic")
    await make_topic(broker.bootstrap, topic)
    producer = Producer(broker.bootstrap, "test")
    assert await producer.start()
    broker.freeze()
    sending = asyncio.create_task(producer.send(topic, b"k", b"v", deadline_s=30))
    await asyncio.sleep(0)
    async with asyncio.timeout(8):
        await producer.aclose(1.0)
        with pytest.raises(BusUnavailable):
            await sending


@pytest.mark.slow
@pytest.mark.parametrize("fault", [freeze, kill, stop])
async def test_a_consumer_goes_on_when_its_broker_is_back(
    broker: Kafka, unique: Unique, fault: Callable[[Kafka], None]
) -> None:
    topic, taken = unique("topic"), set[bytes]()
    await make_topic(broker.bootstrap, topic, 3)

    async def handle(batch: Batch) -> None:
        taken.update(record.value for record in batch.records)

    async with producer_of(broker.bootstrap) as producer:
        senders = Senders(producer, topic)
        async with running(ConsumerLoop(broker.bootstrap, unique("group"), [topic], handle, limits=LIMITS)):
            async with senders.running():
                await senders.more()
                await asyncio.to_thread(fault, broker)
                await asyncio.sleep(AWAY_S)
                bring_back(broker)
                await senders.more()
            await until(lambda: senders.acknowledged <= taken, 60)


async def test_a_commit_and_a_stop_do_not_wait_for_a_broker_that_is_gone(
    broker: Kafka, unique: Unique
) -> None:
    topic, handled = unique("topic"), asyncio.Event()
    await make_topic(broker.bootstrap, topic)
    async with producer_of(broker.bootstrap) as producer:
        await producer.send(topic, b"k", b"v")

    async def freeze_then_return(_: Batch) -> None:
        broker.freeze()
        handled.set()

    loop = asyncio.create_task(
        ConsumerLoop(broker.bootstrap, unique("group"), [topic], freeze_then_return).run()
    )
    await asyncio.wait_for(handled.wait(), 30)
    await asyncio.sleep(0.5)  # now it waits for the answer to its commit
    began = time.monotonic()
    loop.cancel()
    await asyncio.wait({loop}, timeout=30)
    assert loop.done()
    assert time.monotonic() - began < 15


async def test_started_before_its_broker(broker: Kafka, unique: Unique) -> None:
    """Services and brokers start in any order."""
    topic, taken = unique("topic"), list[bytes]()
    await asyncio.to_thread(broker.stop)

    async def handle(batch: Batch) -> None:
        taken.extend(record.value for record in batch.records)

    producer = Producer(broker.bootstrap, "test")
    assert not await producer.start(wait_s=0.5)
    topics = asyncio.create_task(ensure_topics(broker.bootstrap, [TopicSpec(topic, 2, 7)], 60))
    loop = ConsumerLoop(broker.bootstrap, unique("group"), [topic], handle, limits=LIMITS)
    async with running(loop):
        await asyncio.sleep(1)
        broker.start()
        await topics
        await until(lambda: _sends(producer, topic))
        await until(lambda: bool(taken), 60)
    await producer.aclose()


async def _sends(producer: Producer, topic: str) -> bool:
    try:
        await producer.send(topic, b"k", b"v")
    except BusUnavailable:
        return False
    return True
