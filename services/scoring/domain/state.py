"""The state of a customer: exact sums of the folds of its settled episodes.

Invariant: the state is a function of the multiset of folds that are in it, not of the way there. `add` and
`subtract` are inverse to the bit, `merge` is the addition of two multisets, and equal multisets pack
into equal bytes. Nothing in it depends on the time of reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from services.scoring.domain.decay import hour_of, mantissas
from services.scoring.domain.numbers import NANO
from services.scoring.domain.packing import PackError, Reader, Writer
from services.scoring.domain.types import Evidence, Fold, Signal

SIGNALS: Final = tuple(Signal)
INDEX: Final = {signal: 4 * i for i, signal in enumerate(SIGNALS)}
"""Where a signal's four sums begin: slow good, slow bad, fast good, fast bad."""
CELLS: Final = 4 * len(SIGNALS)
SLOW, FAST = 0, 2
_FORMAT: Final = 1
_HALF: Final = NANO // 2


class Grid(NamedTuple):
    """The half-lives of the policy, in hours, by position in `Signal`; `fast` 0: no fast sum is kept.

    `health_evidence` and `relationship_evidence` weigh episodes as pieces of evidence; active days are
    kept with `recent_days` and `usual_days`, whose quotient is the cadence.
    """

    slow: tuple[int, ...]
    fast: tuple[int, ...]
    health_evidence: int
    relationship_evidence: int
    recent_days: int
    usual_days: int


class State:
    """Mutable during a batch. `cells` are the decayed sums, four a signal; see `INDEX`."""

    __slots__ = (
        "cells",
        "days",
        "firsts",
        "grid",
        "health",
        "health_marks",
        "recent",
        "relationship",
        "relationship_marks",
        "respondents",
        "usual",
    )

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.cells = [0] * CELLS
        self.health = 0
        self.relationship = 0
        self.recent = 0
        self.usual = 0
        # Multisets, because a minimum, a maximum or a distinct count must survive the leaving of its holder.
        self.days: dict[int, int] = {}
        self.firsts: dict[int, int] = {}
        self.health_marks: dict[int, int] = {}
        self.relationship_marks: dict[int, int] = {}
        self.respondents: dict[str, int] = {}

    def add(self, fold: Fold) -> None:
        """Put a fold in. A fold with open evidence must not come here: it is evaluated at reading."""
        self._fold(fold, 1)

    def subtract(self, fold: Fold) -> None:
        """Take out a fold that is in: afterwards the state has the bits of one that never saw it."""
        self._fold(fold, -1)

    def merge(self, other: State) -> None:
        """Add all folds of another state; both must stand on the same grid."""
        if other.grid != self.grid:
            raise ValueError("states on different half-lives cannot be added")
        self.cells = [a + b for a, b in zip(self.cells, other.cells, strict=True)]
        self.health += other.health
        self.relationship += other.relationship
        for day, count in other.days.items():
            self._day(day, count)
        for mine, theirs in zip(self._marks(), other._marks(), strict=True):
            for mark, count in theirs.items():
                _count(mine, mark, count)
        for leaf, count in other.respondents.items():
            self.respondents[leaf] = self.respondents.get(leaf, 0) + count

    def copy(self) -> State:
        twin = State(self.grid)
        twin.merge(self)
        return twin

    def _marks(self) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
        return self.firsts, self.health_marks, self.relationship_marks

    def _fold(self, fold: Fold, sign: int) -> None:
        grid = self.grid
        add_evidence(self.cells, fold.evidence, grid, sign)
        if fold.health_at is not None:
            hour = hour_of(fold.health_at)
            self.health += sign * amount(NANO, hour, grid.health_evidence)
            _count(self.health_marks, hour, sign)
        if fold.relationship_at is not None:
            hour = hour_of(fold.relationship_at)
            self.relationship += sign * amount(NANO, hour, grid.relationship_evidence)
            _count(self.relationship_marks, hour, sign)
        if fold.first is not None:
            _count(self.firsts, hour_of(fold.first), sign)
        for day in fold.days:
            self._day(day, sign)
        for leaf in fold.respondents:
            count = self.respondents.get(leaf, 0) + sign
            if count:
                self.respondents[leaf] = count
            else:
                del self.respondents[leaf]

    def _day(self, day: int, change: int) -> None:
        """Distinct days only: the sums move when the first holder of a day comes or the last one goes."""
        before = self.days.get(day, 0)
        after = before + change
        if after:
            self.days[day] = after
        else:
            del self.days[day]
        if bool(before) != bool(after):
            sign = 1 if after else -1
            self.recent += sign * amount(NANO, 24 * day, self.grid.recent_days)
            self.usual += sign * amount(NANO, 24 * day, self.grid.usual_days)

    def pack(self) -> bytes:
        """Canonical bytes; some hundred of them after years, because low zero bits are left out."""
        out = Writer()
        out.uint(_FORMAT)
        used = [i for i, cell in enumerate(self.cells) if cell]
        bitmap = 0
        for i in used:
            bitmap |= 1 << i
        out.uint(bitmap)
        totals = (self.health, self.relationship, self.recent, self.usual)
        out.bigs([*(self.cells[i] for i in used), *totals])
        out.counts(self.days)
        for marks in self._marks():
            out.counts(marks)
        out.uint(len(self.respondents))
        for leaf in sorted(self.respondents):
            out.text(leaf)
            out.uint(self.respondents[leaf])
        return bytes(out.raw)

    @staticmethod
    def unpack(raw: bytes, grid: Grid) -> State:
        """The inverse of `pack`. Raises PackError for bytes of another version."""
        state = State(grid)
        source = Reader(raw)
        if source.uint() != _FORMAT:
            raise PackError("state of another version")
        bitmap = source.uint()
        used = [i for i in range(CELLS) if bitmap >> i & 1]
        *cells, state.health, state.relationship, state.recent, state.usual = source.bigs(len(used) + 4)
        for i, cell in zip(used, cells, strict=True):
            state.cells[i] = cell
        # The four totals could be summed up again from the marks below; kept, reading a state stays fast.
        state.days = source.counts()
        state.firsts = source.counts()
        state.health_marks = source.counts()
        state.relationship_marks = source.counts()
        for _ in range(source.uint()):
            leaf = source.text()
            state.respondents[leaf] = source.uint()
        source.end()
        return state


def amount(nano: int, hour: int, half_life_h: int) -> int:
    """`decay.stored` with the look-up in line: this is the hot spot of the write path."""
    k, r = divmod(hour, half_life_h)
    return ((nano * mantissas(half_life_h)[r] + _HALF) // NANO) << k


def add_evidence(cells: list[int], rows: Iterable[Evidence], grid: Grid, sign: int = 1) -> None:
    """Add settled rows of evidence, decayed from their full hour, to a list of sums."""
    for signal, at, good, bad, *_ in rows:
        hour = hour_of(at)
        i = INDEX[signal]
        for cell, half_life in ((i, grid.slow[i >> 2]), (i + FAST, grid.fast[i >> 2])):
            if half_life:
                if good:
                    cells[cell] += sign * amount(good, hour, half_life)
                if bad:
                    cells[cell + 1] += sign * amount(bad, hour, half_life)


def _count(multiset: dict[int, int], value: int, change: int) -> None:
    count = multiset.get(value, 0) + change
    if count:
        multiset[value] = count
    else:
        del multiset[value]
