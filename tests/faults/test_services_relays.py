"""Rows of the failure table: a relay that is paused while it owns what others need, and wakes up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.ingest.drainer import Drainer
from services.ingest.store import spool
from shared.bus.producer import Message, Producer, Result
from shared.db.engine import create_engine, driver
from shared.db.outbox import OUTBOX_DDL, OutboxRow, add
from shared.db.relay import Relay
from tests.integration.waiting import until

SCHEMA = "box"
KEYS = 40


class Topic:
    """What arrived, in order."""

    def __init__(self) -> None:
        self.taken: list[Message] = []

    def newest(self) -> dict[bytes, int]:
        """As a reader has it in the end, who drops what is not newer than what it has."""
        newest: dict[bytes, int] = {}
        for message in self.taken:
            newest[message.key] = max(newest.get(message.key, 0), int(message.value))
        return newest

    @property
    def went_back(self) -> bool:
        """Whether an old message came after a newer one of its key."""
        last: dict[bytes, int] = {}
        for message in self.taken:
            if int(message.value) < last.get(message.key, 0):
                return True
            last[message.key] = int(message.value)
        return False


class Sender:
    """One process' way to the topic. It can be frozen, before what it sends arrives, or after."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic
        self._awake = asyncio.Event()
        self._awake.set()
        self.after = False
        self.frozen = asyncio.Event()

    def freeze(self, *, after: bool) -> None:
        self.after = after
        self._awake.clear()

    def resume(self) -> None:
        self._awake.set()

    async def send_many(self, messages: Sequence[Message], deadline_s: float = 5.0) -> list[Result]:
        await asyncio.sleep(min(0.0, deadline_s))
        if self.after:
            self._topic.taken += messages
        if not self._awake.is_set():
            self.frozen.set()
            await self._awake.wait()
        if not self.after:
            self._topic.taken += messages
        return [None] * len(messages)


@pytest.fixture
async def engine(empty_database_url: str) -> AsyncIterator[AsyncEngine]:
    made = create_engine(empty_database_url, 8, "test-relays")
    async with driver(made) as connection:
        await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        await connection.execute(OUTBOX_DDL(SCHEMA))
    yield made
    await made.dispose()


async def tell(engine: AsyncEngine, version: int) -> None:
    """The next version of every key."""
    async with driver(engine) as connection, connection.transaction():
        rows = [OutboxRow("t", b"k%d" % n, b"%d" % version, ()) for n in range(KEYS)]
        await add(connection, SCHEMA, rows)


async def waiting(engine: AsyncEngine) -> int:
    async with driver(engine) as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {SCHEMA}.outbox"))


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    yield
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


@pytest.mark.parametrize("after", [True, False], ids=["after its send", "before its send"])
async def test_a_relay_is_paused(engine: AsyncEngine, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lanes go to another one when the server has ended its session; what it still sends harms nobody."""
    monkeypatch.setattr("shared.db.relay.SILENT_S", 1.0)
    topic = Topic()
    paused, other = Sender(topic), Sender(topic)
    async with running(Relay(engine, SCHEMA, paused)):
        paused.freeze(after=after)
        await tell(engine, 1)
        await paused.frozen.wait()
        async with running(Relay(engine, SCHEMA, other)):
            await tell(engine, 2)

            async def empty() -> bool:
                return not await waiting(engine)

            await until(empty, 30)
            assert set(topic.newest().values()) == {2}
            paused.resume()
            await tell(engine, 3)
            await until(lambda: set(topic.newest().values()) == {3}, 30)
            await until(empty, 30)
    assert len(topic.newest()) == KEYS
    assert topic.went_back is not after, "the old one came after the new one, or the test shows nothing"


async def test_a_drainer_is_paused(own_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one drains the spool as soon as the server has ended the session of the first."""
    monkeypatch.setattr("services.ingest.store.spool.SILENT_S", 1.0)
    topic = Topic()
    paused, other = Sender(topic), Sender(topic)
    async with asyncio.timeout(30), two_pools(own_database_url) as (one, two):
        async with driver(two) as connection:
            await spool.add(connection, [spool.Spooled("t", b"k%d" % n, b"1") for n in range(KEYS)])
        paused.freeze(after=True)
        drainer = asyncio.create_task(Drainer(one, cast(Producer, paused)).run())
        await paused.frozen.wait()
        successor = Drainer(two, cast(Producer, other))
        while not await successor.drain_once():
            await asyncio.sleep(0.1)
        async with driver(two) as connection:
            assert await spool.is_empty(connection)
            await spool.add(connection, [spool.Spooled("t", b"k", b"2")])
        paused.resume()
        await until(lambda: topic.newest().get(b"k") == 2)  # the first one is at work again
        drainer.cancel()
        await asyncio.wait({drainer})
        assert drainer.cancelled()
        assert len(topic.newest()) == KEYS + 1


@asynccontextmanager
async def two_pools(url: str) -> AsyncIterator[tuple[AsyncEngine, AsyncEngine]]:
    one, two = create_engine(url, 2, "test-paused"), create_engine(url, 2, "test-other")
    yield one, two
    await one.dispose()
    await two.dispose()
