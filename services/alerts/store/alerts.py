"""Alerts as they are listed and read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
import msgspec

from services.alerts.domain.alert import Alert
from services.alerts.store.memory import decode_alert


class Filter(msgspec.Struct, frozen=True):
    """None: not asked for. `since` in microseconds, by the time of opening."""

    state: Sequence[str] | None = None
    customer_id: str | None = None
    account_id: str | None = None
    council: str | None = None
    owner: str | None = None
    rule: str | None = None
    severity: Sequence[str] | None = None
    since: int | None = None


async def listed(
    connection: asyncpg.Connection, wanted: Filter, before: tuple[int, str] | None, limit: int
) -> list[Alert]:
    """Newest first, after the position `before`. A merged customer's old id finds the survivor's."""
    rows = await connection.fetch(
        "WITH RECURSIVE who AS (SELECT $2::text AS id UNION SELECT c.merged_into FROM alerts.customer c"
        "   JOIN who ON c.id = who.id WHERE c.merged_into IS NOT NULL)"
        " SELECT body FROM alerts.alert a WHERE ($1::text[] IS NULL OR state = ANY($1))"
        " AND ($2::text IS NULL OR customer_id IN (SELECT id FROM who))"
        " AND ($3::text IS NULL OR account_id = $3)"
        " AND ($4::text IS NULL OR council = $4) AND ($5::text IS NULL OR owner = $5)"
        " AND ($6::text IS NULL OR $6 = ANY(rules)) AND ($7::text[] IS NULL OR severity = ANY($7))"
        " AND ($8::bigint IS NULL OR opened_at >= $8)"
        " AND ($9::bigint IS NULL OR (opened_at, id) < ($9, $10::text))"
        " ORDER BY opened_at DESC, id DESC LIMIT $11",
        list(wanted.state) if wanted.state is not None else None,
        wanted.customer_id,
        wanted.account_id,
        wanted.council,
        wanted.owner,
        wanted.rule,
        list(wanted.severity) if wanted.severity is not None else None,
        wanted.since,
        before[0] if before else None,
        before[1] if before else None,
        limit,
    )
    return [decode_alert(row["body"]) for row in rows]


async def one(connection: asyncpg.Connection, alert_id: str) -> Alert | None:
    body = await connection.fetchval("SELECT body FROM alerts.alert WHERE id = $1", alert_id)
    return None if body is None else decode_alert(body)


async def locked(connection: asyncpg.Connection, alert_id: str) -> Alert | None:
    """The alert under the lock of its customer, then its own: the order of everybody else."""
    for _ in range(3):
        subject = await connection.fetchval("SELECT subject FROM alerts.alert WHERE id = $1", alert_id)
        if subject is None:
            return None
        await connection.execute("SELECT FROM alerts.customer WHERE id = $1 FOR UPDATE", subject)
        body = await connection.fetchval(
            "SELECT body FROM alerts.alert WHERE id = $1 AND subject = $2 FOR UPDATE", alert_id, subject
        )
        if body is not None:
            return decode_alert(body)
    raise TimeoutError("the customer of the alert kept changing")


async def live_driver(connection: asyncpg.Connection, alert: Alert) -> Alert | None:
    """Another live alert of the same customer and driver. The caller holds the customer's lock."""
    body = await connection.fetchval(
        "SELECT body FROM alerts.alert WHERE subject = $1 AND driver = $2 AND live AND id <> $3 FOR UPDATE",
        alert.subject,
        alert.driver,
        alert.id,
    )
    return None if body is None else decode_alert(body)


async def counts(connection: asyncpg.Connection) -> Mapping[str, int]:
    """How many alerts are in each state."""
    rows = await connection.fetch("SELECT state, count(*) AS n FROM alerts.alert GROUP BY state")
    return {row["state"]: row["n"] for row in rows}
