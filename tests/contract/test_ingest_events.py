"""`POST /v1/events` as the contract says, over HTTP, on real parts."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from shared.events.ids import own_event_id
from shared.runtime.auth import Scope
from tests.integration.ingest.fixtures import http, ingest, key, topic
from tests.integration.ingest.process import Feedback, cloud_event, make_key

__all__ = ["http", "ingest", "key", "topic"]

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
Unique = Callable[[str], str]
Json = Any


async def post(http: httpx.AsyncClient, event: Json, headers: dict[str, str] | None = None) -> httpx.Response:
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


async def test_binary_mode_reads_attributes_from_headers(
    http: httpx.AsyncClient, topic: Feedback, unique: Unique
) -> None:
    event = cloud_event(unique("e"))
    headers = {
        "content-type": "application/json; charset=UTF-8",
        "ce-specversion": "1.0",
        "ce-id": f'"{event["id"]} %E2%82%AC"',
        "ce-source": "/crm%20tool",
        "ce-type": event["type"],
        "ce-time": event["time"],
    }
    answer = await http.post("/v1/events", content=json.dumps(event["data"]), headers=headers)
    assert answer.status_code == 202, answer.text
    event_id = own_event_id("/crm tool", f"{event['id']} €")
    assert answer.json()["ids"] == [event_id]
    assert (await topic.until([event_id]))[0].source == "/crm tool"


async def test_the_mode_is_told_by_the_content_type_in_any_case(
    http: httpx.AsyncClient, unique: Unique
) -> None:
    batch = {"content-type": "Application/CloudEvents-Batch+JSON; charset=UTF-8"}
    answer = await post(http, [cloud_event(unique("e"))], batch)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


async def test_a_batch_is_taken_event_by_event(
    http: httpx.AsyncClient, topic: Feedback, unique: Unique
) -> None:
    good, other = cloud_event(unique("e")), cloud_event(unique("e"))
    bad = cloud_event(unique("e"), type="cxloop.tiket.opened.v1", time="yesterday")
    other["data"]["body"]["colour"] = "red"
    answer = await post(http, [good, bad, other], BATCH)
    told = answer.json()
    assert answer.status_code == 202
    assert (told["accepted"], told["rejected"], told["ignored"]) == (2, 1, 0)
    assert told["ids"][1] is None
    assert [(e["index"], e["where"]) for e in told["errors"]] == [(1, "/type"), (1, "/time")]
    assert "cxloop.ticket.opened.v1" in told["errors"][0]["why"]
    assert [(w["index"], w["where"]) for w in told["warnings"]] == [(2, "/data/body/colour")]
    await topic.until([told["ids"][0], told["ids"][2]])


async def test_an_empty_batch_is_valid(http: httpx.AsyncClient) -> None:
    answer = await post(http, [], BATCH)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 0)


async def test_no_good_event_is_a_problem_with_counts(http: httpx.AsyncClient, unique: Unique) -> None:
    event = cloud_event(unique("e"), type="cxloop.council.acted.v1")
    event["data"] |= {"identifiers": ["ann"], "channel": "pigeon", "language": "§"}
    answer = await post(http, event)
    told = answer.json()
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["type"] == "/problems/invalid_request"
    assert (told["accepted"], told["rejected"], told["ids"]) == (0, 1, [None])
    assert {e["where"] for e in told["errors"]} == {
        "/type",
        "/data/identifiers/0",
        "/data/channel",
        "/data/language",
    }


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"source": "/sources/desk"}, "/source"),
        ({"specversion": "0.3"}, "/specversion"),
        ({"id": ""}, "/id"),
        ({"time": "2031-01-01T00:00:00Z"}, "/time"),
        ({"time": "1999-12-31T23:59:59Z"}, "/time"),
        ({"time": "2026-03-01T09:30:00"}, "/time"),
        ({"type": "com.example.thing"}, "/type"),
        ({"type": "cxloop.ticket.opened.v9"}, "/type"),
        ({"datacontenttype": "text/xml"}, "/datacontenttype"),
        ({"data": None}, "/data"),
        ({"data": {"identifiers": [], "body": {"interaction": "1"}}}, "/data/identifiers"),
        ({"data": {"identifiers": ["user:1"] * 21, "body": {"interaction": "1"}}}, "/data/identifiers"),
        ({"data": {"identifiers": ["user:1"], "body": {}}}, "/data/body/interaction"),
        (
            {"data": {"identifiers": ["user:1"], "body": {"interaction": "1", "text": "x" * 70_000}}},
            "/data/body",
        ),
    ],
)
async def test_why_an_event_is_refused(
    http: httpx.AsyncClient, unique: Unique, change: dict[str, Json], where: str
) -> None:
    answer = await post(http, cloud_event(unique("e")) | change)
    assert answer.status_code == 400
    assert [e["where"] for e in answer.json()["errors"]] == [where]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("survey.answered", {"response": "r1", "metric": "nps", "score": 2}),
        ("review.posted", {"review": "1", "site": "shop"}),
        ("mention.made", {"mention": "1", "where": "forum", "public": True}),
        ("usage.observed", {"feature": "export", "count": 3}),
        ("ticket.status", {"interaction": "1", "status": "solved"}),
        ("event.retracted", {"event": "1"}),
    ],
)
async def test_who_may_name_nobody(
    http: httpx.AsyncClient, unique: Unique, kind: str, body: dict[str, Json]
) -> None:
    answer = await post(http, cloud_event(unique("e"), type=f"cxloop.{kind}.v1", data={"body": body}))
    assert answer.status_code == 202, answer.text


async def test_a_retraction_names_the_tools_own_id(
    http: httpx.AsyncClient, topic: Feedback, unique: Unique
) -> None:
    first, second, third = unique("e"), unique("e"), unique("e")
    await post(http, cloud_event(first))
    ours = own_event_id("/crm", first)
    for name, event in ((second, first), (third, ours)):
        body = {"body": {"event": event, "reason": "a test"}}
        answer = await post(http, cloud_event(name, type="cxloop.event.retracted.v1", data=body))
        (told,) = await topic.until(answer.json()["ids"])
        assert told.body.event == ours  # type: ignore[attr-defined]


async def test_a_dry_run_shows_the_event_and_keeps_nothing(
    http: httpx.AsyncClient, topic: Feedback, unique: Unique
) -> None:
    tried, kept = cloud_event(unique("e")), cloud_event(unique("e"))
    tried["data"]["body"]["text"] = "my card is 4111 1111 1111 1111"
    answer = await http.post("/v1/events?dry_run=1", content=json.dumps(tried), headers=STRUCTURED)
    assert answer.status_code == 200
    (shown,) = answer.json()["events"]
    assert shown["data"]["identifiers"] == ["email:ann@example.com"]
    assert shown["data"]["body"]["text"] == "my card is [card …1111]"
    assert shown["recordedtime"]
    last = (await post(http, kept)).json()["ids"]
    await topic.until(last)
    assert shown["id"] not in topic.events


async def test_the_same_event_again_has_the_same_id(http: httpx.AsyncClient, unique: Unique) -> None:
    event = cloud_event(unique("e"))
    answer = await post(http, [event, event], BATCH)
    assert answer.json()["accepted"] == 2
    assert len({*answer.json()["ids"], *(await post(http, event)).json()["ids"]}) == 1


async def test_data_in_base64(http: httpx.AsyncClient, unique: Unique) -> None:
    event = cloud_event(unique("e"))
    event["data_base64"] = base64.b64encode(json.dumps(event.pop("data")).encode()).decode()
    assert (await post(http, event)).status_code == 202


async def test_limits(http: httpx.AsyncClient, unique: Unique) -> None:
    many = [cloud_event(unique("e"))] * 501
    assert (await post(http, many, BATCH)).status_code == 400
    assert (await post(http, "x" * (1024 * 1024))).status_code == 413
    bomb = gzip.compress(b" " * 5_000_000)
    answer = await http.post("/v1/events", content=bomb, headers=STRUCTURED | {"content-encoding": "gzip"})
    assert answer.status_code == 413
    packed = gzip.compress(json.dumps(cloud_event(unique("e"))).encode())
    answer = await http.post("/v1/events", content=packed, headers=STRUCTURED | {"content-encoding": "gzip"})
    assert answer.status_code == 202


async def test_a_body_in_chunks_is_limited_too(http: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    answer = await http.post("/v1/events", content=chunks(), headers=STRUCTURED)
    assert answer.status_code == 413


async def test_other_formats_are_named(http: httpx.AsyncClient) -> None:
    for content_type in ("application/cloudevents+xml", "application/cloudevents+json; charset=utf-16"):
        answer = await http.post("/v1/events", content=b"<a/>", headers={"content-type": content_type})
        assert answer.status_code == 415, content_type
    answer = await http.post("/v1/events", content=b"{}", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (400, "ce-specversion")


async def test_keys_and_scopes(http: httpx.AsyncClient, database_url: str, unique: Unique) -> None:
    event = json.dumps(cloud_event(unique("e")))
    reader = await make_key(database_url, [Scope.read])
    for authorization, status in (("", 401), ("Bearer cxk_nonsense", 401), (f"Bearer {reader}", 403)):
        headers = STRUCTURED | {"authorization": authorization}
        assert (await http.post("/v1/events", content=event, headers=headers)).status_code == status


async def test_an_idempotency_key_gives_the_same_answer(http: httpx.AsyncClient, unique: Unique) -> None:
    event, headers = cloud_event(unique("e")), STRUCTURED | {"idempotency-key": unique("key")}
    first, second = await post(http, event, headers), await post(http, event, headers)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert (await post(http, cloud_event(unique("e")), headers)).status_code == 400


async def test_no_byte_string_causes_a_fault_of_ours(http: httpx.AsyncClient, unique: Unique) -> None:
    random_bytes = random.Random(7)
    whole = json.dumps(cloud_event(unique("e"))).encode()
    odd = [b"", b"null", b"[" * 100_000, b'"\\ud800"', b"\xff\xfe", b'{"data":' * 5_000, os.urandom(64)]
    for _ in range(60):
        place = random_bytes.randrange(len(whole))
        odd.append(whole[:place] + random_bytes.randbytes(2) + whole[place + 1 :])
    requests = [
        http.post("/v1/events", content=body, headers=headers)
        for body in odd
        for headers in (STRUCTURED, BATCH, {"ce-specversion": "1.0", "ce-id": "%C0%A0"})
    ]
    for answer in await asyncio.gather(*requests):
        assert answer.status_code in (202, 400, 413, 415), answer.text


async def test_openapi_knows_the_raw_endpoints(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert document["paths"]["/v1/events"]["post"]["operationId"] == "send_events"
    assert {"post", "get", "head", "options"} <= set(document["paths"]["/v1/webhooks/{source}"])


async def test_other_methods_are_told_what_is_taken(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/events")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
