"""Faust, an agent that takes batches: `python -m tests.bench.contenders.peers.faust worker`."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import asyncpg
import faust

from shared.bus.topics import FEEDBACK, SCORES
from tests.bench.contenders import sql
from tests.bench.contenders.peer import BATCH, BATCH_S, GROUP, KAFKA

app = faust.App(
    GROUP,
    broker=f"kafka://{KAFKA}",
    autodiscover=False,
    web_enabled=False,
    topic_replication_factor=1,
    topic_partitions=12,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    producer_linger=0.002,
    producer_max_batch_size=1 << 20,
)
feedback = app.topic(FEEDBACK, value_type=bytes, value_serializer="raw", key_serializer="raw")
told_to = app.topic(SCORES, value_type=bytes, value_serializer="raw", key_serializer="raw")


@app.agent(feedback)  # type: ignore[untyped-decorator,unused-ignore]
async def handle(stream: Any) -> None:  # noqa: ANN401
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    like = await sql.sample(connection)
    async for events in stream.take_events(BATCH, within=BATCH_S):
        offsets = {event.message.partition: event.message.offset + 1 for event in events}
        told = await sql.merge(connection, [event.value for event in events], offsets, like)
        sends = [await told_to.send(key=key, value=like.message) for _, key in told]
        await asyncio.gather(*sends)
        await sql.forget(connection, told)


if __name__ == "__main__":
    app.main()
