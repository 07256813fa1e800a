"""What a service says of itself at /metrics."""

from __future__ import annotations

import re

from tests.faults.programs import Program
from tests.faults.world import World

_LINE = re.compile(r"^cxloop_(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


def gauge(world: World, program: Program, name: str, **labels: str) -> float:
    """The sum over everything that has these labels; 0 when there is nothing. `name` without its prefix."""
    answer = world.loop.http.get(f"{program.url}/metrics")
    assert answer.is_success, answer.text
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        float(value)
        for found, given, value in _LINE.findall(answer.text)
        if found == name and all(part in given for part in wanted)
    )
