"""A whole instance on one machine: parts, schemas, topics, services, and the owner's key."""

from __future__ import annotations

import asyncio
import http.client
import os
import socket
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from services.cli import migrations
from services.cli.home import Home, Run
from services.cli.keys import with_keys
from services.cli.steps import Steps
from services.cli.supervisor import Supervisor, rotate
from services.cli.target import CommandError
from services.cli.wishes import Wishes
from shared.parts import Parts
from shared.parts.errors import tail
from shared.parts.process import Plan

# What a start does not need each time is imported where it is used: on two cores, what this process does
# the parts and services beside it have to wait for.

HOST = "127.0.0.1"
SERVICES = ("ingest", "scoring", "alerts")
LOOPBACK = "127.0.0.0/8,::1"
# Given parts may be on their way up, as in a compose file.
TOPICS_S = 15.0
READY_S = 90.0
ASK_S = 2.0
# A service that ended so often before it was ever ready will not get better by itself.
HOPELESS = 4
# Services drain for so long; with their tasks and the parts' end it all stays below ten seconds.
GRACE_S = "2"


class Instance:
    """Starts everything below one data directory, watches it, and ends it in the opposite order."""

    def __init__(self, wishes: Wishes, steps: Steps, tell: Callable[[str], None]) -> None:
        self.wishes = wishes
        self.home = Home(wishes.data_dir)
        self._steps = steps
        self._tell = tell
        self._given = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")}
        self._parts: Parts | None = None
        self._services: Supervisor | None = None
        self._demo: Supervisor | None = None
        self._lock_fd = -1
        self.env: dict[str, str] = {}

    def start(self) -> Run:
        """Start it and return where it is reached, once every service is ready."""
        parts = Parts(
            self.wishes.data_dir,
            postgres=not self._given["DATABASE_URL"],
            kafka=not self._given["KAFKA_BOOTSTRAP_SERVERS"],
            progress=self._steps,
        )
        self._parts = parts
        # What a crash left running is waited for here, so it is not found on the ports below.
        self._lock_fd = parts.lock()
        self._check_ports()
        self._steps("starting PostgreSQL and Apache Kafka")
        parts.launch()
        if parts.postgres:
            parts.postgres.wait_ready()
        database = self._given["DATABASE_URL"] or parts.database_url
        kafka = self._given["KAFKA_BOOTSTRAP_SERVERS"] or parts.kafka
        self._prepare(database)
        self.env = self._environment(database, kafka)
        if not parts.broker:
            self._check_topics(kafka)
        # An own Kafka is on its way up. The services are, too, and make its topics as soon as they can.
        self._steps("starting the services")
        self._services = Supervisor({name: self._plan(name) for name in SERVICES}, self._tell)
        self._services.start()
        parts.wait_ready()
        self._wait_ready()
        urls = {name: f"http://{HOST}:{self.port(name)}" for name in SERVICES}
        run = Run(**urls, api_key=self._own_key(database), kafka=kafka, database=database)
        self.home.write_run(run)
        return run

    def port(self, service: str) -> int:
        """Return the port of a service: the console has the base itself."""
        return self.wishes.port_base + 1 + SERVICES.index(service)

    def start_demo(self, run: Run, command: str) -> None:
        """Start the demo company's traffic; it speaks on our standard error."""
        urls = [f"--{name}-url={getattr(run, name)}" for name in SERVICES]
        argv = [sys.executable, "-m", "services.demo", "run", f"--data-dir={self.wishes.data_dir}", *urls]
        env = {**os.environ, "CXLOOP_API_KEY": run.api_key, "CXLOOP_COMMAND": command}
        self._demo = Supervisor({"demo": Plan(argv=argv, env=env)}, self._tell, until_success=True)
        self._demo.start()

    def tick(self) -> None:
        """Look after everything once: what died is started again."""
        for supervisor in (self._services, self._demo):
            if supervisor:
                supervisor.tick()
        if self._parts:
            rotate(self.home.logs / "postgres.log")  # Kafka looks after its own
            for name in self._parts.revive():
                self._tell(f"{name} had ended and was started again")

    def stop(self) -> None:
        """End everything: traffic, services, parts."""
        if self.env:  # else another instance runs here, and the file is its own
            self.home.forget_run()
        for supervisor in (self._demo, self._services):
            if supervisor:
                supervisor.stop()
        if self._parts:
            self._parts.stop()

    def _check_ports(self) -> None:
        for name in SERVICES:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, self.port(name)))
                except OSError as error:
                    raise CommandError(
                        f"port {self.port(name)}, wanted for {name}, is taken ({error.strerror}). "
                        f"Choose others, as in `cxloop up --port-base {self.wishes.port_base + 1000}`."
                    ) from error

    def _prepare(self, database: str) -> None:
        """Bring schemas up to date."""
        import asyncpg

        try:
            migrations.upgrade_all(database, lambda schema: self._steps(f"migrating schema {schema}"))
        except (OSError, asyncpg.PostgresError) as error:
            raise CommandError(
                f"PostgreSQL at {_place(database)} cannot be used ({error}). Is DATABASE_URL right?"
            ) from error

    def _check_topics(self, kafka: str) -> None:
        """Bring the topics of a given Kafka up to date."""
        from shared.bus.errors import BusError
        from shared.bus.topics import TOPICS, ensure_topics
        from shared.runtime.logging import configure_logging

        configure_logging("up", "warning", "text")
        self._steps("checking the topics")
        try:
            asyncio.run(ensure_topics(kafka, TOPICS, TOPICS_S))
        except BusError as error:
            raise CommandError(f"Kafka at {kafka}: {error}. Is KAFKA_BOOTSTRAP_SERVERS right?") from error

    def _own_key(self, database: str) -> str:
        """Return the owner's API key: the kept one while the services know it, else a new one."""
        kept = self.home.api_key()
        if kept and self._ask("ingest", "/v1/sources?limit=1", kept) != HTTPStatus.UNAUTHORIZED:
            return kept
        from shared.runtime.auth import Scope

        key = with_keys(database, lambda keys: keys.create("owner", list(Scope)))
        self.home.keep_api_key(key)
        return key

    def _environment(self, database: str, kafka: str) -> dict[str, str]:
        allowed = os.environ.get("CXLOOP_ALLOW_TARGETS", "")
        return {
            **os.environ,
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "CXLOOP_HOST": HOST,
            "CXLOOP_SECRET_KEY": os.environ.get("CXLOOP_SECRET_KEY") or self.home.secret_key(),
            "CXLOOP_ALLOW_TARGETS": f"{allowed},{LOOPBACK}" if allowed else LOOPBACK,
            "CXLOOP_SHUTDOWN_GRACE_S": GRACE_S,
            "PYTHONUNBUFFERED": "1",
        }

    def _plan(self, service: str) -> Plan:
        url = f"http://{HOST}:{self.port(service)}"
        env = {"CXLOOP_PORT": str(self.port(service)), "CXLOOP_PUBLIC_URL": url, **self.env}
        log = None if self.wishes.verbose else self.home.logs / f"{service}.log"
        return Plan(
            argv=[sys.executable, "-m", f"services.{service}"], log=log, env={**env}, fds=[self._lock_fd]
        )

    def _wait_ready(self) -> None:
        assert self._services is not None
        deadline = time.monotonic() + READY_S
        waiting = list(SERVICES)
        while waiting:
            self._services.tick()
            for name in list(waiting):
                if self._ask(name, "/readyz") == HTTPStatus.OK:
                    waiting.remove(name)
                else:
                    self._give_up_on(name, late=time.monotonic() > deadline)
            time.sleep(0.05)

    def _ask(self, service: str, path: str, key: str = "") -> int:
        """Return the status of a GET, 0 when nobody answers."""
        asked = http.client.HTTPConnection(HOST, self.port(service), timeout=ASK_S)
        try:
            asked.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
            return asked.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            asked.close()

    def _give_up_on(self, name: str, *, late: bool) -> None:
        assert self._services is not None
        program = self._services.programs[name]
        if not late and program.failures < HOPELESS:
            return
        why = "was not ready in time" if late else "ended again and again"
        log = program.plan.log
        raise CommandError(f"{name} {why}. {f'Its log {log} ends with: {tail(log)}' if log else ''}")


def _place(database: str) -> str:
    """Return host and port of an address, without user and password."""
    parts = urlsplit(database)
    return f"{parts.hostname or 'the local socket'}:{parts.port or 5432}"
