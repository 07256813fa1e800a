"""Serialisation conflicts: a share of all transactions that write ends with 40001 or 40P01 (a deadlock).

Nothing of ours runs above READ COMMITTED; whoever runs PostgreSQL may set another level, and a cluster
behind one address raises 40001 wherever it likes. Triggers on every table of every service raise it here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

_TABLES: Final = """
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('ingest', 'scoring', 'alerts', 'cxloop') AND c.relkind IN ('r', 'p')
      AND NOT c.relispartition AND c.relname NOT LIKE 'alembic%'
"""
_PREPARE: Final = """
    CREATE SCHEMA conflicts;
    CREATE FUNCTION conflicts.meet() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF pg_current_xact_id()::text::bigint % TG_ARGV[0]::bigint = 0 AND random() < TG_ARGV[1]::float8 THEN
            PERFORM nextval(format('conflicts.%s_%s', TG_ARGV[2], TG_ARGV[3]));
            RAISE EXCEPTION 'could not serialize access'
                USING ERRCODE = CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END;
        END IF;
        RETURN NULL;
    END $$;
"""
_TRIGGERS: Final = {
    "at a write": """
        CREATE TRIGGER conflict BEFORE INSERT OR UPDATE OR DELETE ON {schema}.{name}
        FOR EACH STATEMENT EXECUTE FUNCTION conflicts.meet(2, 0.2, {schema}, {name})
    """,
    "at COMMIT": """
        CREATE CONSTRAINT TRIGGER conflict AFTER INSERT OR UPDATE OR DELETE ON {schema}.{name}
        DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION conflicts.meet(5, 1, {schema}, {name})
    """,
}
"""When it comes → what raises it: one in five statements of every second transaction; or the COMMIT of every
fifth."""
WHEN: Final = tuple(_TRIGGERS)


@contextmanager
def raised(database_url: str, when: str) -> Iterator[Callable[[], dict[str, int]]]:
    """While the block lasts. Gives a function that says how often each table met one so far."""
    asyncio.run(_install(database_url, when))
    try:
        yield lambda: asyncio.run(_met(database_url))
    finally:
        asyncio.run(_remove(database_url))


async def _install(database_url: str, when: str) -> None:
    conn = await asyncpg.connect(database_url, timeout=10, command_timeout=60)
    try:
        await conn.execute(_PREPARE)
        for table in await conn.fetch(_TABLES):
            await conn.execute("CREATE SEQUENCE conflicts.{schema}_{name}".format(**table))
            await conn.execute(_TRIGGERS[when].format(**table))
    finally:
        await conn.close()


async def _met(database_url: str) -> dict[str, int]:
    """By table, such as `scoring_customer`. Sequences count on when their transaction fails."""
    conn = await asyncpg.connect(database_url, timeout=10, command_timeout=60)
    try:
        rows = await conn.fetch(
            "SELECT sequencename, last_value FROM pg_sequences"
            " WHERE schemaname = 'conflicts' AND last_value IS NOT NULL"
        )
    finally:
        await conn.close()
    return {row["sequencename"]: row["last_value"] for row in rows}


async def _remove(database_url: str) -> None:
    conn = await asyncpg.connect(database_url, timeout=10, command_timeout=60)
    try:
        for table in await conn.fetch(_TABLES):
            await conn.execute("DROP TRIGGER IF EXISTS conflict ON {schema}.{name}".format(**table))
        await conn.execute("DROP SCHEMA conflicts CASCADE")
    finally:
        await conn.close()
