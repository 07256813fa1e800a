"""Several replicas share sources, and serve webhooks while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.integration.ingest.process import Ingest, make_key, running
from tests.senders_bodies import zendesk_event
from tests.senders_kit import sign

AGREE_S = 3.0


@pytest.fixture(scope="module")
def replicas(
    database_url: str, kafka: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Ingest, Ingest]]:
    key = asyncio.run(make_key(database_url))
    folder: Path = tmp_path_factory.mktemp("ingest")
    with ExitStack() as stack:
        first, second = (stack.enter_context(running(database_url, kafka, folder, key)) for _ in range(2))
        yield first, second


async def deliver(http: httpx.AsyncClient, source: str, secret: str) -> int:
    at = datetime.now(UTC)
    request = sign("zendesk", zendesk_event("created", "77", at), secret, at=at)
    answer = await http.post(f"/v1/webhooks/{source}", content=request.body, headers=dict(request.headers))
    return answer.status_code


async def test_replicas_agree_on_sources(replicas: tuple[Ingest, Ingest]) -> None:
    async with replicas[0].client() as one, replicas[1].client() as other:
        assert await deliver(other, "shared", "first") == 404
        body = {"id": "shared", "vendor": "zendesk", "secrets": ["first"]}
        assert (await one.post("/v1/sources", json=body)).status_code == 201
        assert await deliver(one, "shared", "first") == 202
        async with asyncio.timeout(AGREE_S):
            while await deliver(other, "shared", "first") != 202:
                await asyncio.sleep(0.05)
        await one.patch("/v1/sources/shared", json={"secrets": ["second"]})
        async with asyncio.timeout(AGREE_S):
            while await deliver(other, "shared", "first") != 401:
                await asyncio.sleep(0.05)
        assert await deliver(other, "shared", "second") == 202


async def test_without_the_list_no_source_is_called_unknown(
    replicas: tuple[Ingest, Ingest], database_url: str
) -> None:
    """Some senders switch a webhook off at the first 404: while the list cannot be read it is a 503."""
    connection = await asyncpg.connect(database_url)
    async with replicas[0].client() as http:
        body = {"id": "kept", "vendor": "zendesk", "secrets": ["first"]}
        await http.post("/v1/sources", json=body)
        async with connection.transaction():
            await connection.execute("LOCK TABLE ingest.source, ingest.source_generation")
            assert await deliver(http, "kept", "first") == 202  # known, and Kafka takes it
            assert await deliver(http, "nobody", "first") == 503
        assert await deliver(http, "nobody", "first") == 404
    await connection.close()
