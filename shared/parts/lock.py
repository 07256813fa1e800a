"""One running instance per data directory."""

from __future__ import annotations

import fcntl
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from shared.parts.errors import PartError
from shared.parts.proc import alive_since, holders

# PostgreSQL's checkpoint and Kafka's flush after a crash of their parent end well within this.
LEFTOVERS_WAIT_S = 30.0


class DirectoryLock:
    """An exclusive lock on a data directory, held until its last holder closes the file.

    Children inherit `fd`, so the lock also outlives a killed parent for as long as one of its databases
    still writes. A second start is refused at once while the first one runs; after a crash it waits for
    what is left to end.
    """

    def __init__(self, directory: Path, *, wait_s: float = LEFTOVERS_WAIT_S) -> None:
        self.directory = directory
        self.path = directory / "lock"
        self.wait_s = wait_s
        self.fd = -1

    def acquire(self) -> DirectoryLock:
        """Take the lock, or raise PartError that names the running instance or what is left of it."""
        self.fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + self.wait_s
        while not self._try():
            self._refuse_if_running()
            if time.monotonic() > deadline:
                self._refuse_leftovers()
            time.sleep(0.05)
        owner = {
            "pid": os.getpid(),
            "process": alive_since(os.getpid()),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, json.dumps(owner).encode(), 0)
        return self

    def release(self) -> None:
        """Let go of our copy of the lock; children that still run keep theirs."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _try(self) -> bool:
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _refuse_if_running(self) -> None:
        owner = read_owner(self.path)
        if owner is None:
            return
        pid, started = owner
        self.release()
        raise PartError(
            "this data directory is in use",
            where=self.directory,
            why=f"a cxloop with process id {pid} runs on it since {started}",
            next_step=f"Use that one, end it with `kill {pid}`, or name another --data-dir.",
        )

    def _refuse_leftovers(self) -> None:
        left = ", ".join(f"{name} ({pid})" for pid, name in holders(self.path)) or "processes of another user"
        self.release()
        raise PartError(
            "this data directory is still in use",
            where=self.directory,
            why=f"the run before was killed and these have not ended yet: {left}",
            next_step="Wait, or end them with `kill`, then start again.",
        )

    def __enter__(self) -> DirectoryLock:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def read_owner(path: Path) -> tuple[int, str] | None:
    """Return process id and start time of the living owner written in a lock file, else None.

    The kernel's start time of the process is compared too, so a reused process id is not taken for it.
    """
    try:
        owner = json.loads(path.read_text())
        pid, process, started = int(owner["pid"]), owner["process"], str(owner["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (pid, started) if process is not None and alive_since(pid) == process else None
