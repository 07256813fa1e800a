"""What a newcomer reads when everything is ready."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.markup import escape

from services.cli.home import Run
from shared.parts import default_data_dir

LINE = '{"specversion":"1.0","id":"%s","source":"my-shop","type":"cxloop.survey.answered.v1","data":%s}'
ANSWER = (
    '{"identifiers":["email:you@example.com"],"body":{"response":"r-1","question":"nps","metric":"nps",'
    '"score":2,"comment":"Nobody answered me for three days"}}'
)


def command_for(data_dir: Path) -> str:
    """Return how this person calls `cxloop` for this data directory."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        command = f"{sys.executable} -m services.cli"
    elif program.is_absolute() and program.is_relative_to(Path.cwd()):
        command = str(program.relative_to(Path.cwd()))
    else:
        command = str(program)
    ours = data_dir in (default_data_dir(), Path(os.environ.get("CXLOOP_DATA_DIR", "/")))
    return command if ours else f"{command} --data-dir {data_dir}"


def welcome(run: Run, data_dir: Path, command: str, *, demo: bool) -> str:
    """Return addresses, key, and three things to try first."""
    event = LINE % ("my-first-answer", ANSWER)
    lines = [
        "",
        "[bold]cxloop is ready.[/bold]",
        f"  ingest   {run.ingest}",
        f"  scoring  {run.scoring}",
        f"  alerts   {run.alerts}",
        f"  API key  {run.api_key}",
        "  Webhooks to 127.0.0.1 are allowed in this run (CXLOOP_ALLOW_TARGETS).",
        "",
        "Three things to try first:",
        "  1. Who is at risk, and why",
        f"       {escape(command)} customers list",
        "  2. Send an unhappy answer of your own",
        f"       curl -sS {run.ingest}/v1/events -H 'Authorization: Bearer {run.api_key}' \\",
        "         -H 'Content-Type: application/cloudevents+json' \\",
        f"         -d '{escape(event)}'",
        "  3. See the alert it raises, and explain the score behind it",
        f"       {escape(command)} alerts list --customer email:you@example.com",
        f"       {escape(command)} customers explain email:you@example.com",
        "",
    ]
    if demo:
        lines.append("The demo company's history loads behind this; a summary follows when it is in.")
    lines.append(f"The data lies in {escape(str(data_dir))}; Ctrl-C stops and keeps it.")
    return "\n".join(lines)
