"""Stall detection: liveness is progress per partition."""

from __future__ import annotations

import pytest

from shared.bus.batches import Partition
from shared.bus.watch import StallWatch

A: Partition = ("t", 0)
B: Partition = ("t", 1)
Seen = tuple[float, dict[Partition, int], dict[Partition, int], bool]


@pytest.mark.parametrize(
    ("seen", "stalled"),
    [
        pytest.param([(0, {A: 5}, {A: 9}, False), (59, {A: 5}, {A: 9}, False)], [], id="not yet"),
        pytest.param([(0, {A: 5}, {A: 9}, False), (60, {A: 5}, {A: 9}, False)], [A], id="stands still"),
        pytest.param([(0, {A: 5}, {A: 5}, False), (600, {A: 5}, {A: 5}, False)], [], id="nothing waits"),
        pytest.param([(0, {A: 5}, {A: 9}, False), (60, {A: 6}, {A: 9}, False)], [], id="it moves"),
        pytest.param(
            [(0, {A: 5}, {A: 5}, False), (60, {A: 5}, {A: 9}, False)], [], id="waits only since now"
        ),
        pytest.param([(0, {A: 5}, {A: 9}, False), (60, {A: 5}, {A: 9}, True)], [], id="being handled"),
        pytest.param(
            [(0, {A: 5}, {A: 9}, False), (50, {A: 5}, {A: 9}, True), (70, {A: 5}, {A: 9}, False)],
            [],
            id="a failing handler starts the clock again",
        ),
        pytest.param(
            [(0, {A: 5}, {A: 9}, False), (30, {}, {}, False), (60, {A: 5}, {A: 9}, False)],
            [],
            id="was not ours meanwhile",
        ),
        pytest.param(
            [(0, {A: 5}, {A: 9}, False), (30, {A: 5}, {}, False), (60, {A: 5}, {A: 9}, False)],
            [],
            id="the brokers did not say where the log ends",
        ),
        pytest.param(
            [(0, {A: 5, B: 1}, {A: 9, B: 9}, False), (60, {A: 5, B: 8}, {A: 9, B: 9}, False)],
            [A],
            id="one partition alone stands still while another moves",
        ),
        pytest.param(
            [(0, {A: 5}, {A: 9}, False), (30, {A: 4}, {A: 9}, False), (89, {A: 4}, {A: 9}, False)],
            [],
            id="a step back is movement",
        ),
    ],
)
def test_when_a_partition_stands_still(seen: list[Seen], stalled: list[Partition]) -> None:
    watch = StallWatch(stall_s=60)
    found: list[Partition] = []
    for now, positions, ends, busy in seen:
        found = watch.observe(now, positions, ends, busy)
    assert found == stalled
