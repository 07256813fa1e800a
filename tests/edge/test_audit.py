"""The audit log on a real PostgreSQL: nothing is changed without a row, and no row says too much."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from shared.db.engine import create_engine
from shared.db.migrate import upgrade_shared
from shared.runtime import audit
from shared.runtime.audit import Call
from shared.runtime.auth import Principal, Scope
from shared.runtime.rate import Rate
from shared.runtime.settings import ServiceSettings
from tests.integration.small_service import make_app
from tests.integration.test_runtime import SECRET

Rows = list[dict[str, Any]]
ANN = Principal("key_ann", "ann's laptop", frozenset({Scope.admin}))
THING = Call("POST", "/v1/things")


@pytest.fixture
async def app(empty_database_url: str) -> AsyncIterator[FastAPI]:
    upgrade_shared(empty_database_url)
    settings = ServiceSettings.load(
        database_url=empty_database_url, kafka_bootstrap_servers="none:1", secret_key=SECRET
    )
    made = make_app(settings)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Has a key with the scopes read and admin."""
    key = await app.state.api_keys.create("tester", [Scope.read, Scope.admin])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://small", headers=headers) as client:
        yield client


async def rows(client: httpx.AsyncClient, **query: str | int) -> Rows:
    answer = await client.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    found: Rows = answer.json()["items"]
    return found


async def test_a_change_is_recorded_with_who_what_and_how_it_ended(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with capture_logs() as lines:
        answer = await client.post(
            "/v1/things", json={"name": "a"}, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        )
    assert answer.status_code == 201
    (info,) = await app.state.api_keys.list()
    (row,) = await rows(client)
    at = datetime.fromisoformat(row.pop("at"))
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=5)
    assert row == {
        "id": "1",
        "service": "small",
        "key_id": info.id,
        "key_name": "tester",
        "method": "POST",
        "route": "/v1/things",
        "object": None,
        "status": 201,
        "trace": trace,
    }
    (line,) = (line for line in lines if line["event"] == "management call")
    assert (line["key"], line["route"], line["status"]) == (info.id, "/v1/things", 201)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"name":"refuse"}', 409),
        (b'{"name":"fail"}', 500),
        (b'{"size":1}', 400),
        (b"{", 400),
        (b" " * (1024 * 1024 + 1), 413),
    ],
)
async def test_a_change_that_fails_is_recorded_as_failed(
    client: httpx.AsyncClient, body: bytes, status: int
) -> None:
    headers = {"content-type": "application/json"}
    assert (await client.post("/v1/things", content=body, headers=headers)).status_code == status
    assert [row["status"] for row in await rows(client)] == [status]


async def test_a_key_without_the_scope_is_named(app: FastAPI, client: httpx.AsyncClient) -> None:
    weak = await app.state.api_keys.create("weak", [Scope.read])
    answer = await client.post("/v1/things", json={"name": "a"}, headers={"Authorization": f"Bearer {weak}"})
    assert answer.status_code == 403
    (row,) = await rows(client)
    assert (row["key_name"], row["status"], row["object"]) == ("weak", 403, None)


@pytest.mark.parametrize("header", ["", "Bearer cxk_canary-in-the-wrong-key", "Basic canary"])
async def test_an_unknown_caller_is_recorded_without_what_he_sent(
    client: httpx.AsyncClient, header: str
) -> None:
    with capture_logs() as lines:
        answer = await client.post(
            "/v1/things?canary=1", content=b'{"name":"canary"}', headers={"Authorization": header}
        )
    assert answer.status_code == 401
    found = await rows(client)
    assert [(row["key_id"], row["key_name"], row["route"], row["status"]) for row in found] == [
        (None, None, "/v1/things", 401)
    ]
    assert "canary" not in json.dumps(found) + repr(lines)


async def test_unknown_callers_cannot_fill_the_table(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "UNKNOWN_CALLERS", Rate.of(per_s=0.001, burst=5))
    before = audit.unwritten._value.get()
    for _ in range(12):
        answer = await client.post("/v1/things", json={"name": "a"}, headers={"Authorization": "x"})
        assert answer.status_code == 401
    assert len(await rows(client)) == 5
    assert audit.unwritten._value.get() - before == 7
    assert (await client.post("/v1/things", json={"name": "a"})).status_code == 201
    assert len(await rows(client)) == 6


async def test_reads_and_what_is_nowhere_leave_no_row(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/things/7")).status_code == 200
    assert (await client.post("/v1/nothing", json={})).status_code == 404
    assert (await client.put("/v1/things", json={})).status_code == 405
    assert await rows(client) == []


async def test_a_repeated_request_is_recorded_each_time(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        answer = await client.post("/v1/things", json={"name": "a"}, headers={"Idempotency-Key": "k"})
        assert answer.json()["number"] == 1
    conflict = await client.post("/v1/things", json={"name": "b"}, headers={"Idempotency-Key": "k"})
    assert conflict.status_code == 400
    assert [row["status"] for row in await rows(client)] == [400, 201, 201]


async def test_without_a_row_nothing_is_changed(app: FastAPI, client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/things", json={"name": "a"})).status_code == 201
    broken = create_engine("postgresql://nobody@127.0.0.1:9/none", 2)
    app.state.audit._engine = broken
    answer = await client.post("/v1/things", json={"name": "b"})
    await broken.dispose()
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert app.state.made == 1


async def test_an_outcome_that_cannot_be_told_leaves_the_row_open(
    app: FastAPI, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away between the change and its outcome: the caller hears what happened."""
    log = app.state.audit
    working, broken = log._engine, create_engine("postgresql://nobody@127.0.0.1:9/none", 2)
    begin = log.begin

    async def begin_then_break(call: Call, who: Principal) -> int:
        row: int = await begin(call, who)
        log._engine = broken
        return row

    monkeypatch.setattr(log, "begin", begin_then_break)
    answer = await client.post("/v1/things", json={"name": "a"})
    log._engine = working
    await broken.dispose()
    assert answer.status_code == 201
    assert [row["status"] for row in await rows(client)] == [None]


async def test_filters_and_pages(app: FastAPI, client: httpx.AsyncClient) -> None:
    log = app.state.audit
    for number in range(5):
        await log.finish(await log.begin(Call("POST", "/v1/things"), ANN), THING, ANN, 201, f"t-{number}")
    middle = datetime.now(UTC)
    other = Call("DELETE", "/v1/rules/{rule_id}", "late")
    await log.finish(await log.begin(other, ANN), other, ANN, 204)
    assert (await client.post("/v1/things", json={"name": "a"})).status_code == 201
    everything = await rows(client)
    assert [row["object"] for row in everything] == [None, "late", "t-4", "t-3", "t-2", "t-1", "t-0"]
    assert len(await rows(client, key="key_ann")) == 6
    assert [row["object"] for row in await rows(client, route="/v1/rules")] == ["late"]
    assert await rows(client, route="%") == await rows(client, service="scoring") == []
    assert len(await rows(client, since=middle.isoformat())) == 2
    assert len(await rows(client, until=middle.isoformat())) == 5
    first = (await client.get("/v1/audit", params={"limit": 3})).json()
    assert (await client.post("/v1/things", json={"name": "a"})).status_code == 201
    rest = (await client.get("/v1/audit", params={"limit": 200, "cursor": first["next"]})).json()
    assert first["items"] + rest["items"] == everything
    assert rest["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"},
        {"until": "0"},
        {"cursor": "x"},
        {"cursor": "eyJpZCI6ImEifQ"},
        {"cursor": "eyJpZCI6dHJ1ZX0"},
        {"cursor": "eyJhdCI6MX0"},
        {"limit": "0"},
        {"limit": "201"},
        {"key": "k" * 201},
        {"route": "\x00"},
    ],
)
async def test_what_cannot_be_read_is_400(client: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert (await client.get("/v1/audit", params=query)).status_code == 400


async def test_only_admin_reads_it(app: FastAPI, client: httpx.AsyncClient) -> None:
    others = await app.state.api_keys.create("others", [scope for scope in Scope if scope is not Scope.admin])
    for header, status in (("Bearer cxk_x", 401), (f"Bearer {others}", 403)):
        assert (await client.get("/v1/audit", headers={"Authorization": header})).status_code == status
