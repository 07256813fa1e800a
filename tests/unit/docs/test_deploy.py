"""The compose file and the image's build file pass their linters; no container engine is needed for that."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent

LINTS = [
    ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
    ["yamllint", "-s", "-d", "{extends: relaxed, rules: {line-length: {max: 130}}}", "docker-compose.yml"],
    ["hadolint", "deploy/Dockerfile"],
]


@pytest.mark.parametrize("command", LINTS, ids=lambda command: command[0])
def test_lint(command: list[str]) -> None:
    tool = BIN / command[0]
    if command[0] == "hadolint" and not tool.exists():
        pytest.skip("hadolint's wheel exists for Linux on x86-64 only")
    done = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_of_ours_runs_a_module_that_exists() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    commands = [
        service["command"] for name, service in services.items() if name in ("ingest", "scoring", "alerts")
    ]
    assert [command[-1] for command in commands] == ["services.ingest", "services.scoring", "services.alerts"]
    assert all((ROOT / command[-1].replace(".", "/") / "__main__.py").exists() for command in commands)


def test_the_runtime_lock_is_part_of_the_whole_lock() -> None:
    pinned = re.compile(r"^([a-z0-9-]+==\S+)", re.MULTILINE)
    everything = set(pinned.findall((ROOT / "requirements.lock").read_text("utf-8")))
    at_run_time = set(pinned.findall((ROOT / "requirements-run.lock").read_text("utf-8")))
    assert at_run_time
    assert at_run_time <= everything
