"""The parent's side of the guard process."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
from pathlib import Path

from shared.parts.proc import alive_since

SCRIPT = Path(__file__).with_name("guard_main.py")


class Guard:
    """A process beside ours that ends our registered children when we are gone.

    It reads from a pipe whose other end only we hold: the kernel closes it whatever kills us.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def add(self, pid: int, stop: int, last: int) -> None:
        """Register a child: `stop` is sent at once when we are gone, `last` if it lives 10 s later."""
        self._send(f"add {pid} {alive_since(pid) or 0} {int(stop)} {int(last)}\n")

    def drop(self, pid: int) -> None:
        """Forget a child that has ended."""
        self._send(f"drop {pid}\n")

    def close(self) -> None:
        """End the guard; children still registered are ended by it."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid() or process.stdin is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)

    def _send(self, line: str) -> None:
        try:
            self._write(line)
        except BrokenPipeError:  # somebody killed the guard: a new one starts empty and learns from here on
            self._process = None
            self._write(line)

    def _write(self, line: str) -> None:
        if self._process is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                bufsize=0,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())


GUARD = Guard()
atexit.register(GUARD.close)
