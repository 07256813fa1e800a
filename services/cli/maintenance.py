"""`cxloop migrate`: work on the database itself."""

from __future__ import annotations

import typer

from services.cli import migrations, show
from services.cli.keys import database_of
from services.cli.options import AsJson, target_of


def migrate(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database up to date. Several at once are safe: one works, the others wait.

    Example: DATABASE_URL=postgresql://cxloop@db/cxloop cxloop migrate
    """
    done: list[str] = []
    migrations.upgrade_all(database_of(target_of(context)), done.append)
    if as_json:
        show.as_json({"schemas": done})
    else:
        show.out.print(f"Up to date: {', '.join(done)}.")
