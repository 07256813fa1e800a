"""Rows of the failure table that need three brokers: three copies of each topic, two of them in sync."""

from __future__ import annotations

import pytest

from tests.faults.world import World


@pytest.mark.slow
def test_leaders_moved(cluster_world: World) -> None:
    """A broker that is stopped cleanly hands over what it leads, as in a rolling upgrade."""
    with cluster_world.row("leaders moved", fault_s=(2, 60)) as row:
        cluster_world.brokers[2].stop()
        row.hold()
        row.over()


@pytest.mark.slow
def test_one_of_three_killed_hard(cluster_world: World) -> None:
    """Leaders are elected anew among the other two, and the third stays away."""
    with cluster_world.row("one of three brokers killed", fault_s=(5, 60)) as row:
        cluster_world.brokers[1].kill()
        row.hold()
        row.over()


@pytest.mark.slow
def test_two_of_three_killed_hard(cluster_world: World) -> None:
    """No majority: Kafka acknowledges nothing, and everything goes to the spool meanwhile."""
    with cluster_world.row("two of three brokers killed", fault_s=(5, 60)) as row:
        gone = cluster_world.brokers[1:]
        for broker in gone:
            broker.kill()
        row.hold()
        for broker in gone:
            broker.prepare()
            broker.spawn()
        for broker in gone:
            broker.wait_ready()
        row.over()
