"""Waits on a condition, with a limit."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

LIMIT_S = 30.0
PAUSE_S = 0.02


async def until(condition: Callable[[], bool | Awaitable[bool]], limit_s: float = LIMIT_S) -> None:
    """Returns when `condition` holds; a TimeoutError tells that it never did."""
    async with asyncio.timeout(limit_s):
        while True:
            held = condition()
            if inspect.isawaitable(held):
                held = await held
            if held:
                return
            await asyncio.sleep(PAUSE_S)
