"""Senders as help desks are: a steady rate, the same delivery again until it is answered 2xx, some twice.

Runs in a thread. What was answered 2xx, and when, is remembered with its event ids.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

import httpx

from tests.faults.people import Step

PATIENCE_S = 8.0
BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 3.0
UNDER_WAY = 64
TWICE = 0.04
"""Share of deliveries that are sent once more although they were answered."""


@dataclass
class Delivery:
    """One delivery of a sender: what came of it."""

    step: Step
    first_at: float
    answered_at: float = 0.0
    ids: list[str] = field(default_factory=list)
    attempts: int = 0


class Traffic:
    """`start`, then `rate` deliveries per second until `stop`, which returns when all were answered 2xx."""

    def __init__(
        self,
        urls: Callable[[], list[str]],
        secrets: Mapping[str, str],
        steps: Iterator[Step],
        rate: float,
        seed: int = 1,
    ) -> None:
        self._urls = urls
        self._secrets = secrets
        self._steps = steps
        self._rate = rate
        self._dice = random.Random(seed)
        self._turn = count()
        self._enough = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self.deliveries: list[Delivery] = []
        self.answered: list[float] = []
        """When each 2xx came, on the monotonic clock."""
        self.slowest_s = 0.0
        """Longest a sender waited for a 2xx."""
        self.refusals: dict[str, int] = {}
        self.faults: list[str] = []
        """What no sender should ever see."""

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline_s: float) -> None:
        """No new deliveries; waits until the old ones were answered. AssertionError after the deadline."""
        self._enough.set()
        self._thread.join(deadline_s)
        open_ones = [one for one in self.deliveries if not one.answered_at]
        assert not self._thread.is_alive(), f"{len(open_ones)} deliveries not answered 2xx: {self.refusals}"

    @property
    def flows(self) -> bool:
        """Until `stop`."""
        return self._thread.is_alive()

    def cancel(self) -> None:
        """Ends at once, whatever was not answered; for a row that failed."""
        self._enough.set()
        if self._task is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # its loop ended just now
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        self._thread.join(PATIENCE_S)

    @property
    def acknowledged(self) -> dict[str, Step]:
        """Every event id that was answered 2xx."""
        return {event: one.step for one in self.deliveries for event in one.ids}

    @property
    def figures(self) -> dict[str, object]:
        """For the report: deliveries, event ids answered 2xx, deliveries sent again, refusals by kind."""
        return {
            "slowest_202_s": round(self.slowest_s, 2),
            "sent": len(self.deliveries),
            "acknowledged": len(self.acknowledged),
            "resent": sum(max(0, one.attempts - 1) for one in self.deliveries),
            "refused": self.refusals,
        }

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._send_all())

    async def _send_all(self) -> None:
        self._task = asyncio.current_task()
        slots = asyncio.Semaphore(UNDER_WAY)
        limits = httpx.Limits(max_connections=UNDER_WAY)
        async with (
            httpx.AsyncClient(timeout=PATIENCE_S, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            due = time.monotonic()
            while not self._enough.is_set():
                await slots.acquire()
                delivery = Delivery(next(self._steps), time.monotonic())
                self.deliveries.append(delivery)
                group.create_task(self._deliver(client, delivery)).add_done_callback(
                    lambda _: slots.release()
                )
                due = max(due + 1 / self._rate, time.monotonic() - 1)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _deliver(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        pause_s = BACKOFF_S
        while (wait_s := await self._attempt(client, delivery)) is not None:
            await asyncio.sleep(max(wait_s, pause_s * self._dice.uniform(0.5, 1.0)))
            pause_s = min(LONGEST_BACKOFF_S, pause_s * 2)
        if self._dice.random() < TWICE:
            await self._attempt(client, delivery)

    async def _attempt(self, client: httpx.AsyncClient, delivery: Delivery) -> float | None:
        """None when it was taken, else for how many seconds the receiver asks to wait."""
        post = delivery.step.post
        headers, body = post.signed(self._secrets[post.source], datetime.now(UTC))
        urls = self._urls()
        url = urls[next(self._turn) % len(urls)]
        delivery.attempts += 1
        began = time.monotonic()
        try:
            answer = await client.post(f"{url}/v1/webhooks/{post.source}", content=body, headers=headers)
        except httpx.TransportError as error:
            self._refused(type(error).__name__)
            return 0.0
        if answer.is_success:
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self._taken(delivery, answer)
            return None
        self._refused(str(answer.status_code))
        if answer.status_code not in (429, 503):
            self.faults.append(f"{answer.status_code} {answer.text[:200]}")
        return float(answer.headers.get("retry-after", "0"))

    def _taken(self, delivery: Delivery, answer: httpx.Response) -> None:
        ids = [str(event) for event in answer.json()["ids"] if event]
        if delivery.answered_at and ids != delivery.ids:
            self.faults.append(f"the same delivery has other ids: {ids} after {delivery.ids}")
        if not ids:
            self.faults.append(f"a delivery without events: {answer.text[:200]}")
        delivery.ids = ids
        now = time.monotonic()
        delivery.answered_at = delivery.answered_at or now
        self.answered.append(now)

    def _refused(self, why: str) -> None:
        self.refusals[why] = self.refusals.get(why, 0) + 1
