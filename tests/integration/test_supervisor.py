"""The supervisor of `cxloop up` with real processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from services.cli.supervisor import Supervisor
from shared.parts.proc import alive_since
from shared.parts.process import Plan


def python(code: str, log: Path) -> Plan:
    return Plan(argv=[sys.executable, "-c", code], log=log)


def tick_until(supervisor: Supervisor, condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        supervisor.tick()
        time.sleep(0.02)


def test_one_that_dies_is_started_again_and_told(tmp_path: Path) -> None:
    told: list[str] = []
    plan = python("import time; time.sleep(60)", tmp_path / "log")
    supervisor = Supervisor({"sleeper": plan}, told.append)
    supervisor.start()
    try:
        first = supervisor.programs["sleeper"].pid
        os.kill(first, signal.SIGKILL)
        tick_until(supervisor, lambda: supervisor.programs["sleeper"].pid not in (0, first))
        assert told == ["sleeper ended with status -9; starting it again in 0.5 s"]
    finally:
        last = supervisor.programs["sleeper"].pid
        supervisor.stop()
    assert alive_since(last) is None


def test_a_task_is_tried_until_it_succeeds(tmp_path: Path) -> None:
    marker = tmp_path / "once"
    code = (
        f"import sys, pathlib; p = pathlib.Path({str(marker)!r});"
        "sys.exit(0) if p.exists() else p.touch(); sys.exit(3)"
    )
    told: list[str] = []
    supervisor = Supervisor({"task": python(code, tmp_path / "log")}, told.append, until_success=True)
    supervisor.start()
    tick_until(supervisor, lambda: supervisor.programs["task"].done)
    supervisor.tick()
    assert supervisor.programs["task"].pid == 0
    assert told == ["task ended with status 3; starting it again in 0.5 s"]
    supervisor.stop()


def test_one_that_will_not_end_is_forced(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('deaf', flush=True); time.sleep(60)"
    )
    supervisor = Supervisor({"deaf": python(code, log)}, lambda _: None)
    supervisor.start()
    tick_until(supervisor, lambda: log.exists() and "deaf" in log.read_text())
    pid = supervisor.programs["deaf"].pid
    begin = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - begin < 9
    assert alive_since(pid) is None
