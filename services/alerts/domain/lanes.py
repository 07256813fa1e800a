"""How many deliveries may be under way to each endpoint, so that those who hang hold up nobody else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

SLOW_S: Final = 2.0
"""A lane whose last attempt took longer counts as slow."""
AHEAD: Final = 8
"""A lane that is not slow is handed this many deliveries for each of its slots, to save the way to the
database; a slow one only what it can begin at once."""


@dataclass
class Lanes:
    """`slots`: attempts at the same time to one endpoint. `whole`: to all of them.

    Slow lanes share one half of the whole and never get more; the other half is there for the rest,
    whatever the slow ones do. What a lane has is what was claimed for it and is not written down yet.
    """

    slots: int
    whole: int
    _has: Counter[str] = field(default_factory=Counter)
    _slow: dict[str, None] = field(default_factory=dict)

    def began(self, lane: str) -> None:
        self._has[lane] += 1

    def ended(self, lane: str, took_s: float | None) -> None:
        """`took_s` None: it was never tried, which says nothing."""
        self._has[lane] -= 1
        if not self._has[lane]:
            del self._has[lane]
        if took_s is not None:
            self._slow.pop(lane, None)
            if took_s > SLOW_S:
                self._slow[lane] = None  # behind the other slow ones: they take turns

    @property
    def under_way(self) -> int:
        return self._has.total()

    def free(self) -> int:
        """How many deliveries may be claimed now, over all lanes."""
        return max(0, self.whole - self.under_way)

    def usual(self) -> int:
        """Room of a lane of which nothing is known."""
        return self.slots * AHEAD

    def room(self) -> dict[str, int]:
        """Room of every lane that has less than the usual."""
        usual = self.usual()
        room = {lane: usual - has if has <= usual // 2 else 0 for lane, has in self._has.items()}
        left = self.whole // 2 - sum(self._has[lane] for lane in self._slow)
        share = max(1, min(self.slots, self.whole // 2 // max(1, len(self._slow))))
        for lane in self._slow:
            room[lane] = max(0, min(share - self._has[lane], left))
            left -= room[lane]
        return room
