"""scoring, from Kafka to committed state and emitted change, against programs that write the same rows.

All read the same records into copies of the same database, in which every customer is known already.
What is measured begins after the first tenth and ends when the last row is committed and the outbox empty.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from shared.bus.topics import FEEDBACK, SCORES
from tests.bench.peers import installed
from tests.bench.processes import check_alive, cpu_s, rss_mb, running, tree_cpu_s
from tests.bench.rebuilding import Rebuilt, rebuild, rebuild_rows
from tests.bench.report import Row, Side, paired, row
from tests.bench.traffic import Traffic, traffic
from tests.bench.world import World, ends, last_records, place_group, publish, rounds_within
from tests.e2e.loop import free_ports

FAMILY = "scoring"
KNOWN, ROUND = "known", "round"
CUSTOMERS = int(os.environ.get("BENCH_CUSTOMERS", "4000"))
PATIENCE_S = 180.0
BUDGET_S = 200.0
_DONE = """
SELECT (SELECT coalesce(sum(next_offset), 0) FROM scoring.progress WHERE topic = 'cx.feedback.v1'),
  EXISTS (SELECT FROM scoring.outbox)
"""

_STORE = """
WITH size AS (SELECT relname::text AS name, pg_total_relation_size(oid) AS bytes FROM pg_class
  WHERE relnamespace = 'scoring'::regnamespace AND relkind = 'r')
SELECT (SELECT sum(bytes) FROM size WHERE name LIKE 'event%' OR name LIKE 'claim%' OR name = 'episode')
    / (SELECT count(*) FROM scoring.event),
  (SELECT sum(bytes) FROM size WHERE name IN ('customer', 'identifier', 'link'))
    / (SELECT count(*) FROM scoring.customer WHERE state IS NOT NULL)
"""

Watch = Callable[["asyncpg.Connection[Any]"], Awaitable["Pass"]]


@dataclass(frozen=True)
class Contender:
    """A module to run with these words; `share` of the stream is enough to measure a slow one."""

    name: str
    module: str
    words: tuple[str, ...] = ()
    share: float = 1.0
    goal: float | None = None
    python: str = sys.executable


OURS = Contender("scoring", "services.scoring")
FIELD = (
    OURS,
    Contender("consume + merge", "tests.bench.contenders.merge", goal=0.5),
    Contender("naive ORM", "tests.bench.contenders.naive", share=0.06, goal=20),
)
PEERS = (
    ("FastStream, batch", "faststream", ()),
    ("quixstreams", "quix", ()),
    ("Arroyo", "arroyo", ()),
    ("Faust", "faust", ("worker", "-l", "error")),
)


def peers(told: Callable[[str], None]) -> list[Contender]:
    """Those that could be installed."""
    python = installed(told)
    return [
        Contender(n, f"tests.bench.contenders.peers.{m}", w, 1.0, 1, python) for n, m, w in PEERS if python
    ]


@dataclass(frozen=True)
class Pass:
    """One contender over the stream: events per second, and µs of CPU per event by who used it."""

    rate: float
    cpu_us: float
    database_us: float
    broker_us: float
    memory_mb: float


@dataclass(frozen=True)
class Stage:
    """The topic from `start` on is the stream; the database `KNOWN` is as it was before it."""

    world: World
    start: dict[int, int]
    stream: int
    message: Path
    scores: dict[int, int]
    """How far the topic of scores was when all that is known had been told."""
    live: Pass
    """scoring itself over what everybody's story began with."""


def prepared(world: World, told: Callable[[str], None]) -> Stage:
    """Everybody's story so far, folded by scoring itself, once per run; then the stream in the topic."""
    if FAMILY not in world.kept:
        told("everybody's story so far")
        world.kept[FAMILY] = _prepare(world, traffic(CUSTOMERS))
    stage: Stage = world.kept[FAMILY]
    return stage


def _prepare(world: World, found: Traffic) -> Stage:
    world.fresh_database(KNOWN)
    publish(world, found.known)
    count = len(found.known)
    with _scoring(world, KNOWN, "bench-known") as pid:
        live = world.sql(_watch(world, pid, (count // 10, count), True), KNOWN)
    scores = ends(world, SCORES)
    world.sql(_settle, KNOWN)
    start = ends(world, FEEDBACK)
    message = world.folder / "message"
    told = sorted(last_records(world, SCORES, 400), key=len)
    message.write_bytes(told[len(told) // 2])
    publish(world, found.stream)
    return Stage(world, start, len(found.stream), message, scores, live)


async def _settle(connection: asyncpg.Connection[Any]) -> None:
    """The look that follows a minute after each event would fall into some rounds and not into others."""
    await connection.execute("UPDATE scoring.customer SET next_at = next_at + 3600000000")
    await connection.execute("DELETE FROM scoring.dirty_account")
    await connection.execute("VACUUM ANALYZE")


def _scoring(world: World, database: str, group: str) -> AbstractContextManager[int]:
    (port,) = free_ports(1)
    env = world.env(database, CXLOOP_PORT=str(port), CXLOOP_CONSUMER_GROUP=group)
    return running("services.scoring", env=env)


async def _progress(connection: asyncpg.Connection[Any]) -> tuple[int, bool]:
    """Events whose effects are committed; does anything wait to be told?"""
    found = await connection.fetchrow(_DONE)
    assert found is not None
    return int(found[0]), bool(found[1])


def once(stage: Stage, contender: Contender, name: str, template: str | None = KNOWN) -> Pass:
    """One pass over what the database `name` has not seen: a fresh copy of `template`, or as it is."""
    world = stage.world
    group = f"bench-{time.time_ns()}"
    if template is not None:
        world.fresh_database(name, template)
    start = world.sql(_standing, name)
    place_group(world, group, FEEDBACK, start)
    env = world.env(
        name,
        CXLOOP_PORT=str(free_ports(1)[0]),
        CXLOOP_CONSUMER_GROUP=group,
        BENCH_GROUP=group,
        BENCH_MESSAGE=str(stage.message),
    )
    first = sum(start.values())
    count = int((sum(stage.start.values()) + stage.stream - first) * contender.share)
    with running(contender.module, *contender.words, env=env, python=contender.python) as pid:
        return world.sql(_watch(world, pid, (first + count // 10, first + count), whole(contender)), name)


async def _standing(connection: asyncpg.Connection[Any]) -> dict[int, int]:
    rows = await connection.fetch(
        "SELECT partition, next_offset FROM scoring.progress WHERE topic = $1", FEEDBACK
    )
    return {row[0]: row[1] for row in rows}


def whole(contender: Contender) -> bool:
    return contender.share == 1.0


def _watch(world: World, pid: int, span: tuple[int, int], to_the_end: bool) -> Watch:
    async def watch(connection: asyncpg.Connection[Any]) -> Pass:
        begun: tuple[float, int, tuple[float, ...]] | None = None
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            check_alive(pid)
            done, waiting = await _progress(connection)
            now = (time.perf_counter(), done, _cpu(world, pid))
            if begun is None and done >= span[0]:
                begun = now
            elif begun and done >= span[1] and not (to_the_end and waiting):
                events = int(done - begun[1])
                own, database, broker = (
                    (b - a) / events * 1e6 for a, b in zip(begun[2], now[2], strict=True)
                )
                rate = events / (now[0] - begun[0])
                return Pass(rate, own, database, broker, rss_mb(pid))
            await asyncio.sleep(0.02)
        raise TimeoutError(f"pid {pid} stands at {done} of {span[1]}; see build/bench-*.log")

    return watch


def _cpu(world: World, pid: int) -> tuple[float, ...]:
    return cpu_s(pid), tree_cpu_s(world.postgres.pid), cpu_s(world.kafka.pid)


def measure(world: World, rounds: int, told: Callable[[str], None]) -> Iterator[Row | Side | str]:
    """Everybody once per round, the order reversed between rounds; after each pass of ours a rebuild."""
    stage, field = prepared(world, told), [*FIELD, *peers(told)]
    passes: dict[str, list[Pass]] = {one.name: [] for one in field}
    rebuilds: list[Rebuilt] = []
    for number in rounds_within(rounds, BUDGET_S):
        for contender in field[:: -1 if number % 2 else 1]:
            told(f"round {number + 1} of {rounds}, {contender.name}")
            try:
                passes[contender.name].append(once(stage, contender, ROUND))
            except (RuntimeError, TimeoutError) as error:
                if contender.python == sys.executable:
                    raise
                yield f"{contender.name} does not run here: {error}"
                field = [one for one in field if one is not contender]
                del passes[contender.name]
            if contender is OURS:
                told(f"round {number + 1} of {rounds}, rebuild")
                rebuilds.append(rebuild(world, ROUND))
    if len(field) == len(FIELD):
        yield "peers: their environment could not be installed"
    yield from _rows(field, passes)
    yield world.sql(_store, KNOWN)
    yield from rebuild_rows(rebuilds, [one.rate for one in passes[OURS.name]])


async def _store(connection: asyncpg.Connection[Any]) -> Side:
    """What an event and a customer take on disk, indexes included."""
    found = await connection.fetchrow(_STORE)
    assert found is not None
    sizes = {"bytes per event": float(found[0]), "bytes per customer": float(found[1])}
    return Side("store", "store", 0.0, 0.0, more=sizes)


def _rows(field: Sequence[Contender], passes: Mapping[str, list[Pass]]) -> Iterator[Row | Side]:
    ours = [one.rate for one in passes[OURS.name]]
    for contender in field[1:]:
        rates = [one.rate for one in passes[contender.name]]
        yield row(FAMILY, f"scoring / {contender.name}", paired(ours, rates), contender.goal)
    for name, found in passes.items():
        yield Side(
            FAMILY,
            name,
            median(p.rate for p in found),
            median(p.cpu_us for p in found),
            more={
                "PostgreSQL µs": round(median(p.database_us for p in found), 1),
                "Kafka µs": round(median(p.broker_us for p in found), 1),
            },
        )
