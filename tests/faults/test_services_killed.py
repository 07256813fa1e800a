"""Rows of the failure table: services end hard, at any moment and under load, and are started anew."""

from __future__ import annotations

import random
import sys
import time

import pytest

from tests.faults.world import SERVICES, SOAK, World

KILLS = 102 if SOAK else 12
"""A third for each service."""
LONGEST_PAUSE_S = 3.0 if SOAK else 1.2
UP_AT_LEAST = 0.3
"""Share of the kills that wait until all services are ready; the others may hit one that is starting."""


@pytest.mark.slow
def test_killed_at_random_moments(world: World) -> None:
    """Consumers, drainer, sweeper, timers, dispatcher and relays die with the process they live in."""
    seed = random.randrange(1_000_000)
    sys.stdout.write(f"\nseed of the kills: {seed}\n")
    dice = random.Random(seed)
    with world.row(f"services killed hard at random moments, {KILLS} times", fault_s=(0, 0)) as row:
        for number, service in enumerate(shuffled(dice)):
            if number % 3 == 0 or dice.random() < UP_AT_LEAST:
                row.flows(answers=5)
            pause(dice)
            program = world.program(service)
            program.kill()
            pause(dice)
            program.start()
        row.over()


def shuffled(dice: random.Random) -> list[str]:
    """Each service equally often, in any order."""
    kills = [*SERVICES] * (KILLS // len(SERVICES))
    dice.shuffle(kills)
    return kills


def pause(dice: random.Random) -> None:
    """Milliseconds as often as seconds: a kill hits at start, in the middle of work, and in quiet."""
    time.sleep(dice.choice([0.02, 0.2, 1.0]) * dice.random() * LONGEST_PAUSE_S)
