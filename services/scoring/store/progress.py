"""How far each partition was folded in: the truth about offsets. Kafka's committed ones are a copy."""

from __future__ import annotations

from collections.abc import Mapping

from services.scoring.store.types import Conn
from services.scoring.store.writing import Write

_READ = """
SELECT topic, partition, next_offset FROM scoring.progress
WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::integer[]))
"""
_WRITE = """
INSERT INTO scoring.progress (topic, partition, next_offset)
SELECT new.topic, new.partition, new.next_offset
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS new(topic, partition, next_offset)
ORDER BY new.topic, new.partition
ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset
"""

Partition = tuple[str, int]


async def read(conn: Conn, partitions: list[Partition]) -> dict[Partition, int]:
    """Next offset per partition; one never seen is absent."""
    rows = await conn.fetch(_READ, [p[0] for p in partitions], [p[1] for p in partitions])
    return {(row[0], row[1]): row[2] for row in rows}


def writing(offsets: Mapping[Partition, int]) -> Write:
    """As it is now, also where it is less: a topic that was made anew begins at 0.

    An owner that lost its partition and did not hear of it only makes its successor read some events twice.
    """
    return Write(_WRITE, ([p[0] for p in offsets], [p[1] for p in offsets], list(offsets.values())))
