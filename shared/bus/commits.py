"""Offsets on their way to Kafka: of what is handled, and not of every batch.

The handler's database knows how far it is; what Kafka keeps decides only where a process begins. A commit is
a round trip that the next batch waits for, so there is one a second, and one when nothing more comes. After a
crash as much is repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.bus.batches import Partition
from shared.bus.errors import CommitFault, ConsumerLost, classify_commit

log = structlog.get_logger()

EVERY_S: Final = 1.0
COMMIT_S: Final = 5.0


class Commits:
    """Of one consumer."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._waiting: dict[TopicPartition, int] = {}
        self._due = 0.0

    def handled(self, offsets: Mapping[Partition, int]) -> None:
        """The next offset to read of each partition, once all before is done."""
        self._waiting |= {TopicPartition(*partition): offset for partition, offset in offsets.items()}

    async def commit(self, consumer: AIOKafkaConsumer, *, at_once: bool) -> None:
        """What waits, if it is time. What does not get through is said again, and more, by the next one.

        Raises ConsumerLost where this process may not commit at all.
        """
        now = asyncio.get_running_loop().time()
        if not self._waiting or (now < self._due and not at_once):
            return
        self._due = now + EVERY_S
        ours = consumer.assignment()
        self._waiting = {
            partition: offset for partition, offset in self._waiting.items() if partition in ours
        }
        if not self._waiting:
            return
        try:
            async with asyncio.timeout(COMMIT_S):
                await consumer.commit(self._waiting)
            self._waiting = {}
        except (KafkaError, OSError, TimeoutError) as error:
            fault, why = classify_commit(error), str(error) or type(error).__name__
            log.warning("offsets not committed", group=self._group, meaning=fault.value, why=why)
            if fault is CommitFault.fatal:
                raise ConsumerLost(f"may not commit: {why}") from error
