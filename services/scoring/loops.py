"""Background turns that go on for ever and survive an outage of the database."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
import structlog

from shared.runtime.errors import is_unavailable

log = structlog.get_logger()

RETRY_S: Final = 2.0
SHARE: Final = 0.25
"""Of the process' time that one loop may take while there is more to do: folding new events comes first."""
LONGEST_S: Final = 1.0
"""A turn also waits for locks and for batches to go first; not all it took was work."""
PASSING: Final = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)
"""Others are at work on the same rows: the next turn finds them done."""


async def forever(
    name: str,
    turn: Callable[[], Awaitable[int]],
    every_s: float,
    share: Callable[[], float] = lambda: SHARE,
) -> None:
    """Take turns until cancelled. A turn returns how much it did; 0 waits for `every_s`.

    `share` is asked after each turn.
    """
    warned = False
    while True:
        begun = time.monotonic()
        try:
            done = await turn()
            warned = False
        except PASSING:
            done = 0
        except Exception as error:
            if not is_unavailable(error):
                raise
            if not warned:
                log.warning("the database is away, trying on", loop=name, exc_info=error)
            warned, done = True, 0
            await asyncio.sleep(RETRY_S)
        took = time.monotonic() - begun
        await asyncio.sleep(min(took * (1 / share() - 1), LONGEST_S) if done else every_s)
