"""The database as commands reach it: whose it is, and what to say when it cannot be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from services.cli.target import CommandError, Target
from shared.db.urls import asyncpg_url

MISSING = "run `cxloop migrate` first"
ELSE = "check DATABASE_URL, and that the server runs"


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


@contextmanager
def reached(database_url: str) -> Iterator[str]:
    """Work on the database. Where it cannot be used: CommandError with where, why and what to do."""
    import asyncpg
    from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi as Pooled
    from sqlalchemy.exc import DBAPIError

    try:
        asyncpg_url(database_url)
    except ValueError as error:
        raise CommandError(f"DATABASE_URL: {error}. Example: postgresql://user@host:5432/name.") from error
    try:
        yield database_url
    except (OSError, asyncpg.PostgresError, asyncpg.ClientConfigurationError) as error:
        raise CommandError(_sentence(database_url, error)) from error
    except (DBAPIError, Pooled.Error) as error:  # the pool's words around the driver's
        adapted = error.orig if isinstance(error, DBAPIError) and error.orig else error
        raise CommandError(_sentence(database_url, adapted.__cause__ or adapted)) from error


def _sentence(database_url: str, error: BaseException) -> str:
    """Where, why and what to do. The address's host alone is named: the rest of it is a secret."""
    import asyncpg

    missing = isinstance(error, asyncpg.UndefinedTableError | asyncpg.InvalidSchemaNameError)
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    why = (words or type(error).__name__).splitlines()[0].rstrip(".")
    place = urlsplit(database_url).hostname or "its socket"
    return f"PostgreSQL at {place} cannot be used: {why}; {MISSING if missing else ELSE}."
