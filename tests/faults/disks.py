"""A small disk under the data of a part, that can be filled to the last byte.

Mounting one needs root. Where we are not root nothing else behaves like a full disk: the rows are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOM_MB = 24
MB = 1024 * 1024


class SmallDisk:
    """Mounted over a folder; `fill` leaves no byte, `free` gives it all back."""

    def __init__(self, folder: Path) -> None:
        self._filler = folder / "filler"
        self._folder = folder

    def fill(self) -> None:
        """As another tenant of the disk does: a file that takes what is left."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (MB, 4096, 512, 1):
                self._take(file.fileno(), bytes(size))

    @staticmethod
    def _take(file: int, piece: bytes) -> None:
        try:
            while os.write(file, piece):
                pass
        except OSError:
            return

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    @property
    def left(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self._folder).free


@contextmanager
def small_disk(folder: Path, stop: Callable[[], object], start: Callable[[], object]) -> Iterator[SmallDisk]:
    """Moves the data in `folder` to a disk with little room, and back in the end. The part that lives on it
    is stopped and started before, and stopped in the end."""
    kept = folder.with_name(folder.name + ".kept")
    stop()
    folder.rename(kept)
    used_mb = int(_run("du", "-sm", str(kept)).split()[0])
    status = kept.stat()
    folder.mkdir(mode=status.st_mode & 0o777)
    _run("mount", "-t", "tmpfs", "-o", f"size={used_mb + ROOM_MB}m", "tmpfs", str(folder))
    try:
        os.chown(folder, status.st_uid, status.st_gid)
        folder.chmod(status.st_mode & 0o777)
        _run("cp", "-a", f"{kept}/.", str(folder))
        start()
        disk = SmallDisk(folder)
        try:
            yield disk
        finally:
            disk.free()
            stop()
            shutil.rmtree(kept)
            _run("cp", "-a", str(folder), str(kept))
    finally:
        _run("umount", str(folder))
        folder.rmdir()
        kept.rename(folder)


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout
