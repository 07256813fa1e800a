"""Real parts for one run, databases made from templates, topics filled and groups placed."""

from __future__ import annotations

import asyncio
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.cli import migrations
from shared.bus.topics import FEEDBACK, TOPICS, ensure_topics
from shared.events import Event, encode
from shared.parts import Kafka, Postgres
from shared.runtime.secrets import KeyHasher

SECRET_KEY = b64encode(bytes(32)).decode()
T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """The parts of a run; `folder` is temporary."""

    folder: Path
    postgres: Postgres
    kafka: Kafka
    kept: dict[str, Any] = field(default_factory=dict)
    """What one family prepared and others use, too."""

    def url(self, database: str = "postgres") -> str:
        parts = urlsplit(self.postgres.database_url)
        return urlunsplit(parts._replace(path=f"/{database}"))

    def env(self, database: str = "postgres", **more: str) -> dict[str, str]:
        """Environment of a service or contender that works on `database`."""
        return {
            "DATABASE_URL": self.url(database),
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "CXLOOP_SECRET_KEY": SECRET_KEY,
            "CXLOOP_LOG_LEVEL": "warning",
            **more,
        }

    def sql(self, work: Callable[[asyncpg.Connection[Any]], Awaitable[T]], database: str = "postgres") -> T:
        """Runs `work` on a connection of its own."""

        async def run() -> T:
            connection = await asyncpg.connect(self.url(database))
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(run())

    def fresh_database(self, name: str, template: str | None = None) -> str:
        """A migrated database, or a copy of `template`, which nobody may be connected to."""

        async def make(connection: asyncpg.Connection[Any]) -> None:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')

        self.sql(make)
        if template is None:
            migrations.upgrade_all(self.url(name))
        return name


def rounds_within(rounds: int, seconds: float) -> Iterator[int]:
    """0, 1, … as long as another round fits into the time; at least one."""
    began = time.monotonic()
    for number in range(rounds):
        spent = time.monotonic() - began
        if number and spent + spent / number > seconds:
            return
        yield number


@contextmanager
def opened(folder: Path) -> Iterator[World]:
    """One PostgreSQL and one Kafka below `folder`, with the topics of cxloop."""
    folder.mkdir()
    for place in (folder.parent, folder):
        place.chmod(0o755)
    postgres = Postgres(folder / "postgres").start()
    kafka = Kafka(folder / "kafka")
    try:
        kafka.start()
        asyncio.run(ensure_topics(kafka.bootstrap, TOPICS))
        yield World(folder, postgres, kafka)
    finally:
        kafka.close()
        postgres.stop()


def begin_here(world: World, database: str, group: str, *topics: str) -> None:
    """Services on `database` take what comes from now on, and nothing that is in the topics already."""
    for topic in topics:
        offsets = ends(world, topic)
        place_group(world, group, topic, offsets)
        rows = [(topic, partition, offset) for partition, offset in offsets.items()]
        schema = "scoring" if topic == FEEDBACK else "alerts"

        async def write(
            connection: asyncpg.Connection[Any], rows: list[Any] = rows, schema: str = schema
        ) -> None:
            await connection.execute(f"DELETE FROM {schema}.progress")
            await connection.copy_records_to_table("progress", records=rows, schema_name=schema)

        world.sql(write, database)


def publish(world: World, events: Sequence[Event]) -> None:
    """Straight to the topic, keyed as ingest keys them."""
    hasher = KeyHasher.from_key(SECRET_KEY)
    pairs = [(hasher.kafka_key(event), encode(event)) for event in events]

    async def run() -> None:
        client = AIOKafkaProducer(
            bootstrap_servers=world.kafka.bootstrap, max_batch_size=1 << 20, linger_ms=5
        )
        async with client:
            for start in range(0, len(pairs), 200):
                await asyncio.gather(
                    *[await client.send(FEEDBACK, value, key) for key, value in pairs[start : start + 200]]
                )

    asyncio.run(run())


def ends(world: World, topic: str) -> dict[int, int]:
    """End offset of each partition."""

    async def run() -> dict[int, int]:
        async with AIOKafkaConsumer(bootstrap_servers=world.kafka.bootstrap) as client:
            numbers = await _partitions(client, topic)
            found = await client.end_offsets([TopicPartition(topic, n) for n in numbers])
        return {place.partition: offset for place, offset in found.items()}

    return asyncio.run(run())


def place_group(world: World, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """A group that has not begun yet begins at these offsets."""

    async def run() -> None:
        client = AIOKafkaConsumer(
            bootstrap_servers=world.kafka.bootstrap, group_id=group, enable_auto_commit=False
        )
        async with client:
            places = {TopicPartition(topic, n): offset for n, offset in offsets.items()}
            client.assign(list(places))
            await client.commit(places)

    asyncio.run(run())


def last_records(world: World, topic: str, count: int) -> list[bytes]:
    """Some of the newest values of a topic."""

    async def run() -> list[bytes]:
        async with AIOKafkaConsumer(bootstrap_servers=world.kafka.bootstrap) as client:
            places = [TopicPartition(topic, n) for n in await _partitions(client, topic)]
            client.assign(places)
            for place, end in (await client.end_offsets(places)).items():
                client.seek(place, max(0, end - count // len(places) - 1))
            found = await client.getmany(timeout_ms=3000, max_records=count)
        return [record.value for records in found.values() for record in records]

    return asyncio.run(run())


async def _partitions(client: AIOKafkaConsumer, topic: str) -> list[int]:
    client.subscribe([topic])
    while not (numbers := client.partitions_for_topic(topic)):
        await asyncio.sleep(0.05)
    client.unsubscribe()
    return sorted(numbers)
