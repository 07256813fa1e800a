"""Whoever tries keys is refused, and takes nothing from those who have one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.engine import create_engine
from shared.db.migrate import upgrade_shared
from shared.runtime import auth
from shared.runtime.auth import ApiKeys, Principal, Scope
from shared.runtime.problem import Problem


class Watched(ApiKeys):
    """Counts how many reads of the database run at the same time."""

    running = most = reads = 0

    async def _read(self, digest: bytes) -> Principal | None:
        self.running += 1
        self.reads += 1
        self.most = max(self.most, self.running)
        try:
            return await super()._read(digest)
        finally:
            self.running -= 1


@pytest.fixture
async def engine(empty_database_url: str) -> AsyncIterator[AsyncEngine]:
    upgrade_shared(empty_database_url)
    made = create_engine(empty_database_url, 8)
    yield made
    await made.dispose()


async def refused(keys: ApiKeys, plain: str) -> None:
    with pytest.raises(Problem) as problem:
        await keys.authenticate(f"Bearer {plain}")
    assert problem.value.status == 401


async def test_wrong_keys_hold_two_connections_at_most(engine: AsyncEngine) -> None:
    keys = Watched(engine)
    await asyncio.gather(*(refused(keys, f"cxk_wrong-{number}") for number in range(200)))
    assert (keys.most, keys.reads) == (auth.MISSES, 200)
    await refused(keys, "cxk_wrong-199")
    assert keys.reads == 200, "a wrong key that was just refused is not asked for again"


async def test_wrong_keys_push_no_known_one_out(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "CACHE_SIZE", 10)
    keys = Watched(engine)
    key = await keys.create("tester", [Scope.read])
    await keys.authenticate(f"Bearer {key}")
    for number in range(30):
        await refused(keys, f"cxk_wrong-{number}")
    reads = keys.reads
    await keys.authenticate(f"Bearer {key}")
    assert keys.reads == reads


async def test_a_known_key_waits_for_nobody(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its entry is old and is read again, while others try keys."""
    keys = Watched(engine)
    key = await keys.create("tester", [Scope.read])
    await keys.authenticate(f"Bearer {key}")
    monkeypatch.setattr(auth, "CACHE_S", 0.0)
    for _ in range(auth.MISSES):
        await keys._misses.acquire()
    async with asyncio.timeout(30):
        assert (await keys.authenticate(f"Bearer {key}")).name == "tester"


async def test_a_key_that_was_revoked_elsewhere_is_refused(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "CACHE_S", 0.0)
    here, elsewhere = ApiKeys(engine), ApiKeys(engine)
    key = await here.create("tester", [Scope.read])
    who = await here.authenticate(f"Bearer {key}")
    assert await elsewhere.revoke(who.key_id)
    await refused(here, key)
