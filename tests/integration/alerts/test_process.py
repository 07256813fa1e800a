"""alerts as its own process: killed in the middle of a delivery, and ended politely."""

# ruff: noqa: ASYNC220, ASYNC240 - a process and its log, watched by a test

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from shared.bus.producer import Producer
from shared.bus.topics import SCORES, TOPICS, ensure_topics
from shared.db.engine import create_engine
from shared.events import scores as messages
from shared.runtime.auth import ApiKeys, Scope
from tests.integration.alerts.conftest import SECRET_KEY, now, until
from tests.integration.alerts.receivers import WebhookReceiver
from tests.unit.alerts.builders import answer, change, scores

END_S = 15.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@asynccontextmanager
async def process(
    url: str, kafka: str, group: str, log: Path
) -> AsyncIterator[tuple[str, subprocess.Popen[bytes]]]:
    """`python -m services.alerts`, ready; killed in the end."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": url,
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "CXLOOP_PORT": str(port),
        "CXLOOP_SECRET_KEY": SECRET_KEY,
        "CXLOOP_ALLOW_TARGETS": "127.0.0.0/8",
        "CXLOOP_DELIVERY_TIMEOUT_S": "2",
        "CXLOOP_CONSUMER_GROUP": group,
    }
    with log.open("ab") as out:
        child = subprocess.Popen([sys.executable, "-m", "services.alerts"], env=environment, stderr=out)
    base = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient() as client:

            async def ready() -> bool:
                assert child.poll() is None, log.read_text()
                try:
                    return (await client.get(f"{base}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(ready)
        yield base, child
    finally:
        child.kill()
        child.wait(END_S)


async def make_key(url: str) -> str:
    engine = create_engine(url, 1, "test")
    try:
        return await ApiKeys(engine).create("test", list(Scope))
    finally:
        await engine.dispose()


async def test_killed_while_a_receiver_hangs(
    own_database_url: str, kafka: str, unique: Callable[[str], str], receiver: WebhookReceiver, tmp_path: Path
) -> None:
    group, customer, log = unique("alerts"), unique("c"), tmp_path / "log"
    key = await make_key(own_database_url)
    await ensure_topics(kafka, TOPICS)
    producer = Producer(kafka, "test-scores")
    assert await producer.start()
    headers = {"authorization": f"Bearer {key}"}
    hook = {"id": "hook", "kind": "webhook", "url": receiver.url, "councils": ["own"]}
    receiver.hang.clear()

    async def ours() -> list[str]:
        return [h["webhook-id"] for h, body in receiver.requests if customer.encode() in body]

    try:
        async with process(own_database_url, kafka, group, log) as (base, child):
            async with httpx.AsyncClient(base_url=base, headers=headers) as client:
                body = {"id": "own", "scope": {"region": [customer]}}
                assert (await client.post("/v1/councils", json=body)).status_code == 201
                made = (await client.post("/v1/endpoints", json=hook)).json()
            given = answer("a-" + customer, 2, when=now())
            message = change(1, scores(), scores(), customer, events=(given,), region=customer)
            await producer.send(SCORES, customer.encode(), messages.encode(message))
            (first,) = await until(ours)
            child.kill()
        receiver.hang.set()
        async with process(own_database_url, kafka, group, log) as (base, child):

            async def again() -> bool:
                return len(await ours()) >= 2

            await until(again)
            assert set(await ours()) == {first}
            receiver.verified(made["secret"])
            child.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(child.wait, END_S) == 0
    finally:
        await producer.aclose()
    told = log.read_text()
    assert "Traceback" not in told
    assert made["secret"] not in told
    assert "You lost us" not in told
