"""ingest as its own process on real parts, and a reader of what it publishes."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.bus.topics import FEEDBACK, TOPICS
from shared.db.engine import create_engine
from shared.events import Event, decode
from shared.events.bodies import InteractionOpened
from shared.runtime.auth import ApiKeys, Scope

SECRET_KEY = b64encode(bytes(range(32))).decode()
START_S = 90.0
READ_S = 20.0


class Ingest(NamedTuple):
    """A running process: its address, a key with every scope, and the process itself."""

    url: str
    key: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def client(self) -> httpx.AsyncClient:
        """With the key; time-outs longer than the service's own deadlines."""
        return httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=15)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def make_key(database_url: str, scopes: Iterable[Scope] = tuple(Scope)) -> str:
    engine = create_engine(database_url, 2, "tests")
    try:
        return await ApiKeys(engine).create(f"test-{secrets.token_hex(4)}", scopes)
    finally:
        await engine.dispose()


@contextmanager
def running(database_url: str, kafka: str, folder: Path, key: str, **env: str) -> Iterator[Ingest]:
    """Starts `python -m services.ingest`, waits until it is ready, ends it."""
    port = free_port()
    log = folder / f"ingest-{port}.log"
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "CXLOOP_PORT": str(port),
        "CXLOOP_SECRET_KEY": SECRET_KEY,
        **env,
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.ingest"], env=environment, stdout=out, stderr=out
        )
    ingest = Ingest(f"http://127.0.0.1:{port}", key, process, log)
    try:
        _wait_ready(ingest)
        yield ingest
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait(5)


def _wait_ready(ingest: Ingest) -> None:
    ends = time.monotonic() + START_S
    while True:
        try:
            if httpx.get(f"{ingest.url}/readyz", timeout=3).status_code == 200:
                return
        except httpx.TransportError:
            pass
        if ingest.process.poll() is not None or time.monotonic() > ends:
            raise RuntimeError(f"ingest is not ready:\n{ingest.log.read_text()[-4000:]}")
        time.sleep(0.1)


class Feedback:
    """Reads `cx.feedback.v1` from where it ended when the reader was made."""

    def __init__(self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._ends = ends
        self.events: dict[str, Event] = {}
        self.keys: dict[str, bytes] = {}
        self.copies: dict[str, int] = {}

    async def until(self, ids: Iterable[str], deadline_s: float = READ_S) -> list[Event]:
        """The events of these ids, in the given order, as soon as all were read."""
        wanted = list(ids)
        async with asyncio.timeout(deadline_s):
            while not all(one in self.events for one in wanted):
                await self._read()
        return [self.events[one] for one in wanted]

    async def all_ids(self, deadline_s: float = READ_S) -> set[str]:
        """Ids of all events up to where the topic ended when the reader was made."""
        async with asyncio.timeout(deadline_s):
            for partition, end in self._ends.items():
                while await self._consumer.position(partition) < end:
                    await self._read()
        return set(self.events)

    async def _read(self) -> None:
        for messages in (await self._consumer.getmany(timeout_ms=200)).values():
            for message in messages:
                event = decode(message.value)
                self.events[event.id] = event
                self.keys[event.id] = message.key
                self.copies[event.id] = self.copies.get(event.id, 0) + 1


@asynccontextmanager
async def feedback(
    kafka: str, topic: str = FEEDBACK, *, from_beginning: bool = False
) -> AsyncIterator[Feedback]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        count = next(spec.partitions for spec in TOPICS if spec.name == topic)
        partitions = [TopicPartition(topic, number) for number in range(count)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for partition, offset in ends.items():
            consumer.seek(partition, 0 if from_beginning else offset)
        yield Feedback(consumer, ends)
    finally:
        await consumer.stop()


def cloud_event(event_id: str, **changes: object) -> dict[str, Any]:
    """A good event of an own tool."""
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/crm",
        "type": "cxloop.ticket.opened.v1",
        "time": "2026-03-01T09:30:00Z",
        "data": {
            "identifiers": ["email:Ann@Example.com"],
            "channel": "email",
            "body": {"interaction": event_id, "text": "It does not start", "priority": "high"},
        },
    } | changes


def an_event(event_id: str, source: str) -> Event:
    """A canonical event, as it stands on the topic."""
    at = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    return Event(
        id=event_id,
        source=source,
        type="ticket.opened",
        time=at,
        recorded=at,
        body=InteractionOpened(interaction="5158", text="It does not start"),
        identifiers=("user:ann",),
    )
