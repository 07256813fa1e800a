"""Long folds beside the event loop, while their transaction stays awake.

A customer with tens of thousands of events is folded for seconds. On the event loop that would keep
heartbeats from the group and answers from callers; and a transaction in which nothing is asked for long
enough is ended by the server, so that the batch would never commit, and its partition stand still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from services.scoring.store.types import Conn

LONG: Final = 2_000
"""Events of one customer from which on a thread is worth its price: about 50 ms of folding."""
AWAKE_S: Final = 1.0

Made = TypeVar("Made")


async def apart(conn: Conn, work: Callable[[], Made]) -> Made:
    """What pure `work` returns or raises, worked out in a thread. The caller's transaction is used meanwhile.

    Cancelled, the thread runs to its end and its result is dropped.
    """
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        while not (await asyncio.wait({working}, timeout=AWAKE_S))[0]:
            await conn.execute("SELECT 1")
        return working.result()
    finally:
        working.cancel()
