"""`cxloop doctor`: looks at the installation and says the next step."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import Annotated

import typer

from services.cli import checks, show
from services.cli.options import AsJson, target_of
from services.cli.target import Target

MARKS = {checks.State.good: "[green]ok[/green]", checks.State.notice: "[yellow]--[/yellow]"}


def doctor(
    context: typer.Context,
    env: Annotated[
        bool, typer.Option("--env", help="Print addresses and key as lines for the shell instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at the installation and the running instance, and say the next step.

    Exit status 1 when something is wrong. With --env: eval "$(cxloop doctor --env)"

    Example: cxloop doctor
    """
    target = target_of(context)
    if env:
        _print_environment(target)
        return
    found = [*checks.installation(target), *checks.instance(target)]
    if as_json:
        show.as_json([asdict(finding) for finding in found])
    else:
        for finding in found:
            mark = MARKS.get(finding.state, "[red]!![/red]")
            show.out.print(f"{mark} {finding.what}: {show.plain(finding.said)}", soft_wrap=True)
            if finding.next_step:
                show.out.print(f"     {show.plain(finding.next_step)}", soft_wrap=True)
    if any(finding.state is checks.State.bad for finding in found):
        raise typer.Exit(1)


def _print_environment(target: Target) -> None:
    """Print what a shell, or a tool of one's own, needs to speak to the instance."""
    values = {f"CXLOOP_{name.upper()}_URL": target.url(name) for name in checks.SERVICES}
    for name, value in {**values, "CXLOOP_API_KEY": target.api_key()}.items():
        show.out.print(f"export {name}={shlex.quote(value)}", markup=False, soft_wrap=True)
