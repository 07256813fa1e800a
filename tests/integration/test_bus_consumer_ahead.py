"""The client fetches ahead once, and asks a broker no more before all of that is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from shared.bus import consumer
from shared.bus.consumer import Batch, ConsumerLoop
from tests.integration.bus_kit import Taken, fill, make_topic, producer_of, running
from tests.integration.waiting import until


async def test_what_came_during_a_batch_is_all_in_the_next_one(
    kafka: str, unique: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what came after the first of it would wait for one more batch."""
    monkeypatch.setattr(consumer, "FRESH_MS", 2000)  # so long only where the machine is busy
    topic = unique("topic")
    await make_topic(kafka, topic)
    async with producer_of(kafka) as producer:

        async def tell_more(_: Batch) -> None:
            if len(taken.batches) == 1:
                for value in (b"a", b"b", b"c"):
                    await fill(producer, topic, [value])
                    await asyncio.sleep(0.3)

        taken = Taken(tell_more)
        async with running(ConsumerLoop(kafka, unique("group"), [topic], taken)):
            await fill(producer, topic, [b"first"])
            await until(lambda: len(taken.values) == 4)
    batches = [[record.value for record in batch.records] for batch in taken.batches]
    assert batches == [[b"first"], [b"a", b"b", b"c"]]
