"""PostgreSQL and Kafka of one data directory, started and ended together."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path
from types import TracebackType

from shared.parts.archive import Archiver
from shared.parts.kafka import Kafka
from shared.parts.lock import DirectoryLock
from shared.parts.places import default_data_dir, make_folder
from shared.parts.postgres import Postgres
from shared.parts.progress import Progress, quiet

# Both end well within a second. A start after a forced end recovers by itself, so ten seconds for a whole
# instance are kept by force rather than missed.
STOP_S = 4.0


class Parts:
    """The embedded parts below one data directory, as a context manager.

    Parts that are not wanted (`postgres=False`, `kafka=False`) are left out; the directory is locked in any
    case. `progress` may be called from other threads. Enter it in the main thread: the kernel ends the
    children together with the thread that started them.
    """

    def __init__(
        self,
        data_dir: Path | str | None = None,
        *,
        postgres: bool = True,
        kafka: bool = True,
        progress: Progress = quiet,
    ) -> None:
        self.data_dir = Path(data_dir).absolute() if data_dir else default_data_dir()
        self._progress = progress
        self._lock = DirectoryLock(self.data_dir)
        self._wanted = (postgres, kafka)
        self.postgres: Postgres | None = None
        self.broker: Kafka | None = None
        self._archiver: Archiver | None = None

    @property
    def database_url(self) -> str:
        """Address of the embedded PostgreSQL."""
        assert self.postgres is not None, "PostgreSQL was left out"
        return self.postgres.database_url

    @property
    def kafka(self) -> str:
        """Bootstrap address of the embedded Kafka."""
        assert self.broker is not None, "Kafka was left out"
        return self.broker.bootstrap

    def start(self) -> Parts:
        """Lock the directory and start what is wanted, side by side; return when all of it is ready."""
        try:
            self.launch()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def launch(self) -> None:
        """Lock the directory and start what is wanted, side by side; `wait_ready` or `stop` comes next.

        From here on the addresses are known.
        """
        self.lock()
        self._create()
        self._spawn_all()

    def wait_ready(self) -> None:
        """Wait until all of it is ready; one part alone: its own `wait_ready`."""
        for part in self._running():
            part.wait_ready()
        if self.broker:
            self._archiver = self.broker.archiver()

    def lock(self) -> int:
        """Make and lock the directory, once; return its file descriptor for further children to hold."""
        if self._lock.fd < 0:
            make_folder(self.data_dir, "the data directory", private=True)
            self._lock.acquire()
        return self._lock.fd

    def stop(self) -> None:
        """End all parts cleanly, by force after `STOP_S`, then unlock."""
        if self._archiver:
            self._archiver.stop()
        for part in self._running():
            part.ask_to_stop()
        deadline = time.monotonic() + STOP_S
        for part in self._running():
            part.stop(max(0.1, deadline - time.monotonic()))
        if self.broker:
            self.broker.close()
        self._lock.release()

    def revive(self) -> list[str]:
        """Start again the parts that have ended by themselves; return their names. From the main thread.

        Called regularly it also makes later starts cheaper.
        """
        if self._archiver:
            self._archiver.tick()
        revived = []
        for name, part in (("PostgreSQL", self.postgres), ("Kafka", self.broker)):
            if part and not part.pid:
                part.spawn()
                part.wait_ready()
                revived.append(name)
        return revived

    def _create(self) -> None:
        postgres, kafka = self._wanted
        logs = make_folder(self.data_dir / "logs", "the folder for logs", private=True)
        if postgres:
            self.postgres = Postgres(
                self.data_dir / "postgres",
                log=logs / "postgres.log",
                lock_fd=self._lock.fd,
                progress=self._progress,
            )
        if kafka:
            self.broker = Kafka(
                self.data_dir / "kafka",
                log=logs / "kafka.log",
                lock_fd=self._lock.fd,
                progress=self._progress,
            )

    def _running(self) -> list[Postgres | Kafka]:
        return [part for part in (self.broker, self.postgres) if part]

    def _spawn_all(self) -> None:
        """Prepare in threads, spawn here in the main thread as each is prepared."""
        parts = self._running()
        done: queue.Queue[tuple[Postgres | Kafka, BaseException | None]] = queue.Queue()
        for part in parts:
            threading.Thread(target=_prepare, args=(part, done), daemon=True).start()
        for _ in parts:
            part, error = _next(done)
            if error:
                raise error
            part.spawn()

    def __enter__(self) -> Parts:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _prepare(
    part: Postgres | Kafka, done: queue.Queue[tuple[Postgres | Kafka, BaseException | None]]
) -> None:
    try:
        part.prepare()
    except BaseException as error:  # noqa: BLE001 - handed to the thread that waits, which raises it
        done.put((part, error))
    else:
        done.put((part, None))


def _next(
    done: queue.Queue[tuple[Postgres | Kafka, BaseException | None]],
) -> tuple[Postgres | Kafka, BaseException | None]:
    while True:  # in slices: a signal's handler runs between them
        try:
            return done.get(timeout=0.1)
        except queue.Empty:
            continue
