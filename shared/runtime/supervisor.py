"""Background tasks of a service: one that ends with an exception ends the process.

A loop that silently died is worse than a restart: liveness fails, the server drains, the exit code is 70.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from shared.runtime.health import Health
from shared.runtime.metrics import gauge

log = structlog.get_logger()

EXIT_CODE: Final = 70
"""EX_SOFTWARE: tells a supervisor that a restart is the cure."""
LAG_EVERY_S: Final = 0.5
_lag = gauge("loop_lag_seconds", "Longest time in the last seconds for which the event loop was held up.")


class Tasks:
    """Starts tasks by name, notices their death, ends them together."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.failed = False
        self.stopping = asyncio.Event()
        """Set when the server begins to drain: answers without an end (streams) end now."""
        self.on_failure: Callable[[], None] | None = None

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(self._watch(name, work), name=name)
        self._tasks[name] = task

    async def _watch(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            log.error("background task died, leaving", task=name, exc_info=error)
            self.fail(name, f"died: {type(error).__name__}")

    def fail(self, name: str, why: str) -> None:
        """Asks for the end of the process."""
        self.failed = True
        self._health.fail(name, why)
        if self.on_failure is not None:
            self.on_failure()

    async def aclose(self, deadline_s: float) -> None:
        """Cancels all, newest first, and waits; names those that do not end."""
        for task in reversed(self._tasks.values()):
            task.cancel()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks.values(), timeout=deadline_s)
        if late:
            log.warning("background tasks did not end in time", tasks=sorted(t.get_name() for t in late))


async def measure_loop_lag() -> None:
    """For ever; `cxloop_loop_lag_seconds` is the worst of the last ten measurements."""
    loop = asyncio.get_running_loop()
    recent = [0.0] * 10
    turn = 0
    while True:
        due = loop.time() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        recent[turn] = max(0.0, loop.time() - due)
        turn = (turn + 1) % len(recent)
        _lag.set(max(recent))
