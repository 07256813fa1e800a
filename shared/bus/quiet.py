"""The client's log, kept readable: while a leader is away it writes ten thousand lines a second."""

from __future__ import annotations

import logging
import time
from typing import Final

WINDOW_S: Final = 10.0
PER_WINDOW: Final = 3
"""Lines from one place of the client's code per window; the first of the next window tells the rest."""


class RateLimit(logging.Filter):
    """Lets few lines per place of the code through, and counts what it held back."""

    def __init__(self, per_window: int = PER_WINDOW, window_s: float = WINDOW_S) -> None:
        super().__init__()
        self._per_window = per_window
        self._window_s = window_s
        self._places: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        place = (record.pathname, record.lineno)
        now = time.monotonic()
        since, count = self._places.get(place, (now, 0))
        if now - since >= self._window_s:
            held_back = max(0, count - self._per_window)
            if held_back:
                record.msg = f"{record.getMessage()} (and {held_back} more of these)"
                record.args = ()
            since, count = now, 0
        self._places[place] = (since, count + 1)
        return count < self._per_window


def quiet_client() -> None:
    """Limits every logger of the client once; safe to call again."""
    for name in list(logging.root.manager.loggerDict):
        logger = logging.getLogger(name)
        if name.startswith("aiokafka") and not any(isinstance(f, RateLimit) for f in logger.filters):
            logger.addFilter(RateLimit())
