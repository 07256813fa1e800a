"""New events come first: what folds in the background waits for a moment without a batch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

PATIENCE_S: Final = 0.25
"""Where batch follows batch, the background goes on after so long all the same."""
QUIET_S: Final = 1.0
BUSY: Final = 0.1
IDLE: Final = 0.5
"""Of the process' time that what can wait may take: while events come, and while none do."""


class Precedence:
    """Of one process, whose event loop does one thing at a time."""

    def __init__(self) -> None:
        self._idle = asyncio.Event()
        self._idle.set()
        self._ended = -QUIET_S

    @contextmanager
    def batch(self) -> Iterator[None]:
        """While a batch is being folded in."""
        self._idle.clear()
        try:
            yield
        finally:
            self._ended = time.monotonic()
            self._idle.set()

    def share(self) -> float:
        """`BUSY` or `IDLE`: what waits then is done at once for several events."""
        quiet = self._idle.is_set() and time.monotonic() - self._ended > QUIET_S
        return IDLE if quiet else BUSY

    async def gap(self) -> None:
        """Returns between two batches, or after PATIENCE_S."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._idle.wait()
