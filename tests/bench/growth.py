"""What an event costs when a million customers are known, against itself at ten thousand.

The others are copies of real packed rows under ids and identifiers of their own; the stream is the same.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import asyncpg

from tests.bench.report import Row, Side, paired, row
from tests.bench.scoring import KNOWN, OURS, Pass, once, prepared
from tests.bench.world import World

FAMILY = "growth"
FEW = 10_000
MANY = int(os.environ.get("BENCH_GROWTH", "1000000"))
ROUNDS = 2
CHUNK, FILL_S = 50_000, float(os.environ.get("BENCH_FILL_S", "30"))
"""A machine that needs longer to be filled with a million is measured at as many as it took."""
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'scoring' AND tablename = 'customer'
AND indexname NOT LIKE '%pkey'
"""
_COLUMNS = """
SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) FROM information_schema.columns
WHERE table_schema = 'scoring' AND table_name = 'customer' AND column_name NOT IN ('id', 'identifiers')
"""
_FILL = """
INSERT INTO scoring.customer (id, identifiers, {columns})
SELECT gen_random_uuid(), ARRAY['user:filler-' || n], {columns}
FROM generate_series($1::int, $2::int) AS n JOIN (
  SELECT row_number() OVER () AS place, count(*) OVER () AS places, s.* FROM (
    SELECT * FROM scoring.customer WHERE state IS NOT NULL AND NOT organisation LIMIT 2000) AS s
) AS sample ON sample.place = n % sample.places + 1
"""
_NAME = """
INSERT INTO scoring.identifier (identifier, leaf)
SELECT identifiers[1], id FROM scoring.customer WHERE identifiers[1] LIKE 'user:filler-%'
"""


def grown(world: World, name: str, customers: int) -> int:
    """Makes a copy of what is known with `customers` in it; how many there are."""

    async def fill(connection: asyncpg.Connection[Any]) -> int:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute("SET maintenance_work_mem = '512MB'")
        have = await connection.fetchval("SELECT count(*) FROM scoring.customer WHERE state IS NOT NULL")
        columns = await connection.fetchval(_COLUMNS)
        indexes = await connection.fetch(_INDEXES)
        for index, _ in indexes:
            await connection.execute(f'DROP INDEX scoring."{index}"')
        until = time.monotonic() + FILL_S
        while have < customers and time.monotonic() < until:
            more = min(CHUNK, customers - have)
            await connection.execute(_FILL.format(columns=columns), have + 1, have + more)
            have += more
        await connection.execute(_NAME)
        for _, definition in indexes:
            await connection.execute(definition)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
        return int(have)

    world.fresh_database(name, KNOWN)
    return world.sql(fill, name)


def measure(world: World, rounds: int, told: Callable[[str], None]) -> Iterator[Row | Side]:
    """The same stream into both, the order reversed between rounds."""
    stage = prepared(world, told)
    told(f"{FEW:,} customers")
    few_customers = grown(world, "few", FEW)
    told(f"{MANY:,} customers")
    customers = grown(world, "many", MANY)
    sizes = {few_customers: "few", customers: "many"}
    passes: dict[int, list[Pass]] = {size: [] for size in sizes}
    last = min(rounds, ROUNDS) - 1
    for number in range(last + 1):
        for size in list(sizes)[:: -1 if number % 2 else 1]:
            told(f"round {number + 1}, {size:,} customers")
            # A copy of a million rows would take longer than the pass: each goes on where the last one ended.
            share = 1.0 if number == last else 0.5
            passes[size].append(once(stage, replace(OURS, share=share), sizes[size], None))
    few, many = passes.values()
    name = f"at {customers:,} / at {few_customers:,} customers"
    cost = paired([p.cpu_us + p.database_us for p in many], [p.cpu_us + p.database_us for p in few])
    yield row(FAMILY, f"CPU per event {name}", cost, 1.3, "lower")
    memory = paired([p.memory_mb for p in many], [p.memory_mb for p in few])
    yield row(FAMILY, f"memory of scoring {name}", memory, 1.1, "lower")
    for size, found in passes.items():
        middle = sorted(found, key=lambda p: p.cpu_us)[len(found) // 2]
        more = {"PostgreSQL µs": round(middle.database_us, 1), "memory MB": round(middle.memory_mb)}
        yield Side(FAMILY, f"{size:,} customers", middle.rate, middle.cpu_us, more=more)
