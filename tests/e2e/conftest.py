"""cxloop whole: `cxloop up` on embedded parts, and each service as its own process on three brokers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from shared.parts import KafkaCluster
from tests.e2e.loop import Loop, eventually, free_ports
from tests.e2e.receivers import Hook, Mailbox, http_receiver, smtp_server

ROOT = Path(__file__).parents[2]
READY_S = 60.0


@pytest.fixture(scope="session")
def mailbox() -> Iterator[Mailbox]:
    with smtp_server() as box:
        yield box


@pytest.fixture(scope="session")
def embedded(parts_dir: Path, mailbox: Mailbox) -> Iterator[Loop]:
    """`cxloop up --json --no-demo`, as a user starts it."""
    with up(parts_dir / "embedded", {"CXLOOP_SMTP_URL": mailbox.url}, "--no-demo") as loop:
        yield loop


@pytest.fixture
def keys(embedded: Loop, unique: Callable[[str], str]) -> Iterator[Callable[[str], httpx.Client]]:
    """A factory: `keys("read")` is a client with a key of that scope alone."""
    with ExitStack() as clients:

        def make(scope: str) -> httpx.Client:
            settings = os.environ | {"DATABASE_URL": embedded.database}
            cxloop = [sys.executable, "-m", "services.cli"]
            told = run(cxloop, settings, "keys", "create", unique("key"), "--scope", scope, "--json")
            headers = {"authorization": f"Bearer {json.loads(told)['api_key']}"}
            return clients.enter_context(httpx.Client(headers=headers, timeout=30))

        yield make


@pytest.fixture(scope="session")
def demo_dir(parts_dir: Path) -> Path:
    return parts_dir / "demo"


@pytest.fixture(scope="session")
def demo(demo_dir: Path) -> Iterator[Loop]:
    """`cxloop up --json` with the demo company, its history loaded."""
    with up(demo_dir, {}) as loop:
        state = demo_dir / "demo.json"
        eventually(lambda: state.exists() and json.loads(state.read_text())["won_back"], "the demo", 200)
        yield loop


@contextmanager
def up(folder: Path, settings: dict[str, str], *options: str) -> Iterator[Loop]:
    """The embedded run on its own parts and ports; ended as a user ends it, which must be clean."""
    base = free_ports(4)[0]
    command = [sys.executable, "-m", "services.cli", "up", "--json", *options]
    kept = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")}
    with folder.with_suffix(".log").open("wb") as log:
        child = subprocess.Popen(
            [*command, "--data-dir", str(folder), "--port-base", str(base)],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env=kept | settings,
            text=True,
        )
        assert child.stdout is not None
        line = child.stdout.readline()
        assert line, folder.with_suffix(".log").read_text()[-3000:]
        ready = json.loads(line)
        del ready["event"], ready["console"]
        loop = Loop(**ready)
        try:
            yield loop
        finally:
            loop.close()
            child.send_signal(signal.SIGTERM)
            status = child.wait(20)
            child.stdout.close()
        assert status == 0


@pytest.fixture(scope="session")
def distributed(parts_dir: Path, postgres_server: str, mailbox: Mailbox) -> Iterator[Loop]:
    """Each service as a process of its own, two of scoring, on three brokers and a given PostgreSQL."""
    with KafkaCluster(parts_dir / "cluster", nodes=3) as cluster:
        yield from _services(cluster.bootstrap, postgres_server, mailbox, parts_dir)


def _services(bootstrap: str, database: str, mailbox: Mailbox, folder: Path) -> Iterator[Loop]:
    ports = free_ports(4)
    environment = os.environ | {
        "DATABASE_URL": database,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "CXLOOP_SECRET_KEY": b64encode(b"only for the tests: 32 bytes....").decode(),
        "CXLOOP_SMTP_URL": mailbox.url,
        "CXLOOP_ALLOW_TARGETS": "127.0.0.0/8",
    }
    cxloop = [sys.executable, "-m", "services.cli"]
    subprocess.run(
        [*cxloop, "migrate"], env=environment, cwd=ROOT, check=True, timeout=60, capture_output=True
    )
    scopes = [part for scope in ("ingest", "read", "act", "admin", "erase") for part in ("--scope", scope)]
    made = run(cxloop, environment, "keys", "create", "e2e", *scopes, "--json")
    names = ["ingest", "scoring", "alerts", "scoring"]
    logs = [(folder / f"{name}-{port}.log").open("wb") for name, port in zip(names, ports, strict=True)]
    children = [
        subprocess.Popen(
            [sys.executable, "-m", f"services.{name}"],
            env=environment | {"CXLOOP_PORT": str(port)},
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        for name, port, log in zip(names, ports, logs, strict=True)
    ]
    for name, port in zip(names, ports, strict=True):
        eventually(partial(ready, port), f"{name} ready", READY_S)
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    loop = Loop(urls[0], urls[1], urls[2], json.loads(made)["api_key"])
    yield loop
    loop.close()
    for child in children:
        child.send_signal(signal.SIGTERM)
    assert [child.wait(20) for child in children] == [0, 0, 0, 0]
    for log in logs:
        log.close()


def run(cxloop: list[str], environment: dict[str, str], *words: str) -> str:
    """What a command of the command line prints; fails with its own words."""
    done = subprocess.run(
        [*cxloop, *words], env=environment, cwd=ROOT, timeout=60, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).is_success
    except httpx.TransportError:
        return False


@pytest.fixture(params=["embedded", "distributed"])
def loop(request: pytest.FixtureRequest) -> Loop:
    """The same test on either."""
    running: Loop = request.getfixturevalue(request.param)
    for source, vendor in (("desk", "zendesk"), ("survey", "typeform")):
        if source not in running.secrets:
            running.source(source, vendor)
    return running


@pytest.fixture
def hook(loop: Loop, unique: Callable[[str], str]) -> Iterator[Hook]:
    """A real HTTP receiver, connected as an endpoint of the default council; and one for mail."""
    with http_receiver() as receiver:
        endpoint = {"id": unique("hook"), "kind": "webhook", "url": receiver.url, "councils": ["default"]}
        made = loop.http.post(f"{loop.alerts}/v1/endpoints", json=endpoint)
        assert made.status_code == 201, made.text
        receiver.secret = made.json()["secret"]
        mail = {"id": unique("mail"), "kind": "email", "to": "council@example.com", "councils": ["default"]}
        assert loop.http.post(f"{loop.alerts}/v1/endpoints", json=mail).status_code == 201
        yield receiver
        for name in (endpoint["id"], mail["id"]):
            loop.http.delete(f"{loop.alerts}/v1/endpoints/{name}")
