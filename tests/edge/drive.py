"""A process that sends hostile requests to the services inside it and writes down what came of them.

`python -m tests.edge.drive --requests 100000 --services ingest` with DATABASE_URL (migrated) and
KAFKA_BOOTSTRAP_SERVERS. Request n of a seed is always the same, but for the time in its signature.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import json
import os
import random
import sys
import time
from base64 import b64encode
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import uvloop
from fastapi import FastAPI

from services.alerts.app import create_app as alerts_app
from services.alerts.settings import Settings as AlertsSettings
from services.ingest import metrics
from services.ingest.app import create_app as ingest_app
from services.ingest.settings import Settings as IngestSettings
from services.scoring.app import create_app as scoring_app
from services.scoring.settings import Settings as ScoringSettings
from shared.db.engine import driver as db_driver
from shared.runtime.auth import ApiKeys, Scope
from shared.runtime.logging import configure_logging
from tests.edge import calls, deliveries
from tests.edge.request import Hostile, call
from tests.senders_bodies import zulu

EDGE: Final = frozenset((200, 202, 400, 401, 403, 404, 405, 413, 415))
"""404 is true where a path was changed, 405 and 403 where a method or key was."""
MANAGED: Final = frozenset((200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 409, 410, 412, 413, 415))
PUT_OFF: Final = 503
"""With Retry-After: documented, and true where a machine with too much to do misses a deadline. Counted."""
AT_ONCE: Final = 24
SEEN_S: Final = 60.0
FOLDED_S: Final = 600.0
"""What was taken during the run is folded first."""
SHOWN: Final = 5
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Report:
    """What is known at the end, as JSON."""

    def __init__(self) -> None:
        self.statuses: Counter[str] = Counter()
        self.faults: list[str] = []
        self.put_off = 0
        self.slowest = 0.0
        self.resident: list[int] = []

    def add(self, service: str, number: int, request: Hostile, status: int, faults: list[str]) -> None:
        self.statuses[f"{service} {status}"] += 1
        if faults:
            self.faults.append(f"{service} request {number}: {'; '.join(faults)}\n{request.shown()}")

    def document(self, seconds: float) -> dict[str, Any]:
        kept = self.resident[len(self.resident) // 5 :]
        return {
            "requests": self.statuses.total(),
            "seconds": round(seconds, 1),
            "statuses": dict(sorted(self.statuses.items())),
            "faults": len(self.faults),
            "put_off": self.put_off,
            "shown": self.faults[:SHOWN],
            "slowest_s": round(self.slowest, 3),
            "resident_warm_mib": kept[0] if kept else 0,
            "resident_most_mib": max(kept, default=0),
            "resident_end_mib": self.resident[-1] if self.resident else 0,
            "resident_by_tenth_mib": self.resident[:: max(1, len(self.resident) // 10)],
            "adapter_faults": _total(metrics.faults),
        }


def _total(counter: Any) -> int:  # noqa: ANN401 - a labelled counter
    return sum(
        int(s.value) for family in counter.collect() for s in family.samples if s.name.endswith("_total")
    )


def resident_mib() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE // 2**20


class Driver:
    """The services, a key, and what a caller knows of them."""

    def __init__(self, apps: dict[str, FastAPI], key: str, seed: int) -> None:
        self.apps = apps
        self.key = key
        self.seed = seed
        self.report = Report()
        self.ids: dict[str, list[str]] = {name: [] for name in apps}
        left_out = ("/v1/webhooks/{source}", "/v1/events")
        self.operations = {name: calls.operations(app.openapi(), left_out) for name, app in apps.items()}

    def request(self, number: int) -> tuple[str, Hostile]:
        rng = random.Random(f"{self.seed}:{number}")
        others = [name for name in self.apps if name != "ingest"]
        if rng.random() < (0.9 if not others else 0.7):
            return "ingest", deliveries.delivery(rng, self.key)
        name = rng.choice(others or ["ingest"])
        operation = rng.choice(self.operations[name])
        return name, calls.call(rng, operation, self.ids[name], self.key)

    async def one(self, number: int) -> None:
        name, request = self.request(number)
        started = time.perf_counter()
        faults, status = [], 0
        try:
            answer = await call(self.apps[name], request)
            status, faults = answer.status, answer.faults(request.method)
            raw = request.target.startswith((b"/v1/webhooks/", b"/v1/events"))
            if status == PUT_OFF and answer.headers.get("retry-after"):
                self.report.put_off, faults = self.report.put_off + 1, []
            elif not faults and status not in (EDGE if raw else MANAGED):
                faults = [f"status {status}: {answer.body[:300]!r}"]
        except Exception as error:  # noqa: BLE001 - each is written down, none ends the run
            faults = [repr(error)[:2000]]
        self.report.slowest = max(self.report.slowest, time.perf_counter() - started)
        self.report.add(name, number, request, status, faults)

    async def all(self, count: int) -> None:
        numbers = itertools.count()

        async def lane() -> None:
            while (number := next(numbers)) < count:
                await self.one(number)
                if number % max(1, count // 200) == 0:
                    self.report.resident.append(resident_mib())

        await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
        gc.collect()
        self.report.resident.append(resident_mib())

    async def ask(self, name: str, method: str, target: str, body: object = None) -> Any:  # noqa: ANN401
        """A good request; its answer as JSON."""
        kind = b"application/cloudevents-batch+json" if target == "/v1/events" else b"application/json"
        headers = ((b"authorization", f"Bearer {self.key}".encode()), (b"content-type", kind))
        raw = b"" if body is None else json.dumps(body).encode()
        answer = await call(self.apps[name], Hostile(method, target.encode(), headers, raw))
        assert answer.status < 300, answer
        return json.loads(answer.body)

    async def prepare(self) -> None:
        """Sources of every kind; and, with all services, customers and alerts that exist."""
        for one in deliveries.SOURCES:
            made = {"id": one.id, "vendor": one.vendor, "secrets": [one.secret], "auth": one.auth}
            await self.ask("ingest", "POST", "/v1/sources", made)
        self.ids["ingest"] = ["edge-made", "edge-by-header"]
        if len(self.apps) > 1:
            await self._tell_and_wait()

    async def _tell_and_wait(self) -> None:
        await self.good(20)
        async with asyncio.timeout(SEEN_S):
            while not (alerts := (await self.ask("alerts", "GET", "/v1/alerts"))["items"]):
                await asyncio.sleep(0.1)
        people = (await self.ask("scoring", "GET", "/v1/customers"))["items"]
        self.ids["scoring"] = [one["customer_id"] for one in people]
        self.ids["scoring"] += [one["account_id"] for one in people if one["account_id"]]
        rules = [one["id"] for one in (await self.ask("alerts", "GET", "/v1/rules"))["items"]]
        self.ids["alerts"] = [*(one["id"] for one in alerts), "default", "edge", "e", *rules]

    async def good(self, count: int) -> str:
        """Events that nobody could object to: bad answers of new customers. Returns the last one's id."""
        stamp = time.time_ns()
        batch = [_answer(f"{self.seed}-{stamp}-{n}") for n in range(count)]
        told = await self.ask("ingest", "POST", "/v1/events", batch)
        assert told["accepted"] == count, told
        return str(told["ids"][-1])

    async def settled(self) -> None:
        """Everybody is as before: a good event is taken, and is seen at the other end."""
        last = await self.good(3)
        if "scoring" in self.apps:
            headers = ((b"authorization", f"Bearer {self.key}".encode()),)
            look = Hostile("GET", f"/v1/events/{last}".encode(), headers)
            async with asyncio.timeout(FOLDED_S):
                while (await call(self.apps["scoring"], look)).status != 200:
                    await asyncio.sleep(0.2)
        for name, app in self.apps.items():
            assert not app.state.tasks.failed, f"a task of {name} died"
            answer = await call(app, Hostile("GET", b"/livez"))
            assert answer.status == 200, answer


def _answer(name: str) -> dict[str, Any]:
    who = {"identifiers": [f"email:edge{name}@example.com", f"user:{name}"], "account": "edge"}
    body = {"response": name, "metric": "nps", "score": 1, "comment": "It broke again"}
    return {
        "specversion": "1.0",
        "id": name,
        "source": "/edge",
        "type": "cxloop.survey.answered.v1",
        "time": zulu(datetime.now(UTC)),
        "data": {**who, "body": body},
    }


def services_in_process(names: list[str], group: str) -> dict[str, FastAPI]:
    """With deadlines so long that a busy machine is no 503, and no limit of rate; `group` reads the bus."""
    given: dict[str, Any] = {"secret_key": b64encode(bytes(range(32))).decode()}
    calm = {
        "send_deadline_s": 20,
        "spool_deadline_s": 20,
        "source_rate_per_s": 1e6,
        "process_rate_per_s": 1e7,
    }
    made = {
        "ingest": lambda: ingest_app(IngestSettings.load(**calm, **given)),
        "scoring": lambda: scoring_app(ScoringSettings.load(consumer_group=f"{group}-scoring", **given)),
        "alerts": lambda: alerts_app(AlertsSettings.load(consumer_group=f"{group}-alerts", **given)),
    }
    return {name: made[name]() for name in names}


async def drive(count: int, seed: int, names: list[str]) -> dict[str, Any]:
    apps = services_in_process(names, f"edge-{seed}")
    async with AsyncExitStack() as stack:
        for app in apps.values():
            await stack.enter_async_context(app.router.lifespan_context(app))
        keys: ApiKeys = apps["ingest"].state.api_keys
        driver = Driver(apps, await keys.create(f"edge-{seed}", list(Scope)), seed)
        await driver.prepare()
        started = time.perf_counter()
        await driver.all(count)
        seconds = time.perf_counter() - started
        await driver.settled()
        refused = await _refused_by_scoring(apps["ingest"])
        return driver.report.document(seconds) | {"refused_by_scoring": refused}


async def _refused_by_scoring(ingest: FastAPI) -> dict[str, int]:
    """Why, by code, what ingest took of our sources was not taken by scoring; others poison the bus, too."""
    async with db_driver(ingest.state.engine) as connection:
        rows = await connection.fetch(
            "SELECT reasons FROM ingest.rejected WHERE by <> 'ingest' AND source ~ '^(/sources/edge-|/edge$)'"
        )
    return Counter(one["code"] for row in rows for one in json.loads(row["reasons"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--services", default="ingest,scoring,alerts")
    asked = parser.parse_args()
    configure_logging("edge", "error")
    names = asked.services.split(",")
    report = uvloop.run(drive(asked.requests, asked.seed, names))
    sys.stdout.write(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
