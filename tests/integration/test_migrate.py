"""Migrations on a real PostgreSQL."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest

from shared.db import migrate
from shared.db.engine import connect

FIRST = '''
from shared.db.migrate import execute

revision = "0001"
down_revision = None


def upgrade() -> None:
    execute("""
        CREATE TABLE demo.thing (at text DEFAULT '12:30:00', n int);
        -- A colon is no parameter here, and there are several statements.
        INSERT INTO demo.thing (n) SELECT 1::int;
        CREATE FUNCTION demo.f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;
    """)
'''
SECOND = """
from shared.db.migrate import execute

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    execute("INSERT INTO demo.thing (n) VALUES (2); {more}")
"""


def write(folder: Path, second: str | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "0001_first.py").write_text(FIRST)
    if second is not None:
        (folder / "0002_second.py").write_text(SECOND.replace("{more}", second))
    return folder


async def numbers(url: str) -> list[int]:
    connection = await connect(url, "test")
    try:
        return [row["n"] for row in await connection.fetch("SELECT n FROM demo.thing ORDER BY n")]
    finally:
        await connection.close()


async def test_up_step_by_step_and_asked_what_waits(empty_database_url: str, tmp_path: Path) -> None:
    versions = write(tmp_path / "versions")
    assert migrate.check(empty_database_url, "demo", tmp_path) == ["0001"]
    migrate.upgrade(empty_database_url, "demo", tmp_path)
    assert migrate.check(empty_database_url, "demo", tmp_path) == []
    write(versions, "")
    assert migrate.check(empty_database_url, "demo", tmp_path) == ["0002"]
    migrate.upgrade(empty_database_url, "demo", tmp_path)
    migrate.upgrade(empty_database_url, "demo", tmp_path)
    assert await numbers(empty_database_url) == [1, 2]


async def test_a_cheap_look_says_which_schemas_wait(empty_database_url: str, tmp_path: Path) -> None:
    versions = write(tmp_path / "versions")
    schemas = {migrate.SHARED_SCHEMA: migrate.SHARED_LOCATION, "demo": tmp_path}
    assert migrate.outdated(empty_database_url, schemas) == [migrate.SHARED_SCHEMA, "demo"]
    migrate.upgrade(empty_database_url, "demo", tmp_path)
    migrate.upgrade_shared(empty_database_url)
    assert migrate.outdated(empty_database_url, schemas) == []
    write(versions, "")
    assert migrate.outdated(empty_database_url, schemas) == ["demo"]
    migrate.upgrade(empty_database_url, "demo", tmp_path)
    assert migrate.outdated(empty_database_url, schemas) == []
    (versions / "0002_second.py").unlink()
    assert migrate.outdated(empty_database_url, schemas) == ["demo"], "newer than us: `upgrade` refuses it"


async def test_replicas_that_start_together(empty_database_url: str, tmp_path: Path) -> None:
    write(tmp_path, "SELECT pg_sleep(0.1)")
    up = [asyncio.to_thread(migrate.upgrade, empty_database_url, "demo", tmp_path) for _ in range(5)]
    await asyncio.gather(*up)
    assert await numbers(empty_database_url) == [1, 2]


async def test_a_migration_that_fails_leaves_nothing(empty_database_url: str, tmp_path: Path) -> None:
    write(tmp_path, "SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        migrate.upgrade(empty_database_url, "demo", tmp_path)
    assert migrate.check(empty_database_url, "demo", tmp_path) == ["0001", "0002"]


async def test_schemas_do_not_know_each_other(empty_database_url: str, tmp_path: Path) -> None:
    migrate.upgrade_shared(empty_database_url)
    migrate.upgrade(empty_database_url, "demo", write(tmp_path))
    assert migrate.check(empty_database_url, migrate.SHARED_SCHEMA, migrate.SHARED_LOCATION) == []
    connection = await connect(empty_database_url, "test")
    try:
        schemas = await connection.fetch(
            "SELECT table_schema FROM information_schema.tables WHERE table_name = $1", migrate.VERSION_TABLE
        )
    finally:
        await connection.close()
    assert {row["table_schema"] for row in schemas} == {"cxloop", "demo"}


async def test_an_older_program_does_not_touch_a_newer_schema(
    empty_database_url: str, tmp_path: Path
) -> None:
    newer, older = write(tmp_path / "newer", ""), write(tmp_path / "older")
    migrate.upgrade(empty_database_url, "demo", newer)
    with pytest.raises(RuntimeError, match="newer version"):
        migrate.upgrade(empty_database_url, "demo", older)


def test_a_schema_is_an_identifier(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="identifier"):
        migrate.upgrade(empty_database_url, 'x"; DROP TABLE y', tmp_path)
