"""Kafka's classes as Java wants them in memory, kept in the cache: half the CPU time of a start of Kafka.

Java reads them as a class data sharing archive. A run without one notes which classes it loads; once it has
run for a while, a program of lowest priority beside it makes the archive of them for the starts to come.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from shared.parts.java import Java
from shared.parts.places import cache_dir
from shared.parts.process import Child, Plan

# Long enough for everything to have been used once, and for whoever starts and ends it quickly to be spared.
AFTER_S = 30.0
# Making it takes 5 s of CPU time, at the lowest priority possibly very long.
FORGOTTEN_S = 3600.0
LOWEST = 19
FIRST_TO_GO = "1000"


class Archive:
    """The archive that belongs to this Java and exactly these jars.

    Java compares jars and version itself and goes on without an archive that does not fit.
    """

    def __init__(self, java: Java, jars: Sequence[Path]) -> None:
        status = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in [java.program, *jars]]
        key = hashlib.sha256(repr(status).encode()).hexdigest()[:16]
        self.path = cache_dir() / f"kafka-classes-{key}.jsa"

    def options(self, noted: Path) -> list[str]:
        """Java's options to use it; without one: to note the classes in the file `noted`."""
        if self.usable:
            return [f"-XX:SharedArchiveFile={self.path}", "-XX:+VerifySharedSpaces"]
        return [f"-XX:DumpLoadedClassList={noted}"]

    @property
    def usable(self) -> bool:
        """Whether it is there and nobody but us can have written it: it holds programs."""
        try:
            status = self.path.lstat()
        except OSError:
            return False
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        return ours and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)

    def discard(self) -> None:
        """Take it away: a start with it has failed, perhaps because of it."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


class Archiver:
    """Makes an archive beside a running Kafka; `tick` it now and then, from the main thread."""

    def __init__(
        self, archive: Archive, noted: Path, plan: Callable[[list[str]], Plan], after_s: float = AFTER_S
    ) -> None:
        self._archive = archive
        self._noted = noted
        self._plan = plan
        self._due = time.monotonic() + after_s
        self._child: Child | None = None
        self._fresh = archive.path.with_name(f"{archive.path.name}.{os.getpid()}")

    def tick(self) -> None:
        """Start when it is time, notice the end. One attempt per run, and none when there is an archive."""
        if self._child:
            status = self._child.poll()
            if status is not None:
                self._child = None
                self._keep(made=status == 0)
        elif time.monotonic() >= self._due:
            self._due = float("inf")
            if not self._archive.usable:
                self._make()

    def stop(self) -> None:
        """End an attempt under way."""
        if self._child:
            self._child.kill()
            self._child = None
            self._keep(made=False)

    def _make(self) -> None:
        classes = self._noted.with_suffix(".list")
        try:
            # Kafka still writes: the last line may be half a one. Lines with @ only belong to a whole list.
            lines = self._noted.read_text().splitlines(keepends=True)[:-1]
            classes.write_text("".join(line for line in lines if not line.startswith("@")))
            self._clear()
        except (OSError, ValueError):
            return
        files = [f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={self._fresh}"]
        self._child = Child(self._plan(["-Xshare:dump", *files]))
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._child.pid, LOWEST)
            # It takes some 300 MB for a moment. Where these are not there, no other process shall end.
            Path(f"/proc/{self._child.pid}/oom_score_adj").write_text(FIRST_TO_GO)

    def _keep(self, *, made: bool) -> None:
        with contextlib.suppress(OSError):
            if made:
                self._fresh.chmod(0o600)
                self._fresh.replace(self._archive.path)
            self._fresh.unlink(missing_ok=True)

    def _clear(self) -> None:
        """Remove the archives of other jars, and what attempts that were killed have left."""
        for other in self._archive.path.parent.glob("kafka-classes-*"):
            if time.time() - other.stat().st_mtime > FORGOTTEN_S:
                other.unlink(missing_ok=True)
