"""Transactional outbox: what is to be told is written in the transaction that makes it true.

A row waits in a lane, `hash(key) mod lanes`; one relay owns a lane from read through send to delete, so
the messages of one key leave in the order in which they were written. What remains is what was not told.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, Final

import asyncpg
import msgspec

from shared.runtime.tracing import kafka_headers

LANES: Final = 16
"""More would make more round trips of a relay's look, fewer would leave replicas without a share.
All writers and relays of a schema must agree; it is a constant for that reason."""
PARKED: Final = -1
"""Lane of rows the bus refuses for good, such as oversized ones: kept to be looked at, never sent."""

Headers = Sequence[tuple[str, bytes]]


class OutboxRow(msgspec.Struct, frozen=True):
    """One message to be. `headers` None: those of the trace that is current when the row is added."""

    topic: str
    key: bytes
    body: bytes
    headers: Headers | None = None


def OUTBOX_DDL(schema: str) -> str:  # noqa: N802 - reads as the constant it is for one schema
    """Statements that make the table; for `shared.db.migrate.execute`.

    Rows live for milliseconds, so the table is vacuumed by count, not by share of its size.
    """
    return f"""
        CREATE TABLE {schema}.outbox (
            lane smallint NOT NULL,
            id bigint GENERATED ALWAYS AS IDENTITY,
            topic text NOT NULL,
            key bytea NOT NULL,
            body bytea NOT NULL,
            headers bytea,
            added_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (lane, id)
        ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
                autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);
        COMMENT ON COLUMN {schema}.outbox.headers IS 'JSON [[name, text], …]';
        COMMENT ON COLUMN {schema}.outbox.lane IS 'crc32(key) mod lanes; -1 parked: refused by the bus';
    """


def lane_of(key: bytes, lanes: int = LANES) -> int:
    return zlib.crc32(key) % lanes


async def add(
    connection: asyncpg.Connection, schema: str, rows: Sequence[OutboxRow], *, lanes: int = LANES
) -> None:
    """Adds rows in their order, in the caller's transaction, with one statement.

    After the commit call `Relay.wake`, or the rows leave at the relay's next look.
    """
    if rows:
        statement, arguments = adding(schema, rows, lanes=lanes)
        await connection.execute(statement, *arguments)


def adding(schema: str, rows: Sequence[OutboxRow], *, lanes: int = LANES) -> tuple[str, tuple[Any, ...]]:
    """The statement of `add` and its arguments, for who does more in one round trip."""
    trace = encode_headers(kafka_headers())
    return (
        f"INSERT INTO {schema}.outbox (lane, topic, key, body, headers)"  # noqa: S608 - a schema's name
        " SELECT lane, topic, key, body, headers FROM unnest($1::smallint[], $2::text[], $3::bytea[],"
        " $4::bytea[], $5::bytea[]) WITH ORDINALITY AS r (lane, topic, key, body, headers, position)"
        " ORDER BY position",
        (
            [lane_of(row.key, lanes) for row in rows],
            [row.topic for row in rows],
            [row.key for row in rows],
            [row.body for row in rows],
            [trace if row.headers is None else encode_headers(row.headers) for row in rows],
        ),
    )


def encode_headers(headers: Headers) -> bytes | None:
    """Header values are texts of ours (trace context, versions); None when there are none."""
    return (
        msgspec.json.encode([(name, value.decode("latin-1")) for name, value in headers]) if headers else None
    )


def decode_headers(kept: bytes | None) -> list[tuple[str, bytes]]:
    if kept is None:
        return []
    return [(name, value.encode("latin-1")) for name, value in _decode(kept)]


_decode = msgspec.json.Decoder(list[tuple[str, str]]).decode
