"""The worlds that rows of the failure table break. Each is started once, when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.world import SOAK, World

TIMEOUT_S = 300
SOAK_TIMEOUT_S = 1800


@pytest.fixture(scope="session")
def world(parts_dir: Path) -> Iterator[World]:
    """One broker behind a proxy, PostgreSQL behind another, one process of each service."""
    with World(parts_dir / "world").running() as whole:
        yield whole


@pytest.fixture(scope="module")
def cluster_world(parts_dir: Path) -> Iterator[World]:
    """The same on three brokers, three copies of each topic, two of them in sync."""
    with World(parts_dir / "cluster-world", brokers=3).running() as whole:
        yield whole


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first row waits for its world to start; the long form takes minutes for each row."""
    for item in items:
        if {"world", "cluster_world"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(SOAK_TIMEOUT_S if SOAK else TIMEOUT_S))
