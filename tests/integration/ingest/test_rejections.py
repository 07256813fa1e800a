"""What scoring refuses is listed once, can be replayed, and goes away when its time has come."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import msgspec

from services.ingest.store import rejected as store
from shared.bus.producer import Producer
from shared.bus.topics import REJECTED
from shared.events import encode, rejections
from shared.events.rejections import Reason, Rejection
from tests.integration.ingest.fixtures import http, ingest, key, topic
from tests.integration.ingest.process import Feedback, an_event

__all__ = ["http", "ingest", "key", "topic"]

Unique = Callable[[str], str]
SEEN_S = 20.0


async def publish(kafka: str, values: list[bytes]) -> None:
    producer = Producer(kafka, "tests")
    await producer.start()
    try:
        for value in values:
            await producer.send(REJECTED, b"key", value, deadline_s=15)
    finally:
        await producer.aclose()


async def listed(http: httpx.AsyncClient, source: str, count: int, state: str = "pending") -> list[Any]:
    """The list of a source, as soon as it has `count` items."""
    async with asyncio.timeout(SEEN_S):
        while True:
            answer = await http.get("/v1/rejected", params={"source": source, "state": state})
            items: list[Any] = answer.json()["items"]
            if len(items) == count:
                return items
            await asyncio.sleep(0.1)


def refusal(source: str, event_id: str) -> Rejection:
    event = an_event(event_id, source)
    return Rejection(
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, event_id)),
        source=source,
        received_at="2026-03-01T09:30:00Z",
        reasons=(Reason("id_conflict", "/id", "another event has this id"),),
        body=encode(event),
        event_id=event_id,
    )


async def test_a_refusal_of_scoring_is_listed_once_and_replayed(
    http: httpx.AsyncClient, topic: Feedback, kafka: str, unique: Unique
) -> None:
    source, event_id = f"/{unique('tool')}", str(uuid.uuid4())
    told = refusal(source, event_id)
    await publish(kafka, [rejections.encode(told), rejections.encode(told)])
    (item,) = await listed(http, source, 1)
    assert (item["by"], item["event_id"], item["state"]) == ("scoring", event_id, "pending")
    assert item["reasons"] == [{"code": "id_conflict", "where": "/id", "why": "another event has this id"}]
    answer = await http.post(f"/v1/rejected/{item['id']}/replay")
    assert answer.json()["ids"] == [event_id]
    (again,) = await topic.until([event_id])
    assert again == an_event(event_id, source)
    assert await listed(http, source, 0) == []
    (kept,) = await listed(http, source, 1, "all")
    assert kept["state"] == "replayed"
    # Refused once more after the replay: pending again.
    await publish(kafka, [rejections.encode(told)])
    await listed(http, source, 1)


async def test_a_message_that_is_no_refusal_is_listed_itself(
    http: httpx.AsyncClient, kafka: str, unique: Unique
) -> None:
    good = refusal(f"/{unique('tool')}", str(uuid.uuid4()))
    junk = unique("junk").encode()
    await publish(kafka, [junk, rejections.encode(good)])
    await listed(http, good.source, 1)
    items = (await http.get("/v1/rejected", params={"source": f"/{REJECTED}"})).json()["items"]
    items = items or (await http.get("/v1/rejected", params={"limit": "200"})).json()["items"]
    assert junk.decode() in {item["body"] for item in items}


async def test_a_refusal_with_texts_that_no_column_holds_stops_nobody(
    http: httpx.AsyncClient, kafka: str, unique: Unique
) -> None:
    good, bad = refusal(f"/{unique('tool')}", str(uuid.uuid4())), refusal("/nul\x00", str(uuid.uuid4()))
    worse = msgspec.structs.replace(bad, id="\x00", event_id="\x00", received_at="0001-01-01T00:00:00Z")
    cut = rejections.encode(bad)[:-9] + b'\xdc"}'
    await publish(kafka, [rejections.encode(bad), rejections.encode(worse), cut, rejections.encode(good)])
    await listed(http, good.source, 1)


async def test_pages_pin_what_they_saw(http: httpx.AsyncClient, database_url: str, unique: Unique) -> None:
    source = f"/{unique('tool')}"
    connection = await asyncpg.connect(database_url)
    rows = [a_row(source, minutes) for minutes in range(5)]
    await store.add(connection, rows, [row.received_at for row in rows])
    first = (await http.get("/v1/rejected", params={"source": source, "limit": "2"})).json()
    late = a_row(source, 60)
    await store.add(connection, [late], [late.received_at])
    seen = [item["id"] for item in first["items"]]
    cursor = first["next"]
    while cursor:
        page = (
            await http.get("/v1/rejected", params={"source": source, "limit": "2", "cursor": cursor})
        ).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
    assert seen == [str(row.id) for row in reversed(rows)]
    assert (await http.get("/v1/rejected", params={"cursor": "nonsense"})).status_code == 400
    await connection.close()


async def test_old_rows_are_purged(database_url: str, unique: Unique) -> None:
    source = f"/{unique('tool')}"
    connection = await asyncpg.connect(database_url)
    rows = [a_row(source, 1), a_row(source, 2)]
    await store.add(connection, rows, [row.received_at for row in rows])
    await connection.execute(
        "UPDATE ingest.rejected SET stored_at = now() - interval '31 days' WHERE id = $1", rows[0].id
    )
    assert await store.purge(connection, timedelta(days=30)) >= 1
    left = await store.page(connection, 10, None, source, None)
    assert [row.id for row in left] == [rows[1].id]
    await connection.close()


def a_row(source: str, minutes: int) -> store.Rejected:
    return store.Rejected(
        id=uuid.uuid4(),
        source=source,
        received_at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=minutes),
        reasons=(Reason("unreadable", "/detail", "missing"),),
        body=b"{}",
    )
