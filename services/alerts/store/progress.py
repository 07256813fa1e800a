"""How far the score topic was read, and what in it could not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from shared.bus.batches import Partition, Record


async def behind(
    connection: asyncpg.Connection, firsts: Mapping[Partition, int], floors: Mapping[Partition, int]
) -> dict[Partition, int]:
    """Partitions of which records are missing between what the database has and the batch, and from where.

    `floors`: where the log begins; what is older cannot be had again.
    """
    known = await read(connection, list(firsts))
    done = {where: known.get(where, 0) for where in firsts}
    return {
        where: offset for where, offset in done.items() if max(offset, floors.get(where, 0)) < firsts[where]
    }


async def read(connection: asyncpg.Connection, partitions: Sequence[Partition]) -> dict[Partition, int]:
    """Next offset per partition; one never seen is absent, and begins at 0."""
    rows = await connection.fetch(
        "SELECT topic, partition, next_offset FROM alerts.progress JOIN unnest($1::text[], $2::int[])"
        " AS r (topic, partition) USING (topic, partition)",
        [topic for topic, _ in partitions],
        [partition for _, partition in partitions],
    )
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def advance(connection: asyncpg.Connection, nexts: Mapping[Partition, int]) -> None:
    rows = sorted((topic, partition, offset) for (topic, partition), offset in nexts.items())
    await connection.execute(
        "INSERT INTO alerts.progress (topic, partition, next_offset)"
        " SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[])"
        " ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset",
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[2] for row in rows],
    )


async def reject(connection: asyncpg.Connection, faults: Sequence[tuple[Record, str]]) -> None:
    """Kept with the reason and the original bytes."""
    if not faults:
        return
    await connection.execute(
        'INSERT INTO alerts.rejected (topic, partition, "offset", reasons, body)'
        " SELECT topic, partition, at, ARRAY[why], body FROM unnest($1::text[], $2::int[], $3::bigint[],"
        " $4::text[], $5::bytea[]) AS r (topic, partition, at, why, body) ON CONFLICT DO NOTHING",
        [record.topic for record, _ in faults],
        [record.partition for record, _ in faults],
        [record.offset for record, _ in faults],
        [why for _, why in faults],
        [record.value for record, _ in faults],
    )


async def purge(connection: asyncpg.Connection, days: int) -> None:
    await connection.execute(
        "DELETE FROM alerts.rejected WHERE rejected_at < now() - make_interval(days => $1)", days
    )
