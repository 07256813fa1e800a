"""Migrations: alembic, one version table inside each schema, safe for replicas that start together."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import asyncpg

from shared.db.engine import connect, create_engine

if TYPE_CHECKING:  # imported where it is used: at most starts there is nothing to migrate
    from alembic.config import Config
    from sqlalchemy.engine import Connection

# Not structlog's: that one writes to standard output where nobody has configured it, as in `cxloop migrate`.
log = logging.getLogger(__name__)

R = TypeVar("R")
VERSION_TABLE: Final = "schema_version"
LOCK: Final = 7_203_911_554_120_001
"""Key of the advisory lock under which migrations run; any number that nothing else in the database uses."""
LOCK_WAIT_S: Final = 120.0
STATEMENT_TIMEOUT_S: Final = 600.0

SHARED_SCHEMA: Final = "cxloop"
SHARED_LOCATION: Final = Path(__file__).parent / "migrations"


def execute(sql: str) -> None:
    """Inside a migration: runs `sql`, any number of statements, exactly as written.

    (`op.execute` reads colons as parameters, and the driver prepares one statement at a time.)
    """
    from alembic import op

    bind = op.get_bind()
    bind.exec_driver_sql("SELECT 1")  # opens the transaction the statements belong to
    adapted: Any = bind.connection.dbapi_connection
    adapted.run_async(lambda connection: connection.execute(sql))


def upgrade(database_url: str, schema: str, script_location: str | Path) -> None:
    """Brings `schema` to the newest version, creating it if need be; all or nothing.

    Replicas may race: one does the work, the others wait and find nothing to do. May be called with or
    without a running event loop; blocks. `script_location` holds the versions, or a folder `versions`.
    """
    config = _config(schema, script_location)
    _blocking(database_url, lambda connection: _upgrade(connection, config, schema))


def upgrade_shared(database_url: str) -> None:
    """The tables every service uses: API keys, idempotency."""
    upgrade(database_url, SHARED_SCHEMA, SHARED_LOCATION)


def check(database_url: str, schema: str, script_location: str | Path) -> list[str]:
    """Versions that wait to be applied, oldest first; empty when the schema is up to date."""
    config = _config(schema, script_location)
    return _blocking(database_url, lambda connection: _pending(connection, config, schema))


def outdated(database_url: str, schemas: Mapping[str, str | Path]) -> list[str]:
    """Which of these schemas (name and script location) `upgrade` has to look at; a cheap look at them all.

    In doubt a schema is: whatever is not exactly at the one newest version is left to `upgrade` to judge.
    """

    async def look() -> list[str]:
        connection = await connect(database_url, "cxloop-migrate")
        try:
            return [
                schema
                for schema, location in schemas.items()
                if await _applied(connection, schema) != _newest(_versions(location))
            ]
        finally:
            await connection.close()

    return _aside(look)


async def _applied(connection: asyncpg.Connection, schema: str) -> list[str]:
    if not schema.isidentifier():
        raise ValueError("a schema's name is an identifier")
    try:
        rows = await connection.fetch(f"SELECT version_num FROM {schema}.{VERSION_TABLE}")  # noqa: S608 - checked
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        return []
    return [row["version_num"] for row in rows]


def _newest(versions: Path) -> list[str] | None:
    """The one version that no other follows, read from the files' text; None when there is not one."""
    lines = "".join(file.read_text() for file in versions.glob("*.py"))
    made = set(re.findall(r'^revision = "(.+)"$', lines, re.MULTILINE))
    newest = made - set(re.findall(r'^down_revision = "(.+)"$', lines, re.MULTILINE))
    return list(newest) if len(newest) == 1 else None


def _versions(script_location: str | Path) -> Path:
    found = Path(script_location)
    return found / "versions" if (found / "versions").is_dir() else found


def _config(schema: str, script_location: str | Path) -> Config:
    if not schema.isidentifier():
        raise ValueError("a schema's name is an identifier")
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic_env"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(_versions(script_location)).replace("%", "%%"))
    config.attributes.update(schema=schema, version_table=VERSION_TABLE)
    return config


def _upgrade(connection: Connection, config: Config, schema: str) -> None:
    from alembic import command
    from sqlalchemy import text

    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    waiting = _pending(connection, config, schema)
    if waiting:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        log.info("schema %s migrated: %s", schema, ", ".join(waiting))


def _pending(connection: Connection, config: Config, schema: str) -> list[str]:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    options = {"version_table": VERSION_TABLE, "version_table_schema": schema}
    current = MigrationContext.configure(connection, opts=options).get_current_heads()
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    if not known.issuperset(current):
        raise RuntimeError(f"schema {schema} was migrated by a newer version of this program")
    applied = {r.revision for r in script.iterate_revisions(current, "base")} if current else set()
    return [r.revision for r in reversed(list(script.walk_revisions())) if r.revision not in applied]


def _blocking(database_url: str, work: Callable[[Connection], R]) -> R:
    """Runs `work` in one transaction."""

    async def run() -> R:
        engine = create_engine(
            database_url,
            1,
            "cxloop-migrate",
            lock_timeout_s=LOCK_WAIT_S,
            statement_timeout_s=STATEMENT_TIMEOUT_S,
            idle_in_transaction_s=STATEMENT_TIMEOUT_S,
        )
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return _aside(run)


def _aside(run: Callable[[], Coroutine[None, None, R]]) -> R:
    """Runs it in a thread and event loop of its own."""
    results: list[R] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(asyncio.run(run()))
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=body, name="migrate")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
