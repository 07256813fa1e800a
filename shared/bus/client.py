"""One life of the client that sends: opened, watched, given up.

The library's idempotent producer cannot recover by itself from several faults (see `errors.POISONED`), spins
while a leader is missing, and its `stop` waits for a broker that is gone. So a life is short and cheap: it
is abandoned at the first such sign, and `shared.bus.producer` opens the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.bus.errors import BusUnavailable, SendFault, classify_send
from shared.bus.lanes import Lane, Message, Parcel, partition_of
from shared.bus.topics import MAX_REQUEST_BYTES
from shared.runtime.deadline import Deadline

START_S: Final = 10.0
CLOSE_S: Final = 1.0
REQUEST_TIMEOUT_S: Final = 10.0
BATCH_BYTES: Final = 1024 * 1024
"""All that waits for a partition goes at once: fewer and larger writes under load."""
STALL_S: Final = 3.0
"""Sends wait and none has succeeded for so long: the bus is away. Beyond a leader change on the spot, below
the patience of a caller."""
WATCH_EVERY_S: Final = 0.25


class Life:
    """A started client with its slots, one per record. A slot is freed when the client's future ends, not
    when a waiter gives up: what missed its deadline still occupies the client."""

    def __init__(self, client: AIOKafkaProducer, cap: int, probing: bool) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(cap)
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._sending: dict[asyncio.Task[None], Parcel] = {}
        self.in_flight = 0
        """Records that the client has not ended yet, or that are gathered for it."""
        self._entering: set[Deadline] = set()
        self.probing = probing
        """True until the first success after an outage: one send at a time, all others fail fast."""
        self.over: BusUnavailable | None = None
        self._broken = asyncio.Event()
        self._why = ""
        self._moved = self._loop.time()
        self._idle: asyncio.Future[None] | None = None

    @property
    def busy(self) -> bool:
        """Something is in the client, or on its way into it."""
        return bool(self.in_flight or self._entering)

    async def enqueue(self, message: Message, deadline: Deadline, tell: Callable[[], None]) -> Parcel:
        """Hands a record over, within the caller's `deadline`. The parcel ends with the broker's answer, and
        `tell` is called then.

        Raises KafkaError, OSError, BusUnavailable, or whatever the deadline does: nothing was handed over.
        """
        if not self.busy:
            self._moved = self._loop.time()
        self._entering.add(deadline)
        try:
            await self._slots.acquire()
            try:
                parcel = await self._hand_over(message, tell)
            except BaseException as error:
                self._slots.release()
                self._judge(error, seen_by_broker=False)
                raise
        finally:
            self._entering.discard(deadline)
        self.in_flight += 1
        return parcel

    async def _hand_over(self, message: Message, tell: Callable[[], None]) -> Parcel:
        partitions = await self._client.partitions_for(message.topic)
        if self.over is not None:
            raise self.over
        place = message.topic, partition_of(message.key, len(partitions))
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = Lane(self._client.create_batch, partial(self._start, place))
        return lane.put(message, tell)

    def _start(self, place: tuple[str, int], parcel: Parcel) -> None:
        task = self._loop.create_task(self._deliver(place, parcel))
        self._sending[task] = parcel

        def ended(task: asyncio.Task[None]) -> None:
            del self._sending[task]
            if self.over is None:
                self._lanes[place].free()

        task.add_done_callback(ended)

    async def _deliver(self, place: tuple[str, int], parcel: Parcel) -> None:
        topic, partition = place
        error: BaseException | None = BusUnavailable("given up")
        seen_by_broker = False
        try:
            answer = await self._client.send_batch(parcel.sealed(), topic, partition=partition)
            seen_by_broker = True
            await asyncio.wait({answer})
            error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        except (KafkaError, OSError) as refusal:
            error = refusal
        finally:
            self._ended(parcel, error, seen_by_broker)

    def _ended(self, parcel: Parcel, error: BaseException | None, seen_by_broker: bool) -> None:
        self.in_flight -= parcel.records
        for _ in range(parcel.records):
            self._slots.release()
        if error is None:
            self._moved = self._loop.time()
            self.probing = False
        else:
            self._judge(error, seen_by_broker)
        parcel.end(error)
        if self._idle is not None and not self.in_flight and not self._idle.done():
            self._idle.set_result(None)

    def _judge(self, error: BaseException, seen_by_broker: bool) -> None:
        judged = isinstance(error, KafkaError) or seen_by_broker
        if judged and self.over is None and classify_send(error, seen_by_broker) is SendFault.poisoned:
            self._break(type(error).__name__)

    def _break(self, why: str) -> None:
        self._why = self._why or why
        self._broken.set()

    async def until_broken(self) -> str:
        """Returns why this life is over."""
        while not self._broken.is_set():
            if self.busy and self._loop.time() - self._moved > STALL_S:
                return "stalled"
            try:
                async with asyncio.timeout(WATCH_EVERY_S):
                    await self._broken.wait()
            except TimeoutError:
                continue
        return self._why

    def abandon(self, why: str) -> None:
        """Fails what waits, at once. It may still have arrived."""
        self.over = BusUnavailable(f"the bus is away ({why})")
        for lane in self._lanes.values():
            for parcel in lane.clear():
                self.in_flight -= parcel.records
                parcel.end(self.over)
        for parcel in list(self._sending.values()):
            parcel.end(self.over)
        for entering in self._entering:
            entering.expire()  # wakes those who wait for a slot, or within the client

    async def idle(self) -> None:
        """Returns once all that was handed over has ended."""
        if self.in_flight:
            self._idle = self._loop.create_future()
            await self._idle

    async def close(self, flush_s: float) -> None:
        """Ends the client within `flush_s` and CLOSE_S, whatever the broker does."""
        await close_client(self._client, flush_s)


async def open_life(bootstrap: str, client_id: str, topics: set[str], cap: int, probing: bool) -> Life:
    """One attempt. Raises KafkaError, OSError or TimeoutError."""
    client = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,  # records are gathered before they are handed over
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=int(REQUEST_TIMEOUT_S * 1000),
        metadata_max_age_ms=30_000,
    )
    try:
        async with asyncio.timeout(START_S):
            await client.start()
            for topic in topics:
                await _check_leaders(client, topic)
    except BaseException:
        await close_client(client, 0)
        raise
    return Life(client, cap, probing)


async def _check_leaders(client: AIOKafkaProducer, topic: str) -> None:
    """A partition without a leader makes the client spin, so it is not opened until all have one."""
    partitions = await client.partitions_for(topic)
    cluster = client.client.cluster
    leaders = [cluster.leader_for_partition(TopicPartition(topic, partition)) for partition in partitions]
    if any(leader in (None, -1) for leader in leaders):
        raise KafkaError(f"a partition of {topic} has no leader")


async def close_client(client: AIOKafkaProducer, flush_s: float) -> None:
    """`stop` flushes for ever while the broker is away; so after `flush_s` what waits is failed, the
    connections are closed under the sender, and only then the sender is ended."""
    stopping = asyncio.ensure_future(client.stop())
    if flush_s > 0:
        await asyncio.wait({stopping}, timeout=flush_s)
    if not stopping.done():
        await asyncio.sleep(0)  # lets `stop` begin, which marks the client as closed
        sender = client._sender.sender_task
        if sender is not None:
            sender.cancel()
        _fail_batches(client)
        closing = asyncio.ensure_future(client.client.close())
        await asyncio.wait({stopping, closing}, timeout=CLOSE_S)
        for task in (closing, stopping):
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=CLOSE_S)
    if not stopping.cancelled() and stopping.done():
        stopping.exception()  # whatever it is, the client is gone


class _Forgiving(set[Any]):
    """The library removes a batch that failed while it waited for its retry twice."""

    remove = set.discard


def _fail_batches(client: AIOKafkaProducer) -> None:
    """So that nothing waits for them; their exceptions count as seen."""
    accumulator = client._message_accumulator
    accumulator._pending_batches = _Forgiving(accumulator._pending_batches)
    accumulator.fail_all(BusUnavailable("closed"))
    for batch in (*chain.from_iterable(accumulator._batches.values()), *accumulator._pending_batches):
        if batch._drain_waiter.done() and not batch._drain_waiter.cancelled():
            batch._drain_waiter.exception()
