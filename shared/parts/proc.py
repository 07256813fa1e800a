"""What /proc tells about processes. Elsewhere than on Linux the answers are empty."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def alive_since(pid: int) -> int | None:
    """Return the kernel's start time (clock ticks after boot) of a living process, None for dead ones.

    Together with the process id it names one process for good. Zombies count as dead.
    """
    fields = _stat(pid)
    if fields is None:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def descendants(pid: int) -> list[int]:
    """Return the ids of all living processes below `pid`, parents before children."""
    children: dict[int, list[int]] = {}
    for entry in PROC.glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields and fields[0] not in {"Z", "X"}:
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def holders(path: Path) -> list[tuple[int, str]]:
    """Return (process id, name) of every visible process other than ours that has `path` open."""
    target = path.stat()
    others = (entry for entry in PROC.glob("[0-9]*") if int(entry.name) != os.getpid())
    return [(int(entry.name), _name(entry)) for entry in others if _has_open(entry, target)]


def _has_open(entry: Path, target: os.stat_result) -> bool:
    try:
        return any(_same(fd, target) for fd in (entry / "fd").iterdir())
    except OSError:
        return False


def _same(fd: Path, target: os.stat_result) -> bool:
    try:
        status = fd.stat()
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (target.st_dev, target.st_ino)


def _name(entry: Path) -> str:
    try:
        return (entry / "comm").read_text().strip()
    except OSError:
        return "?"


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on; the name before may hold blanks."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    return text.rpartition(")")[2].split()
