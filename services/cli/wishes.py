"""What the person who starts an instance asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wishes:
    """Where to keep everything, the ports from which on to listen, and where the services' logs go."""

    data_dir: Path
    port_base: int
    verbose: bool
