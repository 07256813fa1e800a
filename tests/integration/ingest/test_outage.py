"""A 2xx is durable: without Kafka events wait in the spool, without both the sender is told to come again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest

from services.ingest.store import spool
from shared.bus.topics import FEEDBACK
from shared.parts import Kafka
from tests.integration.ingest.process import Ingest, cloud_event, feedback, make_key, running

STRUCTURED = {"content-type": "application/cloudevents+json"}
SETTLE_S = 40.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A Kafka of this module alone, because it is frozen and killed."""
    folder = tmp_path_factory.mktemp("kafka")
    folder.chmod(0o755)
    node = Kafka(folder / "node").start()
    yield node
    node.close()


@pytest.fixture(scope="module")
async def key(database_url: str) -> str:
    return await make_key(database_url)


@pytest.fixture(scope="module")
def replicas(
    database_url: str, broker: Kafka, key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ingest, Ingest]]:
    folder: Path = tmp_path_factory.mktemp("ingest")
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(running(database_url, broker.bootstrap, folder, key)) for _ in range(2)
        )
        yield first, second


async def send(http: httpx.AsyncClient, name: str) -> httpx.Response:
    return await http.post("/v1/events", content=json.dumps(cloud_event(name)), headers=STRUCTURED)


async def waiting(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM ingest.spool"))


async def test_a_frozen_bus_costs_no_event_and_no_long_wait(
    replicas: tuple[Ingest, Ingest], broker: Kafka, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    async with feedback(broker.bootstrap) as topic, replicas[0].client() as http:
        before = (await send(http, "before")).json()["ids"]
        await topic.until(before)
        broker.freeze()
        try:
            loop = asyncio.get_running_loop()
            ids: list[str] = []
            for number in range(12):
                started = loop.time()
                answer = await send(http, f"frozen-{number}")
                assert answer.status_code == 202, answer.text
                assert loop.time() - started < 4
                ids += answer.json()["ids"]
            assert await waiting(connection) >= len(ids) - 1
        finally:
            broker.resume()
        await topic.until(ids, SETTLE_S)
        async with asyncio.timeout(SETTLE_S):
            while await waiting(connection):
                await asyncio.sleep(0.1)
        after = (await send(http, "after")).json()["ids"]
        await topic.until(after)
    await connection.close()


async def test_a_killed_bus_costs_no_event_and_two_replicas_drain_together(
    replicas: tuple[Ingest, Ingest], broker: Kafka, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    broker.kill()
    ids: list[str] = []
    async with replicas[0].client() as one, replicas[1].client() as other:
        for number in range(10):
            answers = await asyncio.gather(send(one, f"a-{number}"), send(other, f"b-{number}"))
            assert [answer.status_code for answer in answers] == [202, 202]
            ids += [answer.json()["ids"][0] for answer in answers]
        assert (await one.get("/readyz")).status_code == 200  # the spool still takes events
        broker.start()
        async with asyncio.timeout(SETTLE_S):
            while await waiting(connection):
                await asyncio.sleep(0.1)
    seen = await _everything(broker.bootstrap)
    assert set(ids) <= seen
    await connection.close()


async def test_without_bus_and_database_the_sender_is_told_to_come_again(
    replicas: tuple[Ingest, Ingest], broker: Kafka, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    broker.freeze()
    try:
        async with replicas[0].client() as http, connection.transaction():
            await connection.execute("LOCK TABLE ingest.spool IN ACCESS EXCLUSIVE MODE")
            answer = await send(http, "nowhere")
            assert answer.status_code == 503
            assert 0 < int(answer.headers["retry-after"]) <= 30
            assert answer.json()["type"] == "/problems/unavailable"
    finally:
        broker.resume()
    await connection.close()


async def test_one_drainer_at_a_time(database_url: str) -> None:
    one, other = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    assert await spool.try_lock(one)
    assert not await spool.try_lock(other)
    await one.close()  # a replica that dies gives the lock back
    async with asyncio.timeout(5):
        while not await spool.try_lock(other):
            await asyncio.sleep(0.05)
    await other.close()


async def _everything(bootstrap: str) -> set[str]:
    """Ids of all events on the topic, from its beginning."""
    async with feedback(bootstrap, FEEDBACK, from_beginning=True) as topic:
        return await topic.all_ids()
