"""Processes under measurement: started on given parts, waited for, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[2]


@contextmanager
def running(
    module: str, *words: str, env: dict[str, str], port: int | None = None, python: str = sys.executable
) -> Iterator[int]:
    """`python -m module words…` until the block ends; its process id. With a port, waits until it answers."""
    name = "-".join(["bench", module.rpartition(".")[2], *words[:1]]) + ".log"
    command = [python, "-m", module, *words]
    with (ROOT / "build" / name).open("wb") as log:
        child = subprocess.Popen(command, env=os.environ | env, cwd=ROOT, stdout=log, stderr=log)
        try:
            if port is not None:
                _wait_for(port, child)
            yield child.pid
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(15)


def _wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if child.poll() is not None:
            raise RuntimeError(f"{child.args!r} ended with {child.returncode}; see build/bench-*.log")
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code != 503:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"{child.args!r} is not ready after 60 s")


def cpu_s(pid: int) -> float:
    """CPU time that the process has used so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tree_cpu_s(pid: int) -> float:
    """The same of a server and its children, those that ended included: PostgreSQL has one per connection."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ended = (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    living = 0.0
    for child in children:
        try:
            living += cpu_s(int(child))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ends just now, and its time is in its parent's at the next look
    return cpu_s(pid) + ended + living


def check_alive(pid: int) -> None:
    """Raises RuntimeError where a child has ended, waited for or not."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
        raise RuntimeError(f"pid {pid} ended; see build/bench-*.log")


def rss_mb(pid: int) -> float:
    """Memory that the process holds, in MB; what it shares with others counts in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


def family_of(pid: int) -> list[int]:
    """A process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in children for one in family_of(int(child)))]
