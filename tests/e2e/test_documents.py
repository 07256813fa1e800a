"""Every command in README and guide is executed, in order, against a running instance with the demo."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.loop import Loop

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    "README.md",
    "docs/guide/README.md",
    *sorted(f"docs/guide/{p.name}" for p in (ROOT / "docs/guide").glob("[0-9]*")),
]


def script(page: str) -> str:
    return "\n".join(BLOCK.findall((ROOT / page).read_text("utf-8")))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_pages_in_order(demo: Loop, demo_dir: Path) -> None:
    """One shell for all pages, as a newcomer reads them; it stops at the first command that fails."""
    said = "\n".join(f'echo "== {page}"\n{script(page)}' for page in PAGES)
    environment = os.environ | {
        "CXLOOP_DATA_DIR": str(demo_dir),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", said],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "verified" in done.stdout
    assert demo.api_key not in done.stdout
