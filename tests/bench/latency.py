"""The whole loop at half of what saturates it: webhook to readable score, to alert on the wire, and reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

import asyncpg
import httpx

from services.demo.post import DESK, SURVEY
from shared.bus.topics import FEEDBACK, SCORES
from tests.bench.edge import NO_LIMIT, api_key, sample
from tests.bench.load import Load, http_request
from tests.bench.pacing import Paced, Pacer
from tests.bench.posts import deliveries
from tests.bench.processes import running
from tests.bench.report import Row, Side, paired, percentile, row
from tests.bench.scoring import KNOWN, prepared
from tests.bench.world import World, begin_here
from tests.e2e.loop import free_ports

FAMILY = "latency"
DATABASE = "latency"
BURST = 600
STEADY_S = 10.0
READERS, READ_S, READ_ROUNDS = 16, 1.5, 5
CUSTOMERS = 200
ANY_CUSTOMERS = """
SELECT id::text FROM scoring.customer WHERE state IS NOT NULL AND merged_into IS NULL AND NOT organisation
ORDER BY md5(id::text) LIMIT $1
"""


@dataclass(frozen=True)
class Running:
    """Ports of the three services, the receiver and the bare select; the key; who can be read."""

    ingest: int
    scoring: int
    alerts: int
    receiver: int
    bare: int
    key: str
    customers: list[str]
    pids: dict[int, int]

    def read(self, customer: str) -> bytes:
        headers = {"authorization": f"Bearer {self.key}"}
        return http_request(f"/v1/customers/{customer}/score", headers, method="GET")


def measure(world: World, rounds: int, told: Callable[[str], None]) -> Iterator[Row | Side]:
    prepared(world, told)
    told("starting everything")
    with ExitStack() as stack:
        loop = _start(world, stack)
        secrets = _connect(loop)
        told("what saturates it")
        pacer = Pacer(world.url(DATABASE), world.kafka.bootstrap, loop.ingest, loop.scoring, loop.receiver)
        feed = deliveries(secrets)
        most = median(asyncio.run(pacer.burst(feed, BURST)) for _ in range(rounds))
        reads, half = [loop.read(customer) for customer in loop.customers], []
        for number in range(rounds):
            told(f"round {number + 1} of {rounds}, {STEADY_S:.0f} s at {most / 2:.0f}/s, half of it")
            half.append(asyncio.run(pacer.steady(feed, most / 2, STEADY_S, reads, loop.key)))
        yield from _paced_rows(half, most)
        told(f"{STEADY_S:.0f} s at {most / 10:.0f}/s, a tenth of it")
        calm = asyncio.run(pacer.steady(feed, most / 10, STEADY_S, reads, loop.key))
        yield from _calm_rows(calm, most)
        yield from _reads(loop, min(rounds, READ_ROUNDS), told)


def _start(world: World, stack: ExitStack) -> Running:
    world.fresh_database(DATABASE, KNOWN)
    begin_here(world, DATABASE, "bench-latency", FEEDBACK, SCORES)
    ports = free_ports(5)
    pids = {}
    env = world.env(DATABASE, CXLOOP_CONSUMER_GROUP="bench-latency", CXLOOP_ALLOW_TARGETS="127.0.0.0/8")
    for service, port in zip(("ingest", "scoring", "alerts"), ports, strict=False):
        own = env | {"CXLOOP_PORT": str(port)}
        pids[port] = stack.enter_context(running(f"services.{service}", env=own, port=port))
    for module, port in (("receiver", ports[3]), ("reading", ports[4])):
        pids[port] = stack.enter_context(
            running(f"tests.bench.contenders.{module}", str(port), env=env, port=port)
        )

    async def some(connection: asyncpg.Connection[Any]) -> list[str]:
        return [record[0] for record in await connection.fetch(ANY_CUSTOMERS, CUSTOMERS)]

    ingest, scoring, alerts, receiver, bare = ports
    key, customers = api_key(world.url(DATABASE)), world.sql(some, DATABASE)
    return Running(ingest, scoring, alerts, receiver, bare, key, customers, pids)


def _connect(loop: Running) -> dict[str, str]:
    """Two sources and an endpoint; the sources' secrets."""
    secrets = {DESK: "a secret of the desk", SURVEY: "a secret of the survey"}
    with httpx.Client(headers={"authorization": f"Bearer {loop.key}"}, timeout=30) as client:
        made = [
            client.post(
                f"http://127.0.0.1:{loop.ingest}/v1/sources",
                json={"id": source, "vendor": vendor, "secrets": [secrets[source]], "settings": NO_LIMIT},
            )
            for source, vendor in ((DESK, "zendesk"), (SURVEY, "typeform"))
        ]
        endpoint = {"id": "bench", "kind": "webhook", "url": f"http://127.0.0.1:{loop.receiver}/"}
        made.append(
            client.post(
                f"http://127.0.0.1:{loop.alerts}/v1/endpoints", json=endpoint | {"councils": ["default"]}
            )
        )
    for answer in made:
        if answer.status_code != 201:
            raise RuntimeError(f"{answer.url} answered {answer.text}")
    return secrets


def _paced_rows(paced: list[Paced], most: float) -> Iterator[Row]:
    note = f"{most:.0f} webhooks per second saturated the whole loop on this machine"

    def one(
        name: str, times: Callable[[Paced], list[float]], share: float, goal: float | None, note: str = ""
    ) -> Row:
        values = [percentile(sorted(times(round_)), share) * 1000 for round_ in paced]
        return row(FAMILY, name, values, goal, "lower", unit="ms", note=note)

    yield one("webhook to score readable over HTTP, p50", lambda p: p.readable, 0.5, 50, note)
    yield one("webhook to score readable over HTTP, p99", lambda p: p.readable, 0.99, 250)
    yield one("webhook to score on the topic, p50", lambda p: p.told, 0.5, 50)
    yield one("webhook to score on the topic, p99", lambda p: p.told, 0.99, 250)
    yield one("webhook to alert on the wire, p50", lambda p: p.alerted, 0.5, None)
    yield one("webhook to alert on the wire, p99", lambda p: p.alerted, 0.99, 500)
    yield one("score read over HTTP, p50", lambda p: p.read, 0.5, None)
    yield one("score read over HTTP, p99", lambda p: p.read, 0.99, 20)


def _calm_rows(paced: Paced, most: float) -> Iterator[Row]:
    """What most companies see: without goals of their own."""
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        value = percentile(sorted(paced.readable), share) * 1000
        note = f"{most / 10:.0f} webhooks per second"
        yield row(
            FAMILY, f"the same at a tenth of saturation, {name}", [value], None, "lower", unit="ms", note=note
        )


def _reads(loop: Running, rounds: int, told: Callable[[str], None]) -> Iterator[Row | Side]:
    requests = tuple(loop.read(customer) for customer in loop.customers)
    ports = {"score read": loop.scoring, "FastAPI + one indexed select": loop.bare}
    found: dict[str, list[Any]] = {name: [] for name in ports}
    for number in range(rounds):
        for name in list(ports)[:: -1 if number % 2 else 1]:
            told(f"reads, round {number + 1} of {rounds}, {name}")
            load = Load(ports[name], requests, READERS, READ_S)
            found[name].append(sample(load, loop.pids[ports[name]]))
    ours, bare = ([one.outcome.rate for one in samples] for samples in found.values())
    yield row(FAMILY, "score reads / FastAPI + one indexed select", paired(ours, bare), 0.7)
    for name, samples in found.items():
        p99 = median(one.outcome.p99_s for one in samples) * 1000
        rate, cpu = median(one.outcome.rate for one in samples), median(one.cpu_us for one in samples)
        yield Side(FAMILY, name, rate, cpu, p99)
