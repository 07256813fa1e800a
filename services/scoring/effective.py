"""Which rows of the log count at a time and a state of knowledge. Pure.

1. A row counts if it had happened by `as_of` and was applied by `known_at`.
2. Of several tellings of one event the one with the earliest effective time counts.
3. An event that a counting retraction names does not count; a retraction is itself an event and may be
   retracted. The retraction's row lies where its target lies, so both are always read together.
"""

from __future__ import annotations

from collections.abc import Iterable

from services.scoring.store.types import Stored
from shared.events.times import Micros

FOREVER: Micros = 2**62


def effective(
    rows: Iterable[Stored], as_of: Micros = FOREVER, known_at: Micros = FOREVER, *, keep_undoing: bool = False
) -> list[Stored]:
    """Rows that count, by (time, id). Retractions themselves are left out unless `keep_undoing`."""
    told: dict[str, Stored] = {}
    for row in rows:
        if row.event.at > as_of or row.applied_at > known_at:
            continue
        other = told.get(row.id)
        if other is None or _receipt(row) < _receipt(other):
            told[row.id] = row
    gone = retracted(told.values())
    kept = (r for r in told.values() if r.id not in gone and (keep_undoing or r.target is None))
    return sorted(kept, key=lambda r: (r.event.at, r.id))


def retracted(rows: Iterable[Stored]) -> frozenset[str]:
    """Ids of events that are undone, among distinct rows."""
    undoing: dict[str, list[str]] = {}
    for row in rows:
        if row.target is not None:
            undoing.setdefault(row.target, []).append(row.id)
    return frozenset(target for target in undoing if _undone(target, undoing, ()))


def _undone(event: str, undoing: dict[str, list[str]], asked: tuple[str, ...]) -> bool:
    """True if a retraction of `event` stands. Of a circle of retractions none stands."""
    if event in asked:
        return True
    return any(not _undone(r, undoing, (*asked, event)) for r in undoing.get(event, ()))


def _receipt(row: Stored) -> tuple[Micros, object]:
    return row.event.at, row.event.recorded
