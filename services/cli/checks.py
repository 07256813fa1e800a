"""What `cxloop doctor` looks at; every finding carries the next step."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from services.cli import migrations
from services.cli.home import Run
from services.cli.target import Service, Target
from shared.parts import PartError
from shared.parts.artifacts import missing_jars
from shared.parts.java import find_java
from shared.parts.places import unprivileged
from shared.parts.ports import listening
from shared.parts.postgres import binaries

TIMEOUT_S = 5.0
# Kafka's jars, PostgreSQL's data and logs, the demo's history and room for a working week.
LEAST_FREE_BYTES = 2 * 1024**3
SERVICES: tuple[Service, ...] = ("ingest", "scoring", "alerts")
# More than this many records behind is more than a burst that is being worked off.
MUCH_LAG = 10_000


class State(StrEnum):
    """How a finding is to be taken."""

    good = "good"
    notice = "notice"
    bad = "bad"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    said: str
    next_step: str = ""


def installation(target: Target) -> Iterator[Finding]:
    """Python, the embedded parts' programs, the data directory and its disk."""
    yield Finding("Python", State.good, f"{sys.version.split()[0]} at {sys.executable}")
    yield _tried("Java", lambda: "version {0.major} at {0.program}".format(find_java()))
    yield _tried("PostgreSQL", lambda: f"the wheel's, at {binaries(unprivileged())}")
    missing = missing_jars()
    said = (
        f"{missing} files are to be fetched at the first start" if missing else "all files are in the cache"
    )
    yield Finding("Apache Kafka", State.notice if missing else State.good, said)
    yield _data_dir(target.data_dir)


def instance(target: Target) -> Iterator[Finding]:
    """The running instance of the data directory, or what would stand in the way of one."""
    run = target.home.run()
    if owner := target.home.owner():
        where = "" if run else ", still starting"
        yield Finding("instance", State.good, f"runs with process id {owner[0]} since {owner[1]}{where}")
    else:
        yield Finding("instance", State.notice, f"none runs on {target.data_dir}", "Start one: cxloop up")
        yield from _ports()
    if run:
        yield from _services(target)
        yield _kafka(run.kafka)
        yield from _work(target, run)
    database = os.environ.get("DATABASE_URL") or (run.database if run else None)
    if database:
        yield _schemas(database)


def _tried(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, State.good, look())
    except PartError as error:
        return Finding(what, State.bad, error.why, error.next_step)


def _data_dir(folder: Path) -> Finding:
    there = next(parent for parent in [folder, *folder.parents] if parent.exists())
    if not os.access(there, os.W_OK):
        return Finding(
            "data directory",
            State.bad,
            f"{there} cannot be written",
            "Name another one: cxloop --data-dir DIR",
        )
    free = shutil.disk_usage(there).free
    said = f"{folder}{'' if folder.exists() else ' (not made yet)'}, {free / 1024**3:.0f} GiB free"
    if free < LEAST_FREE_BYTES:
        return Finding(
            "data directory", State.bad, said, "Make room: PostgreSQL stops when the disk is full."
        )
    return Finding("data directory", State.good, said)


def _ports() -> Iterator[Finding]:
    taken = [str(port) for port in range(8001, 8004) if listening(port)]
    if taken:
        said = f"{', '.join(taken)} taken by another program"
        yield Finding("ports", State.bad, said, "Choose others: cxloop up --port-base 9000")
    else:
        yield Finding("ports", State.good, "8001 to 8003 are free")


def _services(target: Target) -> Iterator[Finding]:
    for name in SERVICES:
        url = target.url(name)
        log = target.home.logs / f"{name}.log"
        try:
            answer = httpx.get(f"{url}/readyz", timeout=TIMEOUT_S)
        except httpx.TransportError as error:
            said = f"{url} does not answer ({type(error).__name__})"
            yield Finding(name, State.bad, said, f"Look into {log}.")
            continue
        if answer.is_success:
            yield Finding(name, State.good, f"ready at {url}")
        else:
            yield Finding(name, State.bad, f"not ready: {answer.text[:300]}", f"Look into {log}.")


def _kafka(bootstrap: str) -> Finding:
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=TIMEOUT_S).close()
        except (OSError, ValueError):
            continue
        return Finding("Kafka", State.good, f"reached at {address.strip()}")
    return Finding(
        "Kafka",
        State.bad,
        f"{bootstrap} cannot be reached",
        "Events are kept in the spool until it is back. Check KAFKA_BOOTSTRAP_SERVERS and the broker.",
    )


def _work(target: Target, run: Run) -> Iterator[Finding]:
    """Backlogs: consumers behind their topic, the spool, what was rejected."""
    ingest, scoring, alerts = (
        _metrics(url, target.api_key()) for url in (run.ingest, run.scoring, run.alerts)
    )
    lag = sum(value for text in (scoring, alerts) for value in _values(text, r"cxloop_\w*lag\w*records\w*"))
    state = State.notice if lag > MUCH_LAG else State.good
    yield Finding(
        "backlog", state, f"{lag:.0f} events wait in Kafka", "They are being worked off." if lag else ""
    )
    spool = sum(_values(ingest, "cxloop_ingest_spool_messages"))
    said = f"{spool:.0f} events wait in the spool"
    yield Finding("spool", State.notice if spool else State.good, said, "Kafka was away." if spool else "")
    rejected = target.get("ingest", "/rejected", limit=200)
    count = f"{len(rejected['items'])}{' or more' if rejected.get('next') else ''}"
    if rejected["items"]:
        yield Finding("rejected", State.notice, f"{count} deliveries", "Look: cxloop rejected list")
    else:
        yield Finding("rejected", State.good, "none")


def _metrics(url: str, key: str) -> str:
    try:
        return httpx.get(f"{url}/metrics", headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT_S).text
    except httpx.TransportError:
        return ""


def _values(text: str, name: str) -> list[float]:
    return [
        float(match[1])
        for match in re.finditer(rf"^{name}(?:\{{[^}}]*\}})? ([0-9.e+-]+)$", text, re.MULTILINE)
    ]


def _schemas(database: str) -> Finding:
    import asyncpg

    try:
        waiting = migrations.pending(database)
    except (OSError, asyncpg.PostgresError) as error:
        place = urlsplit(database).hostname or "its socket"
        return Finding(
            "database", State.bad, f"PostgreSQL at {place} cannot be used: {error}", "Check DATABASE_URL."
        )
    if waiting:
        return Finding("database", State.bad, f"migrations wait: {', '.join(waiting)}", "Run: cxloop migrate")
    return Finding("database", State.good, "reached, every schema is up to date")
