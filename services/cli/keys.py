"""`cxloop keys`: API keys, made and revoked in the database itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from services.cli import show
from services.cli.database import database_of, reached
from services.cli.options import AsJson, target_of
from services.cli.target import CommandError

if TYPE_CHECKING:  # imported where it is used: the other commands start in a third of the time
    from shared.runtime.audit import AuditLog
    from shared.runtime.auth import ApiKeys, Scope

# Outcomes as the audit log writes them, in HTTP's words.
CREATED, REVOKED, NO_SUCH_KEY = 201, 204, 404
app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")
T = TypeVar("T")


def with_keys(database_url: str, work: Callable[[ApiKeys], Awaitable[T]]) -> T:
    """Run some work on the keys of a database."""
    return _with_both(database_url, lambda keys, _: work(keys))


def _with_both(database_url: str, work: Callable[[ApiKeys, AuditLog], Awaitable[T]]) -> T:
    from shared.db.engine import create_engine
    from shared.runtime.audit import AuditLog
    from shared.runtime.auth import ApiKeys
    from shared.runtime.logging import configure_logging

    configure_logging("cli", "warning", "text")

    async def run() -> T:
        engine = create_engine(database_url, pool_size=1, application_name="cxloop keys")
        try:
            return await work(ApiKeys(engine), AuditLog(engine, "cli", None))
        finally:
            await engine.dispose()

    with reached(database_url):
        return asyncio.run(run())


async def _create(keys: ApiKeys, audit: AuditLog, name: str, scopes: list[Scope]) -> str:
    from shared.runtime.audit import COMMAND_LINE, Call

    call = Call("CLI", "cxloop keys create")
    row = await audit.begin(call, COMMAND_LINE)
    plain = await keys.create(name, scopes)
    made = await keys.authenticate(f"Bearer {plain}")
    await audit.finish(row, call, COMMAND_LINE, CREATED, made.key_id)
    return plain


async def _revoke(keys: ApiKeys, audit: AuditLog, key_id: str) -> bool:
    from shared.runtime.audit import COMMAND_LINE, Call

    call = Call("CLI", "cxloop keys revoke", key_id)
    row = await audit.begin(call, COMMAND_LINE)
    revoked = await keys.revoke(key_id)
    await audit.finish(row, call, COMMAND_LINE, REVOKED if revoked else NO_SUCH_KEY)
    return revoked


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
    key = _with_both(database_of(target_of(context)), lambda keys, audit: _create(keys, audit, name, scopes))
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
    if not _with_both(database_of(target_of(context)), lambda keys, audit: _revoke(keys, audit, key)):
        raise CommandError(f"no key has the id {key}. `cxloop keys list` shows them.")
    show.out.print(f"{show.plain(key)} is revoked.")


def _scope(name: str) -> Scope:
    from shared.runtime.auth import Scope

    try:
        return Scope(name)
    except ValueError:
        raise CommandError(f"{name!r} is no scope; there are {', '.join(Scope)}", status=2) from None
