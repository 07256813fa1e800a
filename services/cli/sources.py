"""`cxloop sources`: connect the tools that send webhooks."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from services.cli import show
from services.cli.options import AsJson, Limit, target_of
from services.cli.target import CommandError

app = typer.Typer(no_args_is_help=True, help="Connect the tools that send webhooks.")
Id = Annotated[str, typer.Argument(help="The source's id: a to z, 0 to 9 and -, at most 40.")]

DEFAULTS = ("region", "stage", "channel", "touchpoint", "language", "persona", "area")


@app.command()
def add(
    context: typer.Context,
    source: Id,
    vendor: Annotated[
        str, typer.Option(help="zendesk, intercom, chatwoot, typeform, stripe, standard-webhooks.")
    ],
    secret: Annotated[
        list[str] | None,
        typer.Option(
            help="Signing secret; several stay active. Without it you are asked, or it is read from stdin."
        ),
    ] = None,
    auth: Annotated[str | None, typer.Option(help="signature, header, basic or path.")] = None,
    default: Annotated[
        list[str] | None, typer.Option(help=f"NAME=VALUE for events that do not say: {', '.join(DEFAULTS)}.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Connect a sender and print the address to give it.

    Example: cxloop sources add helpdesk --vendor zendesk --default region=EMEA
    """
    body: dict[str, Any] = {"id": source, "vendor": vendor, "secrets": secret or [_ask()]}
    if auth:
        body["auth"] = auth
    if default:
        body["defaults"] = dict(map(_pair, default))
    made = target_of(context).post("ingest", "/sources", body)
    if as_json:
        show.as_json(made)
        return
    show.out.print(
        f"{show.plain(made['id'])} is connected. Give this address to {show.plain(made['vendor'])}:"
    )
    show.out.print(f"  {made['url']}", soft_wrap=True)


@app.command("list")
def list_sources(context: typer.Context, limit: Limit = 200, as_json: AsJson = False) -> None:
    """List the connected senders.

    Example: cxloop sources list
    """
    found = list(target_of(context).items("ingest", "/sources", limit))
    if as_json:
        show.as_json(found)
        return
    rows = ((show.plain(item["id"]), show.plain(item["vendor"]), show.plain(item["url"])) for item in found)
    show.table(
        ("source", "vendor", "address"), rows, "No sender is connected. Example: cxloop sources add --help"
    )


@app.command()
def remove(
    context: typer.Context,
    source: Id,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Disconnect a sender; its webhooks answer 404 from then on, its events stay.

    Example: cxloop sources remove helpdesk --yes
    """
    if not yes:
        typer.confirm(f"Disconnect {source}?", abort=True)
    target_of(context).delete("ingest", f"/sources/{source}")
    show.out.print(f"{show.plain(source)} is disconnected.")


def _ask() -> str:
    """Return a secret that is not on the command line, where other users of the machine could read it."""
    if sys.stdin.isatty():
        return str(typer.prompt("Signing secret", hide_input=True))
    secret = sys.stdin.readline().strip()
    if not secret:
        raise CommandError("a signing secret is needed: --secret, or one line on standard input")
    return secret


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or name not in DEFAULTS:
        raise CommandError(
            f"--default takes NAME=VALUE with one of {', '.join(DEFAULTS)}, not {text!r}", status=2
        )
    return name, value
