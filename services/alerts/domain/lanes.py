"""How many deliveries may be under way to each endpoint, so that those who hang hold up nobody else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

FAST_S: Final = 0.25
"""A lane whose last attempt took no longer is handed `AHEAD` deliveries for each of its slots, to save the
way to the database."""
AHEAD: Final = 8
SLOW_S: Final = 2.0
"""A lane whose last attempt took longer shares one half of everything with all others of its kind."""


@dataclass
class Lanes:
    """`slots`: attempts at the same time to one endpoint. `whole`: to all of them.

    What a lane has is what was claimed for it and is not written down yet. A lane of which nothing is known
    has room for one delivery: a thousand endpoints that hang at once are found out at the price of one each.
    """

    slots: int
    whole: int
    _has: Counter[str] = field(default_factory=Counter)
    _ahead: dict[str, int] = field(default_factory=dict)
    _slow: dict[str, None] = field(default_factory=dict)

    def began(self, lane: str) -> None:
        self._has[lane] += 1

    def ended(self, lane: str, took_s: float | None) -> None:
        """`took_s` None: it was never tried, which says nothing."""
        self._has[lane] -= 1
        if not self._has[lane]:
            del self._has[lane]
        if took_s is None:
            return
        self._slow.pop(lane, None)
        self._ahead.pop(lane, None)
        if took_s > SLOW_S:
            self._slow[lane] = None  # behind the other slow ones: they take turns
        else:
            self._ahead[lane] = self.slots * (AHEAD if took_s <= FAST_S else 1)

    @property
    def under_way(self) -> int:
        return self._has.total()

    def free(self) -> int:
        """How many deliveries may be claimed now, over all lanes."""
        return max(0, self.whole - self.under_way)

    def room(self) -> dict[str, int]:
        """Room of every lane that has more or less than one.

        A fast lane gets more when half of what it had is done, not after each.
        """
        room = {lane: max(0, 1 - has) for lane, has in self._has.items()}
        for lane, ahead in self._ahead.items():
            has = self._has[lane]
            room[lane] = ahead - has if has <= ahead // 2 or ahead == self.slots else 0
        left = self.whole // 2 - sum(self._has[lane] for lane in self._slow)
        share = max(1, min(self.slots, self.whole // 2 // max(1, len(self._slow))))
        for lane in self._slow:
            room[lane] = max(0, min(share - self._has[lane], left))
            left -= room[lane]
        return {lane: max(0, count) for lane, count in room.items()}
