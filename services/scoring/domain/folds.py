"""The fold of an episode as bytes, so that exactly what was added can be taken out again."""

from __future__ import annotations

from typing import Final

from services.scoring.domain.packing import PackError, Reader, Writer
from services.scoring.domain.state import SIGNALS
from services.scoring.domain.types import Evidence, Fold
from shared.events.times import Micros

_FORMAT: Final = 1
_POSITION: Final = {signal: i for i, signal in enumerate(SIGNALS)}


def pack_fold(fold: Fold) -> bytes:
    """Canonical bytes of a fold, whole: also the explanation can be made from them."""
    out = Writer()
    out.uint(_FORMAT)
    out.uint(fold.live)
    for at in (fold.next_at, fold.first, fold.last, fold.health_at, fold.relationship_at):
        _instant(out, at)
    out.uint(len(fold.evidence))
    for row in fold.evidence:
        out.uint(_POSITION[row.signal] << 1 | row.open)
        out.sint(row.at)
        out.sint(row.good)
        out.sint(row.bad)
        out.text(row.event)
        out.text(row.what)
    out.uint(len(fold.days))
    for day in fold.days:
        out.sint(day)
    out.uint(len(fold.respondents))
    for leaf in fold.respondents:
        out.text(leaf)
    return bytes(out.raw)


def unpack_fold(raw: bytes) -> Fold:
    """The inverse of `pack_fold`. Raises PackError for bytes of another version."""
    source = Reader(raw)
    if source.uint() != _FORMAT:
        raise PackError("fold of another version")
    live = bool(source.uint())
    next_at, first, last, health_at, relationship_at = (_read_instant(source) for _ in range(5))
    evidence = []
    for _ in range(source.uint()):
        head = source.uint()
        at, good, bad = source.sint(), source.sint(), source.sint()
        evidence.append(
            Evidence(SIGNALS[head >> 1], at, good, bad, source.text(), bool(head & 1), source.text())
        )
    days = tuple(source.sint() for _ in range(source.uint()))
    respondents = tuple(source.text() for _ in range(source.uint()))
    source.end()
    return Fold(tuple(evidence), live, next_at, first, last, days, health_at, relationship_at, respondents)


def _instant(out: Writer, at: Micros | None) -> None:
    out.uint(at is not None)
    if at is not None:
        out.sint(at)


def _read_instant(source: Reader) -> Micros | None:
    return source.sint() if source.uint() else None
