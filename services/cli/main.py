"""The command `cxloop`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from typer.core import TyperGroup

from services.cli import alerts, audit, customers, demo, keys, rejected, sources
from services.cli.doctor import doctor
from services.cli.maintenance import migrate, rebuild
from services.cli.show import err
from services.cli.target import CommandError, Target
from services.cli.up import up
from shared.parts import PartError, default_data_dir


class Root(TyperGroup):
    """Turns errors that are sentences into one line and an exit status."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (CommandError, PartError) as error:
            err.print(f"[red]cxloop:[/red] {escape(str(error))}", soft_wrap=True)
            raise typer.Exit(getattr(error, "status", 1)) from None


app = typer.Typer(
    cls=Root,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Listen to customers, score how they are, tell the right people, see whether it helped.\n\n"
    "Example: cxloop up",
)


@app.callback()
def root(
    context: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="CXLOOP_DATA_DIR", help="Data directory of the instance.", show_default="per user"
        ),
    ] = None,
    ingest_url: Annotated[
        str | None, typer.Option(envvar="CXLOOP_INGEST_URL", help="Address of ingest.")
    ] = None,
    scoring_url: Annotated[
        str | None, typer.Option(envvar="CXLOOP_SCORING_URL", help="Address of scoring.")
    ] = None,
    alerts_url: Annotated[
        str | None, typer.Option(envvar="CXLOOP_ALERTS_URL", help="Address of alerts.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="CXLOOP_API_KEY", help="API key; better in the environment.")
    ] = None,
) -> None:
    """Remember which instance the command is for."""
    context.obj = Target(
        data_dir=(data_dir or default_data_dir()).absolute(),
        urls={"ingest": ingest_url, "scoring": scoring_url, "alerts": alerts_url},
        key=api_key,
    )


app.command()(up)
app.command()(migrate)
app.add_typer(keys.app, name="keys")
app.add_typer(sources.app, name="sources")
app.add_typer(customers.app, name="customers")
app.add_typer(alerts.app, name="alerts")
app.add_typer(rejected.app, name="rejected")
app.command("audit")(audit.audit)
app.command()(rebuild)
app.add_typer(demo.app, name="demo")
app.command()(doctor)
