"""Idempotent requests on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from shared.db.engine import connect
from shared.db.migrate import upgrade_shared
from shared.runtime import idempotency
from shared.runtime.auth import ApiKeys, Scope
from shared.runtime.settings import ServiceSettings
from tests.integration.small_service import make_app

SECRET = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
async def url(empty_database_url: str) -> str:
    upgrade_shared(empty_database_url)
    return empty_database_url


@pytest.fixture
async def app(url: str) -> AsyncIterator[FastAPI]:
    settings = ServiceSettings.load(database_url=url, kafka_bootstrap_servers="none:1", secret_key=SECRET)
    made = make_app(settings)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Has a key with the scopes read and admin."""
    keys: ApiKeys = app.state.api_keys
    key = await keys.create("tester", [Scope.read, Scope.admin])
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://small", headers=headers
    ) as made:
        yield made


async def test_the_same_answer_again(client: httpx.AsyncClient, app: FastAPI) -> None:
    first, again = [
        await client.post("/v1/things", json={"name": "a"}, headers={"Idempotency-Key": "1"})
        for _ in range(2)
    ]
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert app.state.made == 1


async def test_many_at_once_take_effect_once(client: httpx.AsyncClient, app: FastAPI) -> None:
    answers = await asyncio.gather(
        *(client.post("/v1/things", json={"name": "a"}, headers={"Idempotency-Key": "1"}) for _ in range(8))
    )
    assert sorted({answer.status_code for answer in answers}) == [201, 409]
    assert app.state.made == 1


async def test_another_body_or_resource_or_caller(client: httpx.AsyncClient, app: FastAPI) -> None:
    key = {"Idempotency-Key": "1"}
    await client.post("/v1/things", json={"name": "a"}, headers=key)
    other_body = await client.post("/v1/things", json={"name": "b"}, headers=key)
    assert (other_body.status_code, other_body.json()["errors"][0]["where"]) == (400, "Idempotency-Key")
    assert (await client.post("/v1/die", headers=key)).status_code == 202
    other = await app.state.api_keys.create("other", [Scope.admin])
    answer = await client.post(
        "/v1/things", json={"name": "c"}, headers=key | {"Authorization": f"Bearer {other}"}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(("name", "status"), [("fail", 500), ("refuse", 409)])
async def test_what_a_retry_may_mend_is_not_kept(client: httpx.AsyncClient, name: str, status: int) -> None:
    with capture_logs():
        for _ in range(2):
            answer = await client.post("/v1/things", json={"name": name}, headers={"Idempotency-Key": "1"})
            assert answer.status_code == status
            assert "idempotency-replayed" not in answer.headers


async def test_secrets_in_answers_are_not_kept_in_the_clear(client: httpx.AsyncClient, url: str) -> None:
    await client.post("/v1/things", json={"name": "a"}, headers={"Idempotency-Key": "1"})
    connection = await connect(url, "test")
    try:
        kept = await connection.fetchval("SELECT answer FROM cxloop.idempotency")
    finally:
        await connection.close()
    assert kept is not None
    assert b"whsec" not in kept


async def test_a_runner_that_died_holds_the_key_for_its_lease_only(
    client: httpx.AsyncClient, app: FastAPI, url: str
) -> None:
    key = {"Idempotency-Key": "1"}
    await client.post("/v1/things", json={"name": "a"}, headers=key)
    await edit(url, "UPDATE cxloop.idempotency SET answer = NULL")
    busy = await client.post("/v1/things", json={"name": "a"}, headers=key)
    assert (busy.status_code, busy.headers["retry-after"]) == (409, "1")
    await edit(url, "UPDATE cxloop.idempotency SET started_at = now() - interval '61 seconds'")
    assert (await client.post("/v1/things", json={"name": "a"}, headers=key)).status_code == 201
    assert app.state.made == 2


async def test_after_a_day_the_key_is_free(
    client: httpx.AsyncClient, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "SWEEP_EVERY", 1000)
    key = {"Idempotency-Key": "1"}
    await client.post("/v1/things", json={"name": "a"}, headers=key)
    await edit(url, "UPDATE cxloop.idempotency SET started_at = now() - interval '25 hours'")
    assert (await client.post("/v1/things", json={"name": "b"}, headers=key)).status_code == 201


async def test_strangers_leave_no_rows(client: httpx.AsyncClient, url: str) -> None:
    answer = await client.post(
        "/v1/things",
        json={"name": "a"},
        headers={"Idempotency-Key": "1", "Authorization": "Bearer cxk_x"},
    )
    assert answer.status_code == 401
    connection = await connect(url, "test")
    try:
        assert await connection.fetchval("SELECT count(*) FROM cxloop.idempotency") == 0
    finally:
        await connection.close()


async def test_a_key_that_is_too_long(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/things", json={"name": "a"}, headers={"Idempotency-Key": "x" * 300})
    assert answer.status_code == 400


async def edit(url: str, statement: str) -> None:
    connection = await connect(url, "test")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
