"""Rows of the failure table: the clock of a service's machine jumps."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.bus.topics import TopicSpec, ensure_topics
from tests.e2e.loop import eventually
from tests.faults.programs import Program
from tests.faults.test_services_replicas import PATIENCE_S, owns
from tests.faults.world import SERVICES, Row, World

Unique = Callable[[str], str]

WRONG_S = 4000
"""More than an hour: from there on Kafka by itself refuses records from the future."""
POLL_S = 0.05
HOOK = Path(__file__).parent / "clock"


@pytest.mark.slow
@pytest.mark.parametrize("way", [1, -1], ids=["ahead", "back"])
def test_a_clock_jumps(world: World, tmp_path: Path, way: int) -> None:
    """A replica of each service has it wrong from one moment to the next, the other one right; later both.

    Scores, waits and service levels go by PostgreSQL's clock, records by Kafka's, deadlines by monotonic
    ones. What the clock that is wrong covers is said in `clock`. Senders whose signature holds a time are
    refused (401) while the receiver's clock is behind it: no honest clock would have signed that.
    """
    clock = tmp_path / "clock"
    clock.write_text("0")
    name = f"the clock of a replica of each service jumps {'ahead' if way > 0 else 'back'} by over an hour"
    with wrong_clocks(world, clock) as replicas, world.row(name, fault_s=(3, 120)) as row:
        for program in replicas[1:]:
            eventually(partial(owns, world, program), f"{program.service} has partitions", PATIENCE_S)
        clock.write_text(str(way * WRONG_S))
        row.flows(60)
        row.hold()
        clock.write_text("0")
        time.sleep(3 * POLL_S)
        row.over()
        row.flows()
        taken_in_the_end(row)


def taken_in_the_end(row: Row) -> None:
    """Only for the sake of their signatures were deliveries refused, and only while the clock was behind."""
    early = [fault for fault in row.traffic.faults if "timestamp lies ahead of now" in fault]
    assert early == row.traffic.faults
    row.traffic.faults.clear()


@pytest.mark.parametrize("hours", [2, -24 * 365])
async def test_records_carry_the_time_of_the_broker(kafka: str, unique: Unique, hours: int) -> None:
    """Else a sender whose clock is ahead would be refused, and what one sends whose clock is far behind would
    be forgotten as too old, although it was acknowledged."""
    topic = unique("clock")
    await ensure_topics(kafka, [TopicSpec(topic, 1, 7)])
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    async with asyncio.timeout(60), producer, consumer:
        wrong = time.time() + hours * 3600
        await producer.send_and_wait(topic, b"v", timestamp_ms=int(wrong * 1000))
        record = await consumer.getone()
    assert abs(record.timestamp / 1000 - time.time()) < 600


@contextmanager
def wrong_clocks(world: World, clock: Path) -> Iterator[list[Program]]:
    """Replicas whose clocks can be made wrong: ingest, scoring, alerts."""
    variables = {"PYTHONPATH": str(HOOK), "CXLOOP_TEST_CLOCK": str(clock)}
    with ExitStack() as stack:
        yield [stack.enter_context(world.replica(service, **variables)) for service in SERVICES]
