"""`cxloop up`: one ready line, a clean end, a second start, restarts, and nothing left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.cli.home import Home
from shared.parts.proc import alive_since, descendants
from tests.fixtures.running import Up, command, environment, port_base, up

END_S = 10.0
SERVICES = ("ingest", "scoring", "alerts")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cxloop-up-", ignore_cleanup_errors=True) as name:
        yield Path(name) / "data"


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).is_success
    except httpx.TransportError:
        return False


def cxloop(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.cli", "--data-dir", str(folder), *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )


def said(folder: Path, *words: str) -> dict[str, Any]:
    """The JSON document a command prints."""
    done = cxloop(folder, *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def listed(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The JSON list a command prints."""
    found: object = said(folder, *words)
    assert isinstance(found, list)
    return found


def processes_of(instance: Up, words: str) -> list[int]:
    """The ids of the processes below the instance whose command line holds these words."""
    return [pid for pid in descendants(instance.process.pid) if words in command_line(pid)]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:  # it has just ended
        return ""


def end_and_look(instance: Up, number: signal.Signals) -> None:
    """End it; it must be quick, without an error, and leave nothing running."""
    pids = descendants(instance.process.pid)
    begin = time.monotonic()
    assert instance.end(number) == 0, instance.log.read_text()[-3000:]
    assert time.monotonic() - begin < END_S
    assert [pid for pid in pids if alive_since(pid)] == []
    assert instance.process.stdout is not None
    assert instance.process.stdout.read() == "", "one line on standard output and no more"


def test_a_start_an_end_and_a_second_start_with_the_same_data(folder: Path) -> None:
    with up(folder) as first:
        ready = first.ready
        assert ready.keys() == {
            "event", "console", "ingest", "scoring", "alerts", "api_key", "kafka", "database",
        }  # fmt: skip
        assert (ready["event"], ready["console"]) == ("ready", None)
        assert all(answers(ready[name]) for name in SERVICES)
        source = said(folder, "sources", "add", "desk", "--vendor", "zendesk", "--secret", "s3cret-s3cret")
        assert source["id"] == "desk"
        end_and_look(first, signal.SIGTERM)
    with up(folder) as second:
        assert second.ready["api_key"] == ready["api_key"]
        assert second.ready["kafka"] == ready["kafka"]
        assert [item["id"] for item in listed(folder, "sources", "list")] == ["desk"]
        end_and_look(second, signal.SIGINT)


def test_killed_hard_its_children_end_too_and_a_new_start_works(folder: Path) -> None:
    with up(folder) as instance:
        pids = descendants(instance.process.pid)
        assert len(pids) > 5
        instance.end(signal.SIGKILL)
        wait_until(lambda: not [pid for pid in pids if alive_since(pid)], 12, "children gone")
    with up(folder) as again:
        assert answers(again.ready["scoring"])


def test_what_dies_is_started_again(folder: Path) -> None:
    with up(folder) as instance:
        for name, words in (
            ("ingest", "services.ingest"),
            ("scoring", "kafka.Kafka"),
            ("alerts", "bin/postgres"),
        ):
            (pid,) = processes_of(instance, words)
            number = signal.SIGQUIT if "postgres" in words else signal.SIGKILL
            subprocess.run(["kill", f"-{int(number)}", str(pid)], check=True)
            wait_until(lambda pid=pid: not alive_since(pid), 5, f"{words} gone")  # type: ignore[misc]
            wait_until(lambda url=instance.ready[name]: answers(url), 60, f"{name} ready")  # type: ignore[misc]
            wait_until(lambda words=words: len(processes_of(instance, words)) == 1, 30, f"{words} back")  # type: ignore[misc]
        assert listed(folder, "doctor"), "nothing is wrong, or its exit status had been 1"
        end_and_look(instance, signal.SIGTERM)


def test_a_second_start_beside_it_and_a_taken_port_are_refused(folder: Path) -> None:
    with up(folder) as instance:
        beside = subprocess.run(
            command(folder, "--json", "--port-base", str(port_base())),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert beside.returncode == 1
        assert f"process id {instance.process.pid}" in beside.stderr
        assert beside.stdout == ""
        assert Home(folder).run(), "the refused start left the running one's file alone"
        base = int(instance.ready["ingest"].rpartition(":")[2]) - 1
        elsewhere = folder.with_name("elsewhere")
        taken = subprocess.run(
            command(elsewhere, "--port-base", str(base)), env=environment(), capture_output=True, text=True
        )
        assert taken.returncode == 1
        assert "--port-base" in taken.stderr


def test_given_parts_are_used(folder: Path, postgres_server: str, kafka: str, own_database_url: str) -> None:
    with up(folder, env={"DATABASE_URL": own_database_url, "KAFKA_BOOTSTRAP_SERVERS": kafka}) as instance:
        assert instance.ready["kafka"] == kafka
        assert instance.ready["database"] == own_database_url
        pids = descendants(instance.process.pid)
        programs = list(map(command_line, pids))
        assert not [program for program in programs if "postgres" in program or "kafka.Kafka" in program]
        end_and_look(instance, signal.SIGTERM)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("DATABASE_URL", "postgresql://nobody:pass-word@127.0.0.1:1/none", "PostgreSQL at 127.0.0.1:1"),
        ("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1", "Kafka at 127.0.0.1:1"),
    ],
)
def test_a_given_part_that_is_not_there_is_named(
    folder: Path, name: str, value: str, sentence: str, own_database_url: str
) -> None:
    given = {"DATABASE_URL": own_database_url, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", name: value}
    done = subprocess.run(
        command(folder, "--json", "--no-demo", "--port-base", str(port_base())),
        env=environment(given),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert name in done.stderr
    assert "pass-word" not in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
