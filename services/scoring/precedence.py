"""New events come first: what folds in the background waits for a moment without a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

PATIENCE_S: Final = 0.25
"""Where batch follows batch, the background goes on after so long all the same."""


class Precedence:
    """Of one process, whose event loop does one thing at a time."""

    def __init__(self) -> None:
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """While a batch is being folded in."""
        self._idle.clear()
        try:
            yield
        finally:
            self._idle.set()

    async def gap(self) -> None:
        """Returns between two batches, or after PATIENCE_S."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await self._idle.wait()
