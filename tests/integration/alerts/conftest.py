"""The service in this process, on a real PostgreSQL and a real Kafka, with real receivers."""

# ruff: noqa: ANN401 - what JSON and keyword arguments hold

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.alerts.app import create_app
from services.alerts.settings import Settings
from shared.bus.producer import Producer
from shared.bus.topics import SCORES, TOPICS, ensure_topics
from shared.events import scores
from shared.events.times import Micros, to_micros
from shared.runtime.auth import ApiKeys, Scope
from tests.integration.alerts.receivers import MailBox, WebhookReceiver

SECRET_KEY = base64.b64encode(bytes(range(32))).decode()
PATIENCE_S = 45.0


def now() -> Micros:
    """Of this machine's clock, which the database shares."""
    return to_micros(datetime.now(UTC))


async def until(look: Callable[[], Awaitable[Any]], patience_s: float = PATIENCE_S) -> Any:
    """The first truthy answer of `look`."""
    async with asyncio.timeout(patience_s):
        while True:
            found = await look()
            if found:
                return found
            await asyncio.sleep(0.02)


class Service:
    """The running service as a test speaks to it."""

    def __init__(self, app: FastAPI, client: httpx.AsyncClient, producer: Producer, url: str) -> None:
        self.app = app
        self.client = client
        self.producer = producer
        self.database_url = url

    async def tell(self, *changes: scores.ScoreChange) -> None:
        """Score messages, as scoring sends them."""
        for change in changes:
            key = (change.customer_id or change.account_id or "").encode()
            await self.producer.send(SCORES, key, scores.encode(change))

    async def get(self, path: str, **params: Any) -> Any:
        response = await self.client.get(path, params=params)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any, status: int = 200, **more: Any) -> Any:
        response = await self.client.post(path, json=body, **more)
        assert response.status_code == status, response.text
        return response.json()

    async def alerts(self, customer: str, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.get("/v1/alerts", customer_id=customer, **params))["items"]
        return found

    async def alert(self, customer: str, state: str = "open") -> dict[str, Any]:
        """The customer's alert, once it is in `state`."""

        async def look() -> dict[str, Any] | None:
            return next((a for a in await self.alerts(customer) if a["state"] == state), None)

        found: dict[str, Any] = await until(look)
        return found

    async def deliveries(self, alert: str, state: str) -> list[dict[str, Any]]:
        """Deliveries of an alert, once there is one in `state`."""

        async def look() -> list[dict[str, Any]]:
            items: list[dict[str, Any]] = (await self.get("/v1/deliveries", alert=alert))["items"]
            return [item for item in items if item["state"] == state]

        found: list[dict[str, Any]] = await until(look)
        return found

    async def sql(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database_url, timeout=10, command_timeout=10)
        try:
            return list(await connection.fetch(statement, *arguments))
        finally:
            await connection.close()


@asynccontextmanager
async def running(database_url: str, kafka: str, **settings: Any) -> AsyncIterator[Service]:
    """A service with loopback allowed, unless `settings` say otherwise."""
    given: dict[str, Any] = {
        "database_url": database_url,
        "kafka_bootstrap_servers": kafka,
        "secret_key": SECRET_KEY,
        "allow_targets": ("127.0.0.0/8",),
        "public_url": "https://alerts.example.com",
    }
    app = create_app(Settings.load(**given | settings))
    producer = Producer(kafka, "test-scores")
    await ensure_topics(kafka, TOPICS)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(app.router.lifespan_context(app))
        assert await producer.start()
        stack.push_async_callback(producer.aclose)
        keys: ApiKeys = app.state.api_keys
        key = await keys.create("test", list(Scope))
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://alerts",
            headers={"authorization": f"Bearer {key}"},
            timeout=20,
        )
        await stack.enter_async_context(client)
        yield Service(app, client, producer, database_url)


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as server:
        yield server


@pytest.fixture
def mail_box() -> Any:
    with MailBox() as box:
        yield box


@pytest.fixture(scope="module")
async def service(database_url: str, kafka: str, unique: Callable[[str], str]) -> AsyncIterator[Service]:
    """One service for a module; customers, councils and endpoints have names of their own."""
    async with running(database_url, kafka, consumer_group=unique("alerts")) as running_service:
        yield running_service
