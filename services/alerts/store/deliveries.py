"""Deliveries: what is to be sent, to whom, and every attempt."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg
import msgspec

from services.alerts.domain.retry import Next, Result
from services.alerts.store.setup import as_object

DIRECT: Final = "direct"
"""Lane of mails to one person."""
BEGIN_WITHIN_S: Final = 2.0
"""A claimed delivery that was not begun after this time is given back."""
LEASE_MARGIN_S: Final = 10.0
"""A lease outlasts the wait and the attempt by this much, for the database's part of it. A dispatcher that
dies holds its deliveries back until their leases end."""


class NewDelivery(msgspec.Struct, frozen=True):
    """`recipient`: encrypted address of one person, for the lane `direct`."""

    id: str
    lane: str
    alert: str | None
    version: int
    what: str
    body: bytes
    recipient: bytes | None = None


class Claimed(msgspec.Struct, frozen=True):
    """A delivery that is ours for the length of the lease."""

    id: str
    lane: str
    lease: uuid.UUID
    alert: str | None
    what: str
    body: bytes
    recipient: bytes | None
    step: int


class Conclusion(NamedTuple):
    """What became of a delivery that was ours. No `result`: it is given back untried.

    `took_s`: seconds of the attempt.
    """

    claimed: Claimed
    result: Result | None
    following: Next | None
    at: datetime
    took_s: float | None


class DeliveryRow(msgspec.Struct, frozen=True):
    """A delivery as it is shown."""

    id: str
    number: int
    endpoint: str
    alert: str | None
    version: int
    what: str
    state: str
    attempts: list[dict[str, Any]]
    next_at: datetime | None
    created_at: datetime


async def add(connection: asyncpg.Connection, rows: Sequence[NewDelivery]) -> None:
    """In the transaction of the change they tell of; the same delivery twice is one."""
    if not rows:
        return
    await connection.execute(
        "INSERT INTO alerts.delivery (id, lane, alert, version, what, body, recipient, state)"
        " SELECT id, lane, alert, version, what, body, recipient, 'pending' FROM unnest($1::text[],"
        " $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bytea[], $7::bytea[]) WITH ORDINALITY"
        " AS r (id, lane, alert, version, what, body, recipient, position) ORDER BY position"
        " ON CONFLICT (id) DO NOTHING",
        [row.id for row in rows],
        [row.lane for row in rows],
        [row.alert for row in rows],
        [row.version for row in rows],
        [row.what for row in rows],
        [row.body for row in rows],
        [row.recipient for row in rows],
    )


async def claim(
    connection: asyncpg.Connection, room: Mapping[str, int], most: int, attempt_s: float
) -> list[Claimed]:
    """Due deliveries, leased in one statement: `most` at most, and of each lane as many as it has room,
    one where `room` says nothing.

    Within a lane an alert's versions start in their order: a later one waits until the earlier one was
    tried once. After that the receiver orders by version, or one dead letter would hold up all news.
    The lanes are found by jumps along the index, so what waits for one of them costs the others nothing.
    OFFSET 0 and the array keep the planner to indexes: it knows nothing of a backlog that just came, and
    would compare all of a lane with all.
    """
    rows = await connection.fetch(
        "WITH RECURSIVE lanes (lane) AS ((SELECT lane FROM alerts.delivery WHERE state = 'pending'"
        "     ORDER BY lane LIMIT 1)"
        "   UNION ALL SELECT (SELECT d.lane FROM alerts.delivery d WHERE d.state = 'pending'"
        "     AND d.lane > lanes.lane ORDER BY d.lane LIMIT 1) FROM lanes WHERE lanes.lane IS NOT NULL),"
        " due AS (SELECT d.id FROM lanes LEFT JOIN unnest($1::text[], $2::int[]) AS r (lane, room)"
        "   USING (lane) CROSS JOIN LATERAL (SELECT id, next_at FROM alerts.delivery e"
        "     WHERE e.lane = lanes.lane AND e.state = 'pending' AND e.next_at <= now()"
        "     AND (e.leased_until IS NULL OR e.leased_until < now())"
        "     AND NOT EXISTS (SELECT FROM alerts.delivery f WHERE f.alert = e.alert AND f.lane = e.lane"
        "       AND f.version < e.version AND f.state = 'pending' AND f.step = 0 OFFSET 0)"
        "     ORDER BY e.next_at, e.number LIMIT coalesce(r.room, 1) FOR UPDATE SKIP LOCKED) d"
        "   ORDER BY d.next_at LIMIT $3)"
        " UPDATE alerts.delivery d SET lease = gen_random_uuid(),"
        "   leased_until = now() + make_interval(secs => $4) WHERE d.id = ANY(ARRAY(SELECT id FROM due))"
        " RETURNING d.id, d.lane, d.lease, d.alert, d.what, d.body, d.recipient, d.step, d.number",
        list(room),
        list(room.values()),
        most,
        BEGIN_WITHIN_S + attempt_s + LEASE_MARGIN_S,
    )
    return [
        Claimed(r["id"], r["lane"], r["lease"], r["alert"], r["what"], r["body"], r["recipient"], r["step"])
        for r in sorted(rows, key=lambda r: r["number"])
    ]


async def finish(connection: asyncpg.Connection, conclusions: Sequence[Conclusion]) -> None:
    """Writes attempts, where the lease is still ours: else somebody else tells what became of it.

    Rows are locked by id, as whoever cancels them does.
    """
    await connection.execute(
        "WITH told AS MATERIALIZED (SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[],"
        "   $5::float8[]) AS t (id, lease, state, attempt, wait_s)),"
        " held AS MATERIALIZED (SELECT d.id FROM alerts.delivery d JOIN told USING (id, lease)"
        "   WHERE d.id = ANY($1::text[]) ORDER BY d.id FOR UPDATE OF d)"
        " UPDATE alerts.delivery d SET lease = NULL, leased_until = NULL,"
        "   state = CASE d.state WHEN 'pending' THEN coalesce(told.state, 'pending') ELSE d.state END,"
        "   step = d.step + (told.state IS NOT NULL)::int,"
        "   attempts = d.attempts || coalesce(told.attempt::jsonb, '[]'),"
        "   next_at = coalesce(now() + make_interval(secs => told.wait_s), d.next_at)"
        " FROM told JOIN held USING (id)"
        " WHERE d.id = ANY($1::text[]) AND d.id = told.id AND d.lease = told.lease",
        [c.claimed.id for c in conclusions],
        [c.claimed.lease for c in conclusions],
        [c.following.state if c.following else None for c in conclusions],
        [_attempt(c) for c in conclusions],
        [c.following.wait_s if c.following else None for c in conclusions],
    )


def _attempt(conclusion: Conclusion) -> str | None:
    result = conclusion.result
    if result is None:
        return None
    told = {"at": conclusion.at.isoformat().replace("+00:00", "Z"), "outcome": result.outcome.value}
    more = {"status": result.status, "detail": result.detail}
    return json.dumps([told | {name: value for name, value in more.items() if value is not None}])


async def again(connection: asyncpg.Connection, delivery_id: str) -> bool:
    """Sent once more from the start of the schedule, under the same id."""
    return bool(
        await connection.fetchval(
            "UPDATE alerts.delivery SET state = 'pending', step = 0, next_at = now(), lease = NULL,"
            " leased_until = NULL WHERE id = $1 RETURNING true",
            delivery_id,
        )
    )


_COLUMNS = (
    "id, number, lane, alert, version, what, state, attempts, created_at,"
    " CASE state WHEN 'pending' THEN next_at END AS next_at"
)


async def listed(
    connection: asyncpg.Connection,
    *,
    alert: str | None,
    endpoint: str | None,
    state: str | None,
    below: int | None,
    limit: int,
) -> list[DeliveryRow]:
    """Newest first, `number` below `below`."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM alerts.delivery WHERE ($1::text IS NULL OR alert = $1)"  # noqa: S608
        " AND ($2::text IS NULL OR lane = $2) AND ($3::text IS NULL OR state = $3)"
        " AND ($4::bigint IS NULL OR number < $4) ORDER BY number DESC LIMIT $5",
        alert,
        endpoint,
        state,
        below,
        limit,
    )
    return [_row(row) for row in rows]


async def one(connection: asyncpg.Connection, delivery_id: str) -> DeliveryRow | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM alerts.delivery WHERE id = $1",  # noqa: S608
        delivery_id,
    )
    return None if row is None else _row(row)


def _row(row: asyncpg.Record) -> DeliveryRow:
    return DeliveryRow(
        id=row["id"],
        number=row["number"],
        endpoint=row["lane"],
        alert=row["alert"],
        version=row["version"],
        what=row["what"],
        state=row["state"],
        attempts=as_object(row["attempts"]),
        next_at=row["next_at"],
        created_at=row["created_at"],
    )


async def purge(connection: asyncpg.Connection, days: int) -> None:
    """Deliveries that are concluded and older; they hold the customers' words."""
    await connection.execute(
        "DELETE FROM alerts.delivery WHERE state <> 'pending'"
        " AND created_at < now() - make_interval(days => $1)",
        days,
    )
