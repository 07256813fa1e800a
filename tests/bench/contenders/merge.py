"""`python -m tests.bench.contenders.merge`: aiokafka consumes, `sql.merge` writes, aiokafka tells.

The shortest honest program with scoring's effects and no scoring: batches of at most 500, one transaction
each, at least once.
"""

from __future__ import annotations

import asyncio
import os

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.bus.topics import FEEDBACK, SCORES
from tests.bench.contenders import sql


async def main() -> None:
    kafka = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    conn = await asyncpg.connect(os.environ["DATABASE_URL"], server_settings={"jit": "off"})
    like = await sql.sample(conn)
    consumer = AIOKafkaConsumer(
        FEEDBACK,
        bootstrap_servers=kafka,
        group_id=os.environ["BENCH_GROUP"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=2, max_batch_size=1 << 20
    )
    async with consumer, producer:
        while True:
            fetched = await consumer.getmany(timeout_ms=250, max_records=500)
            if not fetched:
                continue
            raws = [record.value for records in fetched.values() for record in records]
            offsets = {place.partition: records[-1].offset + 1 for place, records in fetched.items()}
            told = await sql.merge(conn, raws, offsets, like)
            sends = [await producer.send(SCORES, like.message, key) for _, key in told]
            await asyncio.gather(*sends)
            await sql.forget(conn, told)
            await consumer.commit()


if __name__ == "__main__":
    uvloop.run(main())
