"""Keeps child processes running until it is told to stop."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from shared.parts.process import Child, Plan

# Doubling from half a second: a service that cannot start costs next to nothing, one that crashed is back
# before anybody notices.
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
# One that lived so long had started well; its next death begins the count anew.
STEADY_S = 60.0
STOP_S = 5.0
LOG_LIMIT_BYTES = 20 * 1024 * 1024


def backoff_s(failures: int) -> float:
    """Return how long to wait before start number `failures` + 1."""
    return min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** (failures - 1)) if failures else 0.0


class Supervised:
    """One program that shall run, and how often it did not."""

    def __init__(self, name: str, plan: Plan, *, until_success: bool = False) -> None:
        self.name = name
        self.plan = plan
        self.until_success = until_success
        self.done = False
        self.failures = 0
        self.child: Child | None = None
        self.started = 0.0
        self.due = 0.0

    @property
    def pid(self) -> int:
        """Its process id, 0 while it does not run."""
        return self.child.pid if self.child and self.child.poll() is None else 0

    def start(self) -> None:
        """Start it; call it from the main thread."""
        self.child = Child(self.plan)
        self.started = time.monotonic()

    def tick(self, now: float, tell: Callable[[str], None]) -> None:
        """Notice its end, and start it again when it is due."""
        if self.child:
            status = self.child.poll()
            if status is None:
                return
            self.child = None
            self.done = self.until_success and status == 0
            if self.done:
                return
            self.failures = 1 if now - self.started > STEADY_S else self.failures + 1
            self.due = now + backoff_s(self.failures)
            tell(f"{self.name} ended with status {status}; starting it again in {self.due - now:.1f} s")
        elif now >= self.due and not self.done:
            self.start()


class Supervisor:
    """Several supervised programs, started in order and stopped together.

    A service shall never end; with `until_success` a program may, with status 0.
    """

    def __init__(
        self, plans: Mapping[str, Plan], tell: Callable[[str], None], *, until_success: bool = False
    ) -> None:
        self.programs = {
            name: Supervised(name, plan, until_success=until_success) for name, plan in plans.items()
        }
        self._tell = tell

    def start(self) -> None:
        """Start all of them."""
        for program in self.programs.values():
            program.start()

    def tick(self) -> None:
        """Look after all of them once, and keep their logs from growing without end."""
        now = time.monotonic()
        for program in self.programs.values():
            program.tick(now, self._tell)
            if program.plan.log:
                rotate(program.plan.log)

    def stop(self) -> None:
        """End all of them cleanly, by force after a while."""
        running = [program.child for program in self.programs.values() if program.child]
        for child in running:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_S
        for child in running:
            child.stop(max(0.1, deadline - time.monotonic()))


def rotate(log: Path, limit: int = LOG_LIMIT_BYTES) -> None:
    """Put a log aside that grew too long. Its writer appends, so cutting it is safe while it runs."""
    if log.exists() and log.stat().st_size > limit:
        shutil.copyfile(log, log.with_name(log.name + ".1"))
        with log.open("r+b") as file:
            file.truncate(0)
