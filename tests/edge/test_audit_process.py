"""The audit log of a process that dies in the middle of a change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from shared.db.engine import create_engine
from shared.db.migrate import upgrade_shared
from shared.runtime.auth import ApiKeys, Scope
from tests.integration.test_service_process import Process
from tests.integration.waiting import until


@pytest.fixture
def process(empty_database_url: str, tmp_path: Path) -> Iterator[Process]:
    upgrade_shared(empty_database_url)
    made = Process(empty_database_url, tmp_path / "errors")
    yield made
    made.child.kill()
    made.child.wait(10)


async def test_a_change_whose_process_was_killed_has_a_row_without_outcome(
    process: Process, empty_database_url: str
) -> None:
    engine = create_engine(empty_database_url, 2)
    key = await ApiKeys(engine).create("tester", [Scope.admin])
    await engine.dispose()
    connection = await asyncpg.connect(empty_database_url)
    try:
        async with httpx.AsyncClient(timeout=30, headers={"Authorization": f"Bearer {key}"}) as client:
            await process.ready(client)
            hanging = asyncio.create_task(client.post(f"{process.base}/v1/things", json={"name": "hang"}))

            async def began() -> bool:
                return bool(await connection.fetchval("SELECT count(*) FROM cxloop.audit"))

            await until(began)
            process.child.kill()
            with pytest.raises(httpx.TransportError):
                await hanging
        (row,) = await connection.fetch("SELECT key_name, route, status FROM cxloop.audit")
        assert tuple(row) == ("tester", "/v1/things", None)
    finally:
        await connection.close()
