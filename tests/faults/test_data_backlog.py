"""A backlog with a cap on memory, one event in a hundred poison; then nothing but poison; then good again.

scoring and ingest run as processes of their own, on a broker of this module alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.bus.producer import Message, Producer
from shared.bus.topics import FEEDBACK, TOPICS, ensure_topics
from shared.db.engine import create_engine
from shared.events import Event, encode
from shared.parts import Kafka
from shared.runtime.auth import ApiKeys, Scope
from tests.e2e.loop import free_ports
from tests.faults.programs import Program
from tests.integration.alerts.conftest import SECRET_KEY, until
from tests.integration.scoring.kit import Room, event, room
from tests.integration.scoring.test_batch import check_linear

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3 * 3600 if os.environ.get("CXLOOP_SOAK") else 600)]

SOAK = bool(os.environ.get("CXLOOP_SOAK"))
BACKLOG = 1_000_000 if SOAK else 6_000
EACH = 20
FILLER = "What the sender says besides. " * 600
GROWTH_MB = 40.0
"""By as much may the second half of a backlog raise the peak of the first; it has 55 MB and more."""
CAP_MB = 400.0
PATIENCE_S = 7200.0 if SOAK else 300.0


class Stage:
    """The parts, and the two services."""

    def __init__(self, kafka: Kafka, database_url: str, folder: Path) -> None:
        self.kafka = kafka
        self.database_url = database_url
        environment = {
            "DATABASE_URL": database_url,
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "CXLOOP_SECRET_KEY": SECRET_KEY,
        }
        ports = free_ports(2)
        self.scoring = Program("scoring", ports[0], folder / "scoring.log", environment)
        self.ingest = Program("ingest", ports[1], folder / "ingest.log", environment)

    async def ready(self) -> tuple[int, str]:
        """What scoring says of itself."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.scoring.url}/readyz", timeout=10)
        return answer.status_code, answer.text

    def peak_mb(self) -> float:
        """The most memory that scoring ever had."""
        status = Path(f"/proc/{self.scoring.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    async def rejected(self, key: str) -> list[dict[str, Any]]:
        """Everything that is listed, through the API."""
        found: list[dict[str, Any]] = []
        params: dict[str, Any] = {"limit": 200}
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=self.ingest.url, headers=headers, timeout=30) as client:
            while True:
                answer = await client.get("/v1/rejected", params=params)
                assert answer.status_code == 200, answer.text
                page = answer.json()
                found += page["items"]
                if page["next"] is None:
                    return found
                params["cursor"] = page["next"]


@pytest.fixture(scope="module")
def stage(parts_dir: Path, database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        broker = Kafka(parts_dir / "kafka-data")
        broker.start()
        stack.callback(broker.close)
        made = Stage(broker, database_url, tmp_path_factory.mktemp("stage"))
        stack.callback(made.scoring.kill)
        stack.callback(made.ingest.kill)
        yield made


def good(number: int) -> Event:
    return event(
        "ticket.message",
        f"b{number}",
        f"user:b{number // EACH}",
        at=number % EACH,
        interaction=f"{number // EACH}",
        message=f"{number}",
        author="customer",
        public=True,
        native={"filler": FILLER},
    )


def poison(number: int) -> bytes:
    """Unreadable, of a wrong schema, of a newer version, or of another time; each one different."""
    raw = encode(good(number))
    match number % 5:
        case 0:
            return b"\xff\xfe" + raw
        case 1:
            return raw.replace(b'"public":true', b'"public":"yes"')
        case 2:
            return raw.replace(b"message.v1", b"message.v7")
        case 3:
            return raw[: len(raw) // 2]
        case _:
            return json.dumps({"number": number}).encode()


async def send(producer: Producer, values: list[bytes]) -> None:
    for start in range(0, len(values), 500):
        part = [Message(FEEDBACK, str(i).encode(), v) for i, v in enumerate(values[start : start + 500])]
        assert await producer.send_many(part, 60) == [None] * len(part)


async def done(scoring: Room) -> int:
    """Records that scoring has behind it."""
    return int(
        (await scoring.query("SELECT coalesce(sum(next_offset), 0)::bigint FROM scoring.progress"))[0][0]
    )


async def reached(scoring: Room, wanted: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await done(scoring) < wanted:
            await asyncio.sleep(0.1)


async def test_a_backlog_with_poison_in_it_and_then_nothing_but_poison(stage: Stage) -> None:
    await ensure_topics(stage.kafka.bootstrap, TOPICS)
    producer = Producer(stage.kafka.bootstrap, "test-backlog")
    assert await producer.start()
    engine = create_engine(stage.database_url, 1, "test")
    try:
        key = await ApiKeys(engine).create("test", list(Scope))
        async with room(stage.database_url, 2) as scoring:
            await _backlog(stage, scoring, producer, key)
            await _only_poison(stage, scoring, producer, key)
    finally:
        await producer.aclose()
        await engine.dispose()


async def _backlog(stage: Stage, scoring: Room, producer: Producer, key: str) -> None:
    dice = random.Random(7)
    bad = [poison(1_000_000 + i) for i in range(BACKLOG // 100)]
    numbers = list(range(BACKLOG - len(bad)))
    doubled = dice.sample(numbers, BACKLOG // 50)
    for start in range(0, BACKLOG, 20_000):  # a backlog need not fit into the memory of the test either
        part = numbers[start : start + 20_000]
        extra = [n for n in doubled if start <= n < start + 20_000]
        share = bad[len(bad) * start // BACKLOG : len(bad) * min(BACKLOG, start + 20_000) // BACKLOG]
        values = [encode(good(n)) for n in part + extra] + share
        dice.shuffle(values)
        await send(producer, values)
    total = BACKLOG + len(doubled)
    began = time.monotonic()
    stage.scoring.start()
    stage.ingest.start()
    await reached(scoring, total // 2)
    half = stage.peak_mb()
    await reached(scoring, total)
    whole, took = stage.peak_mb(), time.monotonic() - began
    sys.stdout.write(
        f"\n{total} records of {len(FILLER) + 500} bytes in {took:.0f} s; peak memory {half:.0f} MB at the"
        f" half, {whole:.0f} MB at the end\n"
    )
    rows = await scoring.query("SELECT count(*), count(DISTINCT event_id) FROM scoring.event")
    assert rows == [(len(numbers), len(numbers))], "every good one once"
    await check_linear(scoring, *(f"user:b{n // EACH}" for n in dice.sample(numbers, 20)))
    await all_listed(stage, key, len(bad))
    assert whole - half < GROWTH_MB
    assert whole < CAP_MB
    assert (await stage.ready())[0] == 200


async def all_listed(stage: Stage, key: str, count: int) -> None:
    async def listed() -> list[dict[str, Any]] | None:
        found = await stage.rejected(key)
        return found if len(found) >= count else None

    await asyncio.to_thread(stage.ingest.wait_ready)
    found = await until(listed, PATIENCE_S)
    assert len(found) == count
    assert {row["reasons"][0]["code"] for row in found} == {"malformed", "newer_version"}
    assert all(row["body"] and row["reasons"][0]["why"] for row in found)


async def _only_poison(stage: Stage, scoring: Room, producer: Producer, key: str) -> None:
    """It says so, keeps all of it, goes on, and is well again with the first good events."""
    before, listed = await done(scoring), BACKLOG // 100
    stage.scoring.stop()
    await send(producer, [poison(2_000_000 + i) for i in range(600)])
    stage.scoring.start()
    await asyncio.to_thread(stage.ingest.wait_ready)
    await reached(scoring, before + 600)

    async def says_so() -> bool:
        try:
            code, text = await stage.ready()
        except httpx.TransportError:
            return False
        return code == 503 and "most of what comes is refused" in text

    await until(says_so, PATIENCE_S)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{stage.scoring.url}/livez", timeout=10)).status_code == 200
    await all_listed(stage, key, listed + 600)
    fresh = [
        encode(event("survey.answered", f"f{i}", "user:fresh", at=i, response=f"{i}", metric="nps", score=i))
        for i in range(9)
    ]
    await send(producer, fresh)
    await reached(scoring, before + 600 + len(fresh))
    await check_linear(scoring, "user:fresh")

    async def well() -> bool:
        return (await stage.ready())[0] == 200

    await until(well, PATIENCE_S)
    [row, *_] = await stage.rejected(key)
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=stage.ingest.url, headers=headers) as client:
        answer = await client.post(f"/v1/rejected/{row['id']}/replay", timeout=30)
        assert (answer.status_code, answer.json()["state"]) == (202, "pending"), (
            "still nothing that can be read"
        )
