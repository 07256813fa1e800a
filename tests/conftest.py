"""What every test may ask for."""

from __future__ import annotations

import sys
from pathlib import Path

import hypothesis
import pytest

# The tests import each other's helpers as `tests.…`, however pytest was started.
sys.path.insert(0, str(Path(__file__).parent.parent))

# On a busy machine a slow example is no wrong one.
hypothesis.settings.register_profile("cxloop", deadline=None)
hypothesis.settings.load_profile("cxloop")

pytest_plugins = ["tests.fixtures.parts", "tests.fixtures.databases", "tests.fixtures.names"]


def pytest_configure(config: pytest.Config) -> None:
    """The mark is known also when the run is not spread (`-p no:xdist`)."""
    config.addinivalue_line("markers", "xdist_group(name): runs in the process of that group")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares an instance or a database stays in one process when the run is spread over several."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    if {"world", "cluster_world"} & set(getattr(item, "fixturenames", ())):
        return "world"
    if "e2e" not in item.path.parts:
        return str(item.path)
    if "distributed" in item.name:
        return "distributed"
    return "demo" if item.path.name == "test_documents.py" else "embedded"
