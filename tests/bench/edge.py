"""ingest, webhook to 202, durable: against a raw ceiling and an idiomatic service, and against itself.

All three get the same bodies and write records of the same size under the same keys to the same topic.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import NamedTuple

import httpx

from services.demo.client import new_secret
from services.demo.company import found, midnight
from services.demo.post import DESK
from services.demo.shapes import Ticket, ticket_event
from services.ingest.domain.pipeline import sort_delivery
from services.ingest.domain.sender import Delivery, SourceConfig
from services.ingest.senders import senders
from shared.db.engine import create_engine
from shared.runtime.auth import ApiKeys, Scope
from shared.runtime.secrets import KeyHasher
from tests.bench.load import Load, Outcome, generate, http_request
from tests.bench.processes import cpu_s, running
from tests.bench.references import SECRET
from tests.bench.report import Row, Side, paired, row
from tests.bench.world import SECRET_KEY, World, rounds_within
from tests.e2e.loop import free_ports

FAMILY = "ingest"
SECONDS = 2.0
BUDGET_S = 90.0
CONNECTIONS = 64
OTHERS = (16, 256, 1024)
TICKETS = 256
SOURCE = "bench"
NO_LIMIT = {"rate_per_s": "1000000"}  # one source sends more here than any sender does


class Requests(NamedTuple):
    """The same tickets as each of the three wants them; bytes of a record's value."""

    ours: tuple[bytes, ...]
    ceiling: tuple[bytes, ...]
    idiomatic: tuple[bytes, ...]
    value_bytes: int


@dataclass(frozen=True)
class Sample:
    """A load's outcome, and µs of CPU per request of the service alone."""

    outcome: Outcome
    cpu_us: float


def measure(world: World, rounds: int, told: Callable[[str], None]) -> Iterator[Row | Side]:
    """Three services side by side, order reversed between rounds."""
    database = world.fresh_database("edge")
    ports = dict(zip(("ingest", "ceiling", "idiomatic"), free_ports(3), strict=True))
    secret = new_secret(DESK)
    wanted = requests(secret)
    env = world.env(database, CXLOOP_PORT=str(ports["ingest"]), BENCH_VALUE_BYTES=str(wanted.value_bytes))
    with ExitStack() as stack:
        pids = {"ingest": stack.enter_context(running("services.ingest", env=env, port=ports["ingest"]))}
        for name in ("ceiling", "idiomatic"):
            words = (name, str(ports[name]))
            pids[name] = stack.enter_context(
                running("tests.bench.references", *words, env=env, port=ports[name])
            )
        make_source(ports["ingest"], api_key(world.url(database)), secret)
        loads = {
            "raw ASGI + aiokafka": Load(ports["ceiling"], wanted.ceiling, CONNECTIONS, SECONDS),
            "ingest": Load(ports["ingest"], wanted.ours, CONNECTIONS, SECONDS),
            "idiomatic FastAPI": Load(ports["idiomatic"], wanted.idiomatic, CONNECTIONS, SECONDS),
            **{f"ingest at {n}": Load(ports["ingest"], wanted.ours, n, SECONDS) for n in OTHERS},
        }
        of_port = {port: pids[name] for name, port in ports.items()}
        results: dict[str, list[Sample]] = {name: [] for name in loads}
        for number in rounds_within(rounds, BUDGET_S):
            for name in list(loads)[:: -1 if number % 2 else 1]:
                told(f"round {number + 1} of {rounds}, {name}")
                results[name].append(sample(loads[name], of_port[loads[name].port]))
    yield from _rows(results)


def sample(load: Load, pid: int) -> Sample:
    """Raises RuntimeError for any answer but 2xx and 503."""
    before = cpu_s(pid)
    outcome = generate(load)
    strange = [status for status in outcome.statuses if status not in (200, 202, 503)]
    if strange or not outcome.rate:
        raise RuntimeError(f"answered {outcome.statuses} by pid {pid}; see build/bench-*.log")
    return Sample(outcome, (cpu_s(pid) - before) / outcome.answered * 1e6)


def make_source(port: int, key: str, secret: str) -> None:
    """A help desk as source, without a limit of its rate."""
    answer = httpx.post(
        f"http://127.0.0.1:{port}/v1/sources",
        headers={"authorization": f"Bearer {key}"},
        json={"id": SOURCE, "vendor": "zendesk", "secrets": [secret], "settings": NO_LIMIT},
    )
    if answer.status_code != 201:
        raise RuntimeError(f"the source was refused: {answer.text}")


def requests(secret: str) -> Requests:
    """Tickets of as many people, so that keys spread over all partitions."""
    now = datetime.now(UTC)
    hasher, source = KeyHasher.from_key(SECRET_KEY), SourceConfig(SOURCE, "zendesk", (secret,))
    ours, ceiling, idiomatic, sizes = [], [], [], []
    for number, person in enumerate(found(midnight(now)).people[:TICKETS]):
        ticket = Ticket(100_000 + number, person, now, "It does not start", "x" * 1000, tags=("bench",))
        post = ticket_event(ticket, "created", now, "NEW", {}, person.desk_user)
        headers, body = post.signed(secret, now)
        delivery = Delivery("POST", "/", headers, body, now)
        (sealed,) = sort_delivery(senders()["zendesk"], delivery, source).sealed
        key = hasher.kafka_key(sealed.event).decode()
        signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        plain = {"content-type": "application/json", "x-signature": signature}
        ours.append(http_request(f"/v1/webhooks/{SOURCE}", headers, body))
        ceiling.append(http_request(f"/{key}", plain, body))
        idiomatic.append(http_request("/hook", plain, body))
        sizes.append(len(sealed.value))
    return Requests(tuple(ours), tuple(ceiling), tuple(idiomatic), round(sum(sizes) / len(sizes)))


def _rows(results: Mapping[str, list[Sample]]) -> Iterator[Row | Side]:
    def rates(name: str) -> list[float]:
        return [one.outcome.rate for one in results[name]]

    def cpus(name: str) -> list[float]:
        return [one.cpu_us for one in results[name]]

    yield row(
        FAMILY, "ingest / raw ASGI + aiokafka", paired(rates("ingest"), rates("raw ASGI + aiokafka")), 0.6
    )
    yield row(FAMILY, "ingest / idiomatic FastAPI", paired(rates("ingest"), rates("idiomatic FastAPI")), 4.0)
    by_cpu = paired(cpus("raw ASGI + aiokafka"), cpus("ingest"))
    yield row(FAMILY, "CPU per request: raw ASGI + aiokafka / ingest", by_cpu, None)
    for count in OTHERS:
        goal = 0.7 if count == max(OTHERS) else None
        name = f"ingest at {count}"
        yield row(
            FAMILY, f"{name} / at {CONNECTIONS} connections", paired(rates(name), rates("ingest")), goal
        )
    for name, samples in results.items():
        refused = sum(one.outcome.statuses[503] for one in samples)
        p99 = median(one.outcome.p99_s for one in samples) * 1000
        more = {"503": float(refused)} if refused else {}
        yield Side(FAMILY, name, median(rates(name)), median(cpus(name)), p99, more)


async def _make_key(database_url: str) -> str:
    engine = create_engine(database_url, pool_size=2, application_name="bench")
    try:
        return await ApiKeys(engine).create("bench", list(Scope))
    finally:
        await engine.dispose()


def api_key(database_url: str) -> str:
    """An API key for everything."""
    return asyncio.run(_make_key(database_url))
