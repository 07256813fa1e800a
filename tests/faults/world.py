"""A whole cxloop to break: a real PostgreSQL and Kafka, each behind a proxy, and every service as a process.

A row of the failure table is ten lines. Say what happens, how long it lasts (short form, long form of
`make soak`, in seconds), and when it is over; traffic runs meanwhile, and leaving the block is the verdict:

    def test_kafka_killed(world: World) -> None:
        with world.row("Kafka killed", fault_s=(3, 60)) as row:
            world.kafka.kill()          # or .stop() .freeze(); world.postgres; world.kafka_net.refuse() …
            row.hold()                  # traffic goes on under the fault
            world.kafka.start()
            row.over()                  # the clock of the recovery starts here

`world.program("scoring")` is a service: kill(), stop(), freeze(), resume(), start(), wait_ready(), pid, log;
`world.replica("scoring")` adds another one and gives it back. `world.healed()`, which `row` calls first,
brings everything back, whatever the test before left behind. One world serves all rows of a run, so a row
names nothing that another one uses: customers are fresh for each. `row.traffic` knows what was answered.
The verdict (`verdict.py`): every event answered 2xx is once in its customer's timeline and nothing else is;
state and identity are the linear fold of the log; spool, outboxes and deliveries are empty; alerts were told,
and shown once. What it took is printed and added to `build/faults.jsonl`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from shared.parts import Kafka, KafkaCluster, Postgres
from tests.e2e.loop import Loop, eventually, free_ports
from tests.e2e.receivers import Hook, http_receiver
from tests.faults import programs, verdict
from tests.faults.people import SOURCES, people, story
from tests.faults.programs import ROOT, Keeper, Program
from tests.faults.proxy import Proxy
from tests.faults.report import keep_logs, write
from tests.faults.traffic import Traffic

SOAK = bool(os.environ.get("CXLOOP_SOAK"))
SECRET_KEY = b64encode(b"only for the tests: 32 bytes....").decode()
SERVICES = ("ingest", "scoring", "alerts")
SCOPES = ("ingest", "read", "act", "admin", "erase")
WARM = 30
"""Answers before a fault begins: every customer is known, and tickets are open."""
RECOVERY_S = 120.0
"""A world that needs longer is broken. What it needed is measured, not asserted."""
_numbers = count(int(time.time() * 10) % 10_000_000 * 1000, 1000)


class Row:
    """One fault: how long it lasts, and when it was over."""

    def __init__(self, name: str, fault_s: float, traffic: Traffic) -> None:
        self.name = name
        self.fault_s = fault_s
        self.traffic = traffic
        self.began = time.monotonic()
        self.ended = 0.0
        self.told_again = False
        """Whether alerts may be told once more under another id."""
        self.may_leave = False
        """Whether a service may end by itself, for its supervisor to start it anew; else it is a failure."""

    def hold(self) -> None:
        """Lets the fault last."""
        time.sleep(max(0.0, self.began + self.fault_s - time.monotonic()))

    def over(self) -> None:
        """From here on everything shall recover."""
        self.ended = time.monotonic()

    def flows(self, answers: int = WARM, deadline_s: float = RECOVERY_S) -> None:
        """Waits for so many more answers 2xx."""
        wanted = len(self.traffic.answered) + answers
        what = f"{answers} answers; so far refused: {self.traffic.refusals}"
        eventually(lambda: len(self.traffic.answered) >= wanted, what, deadline_s)


class World:
    """Start it with `running`, in the main thread."""

    def __init__(self, folder: Path, brokers: int = 1) -> None:
        self.folder = folder
        self.postgres = Postgres(folder / "postgres", max_connections=60)
        self.postgres_net = Proxy(self._postgres_socket)
        self.kafka_net = Proxy(lambda: self.kafka.node.port)
        self.cluster = KafkaCluster(folder / "cluster", brokers) if brokers > 1 else None
        self.kafka = (
            self.cluster.nodes[0]
            if self.cluster
            else Kafka(folder / "kafka", advertised_port=self.kafka_net.port)
        )
        self.keeper = Keeper()
        self.hook = Hook()
        self.loop: Loop

    @property
    def brokers(self) -> list[Kafka]:
        return self.cluster.nodes if self.cluster else [self.kafka]

    def _postgres_socket(self) -> Path:
        return Path(self.postgres.database_url.partition("host=")[2]) / ".s.PGSQL.5432"

    @property
    def database_url(self) -> str:
        """Past the proxy, for the test itself."""
        return self.postgres.database_url

    @property
    def environment(self) -> dict[str, str]:
        """What a service is told."""
        own = f"127.0.0.1:{self.kafka_net.port}"
        return {
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{self.postgres_net.port}/postgres?sslmode=disable",
            "KAFKA_BOOTSTRAP_SERVERS": self.cluster.bootstrap if self.cluster else own,
            "CXLOOP_SECRET_KEY": SECRET_KEY,
            "CXLOOP_ALLOW_TARGETS": "127.0.0.0/8",
        }

    @contextmanager
    def running(self) -> Iterator[World]:
        """Everything up: services ready, sources made, a receiver connected; ended in the end."""
        with ExitStack() as stack:
            stack.callback(self.postgres_net.close)
            stack.callback(self.kafka_net.close)
            stack.callback(self.postgres.stop)
            stack.callback(self.cluster.stop if self.cluster else self.kafka.close)
            self._start_parts()
            stack.callback(self.keeper.close)
            key = self._prepare()
            for service, port in zip(SERVICES, free_ports(len(SERVICES)), strict=True):
                self._add(service, port)
            programs.heal(self.keeper.programs)
            urls = [self.program(service).url for service in SERVICES]
            self.loop = Loop(urls[0], urls[1], urls[2], key)
            stack.callback(self.loop.close)
            self.hook = stack.enter_context(http_receiver())
            self._connect()
            stack.callback(self._wake)
            yield self

    def _start_parts(self) -> None:
        self.postgres.start()
        if self.cluster:
            self.cluster.start()
        else:
            self.kafka.start()

    def _wake(self) -> None:
        self.postgres.resume()
        for broker in self.brokers:
            broker.resume()

    def _prepare(self) -> str:
        """Migrated, and a key that may do everything."""
        scopes = [
            word for scope in ("ingest", "read", "act", "admin", "erase") for word in ("--scope", scope)
        ]
        self.command("migrate")
        return str(json.loads(self.command("keys", "create", "world", *scopes, "--json"))["api_key"])

    def command(self, *words: str) -> str:
        """What `cxloop …` prints; fails with its own words."""
        done = subprocess.run(
            [sys.executable, "-m", "services.cli", *words],
            env=os.environ | self.environment,
            cwd=ROOT,
            timeout=120,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _add(self, service: str, port: int, **environment: str) -> Program:
        log = self.folder / f"{service}-{port}.log"
        program = Program(service, port, log, self.environment | environment)
        self.keeper.programs.append(program.start())
        return program

    def _connect(self) -> None:
        for source, vendor in SOURCES.items():
            self.loop.source(source, vendor)
        endpoint = {"id": "hook", "kind": "webhook", "url": self.hook.url, "councils": ["default"]}
        made = self.loop.http.post(f"{self.loop.alerts}/v1/endpoints", json=endpoint)
        assert made.status_code == 201, made.text
        self.hook.secret = made.json()["secret"]

    def program(self, service: str) -> Program:
        """The first process of a service."""
        return self.keeper.of(service)[0]

    @contextmanager
    def replica(self, service: str, **environment: str) -> Iterator[Program]:
        """One more process of a service, on another port, ready; senders use all of ingest's."""
        program = self._add(service, free_ports(1)[0], **environment)
        try:
            program.wait_ready()
            yield program
        finally:
            self.keeper.programs.remove(program)
            program.kill()

    def healed(self) -> None:
        """Parts and services running, awake, reachable and ready. In the main thread."""
        self.postgres_net.heal()
        self.kafka_net.heal()
        self._wake()
        if not self.postgres.pid:
            self.postgres.start()
        for broker in self.brokers:
            if not broker.pid:
                broker.start()
        programs.heal(self.keeper.programs)

    def back_up(self) -> Path:
        """Shuts PostgreSQL down, copies its data, starts it."""
        self.postgres.stop()
        backup = self.folder / "backup"
        shutil.rmtree(backup, ignore_errors=True)
        subprocess.run(["cp", "-a", str(self.postgres.folder), str(backup)], check=True)
        self.postgres.start()
        return backup

    def set_back(self, backup: Path) -> None:
        """PostgreSQL is lost with all it has, and comes back as it was at the time of the backup."""
        self.postgres.kill()
        shutil.rmtree(self.postgres.folder)
        backup.rename(self.postgres.folder)
        self.postgres.start()

    @contextmanager
    def row(
        self, name: str, *, fault_s: tuple[float, float] = (3, 60), rate: float = 30, customers: int = 9
    ) -> Iterator[Row]:
        """Traffic until the fault is over and for as long as the first answer takes; then the verdict."""
        self.healed()
        before = sum(program.restarts for program in self.keeper.programs)
        steps = story(people(next(_numbers), customers))
        traffic = Traffic(self._ingests, self.loop.secrets, steps, rate)
        row = Row(name, fault_s[SOAK], traffic)
        traffic.start()
        try:
            row.flows()
            row.began = time.monotonic()
            yield row
            row.ended = row.ended or time.monotonic()
            self._judge(row, before)
        except BaseException:
            keep_logs(name, self.folder)
            raise
        finally:
            traffic.cancel()

    def _ingests(self) -> list[str]:
        return [program.url for program in self.keeper.of("ingest")]

    def _judge(self, row: Row, restarts_before: int) -> None:
        ended, traffic = row.ended, row.traffic
        if traffic.flows:
            eventually(lambda: traffic.answered[-1] > ended, "an answer 2xx after the fault", RECOVERY_S)
        first_202_s = next((at for at in traffic.answered if at > ended), ended) - ended
        traffic.stop(RECOVERY_S)
        acknowledged = traffic.acknowledged
        verdict.Folded(self.loop, acknowledged).wait(RECOVERY_S)
        drained_s = time.monotonic() - ended
        assert not traffic.faults, traffic.faults
        programs.heal(self.keeper.programs)
        verdict.nothing_waits(self.database_url, RECOVERY_S)
        verdict.nothing_doubled(self.loop, acknowledged)
        verdict.state_is_the_fold_of_the_log(self.database_url, acknowledged, RECOVERY_S)
        told = verdict.alerts_told if row.told_again else verdict.alerts_told_once
        alerts = told(self.loop, self.hook, acknowledged, RECOVERY_S)
        restarts = sum(program.restarts for program in self.keeper.programs) - restarts_before
        report = {
            "row": row.name,
            "fault_s": round(ended - row.began, 1),
            "first_202_s": round(first_202_s, 2),
            "drained_s": round(drained_s, 2),
            "settled_s": round(time.monotonic() - ended, 2),
            **traffic.figures,
            "alerts": alerts,
            "restarts": restarts,
            "soak": SOAK,
        }
        assert restarts == 0 or row.may_leave, f"a service left by itself: {report}"
        write(report)
