"""Customers as the domain remembers them: read under lock, written back, a constant number of statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import asyncpg
import msgspec

from services.alerts.domain import words
from services.alerts.domain.alert import Alert
from services.alerts.domain.memory import Memory
from services.alerts.domain.outcomes import History
from shared.events.scores import AppliedEvent, ScoreChange
from shared.events.times import Micros


class _Kept(msgspec.Struct, omit_defaults=True):
    change: ScoreChange
    track: tuple[tuple[int, float], ...] = ()
    recent: tuple[AppliedEvent, ...] = ()


_encode: Final = msgspec.json.Encoder().encode
_kept: Final = msgspec.json.Decoder(_Kept).decode
_history: Final = msgspec.json.Decoder(History).decode
decode_alert: Final = msgspec.json.Decoder(Alert).decode


async def load(
    connection: asyncpg.Connection,
    subjects: Collection[str],
    parted: Collection[str] = (),
    known: Collection[str] = (),
) -> tuple[dict[str, Memory], Micros]:
    """Memories by subject, locked until the end of the transaction, unknown ones empty; and what time it is,
    now that nobody else works on them.

    Locks are taken in the order customers (by id), alerts (by id), as everywhere. For those in `parted`
    the alerts that were merged away come too. `known`: those that have a row, which nobody takes away.
    """
    ids = sorted(set(subjects))
    if not set(ids).issubset(known):
        await connection.execute(
            "INSERT INTO alerts.customer (id) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING",
            ids,
        )
    customers = await connection.fetch(
        "SELECT id, body, merged_into FROM alerts.customer WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE",
        ids,
    )
    # After the locks: what is read with them was there before them.
    parts = await connection.fetch(
        "WITH alerts AS MATERIALIZED (SELECT subject, body FROM alerts.alert WHERE subject = ANY($1::text[])"
        "   AND (live OR (state = 'merged' AND subject = ANY($2::text[]))) ORDER BY id FOR UPDATE)"
        " SELECT subject, NULL AS rule, body, NULL::bigint AS now FROM alerts"
        " UNION ALL SELECT customer, rule, body, NULL FROM alerts.rule_state WHERE customer = ANY($1::text[])"
        " UNION ALL SELECT NULL, NULL, NULL, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
        ids,
        sorted(set(parted)),
    )
    histories: dict[str, dict[str, History]] = {}
    by_subject: dict[str, list[Alert]] = {}
    now: Micros = 0
    for row in parts:
        if row["now"] is not None:
            now = row["now"]
        elif row["rule"] is not None:
            histories.setdefault(row["subject"], {})[row["rule"]] = _history(row["body"])
        else:
            by_subject.setdefault(row["subject"], []).append(decode_alert(row["body"]))
    return {
        row["id"]: _memory(row, histories.get(row["id"], {}), tuple(by_subject.get(row["id"], ())))
        for row in customers
    }, now


def _memory(row: asyncpg.Record, histories: Mapping[str, History], alerts: tuple[Alert, ...]) -> Memory:
    body = row["body"]
    if body is None:
        return Memory(row["id"], histories=histories, alerts=alerts, merged_into=row["merged_into"])
    kept = _kept(body)
    return Memory(row["id"], kept.change, kept.track, kept.recent, histories, alerts, row["merged_into"])


async def known(connection: asyncpg.Connection, subjects: Collection[str]) -> dict[str, str | None]:
    """Those that have a row, with the customer that a merged one turned out to be."""
    rows = await connection.fetch(
        "SELECT id, merged_into FROM alerts.customer WHERE id = ANY($1::text[])", sorted(set(subjects))
    )
    return {row["id"]: row["merged_into"] for row in rows}


async def save(
    connection: asyncpg.Connection,
    before: Mapping[str, Memory],
    after: Mapping[str, Memory],
    alerts: Iterable[Alert],
) -> None:
    """Writes what changed. `alerts`: every changed alert in its last state."""
    changed = [m for m in after.values() if m != before.get(m.subject)]
    await _save_customers(connection, [m for m in changed if m.change is not None])
    await _save_aliases(connection, [m for m in changed if m.change is None])
    await _save_histories(connection, before, changed)
    await save_alerts(connection, alerts)


async def _save_customers(connection: asyncpg.Connection, changed: list[Memory]) -> None:
    rows = sorted(((m, m.change) for m in changed if m.change is not None), key=lambda row: row[0].subject)
    if not rows:
        return
    await connection.execute(
        "UPDATE alerts.customer c SET version = r.version, value = r.value, currency = r.currency,"
        " body = r.body, merged_into = r.target, updated_at = now()"
        " FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bytea[], $6::text[])"
        " AS r (id, version, value, currency, body, target) WHERE c.id = r.id",
        [m.subject for m, _ in rows],
        [change.version for _, change in rows],
        [change.value if change.customer_id else None for _, change in rows],
        [change.currency or "" for _, change in rows],
        [_encode(_Kept(slim(change), m.track, m.recent)) for m, change in rows],
        [m.merged_into for m, _ in rows],
    )


async def _save_aliases(connection: asyncpg.Connection, changed: list[Memory]) -> None:
    """Customers of whom nothing was heard but that they are somebody else."""
    if changed:
        await connection.execute(
            "UPDATE alerts.customer c SET merged_into = r.target, updated_at = now()"
            " FROM unnest($1::text[], $2::text[]) AS r (id, target) WHERE c.id = r.id",
            [m.subject for m in changed],
            [m.merged_into for m in changed],
        )


def slim(change: ScoreChange) -> ScoreChange:
    """What a look by the clock needs: no events (those with words are in `recent`), the largest rows."""
    return msgspec.structs.replace(
        change, events=(), causes=(), contributions=words.condensed(change.contributions)
    )


async def _save_histories(
    connection: asyncpg.Connection, before: Mapping[str, Memory], changed: list[Memory]
) -> None:
    rows = sorted(
        (m.subject, rule, history)
        for m in changed
        for rule, history in m.histories.items()
        if before[m.subject].histories.get(rule) != history
    )
    if rows:
        await connection.execute(
            "INSERT INTO alerts.rule_state (customer, rule, body, next_at)"
            " SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[])"
            " ON CONFLICT (customer, rule) DO UPDATE SET body = excluded.body, next_at = excluded.next_at",
            [row[0] for row in rows],
            [row[1] for row in rows],
            [_encode(row[2]) for row in rows],
            [row[2].next_at for row in rows],
        )


async def save_alerts(connection: asyncpg.Connection, alerts: Iterable[Alert]) -> None:
    """Closed ones first, so that the one live alert of a driver is never two for a moment."""
    rows = sorted(alerts, key=lambda a: (a.live, a.id))
    if not rows:
        return
    await connection.execute(
        "INSERT INTO alerts.alert (id, subject, customer_id, account_id, council, driver, rules, severity,"
        " state, owner, live, version, opened_at, next_at, body)"
        " SELECT id, subject, customer_id, account_id, council, driver, string_to_array(rules, ' '),"
        " severity, state, owner, live, version, opened_at, next_at, body"
        " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],"
        " $8::text[], $9::text[], $10::text[], $11::boolean[], $12::bigint[], $13::bigint[], $14::bigint[],"
        " $15::bytea[]) WITH ORDINALITY AS r (id, subject, customer_id, account_id, council, driver, rules,"
        " severity, state, owner, live, version, opened_at, next_at, body, position) ORDER BY position"
        " ON CONFLICT (id) DO UPDATE SET subject = excluded.subject, customer_id = excluded.customer_id,"
        " account_id = excluded.account_id, council = excluded.council, rules = excluded.rules,"
        " severity = excluded.severity, state = excluded.state, owner = excluded.owner,"
        " live = excluded.live, version = excluded.version, next_at = excluded.next_at, body = excluded.body",
        *_columns(rows),
    )


def _columns(rows: list[Alert]) -> tuple[list[object], ...]:
    columns = [
        (
            a.id,
            a.subject,
            a.customer_id,
            a.account_id,
            a.council,
            a.driver,
            " ".join(a.rules),
            a.severity,
            a.state,
            a.owner,
            a.live,
            a.version,
            a.opened_at,
            a.next_at,
            _encode(a),
        )
        for a in rows
    ]
    return tuple(list(column) for column in zip(*columns, strict=True))


async def due(connection: asyncpg.Connection, now: int, limit: int) -> list[str]:
    """Subjects whose rules or alerts the clock has reached, locked; those others work on are left out.

    An array, because the planner does not know how few they are, and would read the table.
    """
    rows = await connection.fetch(
        "SELECT c.id FROM alerts.customer c WHERE c.id = ANY(ARRAY("
        " (SELECT customer FROM alerts.rule_state WHERE next_at <= $1 ORDER BY next_at LIMIT $2) UNION"
        " (SELECT subject FROM alerts.alert WHERE next_at <= $1 ORDER BY next_at LIMIT $2)))"
        " ORDER BY c.id LIMIT $2 FOR UPDATE SKIP LOCKED",
        now,
        limit,
    )
    return [row["id"] for row in rows]


async def put_off(connection: asyncpg.Connection, now: int, by: int) -> None:
    """The first customer that is due is looked at `by` microseconds later, whatever is wrong with it."""
    for subject in await due(connection, now, 1):
        await connection.execute(
            "UPDATE alerts.rule_state SET next_at = $2 WHERE customer = $1 AND next_at <= $3",
            subject,
            now + by,
            now,
        )
        await connection.execute(
            "UPDATE alerts.alert SET next_at = $2 WHERE subject = $1 AND next_at <= $3",
            subject,
            now + by,
            now,
        )
