"""Where embedded parts keep their data, their downloads and their sockets."""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared.parts.errors import PartError

# sockaddr_un holds 108 bytes with the closing zero.
SOCKET_PATH_MAX = 107
SOCKET_NAME = ".s.PGSQL.5432"
# PostgreSQL refuses to run as root; every Linux system has this account.
UNPRIVILEGED = "nobody"


@dataclass(frozen=True)
class Account:
    """A user of the operating system that a child runs as."""

    name: str
    uid: int
    gid: int


def is_root() -> bool:
    """Whether this process runs as root."""
    return os.geteuid() == 0


def unprivileged() -> Account | None:
    """Return the account PostgreSQL runs as when we are root, None when our own will do."""
    if not is_root():
        return None
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError as error:
        raise PartError(
            "PostgreSQL cannot run as root",
            why=f"this system has no user {UNPRIVILEGED!r} to run it as",
            next_step="Run cxloop as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own.",
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def default_data_dir() -> Path:
    """Return the folder an embedded run keeps its data in when none is named."""
    if is_root():
        return Path("/var/lib/cxloop")
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "share") / "cxloop"


def cache_dir() -> Path:
    """Return the folder for downloads that every data directory shares.

    `CXLOOP_CACHE_DIR` decides; root gets one outside its closed home, for PostgreSQL's own user must read
    a copy of the binaries there when the installation itself is closed to it.
    """
    if chosen := os.environ.get("CXLOOP_CACHE_DIR"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    if base.startswith("/"):
        return Path(base) / "cxloop"
    return Path("/var/cache/cxloop") if is_root() else Path.home() / ".cache" / "cxloop"


def make_folder(path: Path, what: str, *, private: bool = False) -> Path:
    """Create a folder of ours with its parents and check that it can be written.

    A private one is closed to everybody else when it is made; one that was there keeps its mode.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(exist_ok=True, mode=0o700 if private else 0o755)
    except OSError as error:
        raise PartError(
            f"cannot create {what}",
            where=path,
            why=error.strerror or str(error),
            next_step="Name another folder, or ask for the right to write there.",
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise PartError(
            f"cannot write {what}",
            where=path,
            why="this user may not write there",
            next_step="Name another folder, or change its owner.",
        )
    return path


def closed_parent(path: Path, account: Account) -> Path | None:
    """Return the first folder on the way to `path` that `account` may not walk through, or None."""
    for folder in [*reversed(path.resolve().parents), path.resolve()]:
        if not folder.is_dir():
            continue
        status = folder.stat()
        mode = status.st_mode
        if status.st_uid == account.uid:
            allowed = mode & stat.S_IXUSR
        elif status.st_gid == account.gid:
            allowed = mode & stat.S_IXGRP
        else:
            allowed = mode & stat.S_IXOTH
        if not allowed:
            return folder
    return None


def socket_dir(data: Path, account: Account | None) -> Path:
    """Create and check the short, private folder of the Unix socket for the data in `data`.

    Its name is a hash of the real data path, so that every start finds the same one. Mode and owner are
    checked without following links: anybody may create names in the temporary folder.
    """
    uid = account.uid if account else os.geteuid()
    digest = hashlib.sha256(f"{uid}:{data.resolve()}".encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"cxloop-{digest}"
    if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_MAX:
        folder = Path("/tmp") / f"cxloop-{digest}"  # noqa: S108 - private folder, checked below
    try:
        folder.mkdir(mode=0o700)
        if account:
            os.chown(folder, account.uid, account.gid)
    except FileExistsError:
        pass
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != uid or stat.S_IMODE(status.st_mode) != 0o700:
        raise PartError(
            "cannot use the folder of PostgreSQL's socket",
            where=folder,
            why=f"it is not a private folder (0700) of user id {uid}",
            next_step="Remove it, or set TMPDIR to a folder of your own.",
        )
    return folder
