"""The short way to a score: it says what the framework's route says, or leaves the request to it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from services.scoring import present
from services.scoring.api.lane import ScoreLane
from services.scoring.present import Present
from services.scoring.store import reading
from services.scoring.store.reading import Packed
from services.scoring.store.types import Conn
from shared.runtime.auth import ApiKeys
from shared.runtime.auth import Scope as KeyScope
from tests.integration.scoring.caller import NUMBERS, Api, Json
from tests.integration.scoring.kit import event

BOB, EVE = "user:bob", "user:eve"
UNUSUAL = (
    ("/v1/customers/{ann}/score?as_of=2031-01-01T00:00:00Z", "GET", 200),
    ("/v1/customers/{ann}/score?as_of=yesterday", "GET", 400),
    ("/v1/customers/{ann}/score?known_at=%00", "GET", 400),
    ("/v1/customers/{upper}/score", "GET", 200),
    ("/v1/customers/{plain}/score", "GET", 200),
    ("/v1/customers/{unknown}/score", "GET", 404),
    ("/v1/customers/{account}/score", "GET", 404),
    ("/v1/accounts/{account}/score", "GET", 200),
    ("/v1/accounts/{ann}/score", "GET", 404),
    ("/v1/customers/nobody/score", "GET", 404),
    ("/v1/customers/{ann}/score/", "GET", 404),
    ("/v1/customers/{ann}/score%20", "GET", 404),
    ("/v1/customers/{ann}/scores", "GET", 404),
    ("/v1/customers/{ann}/explanation", "GET", 200),
    *(("/v1/customers/{ann}/score", method, 405) for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS")),
)


@dataclass
class Ways:
    """The app under a lane of its own. `passed` counts what the lane left to the app."""

    app: FastAPI
    api: Api
    passed: int = 0
    present: Present = field(init=False)

    def __post_init__(self) -> None:
        self.present = Present(self.app.state.pool)
        self.lane: ASGIApp = ScoreLane(self._framework, self.present)

    async def _framework(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.passed += 1
        await FastAPI.__call__(self.app, scope, receive, send)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self.app
        await self.lane(scope, receive, send)

    async def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str | bytes] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Through the lane; with the test's own key unless other headers are given."""
        given: Any = (
            {"authorization": self.api.client.headers["authorization"]} if headers is None else headers
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self), base_url="http://s") as client:
            return await client.request(method, path, headers=given, content=content)

    async def short(self, customer: str) -> Json:
        """By the lane alone."""
        before = self.passed
        answer = await self.ask(f"/v1/customers/{customer}/score")
        assert (answer.status_code, self.passed) == (200, before), answer.text
        found: Json = answer.json()
        return found

    async def pinned(self, customer: str, told: Json) -> Json:
        """By the framework, out of the whole log, at the times that were told."""
        query = {name: told[name] for name in ("as_of", "known_at")}
        return await self.api.get(f"/v1/customers/{customer}/score", **query)


@pytest.fixture
async def ways(app: FastAPI, api: Api, ann: str) -> Ways:
    """The key was seen: `ann` was looked up with it."""
    return Ways(app, api)


async def test_it_says_what_the_log_says(ways: Ways, ann: str) -> None:
    told = await ways.short(ann)
    assert told == await ways.pinned(ann, told)
    route = await ways.ask(f"/v1/customers/{ann}/score?plain")
    assert ways.passed == 1
    lane = await ways.ask(f"/v1/customers/{ann}/score")
    assert list(route.json()) == list(lane.json())
    for name in NUMBERS:
        assert list(route.json()[name]) == list(lane.json()[name])
    ours, theirs = dict(lane.headers), dict(route.headers)
    assert ours.keys() == theirs.keys() and ours["content-type"] == theirs["content-type"]
    assert int(ours["content-length"]) == len(lane.content)


async def test_who_waits_is_weighed_anew_at_each_time(ways: Ways, ann: str) -> None:
    """An open ticket: what it costs grows while nothing is written."""
    await ways.api.room.fold(
        event("ticket.opened", "tb", BOB, at=470, interaction="9", text="It is all broken, terrible")
    )
    bob = await ways.api.room.root(BOB)
    assert (await ways.api.room.row(BOB)).live
    for _ in range(2):
        told = await ways.short(bob)
        assert told == await ways.pinned(bob, told)
        later = told | {"as_of": "2032-01-01T00:00:00Z"}
        assert (await ways.pinned(bob, later))["health"] != told["health"]
    assert (await ways.short(ann))["customer_id"] == ann


async def test_what_was_just_written_is_told(ways: Ways, ann: str) -> None:
    before = await ways.short(ann)
    for name in ("n1", "n2", "n3"):
        await ways.api.room.fold(
            event("survey.answered", name, "user:ann", at=470, response=name, metric="nps", score=1)
        )
        told = await ways.short(ann)
        assert told["health"]["value"] < before["health"]["value"]
        assert told == await ways.pinned(ann, told)
        before = told


async def test_merged_ids_answer_as_the_survivor(ways: Ways, ann: str) -> None:
    await ways.api.room.fold(event("purchase.made", "p", EVE, at=5, order="1", amount=100, currency="EUR"))
    eve = await ways.api.room.root(EVE)
    await ways.short(eve)
    await ways.api.room.fold(event("customer.linked", "l", "user:ann", EVE, at=9, reason="same"))
    root = await ways.api.room.root(EVE)
    assert root == await ways.api.room.root("user:ann")
    assert {(await ways.short(one))["customer_id"] for one in (ann, eve)} == {root}


async def test_all_else_goes_on_as_it_came(ways: Ways, ann: str) -> None:
    account = (await ways.api.get(f"/v1/customers/{ann}"))["account_id"]
    ids = {"ann": ann, "upper": ann.upper(), "plain": ann.replace("-", ""), "account": account}
    for count, (path, method, status) in enumerate(UNUSUAL, 1):
        path = path.format(**ids, unknown=uuid.UUID(int=5))
        lane = await ways.ask(path, method)
        assert (lane.status_code, ways.passed) == (status, count), path
        if status >= 400:
            whole = await ways.api.client.request(method, path)
            assert (lane.status_code, lane.content) == (whole.status_code, whole.content)
            assert dict(lane.headers) == dict(whole.headers)


async def test_a_body_goes_on(ways: Ways, ann: str) -> None:
    answer = await ways.ask(f"/v1/customers/{ann}/score", content=b"{}")
    assert (answer.status_code, ways.passed) == (200, 1)


async def test_without_a_key_401(ways: Ways, ann: str) -> None:
    for given in (None, "Basic YTpi", "Bearer cxk_nobodys", "Bearer", "Bearer cxk_\xe9"):
        headers = {} if given is None else {"authorization": given.encode("latin-1")}
        for _ in range(2):
            before = ways.passed
            answer = await ways.ask(f"/v1/customers/{ann}/score", headers=headers)
            assert (answer.status_code, ways.passed) == (401, before + 1)
            assert answer.headers["www-authenticate"] == "Bearer"


async def test_keys_are_believed_as_long_as_the_framework_believes_them(ways: Ways, ann: str) -> None:
    keys: ApiKeys = ways.app.state.api_keys
    path = f"/v1/customers/{ann}/score"
    other = {"authorization": f"Bearer {await keys.create('other', [KeyScope.act])}"}
    for passed in (1, 2):
        assert ((await ways.ask(path, headers=other)).status_code, ways.passed) == (403, passed)
    own = {"authorization": f"bearer {await keys.create('own', [KeyScope.read])}"}
    assert [(await ways.ask(path, headers=own)).status_code for _ in range(3)] == [200] * 3
    assert ways.passed == 3, "the framework saw the key once, the lane then twice"
    [own_id] = [one.id for one in await keys.list() if one.name == "own"]
    await keys.revoke(own_id)
    assert ((await ways.ask(path, headers=own)).status_code, ways.passed) == (401, 4)


async def test_rows_of_an_older_policy_go_on(ways: Ways, ann: str) -> None:
    await ways.api.room.query("UPDATE scoring.customer SET generation = generation - 1 RETURNING id")
    answer = await ways.ask(f"/v1/customers/{ann}/score")
    assert (answer.status_code, ways.passed) == (200, 1)
    assert answer.json() == await ways.pinned(ann, answer.json())


async def test_a_database_that_is_away_is_503(ways: Ways, ann: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> list[Packed]:
        raise ConnectionRefusedError

    monkeypatch.setattr(reading, "packed", away)
    for path in (f"/v1/customers/{ann}/score", f"/v1/customers/{ann}/score?plain"):
        problem = await ways.api.get(path, 503)
        assert problem["type"] == "/problems/unavailable"


async def test_who_asks_at_once_is_read_at_once(
    ways: Ways, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    statements: list[int] = []
    read, begun, go_on = reading.packed, asyncio.Event(), asyncio.Event()

    async def counted(conn: Conn, ids: set[str]) -> list[Packed]:
        statements.append(len(ids))
        begun.set()
        await go_on.wait()
        return await read(conn, ids)

    monkeypatch.setattr(reading, "packed", counted)
    strangers = [str(uuid.UUID(int=n)) for n in range(1, 40)]
    async with asyncio.timeout(30):
        first = asyncio.create_task(ways.present.find(ann))
        await begun.wait()
        others = [asyncio.create_task(ways.present.find(one)) for one in (ann, *strangers, ann)]
        gone = asyncio.create_task(ways.present.find(ann))
        await asyncio.sleep(0)
        gone.cancel()
        go_on.set()
        found = await asyncio.gather(first, *others)
    assert statements == [1, 40], "those who came meanwhile share the next one"
    assert [one.row.id if one else None for one in found] == [ann, ann, *[None] * 39, ann]


async def test_what_is_kept_unpacked_is_bounded(
    ways: Ways, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await ways.present.find(ann)
    assert found is not None
    engine = ways.app.state.engine
    assert ways.present.ready(found, engine) is ways.present.ready(found, engine)
    monkeypatch.setattr(present, "KEPT_BYTES", 0)
    fresh = Present(ways.app.state.pool)
    assert fresh.ready(found, engine) is not fresh.ready(found, engine)
