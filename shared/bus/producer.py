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
from contextlib import suppress
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from shared.bus.client import Life, open_life
from shared.bus.errors import BusUnavailable, RecordTooLarge
from shared.bus.lanes import Headers, Message, Parcel
from shared.bus.quiet import quiet_client
from shared.bus.topics import MAX_REQUEST_BYTES
from shared.runtime.deadline import Deadline
from shared.runtime.metrics import counter, gauge

__all__ = ["CAP", "DEADLINE_S", "Headers", "Message", "Producer", "Result"]

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

Result = BusUnavailable | RecordTooLarge | None


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
        _in_flight.set_function(self._count_in_flight)

    @property
    def healthy(self) -> bool:
        """True while sends are expected to succeed."""
        return self._life is not None and not self._life.probing

    def _count_in_flight(self) -> float:
        return self._life.in_flight if self._life is not None else 0

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
        (failed,) = await self.send_many([Message(topic, key, value, headers)], deadline_s)
        if failed is not None:
            raise failed

    async def send_many(self, messages: Sequence[Message], deadline_s: float = DEADLINE_S) -> list[Result]:
        """Sends in order; the results have the order of `messages`. Never raises for a record."""
        call = _Call()
        rest = BusUnavailable("no answer in time")
        try:
            with Deadline(deadline_s) as deadline:
                rest = await self._hand_over(messages, call, deadline) or rest
                await call.ended()
        except TimeoutError:
            pass  # of which there is no answer yet is unavailable
        results = [_result(one) for one in call.handed]
        results += [rest] * (len(messages) - len(results))
        _count(results)
        return results

    async def _hand_over(
        self, messages: Sequence[Message], call: _Call, deadline: Deadline
    ) -> BusUnavailable | None:
        """One after the other; why the rest was not handed over, to keep the order within a key."""
        for message in messages:
            if _size(message) > MAX_REQUEST_BYTES:
                call.handed.append(RecordTooLarge(f"more than the {MAX_REQUEST_BYTES} bytes of the bus"))
                continue
            life = self._life
            if life is None or (life.probing and life.busy):
                return BusUnavailable("the bus is away")
            try:
                parcel = await life.enqueue(message, deadline, call.one_ended)
            except (KafkaError, OSError, BusUnavailable) as error:
                return _as_bus_error(error)
            self._topics.add(message.topic)
            call.enter(parcel)
            if life.probing:
                await call.ended()
                if isinstance(refused := _result(parcel), BusUnavailable):
                    return refused
        return None

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
            log.warning("producer given up, opening another", why=why, waiting=life.in_flight)
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
            with suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    await life.idle()
            flush_s = 0.0 if life.in_flight else 1.0
            life.abandon("closing")
            await life.close(flush_s)


class _Call:
    """The records of one call: all are waited for by one future and under one deadline. Who leaves early,
    leaves the records alone."""

    __slots__ = ("_all_ended", "_waiting", "handed")

    def __init__(self) -> None:
        self.handed: list[Parcel | RecordTooLarge] = []
        self._waiting = 0
        self._all_ended: asyncio.Future[None] | None = None

    def enter(self, parcel: Parcel) -> None:
        self.handed.append(parcel)
        self._waiting += 1

    def one_ended(self) -> None:
        self._waiting -= 1
        if not self._waiting and self._all_ended is not None and not self._all_ended.done():
            self._all_ended.set_result(None)

    async def ended(self) -> None:
        if self._waiting:
            self._all_ended = asyncio.get_running_loop().create_future()
            await self._all_ended


def _size(message: Message) -> int:
    return OVERHEAD + len(message.key) + len(message.value) + sum(len(k) + len(v) for k, v in message.headers)


def _result(handed: Parcel | RecordTooLarge) -> Result:
    if isinstance(handed, RecordTooLarge):
        return handed
    if not handed.ended:
        return BusUnavailable("no answer in time")
    return None if handed.error is None else _as_bus_error(handed.error)


def _count(results: Sequence[Result]) -> None:
    """A record that is too large is the sender's affair, not an outcome of the bus."""
    acknowledged = results.count(None)
    _ok.inc(acknowledged)
    if acknowledged < len(results):
        _failed.inc(sum(isinstance(one, BusUnavailable) for one in results))


def _as_bus_error(error: BaseException) -> BusUnavailable:
    if isinstance(error, BusUnavailable):
        return error
    return BusUnavailable("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
