"""However many customers there are, what a loop does at every turn goes by index alone."""

from __future__ import annotations

import pytest

from services.scoring.accounts import roll_up
from services.scoring.batch import Context, absorb
from services.scoring.store import identities, reading
from services.scoring.store.types import Conn
from services.scoring.sweeper import rescore, sweep
from shared.db.engine import driver
from tests.integration.scoring.kit import Room, event, records

BIG = ("customer", "identifier", "link", "episode", "claim_0", "dirty_account")
MOST = 3_000
"""Rows of a table of 30,000 that a batch of twenty events and a turn of each loop may cost."""
# Two of three leaves are merged, as where a person has an address, an id and a device: they keep the
# generation 0, which made "older than this policy" look common.
CROWD = """
INSERT INTO scoring.customer (id, organisation, born, rank, merged_into, version, generation, scored_at)
SELECT md5(n::text)::uuid, n % 30 = 0, 1, n, CASE WHEN n % 3 > 0 THEN md5((n - n % 3)::text)::uuid END,
  (n % 3 = 0)::int, (n % 3 = 0)::int, 1 FROM generate_series(0, 29999) AS n;
INSERT INTO scoring.identifier (identifier, leaf)
SELECT 'user:crowd-' || n, md5(n::text)::uuid FROM generate_series(0, 29999) AS n ON CONFLICT DO NOTHING;
INSERT INTO scoring.link (event_id, a, b, applied_at)
SELECT gen_random_uuid(), md5(n::text)::uuid, md5((n - n % 3)::text)::uuid, 1
FROM generate_series(0, 29999) AS n WHERE n % 3 > 0;
INSERT INTO scoring.episode (id, source, kind, key, owner)
SELECT gen_random_uuid(), 'tool', 'ticket', n::text, md5((n - n % 3)::text)::uuid
FROM generate_series(0, 29999) AS n;
INSERT INTO scoring.claim (event_id, recorded, at, outcome, digest)
SELECT gen_random_uuid(), 1, 1, 1, '' FROM generate_series(0, 79999) AS n;
INSERT INTO scoring.dirty_account (account, person, news)
SELECT md5((n * 30)::text)::uuid, md5((n * 30)::text)::uuid, '{}' FROM generate_series(0, 9999) AS n
"""


async def _read(conn: Conn) -> dict[str, int]:
    """How many rows of each big table were read."""
    await conn.execute("SELECT pg_stat_force_next_flush()")
    rows = await conn.fetch(
        "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
        " WHERE schemaname = 'scoring' AND relname = ANY($1)",
        BIG,
    )
    return {row[0]: row[1] for row in rows}


async def _turn(conn: Conn, scoring: Room, turn: int) -> None:
    """A batch of twenty, and what every other loop does once."""
    batch = [
        event(
            "ticket.opened",
            f"t{turn}-{n}",
            f"user:crowd-{3 * n}",
            f"email:new{n}@a.example",
            interaction=str(n),
        )
        for n in range(20)
    ]
    tally = await absorb(conn, records(batch, first=20 * turn), Context(scoring.engine, lambda _: None))
    assert tally["applied"] == 20
    assert await sweep(conn, scoring.engine, 200) == 0
    assert await rescore(conn, scoring.engine, 200) == 0
    await roll_up(conn, scoring.engine)
    found = await identities.lookup(conn, "user:crowd-3")
    assert found and len(await reading.packed(conn, [found[1]])) == 1


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_no_turn_reads_a_whole_table(scoring: Room, mode: str) -> None:
    """PostgreSQL takes the one plan or the other, by what it has seen before."""
    async with driver(scoring.pool) as conn:
        await conn.execute(CROWD + ";ANALYZE")
        await conn.execute(f"SET plan_cache_mode = {mode}")
        await _costs_little(conn, scoring, 0)


async def test_plans_made_when_tables_were_empty_do_no_harm(scoring: Room) -> None:
    """A session keeps its plans until the tables are analysed: a minute at least, and all that came in it."""
    async with driver(scoring.pool) as conn:
        await conn.execute("SET plan_cache_mode = force_generic_plan")
        await _turn(conn, scoring, 0)
        await conn.execute(CROWD)
        await _costs_little(conn, scoring, 1)


async def _costs_little(conn: Conn, scoring: Room, turn: int) -> None:
    before = await _read(conn)
    await _turn(conn, scoring, turn)
    after = await _read(conn)
    assert not {table: after[table] - before[table] for table in BIG if after[table] - before[table] >= MOST}
