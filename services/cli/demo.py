"""`cxloop demo`: the demo company, on an instance that runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from services.cli.options import target_of

app = typer.Typer(no_args_is_help=True, help="A demo company with customers, history and live traffic.")


@app.command()
def run(
    context: typer.Context,
    live: Annotated[bool, typer.Option(help="Go on with live traffic after the history.")] = True,
) -> None:
    """Load the demo company through the real webhooks of the running instance.

    Example: cxloop demo run --no-live
    """
    target = target_of(context)
    addresses = {name: target.url(name) for name in ("ingest", "scoring", "alerts")}
    options = [part for name, url in addresses.items() for part in (f"--{name}-url", url)]
    _become(
        ["run", "--data-dir", str(target.data_dir), *options, "--live" if live else "--no-live"],
        target.api_key(),
    )


@app.command()
def answer(
    context: typer.Context,
    email: Annotated[str, typer.Option(help="Who answers.")],
    score: Annotated[int, typer.Option(min=0, max=10, help="0 to 10: would you recommend us?")] = 2,
    comment: Annotated[str, typer.Option(help="In the customer's own words.")] = "",
) -> None:
    """Answer a survey as one of the demo company's customers.

    Example: cxloop demo answer --score 2 --email you@example.com --comment "Nobody answered me"
    """
    target = target_of(context)
    said = ["--email", email, "--score", str(score), "--comment", comment]
    options = ["--data-dir", str(target.data_dir), "--ingest-url", target.url("ingest")]
    _become(["answer", *options, *said], target.api_key())


def _become(arguments: list[str], api_key: str) -> NoReturn:
    """Become the demo's own process, which then owns the terminal and its signals."""
    env = {**os.environ, "CXLOOP_API_KEY": api_key}
    os.execve(sys.executable, [sys.executable, "-m", "services.demo", *arguments], env)  # noqa: S606
