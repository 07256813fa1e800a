"""`python -m services.demo run`: loads the company's history, then keeps a trickle of live traffic."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.demo.client import (
    DemoError,
    Services,
    State,
    connect_sources,
    deliver,
    deliver_all,
    settled,
)
from services.demo.company import found, midnight
from services.demo.history import history
from services.demo.live import trickle, win_back
from services.demo.post import Post
from services.demo.report import written
from services.demo.shapes import own_answer
from services.demo.stories import stories

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True)
Url = Annotated[str, typer.Option(help="Address of the service.")]


@app.callback()
def _root() -> None:
    """The demo company of cxloop."""


@app.command()
def run(
    data_dir: Annotated[Path, typer.Option(help="Where the demo keeps its secrets and how far it came.")],
    ingest_url: Url = "http://127.0.0.1:8001",
    scoring_url: Url = "http://127.0.0.1:8002",
    alerts_url: Url = "http://127.0.0.1:8003",
    live: Annotated[bool, typer.Option(help="Go on with live traffic after the history.")] = True,
) -> None:
    """Load the history through the real webhooks, print what there is to see, go on with live traffic.

    Example: CXLOOP_API_KEY=cxk_... python -m services.demo run --data-dir .data
    """
    key = os.environ.get("CXLOOP_API_KEY", "")
    services = Services(ingest_url, scoring_url, alerts_url, key)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(_run(services, data_dir, live))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
    except (DemoError, httpx.TransportError) as error:
        typer.echo(f"demo: {str(error) or type(error).__name__}", err=True)
        raise typer.Exit(1) from None


@app.command()
def answer(
    data_dir: Annotated[Path, typer.Option(help="Where the demo keeps its secrets.")],
    score: Annotated[int, typer.Option(min=0, max=10, help="0 to 10: would you recommend us?")],
    email: Annotated[str, typer.Option(help="Who answers.")],
    comment: Annotated[str, typer.Option(help="In the customer's own words.")] = "",
    ingest_url: Url = "http://127.0.0.1:8001",
) -> None:
    """Send one answer to the loyalty question through the survey tool's real webhook.

    Example: python -m services.demo answer --data-dir .data --score 2 --email you@example.com
    """
    state = State.load(data_dir / "demo.json")
    if not state.secrets:
        typer.echo("demo: no demo company in this data directory; start it with `cxloop up`", err=True)
        raise typer.Exit(1)
    services = Services(ingest_url, "", "", os.environ.get("CXLOOP_API_KEY", "none"))
    post = own_answer(email, score, comment or None, datetime.now(UTC))

    async def send() -> list[str]:
        async with services.client() as client:
            return await deliver(client, services, state, post)

    try:
        typer.echo("accepted: " + " ".join(asyncio.run(send())))
    except DemoError as error:
        typer.echo(f"demo: {error}", err=True)
        raise typer.Exit(1) from None


async def _run(services: Services, data_dir: Path, live: bool) -> None:
    console = Console(stderr=True)
    state = State.load(data_dir / "demo.json")
    # One instant for all starts: the history is the same each time, so nothing is told twice.
    state.started = state.started or datetime.now(UTC).isoformat()
    started = datetime.fromisoformat(state.started)
    company = found(midnight(started))
    async with services.client() as client:
        await connect_sources(client, services, state)
        if not state.loaded:
            await _load(client, services, state, [*history(company), *stories(company, started)], console)
        await win_back(client, services, state, company)
        console.print(await written(client, services, data_dir), highlight=False, soft_wrap=True)
        if live:
            async for post in trickle(company, seed=int(datetime.now(UTC).timestamp())):
                await deliver(client, services, state, post)


async def _load(
    client: httpx.AsyncClient, services: Services, state: State, posts: list[Post], console: Console
) -> None:
    columns = (TextColumn("demo history"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("history", total=len(posts))
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            progress.advance(task)
            if not console.is_terminal and done % 1000 == 0:
                console.print(f"demo history: {done} of {len(posts)} deliveries")

        last = await deliver_all(client, services, state, posts, advance)
    await settled(client, services, last)
    state.loaded = True
    state.save()


if __name__ == "__main__":
    app()
