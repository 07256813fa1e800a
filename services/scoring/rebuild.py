"""Fold every customer anew from the log and compare with the row the service works with.

1. Row and log are read in one snapshot and scored at one time: they must agree to the last bit. So must the
   kept folds of settled episodes, from which the next event goes on.
2. A row that does not is marked as of an older policy. Reads then fold the log until the sweeper's slow lane
   has written the row anew: its version rises, the change is told quietly, and nobody is paged.
3. Rows that an older policy scored are in that lane already and are only counted.
4. Where there are many, every core folds its part: customers do not depend on each other.
Accounts are left out: they are sums of their people, made anew whenever one of these is.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from services.scoring import policy_files
from services.scoring.comparison import Difference, compare
from services.scoring.domain.model import day_zero
from services.scoring.engine import Engine
from services.scoring.store import policies
from services.scoring.store.types import Conn
from shared.db.engine import create_engine, driver

AT_ONCE: Final = 100
SHARE: Final = 400
"""Customers that a process folds between two reports of how far it is."""
CONTEXT: Final = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__, "sqlalchemy.ext.asyncio", "sqlalchemy.dialects.postgresql.asyncpg"])
FIRST: Final = "00000000-0000-0000-0000-000000000000"
_ROOTS = """
SELECT id::text FROM scoring.customer
WHERE id > $1::uuid AND merged_into IS NULL AND NOT organisation AND state IS NOT NULL ORDER BY id LIMIT $2
"""
_MARK = "UPDATE scoring.customer SET generation = 0 WHERE id = ANY($1::uuid[]) AND merged_into IS NULL"


class NotInForceError(Exception):
    """The policy given is not the one by which the database's rows were scored."""


class Report(msgspec.Struct, frozen=True):
    """What a rebuild found. `older` rows wait for the slow lane and were not compared."""

    customers: int
    older: int
    differences: tuple[Difference, ...]
    marked: int


class Compared(NamedTuple):
    """What was found among some customers, as `Report` says it of all."""

    customers: int
    older: int
    differences: list[Difference]


async def rebuild(
    database_url: str,
    policy_file: Path | None = None,
    *,
    only: str | None = None,
    mark: bool = True,
    told: Callable[[int], None] = lambda _: None,
) -> Report:
    """Compare all customers, or `only` one; `told` hears how many are done.

    With `mark` those that differ are folded anew by the running service. Raises PolicyError, NotInForceError.
    """
    file = policy_file or policy_files.SHIPPED
    if not only:
        _prepare_workers()
    pool = create_engine(database_url, 1, "cxloop-rebuild")
    try:
        seen, older, found = 0, 0, list[Difference]()
        async with driver(pool) as conn:
            engine = await _in_force(conn, file)
            async for part in _compared(conn, engine, database_url, file, only):
                seen, older = seen + part.customers, older + part.older
                found += part.differences
                told(seen)
            differing = sorted({difference.customer_id for difference in found})
            if mark and differing:
                await conn.execute(_MARK, differing)
        return Report(seen, older, tuple(found), len(differing) if mark else 0)
    finally:
        await pool.dispose()


def _prepare_workers() -> None:
    """What they need is imported while we look who there is, by a server that an interrupt does not reach:
    it is for us, and we end our children."""
    resource_tracker.ensure_running()  # it would let interrupts through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _compared(
    conn: Conn, engine: Engine, database_url: str, file: Path, only: str | None
) -> AsyncIterator[Compared]:
    """Few customers are folded here, many by a process per core (case 4)."""
    share = [only] if only else await _roots(conn, FIRST)
    if len(share) < SHARE:
        yield await _fold(conn, engine, share)
        return
    cores = len(os.sched_getaffinity(0))
    workers = ProcessPoolExecutor(
        cores, mp_context=CONTEXT, initializer=_begin, initargs=(database_url, file)
    )
    folding: set[asyncio.Future[Compared]] = set()
    try:
        while share or folding:
            while share and len(folding) <= cores:  # one more than is folded, so that nobody waits for us
                folding.add(asyncio.wrap_future(workers.submit(_fold_share, share)))
                share = await _roots(conn, share[-1])
            done, folding = await asyncio.wait(folding, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                yield one.result()
    finally:
        for one in folding:
            one.cancel()
        workers.shutdown(cancel_futures=True)


class _Worker:
    """What a process keeps from one share to the next."""

    def __init__(self, database_url: str, file: Path) -> None:
        self._file = file
        self._pool = create_engine(database_url, 1, "cxloop-rebuild")
        self._runner = asyncio.Runner()
        self._engine: Engine | None = None

    def fold(self, customers: list[str]) -> Compared:
        return self._runner.run(self._fold(customers))

    async def _fold(self, customers: list[str]) -> Compared:
        async with driver(self._pool) as conn:
            self._engine = self._engine or await _in_force(conn, self._file)
            return await _fold(conn, self._engine, customers)


_worker: _Worker | None = None


def _begin(database_url: str, file: Path) -> None:
    """Prepare this process; it connects with its first share, where errors are told."""
    global _worker  # noqa: PLW0603 - the pool hands nothing else from its initializer to its tasks
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted as well, and ends us
    _worker = _Worker(database_url, file)


def _fold_share(customers: list[str]) -> Compared:
    assert _worker is not None, "the initializer has run"
    return _worker.fold(customers)


async def _fold(conn: Conn, engine: Engine, customers: list[str]) -> Compared:
    older, found = 0, list[Difference]()
    for start in range(0, len(customers), AT_ONCE):
        late, differences = await compare(conn, customers[start : start + AT_ONCE], engine)
        older, found = older + late, found + differences
    return Compared(len(customers), older, found)


async def _in_force(conn: Conn, file: Path) -> Engine:
    """What the service scores by; never adopts, for the service would have to follow."""
    policy = policy_files.load(file)
    model = day_zero(policy)
    generations = await policies.all_generations(conn)
    if not generations or (generations[-1].policy, generations[-1].model) != (policy.id, model.id):
        raise NotInForceError(f"the policy {file.name} is not the one in force")
    return Engine(policy, model, generations[-1].number)


async def _roots(conn: Conn, after: str) -> list[str]:
    return [record[0] for record in await conn.fetch(_ROOTS, after, SHARE)]
