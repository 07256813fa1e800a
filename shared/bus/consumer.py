"""The consumer loop: micro-batches, explicit offsets, no correctness in listeners.

One turn:
 1. poll: at most `max_records` records, of any of our partitions (never splatted: an empty set means all);
    what the client fetched ahead, and what came since;
 2. cut into batches of at most `max_bytes`;
 3. drop from each batch the partitions that are no longer ours;
 4. `handle(batch)`: returns = all effects are committed in the database;
 5. commit exactly the offsets after the last records handled: once a second, or when nothing comes.
Whatever goes wrong between 1 and 5 ends in "poll again", and repeats records rather than losing one:
 a. `handle` raises: nothing is committed, the consumer steps back to the first record not handled, waits
    (exponential, with jitter) and polls again, for ever: retriable or poison is the handler's affair;
 b. `handle` raises SeekTo: steps to where the database says it is, at once;
 c. ownership was lost to a rebalance: the batch is dropped, its new owner has it;
 d. the commit does not get through: the next one says the same and more;
 e. cancelled: neither commits nor steps back;
 f. the client is broken for good, or stands still: ConsumerLost, the process leaves;
 g. the database was set back and nothing comes that would show a gap: it is asked every few seconds.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.bus.batches import Batch, Partition, Record, cut, record_of
from shared.bus.commits import COMMIT_S, Commits
from shared.bus.errors import ConsumerLost, ConsumerStalled
from shared.bus.membership import MAX_BYTES, MAX_RECORDS, STOP_S, Limits, close_client, new_client
from shared.bus.quiet import quiet_client
from shared.bus.watch import Watch
from shared.runtime.metrics import counter, gauge, histogram

__all__ = ["Batch", "ConsumerLoop", "Limits", "Record", "SeekTo"]

log = structlog.get_logger()

POLL_MS: Final = 250
POLL_GRACE_S: Final = 30.0
FRESH_MS: Final = 5
"""How long what came during the last batch is waited for: a fetch takes two, and five when all are busy."""
START_S: Final = 30.0
ASK_EVERY_S: Final = 5.0
FAILING_S: Final = 15.0

_records = counter("consumed_records", "Records whose effects are committed.", ("group", "topic"))
_batches = counter("consumed_batches", "Batches by what became of them.", ("group", "outcome"))
_seconds = histogram("consumed_batch_seconds", "Time to handle a batch.", ("group",))
_partitions = gauge("consumer_partitions", "Partitions this process owns.", ("group",))

Handle = Callable[[Batch], Awaitable[None]]
Progress = Callable[[list[Partition]], Awaitable[Mapping[Partition, int]]]  # one never seen is absent


class SeekTo(Exception):  # noqa: N818 - an instruction
    """Raised by `handle`: nothing was done, go on from these offsets (by topic and partition)."""

    def __init__(self, offsets: Mapping[Partition, int]) -> None:
        self.offsets = dict(offsets)


class ConsumerLoop:
    """One consumer of a group. `run` it as a background task; cancel it to stop."""

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topics: Sequence[str],
        handle: Handle,
        *,
        max_records: int = MAX_RECORDS,
        max_bytes: int = MAX_BYTES,
        limits: Limits | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._group = group
        self._topics = tuple(topics)
        self._handle = handle
        self._limits = limits or Limits(max_records=max_records, max_bytes=max_bytes)
        self._progress = progress
        self._ask_at = 0.0
        self._floors: dict[Partition, int] = {}
        self._failures = 0
        self._failing: tuple[float, str] | None = None
        self._commits = Commits(group)
        self._watch = Watch(bootstrap, group, self._topics, self._limits.stall_s)

    @property
    def stalled(self) -> bool:
        """Records wait and nothing moves, although nothing is being handled; or we are out of the group."""
        return self._watch.stalled

    @property
    def failing(self) -> str | None:
        """Why batches have failed for FAILING_S and longer; None when the last one was handled."""
        since, why = self._failing or (math.inf, "")
        lasts = asyncio.get_running_loop().time() - since > FAILING_S
        return f"every batch fails: {why}" if lasts else None

    @property
    def lag(self) -> int:
        """Records of our partitions that wait, as last looked at."""
        return self._watch.lag

    async def run(self) -> None:
        """Until cancelled. Raises ConsumerLost when only a new process can go on."""
        quiet_client()
        consumer = await self._start()
        watching = asyncio.get_running_loop().create_task(self._watch.run(consumer))
        try:
            while not self._watch.stalled:
                await self._turn(consumer)
            raise ConsumerStalled(self._watch.why)
        finally:
            watching.cancel()
            await asyncio.wait({watching}, timeout=STOP_S)
            await close_client(consumer)

    async def _start(self) -> AIOKafkaConsumer:
        """The client's own `start` gives up at the first refusal, so it is repeated."""
        pause_s, warned = self._limits.backoff_min_s, False
        while True:
            consumer = self._client()
            try:
                async with asyncio.timeout(START_S):
                    await consumer.start()
                return consumer
            except (KafkaError, OSError, TimeoutError) as error:
                await close_client(consumer)
                if not warned:
                    log.warning("the bus is away, trying on", group=self._group, why=_why(error))
                    warned = True
            except BaseException:
                await close_client(consumer)
                raise
            pause_s = min(self._limits.backoff_max_s, pause_s * 2)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def _client(self) -> AIOKafkaConsumer:
        return new_client(self._bootstrap, self._group, self._topics, self._limits)

    async def _turn(self, consumer: AIOKafkaConsumer) -> None:
        records = await self._poll(consumer)
        _partitions.labels(self._group).set(len(consumer.assignment()))
        waiting = cut(records, self._limits.max_bytes)
        while waiting:
            batch = self._still_ours(consumer, waiting.pop(0))
            if not batch.records:
                continue
            placed = await self._process(consumer, batch)
            if placed is not None:
                await self._commits.commit(consumer, at_once=True)
                _step_back(consumer, chain(batch.records, *waiting), placed)
                return
        await self._commits.commit(consumer, at_once=not records)
        await self._ask(consumer)

    async def _poll(self, consumer: AIOKafkaConsumer) -> list[Record]:
        """What was fetched ahead was fetched when the last batch began, for the client asks a broker no more
        before all of it is taken: so take it, and what came since, else that waits for one more batch."""
        ahead = await self._fetched(consumer, 0, self._limits.max_records)
        room = self._limits.max_records - len(ahead)
        if room <= 0 or sum(record.size for record in ahead) >= self._limits.max_bytes:
            return ahead
        return ahead + await self._fetched(consumer, FRESH_MS if ahead else POLL_MS, room)

    async def _fetched(self, consumer: AIOKafkaConsumer, wait_ms: int, most: int) -> list[Record]:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(wait_ms / 1000 + POLL_GRACE_S) as limit:
                found = await consumer.getmany(timeout_ms=wait_ms, max_records=most)
                return [record_of(message) for messages in found.values() for message in messages]
        except Exception as error:  # f: what the client raises here, it raises at every poll
            if not limit.expired():
                raise ConsumerLost(f"the client is broken: {_why(error)}") from error
        # While it joins its group a poll waits. That lasts as long as the brokers are away, and is no
        # reason to leave; when they answer others and not us, it is.
        if self._watch.answered_at > began:
            raise ConsumerLost("the client hangs although the brokers answer")
        return []

    def _still_ours(self, consumer: AIOKafkaConsumer, records: list[Record]) -> Batch:
        ours = consumer.assignment()
        kept = [r for r in records if TopicPartition(r.topic, r.partition) in ours]
        return Batch(tuple(kept), dict(self._floors))

    async def _process(self, consumer: AIOKafkaConsumer, batch: Batch) -> set[Partition] | None:
        """None when the batch is behind us. Else the consumer has to step back, apart from these
        partitions, which were placed already."""
        started = asyncio.get_running_loop().time()
        with self._watch.handling():
            try:
                async with asyncio.timeout(self._limits.handle_s):
                    await self._handle(batch)
            except SeekTo as wanted:  # b
                self._count("sought")
                return await self._seek(consumer, wanted)
            except Exception as error:  # noqa: BLE001 - a: the loop is the handler's supervisor
                self._count("failed")
                await self._back_off(error)
                return set()
        self._failures, self._failing = 0, None
        _seconds.labels(self._group).observe(asyncio.get_running_loop().time() - started)
        self._watch.moved(batch.next_offsets)
        self._commits.handled(batch.next_offsets)
        self._count("handled")
        for topic, count in batch.count_by_topic().items():
            _records.labels(self._group, topic).inc(count)
        return None

    async def _back_off(self, error: Exception) -> None:
        """The pause stays far below MAX_POLL_S: polling never stops for long enough to be expelled."""
        self._failures += 1
        self._failing = (self._failing or (asyncio.get_running_loop().time(),))[0], type(error).__name__
        longest = min(self._limits.backoff_max_s, self._limits.backoff_min_s * 2 ** min(self._failures, 20))
        pause_s = longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        log.warning(
            "batch failed, will be repeated",
            group=self._group,
            failures=self._failures,
            pause_s=round(pause_s, 2),
            exc_info=error,
        )
        await asyncio.sleep(pause_s)

    async def _seek(self, consumer: AIOKafkaConsumer, wanted: SeekTo) -> set[Partition]:
        """The partitions placed. Never before the log's beginning, and the batches that follow say where
        that is: what is older was deleted by retention, and asking again would go round in circles."""
        ours = consumer.assignment()
        targets = {TopicPartition(*p): offset for p, offset in wanted.offsets.items()}
        targets = {partition: offset for partition, offset in targets.items() if partition in ours}
        try:
            async with asyncio.timeout(COMMIT_S):
                beginnings = await consumer.beginning_offsets(list(targets))
        except (KafkaError, OSError, TimeoutError) as error:
            await self._back_off(error)
            return set()
        for partition, beginning in beginnings.items():
            self._floors[(partition.topic, partition.partition)] = beginning
            if beginning > targets[partition]:
                log.error("records lost to retention", topic=partition.topic, partition=partition.partition)
            _seek(consumer, partition, max(beginning, targets[partition]))
        return {(partition.topic, partition.partition) for partition in beginnings}

    async def _ask(self, consumer: AIOKafkaConsumer) -> None:
        """g: everything polled is handled here, so the database stands where we do, or it was set back."""
        now = asyncio.get_running_loop().time()
        if self._progress is None or now < self._ask_at:
            return
        self._ask_at = now + ASK_EVERY_S
        ours = consumer.assignment()
        try:
            async with asyncio.timeout(COMMIT_S):
                known = await self._progress([(p.topic, p.partition) for p in ours])
                stand = {(p.topic, p.partition): await consumer.position(p) for p in ours}
        except Exception as error:  # noqa: BLE001 - the next batch or the next question meets it again
            log.warning("cannot ask the database where it is", group=self._group, why=_why(error))
            return
        done = {p: max(known.get(p, 0), self._floors.get(p, 0)) for p in stand}
        behind = {p: offset for p, offset in done.items() if offset < stand[p]}
        if behind:
            log.warning("the database was set back, reading again", group=self._group, count=len(behind))
            self._count("sought")
            await self._seek(consumer, SeekTo(behind))

    def _count(self, outcome: str) -> None:
        _batches.labels(self._group, outcome).inc()


def _step_back(consumer: AIOKafkaConsumer, records: Iterable[Record], placed: set[Partition]) -> None:
    """To the first of `records` in each partition that is not yet `placed`."""
    first: dict[Partition, int] = {}
    for record in records:
        first.setdefault((record.topic, record.partition), record.offset)
    for partition, offset in first.items():
        if partition not in placed:
            _seek(consumer, TopicPartition(*partition), offset)


def _seek(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> None:
    try:
        consumer.seek(partition, offset)
    except IllegalStateError:
        log.info("partition lost meanwhile", topic=partition.topic, partition=partition.partition)


def _why(error: BaseException) -> str:
    return str(error) or type(error).__name__
