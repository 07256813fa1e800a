"""`cxloop doctor`: looks at the installation and says the next step."""

from __future__ import annotations

from dataclasses import asdict

import typer

from services.cli import checks, show
from services.cli.options import AsJson, target_of

MARKS = {checks.State.good: "[green]ok[/green]", checks.State.notice: "[yellow]--[/yellow]"}


def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at the installation and the running instance, and say the next step.

    Exit status 1 when something is wrong.

    Example: cxloop doctor
    """
    target = target_of(context)
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
