"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from services.cli.target import Target

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")]


def target_of(context: typer.Context) -> Target:
    """Return what the options before the command and the environment name."""
    target = context.find_root().obj
    assert isinstance(target, Target)
    return target
