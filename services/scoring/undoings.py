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


async def lay(conn: Conn, placed: Sequence[Placed], *, undone: bool) -> Laid:
    """Find both halves: what this batch undoes, and what had undone this batch's events before they came, if
    anything had."""
    own = {p.event.id: p for p in placed}
    wanted = {p.row.target for p in placed if p.row.target} - own.keys()
    waiting = await events.retracting(conn, list(own)) if undone else []
    ids = wanted | {w.event_id for w in waiting}
    stored: dict[str, list[Stored]] = {}
    for row in await events.by_id(conn, list(ids)) if ids else []:
        stored.setdefault(row.id, []).append(row)
    places = _Places(own, stored, waiting)
    targets = {target: rows for target, rows in stored.items() if target in wanted}
    undoing = [
        laid
        for event_id in dict.fromkeys(w.event_id for w in waiting)
        for row in stored.get(event_id, ())
        if (laid := places.lay(row)) != row
    ]
    return Laid([p._replace(row=places.lay(p.row)) for p in placed], targets, undoing)


class _Places:
    """Where every retraction at hand lies: where its target lies, through any chain of retractions."""

    def __init__(
        self,
        own: Mapping[str, Placed],
        stored: Mapping[str, Sequence[Stored]],
        waiting: Sequence[Retraction],
    ) -> None:
        self._rows = {i: rows[0] for i, rows in stored.items()} | {i: p.row for i, p in own.items()}
        self._targets = {i: row.target for i, row in self._rows.items()}
        self._targets |= {w.event_id: w.target for w in waiting}

    def lay(self, row: Stored, asked: tuple[str, ...] = ()) -> Stored:
        """The row with the place of its target; its target is None while that is not known."""
        target = self._targets.get(row.id)
        there = self._rows.get(target) if target else None
        if target is None or there is None or there.event.source != row.event.source:
            # A retraction that was laid before keeps its place although its target is not at hand.
            return row if row.episode or row.leaf else row._replace(target=None)
        if target not in asked:
            there = self.lay(there, (*asked, row.id))
        return row._replace(episode=there.episode, leaf=there.leaf, target=target)
