"""`cxloop migrate` and `cxloop rebuild`: work on the database itself."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from services.cli import migrations, show
from services.cli.database import database_of, reached
from services.cli.options import AsJson, target_of
from services.cli.steps import Steps
from services.cli.target import CommandError


def migrate(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database up to date. Several at once are safe: one works, the others wait.

    Example: DATABASE_URL=postgresql://cxloop@db/cxloop cxloop migrate
    """
    done: list[str] = []
    with reached(database_of(target_of(context))) as database:
        migrations.upgrade_all(database, done.append)
    if as_json:
        show.as_json({"schemas": done})
    else:
        show.out.print(f"Up to date: {', '.join(done)}.")


def rebuild(
    context: typer.Context,
    customer: Annotated[str | None, typer.Option(help="Only this customer's id.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fold every customer anew from the kept events, and report where the scores in use differ.

    Those that differ are written anew by the running service, quietly: nobody is paged.

    Example: cxloop rebuild --dry-run
    """
    from services.scoring.policy_files import PolicyError
    from services.scoring.rebuild import NotInForceError
    from services.scoring.rebuild import rebuild as fold_anew

    policy = os.environ.get("CXLOOP_POLICY_FILE")
    try:
        with reached(database_of(target_of(context))) as database, Steps() as steps:
            work = fold_anew(
                database,
                Path(policy) if policy else None,
                only=customer,
                mark=not dry_run,
                told=lambda done: steps(f"folding, {done} customers done"),
            )
            report = asyncio.run(work)
    except (PolicyError, NotInForceError) as error:
        raise CommandError(f"{error}. Set CXLOOP_POLICY_FILE as the scoring service has it.") from error
    if as_json:
        show.as_json(msgspec.to_builtins(report))
    else:
        _describe(msgspec.to_builtins(report))


def _describe(report: dict[str, Any]) -> None:
    differences = report["differences"]
    show.out.print(f"{report['customers']} customers folded anew, {len(differences)} differences.")
    if report["older"]:
        show.out.print(f"{report['older']} are still to be scored by the policy in force; look again later.")
    rows = (
        (show.plain(one["customer_id"]), one["score"], show.text(one["row"]), show.text(one["log"]))
        for one in differences
    )
    if differences:
        show.table(("customer", "score", "in use", "from the events"), rows, "")
        show.out.print(f"{report['marked']} customers are being written anew.")
