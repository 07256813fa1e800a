"""The peers' own environment: what requirements-bench.lock names, on top of what cxloop itself has."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable

from tests.bench.processes import ROOT

FOLDER = ROOT / "build" / "peers"
LOCK = ROOT / "requirements-bench.lock"
INSTALL_S = 600


def installed(told: Callable[[str], None]) -> str:
    """Path of the environment's Python, made where it is missing or of an older lock; empty if that fails."""
    python, stamp = FOLDER / "bin" / "python", FOLDER / "lock.sha256"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        told("installing the peers, the first time")
        venv.create(FOLDER, clear=True, with_pip=True)
        # The lock is complete; without --no-deps an extra of a pinned package counts as not pinned.
        words = ["install", "--quiet", "--no-deps", "--require-hashes", "-r", str(LOCK)]
        done = subprocess.run([python, "-m", "pip", *words], cwd=ROOT, timeout=INSTALL_S)
        if done.returncode:
            told("the peers cannot be installed")
            return ""
        own = FOLDER / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        (own / "cxloop.pth").write_text(sysconfig.get_path("purelib") + "\n")
        stamp.write_text(digest)
    return str(python)
