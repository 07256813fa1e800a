"""`POST /v1/events` as the contract says, over HTTP, on real parts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from shared.events.ids import own_event_id
from tests.integration.ingest.process import (
    Feedback,
    Ingest,
    cloud_event,
    feedback,
    make_key,
    running,
)

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
Unique = Callable[[str], str]


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


async def post(http: httpx.AsyncClient, event: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    return await http.post("/v1/events", content=json.dumps(event), headers=headers or STRUCTURED)


async def test_a_structured_event_is_on_the_topic_once_it_is_accepted(
    http: httpx.AsyncClient, topic: Feedback, unique: Unique
) -> None:
    name = unique("e")
    answer = await post(http, cloud_event(name))
    event_id = own_event_id("/crm", name)
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 1,
        "rejected": 0,
        "ignored": 0,
        "ids": [event_id],
        "errors": [],
        "warnings": [],
    }
    (event,) = await topic.until([event_id])
    assert event.identifiers == ("email:ann@example.com",)
    assert event.sender_id == name
    assert b"ann" not in topic.keys[event_id]
