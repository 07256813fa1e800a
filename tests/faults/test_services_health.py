"""What a service says of itself when its work does not get done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.scoring.app import create_app
from services.scoring.settings import Settings
from shared.bus.topics import FEEDBACK
from shared.events import encode
from tests.integration.bus_kit import producer_of
from tests.integration.scoring.conftest import KEY_OF_32_BYTES
from tests.integration.scoring.kit import event
from tests.integration.waiting import until

Unique = Callable[[str], str]


async def test_scoring_says_that_no_batch_succeeds(
    own_database_url: str, kafka: str, unique: Unique, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that they do again, without a restart."""
    monkeypatch.setattr("shared.bus.consumer.FAILING_S", 1.0)
    name = unique("batches")
    async with running(own_database_url, kafka, name) as (app, client):
        await rename(own_database_url, "claim", "elsewhere")
        async with producer_of(kafka) as producer:
            told = event("survey.answered", name, f"user:{name}", response=name, metric="nps", score=9)
            await producer.send(FEEDBACK, b"k", encode(told))
        await until(lambda: says(client, 503, "every batch fails"), 60)
        await rename(own_database_url, "elsewhere", "claim")
        await until(lambda: says(client, 200, "ok"), 60)
        assert not app.state.tasks.failed


@asynccontextmanager
async def running(url: str, kafka: str, group: str) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    app = create_app(
        Settings.load(
            database_url=url, kafka_bootstrap_servers=kafka, secret_key=KEY_OF_32_BYTES, consumer_group=group
        )
    )
    transport = httpx.ASGITransport(app)
    async with (
        asyncio.timeout(150),
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://scoring") as client,
    ):
        yield app, client


async def says(client: httpx.AsyncClient, status: int, words: str) -> bool:
    answer = await client.get("/readyz")
    return answer.status_code == status and words in answer.json()["checks"]["batches"]


async def rename(url: str, table: str, name: str) -> None:
    conn = await asyncpg.connect(url, timeout=10, command_timeout=10)
    try:
        await conn.execute(f"ALTER TABLE scoring.{table} RENAME TO {name}")
    finally:
        await conn.close()
