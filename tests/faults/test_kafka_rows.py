"""Rows of the failure table: Kafka goes away, in every way it can, and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from shared.bus.topics import FEEDBACK, SCORES
from tests.faults import verdict
from tests.faults.world import Row, World

Act = Callable[[World], object]

AWAY: dict[str, tuple[Act, Act]] = {
    # A clean stop says goodbye: leaders become -1, which poisons the idempotent client for good.
    "Kafka stopped cleanly": (lambda w: w.kafka.stop(), lambda w: w.kafka.start()),
    "Kafka killed": (lambda w: w.kafka.kill(), lambda w: w.kafka.start()),
    # Connections stay open and nobody answers.
    "Kafka frozen": (lambda w: w.kafka.freeze(), lambda w: w.kafka.resume()),
    "Kafka's packets dropped": (lambda w: w.kafka_net.hold(), lambda w: w.kafka_net.heal()),
    "Kafka unreachable": (lambda w: w.kafka_net.refuse(), lambda w: w.kafka_net.heal()),
    "Kafka slow by 200 ms each way": (lambda w: w.kafka_net.delay(0.2), lambda w: w.kafka_net.heal()),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", AWAY)
def test_away_and_back(world: World, name: str) -> None:
    leave, come_back = AWAY[name]
    with world.row(name) as row:
        leave(world)
        row.hold()
        come_back(world)
        row.over()


@pytest.mark.slow
def test_connections_cut_again_and_again(world: World) -> None:
    with world.row("Kafka connections cut") as row:
        assert cut_until_over(world, row) > 5
        row.over()


def cut_until_over(world: World, row: Row) -> int:
    """How many connections were reset in the time of the fault."""
    cut = 0
    while time.monotonic() < row.began + row.fault_s:
        cut += world.kafka_net.cut()
        time.sleep(0.4)
    return cut


@pytest.mark.slow
def test_topics_missing_at_start(world: World) -> None:
    """Somebody deleted them while nothing was running and nothing waited; the services make them again."""
    with world.row("topics missing at start", fault_s=(1, 1)) as row:
        world.program("ingest").stop()
        verdict.nothing_unread(world.database_url, world.kafka.bootstrap)
        for service in ("scoring", "alerts"):
            world.program(service).stop()
        asyncio.run(delete_topics(world, [FEEDBACK, SCORES]))
        row.hold()
        for program in world.keeper.programs:
            program.start()
        row.over()


async def delete_topics(world: World, names: list[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(names)
        async with asyncio.timeout(20):
            while set(names) & set(await admin.list_topics()):
                await asyncio.sleep(0.1)
    finally:
        await admin.close()
