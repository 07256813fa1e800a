"""Guard process: ends the children of a process that died, however it died.

Started as a script with nothing but the standard library. On standard input come lines
`add PID START STOP LAST` and `drop PID`; the end of input means that the parent is gone. Then every child
still registered gets its STOP signal, and those that live ten seconds later their LAST one. START is the
kernel's start time of the process (0: unknown), so that a reused process id is never signalled.
"""

from __future__ import annotations

import os
import signal
import sys
import time

GRACE_S = 10.0


def start_time(pid: int) -> int | None:
    """Return the start time of a living process, None for dead ones and zombies."""
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - keeps the guard's start at a few imports
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def lives(pid: int, start: int) -> bool:
    """Whether the registered process is still there."""
    if start:
        return start_time(pid) == start
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def send(pid: int, number: int) -> None:
    """Signal a process that may have gone in the meantime; wake it first, a stopped one hears nothing."""
    try:
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
    except OSError:
        return


def main() -> None:
    """Follow the registrations, then end what is left."""
    for quiet in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(quiet, signal.SIG_IGN)
    children: dict[int, tuple[int, int, int]] = {}
    for line in sys.stdin:
        verb, *numbers = line.split()
        pid, *rest = map(int, numbers)
        if verb == "add":
            children[pid] = (rest[0], rest[1], rest[2])
        else:
            children.pop(pid, None)
    for pid, (start, stop, _) in children.items():
        if lives(pid, start):
            send(pid, stop)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and any(lives(pid, start) for pid, (start, _, _) in children.items()):
        time.sleep(0.05)
    for pid, (start, _, last) in children.items():
        if lives(pid, start):
            send(pid, last)


if __name__ == "__main__":
    main()
