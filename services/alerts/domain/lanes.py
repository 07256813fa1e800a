"""How many deliveries may be under way to each endpoint, so that those who hang hold up nobody else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

AHEAD_S: Final = 1.0
"""A lane is handed as many deliveries as it ends within this time, by what its last attempt took, to save
the way to the database; at least one for each of its slots, at most `AHEAD`."""
AHEAD: Final = 32
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
    _share: int = 0

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
            self._ahead[lane] = self.slots * max(1, int(min(AHEAD, AHEAD_S / max(took_s, 1e-6))))

    def wants(self, lane: str) -> bool:
        """Is it time to claim, now that one of the lane's deliveries has ended? For this lane, or for others
        that had no place."""
        ahead = min(self._ahead.get(lane, 0), self._share)
        return ahead <= self.slots or self._has[lane] <= ahead // 2 or self.free() <= 1

    @property
    def under_way(self) -> int:
        return self._has.total()

    def free(self) -> int:
        """How many deliveries may be claimed now, over all lanes."""
        return max(0, self.whole - self.under_way)

    def room(self) -> dict[str, int]:
        """Room of every lane that has more or less than one.

        A fast lane gets more when half of what it had is done, not after each. Those that are at work share
        one half of everything, so that one more finds a place.
        """
        room = {lane: max(0, 1 - has) for lane, has in self._has.items()}
        busy = sum(1 for lane in self._has if lane in self._ahead)
        self._share = max(self.slots, self.whole // 2 // max(1, busy))
        for lane, ahead in self._ahead.items():
            has, ahead = self._has.get(lane, 0), min(ahead, self._share)
            room[lane] = ahead - has if has <= ahead // 2 or ahead == self.slots else 0
        left = self.whole // 2 - sum(self._has[lane] for lane in self._slow)
        share = max(1, min(self.slots, self.whole // 2 // max(1, len(self._slow))))
        for lane in self._slow:
            room[lane] = max(0, min(share - self._has[lane], left))
            left -= room[lane]
        return {lane: max(0, count) for lane, count in room.items()}
