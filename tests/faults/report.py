"""What a row took, printed and kept in `build/faults.jsonl`; and the logs of one that failed."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from tests.faults.programs import ROOT

REPORT = ROOT / "build" / "faults.jsonl"


def write(row: dict[str, object]) -> None:
    line = json.dumps(row)
    REPORT.parent.mkdir(exist_ok=True)
    with REPORT.open("a") as file:
        file.write(line + "\n")
    sys.stdout.write(f"\n{line}\n")


def keep_logs(name: str, folder: Path) -> None:
    """Beside the report, for whoever looks why a row failed."""
    kept = REPORT.parent / "faults-logs" / name.lower().replace(" ", "-")
    kept.mkdir(parents=True, exist_ok=True)
    for log in (*folder.glob("*.log"), *folder.glob("logs/*")):
        shutil.copy(log, kept)
