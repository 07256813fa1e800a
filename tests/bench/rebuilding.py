"""`cxloop rebuild` folds the log anew: events per second, against live scoring in the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import asyncpg

from tests.bench.processes import ROOT, tree_cpu_s
from tests.bench.report import Row, Side, paired, row
from tests.bench.world import World

FAMILY = "rebuild"
PROGRAM = """
import asyncio, json, os, sys, time
from pathlib import Path
from services.scoring.rebuild import rebuild
from tests.bench.processes import tree_cpu_s
began, used = time.perf_counter(), time.process_time()
report = asyncio.run(rebuild(os.environ["DATABASE_URL"], mark=False))
took = time.perf_counter() - began
below = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
cpu_s = time.process_time() - used + sum(tree_cpu_s(int(child)) for child in below)
json.dump({"seconds": took, "cpu_s": cpu_s,
           "differences": len(report.differences), "older": report.older}, sys.stdout)
"""


@dataclass(frozen=True)
class Rebuilt:
    """Events of the log per second; µs of CPU per event of the command and of PostgreSQL."""

    rate: float
    cpu_us: float
    database_us: float


def rebuild(world: World, database: str) -> Rebuilt:
    """Raises RuntimeError where a customer differs: a fast answer that is wrong is none."""

    async def count(connection: asyncpg.Connection[Any]) -> int:
        return int(await connection.fetchval("SELECT count(*) FROM scoring.event"))

    events = world.sql(count, database)
    before, began = tree_cpu_s(world.postgres.pid), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | world.env(database),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"rebuild failed after {time.monotonic() - began:.0f} s: {done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["differences"] or found["older"]:
        raise RuntimeError(f"rebuild found {found}")
    used = tree_cpu_s(world.postgres.pid) - before
    return Rebuilt(events / found["seconds"], found["cpu_s"] / events * 1e6, used / events * 1e6)


def rebuild_rows(rebuilds: Sequence[Rebuilt], live: Sequence[float]) -> Iterator[Row | Side]:
    yield row(FAMILY, "rebuild / live scoring", paired([one.rate for one in rebuilds], live), 5)
    more = {"PostgreSQL µs": round(median(one.database_us for one in rebuilds), 1)}
    rate, cpu = median(one.rate for one in rebuilds), median(one.cpu_us for one in rebuilds)
    yield Side(FAMILY, "rebuild", rate, cpu, more=more)
