"""What all services share, on a real PostgreSQL: keys, errors, connections."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from shared.db.engine import connect, create_engine, driver
from shared.db.migrate import upgrade_shared
from shared.runtime import auth
from shared.runtime.auth import ApiKeys, Scope
from shared.runtime.problem import Problem
from shared.runtime.settings import ServiceSettings
from tests.integration.small_service import make_app
from tests.integration.waiting import until

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


class TestKeys:
    async def test_a_key_is_shown_once_and_kept_as_a_hash(self, app: FastAPI, url: str) -> None:
        keys: ApiKeys = app.state.api_keys
        key = await keys.create("reporting", [Scope.read])
        assert key.startswith("cxk_")
        assert len(key) >= 40
        connection = await connect(url, "test")
        try:
            row = await connection.fetchrow("SELECT k::text, digest FROM cxloop.api_key k")
        finally:
            await connection.close()
        assert row is not None
        assert key not in row["k"]
        assert row["digest"] == hashlib.sha256(key.encode()).digest()
        (info,) = await keys.list()
        assert (info.name, info.scopes, info.revoked_at) == ("reporting", (Scope.read,), None)

    async def test_who_asks(self, client: httpx.AsyncClient) -> None:
        answer = await client.get("/v1/things/7")
        assert answer.json() == {"name": "tester", "number": "7", "limit": "50"}

    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer x", "Bearer cxk_", "Bearer cxk_unknown", "Basic YTpi", "cxk_x"]
    )
    async def test_without_a_key_it_is_401(self, client: httpx.AsyncClient, header: str | None) -> None:
        client.headers.pop("Authorization")
        answer = await client.get(
            "/v1/things/7", headers={"Authorization": header} if header is not None else {}
        )
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("held", [[Scope.read], [Scope.ingest, Scope.act, Scope.erase], []])
    async def test_no_scope_implies_another(
        self, app: FastAPI, client: httpx.AsyncClient, held: list[Scope]
    ) -> None:
        key = await app.state.api_keys.create("other", held)
        answer = await client.post(
            "/v1/things", json={"name": "a"}, headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 403
        assert "admin" in answer.json()["detail"]

    async def test_revoked_for_good(self, app: FastAPI, client: httpx.AsyncClient) -> None:
        keys: ApiKeys = app.state.api_keys
        (info,) = await keys.list()
        assert await keys.revoke(info.id)
        assert not await keys.revoke(info.id)
        assert (await client.get("/v1/things/7")).status_code == 401

    async def test_a_known_key_is_believed_while_the_database_is_away(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(auth, "CACHE_S", 0.0)
        engine = create_engine(url, 2)
        keys = ApiKeys(engine)
        key = await keys.create("tester", [Scope.read])
        known = await keys.authenticate(f"Bearer {key}")
        await engine.dispose()
        broken = create_engine("postgresql://nobody@127.0.0.1:9/none", 2)
        keys._engine = broken
        assert await keys.authenticate(f"Bearer {key}") == known
        with pytest.raises(OSError):
            await keys.authenticate("Bearer cxk_never_seen_before")
        await broken.dispose()

    async def test_a_given_key_can_be_made_to_exist(self, app: FastAPI) -> None:
        keys: ApiKeys = app.state.api_keys
        plain = "cxk_" + "a" * 43
        await keys.ensure(plain, "one", [Scope.read])
        await keys.ensure(plain, "two", [Scope.read, Scope.act])
        assert (await keys.authenticate(f"Bearer {plain}")).scopes == {Scope.read, Scope.act}
        with pytest.raises(ValueError, match="cxk_"):
            await keys.ensure("short", "x", [])


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "path", "body", "status", "where"),
        [
            ("GET", "/v1/things/x", None, 404, None),
            ("GET", "/v1/nowhere", None, 404, None),
            ("GET", "/v1/things/7/", None, 404, None),
            ("PATCH", "/v1/things", b"{}", 405, None),
            ("GET", "/v1/things/7?limit=201", None, 400, "?limit"),
            ("GET", "/v1/things/7?limit=0", None, 400, "?limit"),
            ("GET", "/v1/things/7?limit=%00", None, 400, "?"),
            ("GET", "/v1/big?n=99999999999999999999", None, 400, None),
            ("POST", "/v1/things", b"{", 400, ""),
            ("POST", "/v1/things", b"[]", 400, ""),
            ("POST", "/v1/things", b"{}", 400, "/name"),
            ("POST", "/v1/things", b'{"name":"a","size":"big"}', 400, "/size"),
            ("POST", "/v1/things", b'{"name":"\\ud800"}', 400, ""),
            ("POST", "/v1/things", b'{"name":"\\u0000"}', 400, ""),
            ("POST", "/v1/things", b'"' + b"x" * 1_100_000 + b'"', 413, None),
        ],
    )
    async def test_every_error_is_a_problem(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        body: bytes | None,
        status: int,
        where: str | None,
    ) -> None:
        answer = await client.request(
            method, path, content=body, headers={"Content-Type": "application/json"} if body else {}
        )
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == status
        assert problem["type"].startswith("/problems/")
        if where is not None:
            assert [error["where"] for error in problem["errors"]] == [where]

    async def test_a_bug_is_a_500_that_says_nothing(self, client: httpx.AsyncClient) -> None:
        with capture_logs() as logs:
            answer = await client.post("/v1/things", json={"name": "fail"})
        assert answer.status_code == 500
        assert "ann" not in answer.text
        assert "request failed" in [line["event"] for line in logs]
        assert "ann" not in repr([line for line in logs if line["event"] != "request failed"])

    async def test_a_database_that_is_away_is_a_503(self, client: httpx.AsyncClient, app: FastAPI) -> None:
        assert (await client.get("/v1/big?n=5")).json() == 5
        app.state.engine = broken = create_engine("postgresql://nobody@127.0.0.1:9/none", 2)
        answer = await client.get("/v1/big?n=5")
        await broken.dispose()
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) <= 30

    async def test_connections_cut_by_the_server_are_replaced_unseen(
        self, client: httpx.AsyncClient, url: str
    ) -> None:
        assert (await client.get("/v1/big?n=5")).status_code == 200
        await cut_all(url)
        answers = await asyncio.gather(*(client.get("/v1/big?n=5") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}

    async def test_what_is_open_to_everybody(self, client: httpx.AsyncClient) -> None:
        assert (await client.get("/metrics")).status_code == 200
        client.headers.pop("Authorization")
        assert (await client.get("/metrics")).status_code == 401
        for path in ("/livez", "/readyz", "/openapi.json"):
            assert (await client.get(path)).status_code == 200
        document = (await client.get("/openapi.json")).json()
        operation = document["paths"]["/v1/things"]["post"]
        assert {"201", "400", "401", "403"} <= operation["responses"].keys()
        assert "422" not in str(operation["responses"])
        assert operation["security"]
        assert set(document["components"]["schemas"]) == {
            "Thing",
            "Made",
            "Problem",
            "AuditOut",
            "Page_AuditOut_",
        }


class TestPool:
    async def test_a_connection_left_in_a_transaction_is_not_handed_on(self, url: str) -> None:
        engine = create_engine(url, 1)
        async with driver(engine) as connection:
            first = await connection.fetchval("SELECT pg_backend_pid()")
            await connection.execute("BEGIN")
        async with driver(engine) as connection:
            assert not connection.is_in_transaction()
            assert await connection.fetchval("SELECT pg_backend_pid()") != first
        await engine.dispose()

    async def test_the_server_ends_what_takes_too_long(self, url: str) -> None:
        engine = create_engine(url, 1, statement_timeout_s=0.2)
        async with driver(engine) as connection:
            with pytest.raises(asyncpg.QueryCanceledError):
                await connection.execute("SELECT pg_sleep(5)")
            assert await connection.fetchval("SHOW timezone") == "UTC"
        await engine.dispose()

    async def test_read_committed_whatever_the_server_is_set_to(self, url: str) -> None:
        """Who waited for a lock must see what the other wrote: the merges of scoring rely on it."""
        engine = create_engine(url, 1)
        async with driver(engine) as connection:
            name = await connection.fetchval("SELECT current_database()")
            await connection.execute(
                f'ALTER DATABASE "{name}" SET default_transaction_isolation = serializable'
            )
            connection.terminate()
        async with driver(engine) as connection, connection.transaction():
            assert await connection.fetchval("SHOW transaction_isolation") == "read committed"
        async with driver(engine) as connection:
            await connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_isolation')
        await engine.dispose()


def test_problems_are_exceptions_with_a_text_for_logs() -> None:
    assert str(Problem("gone", "erased")) == "gone: erased"


async def cut_all(url: str) -> None:
    """Ends every other connection to the database, and waits until the server has closed them."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    connection = await connect(url, "test")
    try:
        await connection.execute(f"SELECT pg_terminate_backend(pid) {others}")

        async def gone() -> bool:
            return bool(await connection.fetchval(f"SELECT count(*) = 0 {others}"))

        await until(gone)
    finally:
        await connection.close()
