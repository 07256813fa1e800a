"""Sends what is due, outside of any transaction: claim, try, write down what became of it.

A receiver that hangs holds its own few slots and nobody else's (`domain.lanes`). A dispatcher that dies
leaves leases that run out: what it had sent may be sent again, under the same id.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts import metrics
from services.alerts.concluding import Concluder
from services.alerts.domain.lanes import Lanes
from services.alerts.domain.retry import Outcome, Result, after
from services.alerts.sending.receivers import Receivers
from services.alerts.store import deliveries, setup
from services.alerts.store.deliveries import BEGIN_WITHIN_S, DIRECT, Claimed, Conclusion
from services.alerts.store.setup import Endpoint
from shared.db.engine import driver
from shared.runtime.errors import is_unavailable
from shared.runtime.secrets import SecretBox, SecretError

log = structlog.get_logger()

POLL_S: Final = 0.5
TURN_S: Final = 0.005
"""Least time between two looks at what is due: what ends in it is looked after together."""
RETRY_S: Final = 2.0
DRAIN_S: Final = 3.0
WHOLE: Final = 512
"""Deliveries under way in one process: sockets, of which a process often has 1,024."""
FRESH_S: Final = 0.25
"""What was read of an endpoint is looked up anew after this time."""


class _Known(NamedTuple):
    endpoint: Endpoint
    read_at: float


class Dispatcher:
    """One per process; replicas share the work by leases."""

    def __init__(self, engine: AsyncEngine, box: SecretBox, receivers: Receivers, per_lane: int) -> None:
        self._engine = engine
        self._box = box
        self._receivers = receivers
        self._lanes = Lanes(per_lane, WHOLE)
        self._queues: defaultdict[str, deque[tuple[Claimed, float]]] = defaultdict(deque)
        self._workers: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._known: dict[str, _Known] = {}
        self._concluder = Concluder(engine, self._concluded)
        self._woken = asyncio.Event()
        self._clock = datetime.now(UTC), time.monotonic()

    def wake(self) -> None:
        """After a commit that added deliveries."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; survives the loss of the database."""
        writing = asyncio.get_running_loop().create_task(self._concluder.run())
        try:
            while True:
                try:
                    await self._turn(writing)
                except Exception as error:
                    if not is_unavailable(error):
                        raise
                    log.warning("dispatcher waits for the database", exc_info=error)
                    await asyncio.sleep(RETRY_S)
        finally:
            await self._drain(writing)

    async def _turn(self, writing: asyncio.Task[None]) -> None:
        self._woken.clear()
        if writing.done():
            writing.result()
        self._give_back()
        claimed: Sequence[Claimed] = ()
        if free := self._lanes.free():
            async with driver(self._engine) as connection:
                claimed = await deliveries.claim(
                    connection, self._lanes.room(), free, self._receivers.timeout_s
                )
                if claimed:
                    now = await connection.fetchval("SELECT clock_timestamp()")
                    self._clock = now, time.monotonic()
        for delivery in claimed:
            self._lanes.began(delivery.lane)
            self._queues[delivery.lane].append((delivery, time.monotonic()))
        for lane in {delivery.lane for delivery in claimed}:
            self._employ(lane)
        metrics.in_flight.set(self._lanes.under_way)
        await asyncio.sleep(TURN_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_S - TURN_S):
                await self._woken.wait()

    def _now(self) -> datetime:
        """By PostgreSQL's clock: receivers look at when a delivery was signed, and ours may be wrong."""
        now, read_at = self._clock
        return now + timedelta(seconds=time.monotonic() - read_at)

    def _give_back(self) -> None:
        """What was not begun in time: its lane hangs, and holds places that others need."""
        late = time.monotonic() - BEGIN_WITHIN_S
        for queue in self._queues.values():
            while queue and queue[0][1] < late:
                claimed, _ = queue.popleft()
                self._concluder.add(Conclusion(claimed, None, None, self._now(), None))

    def _employ(self, lane: str) -> None:
        """As many workers as the lane has slots and deliveries."""
        workers = self._workers[lane]
        for _ in range(min(self._lanes.slots - len(workers), len(self._queues[lane]))):
            workers.add(asyncio.get_running_loop().create_task(self._work(lane)))

    async def _work(self, lane: str) -> None:
        """Takes from the lane's queue until it is empty."""
        queue = self._queues[lane]
        try:
            while queue:
                await self._deliver(queue.popleft()[0])
        finally:
            self._left(lane)

    def _left(self, lane: str) -> None:
        workers = self._workers[lane]
        task = asyncio.current_task()
        assert task is not None
        workers.discard(task)
        if not workers and not self._queues[lane]:
            del self._workers[lane], self._queues[lane]
            self._known.pop(lane, None)

    async def _deliver(self, claimed: Claimed) -> None:
        """One attempt. Supervisor of it: whatever goes wrong is an outcome, or the lease runs out."""
        at, begun, kind = self._now(), time.monotonic(), DIRECT
        try:
            endpoint = await self._endpoint(claimed)
            kind = endpoint.kind if isinstance(endpoint, Endpoint) else DIRECT
            begun = time.monotonic()
            result = await self._result(claimed, endpoint, at)
        except Exception as error:
            if is_unavailable(error):
                log.warning("delivery waits for the database", delivery=claimed.id, exc_info=error)
                self._ended(claimed.lane, None)  # its lease runs out
                return
            log.error("an attempt broke", delivery=claimed.id, exc_info=error)
            result = Result(Outcome.FAILED, detail=f"the attempt broke ({type(error).__name__})")
        took = time.monotonic() - begun
        metrics.attempt_seconds.labels(kind).observe(took)
        metrics.attempts.labels(kind, result.outcome.value).inc()
        following = after(result, claimed.step + 1, random.random())  # noqa: S311 - jitter
        if following.state == "dead":
            log.warning("delivery given up", delivery=claimed.id, endpoint=claimed.lane, why=result.outcome)
        if following.disable:
            self._forget(claimed.lane)
        self._concluder.add(Conclusion(claimed, result, following, at, took))

    def _forget(self, lane: str) -> None:
        """The receiver wants nothing any more: what waits here is cancelled with the rest of its lane."""
        self._known.pop(lane, None)
        queue = self._queues[lane]
        while queue:
            queue.popleft()
            self._ended(lane, None)

    def _concluded(self, conclusion: Conclusion) -> None:
        self._ended(conclusion.claimed.lane, conclusion.took_s)

    def _ended(self, lane: str, took_s: float | None) -> None:
        self._lanes.ended(lane, took_s)
        if self._lanes.wants(lane):
            self.wake()

    async def _endpoint(self, claimed: Claimed) -> Endpoint | Result | None:
        """Whom to send to; None for mail to one person; a result where it cannot be sent."""
        if claimed.lane == DIRECT:
            return None
        known, now = self._known.get(claimed.lane), time.monotonic()
        if known is not None and now - known.read_at < FRESH_S:
            return known.endpoint
        if known is not None:
            self._known[claimed.lane] = known._replace(read_at=now)  # one of its workers asks for all
        found = await self._read(claimed.lane)
        if isinstance(found, Endpoint):
            self._known[claimed.lane] = _Known(found, time.monotonic())
        else:
            self._known.pop(claimed.lane, None)
        return found

    async def _read(self, lane: str) -> Endpoint | Result:
        try:
            async with driver(self._engine) as connection:
                endpoint = await setup.endpoint(connection, lane, self._box)
        except SecretError:
            return Result(Outcome.FAILED, detail="its secrets were encrypted with another CXLOOP_SECRET_KEY")
        if endpoint is None:
            return Result(Outcome.REJECTED, detail="the endpoint was deleted")
        if not endpoint.enabled:
            return Result(Outcome.REJECTED, detail=f"the endpoint is disabled: {endpoint.disabled_reason}")
        return endpoint

    async def _result(self, claimed: Claimed, endpoint: Endpoint | Result | None, at: datetime) -> Result:
        if isinstance(endpoint, Result):
            return endpoint
        if endpoint is not None:
            return await self._receivers.send(claimed, endpoint, at)
        recipient = self._box.decrypt(claimed.recipient or b"").decode()
        return await self._receivers.mail(claimed, [recipient], at)

    async def _drain(self, writing: asyncio.Task[None]) -> None:
        """What is under way may end, and is else tried again after its lease; the rest is given back."""
        for queue in self._queues.values():
            while queue:
                self._concluder.add(Conclusion(queue.popleft()[0], None, None, self._now(), None))
        if workers := [task for tasks in self._workers.values() for task in tasks]:
            _, late = await asyncio.wait(workers, timeout=DRAIN_S)
            for task in late:
                task.cancel()
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.wait({writing})
        await self._concluder.flush()
