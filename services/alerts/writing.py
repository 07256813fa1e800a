"""One transaction: memories in, memories, alerts, deliveries and messages out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import asyncpg

from services.alerts import metrics
from services.alerts.domain.lifecycle import Told
from services.alerts.domain.memory import Book, Memory
from services.alerts.migrate import SCHEMA
from services.alerts.store import deliveries, memory, setup
from services.alerts.telling import Teller
from shared.db import outbox
from shared.events.times import Micros

TOP_EVERY_S = 60.0


async def clock(connection: asyncpg.Connection) -> Micros:
    """The one `now` of a transaction: every replica asks the same clock."""
    return int(await connection.fetchval("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))


class Writer:
    """What consumer, timer and API share. `wake` is called after commits that told somebody something."""

    def __init__(self, teller: Teller, link: str, wake: Callable[[], None]) -> None:
        self._teller = teller
        self._link = link
        self._top_values: dict[str, int] = {}
        self._top_until = float("-inf")
        self._lock = asyncio.Lock()
        self.wake = wake

    async def book(self, connection: asyncpg.Connection) -> Book:
        """Rules and councils as they are now; the most valuable fifth as it was within the last minute."""
        async with self._lock:
            if time.monotonic() >= self._top_until:
                self._top_values = await setup.top_values(connection)
                self._top_until = time.monotonic() + TOP_EVERY_S
        return await setup.book(connection, self._link, self._top_values)

    async def write(
        self,
        connection: asyncpg.Connection,
        before: Mapping[str, Memory],
        after: Mapping[str, Memory],
        news: Sequence[Told],
        book: Book,
        now: Micros,
    ) -> None:
        """Everything that follows from `news`, in the caller's transaction."""
        known = {a.id: a for m in before.values() for a in m.alerts}
        latest = {a.id: a for m in after.values() for a in m.alerts} | {t.alert.id: t.alert for t in news}
        # A live alert may have changed after it was told last: the memory has the newest version.
        latest |= {a.id: a for m in after.values() for a in m.alerts if a.live}
        changed = [alert for name, alert in latest.items() if known.get(name) != alert]
        await memory.save(connection, before, after, changed)
        await self.tell(connection, news, book, now)

    async def tell(
        self, connection: asyncpg.Connection, news: Sequence[Told], book: Book, now: Micros
    ) -> None:
        """Deliveries and messages."""
        if not news:
            return
        routes = await setup.routes(connection)
        await deliveries.add(connection, self._teller.deliveries(news, routes, book.councils, now))
        await outbox.add(connection, SCHEMA, self._teller.messages(news, now))
        for item in news:
            metrics.changes.labels(item.what).inc()
