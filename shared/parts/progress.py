"""How long steps tell that they go on."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the step, how much of it is done, and how much there is; possibly from another thread."""


def quiet(step: str, done: int, total: int) -> None:
    """Progress that nobody watches."""
