"""Sends records; a None or a return means the bus has them for good (`acks=all`).

Invariants:
 1. at most `cap` records are in the client at any time;
 2. no call outlives its deadline;
 3. while the bus is known to be away calls fail at once, and one record at a time tries it again;
 4. a client that can no longer send is replaced, whatever the reason.
What failed may still arrive: whoever sends again relies on event ids for effects to happen once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import structlog
from aiokafka.errors import KafkaError

from shared.bus.client import Life, open_life
from shared.bus.errors import BusUnavailable, RecordTooLarge, SendFault, classify_send
from shared.bus.quiet import quiet_client
from shared.bus.topics import MAX_REQUEST_BYTES
from shared.runtime.metrics import counter, gauge

log = structlog.get_logger()

CAP: Final = 256
DEADLINE_S: Final = 5.0
RETRY_MIN_S: Final = 0.2
RETRY_MAX_S: Final = 2.0
OVERHEAD: Final = 512
"""Bytes of a record beside key, value and headers, generously."""

_sent = counter("bus_sends", "Records by what became of them.", ("outcome",))
_ok, _failed = _sent.labels("acknowledged"), _sent.labels("unavailable")
_rebuilt = counter("bus_rebuilds", "Clients given up, by reason.", ("reason",))
_in_flight = gauge("bus_in_flight", "Records handed to the client that the broker has not answered.")

Headers = Sequence[tuple[str, bytes]]
Result = BusUnavailable | RecordTooLarge | None


class Message(msgspec.Struct, frozen=True):
    """One record to send."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()


class Producer:
    """One per process. `start`, then `send` from any number of tasks, then `aclose`."""

    def __init__(self, bootstrap: str, client_id: str, cap: int = CAP) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._cap = cap
        self._life: Life | None = None
        self._topics: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()

    @property
    def healthy(self) -> bool:
        """True while sends are expected to succeed."""
        return self._life is not None and not self._life.probing

    async def start(self, wait_s: float = 10.0) -> bool:
        """Begins to connect and waits for it, `wait_s` at most. False: not yet; it goes on trying."""
        quiet_client()
        self._task = asyncio.get_running_loop().create_task(self._keep_connected(), name="bus-producer")
        try:
            async with asyncio.timeout(wait_s):
                await self._connected.wait()
        except TimeoutError:
            return False
        return True

    async def send(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        headers: Headers = (),
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Returns when all in-sync replicas have it. Raises BusUnavailable (it may still arrive) at the
        deadline or before, RecordTooLarge for good."""
        ends = asyncio.get_running_loop().time() + deadline_s
        await self._settle(await self._enqueue(Message(topic, key, value, headers), ends), ends)

    async def send_many(self, messages: Sequence[Message], deadline_s: float = DEADLINE_S) -> list[Result]:
        """Sends in order; the results have the order of `messages`. Never raises for a record."""
        ends = asyncio.get_running_loop().time() + deadline_s
        results: list[Result] = [None] * len(messages)
        waiting: list[tuple[int, asyncio.Future[Any]]] = []
        for position, message in enumerate(messages):
            try:
                future = await self._enqueue(message, ends)
                if self._life is not None and self._life.probing:
                    await self._settle(future, ends)
                else:
                    waiting.append((position, future))
            except RecordTooLarge as error:
                results[position] = error
            except BusUnavailable as error:
                # Order within a key: what comes after a record that could not be handed over waits, too.
                results[position:] = [error] * (len(messages) - position)
                break
        for position, future in waiting:
            try:
                await self._settle(future, ends)
            except (BusUnavailable, RecordTooLarge) as error:
                results[position] = error
        return results

    async def _enqueue(self, message: Message, ends: float) -> asyncio.Future[Any]:
        size = len(message.key) + len(message.value) + sum(len(k) + len(v) for k, v in message.headers)
        if size + OVERHEAD > MAX_REQUEST_BYTES:
            raise RecordTooLarge(f"{size} bytes, the bus takes {MAX_REQUEST_BYTES - OVERHEAD}")
        life = self._life
        if life is None or (life.probing and life.busy):
            _failed.inc()
            raise BusUnavailable("the bus is away")
        try:
            future = await life.enqueue(
                message.topic, message.key, message.value, list(message.headers), ends
            )
        except (KafkaError, TimeoutError, OSError, BusUnavailable) as error:
            raise _as_bus_error(error, seen_by_broker=False) from None
        self._topics.add(message.topic)
        _in_flight.inc()
        future.add_done_callback(_leave)
        return future

    async def _settle(self, future: asyncio.Future[Any], ends: float) -> None:
        try:
            async with asyncio.timeout_at(ends):
                await asyncio.shield(future)
        except (KafkaError, TimeoutError, OSError, BusUnavailable) as error:
            raise _as_bus_error(error, seen_by_broker=True) from None
        _ok.inc()

    async def _keep_connected(self) -> None:
        """One life after the other, until cancelled."""
        probing = False
        while True:
            life = await self._open(probing)
            self._life = life
            self._connected.set()
            try:
                why = await life.until_broken()
            finally:
                self._life = None
            log.warning("producer given up, opening another", why=why, waiting=len(life.pending))
            _rebuilt.labels(why).inc()
            life.abandon(why)
            await life.close(0)
            probing = True

    async def _open(self, probing: bool) -> Life:
        pause_s, warned = RETRY_MIN_S, False
        while True:
            try:
                return await open_life(self._bootstrap, self._client_id, self._topics, self._cap, probing)
            except (KafkaError, OSError, TimeoutError) as error:
                if not warned:
                    log.warning("the bus is away, trying on", why=str(error) or type(error).__name__)
                    warned = True
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
            pause_s = min(RETRY_MAX_S, pause_s * 2)

    async def aclose(self, deadline_s: float = 5.0) -> None:
        """Lets what is in flight arrive, `deadline_s` at most, then ends everything."""
        life, self._life = self._life, None
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=deadline_s)
        if life is not None:
            if life.pending:
                await asyncio.wait(set(life.pending), timeout=deadline_s)
            flush_s = 0.0 if life.pending else 1.0
            life.abandon("closing")
            await life.close(flush_s)


def _leave(_: asyncio.Future[Any]) -> None:
    _in_flight.dec()


def _as_bus_error(error: Exception, *, seen_by_broker: bool) -> BusUnavailable | RecordTooLarge:
    if isinstance(error, BusUnavailable):
        _failed.inc()
        return error
    if classify_send(error, seen_by_broker) is SendFault.too_large:
        return RecordTooLarge(str(error))
    _failed.inc()
    return BusUnavailable("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
