"""The three services, each as its own process, on real parts; what they write is kept to be read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.integration.ingest.process import free_port

SECRET_KEY = b64encode(b"edge tests, 32 bytes of a key!!!").decode()
NAMES = ("ingest", "scoring", "alerts")
READY_S = 120.0


class Live(NamedTuple):
    """Addresses and logs by service, a key with every scope, the processes."""

    urls: dict[str, str]
    key: str
    logs: dict[str, Path]
    processes: dict[str, subprocess.Popen[bytes]]

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    def client(self, name: str) -> httpx.Client:
        return httpx.Client(base_url=self.urls[name], headers=self.headers, timeout=30)

    def written(self) -> str:
        """Everything that the processes wrote so far."""
        return "".join(path.read_text("utf-8", "replace") for path in self.logs.values())


@contextmanager
def services(database_url: str, kafka: str, key: str, folder: Path, **settings: str) -> Iterator[Live]:
    """Starts them, waits until all are ready, ends them."""
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "CXLOOP_SECRET_KEY": SECRET_KEY,
        "CXLOOP_ALLOW_TARGETS": "127.0.0.0/8",
        **settings,
    }
    urls, logs, processes = {}, {}, {}
    with ExitStack() as stack:
        for name in NAMES:
            port = free_port()
            logs[name], urls[name] = folder / f"{name}.log", f"http://127.0.0.1:{port}"
            out = stack.enter_context(logs[name].open("ab"))
            words = [sys.executable, "-m", f"services.{name}"]
            processes[name] = subprocess.Popen(
                words, env=environment | {"CXLOOP_PORT": str(port)}, stdout=out, stderr=out
            )
            stack.callback(_end, processes[name])
        live = Live(urls, key, logs, processes)
        _wait_ready(live)
        yield live


def _wait_ready(live: Live) -> None:
    ends = time.monotonic() + READY_S
    for name, url in live.urls.items():
        while not _is_ready(url):
            assert live.processes[name].poll() is None and time.monotonic() < ends, live.logs[
                name
            ].read_text()
            time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=3).status_code == 200
    except httpx.TransportError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
