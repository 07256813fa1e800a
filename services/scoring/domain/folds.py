"""The fold of an episode as bytes: what was added to a state can be taken out again, and explained."""

from __future__ import annotations

import json
from typing import Final

from services.scoring.domain.packing import PackError
from services.scoring.domain.state import SIGNALS
from services.scoring.domain.types import Evidence, Fold

_FORMAT: Final = 2
_POSITION: Final = {signal: i for i, signal in enumerate(SIGNALS)}


def pack_fold(fold: Fold) -> bytes:
    """Canonical bytes of a fold, whole. Events are named once and then by their place."""
    place = {event: i for i, event in enumerate(dict.fromkeys(row.event for row in fold.evidence))}
    rows = [
        [_POSITION[row.signal], row.at, row.good, row.bad, place[row.event], int(row.open), row.what]
        for row in fold.evidence
    ]
    return json.dumps([_FORMAT, *fold[1:], list(place), rows], separators=(",", ":")).encode("ascii")


def unpack_fold(raw: bytes) -> Fold:
    """The inverse of `pack_fold`. Raises PackError for bytes of another version."""
    try:
        found = json.loads(raw)
        if found[0] != _FORMAT:
            raise PackError("fold of another version")
        live, next_at, first, last, days, health, relationship, people, begun, ended, types, events, rows = (
            found[1:]
        )
        evidence = [
            Evidence(SIGNALS[signal], at, good, bad, events[i], is_open == 1, what)
            for signal, at, good, bad, i, is_open, what in rows
        ]
    except (ValueError, TypeError, LookupError) as error:
        raise PackError("no fold") from error
    named = tuple([(event, kind) for event, kind in types])
    return Fold(
        tuple(evidence),
        live,
        next_at,
        first,
        last,
        tuple(days),
        health,
        relationship,
        tuple(people),
        begun,
        ended,
        named,
    )
