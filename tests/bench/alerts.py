"""alerts: rules over a stream of score changes, and deliveries to a fast receiver while a hundred hang."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

import asyncpg
import httpx

from shared.bus.topics import SCORES
from tests.bench.edge import api_key
from tests.bench.processes import check_alive, cpu_s, running, tree_cpu_s
from tests.bench.report import Row, Side, row
from tests.bench.scoring import prepared
from tests.bench.world import World, begin_here, place_group, rounds_within
from tests.e2e.loop import free_ports

FAMILY = "alerts"
ROUNDS = 3
PATIENCE_S, BUDGET_S = 60.0, 60.0
HANGING, WAITING, FAST = 100, 5, 6000
_PROGRESS = "SELECT coalesce(sum(next_offset), 0) FROM alerts.progress WHERE topic = 'cx.scores.v1'"
_FILL = """
INSERT INTO alerts.delivery (id, lane, alert, version, what, body, state)
SELECT gen_random_uuid()::text, $1, gen_random_uuid()::text, 1, 'opened', $3, 'pending'
FROM generate_series(1, $2)
"""
BODY = b'{"specversion":"1.0","id":"x","type":"cxloop.alert.opened.v1","data":{"words":"%s"}}' % (b"x" * 2000)


@dataclass(frozen=True)
class Rate:
    """Items per second; µs of CPU per item of the service and of PostgreSQL."""

    rate: float
    cpu_us: float
    database_us: float


class Meter:
    """Rate between two looks at a count."""

    def __init__(self, world: World, pid: int) -> None:
        self._world, self._pid = world, pid
        self._began: tuple[float, int, float, float] | None = None

    @property
    def running(self) -> bool:
        return self._began is not None

    def _look(self, count: int) -> tuple[float, int, float, float]:
        check_alive(self._pid)
        return time.perf_counter(), count, cpu_s(self._pid), tree_cpu_s(self._world.postgres.pid)

    def begin(self, count: int) -> None:
        self._began = self._look(count)

    def end(self, count: int) -> Rate:
        assert self._began is not None
        now = self._look(count)
        items = max(1, now[1] - self._began[1])  # none where one batch was all there was
        took, used, database = (now[i] - self._began[i] for i in (0, 2, 3))
        return Rate(items / took, used / items * 1e6, database / items * 1e6)


def measure(world: World, rounds: int, told: Callable[[str], None]) -> Iterator[Row | Side]:
    stage = prepared(world, told)
    total = sum(stage.scores.values())
    heard, sent = [], []
    for number in rounds_within(min(rounds, ROUNDS), BUDGET_S):
        told(f"round {number + 1}, rules over {total} score changes")
        heard.append(rules(world, total))
        told(f"round {number + 1}, deliveries while {HANGING} receivers hang")
        sent.append(deliveries(world))
    ratios = [one.rate / stage.live.rate for one in heard]
    note = "messages of everybody's story so far; scoring's own rate over the events that made them"
    yield row(FAMILY, "rules over score changes / scoring's events", ratios, 1, note=note)
    name = f"deliveries to a fast receiver while {HANGING} hang"
    yield row(FAMILY, name, [one.rate for one in sent], 1000, unit="/s")
    yield from (_side("rules, per message", heard), _side("dispatcher, per delivery", sent))


def _side(name: str, found: Sequence[Rate]) -> Side:
    more = {"PostgreSQL µs": round(median(one.database_us for one in found), 1)}
    return Side(
        FAMILY, name, median(one.rate for one in found), median(one.cpu_us for one in found), more=more
    )


def rules(world: World, total: int) -> Rate:
    """alerts from the beginning of the topic of scores to `total`, with the shipped rules."""
    name, group = world.fresh_database("rules"), f"bench-{time.time_ns()}"
    place_group(world, group, SCORES, dict.fromkeys(range(12), 0))
    env = world.env(name, CXLOOP_PORT=str(free_ports(1)[0]), CXLOOP_CONSUMER_GROUP=group)
    with running("services.alerts", env=env) as pid:
        meter = Meter(world, pid)

        async def watch(connection: asyncpg.Connection[Any]) -> Rate:
            until = time.monotonic() + PATIENCE_S
            while time.monotonic() < until:
                done = int(await connection.fetchval(_PROGRESS))
                if not meter.running and done >= total // 10:
                    meter.begin(done)
                elif meter.running and done >= total:
                    return meter.end(done)
                await asyncio.sleep(0.02)
            raise TimeoutError(f"alerts stands at {done} of {total}")

        return world.sql(watch, name)


def deliveries(world: World) -> Rate:
    """A backlog for one fast endpoint beside a hundred that never answer."""
    name, group = world.fresh_database("deliveries"), f"bench-{time.time_ns()}"
    begin_here(world, name, group, SCORES)
    port, receiver = free_ports(2)
    env = world.env(
        name, CXLOOP_PORT=str(port), CXLOOP_CONSUMER_GROUP=group, CXLOOP_ALLOW_TARGETS="127.0.0.0/8"
    )
    with ExitStack() as stack:
        stack.enter_context(running("tests.bench.contenders.receiver", str(receiver), env=env, port=receiver))
        pid = stack.enter_context(running("services.alerts", env=env, port=port))
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{receiver}"))
        _endpoints(port, receiver, api_key(world.url(name)))
        world.sql(_backlog, name)
        meter = Meter(world, pid)
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            count = client.get("/count").json()
            if not meter.running and count >= FAST // 20:
                meter.begin(count)
            elif meter.running and count >= FAST:
                return meter.end(count)
            time.sleep(0.02)
        if not meter.running:
            raise TimeoutError(f"{count} of {FAST} deliveries in {PATIENCE_S} s")
        return meter.end(count)


def _endpoints(port: int, receiver: int, key: str) -> None:
    base = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=base, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        for host, name in [("0.1", "fast"), *((f"1.{n + 1}", f"hang-{n}") for n in range(HANGING))]:
            made = {"id": name, "kind": "webhook", "url": f"http://127.0.{host}:{receiver}/{name}"}
            answer = client.post("/v1/endpoints", json=made | {"councils": ["default"]})
            if answer.status_code != 201:
                raise RuntimeError(f"the endpoint was refused: {answer.text}")


async def _backlog(connection: asyncpg.Connection[Any]) -> None:
    """The hanging ones first, so that they have their slots when the fast one's turn comes."""
    for number in range(HANGING):
        await connection.execute(_FILL, f"hang-{number}", WAITING, BODY)
    await asyncio.sleep(2)
    await connection.execute(_FILL, "fast", FAST, BODY)
