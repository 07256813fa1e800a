"""One life of the client that sends: opened, watched, given up.

The library's idempotent producer cannot recover by itself from several faults (see `errors.POISONED`), spins
while a leader is missing, and its `stop` waits for a broker that is gone. So a life is short and cheap: it
is abandoned at the first such sign, and `shared.bus.producer` opens the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import chain
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared.bus.errors import BusUnavailable, SendFault, classify_send
from shared.bus.topics import MAX_REQUEST_BYTES

START_S: Final = 10.0
CLOSE_S: Final = 1.0
REQUEST_TIMEOUT_S: Final = 10.0
LINGER_MS: Final = 2
BATCH_BYTES: Final = 1024 * 1024
"""The library slows down with the square of the sends that wait for a full batch: at 256 in flight 1 MiB
batches carry twice the records per second of the default 16 KiB, at half the p99."""
STALL_S: Final = 3.0
"""Sends wait and none has succeeded for so long: the bus is away. Beyond a leader change on the spot, below
the patience of a caller."""
WATCH_EVERY_S: Final = 0.25


class Life:
    """A started client with its slots. A slot is freed when the client's future ends, not when a waiter
    gives up: what missed its deadline still occupies the client."""

    def __init__(self, client: AIOKafkaProducer, cap: int, probing: bool) -> None:
        self._client = client
        self._loop = asyncio.get_running_loop()
        self.slots = asyncio.Semaphore(cap)
        self.pending: dict[asyncio.Future[Any], Callable[[], None]] = {}
        """What the client has not ended yet, and whom to tell when it does."""
        self._entering: set[asyncio.Timeout] = set()
        self.probing = probing
        """True until the first success after an outage: one send at a time, all others fail fast."""
        self.over: BusUnavailable | None = None
        self._broken = asyncio.Event()
        self._why = ""
        self._moved = self._loop.time()

    @property
    def busy(self) -> bool:
        """Something is in the client, or on its way into it."""
        return bool(self.pending or self._entering)

    async def enqueue(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        headers: list[tuple[str, bytes]],
        deadline: asyncio.Timeout,
        ended: Callable[[], None],
    ) -> asyncio.Future[Any]:
        """Hands a record over, within the caller's `deadline`; the future ends with the broker's answer, and
        `ended` is called then.

        Raises KafkaError, OSError, BusUnavailable, or whatever the deadline does: nothing was handed over.
        """
        if not self.busy:
            self._moved = self._loop.time()
        self._entering.add(deadline)
        try:
            future = await self._hand_over(topic, key, value, headers)
        finally:
            self._entering.discard(deadline)
        self.pending[future] = ended
        future.add_done_callback(self._done)
        return future

    async def _hand_over(
        self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]
    ) -> asyncio.Future[Any]:
        await self.slots.acquire()
        try:
            if self.over is not None:
                raise self.over
            future: asyncio.Future[Any] = await self._client.send(topic, value, key, headers=headers)
        except BaseException as error:
            self.slots.release()
            if isinstance(error, KafkaError) and classify_send(error, False) is SendFault.poisoned:
                self._break(type(error).__name__)
            raise
        return future

    def _done(self, future: asyncio.Future[Any]) -> None:
        ended = self.pending.pop(future)
        self.slots.release()
        error = None if future.cancelled() else future.exception()
        if error is None:
            self._moved = self._loop.time()
            self.probing = False
        elif self.over is None and classify_send(error) is SendFault.poisoned:
            self._break(type(error).__name__)
        ended()

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
        for future in list(self.pending):
            if not future.done():
                future.set_exception(BusUnavailable(*self.over.args))
        for entering in self._entering:
            entering.reschedule(self._loop.time())  # wakes those who wait for a slot, or within the client

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
        linger_ms=LINGER_MS,
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
