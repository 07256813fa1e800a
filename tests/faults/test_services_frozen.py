"""Rows of the failure table: a process stands still for long, while it holds what others need."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from tests.e2e.loop import eventually
from tests.faults import verdict
from tests.faults.freezing import Freezer
from tests.faults.gauges import gauge
from tests.faults.programs import Program
from tests.faults.test_services_replicas import GROUPS, owns
from tests.faults.world import SOAK, World

PATIENCE_S = 120.0
LAST_WORDS = {"scoring": b"INSERT INTO scoring.progress", "alerts": b"INSERT INTO alerts.progress"}
"""The last statement of a batch; at a connection's first batch it passes as text."""


@pytest.mark.slow
def test_frozen_while_it_holds_locks(world: World) -> None:
    """A replica of each service stands still: in the middle of a transaction, and as owner of partitions and
    lanes. The others go on once the server, and the group, have let go of it; then it wakes up.

    Short form: 20 s, with the server's patience lowered from 30 s to 8 s. Long form: 20 minutes, as it is.
    """
    with ExitStack() as stack:
        freezers = [stack.enter_context(freezer(world, service)) for service in GROUPS]
        ingest = stack.enter_context(world.replica("ingest"))
        name = "a replica of each service frozen, holding row locks, partitions and lanes"
        with world.row(name, fault_s=(20, 1200)) as row:
            stack.callback(ingest.resume)
            for one in freezers:
                eventually(partial(is_frozen, one), "frozen in a batch", PATIENCE_S)
            assert holders(world) >= len(GROUPS), "row locks are held"
            ingest.freeze()
            began = time.monotonic()
            verdict.Folded(world.loop, row.traffic.acknowledged).wait(PATIENCE_S)
            folded_s = time.monotonic() - began
            eventually(lambda: not told_late(world), "the lanes of the frozen have other owners", PATIENCE_S)
            told_s = time.monotonic() - began
            row.hold()
            ingest.resume()
            for one in freezers:
                one.resume()
            row.over()
            for one in freezers:
                eventually(partial(is_back, world, one), "member of its group, owner of lanes", PATIENCE_S)
            row.flows()
        measured = {"others folded after s": folded_s, "others told after s": told_s}
        sys.stdout.write(f"\n{json.dumps(measured)}\n")


@contextmanager
def freezer(world: World, service: str) -> Iterator[Freezer]:
    """A replica that will freeze at the end of its first batch."""
    proxy = Freezer(world._postgres_socket, lowered=not SOAK)
    url = f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres?sslmode=disable"
    try:
        with world.replica(service, DATABASE_URL=url) as program:
            proxy.freeze_at(program, LAST_WORDS[service])
            yield proxy
            proxy.resume()
    finally:
        proxy.close()


def is_frozen(one: Freezer) -> bool:
    assert one.program is not None
    return Path(f"/proc/{one.program.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def is_back(world: World, one: Freezer) -> bool:
    program: Program | None = one.program
    assert program is not None
    return program.is_ready() and owns(world, program) and gauge(world, program, "outbox_lanes") > 0


def holders(world: World) -> int:
    """Silent transactions that have written, and are not at an end."""
    return ask(
        world,
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE state = 'idle in transaction' AND backend_xid IS NOT NULL",
    )


def told_late(world: World) -> int:
    """Messages of scoring that have waited for longer than any relay at work lets them."""
    return ask(world, "SELECT count(*) FROM scoring.outbox WHERE added_at < now() - interval '6 s'")


def ask(world: World, query: str) -> int:
    async def run() -> int:
        conn = await asyncpg.connect(world.database_url, timeout=10, command_timeout=30)
        try:
            return int(await conn.fetchval(query))
        finally:
            await conn.close()

    return asyncio.run(run())
