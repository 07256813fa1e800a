"""Fixtures that tests of ingest over HTTP import: one process per test module, on real parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.integration.ingest.process import Feedback, Ingest, feedback, make_key, running


@pytest.fixture(scope="module")
async def key(database_url: str) -> str:
    return await make_key(database_url)


@pytest.fixture(scope="module")
def ingest(
    database_url: str, kafka: str, key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ingest]:
    with running(database_url, kafka, tmp_path_factory.mktemp("ingest"), key) as process:
        yield process


@pytest.fixture
async def http(ingest: Ingest) -> AsyncIterator[httpx.AsyncClient]:
    async with ingest.client() as client:
        yield client


@pytest.fixture
async def topic(ingest: Ingest, kafka: str) -> AsyncIterator[Feedback]:
    async with feedback(kafka) as reader:
        yield reader
