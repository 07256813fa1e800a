"""Retractions lie where their targets lie, whichever of the two came first.

A transaction that adds either half holds the claim of the target, so nobody adds the other in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.scoring.placing import Placed
from services.scoring.store import events
from services.scoring.store.events import Retraction
from services.scoring.store.types import Conn, Stored


class Laid(NamedTuple):
    """`placed` with retractions laid, `targets` of them in the store, and earlier retractions of `placed`."""

    placed: list[Placed]
    targets: dict[str, list[Stored]]
    undoing: list[Stored]


async def lay(conn: Conn, placed: Sequence[Placed]) -> Laid:
    """Find both halves: what this batch undoes, and what had undone this batch's events before they came."""
    own = {p.event.id: p for p in placed}
    wanted = {p.row.target for p in placed if p.row.target} - own.keys()
    waiting = await events.retracting(conn, list(own)) if own else []
    ids = wanted | {w.event_id for w in waiting}
    stored: dict[str, list[Stored]] = {}
    for row in await events.by_id(conn, list(ids)) if ids else []:
        stored.setdefault(row.id, []).append(row)
    targets = {target: rows for target, rows in stored.items() if target in wanted}
    settled = [_laid(p, own, targets, ()) for p in placed]
    return Laid(settled, targets, _waited(waiting, stored, settled))


def _laid(
    placed: Placed, own: Mapping[str, Placed], targets: Mapping[str, list[Stored]], asked: tuple[str, ...]
) -> Placed:
    target = placed.row.target
    if target is None:
        return placed
    there: Stored | None = None
    if target in own and target not in asked:
        there = _laid(own[target], own, targets, (*asked, placed.event.id)).row
    elif target in targets:
        there = targets[target][0]
    if there is None or there.event.source != placed.event.source:
        return placed._replace(row=placed.row._replace(target=None))
    return placed._replace(row=placed.row._replace(episode=there.episode, leaf=there.leaf))


def _waited(
    waiting: Sequence[Retraction], stored: Mapping[str, list[Stored]], settled: Sequence[Placed]
) -> list[Stored]:
    """Rows that waited for their target, laid where it is; a retraction of a retraction follows it."""
    places = {p.event.id: p.row for p in settled}
    found: dict[tuple[str, object], Stored] = {}
    for _ in waiting:
        for w in waiting:
            target = places.get(w.target)
            if target is None or target.event.source != w.source:
                continue
            for row in stored.get(w.event_id, ()):
                laid = row._replace(episode=target.episode, leaf=target.leaf, target=w.target)
                found[row.id, row.event.recorded] = places[row.id] = laid
    return list(found.values())
