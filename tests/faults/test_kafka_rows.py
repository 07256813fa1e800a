"""Rows of the failure table: Kafka goes away, in every way it can, and comes back."""

from __future__ import annotations

from tests.faults.world import World


def test_killed(world: World) -> None:
    with world.row("Kafka killed") as row:
        world.kafka.kill()
        row.hold()
        world.kafka.start()
        row.over()
