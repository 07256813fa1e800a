"""What tests on a real Kafka share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import GroupCoordinatorNotAvailableError

from shared.bus.consumer import Batch, ConsumerLoop
from shared.bus.producer import Message, Producer

Handle = Callable[[Batch], Awaitable[None]]


@asynccontextmanager
async def admin_of(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def make_topic(
    bootstrap: str, name: str, partitions: int = 1, settings: dict[str, str] | None = None
) -> None:
    async with admin_of(bootstrap) as admin:
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings or {})])
    assert [error[1] for error in answer.topic_errors] == [0]


@asynccontextmanager
async def producer_of(bootstrap: str) -> AsyncIterator[Producer]:
    producer = Producer(bootstrap, "test")
    assert await producer.start()
    try:
        yield producer
    finally:
        await producer.aclose()


async def fill(producer: Producer, topic: str, values: Sequence[bytes], key: bytes = b"k") -> None:
    results = await producer.send_many([Message(topic, key, value) for value in values])
    assert set(results) == {None}


@asynccontextmanager
async def running(loop: ConsumerLoop) -> AsyncIterator[asyncio.Task[None]]:
    """The loop as a task; it must not have died by itself at the end."""
    task = asyncio.create_task(loop.run())
    try:
        yield task
    finally:
        ended = task.done()
        task.cancel()
        await asyncio.wait({task}, timeout=30)
    assert not ended, task.exception()


async def committed(bootstrap: str, group: str) -> dict[int, int]:
    """Offsets the group has committed, by partition; none while a new cluster has no coordinator yet."""
    async with admin_of(bootstrap) as admin:
        try:
            offsets = await admin.list_consumer_group_offsets(group)
        except GroupCoordinatorNotAvailableError:
            return {}
    return {partition.partition: found.offset for partition, found in offsets.items()}


async def everything(bootstrap: str, topic: str) -> list[bytes]:
    """Values of a topic from its beginning to its present end."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        found: list[bytes] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for messages in (await consumer.getmany(timeout_ms=200)).values():
                found += [message.value for message in messages]
    finally:
        await consumer.stop()
    return found


async def forget_before(bootstrap: str, topic: str, offset: int) -> None:
    """What retention does in time: everything before `offset` of partition 0 is gone."""
    async with admin_of(bootstrap) as admin:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=offset)})


TEN = [b"%d" % n for n in range(10)]


class Open(ConsumerLoop):
    """A loop whose client a test can reach."""

    client: AIOKafkaConsumer | None = None

    def _client(self) -> AIOKafkaConsumer:
        self.client = super()._client()
        return self.client


class Taken:
    """A handler that takes down what it gets; `before` may raise or wait."""

    def __init__(self, before: Handle | None = None) -> None:
        self.values: list[bytes] = []
        self.batches: list[Batch] = []
        self._before = before

    async def __call__(self, batch: Batch) -> None:
        self.batches.append(batch)
        if self._before is not None:
            await self._before(batch)
        self.values += [record.value for record in batch.records]
