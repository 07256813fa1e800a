"""Death at every statement, cheaply: the connection to the database ends at the n-th message, for each n.

For PostgreSQL and Kafka a process that was killed, and one whose connection ended and that is then thrown
away, are the same thing: the open transaction is rolled back, unless its COMMIT had arrived, and session
locks are free. So a step runs in this process, loses its connection at the n-th message to the server, and
everything it had in memory is dropped; then it is run anew, as after a restart. What this leaves out is the
moment between two messages, in which nobody outside can see a difference, and the loss of the other
neighbour at the same time; processes that are really killed, at random, are in `test_services_killed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from sqlalchemy.ext.asyncio import AsyncEngine

from shared.db.engine import create_engine, driver
from shared.parts.kafka_config import HOST
from shared.runtime.errors import is_unavailable
from tests.faults.proxy import Proxy

MOST = 400
"""Messages that no step here needs."""
STEP_S = 30.0

Step = Callable[[AsyncEngine], Awaitable[object]]


class Countdown(Proxy):
    """In front of a PostgreSQL; cuts at the n-th message once it is armed."""

    def __init__(self, database_url: str) -> None:
        parts = urlsplit(database_url)
        folder = parse_qs(parts.query).get("host", [""])[0]
        port = parts.port or 5432
        target: int | Path = Path(folder) / f".s.PGSQL.{port}" if folder else port
        self._left, self._heard = 0, False
        self.sprung = False
        super().__init__(lambda: target)
        who = parts.username or "postgres"
        login = f"{who}:{parts.password}" if parts.password else who
        self.url = f"postgresql://{login}@{HOST}:{self.port}{parts.path}?sslmode=disable"

    def arm(self, after: int, *, heard: bool) -> None:
        """The message number `after` from now on is the last; `heard`: the server still gets it."""
        self.sprung, self._heard, self._left = False, heard, after

    def disarm(self) -> bool:
        """Whether it came to a cut. From now on others may connect."""
        sprung, self.sprung = self.sprung, False
        self._left, self._away = 0, False
        return sprung

    def _springs(self, data: bytes, doomed: asyncio.Event) -> bool:  # noqa: ARG002 - each message counts
        if not self._left:
            return False
        self._left -= 1
        if self._left:
            return False
        self.sprung = self._away = True  # the dead do not connect anew
        if self._heard:
            doomed.set()
        return not self._heard


@asynccontextmanager
async def countdown(database_url: str) -> AsyncIterator[Countdown]:
    """One that is closed in the end."""
    proxy = Countdown(database_url)
    try:
        yield proxy
    finally:
        await asyncio.to_thread(proxy.close)


@asynccontextmanager
async def pool(url: str) -> AsyncIterator[AsyncEngine]:
    """As a process has it that was just started. Its one connection is open, and the only one to be cut."""
    engine = create_engine(url, 1, "test-countdown")
    try:
        async with driver(engine) as conn:
            await conn.execute("SELECT")
        yield engine
    finally:
        await engine.dispose()


async def dies(proxy: Countdown, step: Step, after: int, *, heard: bool) -> bool:
    """Run a step that loses its connection at that message. False when it ended before it came so far.

    What it raises then must be known as a database that is away: else the loop around it would end its
    process, or take innocent events for poison.
    """
    async with asyncio.timeout(STEP_S), pool(proxy.url) as engine:
        proxy.arm(after, heard=heard)
        try:
            await step(engine)
        except Exception as error:
            if not (proxy.sprung and is_unavailable(error)):
                raise
        return proxy.disarm()


async def lives(proxy: Countdown, step: Step) -> None:
    """The same step in another life."""
    async with asyncio.timeout(STEP_S), pool(proxy.url) as engine:
        await step(engine)


async def dies_everywhere(
    proxy: Countdown, step_of: Callable[[int], Awaitable[Step]], *, both: bool, first: int = 1
) -> int:
    """Makes a step for each message that it has, lets it die there and live again. How many deaths.

    `step_of` is given a number of its own for each. `both`: at each message twice, with and without the
    server getting it; else in turn.
    """
    deaths, number = 0, first
    for after in range(1, MOST):
        for heard in (False, True) if both else (after % 2 == 0,):
            number += 1
            step = await step_of(number)
            if not await dies(proxy, step, after, heard=heard):
                return deaths
            deaths += 1
            await lives(proxy, step)
    raise AssertionError(f"more than {MOST} messages")
