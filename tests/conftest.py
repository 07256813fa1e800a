"""What every test may ask for."""

from __future__ import annotations

import sys
from pathlib import Path

# The tests import each other's helpers as `tests.…`, however pytest was started.
sys.path.insert(0, str(Path(__file__).parent.parent))

pytest_plugins = ["tests.fixtures.parts", "tests.fixtures.databases", "tests.fixtures.names"]
