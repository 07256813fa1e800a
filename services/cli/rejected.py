"""`cxloop rejected`: look at what could not be read, and try it again."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from services.cli import show
from services.cli.options import AsJson, Limit, target_of
from services.cli.target import CommandError

app = typer.Typer(no_args_is_help=True, help="Look at deliveries that could not be read, and replay them.")
Which = Annotated[str, typer.Argument(help="The id of the rejected delivery.")]
SEARCHED = 10_000


@app.command("list")
def list_rejected(context: typer.Context, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List what was rejected, with all reasons.

    Example: cxloop rejected list --limit 50
    """
    found = list(target_of(context).items("ingest", "/rejected", limit))
    if as_json:
        show.as_json(found)
        return
    rows = (
        (show.plain(item["id"]), show.plain(item["source"]), show.when(item["received_at"]), _reasons(item))
        for item in found
    )
    show.table(("id", "source", "received", "reasons"), rows, "Nothing was rejected.")


@app.command("show")
def show_rejected(context: typer.Context, rejected: Which, as_json: AsJson = False) -> None:
    """Show one with its original body.

    Example: cxloop rejected show 17
    """
    walk = target_of(context).items("ingest", "/rejected", SEARCHED)
    found = next((item for item in walk if str(item["id"]) == rejected), None)
    if found is None:
        raise CommandError(f"no rejected delivery has the id {rejected}. `cxloop rejected list` shows them.")
    if as_json:
        show.as_json(found)
        return
    show.out.print(f"{show.plain(found['source'])}, {show.when(found['received_at'])}: {_reasons(found)}\n")
    show.out.print(str(found["body"]), markup=False, soft_wrap=True)


@app.command()
def replay(
    context: typer.Context,
    rejected: Annotated[list[str] | None, typer.Argument(help="Ids of rejected deliveries.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Replay all of them.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try rejected deliveries again, after the reason is gone.

    Example: cxloop rejected replay --all
    """
    target = target_of(context)
    ids = (
        [str(item["id"]) for item in target.items("ingest", "/rejected", SEARCHED)]
        if everything
        else rejected
    )
    if ids is None:
        raise CommandError("name the ids to replay, or --all", status=2)
    answers = [target.post("ingest", f"/rejected/{one}/replay") for one in ids]
    if as_json:
        show.as_json(answers)
    else:
        show.out.print(f"{len(answers)} replayed; `cxloop rejected list` shows what is still unreadable.")


def _reasons(item: dict[str, Any]) -> str:
    return "; ".join(show.plain(_reason(reason)) for reason in item["reasons"])


def _reason(reason: object) -> object:
    if not isinstance(reason, dict):
        return reason
    return " ".join(str(reason[name]) for name in ("code", "where", "why") if reason.get(name))
