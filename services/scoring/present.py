"""Scores of now for many who ask at once: one statement for all of them, and nothing unpacked twice."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from itertools import chain
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring import reads
from services.scoring.engine import Engine
from services.scoring.reads import Ready
from services.scoring.store import events, reading
from services.scoring.store.reading import Packed, Raw
from shared.db.engine import driver

KEPT: Final = 1024
KEPT_BYTES: Final = 16 * 1024
"""Rows kept unpacked, and how large one may be packed: some 20 MB of usual customers, 200 MB at worst."""


class Found(NamedTuple):
    """A root's row, and the events of its live episodes."""

    row: Packed
    raws: tuple[Raw, ...]


class _Turn:
    """Who is read together."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.reading: asyncio.Task[dict[str, Found]]


class Present:
    """Whoever asks while others are read is read with the next ones.

    So readers hold one connection, however many they are, and what a statement costs is shared. What is
    told is never older than the question: a turn's statement begins after all its members have asked.
    """

    def __init__(self, pool: AsyncEngine) -> None:
        self._pool = pool
        self._next: _Turn | None = None
        self._one = asyncio.Lock()
        self._kept: OrderedDict[tuple[object, ...], Ready] = OrderedDict()

    async def find(self, customer: str) -> Found | None:
        """By any id ever handed out (canonical UUID); None for one that never was."""
        turn = self._next
        if turn is None:
            turn = self._next = _Turn()
            turn.reading = asyncio.create_task(self._read(turn))
        turn.asked.add(customer)
        # Whoever goes away takes nobody along.
        return (await asyncio.shield(turn.reading)).get(customer)

    def ready(self, found: Found, engine: Engine) -> Ready:
        """Unpacked, once per content: equal bytes under one policy are unpacked alike, so none gets stale."""
        row = found.row
        key = (row.generation, row.state, row.attributes, tuple(row.live), found.raws)
        known = self._kept.get(key)
        if known is not None:
            self._kept.move_to_end(key)
            return known
        made = reads.ready(row, [events.stored(*raw) for raw in found.raws], engine)
        if _size(found) <= KEPT_BYTES:
            self._kept[key] = made
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return made

    async def _read(self, turn: _Turn) -> dict[str, Found]:
        async with self._one:
            self._next = None
            async with driver(self._pool) as conn:
                rows = await reading.packed(conn, turn.asked)
                live = await reading.of_live(conn, rows)
        return {
            row.asked: Found(row, tuple(chain.from_iterable(live.get(one, ()) for one in row.live)))
            for row in rows
        }


def _size(found: Found) -> int:
    """Bytes as packed."""
    return len(found.row.state or b"") + len(found.row.attributes or b"") + sum(len(r[0]) for r in found.raws)
