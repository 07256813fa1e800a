"""Tasks that send numbered records and remember what was acknowledged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.bus.errors import BusUnavailable
from shared.bus.producer import Producer
from tests.integration.waiting import until


class Senders:
    """Twenty of them; a record that was refused is not sent again."""

    def __init__(self, producer: Producer, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._next = 0
        self.acknowledged: set[bytes] = set()
        self.refused = 0
        self.longest_s = 0.0

    async def _send(self) -> None:
        while True:
            self._next += 1
            value = b"%d" % self._next
            began = time.monotonic()
            try:
                await self._producer.send(self._topic, value, value, deadline_s=2.0)
                self.acknowledged.add(value)
            except BusUnavailable:
                self.refused += 1
                await asyncio.sleep(0.05)
            self.longest_s = max(self.longest_s, time.monotonic() - began)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._send()) for _ in range(20)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks), [t for t in tasks if not t.cancelled()]

    async def more(self, limit_s: float = 30.0) -> None:
        """Until a hundred more are acknowledged."""
        before = len(self.acknowledged)
        await until(lambda: len(self.acknowledged) > before + 100, limit_s)
