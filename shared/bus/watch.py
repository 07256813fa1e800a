"""Watches a consumer from outside: how much waits, and whether anything moves.

A consumer, or one of its partitions, can stand still for good without any sign of its own. So a second
connection asks the brokers how far the log reaches and how far the group has come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.bus.batches import Partition
from shared.runtime.metrics import gauge

log = structlog.get_logger()

LOOK_EVERY_S: Final = 5.0
LOOK_S: Final = 5.0

_lag = gauge(
    "consumer_lag_records", "Records that wait, of the partitions owned.", ("group", "topic", "partition")
)


class StallWatch:
    """Decides from what was seen; `now` in seconds of any clock.

    A partition stalls when records wait on it and its position has not changed for `stall_s`. The clock of
    a partition starts again (1) when it moves, (2) when nothing waits, (3) when it was not looked at
    (not ours, or the brokers did not answer), (4) for all, when a batch was being handled since the last
    look: a slow or failing handler is no stalled consumer, and a restart would not help it.
    """

    def __init__(self, stall_s: float) -> None:
        self._stall_s = stall_s
        self._since: dict[Partition, tuple[int, float]] = {}

    def observe(
        self, now: float, positions: Mapping[Partition, int], ends: Mapping[Partition, int], busy: bool
    ) -> list[Partition]:
        """The partitions that stand still."""
        if busy:  # 4
            self._since.clear()
            return []
        self._since = {
            partition: self._clock(partition, position, now)
            for partition, position in positions.items()
            if ends.get(partition, 0) > position  # 2, 3
        }
        return [p for p, (_, since) in self._since.items() if now - since >= self._stall_s]

    def _clock(self, partition: Partition, position: int, now: float) -> tuple[int, float]:
        seen = self._since.get(partition)
        return seen if seen is not None and seen[0] == position else (position, now)  # 1


class Watch:
    """Looks every few seconds, by connections of its own."""

    def __init__(self, bootstrap: str, group: str, topics: Iterable[str], stall_s: float) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._topics = tuple(topics)
        self._stalls = StallWatch(stall_s)
        self._stall_s = stall_s
        self._outside_since: float | None = None
        self._handled: dict[Partition, int] = {}
        self._shown: set[Partition] = set()
        self._busy = False
        self._was_busy = False
        self.answered_at = float("-inf")
        """When the brokers last answered, on the loop's clock."""
        self.stalled = False
        self.why = ""
        self.lag = 0

    @contextmanager
    def handling(self) -> Iterator[None]:
        """While a batch is being handled, or waits after a failure."""
        self._busy = self._was_busy = True
        try:
            yield
        finally:
            self._busy = False

    def moved(self, next_offsets: Mapping[Partition, int]) -> None:
        """The loop has handled everything before these offsets."""
        self._handled.update(next_offsets)

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            owned = {(p.topic, p.partition) for p in consumer.assignment()}
            try:
                async with asyncio.timeout(LOOK_S):
                    ends, committed, members = await self._look(owned)
            except (KafkaError, OSError, TimeoutError):
                self._stalls.observe(0.0, {}, {}, busy=True)
                self._outside_since = None
                continue
            self.answered_at = asyncio.get_running_loop().time()
            self._judge(owned, ends, committed)
            self._judge_membership(bool(owned or members))

    async def _look(self, owned: set[Partition]) -> tuple[dict[Partition, int], dict[Partition, int], bool]:
        """End of the log and committed offset, of the partitions owned; whether the group has members."""
        partitions = [TopicPartition(*partition) for partition in owned]
        probe = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, client_id=f"cxloop-watch-{self._group}")
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._bootstrap, client_id=f"cxloop-watch-{self._group}"
        )
        try:
            await probe.start()
            await admin.start()
            ends = await probe.end_offsets(partitions) if partitions else {}
            offsets = await admin.list_consumer_group_offsets(self._group)
            members = bool(owned) or await self._has_members(admin)
        finally:
            await probe.stop()
            await admin.close()
        return (
            {(p.topic, p.partition): end for p, end in ends.items()},
            {(p.topic, p.partition): max(0, found.offset) for p, found in offsets.items()},
            members,
        )

    async def _has_members(self, admin: AIOKafkaAdminClient) -> bool:
        (answer,) = await admin.describe_consumer_groups([self._group])
        return all(state not in ("Empty", "Dead") for _, _, state, *_ in answer.groups)

    def _judge_membership(self, well: bool) -> None:
        """Who owns nothing although the group has no members was expelled, and will never join again. With
        members one may own nothing: there are more processes than partitions."""
        now = asyncio.get_running_loop().time()
        self._outside_since = None if well else self._outside_since or now
        if self._outside_since is not None and now - self._outside_since >= self._stall_s:
            self.why = "owns nothing, and nobody else does"
            self.stalled = True
            log.error("consumer stalled", group=self._group, why=self.why)

    def _judge(
        self, owned: set[Partition], ends: Mapping[Partition, int], committed: Mapping[Partition, int]
    ) -> None:
        self._handled = {p: offset for p, offset in self._handled.items() if p in owned}
        positions = {p: self._handled.get(p, committed.get(p, 0)) for p in owned}
        for topic, number in self._shown - owned:
            _lag.remove(self._group, topic, str(number))
        self._shown = set(owned)
        self.lag = 0
        for partition in owned:
            waiting = max(0, ends.get(partition, 0) - positions[partition])
            _lag.labels(self._group, partition[0], str(partition[1])).set(waiting)
            self.lag += waiting
        busy, self._was_busy = self._busy or self._was_busy, False
        still = self._stalls.observe(asyncio.get_running_loop().time(), positions, ends, busy)
        if still:
            self.why = "records wait and nothing moves on " + ", ".join(f"{t}/{n}" for t, n in sorted(still))
            self.stalled = True
            log.error("consumer stalled", group=self._group, why=self.why)
