"""FastStream, a batch subscriber: `python -m tests.bench.contenders.peers.faststream`."""

from __future__ import annotations

import asyncio
import os

import asyncpg
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from shared.bus.topics import FEEDBACK, SCORES
from tests.bench.contenders import sql
from tests.bench.contenders.peer import BATCH, BATCH_S, GROUP, KAFKA

broker = KafkaBroker(
    KAFKA, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=1 << 20, logger=None
)
app = FastStream(broker)
database: list[tuple[sql.Conn, sql.Sample]] = []


@app.on_startup
async def connect() -> None:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    database.append((connection, await sql.sample(connection)))


@broker.subscriber(
    FEEDBACK,
    batch=True,
    max_records=BATCH,
    batch_timeout_ms=int(BATCH_S * 1000),
    group_id=GROUP,
    auto_offset_reset="earliest",
    ack_policy=AckPolicy.ACK,
)
async def handle(message: KafkaMessage) -> None:
    ((connection, like),) = database
    records = message.raw_message
    assert isinstance(records, tuple)
    offsets = {record.partition: record.offset + 1 for record in records}
    told = await sql.merge(connection, [record.value for record in records], offsets, like)
    await asyncio.gather(*(broker.publish(like.message, SCORES, key=key) for _, key in told))
    await sql.forget(connection, told)


if __name__ == "__main__":
    asyncio.run(app.run())
