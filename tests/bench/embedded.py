"""`cxloop up` in an empty folder: start to first score, memory of everything, second start."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.parts import cache_dir
from tests.bench.processes import ROOT, family_of, rss_mb
from tests.bench.report import Row, Side, row
from tests.bench.world import World
from tests.e2e.loop import Loop, ago, eventually, free_ports

FAMILY = "embedded"
ROUNDS = 2
ARCHIVE_S = 180.0


def measure(world: World, rounds: int, told: Callable[[str], None]) -> Iterator[Row | Side]:
    """Packages and jars are installed already; folder and archive of Java's classes are new in each round.

    The first start's instance lives until it has made that archive, half a minute, as a person's does.
    """
    first: list[float] = []
    second: list[float] = []
    memory: list[float] = []
    for number in range(min(rounds, ROUNDS)):
        folder = world.folder / f"embedded-{number}"
        with _cache() as cache:
            for found in (first, second):
                told(f"round {number + 1}, {'first' if found is first else 'second'} start")
                began = time.monotonic()
                with _up(folder, cache) as (loop, pid):
                    _first_score(loop, f"r-{began}")
                    found.append(time.monotonic() - began)
                    if found is first:
                        memory.append(sum(map(rss_mb, family_of(pid))))
                        eventually(lambda: any(cache.glob("*.jsa")), "archive of classes", ARCHIVE_S)
    yield row(FAMILY, "first start to first score", first, 15, "lower", unit="s")
    yield row(FAMILY, "second start to first score", second, 6, "lower", unit="s")
    yield row(FAMILY, "memory of everything, Java included", memory, 700, "lower", unit="MB")


def _first_score(loop: Loop, response: str) -> None:
    answer = {"response": response, "metric": "nps", "score": 9}
    loop.applied(loop.event("survey.answered", ["user:bench"], answer, ago(minutes=1)))
    loop.score(loop.customer("user:bench"))


@contextmanager
def _cache() -> Iterator[Path]:
    """A copy of what is installed, without what runs have made of it."""
    with tempfile.TemporaryDirectory(prefix="cxloop-bench-") as name:
        place = Path(name)
        place.chmod(0o755)  # PostgreSQL may run as another user
        left_out = shutil.ignore_patterns("kafka-classes-*")
        shutil.copytree(cache_dir(), place, ignore=left_out, dirs_exist_ok=True)
        yield place


@contextmanager
def _up(folder: Path, cache: Path) -> Iterator[tuple[Loop, int]]:
    words = ["up", "--json", "--no-demo", "--data-dir", str(folder), "--port-base", str(free_ports(4)[0])]
    kept = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")}
    with (ROOT / "build" / "bench-up.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "services.cli", *words],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env={**kept, "CXLOOP_CACHE_DIR": str(cache)},
            text=True,
        )
        assert child.stdout is not None
        try:
            ready = json.loads(child.stdout.readline())
            loop = Loop(**{k: v for k, v in ready.items() if k not in ("event", "console")})
            yield loop, child.pid
            loop.close()
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(30)
            child.stdout.close()
