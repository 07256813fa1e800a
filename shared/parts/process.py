"""A child process that dies with us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from shared.parts.guard import GUARD
from shared.parts.places import Account
from shared.parts.proc import descendants

LAUNCHER = Path(__file__).with_name("launch_main.py")
LOG_LIMIT_BYTES = 10 * 1024 * 1024
STDERR = 2


@dataclass(frozen=True)
class Plan:
    """How to start a child and how to end it.

    `stop` asks it to end cleanly, `last` is for one that does not. `log` receives its output; without one
    it goes to our standard error. `fds` stay open in it.
    """

    argv: Sequence[str]
    log: Path | None = None
    stop: signal.Signals = signal.SIGTERM
    last: signal.Signals = signal.SIGKILL
    cwd: Path = Path("/")
    account: Account | None = None
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    fds: Sequence[int] = ()


class Child:
    """A running child: registered with the guard, and told by the kernel when our process is gone.

    The kernel's signal follows the thread that spawned, so it is asked for in the main thread only;
    the guard watches in every case.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        death = plan.stop if threading.current_thread() is threading.main_thread() else 0
        uid, gid = (plan.account.uid, plan.account.gid) if plan.account else (-1, -1)
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER)]
        numbers = [str(int(number)) for number in (os.getpid(), death, uid, gid)]
        with _output(plan.log) as out:
            self._popen = subprocess.Popen(
                [*launcher, *numbers, str(plan.cwd), *plan.argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=dict(plan.env),
                pass_fds=[fd for fd in plan.fds if fd >= 0],
                start_new_session=True,  # or Ctrl-C reaches it before we can end things in order
            )
        GUARD.add(self.pid, plan.stop, plan.last)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def poll(self) -> int | None:
        """Return the exit status (negative: the signal), None while it runs."""
        status = self._popen.poll()
        if status is not None:
            GUARD.drop(self.pid)
        return status

    def wait(self, timeout_s: float) -> int:
        """Wait for its end and return the exit status; raises TimeoutExpired."""
        status = self._popen.wait(timeout_s)
        GUARD.drop(self.pid)
        return status

    def send(self, number: int) -> None:
        """Signal it; one that has ended hears nothing."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._popen.send_signal(number)

    def ask_to_stop(self) -> None:
        """Ask it to end cleanly and return at once; a frozen one is woken first."""
        self.resume()
        self.send(self.plan.stop)

    def stop(self, timeout_s: float = 10.0) -> int:
        """End it cleanly within `timeout_s`, else by force; return the exit status."""
        self.ask_to_stop()
        try:
            return self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it by force, as a crash would, and return the exit status."""
        self.send(self.plan.last)
        self.resume()
        try:
            return self.wait(5)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGKILL)
            return self.wait(5)

    def freeze(self) -> None:
        """Stop it and everything below it where they stand, until `resume`."""
        self.send(signal.SIGSTOP)
        self._signal_below(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it and everything below it go on."""
        self.send(signal.SIGCONT)
        self._signal_below(signal.SIGCONT)

    def _signal_below(self, number: signal.Signals) -> None:
        for pid in descendants(self.pid) if self.poll() is None else []:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


@contextlib.contextmanager
def _output(log: Path | None) -> Iterator[BinaryIO | int]:
    """Open the log of a child for appending; one that grew too long is put aside first."""
    if log is None:
        yield STDERR
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    with log.open("ab") as file:
        yield file
