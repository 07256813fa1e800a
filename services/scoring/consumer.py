"""The loop from `cx.feedback.v1` to committed scores.

Commit protocol. `progress` in the database is the truth about offsets, Kafka's committed ones are a copy:
1. A batch comes with the first offset of each partition.
2. Where it begins beyond `progress`, the database is older than Kafka believes (a failover, a restore):
   nothing is done, and the loop steps back to `progress` (never before the log's beginning), in all of its
   partitions, for a quiet one shows no gap of its own. Where nothing comes at all the loop asks by itself.
3. Else it is folded in; each transaction writes `progress` with what it folded.
4. Only then does the loop commit to Kafka. A crash between 3 and 4 repeats the batch, and claims make the
   repetition harmless.
A partition that was never seen begins at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring import measures
from services.scoring.batch import Context, absorb
from services.scoring.precedence import Precedence
from services.scoring.store import progress
from services.scoring.store.policies import SupersededError
from services.scoring.store.types import Conn
from shared.bus.consumer import Batch, SeekTo
from shared.db.engine import driver

log = structlog.get_logger()

PARTITIONS: Final = 1024
"""More than any topic of ours has."""
POISON_SHARE: Final = 0.9
POISON_LEAST: Final = 100


class Folder:
    """Handles batches of the consumer loop. `told` is called after commits that wrote messages."""

    def __init__(
        self,
        engine: AsyncEngine,
        context: Context,
        told: Callable[[], None],
        precedence: Precedence | None = None,
    ) -> None:
        self._engine = engine
        self._context = context
        self._told = told
        self._precedence = precedence or Precedence()
        self.superseded = False
        self.poisoned = False

    async def handle(self, batch: Batch) -> None:
        """Fold a batch in. Raises SeekTo, or whatever keeps the database from committing."""
        with self._precedence.batch():
            tally = await self._fold_in(batch)
        self._told()
        self._measure(batch, dict(tally))

    async def _fold_in(self, batch: Batch) -> Mapping[str, int]:
        async with driver(self._engine) as conn:
            known = await progress.read(conn, list(batch.first_offsets))
            behind = _behind(batch, known)
            if behind:
                measures.REWOUND.inc(len(behind))
                log.warning("the database is behind the committed offsets, reading again", count=len(behind))
                raise SeekTo(await _everywhere(conn, behind))
            try:
                return await absorb(conn, batch.records, self._context)
            except SupersededError:
                self.superseded = True
                raise

    async def progress(self, partitions: list[progress.Partition]) -> dict[progress.Partition, int]:
        """How far the database is, for the loop to compare."""
        async with driver(self._engine) as conn:
            return await progress.read(conn, partitions)

    def _measure(self, batch: Batch, tally: dict[str, int]) -> None:
        measures.BATCH.observe(len(batch.records))
        for outcome, count in tally.items():
            measures.EVENTS.labels(outcome).inc(count)
        now = datetime.now(UTC).timestamp()
        measures.AGE.observe(max(0.0, now - batch.records[-1].timestamp / 1000))
        rejected = tally.get("rejected", 0)
        self.poisoned = len(batch.records) >= POISON_LEAST and rejected >= POISON_SHARE * len(batch.records)
        if rejected:
            log.warning("events refused, listed under rejected", count=rejected, of=len(batch.records))


async def _everywhere(conn: Conn, behind: Iterable[progress.Partition]) -> dict[progress.Partition, int]:
    """Where each partition stands that may be ours; the loop picks those that are."""
    every = [(topic, number) for topic in {topic for topic, _ in behind} for number in range(PARTITIONS)]
    known = await progress.read(conn, every)
    return {partition: known.get(partition, 0) for partition in every}


def _behind(batch: Batch, known: dict[progress.Partition, int]) -> dict[progress.Partition, int]:
    """Partitions of which something was not folded in yet, and is still in the log."""
    behind = {}
    for partition, first in batch.first_offsets.items():
        done = max(known.get(partition, 0), batch.floors.get(partition, 0))
        if first > done:
            behind[partition] = done
    return behind
