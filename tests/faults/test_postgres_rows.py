"""Rows of the failure table: PostgreSQL goes away, refuses, or loses what it was about to say."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from tests.e2e.loop import eventually
from tests.faults import verdict
from tests.faults.world import World

Act = Callable[[World], object]


def kill_a_backend(world: World) -> None:
    """As the kernel does when memory runs out: the server ends all sessions and recovers from its log."""
    (row,) = asyncio.run(
        query(
            world,
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
            " AND application_name = 'cxloop-scoring' ORDER BY state, query_start DESC LIMIT 1",
        )
    )
    os.kill(row["pid"], signal.SIGKILL)


async def query(world: World, statement: str) -> list[asyncpg.Record]:
    conn = await asyncpg.connect(world.database_url, timeout=10, command_timeout=60)
    try:
        return list(await conn.fetch(statement))
    finally:
        await conn.close()


AWAY: dict[str, tuple[Act, Act]] = {
    "PostgreSQL restarted": (lambda w: w.postgres.stop(), lambda w: w.postgres.start()),
    "PostgreSQL shut down at once": (lambda w: w.postgres.kill(), lambda w: w.postgres.start()),
    "a backend of PostgreSQL killed hard": (kill_a_backend, kill_a_backend),
    "PostgreSQL frozen": (lambda w: w.postgres.freeze(), lambda w: w.postgres.resume()),
    "PostgreSQL's packets dropped": (lambda w: w.postgres_net.hold(), lambda w: w.postgres_net.heal()),
    "PostgreSQL unreachable": (lambda w: w.postgres_net.refuse(), lambda w: w.postgres_net.heal()),
    "PostgreSQL slow by 50 ms each way": (
        lambda w: w.postgres_net.delay(0.05),
        lambda w: w.postgres_net.heal(),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", AWAY)
def test_away_and_back(world: World, name: str) -> None:
    leave, come_back = AWAY[name]
    with world.row(name) as row:
        leave(world)
        row.hold()
        come_back(world)
        row.over()


@pytest.mark.slow
@pytest.mark.parametrize("heard", [True, False])
def test_cut_in_the_middle_of_a_commit(world: World, heard: bool) -> None:
    """The server commits and the answer is lost; or the word never arrives."""
    name = f"connection cut in a commit, {'after' if heard else 'before'} the server heard it"
    with world.row(name) as row:
        trap = world.postgres_net.trap(b"COMMIT;", heard=heard, times=25)
        row.hold()
        eventually(lambda: trap.sprung >= 5, "five commits that were cut", 60)
        trap.left = 0
        row.over()


@pytest.mark.slow
def test_connections_used_up(world: World) -> None:
    """Others take every connection of the server, just when the services have to open new ones."""
    with world.row("connections of PostgreSQL used up") as row:
        with others(take_all(world)):
            row.hold()
        row.over()


async def take_all(world: World) -> None:
    """Cuts the services off and takes what becomes free, until cancelled."""
    mine: list[asyncpg.Connection] = []
    try:
        while True:
            try:
                mine.append(await asyncpg.connect(world.database_url, timeout=5))
            except asyncpg.TooManyConnectionsError:
                world.postgres_net.cut()
                await asyncio.sleep(0.02)
    finally:
        for conn in mine:
            conn.terminate()


@pytest.mark.slow
@pytest.mark.parametrize("quiet", [False, True], ids=["under traffic", "with no event after it"])
def test_set_back_to_a_backup(world: World, quiet: bool) -> None:
    """What was folded in after the backup is folded in again from Kafka, whether or not anything new comes.

    Lost are what PostgreSQL alone had since the backup: settings (sources, keys, rules), steps on alerts, and
    what lay in the spool because Kafka was away too. Alerts of that time are told again under other ids.
    """
    name = "PostgreSQL set back to a backup" + (", nothing new comes" if quiet else "")
    with world.row(name, fault_s=(4, 300)) as row:
        row.told_again = True
        backup = world.back_up()
        row.flows()
        row.hold()
        if quiet:
            row.traffic.stop(60)
            verdict.nothing_unread(world.database_url, world.kafka.bootstrap)
        world.set_back(backup)
        row.over()
        if not quiet:
            row.flows()


@pytest.mark.slow
def test_a_lock_held_by_somebody_else(world: World) -> None:
    """A session that locks the customers, as a careless migration does: whoever needs them waits."""
    with world.row("customers locked by somebody") as row:
        with others(lock_customers(world)):
            row.hold()
        row.over()


@pytest.mark.slow
def test_deadlocks_with_replicas_and_strangers(world: World) -> None:
    """Two scoring processes, and a stranger who locks customers the other way round."""
    with world.replica("scoring"), world.row("deadlocks") as row:
        before = deadlocks(world)
        with others(lock_backwards(world)):
            row.hold()
            eventually(lambda: deadlocks(world) > before, "a deadlock", 60)
        row.over()


def deadlocks(world: World) -> int:
    (row,) = asyncio.run(query(world, "SELECT sum(deadlocks)::int AS n FROM pg_stat_database"))
    return int(row["n"])


async def lock_customers(world: World) -> None:
    conn = await asyncpg.connect(world.database_url, timeout=10)
    try:
        async with conn.transaction():
            await conn.execute("LOCK TABLE scoring.customer IN ACCESS EXCLUSIVE MODE")
            await asyncio.Event().wait()
    finally:
        conn.terminate()


async def lock_backwards(world: World) -> None:
    conn = await asyncpg.connect(world.database_url, timeout=10)
    try:
        while True:
            try:
                async with conn.transaction():
                    newest = await conn.fetch(
                        "SELECT id FROM scoring.customer WHERE merged_into IS NULL"
                        " ORDER BY scored_at DESC LIMIT 12"
                    )
                    for row in sorted(newest, key=lambda row: row["id"], reverse=True):
                        await conn.execute("SELECT FROM scoring.customer WHERE id = $1 FOR UPDATE", row["id"])
                        await asyncio.sleep(0.05)
            except asyncpg.DeadlockDetectedError:
                continue
    finally:
        conn.terminate()


@contextmanager
def others(work: Coroutine[None, None, None]) -> Iterator[None]:
    """Runs it in a thread while the block lasts; what it raises before is raised in the end."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(work)

    def run() -> None:
        loop.run_until_complete(asyncio.wait({task}))

    thread = threading.Thread(target=run, name="others", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(30)
        loop.close()
    assert task.cancelled(), task.exception()
