"""The inbox: an event takes effect once, however often it is delivered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from services.scoring.store import policies
from services.scoring.store.types import Conn
from shared.events.times import Micros


class Outcome(IntEnum):
    """AWAITED: only its retraction came so far. REJECTED and AWAITED may be claimed again."""

    APPLIED = 1
    REJECTED = 2
    AWAITED = 3


class Claim(NamedTuple):
    event_id: str
    recorded: Micros
    at: Micros
    outcome: Outcome
    digest: bytes | None


# Sorted, so that two owners of a partition wait for each other instead of deadlocking.
_CLAIM = f"""
WITH claimed AS (
INSERT INTO scoring.claim AS c (event_id, recorded, at, outcome, digest)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::smallint[], $5::bytea[]) AS new(event_id)
ORDER BY new.event_id
ON CONFLICT (event_id) DO UPDATE
SET recorded = excluded.recorded, at = excluded.at, outcome = excluded.outcome, digest = excluded.digest
WHERE c.outcome IN (2, 3) AND excluded.outcome <> 3
RETURNING event_id
)
SELECT {policies.IN_FORCE}, ARRAY(SELECT event_id::text FROM claimed)
"""  # noqa: S608
_READ = """
SELECT event_id::text, recorded, at, outcome, digest FROM scoring.claim WHERE event_id = ANY($1::uuid[])
"""
_EARLIER = """
UPDATE scoring.claim AS c SET recorded = new.recorded, at = new.at
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS new(event_id, recorded, at)
WHERE c.event_id = new.event_id
"""
_REJECT = "UPDATE scoring.claim SET outcome = 2 WHERE event_id = ANY($1::uuid[])"


async def claim(conn: Conn, generation: int, claims: Iterable[Claim]) -> tuple[Micros, set[str]]:
    """Take what nobody took yet: the time, and the ids that are now ours. `claims` name each id once.

    Raises SupersededError.
    """
    rows = list(claims)
    taken = await conn.fetchrow(
        _CLAIM,
        [c.event_id for c in rows],
        [c.recorded for c in rows],
        [c.at for c in rows],
        [int(c.outcome) for c in rows],
        [c.digest for c in rows],
    )
    assert taken is not None
    policies.check(taken[1], generation)
    return int(taken[0]), set(taken[2])


async def read(conn: Conn, event_ids: Sequence[str]) -> dict[str, Claim]:
    """Claims that exist, by event id."""
    rows = await conn.fetch(_READ, event_ids)
    return {row[0]: Claim(row[0], row[1], row[2], Outcome(row[3]), row[4]) for row in rows}


async def move_earlier(conn: Conn, claims: Sequence[Claim]) -> None:
    """The same thing was told again with an earlier receipt: that one counts."""
    await conn.execute(
        _EARLIER, [c.event_id for c in claims], [c.recorded for c in claims], [c.at for c in claims]
    )


async def reject(conn: Conn, event_ids: Sequence[str]) -> None:
    """Mark own claims as rejected: a replay may claim them again."""
    await conn.execute(_REJECT, event_ids)
