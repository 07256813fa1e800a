"""`cxloop keys`: API keys, made and revoked in the database itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from services.cli import show
from services.cli.options import AsJson, target_of
from services.cli.target import CommandError, Target

if TYPE_CHECKING:  # imported where it is used: the other commands start in a third of the time
    from shared.runtime.auth import ApiKeys, Scope

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")
T = TypeVar("T")


def database_of(target: Target) -> str:
    """Return the database's address: DATABASE_URL, else that of the running instance."""
    if given := os.environ.get("DATABASE_URL"):
        return given
    run = target.home.run()
    if run is None:
        raise CommandError(
            f"no instance runs on {target.data_dir}. Start one with `cxloop up`, or set DATABASE_URL."
        )
    return run.database


def with_keys(database_url: str, work: Callable[[ApiKeys], Awaitable[T]]) -> T:
    """Run some work on the keys of a database."""
    from shared.db.engine import create_engine
    from shared.runtime.auth import ApiKeys

    async def run() -> T:
        engine = create_engine(database_url, pool_size=1, application_name="cxloop keys")
        try:
            return await work(ApiKeys(engine))
        finally:
            await engine.dispose()

    return asyncio.run(run())


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What or whom it is for.")],
    scope: Annotated[
        list[str], typer.Option(help="ingest, read, act, admin or erase; several are possible.")
    ],
    as_json: AsJson = False,
) -> None:
    """Create a key. It is shown this once; only a hash of it is kept.

    Example: cxloop keys create dashboard --scope read
    """
    scopes = list(map(_scope, scope))
    key = with_keys(database_of(target_of(context)), lambda keys: keys.create(name, scopes))
    if as_json:
        show.as_json({"name": name, "scopes": scope, "api_key": key})
    else:
        show.out.print(key)


@app.command("list")
def list_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List the keys, without their secrets.

    Example: cxloop keys list
    """
    found = with_keys(database_of(target_of(context)), lambda keys: keys.list())
    rows = [
        {
            "id": str(key.id),
            "name": key.name,
            "scopes": sorted(str(scope) for scope in key.scopes),
            "created_at": key.created_at.isoformat(),
            "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None,
        }
        for key in found
    ]
    if as_json:
        show.as_json(rows)
        return
    cells = ([show.plain(value) for value in row.values()] for row in rows)
    show.table(("id", "name", "scopes", "created", "revoked"), cells, "There are no keys.")


@app.command()
def revoke(
    context: typer.Context, key: Annotated[str, typer.Argument(help="The key's id, from `cxloop keys list`.")]
) -> None:
    """Revoke a key; it stops working within seconds.

    Example: cxloop keys revoke 018f6d1e
    """
    if not with_keys(database_of(target_of(context)), lambda keys: keys.revoke(key)):
        raise CommandError(f"no key has the id {key}. `cxloop keys list` shows them.")
    show.out.print(f"{show.plain(key)} is revoked.")


def _scope(name: str) -> Scope:
    from shared.runtime.auth import Scope

    try:
        return Scope(name)
    except ValueError:
        raise CommandError(f"{name!r} is no scope; there are {', '.join(Scope)}", status=2) from None
