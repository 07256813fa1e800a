"""Sends what is due, outside of any transaction: claim, try, write down what became of it.

A receiver that hangs holds its own few slots and nobody else's. A dispatcher that dies leaves leases
that run out: what it had sent may be sent again, under the same id.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Final

import httpx
import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.alerts import metrics
from services.alerts.domain.retry import Outcome, Result, after
from services.alerts.sending import webhook
from services.alerts.sending.guard import Guard, GuardedTransport
from services.alerts.sending.letters import letter
from services.alerts.sending.mail import Mailer
from services.alerts.sending.notify import Notifier
from services.alerts.store import deliveries, setup
from services.alerts.store.deliveries import DIRECT, Claimed
from services.alerts.store.setup import Endpoint
from shared.db.engine import driver
from shared.runtime.errors import is_unavailable
from shared.runtime.secrets import SecretBox, SecretError

log = structlog.get_logger()

POLL_S: Final = 0.5
RETRY_S: Final = 2.0
DRAIN_S: Final = 3.0


class Receivers:
    """The three ways out. `mailer` None: no mail server is configured."""

    def __init__(self, guard: Guard, mailer: Mailer | None, timeout_s: float) -> None:
        # The deadline is set around the whole attempt, so that no trickle of bytes prolongs it.
        limits = httpx.Timeout(timeout_s)
        transport = GuardedTransport(guard)
        self.client = httpx.AsyncClient(
            transport=transport, timeout=limits, follow_redirects=False, trust_env=False
        )
        self.notifier = Notifier(guard)
        self.mailer = mailer
        self.timeout_s = timeout_s

    async def send(self, claimed: Claimed, endpoint: Endpoint, at: datetime) -> Result:
        match endpoint.kind:
            case "webhook":
                return await webhook.send(
                    self.client,
                    endpoint.target,
                    claimed.id,
                    endpoint.secrets,
                    claimed.body,
                    at,
                    self.timeout_s,
                )
            case "email":
                return await self.mail(claimed, endpoint.target.split(","), at)
            case _:
                severity = msgspec.json.decode(claimed.body)["data"].get("severity", "low")
                note = letter(claimed.body, claimed.what)
                return await self.notifier.send(endpoint.target, note, severity, self.timeout_s)

    async def mail(self, claimed: Claimed, to: list[str], at: datetime) -> Result:
        if self.mailer is None:
            return Result(Outcome.NOT_CONFIGURED, detail="no mail server: set CXLOOP_SMTP_URL")
        message = self.mailer.compose(letter(claimed.body, claimed.what), claimed.id, to, at)
        return await self.mailer.send(message, to, self.timeout_s)

    async def aclose(self) -> None:
        self.notifier.close()
        await self.client.aclose()


class Dispatcher:
    """One per process; replicas share the work by leases."""

    def __init__(self, engine: AsyncEngine, box: SecretBox, receivers: Receivers, per_lane: int) -> None:
        self._engine = engine
        self._box = box
        self._receivers = receivers
        self._per_lane = per_lane
        self._busy: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """After a commit that added deliveries."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; survives the loss of the database."""
        try:
            while True:
                try:
                    await self._turn()
                except Exception as error:
                    if not is_unavailable(error):
                        raise
                    log.warning("dispatcher waits for the database", exc_info=error)
                    await asyncio.sleep(RETRY_S)
        finally:
            await self._drain()

    async def _turn(self) -> None:
        self._woken.clear()
        async with driver(self._engine) as connection:
            claimed = await deliveries.claim(
                connection, +self._busy, self._per_lane, self._receivers.timeout_s
            )
        for delivery in claimed:
            self._busy[delivery.lane] += 1
            task = asyncio.get_running_loop().create_task(self._deliver(delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        metrics.in_flight.set(len(self._tasks))
        if not claimed:
            try:
                async with asyncio.timeout(POLL_S):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _deliver(self, claimed: Claimed) -> None:
        """Supervisor of one delivery: whatever goes wrong, the lease runs out and it is tried again."""
        try:
            await self._attempt(claimed)
        except Exception as error:
            log.error("delivery not concluded", delivery=claimed.id, exc_info=error)
        finally:
            self._busy[claimed.lane] -= 1
            self.wake()

    async def _attempt(self, claimed: Claimed) -> None:
        at = datetime.now(UTC)
        endpoint = await self._endpoint(claimed)
        kind = endpoint.kind if isinstance(endpoint, Endpoint) else DIRECT
        with metrics.attempt_seconds.labels(kind).time():
            result = await self._result(claimed, endpoint, at)
        metrics.attempts.labels(kind, result.outcome.value).inc()
        following = after(result, claimed.step + 1, random.random())  # noqa: S311 - jitter
        async with driver(self._engine) as connection, connection.transaction():
            await deliveries.finish(connection, claimed, result, following, at)
            if following.disable:
                await setup.disable_endpoint(connection, claimed.lane, "the receiver answered 410")
        if following.state == "dead":
            log.warning("delivery given up", delivery=claimed.id, endpoint=claimed.lane, why=result.outcome)

    async def _endpoint(self, claimed: Claimed) -> Endpoint | Result | None:
        """Whom to send to; None for mail to one person; a result where it cannot be sent."""
        if claimed.lane == DIRECT:
            return None
        try:
            async with driver(self._engine) as connection:
                endpoint = await setup.endpoint(connection, claimed.lane, self._box)
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

    async def _drain(self) -> None:
        """What is under way may end; the rest is tried again after its lease."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_S)
            for task in late:
                task.cancel()
