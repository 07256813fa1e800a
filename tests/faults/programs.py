"""Services as processes that are kept running, and that a test may end, freeze and start anew."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import httpx

from shared.parts.kafka_config import HOST
from shared.parts.process import Child, Plan
from tests.e2e.loop import eventually

ROOT = Path(__file__).parents[2]
READY_S = 60.0
STOP_S = 15.0
RESTART_AFTER_S = 0.5


class Program:
    """`python -m services.<service>` on its own port, with its own log.

    While it is wanted, a keeper starts it again when it has ended by itself, as any supervisor does; that is
    counted in `restarts`.
    """

    def __init__(self, service: str, port: int, log: Path, environment: Mapping[str, str]) -> None:
        self.service = service
        self.port = port
        self.log = log
        env = {**os.environ, **environment, "CXLOOP_PORT": str(port)}
        self._plan = Plan([sys.executable, "-m", f"services.{service}"], log=log, cwd=ROOT, env=env)
        self._child: Child | None = None
        self._lock = threading.Lock()
        self.wanted = False
        self.restarts = 0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def pid(self) -> int:
        """0 while it does not run."""
        return self._child.pid if self._child and self._child.poll() is None else 0

    def start(self) -> Program:
        """Returns at once; `wait_ready` waits."""
        with self._lock:
            if not self.pid:
                self._child = Child(self._plan)
            self.wanted = True
        return self

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it at once, by SIGKILL; it stays away until `start`."""
        with self._lock:
            self.wanted = False
            if self._child and self.pid:
                self._child.send(number)
                self._child.resume()
                self._child.wait(STOP_S)

    def stop(self) -> int:
        """End it as a supervisor does, by SIGTERM; its exit status."""
        with self._lock:
            self.wanted = False
            assert self._child is not None
            return self._child.stop(STOP_S)

    def freeze(self) -> None:
        if self._child:
            self._child.freeze()

    def resume(self) -> None:
        if self._child:
            self._child.resume()

    def keep(self) -> None:
        """Start it anew if it has ended by itself."""
        with self._lock:
            if self.wanted and not self.pid:
                self.restarts += 1
                self._child = Child(self._plan)

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=3).is_success
        except httpx.TransportError:
            return False

    def wait_ready(self, deadline_s: float = READY_S) -> None:
        eventually(self.is_ready, f"{self.service} on {self.port} ready; its log is {self.log}", deadline_s)


class Keeper:
    """Looks after programs from a thread, twice a second."""

    def __init__(self) -> None:
        self.programs: list[Program] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(RESTART_AFTER_S):
            for program in list(self.programs):
                program.keep()

    def of(self, service: str) -> list[Program]:
        return [program for program in self.programs if program.service == service]

    def close(self) -> None:
        self._over.set()
        self._thread.join(STOP_S)
        running = [program for program in self.programs if program.pid]
        for program in running:
            program.resume()
            program.stop()


def heal(programs: Iterable[Program]) -> None:
    """All of them running, awake and ready."""
    programs = list(programs)
    for program in programs:
        program.resume()
        program.start()
    deadline = time.monotonic() + READY_S
    for program in programs:
        left_s = max(1.0, deadline - time.monotonic())
        eventually(partial(program.is_ready), f"{program.service} ready; its log is {program.log}", left_s)
